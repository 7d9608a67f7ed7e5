"""What a checker is, and the document reader that several of them share."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ringback.sim.facts import Fact, Violation


class Checker(Protocol):
    """Watches facts in the order in which they happened."""

    def see(self, fact: Fact) -> list[Violation]:
        """Returns what this fact breaks."""
        ...

    def overdue(self, now_ms: int) -> list[Violation]:
        """Returns what should have happened by now and did not."""
        ...


@dataclass(frozen=True, slots=True)
class Rung:
    """A step of a way back: digest by plane."""

    sets: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Document:
    """What the checkers read from a desired state: their own reader, on purpose not the kernel's."""

    raw_signed: bytes
    signatures: tuple[bytes, ...]
    device: str
    generation: int
    digests: frozenset[str]
    changed: frozenset[str]
    trial_ms: int
    ladder: tuple[Rung, ...] = field(default=())


def read_document(raw: bytes) -> Document:
    """Reads a desired state by plain JSON.

    Raises:
        ValueError: it is not one.
    """
    try:
        whole = json.loads(raw)
        signed, ota = whole["signed"], whole["signed"]["ota"]
        return Document(
            raw_signed=json.dumps(signed, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(),
            signatures=tuple(bytes.fromhex(item["sig"]) for item in whole["signatures"]),
            device=ota["device"],
            generation=signed["version"],
            digests=frozenset("sha256:" + entry["hashes"]["sha256"] for entry in signed["targets"].values()),
            changed=frozenset(plane for group in ota.get("order", []) for plane in group),
            trial_ms=int(ota.get("trial_ms", 0)),
            ladder=tuple(Rung(dict(rung["set"])) for rung in ota.get("ladder", [])),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a desired state: {error!r}") from error
