"""Device classes: what a kind of hardware has, and the policy that suits it.

Decides: planes, capabilities, windows and standard rules of a class. Never: anything about one device.

- A document is immutable per version: the same class and version with other content is refused by who stores it.
- One generic path for every node is what fails first, so what differs between an ESP32 and a Linux box is in here: how
  often it polls, how long its trial may take, how many slots a plane has, whether planes can switch together, which
  kinds are drilled, how often a flash sector may be erased.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ringback.spec import names, nodes, read
from ringback.spec.canonical import digest, encode
from ringback.spec.codes import BAD_NAME, CONTRADICTION, OUT_OF_RANGE, WRONG_TYPE
from ringback.spec.nodes import Mapping, Node
from ringback.spec.problem import did_you_mean, refuse, shown
from ringback.spec.rules import HealthRule, can_prove, parse_rules, standard_rules
from ringback_kernel import desired

PLANES_MAX: Final = 16
"""Planes of one class: enough for four model slots beside firmware and config; bounds the planner's search."""
CAPABILITIES_MAX: Final = 64
DURATION_MS_MAX: Final = 30 * 86_400_000
EVERY_MS_MIN: Final = desired.MIN_EVERY_MS
WINDOW_MS_MAX: Final = desired.MAX_WINDOW_MS
"""What a device accepts in a desired state: it refuses longer windows, and never probes faster."""
COST_MS_MAX: Final = 86_400_000
COST_MS: Final = {"firmware": 10_000, "model": 500, "config": 50}
"""What a switch costs where the class does not say: only the order matters, config before model before firmware."""
REBOOT_COST_MS: Final = 60_000
"""The same for a backend that restarts the device."""
SLOTS_MAX: Final = 16
REBOOTING_BACKENDS: Final = ("rauc", "uboot-env", "rockchip-misc", "esp-ota")
"""Backends that switch by telling a bootloader; all others switch while the device runs."""
VERSION_MAX: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class PlaneSpec:
    """One plane of a class.

    Attributes:
        kind: firmware, model or config.
        backend: how the device switches it, a name that the device knows.
        cost_ms: what one switch costs, forward or back, until the plane works again; a reboot counts in full.
    """

    name: str
    kind: str
    backend: str
    cost_ms: int

    @property
    def reboots(self) -> bool:
        """Whether a switch of this plane restarts the device."""
        return self.backend in REBOOTING_BACKENDS


@dataclass(frozen=True, slots=True)
class ClassPolicy:
    """What suits this hardware.

    Attributes:
        poll_ms: usual time between check-ins.
        trial_ms: longest trial; not confirmed by then is a revert.
        hold_ms: how long every required rule must hold before the device confirms.
        probe_every_ms: time between probes in a trial.
        uplink_ms: how long a trial may be without uplink that the old set had; 0 switches this rule off.
        boot_window_ms: longest time from a reset to a working agent.
        one_plane_per_deployment: switch one plane per generation unless planes are only valid together.
        joint_switches: whether several planes can switch at one activation point.
        drill_kinds: kinds of planes that a drill may fail on purpose.
        slots: versions that a plane can hold at once.
        manifest_bytes_max: largest manifest the device can read.
        flash_sector_bytes, flash_cycles: erase unit, and erases one sector endures; 0 where wear is no concern.
    """

    poll_ms: int = 60_000
    trial_ms: int = 300_000
    hold_ms: int = 60_000
    probe_every_ms: int = 10_000
    uplink_ms: int = 120_000
    boot_window_ms: int = 120_000
    one_plane_per_deployment: bool = False
    joint_switches: bool = True
    drill_kinds: tuple[str, ...] = ("model", "config")
    slots: int = 2
    manifest_bytes_max: int = 64 * 1024
    flash_sector_bytes: int = 0
    flash_cycles: int = 0


DEFAULT_POLICY: Final = ClassPolicy()


@dataclass(frozen=True, slots=True)
class DeviceClass:
    """A device class, one version of it. ``digest`` names its content; planes keep the order of the document."""

    id: str
    version: int
    family: str
    capabilities: tuple[tuple[str, int | str], ...]
    planes: tuple[PlaneSpec, ...]
    policy: ClassPolicy
    rules: tuple[HealthRule, ...]
    digest: str = ""

    def plane(self, name: str) -> PlaneSpec | None:
        """Return a plane by name, or None when devices of this class have no such plane."""
        return next((plane for plane in self.planes if plane.name == name), None)

    def capability(self, name: str) -> int | str | None:
        """Return a capability's value, or None when the hardware does not have it."""
        return next((value for key, value in self.capabilities if key == name), None)


def parse_class(text: str, source: str = "class") -> DeviceClass:
    """Return the device class of a YAML or JSON document. Raises SpecError with every problem of the document."""
    root = nodes.from_yaml(text, source)
    top = read.keys(
        root,
        "",
        required=["class", "version", "family", "planes"],
        optional=["capabilities", "policy", "rules", "description"],
    )
    problems = read.Problems()
    planes = problems.attempt(lambda: _planes(read.need(top, "planes"), "planes"), ())
    capabilities = problems.attempt(lambda: _capabilities(top.get("capabilities")), ())
    policy = problems.attempt(lambda: _policy(top.get("policy")), DEFAULT_POLICY)
    given = top.get("rules")
    standard = standard_rules([(plane.name, plane.kind) for plane in planes])
    rules = standard if given is None else problems.attempt(lambda: parse_rules(given, "rules"), standard)
    problems.attempt(lambda: _check_rules(rules, planes, given), None)
    identity = problems.attempt(lambda: read.ident(read.need(top, "class"), "class", "a device class"), "")
    family = problems.attempt(lambda: read.ident(read.need(top, "family"), "family", "a hardware family"), "")
    version = problems.attempt(lambda: read.integer(read.need(top, "version"), "version", least=1, most=VERSION_MAX), 1)
    problems.raise_any()
    content = digest(encode(nodes.plain(root)))  # type: ignore[arg-type]  # plain() returns what Json lists
    return DeviceClass(identity, version, family, capabilities, planes, policy, rules, content)


def _planes(node: Node, path: str) -> tuple[PlaneSpec, ...]:
    found: list[PlaneSpec] = []
    for item, where in read.items(node, path, least=1):
        keys = read.keys(item, where, required=["name", "kind", "backend"], optional=["cost_ms"])
        name = read.plane(read.need(keys, "name"), f"{where}.name")
        if any(plane.name == name for plane in found):
            raise refuse(CONTRADICTION, item.place, f"{where}.name", found=f"{name} again", expected="every plane once")
        kind = read.word(read.need(keys, "kind"), f"{where}.kind", names.KINDS)
        backend = read.ident(read.need(keys, "backend"), f"{where}.backend", "a backend")
        usual_ms = REBOOT_COST_MS if backend in REBOOTING_BACKENDS else COST_MS[kind]
        cost = keys.get("cost_ms")
        cost_ms = read.integer(cost, f"{where}.cost_ms", least=1, most=COST_MS_MAX) if cost else usual_ms
        found.append(PlaneSpec(name, kind, backend, cost_ms))
    if len(found) > PLANES_MAX:
        raise refuse(OUT_OF_RANGE, node.place, path, found=f"{len(found)} planes", expected=f"at most {PLANES_MAX}")
    return tuple(found)


def _capabilities(node: Node | None) -> tuple[tuple[str, int | str], ...]:
    if node is None:
        return ()
    found: list[tuple[str, int | str]] = []
    for key, value, path, place in read.pairs(node, "capabilities"):
        if not key.replace("_", "a").isalnum() or not key.islower() or len(key) > 63:
            expected = "lower-case letters, digits and underscores"
            raise refuse(BAD_NAME, place, path, found=shown(key), expected=expected)
        item = read.scalar(value, path, "a whole number or a word")
        if item.kind == "flag":
            hint = f'write 1 or 0, or put it in quotes: "{item.text}"'
            raise refuse(WRONG_TYPE, item.place, path, found=item.text, expected="a number or a word", hint=hint)
        is_number = item.kind == "integer"
        found.append((key, read.integer(value, path) if is_number else read.text(value, path, least=1, most=63)))
    if len(found) > CAPABILITIES_MAX:
        expected = f"at most {CAPABILITIES_MAX}"
        raise refuse(OUT_OF_RANGE, node.place, "capabilities", found=f"{len(found)} capabilities", expected=expected)
    return tuple(found)


_DURATIONS: Final = {
    "poll_ms": (1, DURATION_MS_MAX),
    "trial_ms": (1, WINDOW_MS_MAX),
    "hold_ms": (1, WINDOW_MS_MAX),
    "probe_every_ms": (EVERY_MS_MIN, WINDOW_MS_MAX),
    "uplink_ms": (0, WINDOW_MS_MAX),
    "boot_window_ms": (1, WINDOW_MS_MAX),
}
_FLAGS: Final = ("one_plane_per_deployment", "joint_switches")
_NUMBERS: Final = {
    "slots": (2, SLOTS_MAX),
    "manifest_bytes_max": (512, 64 * 1024),
    "flash_sector_bytes": (0, 2**20),
    "flash_cycles": (0, 10**9),
}


def _policy(node: Node | None) -> ClassPolicy:
    if node is None:
        return DEFAULT_POLICY
    top = read.keys(node, "policy", required=[], optional=[*_DURATIONS, *_FLAGS, *_NUMBERS, "drill_kinds"])
    problems = read.Problems()

    def number(name: str, least: int, most: int) -> int:
        default: int = getattr(DEFAULT_POLICY, name)
        given = top.get(name)
        if given is None:
            return default
        return problems.attempt(lambda: read.integer(given, f"policy.{name}", least=least, most=most), default)

    def flag(name: str) -> bool:
        default: bool = getattr(DEFAULT_POLICY, name)
        given = top.get(name)
        return default if given is None else problems.attempt(lambda: read.flag(given, f"policy.{name}"), default)

    durations = {name: number(name, *limits) for name, limits in _DURATIONS.items()}
    numbers = {name: number(name, *limits) for name, limits in _NUMBERS.items()}
    one_plane, joint = flag("one_plane_per_deployment"), flag("joint_switches")
    drill_kinds = problems.attempt(lambda: _drill_kinds(top), ())
    problems.raise_any()
    policy = ClassPolicy(
        **durations,
        **numbers,
        one_plane_per_deployment=one_plane,
        joint_switches=joint,
        drill_kinds=drill_kinds,
    )
    _check_windows(policy, top)
    return policy


def _drill_kinds(top: Mapping) -> tuple[str, ...]:
    node = top.get("drill_kinds")
    if node is None:
        return DEFAULT_POLICY.drill_kinds
    return tuple(read.word(item, where, names.KINDS) for item, where in read.items(node, "policy.drill_kinds"))


def _check_windows(policy: ClassPolicy, top: Mapping) -> None:
    """Refuse windows that no device could meet: a trial that ends before the device may confirm."""
    if policy.trial_ms <= policy.hold_ms:
        place = (top.get("trial_ms") or top.get("hold_ms") or top).place
        found = f"trial_ms {policy.trial_ms} and hold_ms {policy.hold_ms}"
        expected = "trial_ms larger than hold_ms"
        hint = "a device confirms after hold_ms of good readings, inside trial_ms"
        raise refuse(CONTRADICTION, place, "policy.trial_ms", found=found, expected=expected, hint=hint)


def _check_rules(rules: tuple[HealthRule, ...], planes: tuple[PlaneSpec, ...], node: Node | None) -> None:
    known = [plane.name for plane in planes]
    if node is not None and not can_prove(rules):
        hint = "a deployment that no rule can prove is never confirmed"
        raise refuse(
            CONTRADICTION,
            node.place,
            "rules",
            found="no required rule at the trial",
            expected="at least one",
            hint=hint,
        )
    for index, rule in enumerate(rules):
        if node is not None and rule.plane is not None and rule.plane not in known:
            path = f"rules[{index}].plane"
            hint = did_you_mean(rule.plane, known)
            raise refuse(
                CONTRADICTION, node.place, path, found=shown(rule.plane), expected="a plane of this class", hint=hint
            )
