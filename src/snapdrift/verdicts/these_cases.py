"""What the answers show about these very cases: only what a model varies from answer to answer is uncertain.

Worse and better by dealing each case's repeats anew to its two sides; interval and margin by t on the error that the
variances within cases add up to, or, where too little varies for that, by bets on the pairs of repeats
(`stats.within_cases` says why both hold). Clusters say how cases were found: of given cases they say nothing.
"""

from __future__ import annotations

import numpy as np

from snapdrift.stats.betting import Claim, betting_interval, betting_p_value
from snapdrift.stats.intervals import Interval
from snapdrift.stats.paired import SidedP, sign_flip
from snapdrift.stats.score_t import ScoreT
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
    least = 0.5**pairs.differences.size if values.preferences else least_deal_p(baseline, candidate)
    if _could_never_tell(least, pairs, question):
        return Evidence("none", None, None, None, None, pairs.discordance)
    scale = _scale(baseline, candidate, pairs)
    if values.preferences and (scale is None or len(baseline) <= FEW_CASES):
        # Two answers that are judged together change places together: dealing them one by one would say too much.
        flips = sign_flip(pairs.differences * pairs.weights, question.seed)
        method, p = "sign_flip_exact" if flips.exact else "sign_flip_monte_carlo", flips.p
    elif scale is None or len(baseline) <= FEW_CASES or _passes_and_fails(baseline, candidate):
        deals = deal_repeats(baseline, candidate, question.seed)
        method, p = "repeat_deals_exact" if deals.exact else "repeat_deals_monte_carlo", deals.p
    else:
        method, p = "these_cases_t", SidedP.of_tails(scale.p_below(0.0), scale.p_above(0.0))
    interval = _interval(values, pairs, scale, question)
    no_worse = _no_worse(pairs, scale, question)
    return Evidence(method, p, None, no_worse, shown_interval(interval, values), pairs.discordance)


def turned_repeats(values: PairedValues) -> tuple[FloatArray, FloatArray]:
    """The scores of both sides as [case, repeat], turned so that more is better."""
    sides = values.repeats or (values.baseline[:, None], values.candidate[:, None])
    return sides if values.higher_is_better else (1.0 - sides[0], 1.0 - sides[1])


def _could_never_tell(least: float, pairs: RepeatPairs, question: Question) -> bool:
    """Whether neither unanimity (then p is `least`) nor complete agreement of so many answers would be significant."""
    if least <= question.alpha:
        return False
    if question.margin is None:
        return True
    agreement = np.zeros(pairs.differences.size)
    return betting_p_value(agreement, -question.margin, Claim.ABOVE, weights=pairs.weights) > question.alpha


def _scale(baseline: FloatArray, candidate: FloatArray, pairs: RepeatPairs) -> ScoreT | None:
    """The t statistic's scale, where enough cases vary within themselves for it to be trusted; else None."""
    sides = (baseline, candidate)
    counts = [(~np.isnan(side)).sum(axis=1) for side in sides]
    varied = sum(int((np.nanmax(side, axis=1) - np.nanmin(side, axis=1) > ROUNDING).sum()) for side in sides)
    singles = sum(int((count == 1).sum()) for count in counts)
    few_answers = int(np.minimum(*counts).sum()) < FEW_CASES
    if few_answers or varied < FEW_CHANGES or len(baseline) < 2 or singles > _SINGLES * 2 * len(baseline):
        return None
    split = split_variance(baseline, candidate)
    # Were the true difference of passes and fails further off by x, the variance of the mean of so many answers a side
    # could be larger by x / answers: p(1 - p) changes by no more than p does.
    answers = float(pairs.weights.sum() ** 2 / np.square(pairs.weights).sum())
    slope = 1.0 / answers if _passes_and_fails(baseline, candidate) else 0.0
    return ScoreT(split.difference, split.these_cases_error**2, split.degrees, slope)


def _passes_and_fails(*sides: FloatArray) -> bool:
    return all(bool(np.isin(side[~np.isnan(side)], (0.0, 1.0)).all()) for side in sides)


def _no_worse(pairs: RepeatPairs, scale: ScoreT | None, question: Question) -> float | None:
    if question.margin is None:
        return None
    if scale is not None:
        return scale.p_above(-question.margin)
    return betting_p_value(pairs.differences, -question.margin, Claim.ABOVE, weights=pairs.weights)


def _interval(values: PairedValues, pairs: RepeatPairs, scale: ScoreT | None, question: Question) -> Interval:
    if scale is not None:
        found = scale.interval(question.two_sided)
    else:
        found = betting_interval(pairs.differences, question.two_sided, weights=pairs.weights)
    # Pairs leave out repeats that one side has more: the interval still holds the difference that is shown.
    shown = float(values.gains.mean())
    return Interval(max(-1.0, min(found.low, shown)), min(1.0, max(found.high, shown)))
