"""Why a metric moved: how much of a difference is the form of the answers, how much is what they say.

Each stored answer has its score as graded, and may have a second one from a reading that puts up with its form. What
the two differ by is form. Answers of which no reading makes anything (refused, cut off) are form wherever the other
side has something to compare with; what remains is content. The parts add up to the difference, case by case.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from snapdrift.conclusions import Comparison
from snapdrift.explanations import Attribution, Part
from snapdrift.model import FormatCause
from snapdrift.stats.betting import betting_interval
from snapdrift.stats.paired import cluster_sums
from snapdrift.verdicts.answers import NOTHING, Answer, ScoreIndex, Sides, Tolerant, read_sides
from snapdrift.verdicts.broken import find_broken_gain
from snapdrift.verdicts.evidence import FloatArray, PairedValues, Question, weigh
from snapdrift.verdicts.looks import OPEN_ENDED
from snapdrift.verdicts.score_tables import ScoreTables

_Shares = dict[FormatCause | None, dict[int, float]]
"""What each cause adds to each case, by the number of the case among those that pair. Content is the first entry."""


def attribute(
    comparison: Comparison, index: ScoreIndex, tables: ScoreTables, tolerant: Tolerant, seed: int
) -> Attribution | None:
    """Takes a comparison's difference apart; None when no case pairs.

    Raises `ValueError` when the scores are not those that the comparison was made of: parts would not add up to it.
    """
    sides = read_sides(comparison, index, tables, tolerant)
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
    looked = comparison.stopped_early or comparison.method == OPEN_ENDED
    question = _Asked(Question(comparison.confidence, None, seed), looked)
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
        reread=sum(abs(one.graded - one.read) > NOTHING for one in sides.answers()),
        improved_by_breaking=find_broken_gain(comparison, index, tolerant, sides),
    )


def _take_apart(baseline: Sequence[Answer], candidate: Sequence[Answer], case: int, shares: _Shares) -> None:
    """Adds what one case's difference is made of to the shares of each cause.

    The difference of two means over repeats is the mean difference of all pairs of repeats, so pairs are taken apart.
    """
    if len(baseline) == len(candidate) == 1 and baseline[0].cause is candidate[0].cause is None:
        if candidate[0].graded != baseline[0].graded:
            _add(shares, None, case, candidate[0].graded - baseline[0].graded)
        return
    for side, answers in ((-1.0, baseline), (1.0, candidate)):
        for answer in answers:
            if answer.graded != answer.read:
                _add(shares, answer.cause, case, side * (answer.graded - answer.read) / len(answers))
    weight = 1.0 / (len(baseline) * len(candidate))
    for before in baseline:
        for after in candidate:
            difference = weight * (after.read - before.read)
            if difference:
                # Two lost answers are both worth the least there is and do not differ.
                lost = next((answer for answer in (before, after) if answer.lost), None)
                _add(shares, None if lost is None else lost.cause, case, difference)


def _add(shares: _Shares, cause: FormatCause | None, case: int, amount: float) -> None:
    shares.setdefault(cause, defaultdict(float))[case] += amount


def _part(cause: FormatCause | None, share: Mapping[int, float], sides: Sides) -> Part:
    furthest = sorted((case for case, by in share.items() if abs(by) > NOTHING), key=lambda case: -abs(share[case]))
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


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked of the parts; `looked`: how many cases there are was not fixed in advance."""

    question: Question
    looked: bool


def _interval(values: FloatArray, sides: Sides, asked: _Asked) -> tuple[float, float] | None:
    """The interval of the mean of values in [-1, 1], by the rules of a graded comparison.

    Where the run was looked at while it grew only betting holds, and that one value a unit.
    """
    if not asked.looked:
        return weigh(PairedValues(np.zeros(values.size), values, sides.clusters, single=False), asked.question).ci
    units = cluster_sums(values, sides.clusters.tolist())
    found = betting_interval(np.round(units.sums / units.sizes, 12), asked.question.two_sided)
    return found.low, found.high
