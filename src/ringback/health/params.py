"""The numbers a release stakes: what it promises, how sure the gate must be, how many broken devices are affordable.

Decides: whether these numbers fit together. Never: invents one silently; every default is named here with its reason.

- Shares are integers in parts per million, so that a stored gate is the same number on every machine.
- p0 is a promise about the update, not an estimate; p1 is what the certificate must exclude; a budget is the number of
  failures that may be hidden among devices younger than its horizon.

Source of the defaults: the fleet's own failure rate times two, at least 0.2 %, in the design of the gate; a release
sets its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from ringback.stats import Certificate, SloGate, certificate, slo_gate

PPM = 1_000_000
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS

BUDGETS_MAX = 8
"""Horizons per release. Each costs one bound per stratum and tick; three are usual."""

HORIZON_MAX_MS = 90 * 24 * HOUR_MS
"""A horizon of more than 90 days proves nothing while the release matters."""


@dataclass(frozen=True, slots=True)
class Budget:
    """At most ``devices`` expected failures may be hidden among devices younger than ``horizon_ms``."""

    horizon_ms: int
    devices: int


BUDGETS: dict[str, tuple[Budget, ...]] = {
    "express": (Budget(30 * MINUTE_MS, 16),),
    "swift": (Budget(30 * MINUTE_MS, 4), Budget(4 * HOUR_MS, 40)),
    "standard": (Budget(30 * MINUTE_MS, 4), Budget(4 * HOUR_MS, 20), Budget(24 * HOUR_MS, 150)),
    "strict": (Budget(30 * MINUTE_MS, 2), Budget(4 * HOUR_MS, 10), Budget(24 * HOUR_MS, 50)),
}
"""Named budgets for releases that state none of their own. ``swift`` is the default: within a day at low harm."""


@dataclass(frozen=True, slots=True)
class GateParams:
    """The gate of one release.

    Attributes:
        p0_ppm: the SLO: share of devices that may fail (halting test).
        p1_ppm: the certificate shows that fewer than this fail.
        alpha_ppm: chance to halt a release that meets its SLO.
        beta_ppm: chance to certify a release at or above p1.
        delta_ppm: chance that the upper bound used for exposure is ever too low.
        budgets: by rising horizon.
        heartbeat_ms: an entered device unheard for this long has failed silently.
    """

    p0_ppm: int = 4_000
    p1_ppm: int = 10_000
    alpha_ppm: int = 10_000
    beta_ppm: int = 50_000
    delta_ppm: int = 100_000
    budgets: tuple[Budget, ...] = BUDGETS["swift"]
    heartbeat_ms: int = 30 * MINUTE_MS

    @property
    def alpha(self) -> float:
        """Chance to halt a release that meets its SLO, 0..1."""
        return self.alpha_ppm / PPM

    @property
    def beta(self) -> float:
        """Chance to certify a release at or above p1, 0..1."""
        return self.beta_ppm / PPM

    @property
    def delta(self) -> float:
        """Chance that the upper bound is ever too low, 0..1."""
        return self.delta_ppm / PPM

    @property
    def longest_horizon_ms(self) -> int:
        """Age past which a confirmed device is proven."""
        return self.budgets[-1].horizon_ms

    @property
    def shortest_horizon_ms(self) -> int:
        """Age at which a device first counts as verified for the exposure rule."""
        return self.budgets[0].horizon_ms


@dataclass(frozen=True, slots=True)
class BadGate:
    """Gate parameters that cannot be used: which, what was found, what is needed, and what to do."""

    code: str
    field: str
    found: str
    expected: str
    hint: str

    def __str__(self) -> str:
        return f"{self.code}: gate.{self.field} is {self.found}, expected {self.expected}. Hint: {self.hint}"


BAD_SHARE = "RB-HEALTH-001"
BAD_ORDER = "RB-HEALTH-002"
BAD_BUDGET = "RB-HEALTH-003"
BAD_HEARTBEAT = "RB-HEALTH-004"


def checked(gate: GateParams) -> GateParams | BadGate:
    """Return ``gate`` if its numbers fit together, else the first thing that is wrong with them."""
    return _bad_shares(gate) or _bad_budgets(gate) or _bad_heartbeat(gate) or gate


def _bad_shares(gate: GateParams) -> BadGate | None:
    ranges = (
        ("p0", gate.p0_ppm, 299_999, "promise a share of failing devices above 0 % and below 30 %"),
        ("p1", gate.p1_ppm, 999_999, "name the failure share that full release must exclude"),
        ("alpha", gate.alpha_ppm, 500_000, "1 % means one good release in a hundred may be halted"),
        ("beta", gate.beta_ppm, 500_000, "5 % means one bad release in twenty may be certified"),
        ("delta", gate.delta_ppm, 500_000, "10 % is usual for the exposure bound"),
    )
    for field, found, most, hint in ranges:
        if not 1 <= found <= most:
            return BadGate(BAD_SHARE, field, f"{found / 10_000:g} %", f"0.0001 % to {most / 10_000:g} %", hint)
    if gate.p1_ppm <= gate.p0_ppm:
        return BadGate(
            BAD_ORDER,
            "p1",
            f"{gate.p1_ppm / 10_000:g} %",
            f"more than p0, which is {gate.p0_ppm / 10_000:g} %",
            "a release that meets its SLO could never be certified; 2.5 times p0 is usual",
        )
    return None


def _bad_budgets(gate: GateParams) -> BadGate | None:
    if not 1 <= len(gate.budgets) <= BUDGETS_MAX:
        return BadGate(
            BAD_BUDGET, "budget", f"{len(gate.budgets)} entries", f"1 to {BUDGETS_MAX}", "state horizon and devices"
        )
    before_ms = 0
    for budget in gate.budgets:
        if not before_ms < budget.horizon_ms <= HORIZON_MAX_MS:
            return BadGate(
                BAD_BUDGET,
                "budget",
                f"a horizon of {budget.horizon_ms} ms",
                f"more than {before_ms} ms, at most {HORIZON_MAX_MS} ms",
                "list horizons from short to long",
            )
        if not 1 <= budget.devices <= 1_000_000:
            return BadGate(
                BAD_BUDGET,
                "budget",
                f"{budget.devices} devices",
                "1 to 1000000",
                "say how many broken devices you accept",
            )
        before_ms = budget.horizon_ms
    return None


def _bad_heartbeat(gate: GateParams) -> BadGate | None:
    if 1 <= gate.heartbeat_ms <= HORIZON_MAX_MS:
        return None
    return BadGate(
        BAD_HEARTBEAT,
        "heartbeat",
        f"{gate.heartbeat_ms} ms",
        f"1 ms to {HORIZON_MAX_MS} ms",
        "take three to five times the longest poll interval of the device classes",
    )


@lru_cache(maxsize=256)
def slo_engine(p0_ppm: int) -> SloGate:
    """Return engine A for a checked p0 (its terms are computed once per value)."""
    gate = slo_gate(p0_ppm / PPM)
    assert isinstance(gate, SloGate), gate
    return gate


@lru_cache(maxsize=256)
def certificate_engine(p1_ppm: int) -> Certificate:
    """Return the certificate for a checked p1."""
    built = certificate(p1_ppm / PPM)
    assert isinstance(built, Certificate), built
    return built
