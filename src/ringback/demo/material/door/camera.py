"""The camera service: the pictures at the door as a stream of frames, each with its stretch of sound.

What it decides: when the next frame is captured, and what the stream holds.
What it never does: look at a frame. It knows who stands on each picture, and passes that on as `people`, so that
"seen 27 of 27" can be counted at the far end.

The stream is one loop of STEPS frames (5 pictures x 9 views). The newest STEPS are kept, as cameras do, so a model that
was just switched is proven on a whole loop at once and not after minutes.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from typing import Any, NamedTuple

from . import channel, frames, service, settings, shapes

PICTURES = "pictures"
CLIPS = "clips"
SCENE = "scene.json"
# While the stream is paused: how often to look for a new configuration.
IDLE_S = 0.05


class Step(NamedTuple):
    """One step of the loop: its place there, a frame, its sound, how many people stand on it (0 or 1)."""

    place: int
    people: int
    frame: bytes
    sound: bytes
    clip_starts: bool


def scene(env: service.Environment) -> list[Step]:
    """The loop: every view of every picture, the clips spread evenly over it."""
    plan = json.loads((env.slot / SCENE).read_bytes())
    pictures = [
        (entry["people"], frame)
        for entry in plan["pictures"]
        for frame in frames.views(env.slot / PICTURES / entry["file"])
    ]
    sounds: list[tuple[bool, bytes]] = []
    for entry in plan["clips"]:
        windows = shapes.windows(env.slot / CLIPS / entry["file"])
        share = -(-len(windows) // (len(pictures) // len(plan["clips"])))
        chunks = [b"".join(windows[at : at + share]) for at in range(0, len(windows), share)]
        sounds += [(at == 0, chunk) for at, chunk in enumerate(chunks)]
    sounds += [(False, b"")] * (len(pictures) - len(sounds))
    return [
        Step(place, people, frame, sound, starts)
        for place, ((people, frame), (starts, sound)) in enumerate(zip(pictures, sounds, strict=True))
    ]


class Camera(service.Service):
    """Captures in the foreground, answers `GET /frames/after/<number>` in the background."""

    name = "camera"

    def __init__(self, env: service.Environment) -> None:
        super().__init__(env)
        self._loop = scene(env)
        self._black = bytes(shapes.FRAME_BYTES)
        self._captured: deque[tuple[int, Step]] = deque(maxlen=len(self._loop))
        # Frames are numbered from the clock, so that a camera that was restarted goes on above its old numbers (it
        # captures less than one frame per millisecond) and nobody waits for them to be reached again.
        self._first = time.monotonic_ns() // 1_000_000
        self._count = self._first
        self._last_ns = time.monotonic_ns()
        self._lock = threading.Lock()
        self.settings = settings.load(env.config)
        if self.is_streaming():
            for _ in self._loop:
                self.capture()

    def is_streaming(self) -> bool:
        """Whether the present settings open a stream at all."""
        return self.settings.source != "none" and self.settings.frame_interval_ms > 0

    def capture(self) -> None:
        """Take the next frame of the loop."""
        step = self._loop[(self._count - self._first) % len(self._loop)]
        if self.settings.source == "black":
            step = step._replace(frame=self._black)
        with self._lock:
            self._count += 1
            self._captured.append((self._count, step))
            self._last_ns = time.monotonic_ns()

    def work(self) -> None:
        """Capture for ever, at the configured interval."""
        due = time.monotonic()
        while True:
            if not self.is_streaming():
                time.sleep(IDLE_S)
                due = time.monotonic()
                continue
            self.capture()
            due = max(due + self.settings.frame_interval_ms / 1000, time.monotonic() - 1)
            time.sleep(max(0.0, min(due - time.monotonic(), 1.0)))

    def metrics(self) -> dict[str, Any]:
        """frames: captured since the start; age_ms: since the last one."""
        return {
            "frames": self._count - self._first,
            "age_ms": (time.monotonic_ns() - self._last_ns) // 1_000_000,
            "streaming": int(self.is_streaming()),
        }

    def route(self, method: str, target: str, body: bytes) -> channel.Reply:
        """`GET /frames/after/<number>`: all kept frames newer than that, oldest first, or 409 without a stream."""
        if method != "GET" or not target.startswith("/frames/after/"):
            return super().route(method, target, body)
        if not self.is_streaming():
            return channel.refuse(409, "RB-DOOR-002", "the camera has no stream", "the config closes or pauses it")
        after = int(target.rsplit("/", 1)[1])
        with self._lock:
            newer = [(number, step) for number, step in self._captured if number > after]
        return channel.Reply(200, pack(newer), "application/octet-stream")


def pack(steps: list[tuple[int, Step]]) -> bytes:
    """Frames as one body: a line of JSON that says what follows, then frame and sound of each step."""
    head = [[number, step.place, step.people, len(step.sound), int(step.clip_starts)] for number, step in steps]
    return json.dumps(head).encode() + b"\n" + b"".join(step.frame + step.sound for _, step in steps)


def unpack(body: bytes) -> list[tuple[int, Step]]:
    """The opposite of `pack`."""
    head, _, rest = body.partition(b"\n")
    steps = []
    at = 0
    for number, place, people, sound_bytes, clip_starts in json.loads(head):
        cut, end = at + shapes.FRAME_BYTES, at + shapes.FRAME_BYTES + sound_bytes
        steps.append((number, Step(place, people, rest[at:cut], rest[cut:end], bool(clip_starts))))
        at = end
    return steps


def main() -> None:
    """Run the camera service."""
    camera = Camera(service.environment())
    service.run(camera, camera.work)
