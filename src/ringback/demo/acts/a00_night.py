"""Act 0: the night without it. The lens-cap model under "delivered means done", on the fleet as a simulation."""

from ringback.demo.night import night
from ringback.demo.result import Ledger
from ringback.demo.show import Show

EXPECTED = "under 'delivered means done' the lens-cap model reaches everyone by morning: 306 blind doors"


def play(show: Show, ledger: Ledger) -> None:
    """Runs the same devices, server and controller with the gates off."""
    found = night(show.goods, show.seed)
    show.say(f"simulated night: {found.blind} of {found.doors} doors blind after {found.minutes} minutes, no alarm")
    ledger.claim(
        "every device says that it is up to date", found.delivered == found.doors, f"{found.delivered} of {found.doors}"
    )
    ledger.claim(f"{show.size} blind doors", found.blind == show.size, f"{found.blind} blind doors")
    ledger.claim("nobody was told", found.alarms == 0, f"{found.alarms} alarms")
    ledger.devices_exposed, ledger.devices_harmed = found.delivered, found.blind
    ledger.planes_untouched = ("app", "config", "model/voice")
    ledger.happened = f"{found.blind} of {found.doors} doors blind, all of them 'up to date'"
