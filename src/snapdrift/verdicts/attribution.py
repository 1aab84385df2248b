"""Why a metric moved: how much of a difference is the form of the answers, how much is what they say.

Each stored answer has its score as graded, and may have a second one from a reading that puts up with its form. What
the two differ by is form. Answers of which no reading makes anything (refused, cut off) are form wherever the other
side has something to compare with; what remains is content. The parts add up to the difference, case by case.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from snapdrift.conclusions import Comparison
from snapdrift.model import CallKey, CallResult, Outcome, Reason, Results, Score
from snapdrift.verdicts.evidence import FloatArray, PairedValues, Question, weigh
from snapdrift.verdicts.score_tables import ScoreTables

MOST = 0.5
"""An improvement is flagged when at least this share of it comes from answers that newly broke."""
_NOTHING = 1e-9


class FormatCause(StrEnum):
    """What is the matter with the form of an answer.

    `MALFORMED` is JSON that only a lenient reader takes, `UNFINISHED` a call that ended at a tool or its step limit,
    `UNREADABLE` an answer in which no reading finds what is asked for.
    """

    CODE_FENCE = "code_fence"
    PROSE = "prose"
    MISSING_FIELD = "missing_field"
    MALFORMED = "malformed"
    TOOL_CALL_AS_TEXT = "tool_call_as_text"
    TRUNCATED = "truncated"
    REFUSED = "refused"
    FILTERED = "filtered"
    UNFINISHED = "unfinished"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Reading:
    """A stored answer graded again by a tolerant reading, where that found something about its form.

    `value` in [0, 1] and `passed` are as in a score; `cause` is what had to be put up with. Not `readable` is an answer
    that holds nothing to judge under any reading (a field that is not there).
    """

    value: float
    passed: bool
    cause: FormatCause
    readable: bool = True

    def __post_init__(self) -> None:
        if not 0.0 <= self.value <= 1.0:
            raise ValueError(f"a reading has a value in [0, 1], found {self.value}")
        if not self.readable and (self.value or self.passed):
            raise ValueError(f"an answer that holds nothing to judge is worth 0, found {self.value}")


Tolerant = Callable[[Score], Reading | None]
"""Grades the answer behind a score again; None where its form is as asked for, or no reading finds more in it."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a difference, in score units: what content (`cause` None) or one format cause adds to it.

    `worse` and `better` are the ids of the cases that it moves either way, those moved furthest first.
    """

    cause: FormatCause | None
    amount: float
    worse: tuple[str, ...] = ()
    better: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BrokenGain:
    """An improvement that comes from answers that broke: `gain` is all of it, `from_broken` what those answers gave.

    Both are turned so that above 0 is better. `case_ids` are the cases that gained by breaking.
    """

    gain: float
    from_broken: float
    case_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attribution:
    """A comparison's difference (candidate minus baseline, score units) as `format` plus `content`.

    `causes` add up to `format`, the largest first. Intervals are the comparison's 1 - 2 alpha ones, for reading: None
    where the cases are too few to tell. `reread` counts the answers that a tolerant reading scores otherwise.
    """

    metric: str
    baseline: str
    candidate: str
    n: int
    difference: float
    format: float
    content: float
    format_ci: tuple[float, float] | None
    content_ci: tuple[float, float] | None
    causes: tuple[Part, ...]
    content_part: Part
    reread: int
    improved_by_breaking: BrokenGain | None = None


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
class _Answer:
    """One answer's two scores. `lost`: it holds nothing to judge, and `cause` says why."""

    repeat: int
    graded: float
    read: float
    cause: FormatCause | None
    lost: bool


_ENDED_BY: Mapping[Outcome, FormatCause] = {
    Outcome.REFUSED: FormatCause.REFUSED,
    Outcome.TRUNCATED: FormatCause.TRUNCATED,
    Outcome.FILTERED: FormatCause.FILTERED,
    Outcome.TOOL_UNMATCHED: FormatCause.UNFINISHED,
    Outcome.STEP_LIMIT: FormatCause.UNFINISHED,
}

_SAYS_NOTHING = frozenset({Reason.UNEXTRACTED, Reason.INVALID_JSON, Reason.NOT_ACCEPTED})

_Shares = dict[FormatCause | None, dict[int, float]]
"""What each cause adds to each case, by the number of the case among those that pair. Content is the first entry."""


@dataclass(frozen=True, slots=True)
class _Sides:
    """The answers of the cases that pair, in one order; `sign` is -1 for a metric of which less is better."""

    cases: tuple[str, ...]
    baseline: tuple[Sequence[_Answer], ...]
    candidate: tuple[Sequence[_Answer], ...]
    clusters: NDArray[np.int64]
    sign: float

    def answers(self) -> Iterator[_Answer]:
        """Every answer of either side."""
        return chain.from_iterable((*self.baseline, *self.candidate))


def index_scores(results: Results) -> ScoreIndex:
    """Sorts a run's scores once, for all comparisons."""
    found: dict[tuple[str, str], list[Score]] = defaultdict(list)
    for score in results.scores:
        found[score.variant, score.metric].append(score)
    return ScoreIndex(found, results.calls, results.applicable)


def attribute(
    comparison: Comparison, index: ScoreIndex, tables: ScoreTables, tolerant: Tolerant, seed: int
) -> Attribution | None:
    """Takes a comparison's difference apart; None when no case pairs.

    Raises `ValueError` when the scores are not those that the comparison was made of: parts would not add up to it.
    """
    sides = _sides(comparison, index, tables, tolerant)
    n = len(sides.cases)
    if n != comparison.n:
        raise ValueError(f"{comparison.metric}: the comparison has {comparison.n} cases, these scores pair {n}")
    if not n:
        return None
    shares: _Shares = {None: defaultdict(float)}
    for number in range(n):
        _take_apart(sides.baseline[number], sides.candidate[number], number, shares)
    parts = [_part(cause, share, sides) for cause, share in shares.items()]
    content = _column([shares[None]], n)
    form = _column([share for cause, share in shares.items() if cause is not None], n)
    question = Question(comparison.confidence, None, seed)
    # Form can move a case by up to 2: a gain that was form only, where content lost all there was, or the reverse.
    halved = _interval(form / 2, sides, question)
    return Attribution(
        metric=comparison.metric,
        baseline=comparison.baseline,
        candidate=comparison.candidate,
        n=n,
        difference=float(form.mean() + content.mean()),
        format=float(form.mean()),
        content=float(content.mean()),
        format_ci=None if halved is None else (2 * halved[0], 2 * halved[1]),
        content_ci=_interval(content, sides, question),
        causes=tuple(
            sorted((part for part in parts[1:] if part.worse or part.better), key=lambda part: -abs(part.amount))
        ),
        content_part=parts[0],
        reread=sum(abs(one.graded - one.read) > _NOTHING for one in sides.answers()),
        improved_by_breaking=_gain_by_breaking(comparison, index, tolerant, sides),
    )


def _sides(comparison: Comparison, index: ScoreIndex, tables: ScoreTables, tolerant: Tolerant) -> _Sides:
    scores = tables.metrics[comparison.metric]

    def answers(variant: str) -> dict[str, list[_Answer]]:
        found: dict[str, list[_Answer]] = defaultdict(list)
        for score in index.of(variant, comparison.metric):
            if score.value is not None:
                found[score.case_id].append(_answer(score, index, tolerant, binary=scores.binary))
        return found

    baseline, candidate = answers(comparison.baseline), answers(comparison.candidate)
    paired = [place for place, case in enumerate(tables.case_ids) if baseline.get(case) and candidate.get(case)]
    cases = tuple(tables.case_ids[place] for place in paired)
    return _Sides(
        cases=cases,
        baseline=tuple(baseline[case] for case in cases),
        candidate=tuple(candidate[case] for case in cases),
        clusters=tables.clusters[paired],
        sign=1.0 if scores.spec.higher_is_better else -1.0,
    )


def _answer(score: Score, index: ScoreIndex, tolerant: Tolerant, *, binary: bool) -> _Answer:
    graded = float(score.passed or 0) if binary else score.value or 0.0
    reading = tolerant(score)
    if reading is not None:
        read = float(reading.passed) if binary else reading.value
        return _Answer(score.repeat, graded, read, reading.cause, lost=not reading.readable)
    cause = index.form_failure(score)
    return _Answer(score.repeat, graded, graded, cause, lost=cause is not None)


def _take_apart(baseline: Sequence[_Answer], candidate: Sequence[_Answer], case: int, shares: _Shares) -> None:
    """Adds what one case's difference is made of to the shares of each cause.

    The difference of two means over repeats is the mean difference of all pairs of repeats, so pairs are taken apart.
    """
    for side, answers in ((-1.0, baseline), (1.0, candidate)):
        for answer in answers:
            if answer.graded != answer.read:
                _add(shares, answer.cause, case, side * (answer.graded - answer.read) / len(answers))
    weight = 1.0 / (len(baseline) * len(candidate))
    for before in baseline:
        for after in candidate:
            difference = weight * (after.read - before.read)
            if difference:
                # Two lost answers are both worth 0 and do not differ.
                lost = next((answer for answer in (before, after) if answer.lost), None)
                _add(shares, None if lost is None else lost.cause, case, difference)


def _add(shares: _Shares, cause: FormatCause | None, case: int, amount: float) -> None:
    shares.setdefault(cause, defaultdict(float))[case] += amount


def _part(cause: FormatCause | None, share: Mapping[int, float], sides: _Sides) -> Part:
    furthest = sorted((case for case, by in share.items() if abs(by) > _NOTHING), key=lambda case: -abs(share[case]))
    return Part(
        cause=cause,
        amount=sum(share.values()) / len(sides.cases),
        worse=tuple(sides.cases[case] for case in furthest if sides.sign * share[case] < 0),
        better=tuple(sides.cases[case] for case in furthest if sides.sign * share[case] > 0),
    )


def _column(shares: Sequence[Mapping[int, float]], n: int) -> FloatArray:
    """What the shares add to each case."""
    column = np.zeros(n)
    for share in shares:
        for case, by in share.items():
            column[case] += by
    return column


def _interval(values: FloatArray, sides: _Sides, question: Question) -> tuple[float, float] | None:
    """The interval of the mean of values in [-1, 1], by the rules of a graded comparison."""
    return weigh(PairedValues(np.zeros(values.size), values, sides.clusters, single=False), question).ci


def _gain_by_breaking(
    comparison: Comparison, index: ScoreIndex, tolerant: Tolerant, sides: _Sides
) -> BrokenGain | None:
    """The flag, where most of an improvement comes from pairs in which only the candidate's answer is broken."""
    gain = sides.sign * (comparison.difference or 0.0)
    if gain <= _NOTHING:
        return None
    lost_before = _lost_calls(comparison.baseline, index, tolerant)
    lost_after = _lost_calls(comparison.candidate, index, tolerant)

    def broken(answer: _Answer, case: str, lost: frozenset[tuple[str, int]]) -> bool:
        flattered = sides.sign * (answer.graded - answer.read) > _NOTHING
        return flattered or answer.lost or (case, answer.repeat) in lost

    by_case: dict[str, float] = {}
    for case, before, after in zip(sides.cases, sides.baseline, sides.candidate, strict=True):
        intact = [answer.graded for answer in before if not broken(answer, case, lost_before)]
        newly = [answer.graded for answer in after if broken(answer, case, lost_after)]
        pairs = len(before) * len(after)
        by_case[case] = sides.sign * (sum(newly) * len(intact) - sum(intact) * len(newly)) / pairs
    from_broken = sum(by_case.values()) / len(by_case)
    if from_broken < MOST * gain - _NOTHING:
        return None
    return BrokenGain(gain, from_broken, tuple(case for case, by in by_case.items() if by > _NOTHING))


def _lost_calls(variant: str, index: ScoreIndex, tolerant: Tolerant) -> frozenset[tuple[str, int]]:
    """Calls (case id, repeat) of a variant whose answer holds nothing to judge for some metric, read tolerantly too."""
    found = set()
    for (of, _), scores in index.scores.items():
        for score in scores if of == variant else ():
            if score.reason in _SAYS_NOTHING and index.form_failure(score) is not None and index.counts(score):
                reading = tolerant(score)
                if reading is None or not reading.readable:
                    found.add((score.case_id, score.repeat))
    return frozenset(found)
