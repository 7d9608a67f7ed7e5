"""The inference service: looks for faces in the camera's frames, listens for speech in its sound, reports to upload.

What it decides: nobody's fate; it turns frames into decisions with the models and thresholds it was given.
What it never does: stop because a reload was refused, or because camera or upload are away.

One *shift* is the time between two reloads. It owns models, settings and counts, and begins with the camera's whole
kept loop, so that the counts of a model just switched are complete within a fraction of a second. Shifts are replaced
whole, by one assignment, so the thread that works never sees half of a reload.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any, NamedTuple

from . import camera, channel, edition, faces, meter, service, settings, shapes, slots, voice

# Without a frame to work on: how often to ask the camera again.
IDLE_S = 0.05
# The first look of a shift takes a whole loop; reporting it in parts shows a slow model early.
REPORT_STEPS = 9
FRAMES_FOLDER = "frames"
# The debug option fills the disk on purpose; this keeps the machine that plays the box alive.
SAVED_FRAMES_LIMIT_BYTES = 64 * 1024 * 1024


class Outcome(NamedTuple):
    """What was found in one step of the camera's loop."""

    number: int
    step: camera.Step
    sighted: int
    score_ppm: int
    windows: int
    speech: int


class Shift:
    """Models, settings and counts from one reload to the next."""

    def __init__(self, config: settings.Settings, face: slots.Slot | None, ear: slots.Slot | None) -> None:
        self.settings = config
        self.face = face if config.face_enabled else None
        self.voice = ear if config.voice_enabled else None
        self.slots = {name: slot for name, slot in ((slots.FACE, face), (slots.VOICE, ear)) if slot is not None}
        self._listener = voice.Listener(ear.session, edition.VOICE_CONTEXT_SAMPLES) if ear is not None else None
        self.latency = {slots.FACE: meter.Latency(), slots.VOICE: meter.Latency()}
        self.loop = meter.Loop()
        self.newest = 0

    def examine(self, number: int, step: camera.Step) -> Outcome:
        """Run both models on one step and count what they say."""
        self.newest = number
        sighted, score = self._look(step)
        windows, speech = self._listen(step)
        return Outcome(number, step, sighted, score, windows, speech)

    def _look(self, step: camera.Step) -> tuple[int, int]:
        if self.face is None:
            return 0, 0
        tensor = faces.tensor(step.frame)
        if edition.KEEP_EVERY_FRAME:
            KEPT.append(tensor)
        began_ns = time.thread_time_ns()
        sighting = faces.look(self.face.session, tensor)
        self.latency[slots.FACE].add(time.thread_time_ns() - began_ns)
        sighted = int(sighting.is_face(self.settings.face_threshold_ppm))
        self.loop.see(step.place, step.people, sighted)
        return sighted, sighting.score_ppm

    def _listen(self, step: camera.Step) -> tuple[int, int]:
        if self._listener is None or self.voice is None:
            return 0, 0
        if step.clip_starts:
            self._listener.restart()
        speech = 0
        windows = range(0, len(step.sound), shapes.WINDOW_BYTES)
        for at in windows:
            began_ns = time.thread_time_ns()
            likelihood_ppm = self._listener.hear(step.sound[at : at + shapes.WINDOW_BYTES])
            self.latency[slots.VOICE].add(time.thread_time_ns() - began_ns)
            speech += likelihood_ppm > self.settings.voice_threshold_ppm
        self.loop.hear(step.place, len(windows), speech)
        return len(windows), speech


# The leaking edition's "session replay".
KEPT: list[Any] = []


class Inference(service.Service):
    """Works in the foreground; answers and reloads in the background."""

    name = "inference"
    interface = edition.INFERENCE_SPEAKS

    def __init__(self, env: service.Environment) -> None:
        super().__init__(env)
        self.fault = "still starting"
        self.shift = Shift(self.settings, None, None)
        self._frames = 0
        self._uploaded = 0
        self._refused = 0
        self._saved_bytes = 0
        self._worked_ns = time.monotonic_ns()

    def start(self) -> None:
        """Take models and settings into use for the first time; what can't be used is shown in /health."""
        try:
            self.reload()
            self.fault = ""
        except (settings.ConfigRefused, faces.ModelUnfit) as cause:
            self.fault = str(cause)

    def is_ready(self) -> bool:
        """Ready with every slot that has a model; an empty slot is no fault."""
        return not self.fault

    def health(self) -> dict[str, Any]:
        return {**super().health(), "fault": self.fault}

    def reload(self) -> dict[str, Any]:
        """Take the newest models and settings into use.

        Raises ConfigRefused, ModelUnfit: nothing was changed.
        """
        old = self.shift
        fresh = settings.load(self.env.config)
        face = slots.take(self.env.models, slots.FACE, old.slots.get(slots.FACE))
        ear = slots.take(self.env.models, slots.VOICE, old.slots.get(slots.VOICE))
        shift = Shift(fresh, face, ear)
        if fresh != old.settings or shift.slots != old.slots:
            self.shift = shift
        self.fault = ""
        return {"config": fresh != old.settings, "model": {name: slot.digest for name, slot in shift.slots.items()}}

    def _answer_reload(self) -> channel.Reply:
        try:
            return super()._answer_reload()
        except faces.ModelUnfit as cause:
            return channel.refuse(422, "RB-DOOR-003", f"inference keeps its old models: {cause}", "fix the model")

    def metrics(self) -> dict[str, Any]:
        """Latency, counts and outputs of this shift, in integers."""
        shift = self.shift
        counts = shift.loop.summary()
        sighted, looked_at = shift.loop.positives()
        return {
            **counts,
            "frames": self._frames,
            "age_ms": (time.monotonic_ns() - self._worked_ns) // 1_000_000,
            "latency": {name: latency.summary() for name, latency in shift.latency.items()},
            "model": {name: slot.digest for name, slot in shift.slots.items()},
            "output": {
                slots.FACE: {"positive_ppm": meter.share_ppm(sighted, looked_at), "n": looked_at},
                slots.VOICE: {"positive_ppm": counts["speech_ppm"], "n": counts["windows"]},
            },
            "uploaded": self._uploaded,
            "refused": self._refused,
        }

    def work(self) -> None:
        """Ask the camera, examine, report; for ever."""
        while True:
            began_s = time.monotonic()
            shift = self.shift
            newer = self._newer_than(shift.newest)
            for at in range(0, len(newer), REPORT_STEPS):
                self._work_on(shift, newer[at : at + REPORT_STEPS])
            pause_s = shift.settings.frame_interval_ms / 1000 or IDLE_S
            time.sleep(max(0.001, pause_s - (time.monotonic() - began_s)))

    def _work_on(self, shift: Shift, steps: list[tuple[int, camera.Step]]) -> None:
        outcomes = [shift.examine(number, step) for number, step in steps]
        self._frames += len(outcomes)
        self._worked_ns = time.monotonic_ns()
        self._report(shift, outcomes)
        self._save(shift, outcomes)

    def _newer_than(self, number: int) -> list[tuple[int, camera.Step]]:
        try:
            status, body = channel.call(self.env.socket_of("camera"), "GET", f"/frames/after/{number}")
        except channel.ChannelError:
            return []
        return camera.unpack(body) if status == 200 else []

    def _report(self, shift: Shift, outcomes: list[Outcome]) -> None:
        body = speak(self.env.device, shift, outcomes)
        try:
            status, _ = channel.call(self.env.socket_of("upload"), "POST", "/results", json.dumps(body).encode())
        except channel.ChannelError:
            return
        self._uploaded += status == 200
        self._refused += status != 200

    def _save(self, shift: Shift, outcomes: list[Outcome]) -> None:
        if not shift.settings.save_frames or self._saved_bytes > SAVED_FRAMES_LIMIT_BYTES:
            return
        folder = self.env.run / FRAMES_FOLDER
        try:
            os.makedirs(folder, exist_ok=True)
            for outcome in outcomes:
                (folder / f"{outcome.number}.rgb").write_bytes(outcome.step.frame)
                self._saved_bytes += shapes.FRAME_BYTES
        except OSError:
            # A full disk is what this option leads to; looking for faces goes on without it.
            return


def speak(device: str, shift: Shift, outcomes: list[Outcome]) -> dict[str, Any]:
    """The results as the upload service gets them, in the interface this edition speaks.

    Interface 1 had one number per frame and named neither itself nor the model; interface 2 names both.
    """
    if edition.INFERENCE_SPEAKS == 1:
        return {"device": device, "faces": [[outcome.number, outcome.sighted] for outcome in outcomes]}
    return {
        "interface": edition.INFERENCE_SPEAKS,
        "device": device,
        "models": {name: slot.digest for name, slot in shift.slots.items()},
        "results": [
            [
                outcome.number,
                outcome.step.place,
                outcome.step.people,
                outcome.sighted,
                outcome.score_ppm,
                outcome.windows,
                outcome.speech,
            ]
            for outcome in outcomes
        ],
    }


def main() -> None:
    """Run the inference service."""
    inference = Inference(service.environment())
    inference.start()
    service.run(inference, inference.work)
