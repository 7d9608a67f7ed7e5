"""Sequential tests that stay valid however often one looks. Numbers only; knows no devices, clocks or rollouts.

Decides: how much counts, events and ranks prove. Never: what to do about it, and never turns a bad number into
evidence: every input from outside is checked once and refused as a ``BadNumber`` value.

- ``bernoulli``  engine A: failures against an SLO; certificate; anytime upper bound; sites as one factor.
- ``rate``       engine B: event rates against concurrent control.
- ``rank``       engine C: ranks of changes among fresh control devices.
- ``cusum``      e-CUSUM for the windows after promotion.
- ``background`` engines A and B together: silences that control devices show as well.
- ``combine``    pool and strata, weighted Bonferroni, the minimum.
"""

from ringback.stats.background import EXCUSABLE_MAX, evidence_beyond
from ringback.stats.bernoulli import (
    NOTHING_SEEN,
    Certificate,
    SloGate,
    Tally,
    certificate,
    slo_gate,
    tally,
    upper_bound,
)
from ringback.stats.combine import WeightedEvidence, e_bh, pooled, signals_crossed, stratum_crossed, worse_than_both
from ringback.stats.cusum import Cusum, CusumState, cusum_of_failures, cusum_of_ranks
from ringback.stats.mixture import EVIDENCE_MAX, crossed
from ringback.stats.rank import RankGate, RankState, rank_gate
from ringback.stats.rate import RateGate, RateState, rate_gate
from ringback.stats.refused import BadNumber
from ringback.stats.risk import ODDS_MAX_PPM, RiskSet, odds_ppm

__all__ = [
    "EVIDENCE_MAX",
    "EXCUSABLE_MAX",
    "NOTHING_SEEN",
    "ODDS_MAX_PPM",
    "BadNumber",
    "Certificate",
    "Cusum",
    "CusumState",
    "RankGate",
    "RankState",
    "RateGate",
    "RateState",
    "RiskSet",
    "SloGate",
    "Tally",
    "WeightedEvidence",
    "certificate",
    "crossed",
    "cusum_of_failures",
    "cusum_of_ranks",
    "e_bh",
    "evidence_beyond",
    "odds_ppm",
    "pooled",
    "rank_gate",
    "rate_gate",
    "signals_crossed",
    "slo_gate",
    "stratum_crossed",
    "tally",
    "upper_bound",
    "worse_than_both",
]
