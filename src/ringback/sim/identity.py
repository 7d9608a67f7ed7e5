"""Who a simulated device is, and what enrolment gave it: values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DeviceSpec:
    """Who a simulated device is. `is_small`: a microcontroller, with the kernel's small bounds."""

    name: str
    device_class: str
    family: str
    labels: Mapping[str, str] = field(default_factory=dict)
    capabilities: Mapping[str, int | str] = field(default_factory=dict)
    is_small: bool = False


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What enrolment gave the device: its id, its tenant, its token, and the director's root of trust."""

    device: str
    tenant: str
    token: str
    director_root: bytes
