"""I2: only whole, authorised, published bytes are activated. I7: a frozen digest is never newly activated.

Knows: every document each device heard, checked here with `cryptography` over bytes that are canonicalised here; what
was published; what is frozen, and when each device last heard the server.
"""

from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from ringback.sim.checkers.base import Document, read_document
from ringback.sim.facts import Activated, Confirmed, Fact, Frozen, Heard, Published, SlotsChanged, Violation


class ActivationChecker:
    """Judges each forward switch of a pointer.

    Args:
        director_keys: public keys (DER, P-256) that may sign desired states.
    """

    def __init__(self, director_keys: Sequence[bytes]) -> None:
        self._keys = [load_der_public_key(key) for key in director_keys]
        self._published: set[str] = set()
        self._frozen_at_ms: dict[str, int] = {}
        self._heard_at_ms: dict[str, int] = {}
        self._authorised: dict[str, set[str]] = {}
        self._confirmed: dict[str, set[str]] = {}
        self._slots: dict[str, dict[str, bool]] = {}

    def see(self, fact: Fact) -> list[Violation]:
        if isinstance(fact, Published):
            self._published.add(fact.digest)
        elif isinstance(fact, Frozen):
            if fact.thawed:
                self._frozen_at_ms.pop(fact.digest, None)
            else:
                self._frozen_at_ms.setdefault(fact.digest, fact.at_ms)
        elif isinstance(fact, Heard):
            self._hear(fact)
        elif isinstance(fact, SlotsChanged):
            self._slots[fact.device] = dict(fact.slots)
        elif isinstance(fact, Confirmed):
            self._confirmed.setdefault(fact.device, set()).update(fact.running.values())
        elif isinstance(fact, Activated):
            return self._judge(fact)
        return []

    def overdue(self, now_ms: int) -> list[Violation]:
        return []

    def _hear(self, fact: Heard) -> None:
        self._heard_at_ms[fact.device] = fact.at_ms
        if not fact.document:
            return
        document = read_document(fact.document)
        if document.device == fact.device and self._is_signed(document):
            self._authorised.setdefault(fact.device, set()).update(document.digests)

    def _is_signed(self, document: Document) -> bool:
        for key in self._keys:
            for signature in document.signatures:
                try:
                    assert isinstance(key, ec.EllipticCurvePublicKey)
                    key.verify(signature, document.raw_signed, ec.ECDSA(SHA256()))
                except InvalidSignature:
                    continue
                return True
        return False

    def _judge(self, fact: Activated) -> list[Violation]:
        found = []
        for plane, digest in sorted(fact.changed.items()):
            if not digest:
                continue
            if not self._slots.get(fact.device, {}).get(digest, False):
                found.append(
                    Violation("I2", fact.at_ms, fact.device, f"{plane} switched to {digest}, which is not whole")
                )
            known = self._confirmed.get(fact.device, set())
            if fact.back and digest in known:
                continue
            if digest not in self._authorised.get(fact.device, set()):
                text = f"{plane} switched to {digest}, which no document signed for this device names"
                found.append(Violation("I2", fact.at_ms, fact.device, text))
            if digest not in self._published:
                text = f"{plane} switched to {digest}, which nobody published"
                found.append(Violation("I2", fact.at_ms, fact.device, text))
            if not fact.back and digest not in known:
                found += self._judge_freeze(fact, plane, digest)
        return found

    def _judge_freeze(self, fact: Activated, plane: str, digest: str) -> list[Violation]:
        frozen_at_ms = self._frozen_at_ms.get(digest)
        if frozen_at_ms is None or self._heard_at_ms.get(fact.device, -1) <= frozen_at_ms:
            return []
        text = f"{plane} newly switched to {digest}, frozen {fact.at_ms - frozen_at_ms} ms before"
        return [Violation("I7", fact.at_ms, fact.device, text)]
