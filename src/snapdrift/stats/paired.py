"""Is the candidate worse or better than the baseline, case by case: McNemar, sign flips, t, and their clustered kin.

Differences are candidate minus baseline, one a case (repeats already averaged); `worse` is a mean below 0.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

MIN_CLUSTERS = 5
"""With 4 clusters the smallest one-sided sign-flip p-value is 1/16: nothing can be shown at 0.05."""
MONTE_CARLO_FLIPS = 99_999
_ENUMERATED = 16
_LATTICE_WORK = 20_000_000
_CHUNK = 2_000_000
_GROUPED = 4
"""Where magnitudes occur so often in the mean, signs are drawn for all equal ones at once."""
_TIE = 1e-9

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SidedP:
    """The p-values of one test: one-sided for worse, one-sided for better, two-sided."""

    worse: float
    better: float
    two_sided: float

    @classmethod
    def of_tails(cls, worse: float, better: float) -> SidedP:
        """From the two tails of a symmetric null distribution: two-sided is twice the smaller one, at most 1."""
        return cls(min(1.0, worse), min(1.0, better), min(1.0, 2 * min(worse, better)))


@dataclass(frozen=True, slots=True)
class McNemar:
    """McNemar's test of the discordant pairs, exact and mid-p."""

    exact: SidedP
    mid: SidedP


@dataclass(frozen=True, slots=True)
class SignFlip:
    """A sign-flip permutation test of the mean. `exact` is false where flips were drawn."""

    p: SidedP
    exact: bool


@dataclass(frozen=True, slots=True)
class TTest:
    """A t test of the mean against 0."""

    p: SidedP
    t: float
    degrees: int
    mean: float
    standard_error: float


@dataclass(frozen=True, slots=True)
class ClusterSums:
    """Differences added up within each cluster, and how many cases each holds. Arrays of one length."""

    sums: FloatArray
    sizes: FloatArray

    @property
    def effective(self) -> float:
        """Kish's effective number of clusters, (sum of sizes)^2 / sum of squared sizes: at most their number."""
        return float(self.sizes.sum() ** 2 / np.square(self.sizes).sum())


def binomial_tail(at_least: ArrayLike, trials: ArrayLike, probability: float) -> FloatArray:
    """P(X >= at_least) for X ~ Bin(trials, probability), elementwise; accurate far out in the tail."""
    k, m = np.broadcast_arrays(np.asarray(at_least, dtype=np.float64), np.asarray(trials, dtype=np.float64))
    inside = (k > 0) & (k <= m)
    tail = special.betainc(np.where(inside, k, 1.0), np.where(inside, m - k + 1, 1.0), probability)
    return np.where(inside, tail, np.where(k <= 0, 1.0, 0.0))


def mcnemar(only_baseline: int, only_candidate: int) -> McNemar:
    """McNemar's exact test and its mid-p version (Fagerland, Lydersen and Laake 2013, BMC Med. Res. Meth. 13:91).

    Given m discordant pairs, the number of regressions is Bin(m, 1/2) when nothing changed. Mid-p counts the observed
    table half. Without discordant pairs every p-value is 1.
    """
    if only_baseline < 0 or only_candidate < 0:
        raise ValueError(f"counts cannot be negative: {only_baseline}, {only_candidate}")
    m = only_baseline + only_candidate
    if m == 0:
        none = SidedP(1.0, 1.0, 1.0)
        return McNemar(none, none)
    worse = float(binomial_tail(only_baseline, m, 0.5))
    better = float(binomial_tail(only_candidate, m, 0.5))
    # In sorted order, so that swapping the arms swaps the result to the last bit.
    fewer, more = sorted((only_baseline, only_candidate))
    log_point = special.gammaln(m + 1) - special.gammaln(fewer + 1) - special.gammaln(more + 1)
    point = math.exp(log_point - m * math.log(2))
    exact = SidedP.of_tails(worse, better)
    both_ends = point / 2 if only_baseline == only_candidate else point
    return McNemar(exact, SidedP(worse - point / 2, better - point / 2, exact.two_sided - both_ends))


def sign_flip(differences: ArrayLike, seed: int) -> SignFlip:
    """Sign-flip permutation test that the differences are symmetric about 0, on their sum.

    Exact where the distribution can be had whole: equal magnitudes (a binomial), up to 16 non-zero differences
    (enumerated), or multiples of a common unit such as means of repeats (convolved). Else `MONTE_CARLO_FLIPS` drawn
    from `seed`, the observed one counted in, so that p is never 0.
    """
    values = np.asarray(differences, dtype=np.float64)
    values = values[np.abs(values) > _TIE]
    if values.size == 0:
        return SignFlip(SidedP(1.0, 1.0, 1.0), exact=True)
    magnitudes = np.abs(values)
    if np.ptp(magnitudes) <= _TIE:
        negative = int((values < 0).sum())
        return SignFlip(mcnemar(negative, values.size - negative).exact, exact=True)
    if values.size <= _ENUMERATED:
        return SignFlip(_tails(_all_sums(magnitudes), float(values.sum())), exact=True)
    lattice = _on_lattice(values)
    if lattice is not None:
        return SignFlip(_convolved(lattice), exact=True)
    return SignFlip(_drawn(values, seed), exact=False)


def paired_t(differences: ArrayLike) -> TTest:
    """The paired t test. Raises `ValueError` for fewer than two differences or when they do not vary."""
    values = np.asarray(differences, dtype=np.float64)
    if values.size < 2:
        raise ValueError(f"a t test needs two differences, found {values.size}")
    error = float(values.std(ddof=1)) / math.sqrt(values.size)
    return _t_test(float(values.mean()), error, values.size - 1)


def cluster_sums(values: ArrayLike, clusters: Sequence[Hashable]) -> ClusterSums:
    """Adds up the values of each cluster. The order of clusters is that of their first value."""
    data = np.asarray(values, dtype=np.float64)
    numbers: dict[Hashable, int] = {}
    index = np.array([numbers.setdefault(cluster, len(numbers)) for cluster in clusters], dtype=np.intp)
    if index.size != data.size:
        raise ValueError(f"{data.size} values have {index.size} cluster labels")
    sums = np.bincount(index, weights=data, minlength=len(numbers))
    return ClusterSums(sums.astype(np.float64), np.bincount(index, minlength=len(numbers)).astype(np.float64))


def cluster_standard_error(clusters: ClusterSums) -> float:
    """The CR1 standard error of the mean over cases: sqrt(G/(G-1) * sum of squared centred cluster sums) / n."""
    count, n = clusters.sums.size, clusters.sizes.sum()
    if count < 2:
        raise ValueError(f"a clustered standard error needs two clusters, found {count}")
    centred = clusters.sums - clusters.sizes * (clusters.sums.sum() / n)
    return float(math.sqrt(count / (count - 1) * np.square(centred).sum()) / n)


def cluster_t(clusters: ClusterSums) -> TTest:
    """The t test of the mean over cases with the CR1 standard error and G - 1 degrees of freedom."""
    mean = float(clusters.sums.sum() / clusters.sizes.sum())
    return _t_test(mean, cluster_standard_error(clusters), clusters.sums.size - 1)


def _t_test(mean: float, error: float, degrees: int) -> TTest:
    if error <= _TIE * max(abs(mean), 1e-3):
        raise ValueError("the differences do not vary: there is no t test")
    t = mean / error
    p = SidedP.of_tails(float(special.stdtr(degrees, t)), float(special.stdtr(degrees, -t)))
    return TTest(p, t, degrees, mean, error)


def _all_sums(magnitudes: FloatArray) -> FloatArray:
    """The sum under each of the 2^m choices of signs."""
    sums = np.zeros(1)
    for magnitude in magnitudes:
        sums = np.concatenate([sums - magnitude, sums + magnitude])
    return sums


def _tails(sums: FloatArray, observed: float) -> SidedP:
    slack = _TIE * max(1.0, abs(observed))
    worse = float((sums <= observed + slack).mean())
    better = float((sums >= observed - slack).mean())
    return SidedP.of_tails(worse, better)


def common_scale(magnitudes: FloatArray, most: int) -> int | None:
    """The smallest number by which all values are whole multiples of 1, or None when it would exceed `most`.

    Denominators up to 1,000 are looked for, so that values are recognised through their rounding errors.
    """
    scale = 1
    for value in magnitudes.tolist():
        scale = math.lcm(scale, Fraction(value).limit_denominator(1000).denominator)
        if scale > most:
            return None
    return scale if np.abs(np.rint(magnitudes * scale) - magnitudes * scale).max() <= _TIE * scale else None


def _on_lattice(values: FloatArray) -> NDArray[np.int64] | None:
    """The values as multiples of a common unit, or None when there is none coarse enough to convolve."""
    scale = common_scale(np.unique(np.abs(values)), _LATTICE_WORK // values.size)
    if scale is None:
        return None
    multiples = np.rint(values * scale)
    if float(np.abs(multiples).sum()) * values.size > _LATTICE_WORK:
        return None
    return multiples.astype(np.int64)


def _convolved(multiples: NDArray[np.int64]) -> SidedP:
    """Tails of the sum of independently signed integers, by adding one integer at a time."""
    reach = int(np.abs(multiples).sum())
    mass = np.zeros(2 * reach + 1)
    mass[reach] = 1.0
    for step in np.abs(multiples):
        mass = (np.roll(mass, step) + np.roll(mass, -step)) / 2
    observed = reach + int(multiples.sum())
    return SidedP.of_tails(float(mass[: observed + 1].sum()), float(mass[observed:].sum()))


def _drawn(values: FloatArray, seed: int) -> SidedP:
    """Tails over drawn signs, in chunks that bound the memory; (hits + 1) / (draws + 1)."""
    generator = np.random.default_rng(seed)
    observed, magnitudes = float(values.sum()), np.abs(values)
    distinct, counts = np.unique(magnitudes, return_counts=True)
    grouped = distinct.size * _GROUPED <= values.size
    slack = _TIE * max(1.0, abs(observed))
    worse = better = drawn = 0
    while drawn < MONTE_CARLO_FLIPS:
        size = min(MONTE_CARLO_FLIPS - drawn, max(1, _CHUNK // (distinct if grouped else values).size))
        if grouped:
            # Of m equal magnitudes only the number of negative ones matters.
            sums = (counts - 2 * generator.binomial(counts, 0.5, size=(size, counts.size))) @ distinct
        else:
            sums = generator.choice((-1.0, 1.0), size=(size, values.size)) @ magnitudes
        worse += int((sums <= observed + slack).sum())
        better += int((sums >= observed - slack).sum())
        drawn += size
    return SidedP.of_tails((worse + 1) / (drawn + 1), (better + 1) / (drawn + 1))
