"""Act 7: a model that is deaf, without an error, under an app that feeds it wrongly; declared, and not declared."""

from ringback.demo.result import Ledger
from ringback.demo.show import Show

EXPECTED = (
    "plan shows the blocked devices and the hop; the rollout takes the hop in a safe order and no device ever runs "
    "an invalid set; without the declaration, replay catches it"
)
MODEL, UNDECLARED = "voice-6.2", "voice-6.2-undeclared"
WAIT_S = 60.0


def play(show: Show, ledger: Ledger) -> None:
    """Plans without the hop, rolls out with it, and then tries the model whose requirement was forgotten."""
    if not show.has_voice:
        ledger.skipped_because = show.no_voice_reason
        return
    goods = show.goods
    deaf = next(row for row in goods.rows if row.model == MODEL and row.app == "1.0.0")
    show.say(f"Silero VAD 6.2 under app 1.0: {deaf.seen} of {deaf.seen_total} windows with speech are heard, no error")
    show.publish(MODEL)
    blocked = show.plan("voice-new-alone")
    old_app = [name for name, digest in show.sets().on("app").items() if digest == goods.digest("app-1.0")]
    ledger.claim(
        "plan names the blocked devices",
        0 < blocked.blocked <= len(old_app),
        f"{blocked.blocked} blocked, {len(old_app)} devices run app 1.0: {blocked.why}",
    )
    hop = show.plan("voice-new")
    ledger.claim(
        "plan inserts the hop",
        hop.blocked == 0 and hop.hops >= 2,
        f"{hop.hops} hops, {hop.blocked} blocked",
    )
    rolling = show.roll("voice-new")
    rolling.wait_closed(ledger, within_s=WAIT_S)
    invalid = show.invalid_sets(since=rolling)
    ledger.claim("no device ever ran an invalid set", not invalid, "; ".join(invalid[:3]) or "none did")
    hearing = show.running(goods.digest(MODEL))
    ledger.claim(
        "every targeted device hears with the new model",
        len(hearing) == hop.devices,
        f"{len(hearing)} of {hop.devices}",
    )
    _undeclared(show, ledger)
    ledger.devices_exposed += hop.devices
    ledger.planes_untouched = ("config", "model/face")
    ledger.happened = f"{len(hearing)} devices took the hop and the model; the undeclared one was refused by replay"


def _undeclared(show: Show, ledger: Ledger) -> None:
    show.publish(UNDECLARED)
    digest = show.goods.digest(UNDECLARED)
    rolling = show.roll("voice-new-undeclared")
    rolling.wait_stopped(ledger)
    refused = [each for each in rolling.deployments() if each.outcome == "refused"]
    ledger.claim(
        "undeclared: replay catches it before activation",
        bool(refused) and all(each.rule.endswith("-voice") for each in refused),
        f"{len(refused)} refused: {sorted({each.rule for each in refused})}",
    )
    activated = rolling.activated(digest)
    ledger.claim("undeclared: nothing was activated", not activated, f"{len(activated)} devices activated it")
    ledger.devices_exposed += len(rolling.deployments())
    rolling.measure(ledger)
