"""Act 8: the brakes. Stop one customer's region in mid-ring, freeze while a device is offline, recover a region."""

from ringback.demo.result import Ledger
from ringback.demo.show import Show

EXPECTED = (
    "after a stop nothing there newly activates and the answer counts those beyond recall; a device that was offline at the freeze "
    "does not activate; recover takes a region back to stable"
)
STOPPED_WHERE = "customer=globex,region=us"
RECOVER_WHERE = "region=eu"
WAIT_S = 45.0


def play(show: Show, ledger: Ledger) -> None:
    """Stop and resume, freeze, recover."""
    stopped = _stop(show, ledger)
    frozen = _freeze(show, ledger)
    recovered = _recover(show, ledger)
    ledger.planes_reverted, ledger.planes_untouched = ("model/face",), ("app", "model/voice")
    ledger.happened = "; ".join((stopped, frozen, recovered))


def _stop(show: Show, ledger: Ledger) -> str:
    show.publish("config-next")
    digest = show.goods.digest("config-next")
    rolling = show.roll("config-next")
    rolling.wait_activated(digest, at_least=12, ledger=ledger)
    stop = show.stop(STOPPED_WHERE, "complaints from the site")
    inside = show.devices_where(STOPPED_WHERE)
    show.wait_for_checkins()
    then = show.sets().running(digest) & inside
    rolling.wait_grown(ledger, within_s=WAIT_S, beyond=len(show.sets().running(digest)))
    now = show.sets().running(digest) & inside
    newly = now - then
    ledger.claim(
        "after the stop nothing there newly activates",
        not newly,
        f"{len(newly)} of {len(inside)} devices newly activated it",
    )
    ledger.claim(
        "the answer counts who is beyond recall",
        stop.devices == len(inside) and stop.beyond_recall <= len(inside),
        f"{stop.devices} devices there, {stop.withdrawn} withdrawn, {stop.beyond_recall} beyond recall",
    )
    show.lift_stop(stop)
    rolling.wait_closed(ledger, within_s=WAIT_S)
    running = show.sets().running(digest)
    ledger.claim("after the resume everyone gets it", len(running) == show.size, f"{len(running)} of {show.size}")
    ledger.devices_exposed += len(running)
    return f"stopped {len(inside)} devices, {len(newly)} newly activated"


def _freeze(show: Show, ledger: Ledger) -> str:
    show.publish("config-frozen")
    digest = show.goods.digest("config-frozen")
    offline = show.take_offline()
    rolling = show.roll("config-frozen")
    rolling.wait_activated(digest, at_least=3, ledger=ledger)
    show.freeze("config", digest, "second thoughts")
    show.bring_back(offline)
    show.wait_for_checkins()
    woken = show.sets().running(digest) & offline
    ledger.claim(
        "devices that were offline at the freeze do not activate it",
        not woken,
        f"{len(woken)} of {len(offline)} activated it: {', '.join(sorted(woken)) or 'none'}",
    )
    rolling.end(ledger)
    return f"froze a version while {len(offline)} devices were offline; {len(woken)} activated it"


def _recover(show: Show, ledger: Ledger) -> str:
    inside = show.devices_where(RECOVER_WHERE)
    new = show.goods.digest("face-int8")
    before = show.sets().running(new) & inside
    shown = show.recover_to_stable("model/face", RECOVER_WHERE)
    back = show.wait_gone(new, inside, within_s=WAIT_S)
    outside = show.sets().running(new) - inside
    ledger.claim(
        "recover takes the face model of a region back to stable",
        not back and bool(before),
        f"{len(before) - len(back)} of {len(before)} devices went back ({shown})",
    )
    ledger.claim("nobody outside was touched", outside == show.ran_outside, f"{len(outside)} still run it elsewhere")
    return f"recovered the face model on {len(before) - len(back)} devices"
