"""Says a verdict in words for people: what was seen, what it proves, and what would conclude it.

Decides: wording. Never: a number; every figure comes from the verdict, so a screen and a test read the same.
No sentence says "inconclusive" without saying what would conclude.
"""

from __future__ import annotations


def share(ppm: int) -> str:
    """Return parts per million as a percentage with at most three significant digits: 4000 -> "0.4 %"."""
    return f"{ppm / 10_000:.3g} %"


def devices(count: int) -> str:
    """Return a count of devices with its noun."""
    return f"{count} device" if count == 1 else f"{count} devices"


def failures(count: int) -> str:
    """Return a count of failures with its noun."""
    return "no failure" if count == 0 else f"{count} failure" if count == 1 else f"{count} failures"


def once_in(e_milli: int) -> int:
    """Return how rare the evidence is for a release inside its SLO, rounded down to one digit: E = 1234 -> 1000."""
    times = max(1, e_milli // 1000)
    scale = 10 ** (len(str(times)) - 1)
    return int(times // scale * scale)


def against(failed: int, entered: int, p0_ppm: int, e_milli: int) -> str:
    """Say how strongly failures speak against the SLO."""
    return (
        f"{failed} of {devices(entered)} failed; a release inside its SLO of {share(p0_ppm)} "
        f"gets here at most once in {once_in(e_milli)} rollouts."
    )


def worse_than_control(signal: str, updated: int, e_milli: int, *, is_rate: bool) -> str:
    """Say that a signal speaks against the release, compared with control devices."""
    rests_on = f"{updated} events on updated devices" if is_rate else f"{devices(updated)} ranked among four each"
    return (
        f"{signal} is worse than on control devices ({rests_on}); a release that is no worse "
        f"gets here at most once in {once_in(e_milli)} rollouts."
    )


def certified(p1_ppm: int, beta_ppm: int, matured: int, failed: int) -> str:
    """Say that the certificate is granted."""
    confidence = share(1_000_000 - beta_ppm)
    return f"Certified: below {share(p1_ppm)} failures ({confidence}) after {devices(matured)}, {failures(failed)}."


def bounded(matured: int, failed: int, u_ppm: int, delta_ppm: int) -> str:
    """Say what the matured devices show so far."""
    if matured == 0:
        return "No device has matured yet, so nothing is shown about the failure rate."
    confidence = share(1_000_000 - delta_ppm)
    seen = "without a failure" if failed == 0 else f"with {failures(failed)} or open ends"
    return f"{devices(matured)} {seen}: below {share(u_ppm)} ({confidence})."


def needed(still_needed: int | None, p1_ppm: int) -> str:
    """Say what would conclude the certificate."""
    if still_needed is None:
        return f"No number of further clean devices gives the {share(p1_ppm)} certificate."
    noun = "device is" if still_needed == 1 else "devices are"
    return f"{still_needed} more clean {noun} needed for the {share(p1_ppm)} certificate."


def only_on(family: str) -> str:
    """Say that one family fails and the others do not."""
    return f"Only hardware family {family} is affected."


def rule_failed(rule: str, observed: int | None, operator: str, limit: int | None) -> str:
    """Say which device-side rule failed most, with reading and limit."""
    if observed is None or limit is None:
        return f"Failing rule: {rule}."
    return f"Failing rule: {rule}, observed {observed}, must be {operator or 'within'} {limit}."


def blame(plane: str, basis: str, votes: int, cast: int) -> str:
    """Say which plane is blamed and why."""
    if not plane:
        return "The release changed no plane, so none is blamed."
    if basis == "rule":
        return f"Plane {plane} is blamed: its health rules failed on {votes} of {devices(cast)}."
    if basis == "signal":
        return f"Plane {plane} is blamed: a signal that indicts it is worse than on control devices."
    if basis == "rung":
        return f"Plane {plane} is blamed: {votes} of {devices(cast)} became healthy when it had gone back."
    return f"Plane {plane} is suspected: no rule and no rung named one, and it is the cheapest to take back."
