"""The answers that a comparison is made of, each with its score as graded and as a tolerant reading sees it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from snapdrift.conclusions import Comparison
from snapdrift.model import CallKey, CallResult, FormatCause, Outcome, Reading, Reason, Results, Score
from snapdrift.verdicts.score_tables import ScoreTables

NOTHING = 1e-9
"""Differences of scores below this are rounding."""

Tolerant = Callable[[Score], Reading | None]
"""Grades the answer behind a score again; None where its form is as asked for, or no reading finds more in it."""


@dataclass(frozen=True, slots=True)
class ScoreIndex:
    """A run's scores by variant and metric, how each call ended, and the case ids that each metric applies to."""

    scores: Mapping[tuple[str, str], Sequence[Score]]
    calls: Mapping[CallKey, CallResult]
    applicable: Mapping[str, frozenset[str]]

    def of(self, variant: str, metric: str) -> Iterator[Score]:
        """The scores of a metric on a variant; what comparisons leave out is left out here too."""
        return filter(self.counts, self.scores.get((variant, metric), ()))

    def counts(self, score: Score) -> bool:
        """Whether the call was measured and the metric applies to its case."""
        applicable = self.applicable.get(score.metric)
        return (applicable is None or score.case_id in applicable) and self.outcome(score).measured

    def outcome(self, score: Score) -> Outcome:
        """How the call of a score ended."""
        call = self.calls.get(CallKey(score.case_id, score.variant, score.repeat))
        return Outcome.MISSING if call is None else call.outcome

    def form_failure(self, score: Score) -> FormatCause | None:
        """Why a score says nothing about content, by its reason and how the call ended; None where it does.

        An answer that a grader does not accept because it should have been refused, and was given, is content.
        """
        if score.reason is Reason.NOT_ACCEPTED:
            return _ENDED_BY.get(self.outcome(score))
        if score.reason.not_extracted:
            return _ENDED_BY.get(self.outcome(score), FormatCause.UNREADABLE)
        return None


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer's two scores. `lost`: it holds nothing to judge, and `cause` says why."""

    repeat: int
    graded: float
    read: float
    cause: FormatCause | None
    lost: bool


@dataclass(frozen=True, slots=True)
class Sides:
    """The answers of the cases that pair, in one order; `sign` is -1 for a metric of which less is better."""

    cases: tuple[str, ...]
    baseline: tuple[Sequence[Answer], ...]
    candidate: tuple[Sequence[Answer], ...]
    clusters: NDArray[np.int64]
    sign: float

    def answers(self) -> Iterator[Answer]:
        """Every answer of either side."""
        return chain.from_iterable((*self.baseline, *self.candidate))


_ENDED_BY: Mapping[Outcome, FormatCause] = {
    Outcome.REFUSED: FormatCause.REFUSED,
    Outcome.TRUNCATED: FormatCause.TRUNCATED,
    Outcome.FILTERED: FormatCause.FILTERED,
    Outcome.TOOL_UNMATCHED: FormatCause.UNFINISHED,
    Outcome.STEP_LIMIT: FormatCause.UNFINISHED,
}


def index_scores(results: Results) -> ScoreIndex:
    """Sorts a run's scores once, for all comparisons."""
    found: dict[tuple[str, str], list[Score]] = defaultdict(list)
    for score in results.scores:
        found[score.variant, score.metric].append(score)
    return ScoreIndex(found, results.calls, results.applicable)


def read_sides(comparison: Comparison, index: ScoreIndex, tables: ScoreTables, tolerant: Tolerant) -> Sides:
    """Both sides of a comparison, over the cases that have an answer with a score on each."""
    scores = tables.metrics[comparison.metric]

    def answers(variant: str) -> dict[str, list[Answer]]:
        found: dict[str, list[Answer]] = defaultdict(list)
        for score in index.of(variant, comparison.metric):
            if score.value is not None:
                found[score.case_id].append(_answer(score, index, tolerant, binary=scores.binary))
        return found

    baseline, candidate = answers(comparison.baseline), answers(comparison.candidate)
    paired = [place for place, case in enumerate(tables.case_ids) if baseline.get(case) and candidate.get(case)]
    cases = tuple(tables.case_ids[place] for place in paired)
    return Sides(
        cases=cases,
        baseline=tuple(baseline[case] for case in cases),
        candidate=tuple(candidate[case] for case in cases),
        clusters=tables.clusters[paired],
        sign=1.0 if scores.spec.higher_is_better else -1.0,
    )


def _answer(score: Score, index: ScoreIndex, tolerant: Tolerant, *, binary: bool) -> Answer:
    graded = float(score.passed or 0) if binary else score.value or 0.0
    reading = tolerant(score)
    if reading is not None:
        read = float(reading.passed) if binary else reading.value
        return Answer(score.repeat, graded, read, reading.cause, lost=not reading.readable)
    cause = index.form_failure(score)
    return Answer(score.repeat, graded, graded, cause, lost=cause is not None)
