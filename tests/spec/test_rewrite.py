"""A rewrite changes one version and leaves every other byte: comments, order, quotes, spaces."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringback.spec.problem import SpecError
from ringback.spec.release import parse_release
from ringback.spec.rewrite import set_version

FULL = (Path(__file__).parent / "good" / "release_full.yaml").read_text()


def test_one_version_changes_and_every_comment_stays() -> None:
    changed = set_version(FULL, "model/face", "blazeface@1.2.0")

    assert changed == FULL.replace("blazeface@1.1.0", "blazeface@1.2.0")


def test_a_full_reference_is_written_in_the_short_form() -> None:
    changed = set_version(FULL, "model/face", "model/face/blazeface@1.2.0")

    assert changed == FULL.replace("blazeface@1.1.0", "blazeface@1.2.0")


def test_a_new_plane_goes_behind_the_others_with_their_indentation() -> None:
    changed = set_version(FULL, "model/voice", "silero@6.2.0")

    line = "  model/face: blazeface@1.1.0   # int8, calibrated on scenes\n"
    assert changed == FULL.replace(line, line + "  model/voice: silero@6.2.0\n")


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ("{app: door@1.0.0}", "{app: door@1.0.0, config: door@2.0.0}"),
        ("{ app: 'door@1.0.0', }", "{ app: 'door@1.0.0', config: door@2.0.0}"),
    ],
)
def test_a_mapping_in_braces_stays_one(versions: str, expected: str) -> None:
    text = f"release: first\ntargets: {{classes: [ab]}}\nversions: {versions}\n"

    assert set_version(text, "config", "door@2.0.0") == text.replace(versions, expected)


def test_a_file_without_a_last_newline_gets_its_new_line() -> None:
    text = "release: first\ntargets: {classes: [ab]}\nversions:\n  app: door@1.0.0"

    assert set_version(text, "config", "door@2.0.0") == text + "\n  config: door@2.0.0\n"


def test_a_quoted_version_and_a_digest_are_replaced_whole() -> None:
    digest = "sha256:" + "b" * 64
    text = 'release: first\ntargets: {classes: [ab]}\nversions: {app: "door@1.0.0"}\n'

    changed = set_version(text, "app", digest)

    assert parse_release(changed).versions[0].digest == digest


@pytest.mark.parametrize(
    "text",
    [
        "release: first\nreason: &v door@1.0.0\ntargets: {classes: [ab]}\nversions: {app: *v, config: *v}\n",
        "release: first\ntargets: {classes: [ab]}\nversions: {app: &v door@1.0.0, config: *v}\n",
    ],
)
def test_a_version_behind_an_alias_is_refused_instead_of_changed_elsewhere(text: str) -> None:
    with pytest.raises(SpecError) as refused:
        set_version(text, "app", "door@2.0.0")

    assert refused.value.problems[0].found == "a version behind an alias"


@pytest.mark.parametrize(
    ("plane", "ref", "code"), [("App", "door@1.0.0", "RB-SPEC-009"), ("app", "door", "RB-SPEC-014")]
)
def test_a_bad_plane_or_reference_is_refused(plane: str, ref: str, code: str) -> None:
    with pytest.raises(SpecError) as refused:
        set_version(FULL, plane, ref)

    assert refused.value.code == code
