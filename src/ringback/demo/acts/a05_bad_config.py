"""Act 5: two bad configs. One breaks its schema, the other is valid and kills the input stream."""

from ringback.demo.result import Ledger
from ringback.demo.show import Show
from ringback.errors import InputError

EXPECTED = (
    "a config that breaks its schema is refused at publish with path and reason; one that kills the input stream "
    "reverts in its trial, in under a second from verdict to healthy on the box"
)
HEALTHY_LIMIT_MS = 1_000
"""On a machine that is not late; a late one gets as much longer as it is late."""


def play(show: Show, ledger: Ledger) -> None:
    """Publishes the first, rolls out the second."""
    try:
        show.publish("config-broken")
    except InputError as refusal:
        said = str(refusal)
        ledger.claim("the broken config is refused with its path", "camera.frame_interval_ms" in said, said)
    else:
        ledger.require("the broken config is refused at publish", False, "it was accepted")
    show.publish("config-no-stream")
    digest = show.goods.digest("config-no-stream")
    before = show.box_facts(with_inference=True)
    rolling = show.roll("config-no-stream")
    rolling.wait_stopped(ledger)
    rolling.wait_back(digest, ledger)
    state, deployments = rolling.state(), rolling.deployments()
    ledger.claim("the verdict names the config plane", state.blamed == "config", state.blamed or "no plane")
    back = [each for each in deployments if each.outcome == "fell-back"]
    ledger.claim(
        "the devices found the dead stream and took back the config alone",
        bool(back) and all(each.rung == ["config"] and each.rule == "input-alive" for each in back),
        f"{len(back)} fell back: {sorted({(each.rule, *each.rung) for each in back})}",
    )
    on_boxes = [each.recover_ms for each in back if each.device in before and each.recover_ms is not None]
    ledger.claim(
        "under a second from verdict to healthy on each box",
        bool(on_boxes) and max(on_boxes) < HEALTHY_LIMIT_MS * show.lag_factor,
        f"{sorted(on_boxes)} ms (this machine is late by {show.lag_factor:.1f})",
    )
    after = show.box_facts(with_inference=True)
    ledger.claim("no service was restarted", after == before, "none" if after == before else f"{before} → {after}")
    ledger.devices_exposed = len(rolling.activated(digest))
    ledger.devices_harmed = len(back)
    ledger.planes_reverted, ledger.planes_untouched = ("config",), ("app", "model/face", "model/voice")
    rolling.measure(ledger)
    if on_boxes:
        ledger.seconds_to_healthy = max(on_boxes) / 1000
    ledger.happened = f"refused at publish; {len(back)} devices took back the other one"
