"""What the answers show about these very cases: only what a model varies from answer to answer is uncertain.

Worse and better by dealing each case's repeats anew to its two sides; interval and margin by t on the error that the
variances within cases add up to, or, where too little varies for that, by bets on the pairs of repeats
(`stats.within_cases` says why both hold). Clusters say how cases were found: of given cases they say nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from snapdrift.stats.betting import Claim, betting_interval, betting_p_value
from snapdrift.stats.intervals import Interval
from snapdrift.stats.paired import SidedP
from snapdrift.stats.variance import split_variance
from snapdrift.stats.within_cases import RepeatPairs, deal_repeats, least_deal_p, pair_repeats
from snapdrift.verdicts.evidence import (
    FEW_CASES,
    FEW_CHANGES,
    ROUNDING,
    Evidence,
    FloatArray,
    PairedValues,
    Question,
    shown_interval,
)

_SINGLES = 0.1
"""With a larger share of case sides that have one measured repeat, their variances are guessed too often for t."""


def weigh_these_cases(values: PairedValues, question: Question) -> Evidence:
    """Tests and interval of one comparison about these cases; no tests where no outcome could have shown anything."""
    baseline, candidate = turned_repeats(values)
    if values.gains.size == 0:
        return Evidence("none", None, None, None, None, 0.0)
    pairs = pair_repeats(baseline, candidate)
    if _could_never_tell(baseline, candidate, pairs, question):
        return Evidence("none", None, None, None, None, pairs.discordance)
    scale = _scale(baseline, candidate, pairs)
    if scale is None or len(baseline) <= FEW_CASES or scale.passes_and_fails:
        deals = deal_repeats(baseline, candidate, question.seed)
        method, p = "repeat_deals_exact" if deals.exact else "repeat_deals_monte_carlo", deals.p
    else:
        method, p = "these_cases_t", SidedP.of_tails(scale.p_below(0.0), scale.p_above(0.0))
    interval = _interval(values, pairs, scale, question)
    no_worse = _no_worse(pairs, scale, question)
    return Evidence(method, p, None, no_worse, shown_interval(interval, values), pairs.discordance)


@dataclass(frozen=True, slots=True)
class _Scale:
    """What a t statistic about these cases is made of.

    The variance of passes and fails depends on their mean: were the true difference further off by x, it could be
    larger by x / answers, answers being those of a side. It is taken at that, at the null, as a score test does; else a
    candidate that happened to fail seldom would look both better and surer than it is. Graded scores have the observed
    one.
    """

    difference: float
    variance: float
    degrees: float
    answers: float
    passes_and_fails: bool

    def p_above(self, null: float) -> float:
        """The one-sided p-value of a difference above `null`."""
        return float(special.stdtr(self.degrees, -self._t(null)))

    def p_below(self, null: float) -> float:
        """The one-sided p-value of a difference below `null`."""
        return float(special.stdtr(self.degrees, self._t(null)))

    def interval(self, confidence: float) -> Interval:
        """All differences that neither test rejects: where distance^2 = t^2 (variance + slope distance)."""
        t = float(special.stdtrit(self.degrees, 0.5 + confidence / 2))
        slope = t * t * self._slope
        reach = (slope + math.sqrt(slope * slope + 4 * t * t * self.variance)) / 2
        return Interval(self.difference - reach, self.difference + reach)

    @property
    def _slope(self) -> float:
        return 1.0 / self.answers if self.passes_and_fails else 0.0

    def _t(self, null: float) -> float:
        distance = self.difference - null
        return distance / math.sqrt(self.variance + abs(distance) * self._slope)


def turned_repeats(values: PairedValues) -> tuple[FloatArray, FloatArray]:
    """The scores of both sides as [case, repeat], turned so that more is better."""
    sides = values.repeats or (values.baseline[:, None], values.candidate[:, None])
    return sides if values.higher_is_better else (1.0 - sides[0], 1.0 - sides[1])


def _could_never_tell(baseline: FloatArray, candidate: FloatArray, pairs: RepeatPairs, question: Question) -> bool:
    """Whether neither unanimity nor complete agreement of so many answers would have been significant."""
    if least_deal_p(baseline, candidate) <= question.alpha:
        return False
    if question.margin is None:
        return True
    agreement = np.zeros(pairs.differences.size)
    return betting_p_value(agreement, -question.margin, Claim.ABOVE, weights=pairs.weights) > question.alpha


def _scale(baseline: FloatArray, candidate: FloatArray, pairs: RepeatPairs) -> _Scale | None:
    """The t statistic's scale, where enough cases vary within themselves for it to be trusted; else None."""
    sides = (baseline, candidate)
    counts = [(~np.isnan(side)).sum(axis=1) for side in sides]
    varied = sum(int((np.nanmax(side, axis=1) - np.nanmin(side, axis=1) > ROUNDING).sum()) for side in sides)
    singles = sum(int((count == 1).sum()) for count in counts)
    few_answers = int(np.minimum(*counts).sum()) < FEW_CASES
    if few_answers or varied < FEW_CHANGES or len(baseline) < 2 or singles > _SINGLES * 2 * len(baseline):
        return None
    split = split_variance(baseline, candidate)
    return _Scale(
        difference=split.difference,
        variance=split.these_cases_error**2,
        degrees=split.degrees,
        answers=float(pairs.weights.sum() ** 2 / np.square(pairs.weights).sum()),
        passes_and_fails=all(bool(np.isin(side[~np.isnan(side)], (0.0, 1.0)).all()) for side in sides),
    )


def _no_worse(pairs: RepeatPairs, scale: _Scale | None, question: Question) -> float | None:
    if question.margin is None:
        return None
    if scale is not None:
        return scale.p_above(-question.margin)
    return betting_p_value(pairs.differences, -question.margin, Claim.ABOVE, weights=pairs.weights)


def _interval(values: PairedValues, pairs: RepeatPairs, scale: _Scale | None, question: Question) -> Interval:
    if scale is not None:
        found = scale.interval(question.two_sided)
    else:
        found = betting_interval(pairs.differences, question.two_sided, weights=pairs.weights)
    # Pairs leave out repeats that one side has more: the interval still holds the difference that is shown.
    shown = float(values.gains.mean())
    return Interval(max(-1.0, min(found.low, shown)), min(1.0, max(found.high, shown)))
