"""What an act claims and what happened: values only.

Decides: whether an act passed, from its claims. Never: softens a claim; an act whose claim does not hold has failed and
says why.
"""

from dataclasses import dataclass, field


class ActFailed(Exception):
    """A claim of an act does not hold, so the rest of the act makes no sense."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing an act asserts, in words: what was expected, what happened, and whether the two agree."""

    expected: str
    happened: str
    holds: bool


@dataclass(frozen=True, slots=True)
class ActResult:
    """One act as it went. Seconds are None where the act has no verdict or nothing to heal."""

    number: int
    name: str
    title: str
    passed: bool
    expected: str
    happened: str
    reason: str
    claims: tuple[Claim, ...]
    devices_exposed: int
    devices_harmed: int
    seconds: float
    seconds_to_verdict: float | None
    seconds_to_healthy: float | None
    planes_reverted: tuple[str, ...]
    planes_untouched: tuple[str, ...]
    skipped: bool = False


@dataclass(slots=True)
class Ledger:
    """Collects what an act finds while it plays."""

    claims: list[Claim] = field(default_factory=list)
    happened: str = ""
    devices_exposed: int = 0
    devices_harmed: int = 0
    seconds_to_verdict: float | None = None
    seconds_to_healthy: float | None = None
    planes_reverted: tuple[str, ...] = ()
    planes_untouched: tuple[str, ...] = ()
    skipped_because: str = ""

    def claim(self, expected: str, holds: bool, happened: str) -> None:
        """Writes down a claim; the act goes on either way, and fails at its end if one does not hold."""
        self.claims.append(Claim(expected, happened, holds))

    def require(self, expected: str, holds: bool, happened: str) -> None:
        """Writes down a claim without which the act can't go on.

        Raises:
            ActFailed: it does not hold.
        """
        self.claim(expected, holds, happened)
        if not holds:
            raise ActFailed(f"expected: {expected}; happened: {happened}")

    def broken(self) -> list[Claim]:
        return [claim for claim in self.claims if not claim.holds]


def summary(seed: int, seconds: float, results: list[ActResult], *, more: dict[str, object]) -> dict[str, object]:
    """The JSON summary of a whole run.

    Args:
        seed: the seed that was used.
        seconds: of all acts together, after set-up.
        results: in the order of the acts.
        more: further keys beside the acts (set-up time, people harmed, what was measured).
    """
    return {"seed": seed, "seconds": round(seconds, 1), "acts": [_act(result) for result in results], **more}


def _act(result: ActResult) -> dict[str, object]:
    return {
        "number": result.number,
        "name": result.name,
        "passed": result.passed,
        "skipped": result.skipped,
        "reason": result.reason,
        "expected": result.expected,
        "happened": result.happened,
        "claims": [
            {"expected": claim.expected, "happened": claim.happened, "holds": claim.holds} for claim in result.claims
        ],
        "devices_exposed": result.devices_exposed,
        "devices_harmed": result.devices_harmed,
        "seconds": round(result.seconds, 1),
        "seconds_to_verdict": _rounded(result.seconds_to_verdict),
        "seconds_to_healthy": _rounded(result.seconds_to_healthy),
        "planes_reverted": list(result.planes_reverted),
        "planes_untouched": list(result.planes_untouched),
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)
