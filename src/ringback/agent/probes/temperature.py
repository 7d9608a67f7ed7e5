"""Probe `temperature`: the hottest of the box's sensors, in thousandths of a degree Celsius.

Values: max_mdegc. The device file names a file or a zone by *type*, since numbers of thermal zones change with the
kernel; without either, the hottest zone counts.
"""

from pathlib import Path

from ringback.agent.errors import ProbeError
from ringback.agent.probes.scene import Scene

ZONES = Path("/sys/class/thermal")
RANGE_MDEGC = range(-100_000, 300_000)


def measure(scene: Scene, arg: str) -> dict[str, int]:
    """Reads the sensors. Raises ProbeError: RB-PROBE-004 unreadable, RB-PROBE-005 no such sensor."""
    file, zone = scene.lab.device_file.temperature_file, scene.lab.device_file.temperature_zone
    files = [Path(file)] if file else zone_files(ZONES, zone)
    if not files:
        raise ProbeError("RB-PROBE-005", f"no thermal zone of type {zone or 'any'}; name a file in device.toml")
    return {"max_mdegc": max(read_mdegc(path) for path in files)}


def zone_files(zones: Path, wanted: str) -> list[Path]:
    """Returns the temperature files of the zones of a type, or of all zones when none is wanted."""
    found = []
    for folder in sorted(zones.glob("thermal_zone*")):
        try:
            kind = (folder / "type").read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            continue
        if wanted in {"", kind}:
            found.append(folder / "temp")
    return found


def read_mdegc(path: Path) -> int:
    """Returns the number in a sensor's file. Raises ProbeError RB-PROBE-004."""
    try:
        value = int(path.read_bytes()[:32])
    except (OSError, ValueError) as error:
        raise ProbeError("RB-PROBE-004", f"{path}: {error}") from error
    if value not in RANGE_MDEGC:
        raise ProbeError("RB-PROBE-004", f"{path}: {value} is no temperature in thousandths of a degree")
    return value
