"""Act 9: kill -9 the server in mid-ring, and an agent in mid-activation; nothing is lost, nothing is done twice."""

import time

from ringback.demo.result import Ledger
from ringback.demo.show import Show

EXPECTED = "the server and an agent are killed in mid-rollout; both come back; nothing is lost, nothing is done twice"
WAIT_S = 60.0
BOX = "box-1"
# Phases in which an agent has begun to switch and has not proven the new set yet.
IN_ACTIVATION = frozenset({"activating", "trial"})
REST = frozenset({"idle", "confirmed", "reverted", "refused"})
ASK_EVERY_S = 0.005


def play(show: Show, ledger: Ledger) -> None:
    """Kills both while a harmless config rolls out."""
    show.publish("config-crash")
    digest = show.goods.digest("config-crash")
    rolling = show.roll("config-crash")
    phase, agent_s = _kill_agent(show, ledger)
    rolling.wait_activated(digest, at_least=6, ledger=ledger)
    before = {each.device for each in rolling.deployments() if each.outcome == "proven"}
    server_s = show.kill_server()
    rolling.wait_closed(ledger, within_s=WAIT_S)
    after = {each.device: each.outcome for each in rolling.deployments()}
    lost = sorted(device for device in before if after.get(device) != "proven")
    ledger.claim("no outcome that was on record is lost", not lost, f"{len(before)} were on record, {len(lost)} lost")
    twice = show.activated_twice(digest, since=rolling)
    ledger.claim("nobody activated it twice", not twice, ", ".join(sorted(twice)) or "nobody did")
    made = [(each.event, each.before, each.after) for each in rolling.decisions() if each.event]
    ledger.claim("no decision was made twice", len(made) == len(set(made)), f"{len(made)} decisions, all different")
    running = show.running(digest)
    ledger.claim("every device runs the config", len(running) == show.size, f"{len(running)} of {show.size}")
    ledger.devices_exposed = len(running)
    ledger.seconds_to_healthy = max(agent_s, server_s)
    ledger.planes_untouched = ("app", "model/face", "model/voice")
    ledger.happened = (
        f"agent of {BOX} killed in phase {phase}, settled again after {agent_s:.1f} s; "
        f"server answered again after {server_s:.1f} s; {len(running)} devices run it"
    )


def _kill_agent(show: Show, ledger: Ledger) -> tuple[str, float]:
    """Kills the agent of a box in the middle of an activation and starts it again, as its keeper would."""
    box = show.boxes[BOX]
    deadline_s = time.monotonic() + WAIT_S
    phase = ""
    while phase not in IN_ACTIVATION and time.monotonic() < deadline_s:
        phase = str(box.status().get("state", ""))
        time.sleep(ASK_EVERY_S)
    ledger.require("the agent is caught in mid-activation", phase in IN_ACTIVATION, phase or "it did not answer")
    show.kill_agent(box)
    began_s = time.monotonic()
    show.start_agent(box)
    settled = show.wait_until(lambda: str(box.status().get("state", "")) in REST, within_s=WAIT_S)
    ledger.require("the agent settles again", settled, str(box.status().get("state", "")))
    return phase, time.monotonic() - began_s
