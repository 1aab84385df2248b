"""What became of each call under a metric: passed, wrong, not JSON, refused, cut off, never answered."""

from __future__ import annotations

from collections import Counter

import numpy as np

from snapdrift.model import Outcome, Reason
from snapdrift.verdicts.score_tables import MetricScores, ScoreTables

ENDINGS: tuple[str, ...] = (
    Reason.PASSED,
    Reason.WRONG,
    Reason.SCHEMA_VIOLATION,
    Reason.INVALID_JSON,
    Reason.UNEXTRACTED,
    Outcome.REFUSED,
    Outcome.TRUNCATED,
    Outcome.FILTERED,
    Outcome.TOOL_UNMATCHED,
    Outcome.STEP_LIMIT,
    Reason.GRADER_ERROR,
    Outcome.OK,
    Outcome.API_ERROR,
    Outcome.MISSING,
)
"""Every ending, from the answer that was right to the call that got none. `ok` is an answer that nothing graded."""


def endings_of(scores: MetricScores, tables: ScoreTables, variant: int) -> dict[str, int]:
    """How many of a variant's planned calls that the metric applies to ended in each way, in the order of `ENDINGS`.

    An outcome that the grader does not accept stands for its score: refused, cut off and unreadable stay three things.
    """
    counts: Counter[str] = Counter()
    for case, repeat in np.argwhere(scores.planned[variant]):
        place = (variant, int(case), int(repeat))
        reason = scores.reasons.get(place)
        judged = reason is not None and reason is not Reason.NOT_ACCEPTED
        counts[reason.value if reason is not None and judged else tables.outcomes[place].value] += 1
    return {str(ending): counts[ending] for ending in ENDINGS if counts[ending]}
