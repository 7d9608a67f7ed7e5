"""An act passes when all it claimed holds, and the summary says what it found."""

import json

import pytest

from ringback.demo.result import ActFailed, ActResult, Ledger, summary


def test_a_claim_that_does_not_hold_is_kept_with_what_happened() -> None:
    ledger = Ledger()
    ledger.claim("nothing was activated", True, "0 devices")
    ledger.claim("no further ring saw it", False, "ring 2 opened")

    assert [claim.happened for claim in ledger.broken()] == ["ring 2 opened"]


def test_a_requirement_that_does_not_hold_ends_the_act_with_its_reason() -> None:
    with pytest.raises(ActFailed, match="expected: a verdict within 30 s; happened: still waiting"):
        Ledger().require("a verdict within 30 s", False, "still waiting")


def test_the_summary_has_the_keys_that_scripts_read() -> None:
    result = ActResult(
        number=3,
        name="lens-cap",
        title="A bad model",
        passed=True,
        expected="refused before activation",
        happened="refused on 3 canaries",
        reason="",
        claims=(),
        devices_exposed=3,
        devices_harmed=0,
        seconds=7.25,
        seconds_to_verdict=2.123,
        seconds_to_healthy=None,
        planes_reverted=(),
        planes_untouched=("app", "config"),
    )

    document = json.loads(json.dumps(summary(7, 120.04, [result], more={"setup_seconds": 9.0})))

    assert (document["seed"], document["seconds"], document["setup_seconds"]) == (7, 120.0, 9.0)
    act = document["acts"][0]
    assert {"name", "passed", "expected", "happened", "devices_exposed", "devices_harmed"} <= set(act)
    assert (act["seconds_to_verdict"], act["seconds_to_healthy"]) == (2.12, None)
    assert (act["planes_reverted"], act["planes_untouched"]) == ([], ["app", "config"])
