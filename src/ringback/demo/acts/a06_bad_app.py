"""Act 6: two bad apps. One speaks the old interface inside while every process is up, the other crashes again and
again.
"""

from ringback.demo.result import Ledger
from ringback.demo.show import Show

EXPECTED = (
    "'online' is not success: the verdict names the app plane, the devices go back to the previous slot, and the "
    "agents answer throughout; the same for an app that crashes in a loop"
)
APPS = (("app-old-interface", "app-old-interface"), ("app-crashing", "app-crashing"))


def play(show: Show, ledger: Ledger) -> None:
    """Rolls out both, one after the other."""
    happened = []
    with show.watching_agents() as agents:
        for package, release in APPS:
            happened.append(_one(show, ledger, package, release))
    ledger.claim(
        "every agent of a real box answered throughout",
        agents.misses == 0,
        f"{agents.answers} questions answered, {agents.misses} not; the slowest answer took {agents.slowest_ms} ms",
    )
    ledger.planes_reverted, ledger.planes_untouched = ("app",), ("config", "model/face", "model/voice")
    ledger.happened = "; ".join(happened)


def _one(show: Show, ledger: Ledger, package: str, release: str) -> str:
    show.publish(package)
    digest = show.goods.digest(package)
    before = show.sets()
    rolling = show.roll(release)
    rolling.wait_stopped(ledger)
    rolling.wait_back(digest, ledger)
    state = rolling.state()
    ledger.claim(f"{release}: the verdict names the app plane", state.blamed == "app", state.blamed or "no plane")
    back = [each for each in rolling.deployments() if each.outcome == "fell-back"]
    ledger.claim(
        f"{release}: the devices went back to the previous slot",
        bool(back) and all("app" in each.rung for each in back),
        f"{len(back)} fell back: {sorted({(each.rule, *each.rung) for each in back})}",
    )
    after = show.sets()
    changed = sorted(name for name in before.devices if before.devices[name] != after.devices.get(name))
    ledger.claim(f"{release}: every device runs what it ran before", not changed, ", ".join(changed[:5]) or "all do")
    door = show.wait_for_door()
    ledger.claim(f"{release}: every door sees again", door.blind == 0 and door.seen == door.total, str(door))
    ledger.devices_exposed += len(rolling.activated(digest))
    ledger.devices_harmed += len(back)
    rolling.measure(ledger)
    return f"{release}: {len(back)} devices went back to the previous app"
