"""Makes the kernel's core for a simulated device: the same class as on a real box, with a faster curve.

Decides: nothing. The verifier is `cryptography` instead of the kernel's plain integers, because hundreds of devices
share one processor here; the bytes it judges are the same.
"""

import json
from collections.abc import Callable
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from ringback import __version__
from ringback.sim.disk import StrictDisk
from ringback.sim.identity import DeviceSpec, Enrolled
from ringback_kernel import limits
from ringback_kernel.core import Core

REST_PROBE_MS = 10_000
"""Hundreds of simulated devices share a processor, so they read their health between deployments less often."""


def core_maker(spec: DeviceSpec, enrolled: Enrolled) -> Callable[[StrictDisk], Core]:
    """Returns what makes the core of a device on its disk; called at every boot."""
    known = {
        "device": enrolled.device,
        "tenant": enrolled.tenant,
        "class": spec.device_class,
        "capabilities": dict(spec.capabilities),
        "root": enrolled.director_root,
        "agent_version": __version__,
    }
    return lambda disk: Core(disk, known, verify, _limits(is_small=spec.is_small))


def _limits(*, is_small: bool) -> limits.Limits:
    chosen = limits.small() if is_small else limits.Limits()
    chosen.rest_probe_ms = max(chosen.rest_probe_ms, REST_PROBE_MS)
    return chosen


def verify(public_key: bytes, signature: bytes, data: bytes) -> bool:
    """Says whether signature (DER) over data is by public_key (65 bytes, uncompressed); P-256 and SHA-256."""
    key = _key(public_key)
    if key is None:
        return False
    try:
        key.verify(signature, data, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


@lru_cache(maxsize=64)
def _key(public_key: bytes) -> ec.EllipticCurvePublicKey | None:
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key)
    except ValueError:
        return None


def director_keys(root: bytes) -> list[bytes]:
    """The keys (DER) that may sign desired states, read from a TUF root for the checkers."""
    signed = json.loads(root)["signed"]
    found = []
    for key_id in signed["roles"]["targets"]["keyids"]:
        key = load_pem_public_key(signed["keys"][key_id]["keyval"]["public"].encode())
        found.append(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    return found
