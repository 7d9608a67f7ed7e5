"""Act 10: the small fleet's path: one model to one device, and back, with no release file."""

from ringback.demo.result import Ledger
from ringback.demo.show import Show

EXPECTED = "one command sends one model to one device, another takes it back; no release file, no rings"
BOX = "box-3"
MODELS = ("face-fp32", "face-int8")


def play(show: Show, ledger: Ledger) -> None:
    """Pushes with the command that a person would type, and rolls back the same way."""
    goods = show.goods
    show.publish(*MODELS)
    before = show.sets().devices
    old = before[BOX]["model/face"]
    name = next(name for name in MODELS if goods.digest(name) != old)
    show.ringback("push", goods.packages[name].identity.ref, "--to", BOX, "--yes")
    show.wait_running(BOX, goods.digest(name), ledger)
    others = {device for device, planes in show.sets().devices.items() if planes != before[device]} - {BOX}
    ledger.claim("only this box changed", not others, ", ".join(sorted(others)) or "no other did")
    show.ringback("push", "--to", BOX, "--rollback", "--yes")
    show.wait_running(BOX, old, ledger)
    after = show.sets().devices
    ledger.claim(
        "the box is as it was", after[BOX] == before[BOX], "it is" if after[BOX] == before[BOX] else str(after[BOX])
    )
    ledger.devices_exposed = 1
    ledger.planes_reverted, ledger.planes_untouched = ("model/face",), ("app", "config", "model/voice")
    ledger.happened = f"{BOX} got {name} by one command and gave it back by another"
