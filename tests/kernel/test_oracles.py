"""The kernel's verifier against the ones everybody uses: OpenSSL for the curve, python-tuf for documents."""

from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Root, TargetFile, Targets
from tuf.api.serialization import json as tuf_json

from ringback_kernel import ecdsa, verify, wire
from ringback_kernel.canonical import encode
from ringback_kernel.errors import KernelError
from ringback_kernel.verify import ECDSA_P256

KEY = ec.derive_private_key(0x1234567890ABCDEF1234567890ABCDEF, ec.SECP256R1())
POINT = KEY.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
SIGNATURE = KEY.sign(b"data", ec.ECDSA(hashes.SHA256()))


def openssl_says(point: bytes, signature: bytes, data: bytes) -> bool:
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


@given(st.binary(max_size=300))
def test_what_openssl_signs_the_kernel_accepts(data: bytes) -> None:
    signature = KEY.sign(data, ec.ECDSA(hashes.SHA256()))

    assert ecdsa.verify(POINT, signature, data)
    assert not ecdsa.verify(POINT, signature, data + b"\0")


@given(st.integers(0, len(SIGNATURE) - 1), st.integers(0, 255), st.sampled_from(["set", "drop", "add"]))
def test_kernel_and_openssl_agree_on_mutated_signatures(at: int, value: int, how: str) -> None:
    changed = {"set": bytes([value]), "drop": b"", "add": bytes([value, SIGNATURE[at]])}[how]
    signature = SIGNATURE[:at] + changed + SIGNATURE[at + 1 :]

    assert ecdsa.verify(POINT, signature, b"data") == openssl_says(POINT, signature, b"data")


@given(st.integers(0, 64), st.integers(0, 255))
def test_kernel_and_openssl_agree_on_mutated_keys(at: int, value: int) -> None:
    point = POINT[:at] + bytes([value]) + POINT[at + 1 :]

    assert ecdsa.verify(point, SIGNATURE, b"data") == openssl_says(point, SIGNATURE, b"data")


# --- python-tuf -------------------------------------------------------------------------------------------------------


def canonical_file(metadata: Metadata) -> bytes:
    """Return metadata as we put it on the wire: exactly signatures and signed, the latter canonical."""
    obj = metadata.to_dict()
    return b'{"signatures":' + encode(obj["signatures"]) + b',"signed":' + encode(obj["signed"]) + b"}"


@pytest.fixture(scope="module")
def signer() -> CryptoSigner:
    return CryptoSigner(KEY)


@pytest.fixture(scope="module")
def trust(signer: CryptoSigner) -> verify.Trust:
    root = Root(expires=datetime(2036, 1, 1, tzinfo=UTC), consistent_snapshot=True)
    root.add_key(signer.public_key, "root")
    root.add_key(signer.public_key, "targets")
    metadata = Metadata(root)
    metadata.sign(signer)
    return verify.Trust(canonical_file(metadata), {ECDSA_P256: ecdsa.verify})


def desired_state(signer: CryptoSigner, expires: datetime) -> bytes:
    target = TargetFile.from_data("app/door/1.0.0", b"manifest", ["sha256"])
    target.unrecognized_fields["custom"] = {"plane": "app"}
    targets = Targets(version=3, expires=expires, targets={"app/door/1.0.0": target})
    targets.unrecognized_fields["ota"] = {"device": "box-1", "tenant": "acme"}
    metadata = Metadata(targets)
    metadata.sign(signer)
    return canonical_file(metadata)


def expected(utc_ms: int = 0) -> verify.Expected:
    return verify.Expected("box-1", "acme", generation=2, signed=b"", utc_ms=utc_ms)


def test_kernel_reads_what_python_tuf_signs(signer: CryptoSigner, trust: verify.Trust) -> None:
    raw = desired_state(signer, datetime(2026, 12, 1, tzinfo=UTC))

    signed, document = verify.director(raw, trust, expected(), 65536)

    assert document["version"] == 3 and raw.endswith(signed + b"}")


def test_python_tuf_reads_and_verifies_the_same_file(signer: CryptoSigner) -> None:
    raw = desired_state(signer, datetime(2026, 12, 1, tzinfo=UTC))

    metadata = Metadata[Targets].from_bytes(raw, tuf_json.JSONDeserializer())

    signer.public_key.verify_signature(metadata.signatures[signer.public_key.keyid], metadata.signed_bytes)
    assert metadata.signed.unrecognized_fields["ota"]["device"] == "box-1"


def test_kernel_and_python_tuf_agree_on_the_expiry(signer: CryptoSigner, trust: verify.Trust) -> None:
    expires = datetime(2028, 2, 29, 12, 34, 56, tzinfo=UTC)
    raw = desired_state(signer, expires)
    at_ms = int(expires.timestamp() * 1000)

    assert verify.director(raw, trust, expected(at_ms - 1), 65536)
    with pytest.raises(KernelError, match="RB-VERIFY-004"):
        verify.director(raw, trust, expected(at_ms), 65536)


def test_signature_of_a_key_outside_the_role_is_refused(trust: verify.Trust) -> None:
    stranger = CryptoSigner(ec.generate_private_key(ec.SECP256R1()))

    with pytest.raises(KernelError, match="RB-VERIFY-001"):
        verify.director(desired_state(stranger, datetime(2026, 12, 1, tzinfo=UTC)), trust, expected(), 65536)


def test_root_that_python_tuf_signed_with_a_stranger_is_refused(signer: CryptoSigner) -> None:
    root = Root(expires=datetime(2036, 1, 1, tzinfo=UTC))
    root.add_key(signer.public_key, "root")
    metadata = Metadata(root)
    metadata.sign(CryptoSigner(ec.generate_private_key(ec.SECP256R1())))

    with pytest.raises(KernelError, match="RB-VERIFY-001"):
        verify.Trust(canonical_file(metadata), {ECDSA_P256: ecdsa.verify})


@given(st.data())
def test_any_json_is_read_the_same_or_refused(data: st.DataObject) -> None:
    text = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"\\'), max_size=8)
    values = st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | text,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
        max_leaves=20,
    )
    value = data.draw(values)
    raw = encode(value)

    assert wire.parse(raw) == value
    assert raw == tuf_json.encode_canonical(value).encode() if value is not None else True

    at = data.draw(st.integers(0, len(raw) - 1))
    mutated = raw[:at] + bytes([data.draw(st.integers(0, 255))]) + raw[at + 1 :]
    try:
        again = wire.parse(mutated)
    except KernelError:
        return
    assert encode(again) == mutated
