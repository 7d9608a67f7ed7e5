"""Act 3: a bad model that the devices catch before activation."""

from ringback.demo.result import Ledger
from ringback.demo.show import Show

EXPECTED = "golden replay fails on the canaries, nothing is activated, the version is frozen, no further ring sees it"
MODEL = "face-int8-lens-cap"


def play(show: Show, ledger: Ledger) -> None:
    """Rolls out the model that was calibrated with the lens cap on."""
    goods = show.goods
    good, bad = goods.row("face-int8"), goods.row(MODEL)
    show.say(
        f"lens-cap model: {bad.size_bytes} bytes against {good.size_bytes}, {bad.p50_us} us against {good.p50_us} us, "
        f"{bad.seen} of {bad.seen_total} people"
    )
    show.publish(MODEL)
    rolling = show.roll("face-lens-cap")
    rolling.wait_stopped(ledger)
    outcomes = rolling.deployments()
    refused = [each for each in outcomes if each.outcome == "refused"]
    ledger.claim(
        "the canaries refuse it by golden replay, before activation",
        bool(refused) and all(each.plane == "model/face" and "golden" in each.rule for each in refused),
        f"{len(refused)} refused: {sorted({each.rule for each in refused})}",
    )
    activated = rolling.activated(goods.digest(MODEL))
    entered = [each.device for each in outcomes if each.confirmed_at_ms is not None]
    ledger.claim("no device confirmed it", not entered, f"{len(entered)} did")
    ledger.claim("nothing was activated", not activated, f"{len(activated)} devices activated it")
    state = rolling.state()
    opened = rolling.opened()
    ledger.claim("no further ring saw it", len(opened) == 1, f"rings opened: {', '.join(opened)}")
    ledger.claim("the version is frozen", show.is_frozen(goods.digest(MODEL)), f"freezes: {show.freezes()}")
    ledger.claim("the verdict names the model plane", state.blamed == "model/face", state.blamed or state.cause)
    door = show.door()
    ledger.claim("nobody went blind", door.blind == 0, str(door))
    ledger.devices_exposed = len(refused)
    ledger.devices_harmed = 0
    ledger.planes_untouched = ("app", "config", "model/face", "model/voice")
    rolling.measure(ledger)
    ledger.happened = f"{len(refused)} canaries refused it; {len(activated)} activated it; frozen"
