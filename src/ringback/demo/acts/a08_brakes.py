"""Act 8: the brakes. Stop one customer's region in mid-ring, freeze while a device is offline, recover a region."""

from ringback.demo.result import Ledger
from ringback.demo.show import Show

EXPECTED = (
    "after a stop nothing there newly activates and the answer counts those beyond recall; a device that was "
    "offline at the freeze does not activate; recover takes a region back to stable"
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
    stop = show.client.stop(STOPPED_WHERE, reason="complaints from the site")
    inside = show.devices_where(STOPPED_WHERE)
    show.say(
        f"stopped {STOPPED_WHERE}: {stop.devices} devices, "
        f"{stop.withdrawn} withdrawn, {stop.beyond_recall} beyond recall"
    )
    show.wait_for_checkins(inside)
    then = show.running(digest)
    rolling.wait_activated(digest, at_least=len(then) + 8, ledger=ledger)
    newly = (show.running(digest) & inside) - then
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
    show.client.lift_stop(stop.id)
    resumed = show.wait_until(lambda: bool((show.running(digest) & inside) - then), within_s=WAIT_S)
    there = len(show.running(digest) & inside)
    ledger.claim("after the resume devices there get it, too", resumed, f"{there} of {len(inside)} run it by now")
    rolling.order("cancel", "the story goes on")
    ledger.devices_exposed += len(show.running(digest))
    return f"stopped {len(inside)} devices in mid-ring, {len(newly)} newly activated"


def _freeze(show: Show, ledger: Ledger) -> str:
    show.publish("config-frozen")
    digest = show.goods.digest("config-frozen")
    offline = show.take_offline()
    rolling = show.roll("config-frozen")
    rolling.wait_activated(digest, at_least=3, ledger=ledger)
    frozen = show.client.freeze(digest, reason="second thoughts")
    show.say(f"frozen: {frozen.artifact}, {frozen.devices} devices run it, {frozen.beyond_recall} beyond recall")
    show.bring_back(offline)
    show.wait_for_checkins(offline)
    woken = rolling.activated(digest) & offline
    ledger.claim(
        "devices that were offline at the freeze do not activate it",
        not woken,
        f"{len(woken)} of {len(offline)} activated it: {', '.join(sorted(woken)) or 'none'}",
    )
    rolling.take_back(ledger)
    left = show.running(digest)
    ledger.claim("those that had it are taken back", not left, f"{len(left)} still run it")
    return f"froze a version while {len(offline)} devices were offline, {len(woken)} activated it"


def _recover(show: Show, ledger: Ledger) -> str:
    show.publish("face-fp32", "face-int8")
    packages = show.goods.packages
    changed, other = packages["face-fp32"].digest, packages["face-int8"]
    if len(show.running(changed)) == show.size:
        # Alone after the baseline, everyone runs the first model still: then the other one is what somebody regrets.
        changed = other.digest
        rolling = show.roll("face-again", (("blazeface@1.0.0", f"blazeface@{other.identity.version}"),))
    else:
        rolling = show.roll("face-again")
    rolling.wait_activated(changed, at_least=8, ledger=ledger)
    rolling.order("pause", "somebody regrets it")
    inside = show.devices_where(RECOVER_WHERE)
    show.wait_for_checkins()
    before = show.running(changed)
    answer = show.ringback(
        "recover", "--to-stable", "--plane", "model/face", "--where", RECOVER_WHERE, "--reason", "regret", "--yes"
    )
    gone = show.wait_until(lambda: not show.running(changed) & inside, within_s=WAIT_S)
    after = show.running(changed)
    ledger.claim(
        "recover takes the face model of a region back to stable",
        gone and bool(before & inside),
        f"{len(before & inside)} devices ran it, {len(after & inside)} still do; {answer.get('devices')} were meant",
    )
    ledger.claim(
        "nobody outside was touched", after - inside == before - inside, f"{len(after - inside)} run it elsewhere"
    )
    show.client.recover("stable", planes=["model/face"], where="region=us", reason="everywhere, then")
    show.wait_until(lambda: not show.running(changed), within_s=WAIT_S)
    rolling.order("cancel", "nobody wants it any more")
    return f"recovered the face model on {len(before & inside)} devices of one region"
