"""What became of each call under a metric: passed, wrong, not JSON, refused, cut off, never answered."""

from __future__ import annotations

from collections import Counter

import numpy as np

from snapdrift.model import Outcome, Reason
from snapdrift.verdicts.call_columns import OUTCOMES
from snapdrift.verdicts.score_tables import NO_CODE, REASONS, MetricScores, ScoreTables

ENDINGS: tuple[str, ...] = (
    Reason.PASSED,
    Reason.WRONG,
    Reason.SCHEMA_VIOLATION,
    Reason.INVALID_JSON,
    Reason.UNEXTRACTED,
    Reason.INVALID_ARGUMENTS,
    Reason.TOOL_CALL_AS_TEXT,
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
    planned = scores.planned[variant]
    reasons, outcomes = scores.reasons[variant][planned], tables.outcomes[variant][planned]
    judged = (reasons != NO_CODE) & (reasons != REASONS.index(Reason.NOT_ACCEPTED))
    counts: Counter[str] = Counter()
    for words, codes in ((REASONS, reasons[judged]), (OUTCOMES, outcomes[~judged])):
        for word, number in zip(words, np.bincount(codes, minlength=len(words)).tolist(), strict=True):
            counts[word.value] += number
    return {str(ending): counts[ending] for ending in ENDINGS if counts[ending]}
