"""The closed list of probes, and the rounds in which they run: the kernel's `Probes` port.

Invariants:

- A probe of any name and argument gives exactly one reading; what fails carries a code.
- A round ends: every probe has a timeout of its own.
"""

from collections.abc import Callable, Sequence

from ringback.agent.effects import Log
from ringback.agent.errors import PortError, ProbeError
from ringback.agent.platform.box import Box
from ringback.agent.ports import Artifact, Measure, Reading
from ringback.agent.probes import (
    consistency,
    disk,
    exec_command,
    golden,
    input_stream,
    latency,
    logs,
    memory,
    output,
    preflight,
    service_speaks,
    service_up,
    telemetry,
    temperature,
    uplink,
)
from ringback.agent.probes.scene import Lab, Scene

PROBES: dict[str, Callable[[Scene, str], dict[str, int]]] = {
    "service_up": service_up.measure,
    "service_speaks": service_speaks.measure,
    "latency": latency.measure,
    "golden": golden.measure,
    "memory": memory.measure,
    "disk": disk.measure,
    "temperature": temperature.measure,
    "input": input_stream.measure,
    "output": output.measure,
    "consistency": consistency.measure,
    "logs": logs.measure,
    "telemetry": telemetry.measure,
    "uplink": uplink.measure,
    "exec": exec_command.measure,
}


class ProbeRounds:
    """The real `Probes`.

    Args:
        lab: what the probes look at.
        box: which slots are active.
        log: where failures of probes go.
    """

    def __init__(self, lab: Lab, box: Box, log: Log) -> None:
        self._lab = lab
        self._box = box
        self._log = log
        box.on_change(lab.forget)

    def read(self, measures: Sequence[Measure]) -> list[Reading]:
        """Runs one round on what is active. Waits for services that are just being started at boot."""
        self._box.wait_settled()
        scene = Scene(self._lab, self._box.active())
        # Consistency first: after a change it waits for results to flow, and what the others read then is about a set
        # that works again, not about the instant of the switch.
        ordered = sorted(measures, key=lambda measure: measure.probe != "consistency")
        return [self._one(scene, measure) for measure in ordered]

    def preflight(self, artifacts: Sequence[Artifact], measures: Sequence[Measure]) -> list[Reading]:
        """Checks and measures candidates beside what runs. Raises PortError when a candidate cannot be activated."""
        planes = {**self._box.active(), **self._box.staged(artifacts)}
        preflight.check(planes, {artifact.plane for artifact in artifacts})
        scene = Scene(self._lab, planes)
        return [self._one(scene, measure) for measure in measures]

    def _one(self, scene: Scene, wanted: Measure) -> Reading:
        values: dict[str, int] = {}
        code = ""
        try:
            probe = PROBES.get(wanted.probe)
            if probe is None:
                raise ProbeError("RB-PROBE-008", f"no probe {wanted.probe[:40]!r}; known: {', '.join(PROBES)}")
            values = probe(scene, wanted.arg)
        except PortError as error:
            code = error.code
            fields = {"probe": wanted.probe, "arg": wanted.arg, "code": error.code, "text": error.message}
            self._log("probe_failed", dict(fields))
        return Reading(wanted.probe, wanted.arg, values, self._lab.now_ms(), code)
