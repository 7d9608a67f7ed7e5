"""Fetching a pinned model: digests are checked, the cache needs no network, and a failure is a value with a reason."""

import hashlib
import importlib.util
import zipfile
from pathlib import Path

import pytest

from ringback.demo.material import fetch

MODEL = b"pretend weights"
MEMBER = "ringback_test_model/model.onnx"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, and package clients that find the packages of `tmp_path / "index"` only."""
    (tmp_path / "index").mkdir()
    monkeypatch.setenv("RINGBACK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    for client in ("UV", "PIP"):
        monkeypatch.setenv(f"{client}_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("npm_config_offline", "true")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))


def wheel(folder: Path) -> Path:
    path = folder / "ringback_test_model-1.0-py3-none-any.whl"
    info = "ringback_test_model-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MEMBER, MODEL)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: ringback-test-model\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", f"{MEMBER},,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return path


def needs(client: str) -> None:
    if importlib.util.find_spec(client) is None:
        pytest.skip(f"{client} is not installed here")


def package(sha256: str) -> fetch.Package:
    return fetch.Package("ringback-test-model", "1.0", sha256, MEMBER)


@pytest.mark.parametrize("client", ["uv", "pip"])
def test_a_pinned_wheel_gives_its_model_and_nothing_is_installed(tmp_path: Path, client: str) -> None:
    needs(client)
    found = digest(wheel(tmp_path / "index").read_bytes())
    model = fetch.by_wheel(client, package(found), tmp_path)
    assert model.read_bytes() == MODEL
    with pytest.raises(ImportError):
        __import__("ringback_test_model")


@pytest.mark.parametrize("client", ["uv", "pip"])
def test_a_wheel_with_another_digest_is_refused_by_the_client(tmp_path: Path, client: str) -> None:
    needs(client)
    wheel(tmp_path / "index")
    with pytest.raises(fetch.FetchFailed, match=r"(?i)hash"):
        fetch.by_wheel(client, package("0" * 64), tmp_path)


def test_a_model_with_other_bytes_never_enters_the_cache(tmp_path: Path) -> None:
    wanted = fetch.Wanted("test-model", digest(b"the published weights"), package(""), None)
    (tmp_path / "model.onnx").write_bytes(MODEL)
    with pytest.raises(fetch.FetchFailed, match=f"SHA-256 {digest(MODEL)}, expected {wanted.sha256}"):
        fetch.store(wanted, tmp_path / "model.onnx")
    assert not fetch.is_cached(wanted)


def test_a_damaged_model_in_the_cache_counts_as_absent(tmp_path: Path) -> None:
    wanted = fetch.Wanted("test-model", digest(MODEL), package(""), None)
    (tmp_path / "model.onnx").write_bytes(MODEL)
    fetch.store(wanted, tmp_path / "model.onnx")
    assert fetch.is_cached(wanted)
    wanted.cached.write_bytes(MODEL[:-1])
    assert not fetch.is_cached(wanted)


def test_without_any_index_the_answer_is_a_reason_that_names_each_client_tried() -> None:
    found = fetch.voice_models()
    assert isinstance(found, fetch.Unavailable)
    assert found.code == "RB-DEMO-001"
    assert found.reason.startswith("silero-vad-5 could not be fetched: ")
    for client, _ in fetch.clients(fetch.V5):
        assert f"{client}: " in found.reason
    assert "everything but the voice acts runs" in found.hint
