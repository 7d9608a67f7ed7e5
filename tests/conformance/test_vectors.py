"""The vectors are what the kernel does now; a change of them is a decision, not an accident."""

import json

import pytest

from tests.conformance import make


@pytest.fixture(scope="module")
def fresh() -> dict[str, object]:
    return make.vectors()


@pytest.mark.parametrize(
    "name", ["director.json", "desired.json", "constraints.json", "golden.json", "reports.json", "traces.json"]
)
def test_committed_vectors_are_what_the_kernel_does(fresh: dict[str, object], name: str) -> None:
    hint = "devices would act differently: look at the change, then PYTHONPATH=src:. python -m tests.conformance.make"

    assert json.loads((make.FOLDER / name).read_text()) == json.loads(make.text_of(fresh[name])), hint


def test_vectors_cover_every_phase_a_device_reports_in(fresh: dict[str, object]) -> None:
    seen = {step["phase"] for life in fresh["traces.json"] for step in life["steps"]}

    assert {
        "idle",
        "fetching",
        "announced",
        "activating",
        "trial",
        "confirmed",
        "reverting",
        "reverted",
        "refused",
    } <= seen
