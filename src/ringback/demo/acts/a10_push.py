"""Act 10: the small fleet's path: one model to one device, and back, with no release file."""

from ringback.demo.result import Ledger
from ringback.demo.show import Show

EXPECTED = "one command sends one model to one device, another takes it back; no release file, no rings"
BOX = "box-3"
MODEL = "face-int8"


def play(show: Show, ledger: Ledger) -> None:
    """Pushes with the command that a person would type, and rolls back the same way."""
    digest = show.goods.digest(MODEL)
    before = show.sets()
    old = before.devices[BOX]["model/face"]
    ledger.require("the box runs another model", old != digest, old)
    pushed = show.ringback("push", show.goods.packages[MODEL].identity.ref, "--to", BOX)
    show.wait_running(BOX, digest, ledger)
    others = _changed(before.devices, show.sets().devices) - {BOX}
    ledger.claim("only this box changed", not others, ", ".join(sorted(others)) or "no other did")
    show.ringback("push", "rollback", pushed.push_id)
    show.wait_running(BOX, old, ledger)
    after = show.sets()
    ledger.claim("the box is as it was", after.devices[BOX] == before.devices[BOX], str(dict(after.devices[BOX])))
    ledger.devices_exposed = 1
    ledger.planes_reverted, ledger.planes_untouched = ("model/face",), ("app", "config", "model/voice")
    ledger.happened = f"{BOX} got the model and gave it back"


def _changed(before: object, after: object) -> set[str]:
    return {name for name in before if before[name] != after.get(name)}
