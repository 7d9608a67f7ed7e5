"""Act 4: a bad model that only shows in service, and only on one hardware family."""

from collections.abc import Sequence

from ringback.client import models
from ringback.demo.fleet import REAL_FAMILY
from ringback.demo.result import Ledger
from ringback.demo.show import Show

EXPECTED = (
    "passes replay, is several times slower on one family; the verdict names the family and the model plane; reverted "
    "by a pointer switch, nothing restarted; frozen"
)
MODEL = "face-int8-dynamic"


def play(show: Show, ledger: Ledger) -> None:
    """Rolls out the dynamically quantised model."""
    goods = show.goods
    old, bad = goods.row("face-int8"), goods.row(MODEL)
    show.say(
        f"dynamic model: {bad.size_bytes} bytes, {bad.seen} of {bad.seen_total} people, {bad.p50_us} us against "
        f"{old.p50_us} us; the class allows {goods.latency_limit_us()} us"
    )
    ledger.require(
        "the model is slower than its class allows on this machine",
        bad.p50_us > goods.latency_limit_us(),
        f"{bad.p50_us} us against a limit of {goods.latency_limit_us()} us",
    )
    show.publish(MODEL)
    before = show.box_facts()
    rolling = show.roll("face-dynamic")
    rolling.wait_stopped(ledger)
    state = rolling.state()
    ledger.claim("the verdict names the family", state.family == REAL_FAMILY, state.family or "no family")
    ledger.claim("the verdict names the model plane", state.blamed == "model/face", state.blamed or "no plane")
    fell_back = [each for each in rolling.deployments() if each.outcome == "fell-back"]
    ledger.claim(
        "the slow devices found it by their latency rule and came back by themselves",
        bool(fell_back) and all(each.rule == "latency-face" and each.rung == ["model/face"] for each in fell_back),
        f"{len(fell_back)} fell back: {sorted({(each.rule, *each.rung) for each in fell_back})}",
    )
    rolling.wait_back(goods.digest(MODEL), ledger)
    after = show.box_facts()
    ledger.claim("a real box was among them", any(each.device in before for each in fell_back), _names(fell_back))
    ledger.claim(
        "app and config versions, service start times and boots are unchanged on the boxes",
        after == before,
        "unchanged" if after == before else f"before {before}, after {after}",
    )
    ledger.claim("the version is frozen", show.is_frozen(goods.digest(MODEL)), f"freezes: {show.freezes()}")
    ledger.devices_exposed = len(rolling.activated(goods.digest(MODEL)))
    ledger.devices_harmed = len(fell_back)
    ledger.planes_reverted, ledger.planes_untouched = ("model/face",), ("app", "config", "model/voice")
    rolling.measure(ledger)
    ledger.happened = f"{len(fell_back)} of {ledger.devices_exposed} devices were too slow and came back; frozen"


def _names(deployments: Sequence[models.Deployment]) -> str:
    return ", ".join(sorted(each.device for each in deployments))
