"""What is concluded from a run: comparisons, summaries, the decision, and all that stands beside them.

Plain, frozen records as in `model`, which has what is asked and answered; everybody imports them from here. `verdicts`
makes them, a run file keeps them, reports read them. `docs/design/verdicts.md` says how one comes of the other.
"""

from snapdrift.conclusions.comparisons import (
    Comparison,
    LeftOut,
    Operational,
    PairTable,
    Sequential,
    Sufficiency,
    VarianceParts,
)
from snapdrift.conclusions.evaluation import Decision, Draw, EarlierVerdict, Evaluation
from snapdrift.conclusions.identities import AliasMove, Control, ControlMetric, LedgerEntry, Parity, ParityMetric
from snapdrift.conclusions.summaries import MetricSummary, ReusedAnswers, VariantSummary

__all__ = [
    "AliasMove",
    "Comparison",
    "Control",
    "ControlMetric",
    "Decision",
    "Draw",
    "EarlierVerdict",
    "Evaluation",
    "LedgerEntry",
    "LeftOut",
    "MetricSummary",
    "Operational",
    "PairTable",
    "Parity",
    "ParityMetric",
    "ReusedAnswers",
    "Sequential",
    "Sufficiency",
    "VarianceParts",
    "VariantSummary",
]
