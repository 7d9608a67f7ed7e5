"""The loop of last resort: when the agent itself can't start, it still answers the server and obeys a signed word.

It needs the identity, Wi-Fi, HTTPS and the verifier, and nothing else: no journal that can be written, no file system,
no user code. It does three things that a signed desired state, no older than the newest this board accepted, can ask
for:

- `reboot` or `normal`: start again as if nothing had happened, once for each command's number;
- name the firmware that stands in the other slot, whole: select it;
- anything else: stay, say so, and try a normal start every hour.
"""

import json
import time

from ringback_esp32 import VERSION, board, ident, notes, slots
from ringback_esp32.errors import PortError
from ringback_esp32.net import Server, utc_ms
from ringback_esp32.rawlog import RawLog
from ringback_kernel import ecdsa, verify
from ringback_kernel.errors import KernelError
from ringback_kernel.journal import Journal

POLL_MS = 30000
POLL_MAX_MS = 600000
RETRY_MS = 3600000
DOCUMENT_MAX = 16384


def run(crashes):
    """Never returns."""
    own = ident.load()
    server = Server(own)
    trust = verify.Trust(own["director_root"].encode(), {verify.ECDSA_P256: ecdsa.verify})
    state = _state()
    remembered = notes.Notes()
    number = 0
    pause_ms = POLL_MS
    while board.now_ms() < RETRY_MS:
        board.feed()
        number += 1
        try:
            status, body, asked_ms = server.check_in(_report(own, state, crashes, number))
            pause_ms = min(max(asked_ms, POLL_MS), POLL_MAX_MS)
            if status == 200:
                _obey(verify.director(body, trust, _expected(own, state), DOCUMENT_MAX), state, remembered)
        except PortError:
            pause_ms = min(2 * pause_ms, POLL_MAX_MS)
        except verify.VerifyError as error:
            print(error)
        _wait(pause_ms)
    board.reset()


def _state():
    try:
        return Journal(RawLog(notes.JOURNAL_AT, notes.JOURNAL_SECTORS), 0).load()[0] or {}
    except (KernelError, OSError, ValueError) as error:
        # A journal that can't be read may be why we are here.
        print(error)
        return {}


def _expected(own, state):
    generation = max(0, state.get("gen", 0) - 1)
    return verify.Expected(own["device"], own["tenant"], generation=generation, signed=b"", utc_ms=utc_ms())


def _report(own, state, crashes, number):
    running = {}
    part = slots.running()
    record = notes.Notes().slot(part.info()[4])
    if record is not None and record["end"] == slots.end_of(part)[0]:
        running["firmware"] = [record["digest"], record["version"]]
    return json.dumps(
        {
            "v": 1,
            "device": own["device"],
            "class": own["class"],
            "agent": VERSION,
            "boot_id": "%016x" % (state.get("starts", 0) + 1),
            "seq": number,
            "up_ms": board.now_ms(),
            "have": 0,
            "state": "safe_mode",
            "planes": running,
            "flags": ["safe_mode", "recovery"],
            "read": {"recovery.crashes": crashes},
        }
    ).encode()


def _obey(found, state, remembered):
    if found is None:
        return
    document = found[1]
    done = max(state.get("cmd_hi", 0), remembered.get("obeyed", 0))
    for command in document["ota"].get("commands", []):
        if command["id"] > done and command["kind"] in ("reboot", "normal"):
            remembered.put(obeyed=command["id"])
            board.reset()
    for path in document["targets"]:
        target = document["targets"][path]
        if target["custom"]["plane"] == "firmware":
            part, record = slots.find(remembered, "sha256:" + target["hashes"]["sha256"])
            if part is not None and part.info()[4] != slots.running().info()[4]:
                slots.select(part, record)
                board.reset()


def _wait(pause_ms):
    while pause_ms > 0:
        board.feed()
        time.sleep_ms(min(pause_ms, 1000))
        pause_ms -= 1000
