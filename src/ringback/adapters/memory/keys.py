"""A Director's key that is never written down."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec

from ringback.adapters.signing.director import DirectorKeys, keys_in_memory

_SECRETS = (0x1D0C, 0x2D0C)
"""Fixed private values: the same run signs the same bytes. Worth nothing outside a simulation."""


def MemoryKeys(*, now_ms: int) -> DirectorKeys:  # noqa: N802 - used like the class it stands for
    """Return a signer (`ringback.ports.signer.Signer`) marked as demo; its root expires 30 days after `now_ms`."""
    root, online = (ec.derive_private_key(secret, ec.SECP256R1()) for secret in _SECRETS)
    return keys_in_memory(root, online, now_ms=now_ms)
