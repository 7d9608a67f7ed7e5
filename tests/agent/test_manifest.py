"""Manifests are hostile until proven otherwise: what may become a path, a command line, a size."""

import json

import pytest

from ringback.agent import manifest
from ringback.agent.errors import PortError
from tests.agent.fixtures import artifacts


def parse_with(**changes):
    obj = json.loads(artifacts.app().manifest)
    obj.update(changes)
    return manifest.parse(artifacts.canonical(obj))


def file(path, size=1):
    return {"path": path, "role": "code", "size_bytes": size, "sha256": "0" * 64}


def refusal(**changes):
    with pytest.raises(PortError) as caught:
        parse_with(**changes)
    assert caught.value.code == "RB-AGENT-023"
    return caught.value.message


def test_wellformed_app_gives_its_services_in_order():
    parsed = manifest.parse(artifacts.app().manifest)

    assert [service.name for service in parsed.services] == ["camera", "inference", "upload"]
    assert parsed.services[1].reads == {"config", "model"}
    assert parsed.services[0].reads == {"config"}
    assert parsed.digest == artifacts.app().digest


@pytest.mark.parametrize(
    "path",
    [
        "../up",
        "/etc/passwd",
        "a/../../b",
        "a//b",
        "a/./b",
        ".",
        "",
        "a\0b",
        "a b",
        "a\\b",
        "ü",
        "a/",
        "x" * 129,
        "manifest.json",
        "a\n",
        None,
        7,
    ],
)
def test_hostile_path_is_refused(path):
    assert "path" in refusal(files=[file(path)])


def test_path_that_is_file_and_folder_is_refused():
    assert "twice" in refusal(files=[file("a"), file("a/b")])


def test_path_named_twice_is_refused():
    assert "twice" in refusal(files=[file("a"), file("a")])


@pytest.mark.parametrize("size", [-1, 1 << 53, True, "1", 1.0, None])
def test_size_that_is_no_plausible_integer_is_refused(size):
    assert "size_bytes" in refusal(files=[file("a", size) if size is not None else {**file("a"), "size_bytes": []}])


def test_more_files_than_the_limit_are_refused():
    assert "list of at most" in refusal(files=[file(f"f{index}") for index in range(manifest.FILES_LIMIT + 1)])


@pytest.mark.parametrize("argv", [["{home}/x"], ["a\0"], "sh", [1], ["x"] * 65])
def test_command_line_with_anything_unknown_is_refused(argv):
    assert "argv" in refusal(meta={"services": [{"name": "camera", "argv": argv}]})


@pytest.mark.parametrize("name", ["../x", "Camera", "", "a" * 40, "-rf"])
def test_service_name_that_is_no_plain_word_is_refused(name):
    refusal(meta={"services": [{"name": name, "argv": ["x"]}]})


def test_service_named_twice_is_refused():
    assert "twice" in refusal(meta={"services": [{"name": "a", "argv": ["x"]}, {"name": "a", "argv": ["x"]}]})


def test_schema_path_outside_the_slot_is_refused():
    refusal(meta={"config_schema": "../secret"})


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"v":2}', b"\xff", b"[" * 5000, b" " * 70_000])
def test_bytes_that_are_no_manifest_are_refused(data):
    with pytest.raises(PortError) as caught:
        manifest.parse(data)

    assert caught.value.code == "RB-AGENT-023"


@pytest.mark.parametrize(
    "digest", ["", "sha256:", "sha256:" + "A" * 64, "md5:" + "0" * 64, "sha256:../../etc", "0" * 64]
)
def test_digest_that_is_none_never_becomes_a_name(digest):
    with pytest.raises(PortError):
        manifest.hex_of(digest)


def test_placeholders_are_filled_once_only():
    filled = manifest.fill(("{python}", "{dir}/a", "{golden}"), {"python": "{dir}", "dir": "/slot"})

    assert filled == ["{dir}", "/slot/a", "{golden}"]
