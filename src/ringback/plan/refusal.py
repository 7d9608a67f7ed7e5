"""A plan that is not made: causes, each with who it concerns and what to do. A value, not an exception.

Decides: how a cause is worded. Never: whether there is one.

- A cause says what needs what, how many devices stand against it with one or more of their names, and a hint:
  "model/voice/silero-vad@6.2.0 needs app >=1.1; 112 devices (e.g. cam-17) run app/door@1.0.0."
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ringback.errors import InputError

VERBS = {"run": "runs", "have": "has", "are": "is"}
"""What many devices do, and what one does."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why devices are blocked, or a release refused.

    Attributes:
        code: stable.
        what: what was asked and cannot be, such as "model/face 3.2.0 needs app >=1.1".
        verb, state: what the devices concerned do: ("run", "app/door@1.0.0"); both empty where it is not about devices.
        hint: what to do.
        plane: the plane that it is about, or "".
        count, examples: the devices concerned.
    """

    code: str
    what: str
    verb: str = ""
    state: str = ""
    hint: str = ""
    plane: str = ""
    count: int = 0
    examples: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The cause in one sentence."""
        if not self.verb:
            return f"{self.what}{self._whom()}."
        if not self.count:
            return f"{self.what}; devices {self.verb} {self.state}."
        verb = self.verb if self.count > 1 else VERBS[self.verb]
        return f"{self.what}; {people(self.count, self.examples)} {verb} {self.state}."

    def _whom(self) -> str:
        return f"; it concerns {people(self.count, self.examples)}" if self.count else ""

    def on(self, count: int, examples: tuple[str, ...]) -> Cause:
        """Return the cause for these devices."""
        return replace(self, count=count, examples=examples)

    def to_json(self) -> dict[str, object]:
        """Return the cause with stable keys."""
        return {
            "code": self.code,
            "text": self.text,
            "hint": self.hint,
            "plane": self.plane,
            "devices": self.count,
            "examples": list(self.examples),
        }


def people(count: int, examples: tuple[str, ...]) -> str:
    """Return "112 devices (e.g. cam-17)", or "1 device (cam-17)"."""
    named = f" ({'e.g. ' if count > 1 else ''}{examples[0]})" if examples else ""
    return f"{count} device{'' if count == 1 else 's'}{named}"


class PlanRefused(InputError):
    """A refusal where the caller wants an error: the first cause gives code and hint, all are in ``refusal``."""

    def __init__(self, refusal: Refusal) -> None:
        first = refusal.causes[0]
        fields = {"release": refusal.release_id, "causes": str(len(refusal.causes))}
        super().__init__(first.code, refusal.text, hint=first.hint, fields=fields)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Refusal:
    """No plan, and why: at least one cause."""

    release_id: str
    causes: tuple[Cause, ...]

    @property
    def text(self) -> str:
        """All causes, one per line."""
        return "\n".join(cause.text for cause in self.causes)

    def to_error(self) -> PlanRefused:
        """Return the refusal as an error, for callers that end here."""
        return PlanRefused(self)

    def to_json(self) -> dict[str, object]:
        """Return the refusal with stable keys."""
        return {"refused": True, "release": self.release_id, "causes": [cause.to_json() for cause in self.causes]}
