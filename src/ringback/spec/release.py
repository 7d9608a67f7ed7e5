"""A release: what exactly goes to whom, what success means, and how it comes back. One YAML file, kept in git.

Decides: what a release document says. Never: whether its artifacts exist or fit a device; that is the planner's part.

- Defaults for everything but ``release``, ``targets`` and ``versions``.
- Unknown keys are errors with file, line, path and the key that was probably meant; all problems come at once.
- Rings are the operator's outer frame: an ordered list of steps before *full*; a device in no ring belongs to *full*.
- ``via`` lists the artifacts that the planner may insert as hops. It never guesses others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ringback.spec import names, nodes, read, units
from ringback.spec.artifact import Requirement, parse_requirements
from ringback.spec.codes import BAD_REFERENCE, BAD_SELECTOR, BAD_VERSION, CONTRADICTION, OUT_OF_RANGE
from ringback.spec.names import Reference
from ringback.spec.nodes import Mapping, Node
from ringback.spec.problem import Place, SpecError, refuse, shown
from ringback.spec.rules import RuleChange, parse_changes
from ringback.spec.selector import EVERYTHING, BadSelector, Selector, parse_selector
from ringback.spec.versions import BadVersion, parse_version
from ringback_kernel import desired

RINGS_MAX: Final = 32
VIA_MAX: Final = 8
"""Artifacts for hops. Each multiplies the planner's search; a fleet needs one or two."""
COUNT_MAX: Final = 10_000_000
DEFAULT_BAKE_MS: Final = 1_800_000
"""Half an hour: what fails at once has failed, and every device has polled."""
WINDOW_MS_MAX: Final = 400 * 86_400_000
WHEN: Final = ("now", "queue")
BUDGET_NAMES: Final = ("express", "swift", "standard", "strict")
"""Exposure budgets with a name; `ringback.health` knows their numbers."""


@dataclass(frozen=True, slots=True)
class Pick:
    """An artifact as a document names it: by reference, or by digest (then ``reference`` is None)."""

    plane: str
    reference: Reference | None
    digest: str
    path: str
    place: Place

    def __str__(self) -> str:
        return str(self.reference) if self.reference is not None else self.digest


@dataclass(frozen=True, slots=True)
class Targets:
    """Who gets the release: devices of these classes (empty = any) whose labels match."""

    classes: tuple[str, ...]
    where: Selector


@dataclass(frozen=True, slots=True)
class Ring:
    """One step of the frame.

    Attributes:
        where: only devices with these labels (everything = any).
        count: at most this many devices, drawn at random within strata; None = no count.
        share_ppm: this share of each stratum; None = no share.
        is_drill: whether devices are made to fail a reading, come back and go forward again.
        bake_ms: shortest time in this ring.
        needs_approval: whether a person must say yes before it opens.
    """

    name: str
    where: Selector = EVERYTHING
    count: int | None = None
    share_ppm: int | None = None
    is_drill: bool = False
    bake_ms: int = DEFAULT_BAKE_MS
    needs_approval: bool = False


@dataclass(frozen=True, slots=True)
class Budget:
    """At most ``devices`` failures may be hidden among devices younger than ``horizon_ms``."""

    horizon_ms: int
    devices: int


@dataclass(frozen=True, slots=True)
class Gate:
    """What the release promises and how sure the gate must be; shares in parts per million.

    Attributes:
        budget_name: a named budget, or "" where ``budgets`` says it in numbers.
        heartbeat_ms: silence that counts as failure, or None for three polls of the device class.
    """

    p0_ppm: int = 4_000
    p1_ppm: int = 10_000
    alpha_ppm: int = 10_000
    beta_ppm: int = 50_000
    delta_ppm: int = 100_000
    budget_name: str = "swift"
    budgets: tuple[Budget, ...] = ()
    heartbeat_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Windows:
    """``stability_ms`` once before full; ``rollback_ms`` after full: previous versions stay on the devices."""

    stability_ms: int = 86_400_000
    rollback_ms: int = 7 * 86_400_000


DEFAULT_RINGS: Final = (
    Ring("canary", count=10, is_drill=True),
    Ring("early", share_ppm=100_000),
)
DEFAULT_GATE: Final = Gate()
DEFAULT_WINDOWS: Final = Windows()


@dataclass(frozen=True, slots=True)
class Release:
    """A release as its author wrote it, with defaults filled in.

    Attributes:
        versions: what each changed plane becomes; empty where only health rules are released.
        via: artifacts that may be inserted as hops.
        prerequisites: what must hold on a device before and while it runs this release.
        rules: changes to the health rules of the device classes.
        trial_ms, hold_ms: longer windows than the class has, or None.
        rollback_order: kinds or planes, first to go back first.
        one_way: whether steps without a way back are allowed.
        reason: why, for the record; needed inside another release's rollback window.
        when: now, or queue behind a release that holds the same planes.
    """

    id: str
    targets: Targets
    versions: tuple[Pick, ...]
    via: tuple[Pick, ...] = ()
    prerequisites: tuple[Requirement, ...] = ()
    rules: tuple[RuleChange, ...] = ()
    trial_ms: int | None = None
    hold_ms: int | None = None
    rollback_order: tuple[str, ...] = ("config", "model", "firmware")
    rings: tuple[Ring, ...] = DEFAULT_RINGS
    gate: Gate = DEFAULT_GATE
    windows: Windows = DEFAULT_WINDOWS
    one_way: bool = False
    reason: str = ""
    when: str = "now"
    source: str = "release"

    @property
    def planes(self) -> tuple[str, ...]:
        """The planes that it changes, in the order of the document."""
        return tuple(pick.plane for pick in self.versions)


_OPTIONAL: Final = (
    "via",
    "prerequisites",
    "health",
    "rollback",
    "rings",
    "gate",
    "windows",
    "one_way",
    "reason",
    "when",
    "description",
)


def parse_release(text: str, source: str = "release.yaml") -> Release:
    """Return the release of a YAML document.

    Args:
        text: the document.
        source: its file name for messages.

    Raises SpecError: with every problem: syntax, unknown keys, wrong types and units, names, contradictions.
    """
    root = nodes.from_yaml(text, source)
    problems = read.Problems()
    top = read.mapping(root, "")
    try:
        read.keys(root, "", required=["release", "targets", "versions"], optional=_OPTIONAL)
    except SpecError as error:
        problems.add(error)
        if any(top.get(key) is None for key in ("release", "targets", "versions")):
            raise
    need = read.need
    versions = problems.attempt(lambda: _versions(need(top, "versions"), "versions"), ())
    rules, trial_ms, hold_ms = problems.attempt(lambda: _health(top.get("health"), "health"), ((), None, None))
    release = Release(
        id=problems.attempt(lambda: read.ident(need(top, "release"), "release", "a release"), ""),
        targets=problems.attempt(lambda: _targets(need(top, "targets"), "targets"), Targets((), EVERYTHING)),
        versions=versions,
        via=problems.attempt(lambda: _via(top.get("via"), "via"), ()),
        prerequisites=problems.attempt(lambda: _prerequisites(top.get("prerequisites"), "prerequisites"), ()),
        rules=rules,
        trial_ms=trial_ms,
        hold_ms=hold_ms,
        rollback_order=problems.attempt(lambda: _rollback(top.get("rollback"), "rollback"), ()),
        rings=problems.attempt(lambda: _rings(top.get("rings"), "rings"), ()),
        gate=problems.attempt(lambda: _gate(top.get("gate"), "gate"), DEFAULT_GATE),
        windows=problems.attempt(lambda: _windows(top.get("windows"), "windows"), DEFAULT_WINDOWS),
        one_way=problems.attempt(lambda: _flag(top, "", "one_way"), False),
        reason=problems.attempt(lambda: _text(top, "reason"), ""),
        when=problems.attempt(lambda: _when(top), "now"),
        source=source,
    )
    if not versions and not rules and not problems.found:
        hint = "name an artifact, or change a rule under health.rules"
        place = need(top, "versions").place
        problems.add(refuse(OUT_OF_RANGE, place, "versions", found="no plane", expected="at least one", hint=hint))
    problems.raise_any()
    return release


def _flag(top: Mapping, path: str, key: str) -> bool:
    node = top.get(key)
    return False if node is None else read.flag(node, read.under(path, key))


def _text(top: Mapping, key: str) -> str:
    node = top.get(key)
    return "" if node is None else read.text(node, key)


def _when(top: Mapping) -> str:
    node = top.get("when")
    return "now" if node is None else read.word(node, "when", WHEN)


def parse_pick(text: str, plane: str, path: str, place: Place) -> Pick:
    """Return the artifact that a text names.

    Args:
        text: ``name@version`` (where the plane is given), ``plane/name@version`` or a digest.
        plane: the plane it is for, or "" where the text must say it.

    Raises SpecError: not such a text, or a reference of another plane.
    """
    if names.is_digest(text):
        return Pick(plane, None, text, path, place)
    found = names.reference(text, plane)
    if found is None:
        example = "blazeface@1.1.0" if plane else "app/door@1.1.0"
        expected = f"an artifact such as {example}, or sha256: and 64 hex digits"
        raise refuse(BAD_REFERENCE, place, path, found=shown(text), expected=expected)
    if plane and found.plane != plane:
        expected = f"an artifact of the plane {plane}"
        raise refuse(BAD_REFERENCE, place, path, found=f"one of {found.plane}", expected=expected)
    try:
        parse_version(found.version)
    except BadVersion as error:
        raise refuse(BAD_VERSION, place, path, found=shown(found.version), expected=str(error)) from error
    return Pick(found.plane, found, "", path, place)


def _versions(node: Node, path: str) -> tuple[Pick, ...]:
    problems = read.Problems()
    found: list[Pick] = []
    for key, value, where, place in read.pairs(node, path):
        with problems.kept():
            read.check_plane(key, place, where)
            found.append(parse_pick(read.text(value, where), key, where, value.place))
    problems.raise_any()
    return tuple(found)


def _via(node: Node | None, path: str) -> tuple[Pick, ...]:
    if node is None:
        return ()
    found = tuple(parse_pick(read.text(item, where), "", where, item.place) for item, where in read.items(node, path))
    if len(found) > VIA_MAX:
        raise refuse(OUT_OF_RANGE, node.place, path, found=f"{len(found)} artifacts", expected=f"at most {VIA_MAX}")
    return found


def _prerequisites(node: Node | None, path: str) -> tuple[Requirement, ...]:
    if node is None:
        return ()
    return parse_requirements(node, path)


def selector_of(node: Node, path: str) -> Selector:
    """Return the selector of a text node."""
    text = read.text(node, path)
    try:
        return parse_selector(text)
    except BadSelector as error:
        found = f"{error.found} at character {error.position + 1} of {shown(text)}"
        raise refuse(BAD_SELECTOR, node.place, path, found=found, expected=error.expected, hint=error.hint) from error


def _where(top: Mapping, path: str) -> Selector:
    node = top.get("where")
    return EVERYTHING if node is None else selector_of(node, f"{path}.where")


def _targets(node: Node, path: str) -> Targets:
    top = read.keys(node, path, required=[], optional=["classes", "where"])
    listed = top.get("classes")
    where = _where(top, path)
    classes: tuple[str, ...] = ()
    if listed is not None:
        classes = tuple(
            read.ident(item, place, "a device class") for item, place in read.items(listed, f"{path}.classes", least=1)
        )
    if listed is None and not where.requirements:
        hint = "write classes: [...], or where: and a label selector; a release never means everything by silence"
        raise refuse(CONTRADICTION, node.place, path, found="no target", expected="classes or where", hint=hint)
    return Targets(classes, where)


def _health(node: Node | None, path: str) -> tuple[tuple[RuleChange, ...], int | None, int | None]:
    if node is None:
        return (), None, None
    top = read.keys(node, path, required=[], optional=["rules", "trial", "hold"])
    rules = top.get("rules")
    trial, hold = (_duration(top, path, key, least=1, most=desired.MAX_WINDOW_MS) for key in ("trial", "hold"))
    if trial is not None and hold is not None and trial <= hold:
        found = f"trial {units.show_duration(trial)} and hold {units.show_duration(hold)}"
        hint = "a device confirms after `hold` of good readings, inside `trial`"
        raise refuse(CONTRADICTION, node.place, path, found=found, expected="trial longer than hold", hint=hint)
    return () if rules is None else parse_changes(rules, f"{path}.rules"), trial, hold


def _duration(top: Mapping, path: str, key: str, *, least: int = 0, most: int = WINDOW_MS_MAX) -> int | None:
    node = top.get(key)
    if node is None:
        return None
    return read.measured(node, f"{path}.{key}", units.duration_ms, least=least, most=most)


def _share(top: Mapping, path: str, key: str, default: int) -> int:
    node = top.get(key)
    return default if node is None else read.measured(node, f"{path}.{key}", units.share_ppm, least=1, most=999_999)


def _rollback(node: Node | None, path: str) -> tuple[str, ...]:
    default = ("config", "model", "firmware")
    if node is None:
        return default
    top = read.keys(node, path, required=["order"], optional=[])
    found: list[str] = []
    for item, where in read.items(read.need(top, "order"), f"{path}.order", least=1):
        name = read.plane(item, where)
        if name in found:
            raise refuse(CONTRADICTION, item.place, where, found=f"{name} again", expected="every plane or kind once")
        found.append(name)
    return (*found, *(kind for kind in default if kind not in found))


def _rings(node: Node | None, path: str) -> tuple[Ring, ...]:
    if node is None:
        return DEFAULT_RINGS
    problems = read.Problems()
    found: list[Ring] = []
    for item, where in read.items(node, path):
        with problems.kept():
            ring = _ring(item, where)
            if any(ring.name == other.name for other in found):
                raise refuse(
                    CONTRADICTION, item.place, f"{where}.name", found=f"{ring.name} again", expected="a new name"
                )
            found.append(ring)
    problems.raise_any()
    if len(found) > RINGS_MAX:
        raise refuse(OUT_OF_RANGE, node.place, path, found=f"{len(found)} rings", expected=f"at most {RINGS_MAX}")
    return tuple(found)


def _ring(node: Node, path: str) -> Ring:
    top = read.keys(node, path, required=["name"], optional=["where", "count", "percent", "drill", "bake", "approve"])
    name = read.ident(read.need(top, "name"), f"{path}.name", "a ring")
    where = _where(top, path)
    count, percent = top.get("count"), top.get("percent")
    if count is not None and percent is not None:
        raise refuse(
            CONTRADICTION, percent.place, path, found="count and percent", expected="one of them",
            hint="two rings one after the other can say both",
        )  # fmt: skip
    if count is None and percent is None and not where.requirements:
        hint = "a ring without a limit would be everyone; full comes by itself after the last ring"
        raise refuse(CONTRADICTION, node.place, path, found="no limit", expected="count, percent or where", hint=hint)
    bake = _duration(top, path, "bake")
    return Ring(
        name=name,
        where=where,
        count=None if count is None else read.integer(count, f"{path}.count", least=1, most=COUNT_MAX),
        share_ppm=None if percent is None else _percent(percent, f"{path}.percent"),
        is_drill=_flag(top, path, "drill"),
        bake_ms=DEFAULT_BAKE_MS if bake is None else bake,
        needs_approval=_flag(top, path, "approve"),
    )


def _percent(node: Node, path: str) -> int:
    """Return a share; a bare number is taken, because the key itself names the unit."""
    value = read.scalar(node, path, "a percentage")
    if value.kind in ("integer", "number") and not value.text.startswith("-"):
        return read.measured(node, path, lambda text: units.share_ppm(f"{text} %"), least=1, most=1_000_000)
    return read.measured(node, path, units.share_ppm, least=1, most=1_000_000)


def _gate(node: Node | None, path: str) -> Gate:
    if node is None:
        return DEFAULT_GATE
    top = read.keys(node, path, required=[], optional=["p0", "p1", "alpha", "beta", "delta", "budget", "heartbeat"])
    budget = top.get("budget")
    budget_name, budgets = ("swift", ()) if budget is None else _budget(budget, f"{path}.budget")
    gate = Gate(
        p0_ppm=_share(top, path, "p0", DEFAULT_GATE.p0_ppm),
        p1_ppm=_share(top, path, "p1", DEFAULT_GATE.p1_ppm),
        alpha_ppm=_share(top, path, "alpha", DEFAULT_GATE.alpha_ppm),
        beta_ppm=_share(top, path, "beta", DEFAULT_GATE.beta_ppm),
        delta_ppm=_share(top, path, "delta", DEFAULT_GATE.delta_ppm),
        budget_name=budget_name,
        budgets=budgets,
        heartbeat_ms=_duration(top, path, "heartbeat", least=1),
    )
    if gate.p1_ppm <= gate.p0_ppm:
        place = (top.get("p1") or top.get("p0") or top).place
        found = f"p1 {units.show_share(gate.p1_ppm)} and p0 {units.show_share(gate.p0_ppm)}"
        hint = "p0 is what the release promises, p1 what the certificate must exclude; 2.5 times p0 is usual"
        raise refuse(CONTRADICTION, place, f"{path}.p1", found=found, expected="p1 larger than p0", hint=hint)
    return gate


def _budget(node: Node, path: str) -> tuple[str, tuple[Budget, ...]]:
    if not isinstance(node, nodes.Sequence):
        return read.word(node, path, BUDGET_NAMES), ()
    found: list[Budget] = []
    for item, where in read.items(node, path, least=1):
        top = read.keys(item, where, required=["horizon", "devices"], optional=[])
        horizon_ms = _duration(top, where, "horizon", least=1) or 0
        devices = read.integer(read.need(top, "devices"), f"{where}.devices", least=1, most=1_000_000)
        if found and horizon_ms <= found[-1].horizon_ms:
            expected = f"longer than {units.show_duration(found[-1].horizon_ms)}, the one before"
            said = units.show_duration(horizon_ms)
            raise refuse(CONTRADICTION, item.place, f"{where}.horizon", found=said, expected=expected)
        found.append(Budget(horizon_ms, devices))
    return "", tuple(found)


def _windows(node: Node | None, path: str) -> Windows:
    if node is None:
        return DEFAULT_WINDOWS
    top = read.keys(node, path, required=[], optional=["stability", "rollback"])
    stability_ms, rollback_ms = (_duration(top, path, key) for key in ("stability", "rollback"))
    return Windows(
        DEFAULT_WINDOWS.stability_ms if stability_ms is None else stability_ms,
        DEFAULT_WINDOWS.rollback_ms if rollback_ms is None else rollback_ms,
    )
