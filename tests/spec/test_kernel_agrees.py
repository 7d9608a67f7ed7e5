"""What a document may say is what a device can read: words, limits and grammars are those of the kernel."""

from __future__ import annotations

import pytest

from ringback.spec import artifact, device_class, names, rules, versions
from ringback_kernel import constraints, desired, errors, vocabulary


def test_probes_operators_and_levels_are_the_kernels() -> None:
    assert {name: probe.fields for name, probe in rules.PROBES.items()} == vocabulary.PROBES
    assert rules.OPERATORS == vocabulary.OPERATORS
    assert set(rules.LEVELS) == {vocabulary.REQUIRED, vocabulary.WANTED}


def test_limits_are_within_what_a_device_accepts() -> None:
    assert rules.RULES_MAX <= desired.MAX_RULES
    assert rules.STRIKES_MAX <= desired.MAX_STRIKES
    assert device_class.PLANES_MAX <= desired.MAX_PLANES
    assert device_class.PLANES_MAX * 2 <= desired.MAX_RUNGS
    assert artifact.CLASSES_MAX <= 64
    assert versions.CONSTRAINT.fullmatch("x" * constraints.MAX_TEXT)
    assert not versions.CONSTRAINT.fullmatch("x" * (constraints.MAX_TEXT + 1))


@pytest.mark.parametrize("text", ["app", "model/face", "a/b", "x" * 64, "x" * 65, "a/b/c", "/a", "a/", "A", "", "a_b"])
def test_planes_are_named_alike(text: str) -> None:
    assert names.is_plane(text) == desired.is_plane(text)


@pytest.mark.parametrize("text", ["sha256:" + "a" * 64, "sha256:" + "A" * 64, "sha256:" + "a" * 63, "a" * 64])
def test_digests_are_written_alike(text: str) -> None:
    assert names.is_digest(text) == desired.is_digest(text)


@pytest.mark.parametrize(
    "text", [">=1.1,<2", "==1.10", "!=1.5.0", " > 1 , <= 1.2 ", "rk3566|rk3568", "2048", ">=0.9.6", ">=1.0.0-rc.1"]
)
def test_every_constraint_that_a_document_may_hold_can_be_read_on_a_device(text: str) -> None:
    versions.parse_constraint(text, on_capability=True)

    assert constraints.parse(text)


def test_what_a_device_cannot_compare_satisfies_nothing() -> None:
    need = versions.parse_constraint(">=1.5", on_capability=True)
    with pytest.raises(errors.ConstraintError):
        constraints.satisfies(">=1.5", 2)

    assert not need.allows_value(2)
