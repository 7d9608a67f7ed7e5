"""Probe `exec`: runs a command of the device's own file, named by the argument. The server can only name it.

Values: code, its exit code; 128 + n when signal n ended it.
"""

import os

from ringback.agent.errors import ProbeError
from ringback.agent.probes.scene import Scene
from ringback.agent.processes import MARK_NAME, MARK_RUN, run_bounded


def measure(scene: Scene, arg: str) -> dict[str, int]:
    """Runs the command. Raises ProbeError: RB-PROBE-003 too slow, RB-PROBE-005 unknown, RB-PROBE-006 not startable."""
    command = scene.lab.device_file.exec_probes.get(arg)
    if command is None:
        known = ", ".join(sorted(scene.lab.device_file.exec_probes)) or "none"
        raise ProbeError("RB-PROBE-005", f"device.toml has no [probe.exec.{arg[:64]}]; known: {known}")
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        MARK_RUN: str(scene.lab.surroundings.run_dir),
        MARK_NAME: f"probe:{arg}",
    }
    try:
        outcome = run_bounded(command.argv, environment=environment, cwd=scene.lab.state, timeout_ms=command.timeout_ms)
    except OSError as error:
        raise ProbeError("RB-PROBE-006", f"{arg}: {command.argv[0]} cannot be started: {error.strerror}") from error
    if outcome.is_late:
        raise ProbeError("RB-PROBE-003", f"{arg} took more than {command.timeout_ms} ms and was killed")
    return {"code": outcome.code if outcome.code >= 0 else 128 - outcome.code}
