"""What the paired values of one metric show: estimate, interval and the tests that decide, by the data's shape.

One answer a case and pass/fail: exact McNemar, Tango. Else case means: sign flips up to 50 cases, paired t above,
corrected for skewness (a few answers that break weigh more than many that are a little better).
Cases that share a cluster: the same on cluster sums with CR1 errors. Values are turned so that more is better.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snapdrift.conclusions import PairTable
from snapdrift.model import Target, Verdict
from snapdrift.stats.betting import Claim, betting_interval, betting_p_value
from snapdrift.stats.intervals import (
    Interval,
    newcombe_interval,
    tango_interval,
    tango_test,
    wilson_interval,
)
from snapdrift.stats.paired import (
    MIN_CLUSTERS,
    ClusterSums,
    SidedP,
    cluster_standard_error,
    cluster_sums,
    mcnemar,
    sign_flip,
)
from snapdrift.stats.power import agreement_p_value, cases_for_no_worse, cases_of_agreement
from snapdrift.stats.skewness import adjusted_t, adjusted_t_interval

FEW_CASES = 50
"""Up to so many cases (or clusters) signs are flipped; below it means get the betting interval."""
FEW_CHANGES = 10
"""With fewer cases than this away from the commonest value a t statistic is not to be trusted."""
ROUNDING = 1e-12

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a comparison. `confidence` is one-sided; `margin` is None where none was set."""

    confidence: float
    margin: float | None
    seed: int
    target: Target = Target.CASES_LIKE_THESE

    @property
    def alpha(self) -> float:
        """The one-sided error rate of each claim."""
        return 1.0 - self.confidence

    @property
    def two_sided(self) -> float:
        """The confidence of the interval shown: 1 - 2 alpha, and never nothing."""
        return max(0.0, 1.0 - 2 * self.alpha)


@dataclass(frozen=True, slots=True)
class PairedValues:
    """Case means of both sides for the cases that pair, and the cluster of each case.

    `single` says that each value is one pass or fail, so that a table can be made. `repeats` are the scores themselves,
    baseline and candidate as [case, repeat] with NaN where unmeasured; None where each case has one. Of `preferences`
    the baseline's side is 0 throughout and the candidate's from -1 to 1: each is a difference already.
    """

    baseline: FloatArray
    candidate: FloatArray
    clusters: NDArray[np.int64]
    single: bool
    higher_is_better: bool = True
    repeats: tuple[FloatArray, FloatArray] | None = None
    preferences: bool = False

    @property
    def gains(self) -> FloatArray:
        """Differences, turned so that below 0 is worse. Rounding errors of repeats are removed."""
        differences = np.round(self.candidate - self.baseline, 12) + 0.0
        return differences if self.higher_is_better else -differences

    @property
    def decided_once(self) -> bool:
        """Whether each difference is that of one pass or fail, or of one preference: -1, 0 or 1."""
        return self.single or (self.preferences and self.repeats is None)

    @property
    def discordance(self) -> float:
        """The mean squared difference: for single passes and fails the share of cases whose result differs."""
        return float(np.square(self.gains).mean()) if self.gains.size else 0.0

    @property
    def clustered(self) -> bool:
        """Whether some cases share a cluster."""
        rising = bool((np.diff(self.clusters) > 0).all())
        return not rising and len(np.unique(self.clusters)) < self.clusters.size

    @property
    def independent(self) -> float:
        """How many independent cases these are worth: clusters by Kish's formula, else cases."""
        return float(self.clusters.size) if not self.clustered else self.grouped.effective

    @property
    def grouped(self) -> ClusterSums:
        """The gains summed by cluster."""
        return cluster_sums(self.gains, self.clusters.tolist())


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the data show. Tests are None when the cases could never tell; `ci` is in score units.

    `ci_newcombe` is Newcombe's interval of the same difference, for reading, where a table was made. What people's
    labels show has a `difference` of its own, the number of `independent` pairs that it is worth, and the weight that
    the judge has in it; all None where the scores themselves decide.
    """

    method: str
    p: SidedP | None
    p_mid: float | None
    p_no_worse: float | None
    ci: tuple[float, float] | None
    second_moment: float
    table: PairTable | None = None
    ci_newcombe: tuple[float, float] | None = None
    difference: float | None = None
    independent: float | None = None
    judge_weight: float | None = None


@dataclass(frozen=True, slots=True)
class _Test:
    method: str
    p: SidedP
    interval: Interval
    p_no_worse: float | None


def weigh(values: PairedValues, question: Question) -> Evidence:
    """Tests and interval of one comparison; no tests where no outcome could have shown anything."""
    table = _table(values) if values.single else None
    moment = values.discordance
    if could_never_tell(values, question):
        return Evidence("none", None, None, None, None, moment, table)
    if values.decided_once and not values.clustered:
        return _by_decided(values, question, moment, table)
    test = _by_clusters(values, question) if values.clustered else _by_cases(values, question)
    if values.clustered:
        moment *= _design_effect(values)
    return Evidence(test.method, test.p, None, test.p_no_worse, shown_interval(test.interval, values), moment, table)


def could_never_tell(values: PairedValues, question: Question) -> bool:
    """Whether no result of so few cases could have shown worse or better, nor "no worse than the margin"."""
    if values.gains.size == 0:
        return True
    if values.clustered:
        sums = values.grouped
        if sums.sums.size < MIN_CLUSTERS:
            return True
        agree = question.margin is not None and agreement_p_value(question.margin, sums.sizes) <= question.alpha
        return not agree and 0.5**sums.sums.size > question.alpha
    n = values.gains.size
    return 0.5**n > question.alpha and not _agreement_shows(n, values, question)


def choose_word(evidence: Evidence, p_adjusted: float | None, question: Question) -> Verdict:
    """The verdict, the first that holds. Shown worse takes the adjusted p, the other claims the plain ones."""
    if evidence.p is None or p_adjusted is None:
        return Verdict.INSUFFICIENT
    limit = question.alpha + ROUNDING
    no_worse = evidence.p_no_worse is not None and evidence.p_no_worse <= limit
    if p_adjusted <= limit:
        return Verdict.WORSE_WITHIN_MARGIN if no_worse else Verdict.REGRESSED
    if evidence.p.better <= limit:
        return Verdict.IMPROVED
    return Verdict.NO_WORSE if no_worse else Verdict.INCONCLUSIVE


def mean_interval(
    means: FloatArray, clusters: NDArray[np.int64], confidence: float, *, single: bool
) -> tuple[float, float] | None:
    """The interval of one variant's mean over cases: Wilson for single pass/fail, else t or betting, in [0, 1].

    None without cases, and where fewer than five clusters share all of them.
    """
    if means.size == 0:
        return None
    groups = len(np.unique(clusters))
    if groups < means.size:
        if groups < MIN_CLUSTERS:
            return None
        found = _cluster_interval(cluster_sums(means, clusters.tolist()), confidence, low=0.0)
    elif single:
        found = wilson_interval(int(means.sum()), means.size, confidence)
    else:
        found = _case_interval(means, confidence, low=0.0)
    return (max(0.0, found.low), min(1.0, found.high))


def _agreement_shows(n: int, values: PairedValues, question: Question) -> bool:
    if question.margin is None:
        return False
    needed = (
        cases_for_no_worse(question.margin, question.alpha)
        if values.decided_once
        else cases_of_agreement(question.margin, question.alpha)
    )
    return needed is not None and n >= needed


def _table(values: PairedValues) -> PairTable:
    baseline, candidate = values.baseline > 0.5, values.candidate > 0.5
    return PairTable(
        both_pass=int((baseline & candidate).sum()),
        only_baseline=int((baseline & ~candidate).sum()),
        only_candidate=int((~baseline & candidate).sum()),
        both_fail=int((~baseline & ~candidate).sum()),
    )


def _by_decided(values: PairedValues, question: Question, moment: float, table: PairTable | None) -> Evidence:
    """By the cases that differ: McNemar's test and Tango's interval take no more than their numbers either way."""
    gains, n = values.gains, values.gains.size
    worse, better = int((gains < 0).sum()), int((gains > 0).sum())
    tests = mcnemar(worse, better)
    interval = tango_interval(worse, better, n, question.two_sided)
    no_worse = None if question.margin is None else tango_test(worse, better, n, max(-1.0, -question.margin)).p_greater
    shown = shown_interval(interval, values)
    read = None
    if table is not None:
        counts = (table.both_pass, table.only_baseline, table.only_candidate, table.both_fail)
        newcombe = newcombe_interval(*counts, question.two_sided)
        read = (newcombe.low, newcombe.high)
    return Evidence("mcnemar_exact", tests.exact, tests.mid.worse, no_worse, shown, moment, table, read)


def _by_cases(values: PairedValues, question: Question) -> _Test:
    gains = values.gains
    units, varies = _each(gains), _varies(gains)
    if gains.size > FEW_CASES and varies:
        method, p = "paired_t", adjusted_t(units)
    else:
        flips = sign_flip(gains, question.seed)
        method, p = "sign_flip_exact" if flips.exact else "sign_flip_monte_carlo", flips.p
    interval = _case_interval(gains, question.two_sided, low=-1.0)
    return _Test(method, p, interval, _no_worse(units, question, by_t=varies and gains.size >= FEW_CASES))


def _by_clusters(values: PairedValues, question: Question) -> _Test:
    sums = values.grouped
    means = sums.sums / sums.sizes
    if sums.effective > FEW_CASES and _varies(means):
        method, p = "cluster_t", adjusted_t(sums)
    else:
        method, p = "cluster_sign_flip", sign_flip(sums.sums, question.seed).p
    interval = _cluster_interval(sums, question.two_sided, low=-1.0)
    return _Test(method, p, interval, _no_worse(sums, question, by_t=_clusters_vary(sums)))


def _each(values: FloatArray) -> ClusterSums:
    """Every case for itself."""
    return ClusterSums(values, np.ones_like(values))


def _no_worse(units: ClusterSums, question: Question, *, by_t: bool) -> float | None:
    """The p-value of "not worse than the margin": by t where it can be trusted, else by betting."""
    margin = question.margin
    if margin is None:
        return None
    if by_t:
        return adjusted_t(ClusterSums(units.sums + margin * units.sizes, units.sizes)).better
    return betting_p_value(units.sums / units.sizes, -margin, Claim.ABOVE, weights=units.sizes)


def _case_interval(values: FloatArray, confidence: float, *, low: float) -> Interval:
    if values.size < FEW_CASES or not _varies(values):
        return betting_interval(values, confidence, low=low)
    return _clipped(adjusted_t_interval(_each(values), confidence), low)


def _cluster_interval(sums: ClusterSums, confidence: float, *, low: float) -> Interval:
    if not _clusters_vary(sums):
        return betting_interval(sums.sums / sums.sizes, confidence, low=low, weights=sums.sizes)
    return _clipped(adjusted_t_interval(sums, confidence), low)


def _clusters_vary(sums: ClusterSums) -> bool:
    """Whether the error of clusters can be estimated: enough of them differ, and few do not hold most cases."""
    return sums.effective >= FEW_CHANGES and _varies(sums.sums / sums.sizes)


def _clipped(interval: Interval, low: float) -> Interval:
    return Interval(max(low, interval.low), min(1.0, interval.high))


def _varies(values: FloatArray) -> bool:
    """Whether enough values differ from the commonest one for a t statistic."""
    _, counts = np.unique(np.round(values, 9), return_counts=True)
    return values.size - int(counts.max()) >= FEW_CHANGES


def _design_effect(values: PairedValues) -> float:
    """By how much clustering widens the variance of the mean; at least 1, so that it never promises fewer cases."""
    gains = values.gains
    plain = float(gains.var(ddof=1)) / gains.size if gains.size > 1 else 0.0
    return 1.0 if plain <= 0 else max(1.0, cluster_standard_error(values.grouped) ** 2 / plain)


def shown_interval(interval: Interval, values: PairedValues) -> tuple[float, float]:
    """The interval of candidate minus baseline, whichever direction is better."""
    return (interval.low, interval.high) if values.higher_is_better else (-interval.high, -interval.low)
