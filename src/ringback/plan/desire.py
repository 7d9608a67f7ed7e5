"""What one device should run, compiled from its hop: the part of the desired state that many devices share.

Decides: every value of the ``ota`` object and of the ``targets`` that does not depend on the device or the moment.
Never: leaves the agent a choice, signs, or picks a generation.

- A fragment is independent of device, tenant, generation and time, so the server compiles it once per (class, running
  set, release, attempt) and binds it per device by joining bytes.
- The bytes are the canonical TUF ``targets`` document: what is signed is what is sent.
- What differs by device and changes the desired state (commands, safe mode, updates paused) is an ``Overlay``; the
  state digest covers both, so a changed overlay is a new generation.

Source: TUF 1.0.31 section 4.5 (targets); canonical JSON as in securesystemslib, which agrees with ours on ASCII.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ringback.plan.catalog import Catalog
from ringback.plan.inventory import PlaneSet
from ringback.plan.ladder import EMPTY
from ringback.plan.track import Hop
from ringback.spec.artifact import Artifact
from ringback.spec.canonical import Json, digest, encode
from ringback.spec.device_class import DeviceClass
from ringback.spec.rules import HealthRule

SPEC_VERSION: Final = "1.0.31"
OTA_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Directive:
    """What the server adds to a hop.

    Attributes:
        release, rollout: ids, or "" where no rollout stands behind it.
        attempt: rises when a device shall retry what it has seen fail.
        drill_rule: id of the rule whose reading a drill makes fail, or "".
        frozen: (plane, digest) that nobody newly activates.
    """

    release: str = ""
    rollout: str = ""
    attempt: int = 1
    drill_rule: str = ""
    frozen: PlaneSet = ()


@dataclass(frozen=True, slots=True)
class Windows:
    """Time for the trial, in ms: see ``windows_for``."""

    trial_ms: int
    hold_ms: int
    every_ms: int
    uplink_ms: int


@dataclass(frozen=True, slots=True)
class Command:
    """One command of the closed list; ``id`` rises per device, each runs at most once."""

    id: int
    kind: str
    arg: str = ""


@dataclass(frozen=True, slots=True)
class Overlay:
    """What differs by device and is part of its desired state."""

    commands: tuple[Command, ...] = ()
    updates_paused: bool = False
    safe_mode: bool = False

    def to_json(self) -> dict[str, Json]:
        """Return the overlay with the keys of the ``ota`` object."""
        return {
            "commands": [{"id": one.id, "kind": one.kind, "arg": one.arg} for one in self.commands],
            "updates_paused": self.updates_paused,
            "safe_mode": self.safe_mode,
        }


NO_OVERLAY: Final = Overlay()


@dataclass(frozen=True, slots=True)
class Binding:
    """What makes a document one device's: ``expires`` is an instant as TUF writes it (2026-12-01T00:00:00Z)."""

    device: str
    tenant: str
    generation: int
    issued_ms: int
    expires: str


@dataclass(frozen=True, slots=True)
class DesiredFragment:
    """The shared part of a desired state.

    Attributes:
        digest: of everything shared; equal fragments ask the same of a device.
        planes: (plane, digest) of the whole set.
        parts: the canonical bytes between the values that a binding and an overlay fill in.
    """

    digest: str
    planes: PlaneSet
    parts: tuple[bytes, ...]

    def document(self, binding: Binding, overlay: Overlay = NO_OVERLAY) -> bytes:
        """Return the canonical bytes to sign: this fragment for one device."""
        one, two, three, four, five, six, seven, eight, nine = self.parts
        return b"".join(
            (
                b'{"_type":"targets","expires":',
                encode(binding.expires),
                one,
                encode(overlay.to_json()["commands"]),
                two,
                encode(binding.device),
                three,
                b"%d" % binding.issued_ms,
                four,
                _flag(overlay.safe_mode),
                five,
                encode(binding.tenant),
                six,
                _flag(overlay.updates_paused),
                seven,
                eight,
                b"%d" % binding.generation,
                nine,
            )
        )

    def state_digest(self, overlay: Overlay = NO_OVERLAY) -> str:
        """Return the digest of all that a device is asked: a new one is a new generation."""
        if overlay == NO_OVERLAY:
            return self.digest
        return digest(self.digest.encode() + encode(overlay.to_json()))


def _flag(value: bool) -> bytes:
    return b"true" if value else b"false"


def windows_for(device_class: DeviceClass, trial_ms: int | None, hold_ms: int | None) -> Windows:
    """Return the windows of a trial: a release may lengthen those of the class, never shorten them.

    A board that needs a minute to boot needs it under any release.
    """
    policy = device_class.policy
    return Windows(
        trial_ms=max(policy.trial_ms, trial_ms or 0),
        hold_ms=max(policy.hold_ms, hold_ms or 0),
        every_ms=policy.probe_every_ms,
        uplink_ms=policy.uplink_ms,
    )


def compile_hop(
    hop: Hop,
    catalog: Catalog,
    *,
    rules: Sequence[HealthRule],
    windows: Windows,
    directive: Directive,
) -> DesiredFragment:
    """Return the fragment that asks for one hop.

    Args:
        hop: from a track.
        catalog: where the artifacts of its sets are found.
        rules: the merged rules of class and release; those about slots that stay empty are left out.
        windows: from ``windows_for``.
        directive: what the server adds.
    """
    artifacts = [catalog.artifacts[digest_] for _, digest_ in hop.after]
    ota: dict[str, Json] = {
        "v": OTA_VERSION,
        "release": directive.release,
        "rollout": directive.rollout,
        "attempt": directive.attempt,
        "order": [list(group) for group in hop.order],
        "rules": {
            "hold_ms": windows.hold_ms,
            "every_ms": windows.every_ms,
            "list": [_rule(rule) for rule in rules_for(hop.after, rules) if not is_idle(rule, hop, catalog)],
        },
        "trial_ms": windows.trial_ms,
        "uplink_ms": windows.uplink_ms,
        "ladder": [{"planes": list(rung.planes), "set": dict(rung.set)} for rung in hop.ladder.rungs],
        "first": dict(hop.ladder.first),
        "drill": {"rule": directive.drill_rule} if directive.drill_rule else None,
        "frozen": [list(pair) for pair in sorted(directive.frozen)],
    }
    return _fragment(ota, artifacts, hop.after)


def compile_steady(
    running: PlaneSet, catalog: Catalog, *, rules: Sequence[HealthRule], windows: Windows, directive: Directive
) -> DesiredFragment:
    """Return the fragment that asks a device to stay as it is: no order, no ladder.

    Planes whose digest nobody published cannot be named in a signed document and are left out.
    """
    known = tuple((plane, digest_) for plane, digest_ in running if digest_ in catalog.artifacts)
    stay = Hop(known, known, (), EMPTY, is_via=False, doors=(), cost_ms=0)
    return compile_hop(stay, catalog, rules=rules, windows=windows, directive=directive)


def rules_for(after: PlaneSet, rules: Iterable[HealthRule]) -> tuple[HealthRule, ...]:
    """Return the rules that can be read on a set: one about a slot needs a model in it, or it would wait for ever."""
    planes = {plane for plane, _ in after}
    slots = {plane.rpartition("/")[2] for plane in planes}
    return tuple(
        rule
        for rule in rules
        if (rule.plane is None or rule.plane in planes)
        and (rule.probe not in ("latency", "golden", "output") or rule.arg in slots)
    )


def is_idle(rule: HealthRule, hop: Hop, catalog: Catalog) -> bool:
    """Tell whether a rule of the preflight cannot fail by this hop, so that reading it would only cost the device.

    A golden set is replayed by the app on the model of one slot: while neither changes, nor any firmware below, the
    answer is the one that let the present set in. A replay takes seconds on a small board.
    """
    if rule.probe != "golden" or rule.at != ("preflight",):
        return False
    changed = [(plane, digest_) for plane, digest_ in hop.after if (plane, digest_) not in hop.before]
    return not any(
        plane.rpartition("/")[2] == rule.arg or catalog.artifacts[digest_].kind == "firmware"
        for plane, digest_ in changed
    )


def drill_rule(device_class: DeviceClass, hop: Hop, rules: Iterable[HealthRule]) -> str:
    """Return the rule that a drill of this hop makes fail, or "" when devices of this class are not drilled for it.

    The rule must be required and judged in the trial, and the rung at which its failure starts must take back only
    planes of kinds that may be drilled here; rules that indict a changed plane come first, then the cheapest rung.
    """
    first = dict(hop.ladder.first)
    found: list[tuple[bool, int, str]] = []
    for rule in rules_for(hop.after, rules):
        if rule.level != "required" or "trial" not in rule.at or not hop.ladder.rungs:
            continue
        rung = hop.ladder.rungs[first.get(rule.plane or "", 0)]
        planes = [plane for plane in device_class.planes if plane.name in rung.planes]
        if all(plane.kind in device_class.policy.drill_kinds for plane in planes):
            found.append((rule.plane not in first, sum(plane.cost_ms for plane in planes), rule.id))
    return min(found)[2] if found else ""


def _rule(rule: HealthRule) -> dict[str, Json]:
    found: dict[str, Json] = rule.to_json()  # type: ignore[assignment]  # rules hold texts, integers and lists only
    return found


def target_entry(artifact: Artifact) -> dict[str, Json]:
    """Return an artifact's entry in a signed targets document."""
    return {
        "length": len(artifact.manifest),
        "hashes": {"sha256": artifact.digest.removeprefix("sha256:")},
        "custom": {
            "plane": artifact.plane,
            "kind": artifact.kind,
            "version": str(artifact.version),
            "epoch": artifact.epoch,
            "hw": list(artifact.classes),
            "requires": {need.subject: need.constraint.text for need in artifact.requires},
            "bytes": artifact.size_bytes,
        },
    }


def _fragment(ota: dict[str, Json], artifacts: Sequence[Artifact], planes: PlaneSet) -> DesiredFragment:
    """Return the bytes around the values that vary, keys in canonical order.

    _type expires ota{attempt commands* device* drill first frozen issued_ms* ladder order release rollout rules
    safe_mode* tenant* trial_ms updates_paused* uplink_ms v} spec_version targets version*      (* = filled in later)
    """
    targets = encode({artifact.target_path: target_entry(artifact) for artifact in artifacts})

    def keys(*names: str) -> bytes:
        return b",".join(encode(name) + b":" + encode(ota[name]) for name in names)

    parts = (
        b',"ota":{' + keys("attempt") + b',"commands":',
        b',"device":',
        b"," + keys("drill", "first", "frozen") + b',"issued_ms":',
        b"," + keys("ladder", "order", "release", "rollout", "rules") + b',"safe_mode":',
        b',"tenant":',
        b"," + keys("trial_ms") + b',"updates_paused":',
        b"," + keys("uplink_ms", "v") + b'},"spec_version":' + encode(SPEC_VERSION),
        b',"targets":' + targets + b',"version":',
        b"}",
    )
    return DesiredFragment(digest(encode(ota) + targets), planes, parts)
