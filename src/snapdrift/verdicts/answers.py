"""The answers that a comparison is made of, each with its score as graded and as a tolerant reading sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snapdrift.conclusions import Comparison
from snapdrift.model import FormatCause, Outcome, Reading, Reason, Results, Score
from snapdrift.verdicts.call_columns import OUTCOMES
from snapdrift.verdicts.score_tables import NO_CODE, CodeArray, ScoreTables

NOTHING = 1e-9
"""Differences of scores below this are rounding."""

Tolerant = Callable[[Score], Reading | None]
"""Grades the answer behind a score again; None where its form is as asked for, or no reading finds more in it."""


@dataclass(frozen=True, slots=True)
class ScoreIndex:
    """A run's scores by variant and metric, each with how its call ended; they are read whenever they are asked for.

    What comparisons leave out is left out here too: calls that were not measured, cases a metric does not apply to.
    `outcomes` are codes by variant, case and repeat, whose places the others have.
    """

    results: Results
    outcomes: CodeArray
    variants: Mapping[str, int]
    cases: Mapping[str, int]
    repeats: Mapping[int, int]

    def of(self, variant: str, metric: str | None = None) -> Iterator[tuple[Score, Outcome]]:
        """The scores of a variant, or of one metric of it."""
        place = self.variants.get(variant)
        for score in () if place is None else self.results.scores_of(variant, metric):
            outcome = self._outcome_of(score, place)
            applicable = self.results.applicable.get(score.metric)
            if outcome in _MEASURED and (applicable is None or score.case_id in applicable):
                yield score, outcome

    def _outcome_of(self, score: Score, variant: int | None) -> Outcome:
        case, repeat = self.cases.get(score.case_id), self.repeats.get(score.repeat)
        if variant is None or case is None or repeat is None:
            return Outcome.MISSING
        code = int(self.outcomes[variant, case, repeat])
        return Outcome.MISSING if code == NO_CODE else OUTCOMES[code]


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


_MEASURED = frozenset(outcome for outcome in Outcome if outcome.measured)


def index_scores(results: Results, tables: ScoreTables) -> ScoreIndex:
    """Where a run's scores belong, for all comparisons. `tables` are its calls and scores as arrays."""
    places = {case: place for place, case in enumerate(tables.case_ids)}
    return ScoreIndex(results, tables.outcomes, tables.variants, places, tables.repeats)


def form_failure(score: Score, outcome: Outcome) -> FormatCause | None:
    """Why a score says nothing about content, by its reason and how the call ended; None where it does.

    An answer that a grader does not accept because it should have been refused, and was given, is content.
    """
    if score.reason is Reason.PASSED:
        return None
    if score.reason is Reason.NOT_ACCEPTED:
        return _ENDED_BY.get(outcome)
    if score.reason.not_extracted or score.reason is Reason.INVALID_ARGUMENTS:
        return _ENDED_BY.get(outcome, FormatCause.UNREADABLE)
    return None


def read_sides(comparison: Comparison, index: ScoreIndex, tables: ScoreTables, tolerant: Tolerant) -> Sides:
    """Both sides of a comparison, over the cases that have an answer with a score on each."""
    scores = tables.metrics[comparison.metric]
    alike: dict[Answer | tuple[Answer, ...], Any] = {}

    def answers(variant: str) -> list[tuple[Answer, ...]]:
        """Those of each case. Most are like others, of which one is kept: a run has a hundred thousand of them."""
        found: list[tuple[Answer, ...]] = [()] * len(tables.case_ids)
        for score, outcome in index.of(variant, comparison.metric):
            if score.value is not None:
                answer = _answer(score, outcome, tolerant, binary=scores.binary)
                of_case = (*found[index.cases[score.case_id]], alike.setdefault(answer, answer))
                found[index.cases[score.case_id]] = alike.setdefault(of_case, of_case)
        return found

    baseline, candidate = answers(comparison.baseline), answers(comparison.candidate)
    paired = [place for place in range(len(tables.case_ids)) if baseline[place] and candidate[place]]
    return Sides(
        cases=tuple(tables.case_ids[place] for place in paired),
        baseline=tuple(baseline[place] for place in paired),
        candidate=tuple(candidate[place] for place in paired),
        clusters=tables.clusters[paired],
        sign=1.0 if scores.spec.higher_is_better else -1.0,
    )


def _answer(score: Score, outcome: Outcome, tolerant: Tolerant, *, binary: bool) -> Answer:
    graded = float(score.passed or 0) if binary else score.value or 0.0
    reading = tolerant(score)
    if reading is not None:
        read = float(reading.passed) if binary else reading.value
        return Answer(score.repeat, graded, read, reading.cause, lost=not reading.readable)
    cause = form_failure(score, outcome)
    return Answer(score.repeat, graded, graded, cause, lost=cause is not None)
