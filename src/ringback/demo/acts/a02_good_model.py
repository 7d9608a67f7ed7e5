"""Act 2: a good model goes from the lab to everyone, with a drill on the way, promoted on evidence."""

from collections.abc import Sequence

from ringback.client import models
from ringback.demo.result import Ledger
from ringback.demo.show import Show

EXPECTED = (
    "internal, canary with drill, 10 %, one region, stability window, full, rollback window: promoted on evidence"
)
MODEL = "face-int8"
WAIT_S = 60.0
RINGS = ("internal", "canary", "tenth", "europe")


def play(show: Show, ledger: Ledger) -> None:
    """Rolls out the well-calibrated model."""
    goods = show.goods
    old, new = goods.row("face-fp32"), goods.row(MODEL)
    smaller = 100 - new.size_bytes * 100 // old.size_bytes
    show.say(
        f"int8 model: {new.size_bytes} bytes against {old.size_bytes} ({smaller} % less), "
        f"{new.p50_us} us against {old.p50_us} us, {new.seen} of {new.seen_total} people against {old.seen}"
    )
    show.publish(MODEL)
    show.say(show.evidence_words("face-int8"))
    rolling = show.roll("face-int8")
    rolling.wait_closed(ledger, within_s=WAIT_S)
    visited = [decision.after for decision in rolling.decisions()]
    for step in ("validating", "drill", "canary", "ring", "bake", "stability", "full", "rollback_window", "closed"):
        ledger.claim(f"the rollout went through {step}", step in visited, " → ".join(visited))
    _claim_drill(rolling.deployments(), ledger)
    running = show.sets().running(goods.digest(MODEL))
    ledger.claim("every device runs the new model", len(running) == show.size, f"{len(running)} of {show.size} do")
    early = [d for d in rolling.decisions() if d.after == "full" and not any("ertified" in r for r in d.reasons)]
    ledger.claim("full was opened by a certificate", not early, f"{len(early)} openings without one")
    door = show.wait_for_door()
    ledger.claim("nobody went blind", door.blind == 0 and door.seen == door.total, str(door))
    ledger.devices_exposed = len(rolling.deployments())
    ledger.planes_untouched = ("app", "config", "model/voice")
    ledger.happened = f"{len(running)} devices promoted; {door}"


def _claim_drill(deployments: Sequence[models.Deployment], ledger: Ledger) -> None:
    drilled = [each for each in deployments if each.drill == "passed"]
    lost = [each for each in deployments if each.drill == "failed"]
    slowest_ms = max((each.recover_ms or 0 for each in drilled), default=0)
    ledger.claim(
        "the canaries failed on purpose, came back by themselves and went forward again",
        bool(drilled) and not lost,
        f"{len(drilled)} came back, {len(lost)} did not; the slowest took {slowest_ms} ms",
    )
