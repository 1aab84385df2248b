"""What makes a result less sure than its figures look: sentences for a person, which change no verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from snapdrift.conclusions import Comparison
from snapdrift.model import Gate
from snapdrift.verdicts import words
from snapdrift.verdicts.evidence import ROUNDING
from snapdrift.verdicts.pairing import observed_discordance
from snapdrift.verdicts.planned import PlannedComparison
from snapdrift.verdicts.score_tables import ScoreTables


def grader_doubts(planned: Sequence[PlannedComparison], tables: ScoreTables) -> tuple[str, ...]:
    """Gating comparisons in which no answer of either side passes, or none could be read: both sides then agree.

    Such agreement looks like a candidate that is no worse, and is more often a grader that is wrong.
    """
    return tuple(text for one in planned if one.gating for text in _grader_doubts(one, tables))


def _grader_doubts(one: PlannedComparison, tables: ScoreTables) -> Iterator[str]:
    scores = tables.metrics[one.metric]
    if scores.spec.pairwise:  # its baseline ties with itself, so that both sides never agree by a fault
        return
    sides = [tables.variants[one.pair.baseline], tables.variants[one.pair.candidate]]
    scored = ~np.isnan(scores.compared[sides])
    if not scored.any(axis=(1, 2)).all():
        return
    where = (
        f"on {words.cases(int(scored.any(axis=(0, 2)).sum()))} (`{one.pair.candidate}` against `{one.pair.baseline}`)"
    )
    if (scores.unextracted[sides] == scored.sum(axis=(1, 2))).all():
        yield f"Nothing could be extracted for `{one.metric}` from any answer {where}: is `extract` right?"
    elif scores.binary and scores.spec.higher_is_better and not np.nansum(scores.compared[sides]):
        yield f"No answer of either side passes `{one.metric}` {where}: is the grader right?"


def sight_doubts(
    planned: Sequence[PlannedComparison], comparisons: Sequence[Comparison], tables: ScoreTables, gate: Gate
) -> tuple[str, ...]:
    """Gating comparisons whose results differ more than the gate assumes, so that they see less than was promised."""
    return tuple(
        words.sight_sentence(comparison, observed, gate.discordance, tables.metrics[one.metric].spec)
        for one, comparison in zip(planned, comparisons, strict=True)
        if one.gating and (observed := observed_discordance(one, tables, gate.target)) > gate.discordance + ROUNDING
    )
