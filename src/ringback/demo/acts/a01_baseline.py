"""Act 1: every device gets its first set and confirms it."""

from ringback.demo.result import Ledger
from ringback.demo.show import Show

EXPECTED = "every device confirms the first set; a last-known-good set is on record for each plane"
BASE = ("app-1.0", "app-1.1", "face-fp32", "config-good")
WAIT_S = 45.0


def play(show: Show, ledger: Ledger) -> None:
    """Publishes the first artifacts and rolls the baselines out."""
    show.publish(*BASE, *(["voice-5"] if show.has_voice else []))
    rollings = [show.roll(name) for name in show.baselines()]
    for rolling in rollings:
        rolling.wait_closed(ledger, within_s=WAIT_S)
    sets = show.sets()
    missing = [name for name, planes in sets.devices.items() if not show.is_baseline(name, planes)]
    ledger.claim(
        f"all {show.size} devices run their first set",
        len(sets.devices) == show.size and not missing,
        f"{len(sets.devices) - len(missing)} of {show.size} do{_few(missing)}",
    )
    unconfirmed = show.unconfirmed()
    ledger.claim(
        "each plane has a last-known-good version on record",
        not unconfirmed,
        f"missing for {len(unconfirmed)}{_few(unconfirmed)}",
    )
    door = show.wait_for_door()
    ledger.claim("every door sees everybody", door.seen == door.total > 0 and not door.blind, str(door))
    ledger.devices_exposed = show.size
    ledger.happened = f"{len(sets.devices) - len(missing)} devices confirmed; {door}"


def _few(names: list[str]) -> str:
    return f" ({', '.join(names[:5])}, …)" if names else ""
