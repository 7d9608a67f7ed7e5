"""Random lives: any interleaving of desired states, cuts, outages, failing parts and full disks, then good weather.

During the storm the invariants hold; in good weather every device comes to rest with what its server wants, without
anybody touching it (no state is a dead end).
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback_kernel import limits as limits_of
from ringback_kernel.vocabulary import REST, SAFE_MODE
from tests.kernel.both import world as w

# Seconds of work; a crowded machine may stand still for minutes.
pytestmark = pytest.mark.timeout(300)

SETS = (
    w.OLD,
    w.NEW,
    w.changed(config=w.CONF2),
    w.changed(face=w.FACE2),
    w.changed(app=w.APP2),
    w.changed(app=w.APP2, config=w.CONF2),
)
PLANES = ("app", "model/face", "config")
BY_DIGEST = {w.digest_of(found): found for found in (*w.OLD.values(), *w.NEW.values())}

# A storm that only ever breaks things shows little: mostly the device should get somewhere.
rarely = st.sampled_from([False, False, False, False, False, False, False, True])

offers = st.fixed_dictionaries(
    {
        "what": st.just("offer"),
        "target": st.sampled_from([1, 2, 3, 4, 5, 0]),
        "attempt": st.integers(1, 9),
        "paused": rarely,
        "safe_mode": rarely,
        "freeze": st.sampled_from(["", "", "", "", "", "", *PLANES]),
        "drill": st.booleans(),
        "uplink_ms": st.sampled_from([0, 5000]),
        "joint": st.booleans(),
        "command": st.sampled_from(["", "", "restart", "reboot", "normal"]),
    }
)
events = st.one_of(
    offers,
    offers,
    offers,
    st.fixed_dictionaries({"what": st.just("time"), "ms": st.sampled_from([70_000, 70_000, 70_000, 4_000_000])}),
    st.fixed_dictionaries({"what": st.just("cut"), "kept": st.sampled_from([0, 5, 300, 10**6])}),
    st.fixed_dictionaries({"what": st.just("cut_later"), "steps": st.integers(1, 40), "kept": st.integers(0, 900)}),
    st.fixed_dictionaries({"what": st.just("restart")}),
    st.fixed_dictionaries({"what": st.just("network"), "on": st.sampled_from([True, True, False])}),
    st.fixed_dictionaries({"what": st.just("disk"), "full": st.sampled_from([False, False, True])}),
    st.fixed_dictionaries({"what": st.just("sick"), "what_is": st.sampled_from([*sorted(BY_DIGEST), "ok-app"])}),
    st.fixed_dictionaries({"what": st.just("mute"), "rule": st.sampled_from(["ok-app", "ok-config"])}),
    st.fixed_dictionaries({"what": st.just("well")}),
    st.fixed_dictionaries(
        {
            "what": st.just("fail"),
            "effect": st.sampled_from(["fetch", "verify", "stage", "preflight", "activate-forward", "activate-back"]),
            "retry": st.booleans(),
        }
    ),
    st.fixed_dictionaries({"what": st.just("clock"), "by_ms": st.sampled_from([-31_536_000_000, 31_536_000_000])}),
)
# What happens, and how long the device lives before the next thing: long enough to get anywhere, or to be in the
# middle.
actions = st.tuples(events, st.sampled_from([1500, 40, 90, 130, 700, 20_000, 0]))


class Life:
    """A world, the server's next generation, and what must hold after every action."""

    def __init__(self) -> None:
        limits = limits_of.Limits()
        limits.rest_probe_ms = 60_000
        self.world = w.world(limits=limits)
        self.generation = 0
        self.commands: list[dict[str, object]] = []

    def running(self) -> dict[str, dict]:
        return {plane: BY_DIGEST[digest] for plane, digest in self.world.active.items()}

    def do(self, action: tuple[dict, int]) -> None:
        what, then_ms = action
        getattr(self, "do_" + what["what"])(what)
        self.check()
        self.do_time({"ms": then_ms})
        self.check()

    def do_offer(self, action: dict) -> None:
        self.generation += 1
        ota: dict[str, object] = {
            "attempt": action["attempt"],
            "updates_paused": action["paused"],
            "safe_mode": action["safe_mode"],
            "uplink_ms": action["uplink_ms"],
            "drill": {"rule": "ok-config"} if action["drill"] else None,
        }
        if action["freeze"]:
            ota["frozen"] = [[action["freeze"], w.digest_of(w.NEW[action["freeze"]])]]
        if action["command"]:
            self.commands.append({"id": len(self.commands) + 1, "kind": action["command"], "arg": ""})
        ota["commands"] = self.commands[-4:]
        target = SETS[action["target"]]
        document = w.release(self.generation, self.running(), target, **ota)
        if action["joint"] and document["ota"]["order"]:
            document["ota"]["order"] = [[plane for group in document["ota"]["order"] for plane in group]]
        self.world.server.offer(document)

    def do_time(self, action: dict) -> None:
        self.alive(lambda: self.world.run(action["ms"]), 0)

    def do_cut(self, action: dict) -> None:
        self.alive(lambda: self.world.power_cut(action["kept"]), action["kept"])

    def do_cut_later(self, action: dict) -> None:
        self.world.cut_at = self.world.steps + action["steps"]
        self.alive(lambda: self.world.run(5000), action["kept"])
        self.world.cut_at = None

    def alive(self, live, kept: int) -> None:
        """Let the device live, and switch it on again as often as the power goes."""
        try:
            live()
        except w.PowerCut:
            self.world.cut_at = None
            self.world.power_cut(kept)

    def do_restart(self, _action: dict) -> None:
        self.world.restart_agent()

    def do_network(self, action: dict) -> None:
        self.world.server.is_reachable = action["on"]

    def do_disk(self, action: dict) -> None:
        self.world.disk.is_full = action["full"]

    def do_sick(self, action: dict) -> None:
        self.world.unhealthy.add(action["what_is"])

    def do_mute(self, action: dict) -> None:
        self.world.missing.add(action["rule"])

    def do_well(self, _action: dict) -> None:
        self.world.unhealthy.clear()
        self.world.missing.clear()
        self.world.failing.clear()

    def do_fail(self, action: dict) -> None:
        failure = {"code": "RB-AGENT-099", "text": "no", "retry": action["retry"]}
        self.world.failing.setdefault(action["effect"], []).extend([dict(failure), dict(failure)])

    def do_clock(self, action: dict) -> None:
        self.world.now_ms = max(0, self.world.now_ms + action["by_ms"])
        self.world.take(self.world.core.handle(("tick", {}), self.world.now_ms))

    def check(self) -> None:
        world = self.world
        tx = world.core.tx
        assert not world.violations, world.violations
        assert world.core.next_wakeup_ms() >= world.now_ms
        if tx.is_busy and tx.op == 0 and tx.step not in ("reboot",):
            assert tx.deadline_ms is not None or tx.probe_at_ms is not None, ("dead end", tx.phase, tx.step)
        if not tx.is_busy and tx.step == "":
            assert tx.confirmed == world.active, (tx.phase, tx.confirmed, world.active)
        for digest in (*tx.confirmed.values(), *world.active.values()):
            assert digest in world.slots, "a way back is gone"
        for plane, digest in world.active.items():
            required = BY_DIGEST[digest]["requires"].get("app")
            assert not required or "app" in world.active, (plane, "needs an app")
        assert len(tx.failed) <= world.limits.failed_memory
        assert sum(map(len, world.disk.durable.values())) < 3 * world.limits.journal_bytes


def good_weather(life: Life) -> None:
    """Repair everything, and let the server ask for one set with a raised attempt until the device runs it."""
    world = life.world
    life.do_well({})
    world.server.next_ms = 30_000
    world.server.is_reachable = True
    world.disk.is_full = False
    world.run(100_000)
    for _ in range(3):
        life.generation += 1
        document = w.release(life.generation, life.running(), w.NEW, attempt=1000 + life.generation)
        world.server.offer(document)
        world.run(200_000)
        if world.active == {plane: w.digest_of(found) for plane, found in w.NEW.items()}:
            break
    assert world.active == {plane: w.digest_of(found) for plane, found in w.NEW.items()}, world.core.tx.outcome
    assert world.core.tx.phase in REST and world.core.tx.phase != SAFE_MODE and world.is_workload_on
    assert world.core.tx.confirmed == world.active
    life.check()


@settings(max_examples=60)
@given(st.lists(actions, max_size=25))
def test_any_storm_keeps_the_invariants_and_ends_in_good_weather(storm: list[tuple[dict, int]]) -> None:
    life = Life()
    for action in storm:
        life.do(action)
    good_weather(life)


@settings(max_examples=40)
@given(st.lists(actions, max_size=20))
def test_same_storm_twice_gives_the_same_life(storm: list[tuple[dict, int]]) -> None:
    lives = []
    for _ in range(2):
        life = Life()
        for action in storm:
            life.do(action)
        lives.append((life.world.phases, life.world.core.tx.to_obj(), [each[1]["op"] for each in life.world.effects]))
    assert lives[0] == lives[1]
