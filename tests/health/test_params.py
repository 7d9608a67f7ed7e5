"""Gate parameters: defaults that fit, and every refusal with its text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ringback.health import BUDGETS, BadGate, Budget, GateParams, checked


@pytest.mark.parametrize("name", sorted(BUDGETS))
def test_every_named_budget_fits_the_default_gate(name: str) -> None:
    gate = GateParams(budgets=BUDGETS[name])

    assert checked(gate) is gate


def test_the_demo_gate_fits() -> None:
    gate = GateParams(p0_ppm=20_000, p1_ppm=100_000, budgets=(Budget(3_000, 16),), heartbeat_ms=5_000)

    assert checked(gate) is gate


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"p0_ppm": 0},
            (
                "RB-HEALTH-001: gate.p0 is 0 %, expected 0.0001 % to 29.9999 %. "
                "Hint: promise a share of failing devices above 0 % and below 30 %"
            ),
        ),
        (
            {"p0_ppm": 300_000},
            (
                "RB-HEALTH-001: gate.p0 is 30 %, expected 0.0001 % to 29.9999 %. "
                "Hint: promise a share of failing devices above 0 % and below 30 %"
            ),
        ),
        (
            {"p1_ppm": 1_000_000},
            (
                "RB-HEALTH-001: gate.p1 is 100 %, expected 0.0001 % to 99.9999 %. "
                "Hint: name the failure share that full release must exclude"
            ),
        ),
        (
            {"alpha_ppm": 600_000},
            (
                "RB-HEALTH-001: gate.alpha is 60 %, expected 0.0001 % to 50 %. "
                "Hint: 1 % means one good release in a hundred may be halted"
            ),
        ),
        (
            {"beta_ppm": -1},
            (
                "RB-HEALTH-001: gate.beta is -0.0001 %, expected 0.0001 % to 50 %. "
                "Hint: 5 % means one bad release in twenty may be certified"
            ),
        ),
        (
            {"delta_ppm": 0},
            "RB-HEALTH-001: gate.delta is 0 %, expected 0.0001 % to 50 %. Hint: 10 % is usual for the exposure bound",
        ),
        (
            {"p1_ppm": 4_000},
            (
                "RB-HEALTH-002: gate.p1 is 0.4 %, expected more than p0, which is 0.4 %. "
                "Hint: a release that meets its SLO could never be certified; 2.5 times p0 is usual"
            ),
        ),
        (
            {"budgets": ()},
            "RB-HEALTH-003: gate.budget is 0 entries, expected 1 to 8. Hint: state horizon and devices",
        ),
        (
            {"budgets": (Budget(5_000, 4), Budget(5_000, 9))},
            (
                "RB-HEALTH-003: gate.budget is a horizon of 5000 ms, "
                "expected more than 5000 ms, at most 7776000000 ms. "
                "Hint: list horizons from short to long"
            ),
        ),
        (
            {"budgets": (Budget(5_000, 0),)},
            (
                "RB-HEALTH-003: gate.budget is 0 devices, expected 1 to 1000000. "
                "Hint: say how many broken devices you accept"
            ),
        ),
        (
            {"heartbeat_ms": 0},
            (
                "RB-HEALTH-004: gate.heartbeat is 0 ms, expected 1 ms to 7776000000 ms. "
                "Hint: take three to five times the longest poll interval of the device classes"
            ),
        ),
    ],
)
def test_numbers_that_do_not_fit_are_refused_with_code_found_expected_and_hint(
    changes: dict[str, object], text: str
) -> None:
    refused = checked(replace(GateParams(), **changes))

    assert isinstance(refused, BadGate)
    assert str(refused) == text
