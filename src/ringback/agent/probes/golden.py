"""Probe `golden`: replays the golden set of a model slot with the app's own code, in a child with a hard timeout.

Values: fidelity_ppm (this device reproduces what the build host recorded of this very model), quality_ppm (agreement
with labels or a trusted reference), n samples. A replay that fails or crashes agrees with nothing: 0 and 0 of n
samples.
"""

import json
from pathlib import Path

from ringback.agent.errors import ProbeError
from ringback.agent.manifest import Manifest, fill
from ringback.agent.ports import Json
from ringback.agent.probes.scene import Scene
from ringback.agent.processes import MARK_NAME, run_bounded
from ringback_kernel import replay
from ringback_kernel.errors import KernelError

TIMEOUT_MS = 25_000
"""A replay of 45 pictures takes 0.1 s of computing and 1 s of loading on a PC, some ten times that on a board. It must
end before the kernel gives up on the round it is part of (30 s)."""
GOLDEN_LIMIT_BYTES = 1 << 20


def measure(scene: Scene, arg: str) -> dict[str, int]:
    """Replays. Raises ProbeError: RB-PROBE-003 too slow, RB-PROBE-006 not startable, RB-PROBE-007 nothing to replay."""
    model_dir, model = scene.plane(f"model/{arg}")
    app_dir, app = scene.app()
    entry = model.file_of_role("golden")
    if entry is None or not app.replay_argv or entry.size_bytes > GOLDEN_LIMIT_BYTES:
        raise ProbeError("RB-PROBE-007", f"{model.name} has no golden set, or {app.name} has no replay entry")
    golden_file = model_dir / entry.path
    golden = read_golden(golden_file)
    argv = fill(
        app.replay_argv,
        {
            "python": scene.lab.surroundings.interpreter(),
            "dir": str(app_dir),
            "model_dir": str(model_dir),
            "golden": str(golden_file),
        },
    )
    environment = {**scene.lab.surroundings.environment(app_dir), MARK_NAME: "probe:golden"}
    try:
        outcome = run_bounded(argv, environment=environment, cwd=app_dir, timeout_ms=TIMEOUT_MS)
    except OSError as error:
        raise ProbeError("RB-PROBE-006", f"the replay of {arg} cannot be started: {error}") from error
    if outcome.is_late:
        raise ProbeError("RB-PROBE-003", f"the replay of {arg} took more than {TIMEOUT_MS} ms and was killed")
    return compare(golden, parse_output(outcome.output) if outcome.code == 0 else {}, model)


def read_golden(path: Path) -> dict[str, Json]:
    """Returns the golden set in a file. Raises ProbeError RB-PROBE-007."""
    try:
        golden = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ProbeError("RB-PROBE-007", f"the golden set {path.name} cannot be read: {error}") from error
    if not isinstance(golden, dict):
        raise ProbeError("RB-PROBE-007", f"the golden set {path.name} is no object")
    return golden


def parse_output(data: bytes) -> dict[str, Json]:
    """Returns the object in the last line of an output; empty when there is none."""
    lines = data.strip().splitlines()
    try:
        obj = json.loads(lines[-1]) if lines else {}
    except (ValueError, RecursionError):
        return {}
    return obj if isinstance(obj, dict) else {}


def compare(golden: dict[str, Json], output: dict[str, Json], model: Manifest) -> dict[str, int]:
    """Returns the agreement of an output with a golden set, by the kernel's comparison."""
    samples = golden.get("samples")
    count = len(samples) if isinstance(samples, list) else 0
    if not output:
        return {"fidelity_ppm": 0, "quality_ppm": 0, "n": count}
    try:
        agreement = replay.compare(golden, output)
    except KernelError as error:
        raise ProbeError("RB-PROBE-007", error.text) from error
    return {field: int(agreement[field]) for field in ("fidelity_ppm", "quality_ppm", "n")}
