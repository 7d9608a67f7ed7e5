"""Act 9: kill -9 the server in mid-ring, and an agent in mid-activation; nothing is lost, nothing is done twice."""

from ringback.demo.result import Ledger
from ringback.demo.show import Show

EXPECTED = "the server and an agent are killed in mid-rollout; both come back; nothing is lost, nothing is done twice"
WAIT_S = 60.0


def play(show: Show, ledger: Ledger) -> None:
    """Kills both while a harmless config rolls out."""
    show.publish("config-crash")
    digest = show.goods.digest("config-crash")
    rolling = show.roll("config-crash")
    box, agent_s = show.kill_agent_in_activation(digest, ledger)
    rolling.wait_activated(digest, at_least=6, ledger=ledger)
    before = {each.device: each.outcome for each in rolling.deployments() if each.outcome == "proven"}
    server_s = show.kill_server()
    rolling.wait_closed(ledger, within_s=WAIT_S)
    after = {each.device: each.outcome for each in rolling.deployments()}
    lost = sorted(device for device in before if after.get(device) != "proven")
    ledger.claim("no outcome that was on record is lost", not lost, ", ".join(lost[:5]) or "none is")
    twice = show.activated_twice(digest, since=rolling)
    ledger.claim("nobody activated it twice", not twice, ", ".join(sorted(twice)) or "nobody did")
    decisions = [(decision.event, decision.before, decision.after, decision.at_ms) for decision in rolling.decisions()]
    opened = [each[:3] for each in decisions]
    ledger.claim("no decision was made twice", len(opened) == len(set(opened)), f"{len(opened)} decisions")
    running = show.sets().running(digest)
    ledger.claim("every device runs the config", len(running) == show.size, f"{len(running)} of {show.size}")
    ledger.devices_exposed = len(running)
    ledger.seconds_to_healthy = max(agent_s, server_s)
    ledger.planes_untouched = ("app", "model/face", "model/voice")
    ledger.happened = (
        f"server back in {server_s:.1f} s, agent of {box} in {agent_s:.1f} s; {len(running)} devices run it"
    )
