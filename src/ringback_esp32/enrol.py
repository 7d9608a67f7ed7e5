"""Asks the server for an identity with the claim that was provisioned, until it answers; keeps it on raw flash.

A root that was provisioned is kept: the answer's root must be the same bytes. Only a board that was provisioned without
one takes the server's word for it, once.
"""

import binascii
import json
import time

import machine

from ringback_esp32 import VERSION, board, ident
from ringback_esp32.errors import PortError
from ringback_esp32.net import Server

FIRST_MS = 1000
LAST_MS = 60000
ANSWER_MAX = 16384


def enrol(own):
    """Return the whole identity, saved. Waits for the server as long as it takes."""
    body = json.dumps(
        {
            "claim": own["claim"],
            "serial": own.get("serial") or binascii.hexlify(machine.unique_id()).decode(),
            "class": own["class"],
            "labels": own.get("labels", {}),
            "agent": VERSION,
        }
    ).encode()
    pause_ms = FIRST_MS
    while True:
        found = _ask(Server(own), body)
        if found is not None and _is_ours(own, found):
            ident.save(_merged(own, found))
            return ident.load()
        for _ in range(pause_ms // 500):
            board.feed()
            time.sleep_ms(500)
        pause_ms = min(2 * pause_ms, LAST_MS)


def _ask(server, body):
    try:
        answer = server.request("POST", "/d/1/enrol", body)
        try:
            raw = answer.body(ANSWER_MAX)
        finally:
            answer.close()
        print("enrol", answer.status)
        return json.loads(raw) if answer.status in (200, 201) else None
    except (PortError, ValueError) as error:
        print("enrol", error)
        return None


def _is_ours(own, found):
    pinned = own.get("director_root", "")
    root = binascii.a2b_base64(found["director_root"]).decode()
    if pinned and pinned != root:
        print("enrol: the server has another root than this board was provisioned with")
        return False
    found["director_root"] = root
    return True


def _merged(own, found):
    whole = {}
    whole.update(own)
    whole.pop("claim", None)
    for name in ("device", "tenant", "token", "director_root"):
        whole[name] = found[name]
    return whole
