"""`device.toml`: what the owner of the box says about it, and the only place for command lines, paths and units.

The server never sends any of these: it names probes from a closed list and sends numeric limits. Every key is known, or
an error that names the nearest known one.

    server = "https://ringback.example:8443"   # may also come by flag
    ca_file = "/etc/ringback/ca.pem"           # authority of the server's certificate; default: the system's
    python = "/opt/app/.venv/bin/python"       # {python} of the services; default: the agent's own
    run_dir = "/run/ringback"                  # sockets of the services; default: <state>/run
    quota_mb = 2048                            # the most the state folder may hold; default: the whole disk
    boot_id_file = "/proc/sys/kernel/random/boot_id"
    reboot = ["/sbin/reboot"]                  # without it, services end and the agent ends with 75

    [capabilities]                             # what artifacts may require; ram_mb is measured if not given
    npu = "rk3566"
    ram_mb = 2048

    [labels]                                   # sent when the box enrols
    region = "eu"

    [environment]                              # added to what the services see
    OMP_NUM_THREADS = "1"

    [probe.temperature]
    zone = "soc-thermal"                       # by type, not by number; or: file = "/sys/.../temp"

    [probe.disk]
    path = "/data"                             # default: the state folder
    quota_mb = 512                             # counts as full when this much is used; default: the file system's size

    [probe.exec.door-relay]                    # run by the rule {probe: exec, arg: door-relay}
    argv = ["/opt/door/check", "--quick"]
    timeout_ms = 2000
"""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ringback.agent.clock import BOOT_ID_FILE
from ringback.agent.errors import SetupError

EXEC_TIMEOUT_MS = 10_000
EXEC_TIMEOUT_LIMIT_MS = 60_000

TOP_KEYS = frozenset(
    "server ca_file python run_dir quota_mb boot_id_file reboot capabilities labels environment probe".split()
)


@dataclass(frozen=True, slots=True)
class ExecProbe:
    """A command of the owner that an exec rule may run."""

    argv: tuple[str, ...]
    timeout_ms: int


@dataclass(frozen=True, slots=True)
class DeviceFile:
    """The content of `device.toml`; everything has a default."""

    server: str = ""
    ca_file: str = ""
    python: str = ""
    run_dir: str = ""
    quota_bytes: int = 0
    boot_id_file: Path = BOOT_ID_FILE
    reboot_argv: tuple[str, ...] = ()
    capabilities: Mapping[str, int | str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    temperature_file: str = ""
    temperature_zone: str = ""
    disk_path: str = ""
    disk_quota_bytes: int = 0
    exec_probes: Mapping[str, ExecProbe] = field(default_factory=dict)


def load(path: Path) -> DeviceFile:
    """Reads the file; a missing one is all defaults. Raises SetupError RB-AGENT-001, naming key and fix."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return DeviceFile()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SetupError("RB-AGENT-001", f"{path}: {error}", hint="fix the file or remove it") from error
    return _Reader(path).device_file(table)


class _Reader:
    """Reads tables of one file, so that every error can name it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def device_file(self, top: Mapping[str, object]) -> DeviceFile:
        self._known(top, TOP_KEYS, "")
        probe = self._table(top, "probe", "probe")
        self._known(probe, frozenset({"temperature", "disk", "exec"}), "probe.")
        temperature = self._table(probe, "temperature", "probe.temperature")
        self._known(temperature, frozenset({"file", "zone"}), "probe.temperature.")
        disk = self._table(probe, "disk", "probe.disk")
        self._known(disk, frozenset({"path", "quota_mb"}), "probe.disk.")
        boot_id_file = self._text(top, "boot_id_file", "")
        return DeviceFile(
            server=self._text(top, "server", ""),
            ca_file=self._text(top, "ca_file", ""),
            python=self._text(top, "python", ""),
            run_dir=self._text(top, "run_dir", ""),
            quota_bytes=self._number(top, "quota_mb", "") << 20,
            boot_id_file=Path(boot_id_file) if boot_id_file else BOOT_ID_FILE,
            reboot_argv=self._argv(top, "reboot", ""),
            capabilities=self._capabilities(self._table(top, "capabilities", "capabilities")),
            labels=self._texts(top, "labels"),
            environment=self._texts(top, "environment"),
            temperature_file=self._text(temperature, "file", "probe.temperature."),
            temperature_zone=self._text(temperature, "zone", "probe.temperature."),
            disk_path=self._text(disk, "path", "probe.disk."),
            disk_quota_bytes=self._number(disk, "quota_mb", "probe.disk.") << 20,
            exec_probes=self._exec_probes(self._table(probe, "exec", "probe.exec")),
        )

    def _exec_probes(self, table: Mapping[str, object]) -> dict[str, ExecProbe]:
        probes = {}
        for name in table:
            where = f"probe.exec.{name}"
            entry = self._table(table, name, where)
            self._known(entry, frozenset({"argv", "timeout_ms"}), f"{where}.")
            argv = self._argv(entry, "argv", f"{where}.")
            if not argv:
                raise self._wrong(f"{where}.argv", "missing", "a list of texts")
            timeout_ms = self._number(entry, "timeout_ms", f"{where}.") or EXEC_TIMEOUT_MS
            probes[name] = ExecProbe(argv, min(timeout_ms, EXEC_TIMEOUT_LIMIT_MS))
        return probes

    def _capabilities(self, table: Mapping[str, object]) -> dict[str, int | str]:
        capabilities: dict[str, int | str] = {}
        for key, value in table.items():
            if isinstance(value, bool) or not isinstance(value, int | str):
                raise self._wrong(f"capabilities.{key}", repr(value), "an integer or a text")
            capabilities[key] = value
        return capabilities

    def _known(self, table: Mapping[str, object], known: frozenset[str], prefix: str) -> None:
        for key in table:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                hint = f"did you mean {prefix}{near[0]}?" if near else f"known here: {', '.join(sorted(known))}"
                raise SetupError("RB-AGENT-001", f"{self._path}: unknown key {prefix}{key}", hint=hint)

    def _table(self, table: Mapping[str, object], key: str, where: str) -> Mapping[str, object]:
        value = table.get(key, {})
        if not isinstance(value, dict):
            raise self._wrong(where, repr(value), "a table")
        return value

    def _text(self, table: Mapping[str, object], key: str, prefix: str) -> str:
        value = table.get(key, "")
        if not isinstance(value, str):
            raise self._wrong(prefix + key, repr(value), "a text")
        return value

    def _number(self, table: Mapping[str, object], key: str, prefix: str) -> int:
        value = table.get(key, 0)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise self._wrong(prefix + key, repr(value), "an integer of at least 0")
        return value

    def _argv(self, table: Mapping[str, object], key: str, prefix: str) -> tuple[str, ...]:
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._wrong(prefix + key, repr(value), "a list of texts")
        return tuple(value)

    def _texts(self, table: Mapping[str, object], key: str) -> dict[str, str]:
        inner = self._table(table, key, key)
        return {name: self._text(inner, name, f"{key}.") for name in inner}

    def _wrong(self, where: str, found: str, expected: str) -> SetupError:
        return SetupError("RB-AGENT-001", f"{self._path}: {where} is {found[:80]}, expected {expected}")
