"""Does the candidate cost more: money, output tokens, latency. Ratios of candidate to baseline; above 1 is more.

A stated ratio is tested by the scores of `stats.ratio_scores`, one a case, which are 0 on average if it is true.
Sign flips of such scores are exact where the two arms are exchangeable but for the ratio, and their p-value rises with
the stated ratio, so an interval is all ratios that are not rejected. Costs are unbounded, so nothing can be said of a
mean from few cases that changed, or from scores in which a few weigh most (`stats.skewness`); the balanced ratio is
bounded and takes zeros, so it answers there, by t where that can be trusted, else by betting.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from snapdrift.stats.betting import Claim, betting_p_value
from snapdrift.stats.intervals import Interval
from snapdrift.stats.paired import ClusterSums, SidedP, sign_flip
from snapdrift.stats.ratio_scores import (
    WIDEST,
    Calls,
    CaseMeans,
    Quantity,
    RatioScores,
    balanced_ratio,
    measured_calls,
    opened,
    ratio_of_geometric_means,
    ratio_of_means,
    ratio_of_quantiles,
)
from snapdrift.stats.skewness import adjusted_t, steady

FEW_UNITS = 50
"""Where no more cases (or clusters) than this changed, "more" is tested by sign flips, else by t."""
FEW_CHANGES = 10
"""With fewer cases (or clusters) than this away from the commonest ratio a t statistic is not to be trusted."""
FEW_SPARSE_CHANGES = 30
"""The same where most did not change: then the scores are skewed (with 20 of 200, t errs in 9% of cases, not 5%)."""
_BISECTIONS = 30
_FIRST_STEP = 0.03
_TIE = 1e-12


@dataclass(frozen=True, slots=True)
class RelativeQuestion:
    """What is asked: the one-sided `confidence` of each claim, and the relative limit (0.2 allows a fifth more)."""

    confidence: float
    max_increase: float | None
    seed: int

    def __post_init__(self) -> None:
        if not 0.5 < self.confidence < 1:
            raise ValueError(f"a one-sided confidence lies in (0.5, 1), found {self.confidence}")
        if self.max_increase is not None and not self.max_increase >= 0:
            raise ValueError(f"a relative limit cannot be negative, found {self.max_increase}")

    @property
    def alpha(self) -> float:
        """The error rate of each claim; the interval has it on either side."""
        return 1.0 - self.confidence


@dataclass(frozen=True, slots=True)
class RelativeChange:
    """Candidate over baseline, over the cases measured on both sides.

    `quantity` is what was compared: `BALANCED` where the one asked for could not be. `method` names the test of "more",
    `interval_method` that of limit and interval: `adjusted_t`, `sign_flip` or `betting`.
    `baseline` and `candidate` are levels in the data's unit (plain means for `BALANCED`), over cases of equal weight.
    `ratio` and the ends of the interval are in [0, inf]; 0 and inf say that this side is open. `p_more` and `p_less`
    are one-sided against "as much"; `p_within` is against "by the limit or more", `p_over` against "by the limit or
    less" (None without a limit). `units` is the number of clusters, else of cases; `left_out` cases lack a call
    measured on both sides; `both_zero` cases say nothing of a ratio. `could_show_more` is false where no outcome of
    so few would have been significant.
    """

    quantity: Quantity
    method: str
    interval_method: str
    baseline: float
    candidate: float
    ratio: float
    interval: Interval
    p_more: float
    p_less: float
    p_within: float | None
    p_over: float | None
    cases: int
    units: int
    left_out: int
    both_zero: int
    could_show_more: bool


def relative_change(
    baseline: ArrayLike,
    candidate: ArrayLike,
    quantity: Quantity,
    question: RelativeQuestion,
    *,
    clusters: Sequence[Hashable] | None = None,
) -> RelativeChange:
    """The ratio of the means, or of the geometric means, of case means.

    Arrays are (cases,) or (cases, repeats) of one shape, NaN where a call was not measured; repeats are averaged
    within their case, over those measured on both sides. `clusters` has one label a case. "More" is tested by sign
    flips where up to 50 cases (or clusters) changed in another way than most, else by t corrected for skewness (CR1
    with clusters); limit and interval by that t. Where fewer than ten changed so, or fewer than 30 and less than half,
    both come from betting on the balanced ratio. The balanced ratio also takes the place of a mean of which too much
    hangs on few cases (`skewness.steady`), and of geometric means where a case is 0 on one side only.
    Raises `ValueError` for other shapes, negative or infinite values, or no case measured on both sides.
    """
    if quantity is Quantity.QUANTILE:
        raise ValueError("a quantile is compared by `quantile_change`, which is told which one")
    calls = measured_calls(baseline, candidate, clusters)
    cases = CaseMeans(calls.by_case(calls.baseline), calls.by_case(calls.candidate), calls.clusters)
    informative = cases.informative
    balanced = balanced_ratio(informative)
    reach = int(np.count_nonzero(informative.units(informative.baseline + informative.candidate).sums))
    compared = _comparable(quantity, cases, balanced)
    if compared is None:
        # One claim at a time: wealth is what takes long here.
        less, more = (partial(_betting_p, balanced.scores, claim) for claim in (Claim.BELOW, Claim.ABOVE))
        tails = _Tails("betting", less, more)
    else:
        tails = _Tails.of("adjusted_t", lambda ratio: adjusted_t(compared.scores(ratio)))
    return _answer(calls, compared or balanced, tails, question, reach)


def quantile_change(
    baseline: ArrayLike,
    candidate: ArrayLike,
    share: float,
    question: RelativeQuestion,
    *,
    clusters: Sequence[Hashable] | None = None,
) -> RelativeChange:
    """The ratio of two quantiles, such as the 95th percentile for `share` = 0.95; arrays as for `relative_change`.

    A level is the smallest value that at least `share` of the calls do not exceed (no interpolation). Tests and
    interval are sign flips (t with many cases beyond) of the share of a case's calls that lie beyond the common
    quantile, so they need calls out there: at 0.95 no fewer than 50 calls a side can show "more" at 95%.
    Exact where the distributions differ by a factor only. Where their densities at the quantile differ by a factor g,
    the variance of the score is up to 2 (1 + g^2) / (1 + g)^2 of what is assumed: 1.11 for g = 2.
    Raises `ValueError` as `relative_change` does, and for a share outside (0, 1).
    """
    if not 0 < share < 1:
        raise ValueError(f"a quantile's share lies in (0, 1), found {share}")
    calls = measured_calls(baseline, candidate, clusters)
    compared = ratio_of_quantiles(calls, share)
    tails = _Tails.of("sign_flip", partial(_tested_tails, compared.scores, question.seed))
    reach = math.floor(2 * calls.baseline.size * (1 - share) + _TIE)
    return _answer(calls, compared, tails, question, reach)


@dataclass(frozen=True, slots=True)
class _Tails:
    """The test of a stated ratio, by name: its p-values for "less than that" and for "more than that"."""

    method: str
    less: Callable[[float], float]
    more: Callable[[float], float]

    @classmethod
    def of(cls, method: str, sided: Callable[[float], SidedP]) -> _Tails:
        return cls(method, lambda ratio: sided(ratio).worse, lambda ratio: sided(ratio).better)


def _comparable(quantity: Quantity, cases: CaseMeans, balanced: RatioScores) -> RatioScores | None:
    """The quantity asked for if t can be trusted with it, else the balanced ratio if with that, else None."""
    if not _enough_changes(balanced.scores(1.0)):
        return None
    if quantity is Quantity.MEAN:
        asked = ratio_of_means(cases)
    elif quantity is Quantity.GEOMETRIC_MEAN and cases.informative.positive:
        asked = ratio_of_geometric_means(cases.informative)
    else:
        asked = balanced
    return next((one for one in (asked, balanced) if 0 < one.ratio < math.inf and steady(one.scores(one.ratio))), None)


def _answer(
    calls: Calls,
    compared: RatioScores,
    tails: _Tails,
    question: RelativeQuestion,
    reach: int,
) -> RelativeChange:
    """All claims of one comparison; no more than `reach` units can differ from 0."""
    units = compared.scores(1.0)
    method, p = _tested(units, question.seed)
    limit = None if question.max_increase is None else 1 + question.max_increase
    both_zero = (calls.by_case(calls.baseline) == 0) & (calls.by_case(calls.candidate) == 0)
    return RelativeChange(
        quantity=compared.quantity,
        method=method,
        interval_method=tails.method,
        baseline=compared.baseline,
        candidate=compared.candidate,
        ratio=compared.ratio,
        interval=_inverted(tails, compared.ratio, question.alpha),
        p_more=p.better,
        p_less=p.worse,
        p_within=None if limit is None else tails.less(limit),
        p_over=None if limit is None else tails.more(limit),
        cases=calls.cases,
        units=units.sums.size,
        left_out=calls.left_out,
        both_zero=int(both_zero.sum()),
        could_show_more=0.5 ** min(units.sums.size, reach) <= question.alpha + _TIE,
    )


def _tested(units: ClusterSums, seed: int) -> tuple[str, SidedP]:
    """The test that the scores are 0 on average: t where many units changed, else sign flips."""
    prefix = "cluster_" if units.sizes.max() > 1 else ""
    if _changes(units) > FEW_UNITS:
        return f"{prefix}adjusted_t", adjusted_t(units)
    flips = sign_flip(units.sums, seed)
    return f"{prefix}sign_flip_{'exact' if flips.exact else 'monte_carlo'}", flips.p


def _tested_tails(scores: Callable[[float], ClusterSums], seed: int, ratio: float) -> SidedP:
    return _tested(scores(ratio), seed)[1]


def _betting_p(scores: Callable[[float], ClusterSums], claim: Claim, ratio: float) -> float:
    units = scores(ratio)
    return betting_p_value(units.sums / units.sizes, 0.0, claim, weights=units.sizes)


def _inverted(tails: _Tails, estimate: float, alpha: float) -> Interval:
    """All ratios that neither tail rejects at alpha; a side on which even a billionfold is not rejected is open."""
    inside = -WIDEST if estimate == 0 else min(WIDEST, max(-WIDEST, math.log(estimate)))

    def bound(edge: float, p_value: Callable[[float], float]) -> float:
        if p_value(edge) > alpha:
            return opened(edge)
        kept, rejected = _bracket(inside, edge, lambda at: p_value(at) > alpha)
        while abs(rejected - kept) > 2 * WIDEST * 0.5**_BISECTIONS:
            middle = (kept + rejected) / 2
            kept, rejected = (middle, rejected) if p_value(middle) > alpha else (kept, middle)
        return math.exp(rejected)

    return Interval(
        bound(-WIDEST, lambda log_ratio: tails.more(math.exp(log_ratio))),
        bound(WIDEST, lambda log_ratio: tails.less(math.exp(log_ratio))),
    )


def _bracket(inside: float, edge: float, keeps: Callable[[float], bool]) -> tuple[float, float]:
    """The last log ratio that is kept and the first that is rejected, in doubling steps from the estimate outwards."""
    kept, step = inside, math.copysign(_FIRST_STEP, edge - inside)
    while abs(kept + step - inside) < abs(edge - inside):
        if not keeps(kept + step):
            return kept, kept + step
        kept, step = kept + step, 2 * step
    return kept, edge


def _enough_changes(units: ClusterSums) -> bool:
    changes = _changes(units)
    return changes >= (FEW_CHANGES if 2 * changes >= units.sums.size else FEW_SPARSE_CHANGES)


def _changes(units: ClusterSums) -> int:
    """How many units differ from the commonest value; of many, from the median, which is the commonest of a majority.

    Where no value has a majority both are more than is asked for anywhere.
    """
    means = np.round(units.sums / units.sizes, 9)
    if means.size > 2 * FEW_UNITS:
        middle = np.partition(means, means.size // 2)[means.size // 2]
        return int(np.count_nonzero(means != middle))
    _, counts = np.unique(means, return_counts=True)
    return means.size - int(counts.max())
