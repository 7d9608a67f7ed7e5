"""Measures what health rules ask for; never judges. The closed list of probes, as far as a microcontroller has them.

service_up: the app runs (its heartbeat is the counter of its frames) · service_speaks: it knows this agent's contract ·
latency, golden, output: of a model slot · memory: heap · disk: the agent's own file system · input: age of the last
frame · consistency: what runs is what the journal says, and why the board started · uplink: the server's last answer ·
logs: the number of the last log line. A probe that this board lacks gives no reading, and a rule on it waits.
"""

import gc
import os

import machine

from ringback_esp32 import board, errors, store
from ringback_esp32.app import Context
from ringback_esp32.errors import PortError

# Without a frame for so long the inference counts as dead.
BEAT_MS = 10000


def read(agent, rules, active=None):
    """Return one reading for each probe and argument that the rules name.

    Args:
        active: {plane: digest} to look at before it is activated; None for what runs.
    """
    done = []
    readings = []
    for rule in rules:
        key = (rule["probe"], rule["arg"])
        if key not in done:
            done.append(key)
            reading = _one(agent, key[0], key[1], active)
            if reading is not None:
                readings.append(reading)
            board.feed()
    return readings


def _one(agent, probe, arg, active):
    made = _TABLE.get(probe)
    if made is None:
        return None
    code = ""
    values = {}
    try:
        values = made(agent, arg, active)
    except PortError as error:
        code = error.code
    if values is None:
        return None
    return {"probe": probe, "arg": arg, "values": values, "at_ms": board.now_ms(), "code": code}


def _service_up(agent, arg, active):
    runner = agent.runner
    if not runner.wanted:
        return {"up": 0, "restarts": runner.restarts}
    is_up = runner.module is not None and board.now_ms() - runner.frame_ms < BEAT_MS
    return {"up": 1 if is_up else 0, "restarts": runner.restarts}


def _service_speaks(agent, arg, active):
    module = agent.runner.module
    if module is None:
        raise PortError(errors.NO_APP, "the app does not run")
    return {"ok": 1 if hasattr(module, "step") and hasattr(module, "replay") else 0, "interface": 1}


def _latency(agent, arg, active):
    found = sorted(agent.runner.latencies)
    count = len(found)
    if not count:
        return None
    return {"p50_us": found[count // 2], "p95_us": found[count * 95 // 100], "n": count}


def _golden(agent, arg, active):
    wanted = active if active is not None else store.active()[0]
    if not wanted.get("model/" + arg):
        return None
    return agent.runner.replay(Context(wanted), arg)


def _memory(agent, arg, active):
    gc.collect()
    free = gc.mem_free()
    grown = max(0, agent.runner.low - free)
    return {"rss_kb": gc.mem_alloc() // 1024, "growth_kb": grown // 1024, "low_kb": agent.runner.low // 1024}


def _disk(agent, arg, active):
    found = os.statvfs(store.ROOT)
    return {
        "free_kb": found[0] * found[3] // 1024,
        "used_ppm": (found[2] - found[3]) * 1000000 // found[2],
    }


def _input(agent, arg, active):
    runner = agent.runner
    return {"age_ms": board.now_ms() - runner.frame_ms, "frames": runner.frames}


def _output(agent, arg, active):
    runner = agent.runner
    if not runner.frames:
        return None
    return {"positive_ppm": runner.positive * 1000000 // runner.frames, "n": runner.frames}


def _consistency(agent, arg, active):
    runs = agent.running()
    tx = agent.core.tx
    same = [plane for plane in runs if runs[plane][0] == tx.running.get(plane, [""])[0]]
    is_same = len(same) == len(runs) == len(tx.running)
    return {"ok": 0 if agent.fault else 1, "versions_ok": 1 if is_same else 0, "cause": machine.reset_cause()}


def _uplink(agent, arg, active):
    return {"ok": 1 if agent.heard else 0}


def _logs(agent, arg, active):
    return {"gap": 0, "seq": agent.log_seq}


_TABLE = {
    "service_up": _service_up,
    "service_speaks": _service_speaks,
    "latency": _latency,
    "golden": _golden,
    "memory": _memory,
    "disk": _disk,
    "input": _input,
    "output": _output,
    "consistency": _consistency,
    "uplink": _uplink,
    "logs": _logs,
}
