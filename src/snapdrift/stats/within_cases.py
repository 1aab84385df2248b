"""Is the candidate worse on these very cases: tests that rest on what the model varies by itself, and on nothing else.

The cases are given. What is random is which answers a case got, so that each repeat of each side is a draw of its own,
independent of the others. Two things follow.

**Nothing changed on any case.** Then the repeats of a case's two sides could have been dealt to them in any other way,
and the p-value is the share of deals that look at least as bad. Exact for any scores, any number of cases and repeats;
with one repeat of passes and fails it is McNemar's test. Where cases did move, but up and down alike, the deals vary at
least as much as the truth (x(1 - x) is concave) at equal numbers of repeats, so the test errs on the safe side.

**The mean difference is a stated one.** The difference of two repeats of a case has that case's own mean. Bets on
independent values with different means lose on average what bets on values of their common mean do, or more: the
geometric mean of the expected factors is at most the arithmetic one. So `betting` holds for the pairs of repeats of all
cases together, though they are no draws from one population. Nothing else is assumed, and no width is ever zero.

Scores are arrays [case, repeat] in [0, 1], NaN where a call was not measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft, special

from snapdrift.stats.paired import MONTE_CARLO_FLIPS, FloatArray, SidedP, SignFlip, common_scale

_MOST_DEALS = 1000
"""Up to so many deals of a case's repeats are listed (six repeats a side have 924)."""
_MOST_CELLS = 20_000_000
_RESOLVED = 1e-14
"""What a sum by Fourier transform can tell from nothing."""
_TIE = 1e-9
_CHUNK = 2_000_000
_FEWEST_DRAWS = 9_999
_MOST_DRAWN = 100_000_000
"""With more cases fewer deals are drawn, down to `_FEWEST_DRAWS`, so that the time stays bounded."""


@dataclass(frozen=True, slots=True)
class RepeatPairs:
    """Differences of single repeats, candidate minus baseline, and the weight with which each counts.

    A case has as many pairs as its side with fewer repeats; its pairs weigh 1 together.
    """

    differences: FloatArray
    weights: FloatArray

    @property
    def discordance(self) -> float:
        """The mean squared difference of a pair, each case counting alike."""
        return float(np.average(np.square(self.differences), weights=self.weights))


@dataclass(frozen=True, slots=True)
class _Deals:
    """The differences of one case's means under every deal of its repeats, and the probability of each."""

    differences: FloatArray
    chances: FloatArray


def deal_repeats(baseline: ArrayLike, candidate: ArrayLike, seed: int) -> SignFlip:
    """The permutation test that no case changed: each case's repeats dealt anew to its sides, on the mean difference.

    Exact where all differences are multiples of a common unit (passes and fails always are, unless repeats are missing
    in too many ways); else up to `MONTE_CARLO_FLIPS` deals are drawn from `seed`, the observed one counted in. Cases
    without a score on a side are left out.
    """
    old, new = _paired(baseline, candidate)
    observed = float((np.nanmean(new, axis=1) - np.nanmean(old, axis=1)).sum()) if old.size else 0.0
    pools = [np.sort(np.concatenate([a[~np.isnan(a)], b[~np.isnan(b)]])) for a, b in zip(old, new, strict=True)]
    counts = [int((~np.isnan(a)).sum()) for a in old]
    varied = [index for index, pool in enumerate(pools) if np.ptp(pool) > _TIE]
    if not varied:
        return SignFlip(SidedP(1.0, 1.0, 1.0), exact=True)
    keys = [(tuple(pools[index].tolist()), counts[index]) for index in varied]
    tally: dict[tuple[tuple[float, ...], int], int] = {}
    for key in keys:
        tally[key] = tally.get(key, 0) + 1
    listed = {key: _deals(*key) for key in tally}
    found = _summed([(deals, tally[key]) for key, deals in listed.items() if deals is not None], observed)
    if found is not None and all(deals is not None for deals in listed.values()):
        return SignFlip(found, exact=True)
    return SignFlip(_drawn(listed, tally, observed, seed), exact=False)


def pair_repeats(baseline: ArrayLike, candidate: ArrayLike) -> RepeatPairs:
    """The measured repeats of each case paired in their order; repeats that one side has more are left out."""
    old, new = _paired(baseline, candidate)
    # Measured repeats first, in their order: a missing one must not leave a whole pair without its other half.
    old, new = (np.take_along_axis(s, np.argsort(np.isnan(s), axis=1, kind="stable"), axis=1) for s in (old, new))
    width = min(old.shape[1], new.shape[1])
    differences = new[:, :width] - old[:, :width]
    both = ~np.isnan(differences)
    weights = np.broadcast_to(1.0 / np.maximum(both.sum(axis=1, keepdims=True), 1), both.shape)
    return RepeatPairs(np.round(differences[both], 12) + 0.0, weights[both])


def least_deal_p(baseline: ArrayLike, candidate: ArrayLike) -> float:
    """The smallest p-value that any scores could have had: every case falls from passing always to passing never."""
    old, new = _paired(baseline, candidate)
    a, b = (~np.isnan(old)).sum(axis=1).astype(np.float64), (~np.isnan(new)).sum(axis=1).astype(np.float64)
    deals = special.gammaln(a + b + 1) - special.gammaln(a + 1) - special.gammaln(b + 1)
    return float(np.exp(-deals.sum()))


def _paired(baseline: ArrayLike, candidate: ArrayLike) -> tuple[FloatArray, FloatArray]:
    old, new = np.asarray(baseline, dtype=np.float64), np.asarray(candidate, dtype=np.float64)
    if old.ndim != 2 or new.ndim != 2 or len(old) != len(new):
        raise ValueError(f"scores are [case, repeat] of the same cases, found {old.shape} and {new.shape}")
    scored = ~np.isnan(old).all(axis=1) & ~np.isnan(new).all(axis=1)
    return old[scored], new[scored]


@lru_cache(maxsize=4096)
def _deals(pool: tuple[float, ...], baseline: int) -> _Deals | None:
    """Every deal of a case's scores, `baseline` of them to the baseline; None where there are too many to list."""
    values, candidate = np.array(pool), len(pool) - baseline
    total = float(values.sum())
    if np.isin(values, (0.0, 1.0)).all():
        passes = np.arange(max(0, round(total) - baseline), min(round(total), candidate) + 1, dtype=np.float64)
        chances = _hypergeometric(passes, len(pool), round(total), candidate)
        return _Deals(passes / candidate - (total - passes) / baseline, chances)
    if math.comb(len(pool), candidate) > _MOST_DEALS:
        return None
    sums = values[_hands(len(pool), candidate)].sum(axis=1)
    differences, counts = np.unique(np.round(sums / candidate - (total - sums) / baseline, 12), return_counts=True)
    return _Deals(differences, counts / counts.sum())


@lru_cache(maxsize=64)
def _hands(cards: int, held: int) -> NDArray[np.intp]:
    return np.array(list(combinations(range(cards), held)), dtype=np.intp)


def _hypergeometric(passes: FloatArray, answers: int, passed: int, drawn: int) -> FloatArray:
    """P(so many of the `drawn` answers are among the `passed`)."""

    def log_choose(n: FloatArray | float, k: FloatArray | float) -> FloatArray:
        return np.asarray(special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1))

    logs = log_choose(float(passed), passes) + log_choose(float(answers - passed), drawn - passes)
    masses = np.exp(logs - log_choose(float(answers), float(drawn)))
    return np.asarray(masses / masses.sum())


def _summed(deals: list[tuple[_Deals, int]], observed: float) -> SidedP | None:
    """Both tails of the sum of independent differences; None where they have no common unit that is coarse enough."""
    if not deals:
        return None
    distinct = np.unique(np.abs(np.concatenate([one.differences for one, _ in deals])))
    scale = common_scale(distinct, most=_MOST_CELLS)
    if scale is None:
        return None
    steps = [np.rint(one.differences * scale).astype(np.int64) for one, _ in deals]
    lowest = sum(int(step.min()) * times for step, (_, times) in zip(steps, deals, strict=True))
    width = sum(int(np.ptp(step)) * times for step, (_, times) in zip(steps, deals, strict=True)) + 1
    length = fft.next_fast_len(width, real=True)
    if length * len(deals) > _MOST_CELLS:
        return None
    spectrum = np.ones(length // 2 + 1, dtype=np.complex128)
    for step, (one, times) in zip(steps, deals, strict=True):
        mass = np.zeros(int(np.ptp(step)) + 1)
        np.add.at(mass, step - step.min(), one.chances)
        spectrum *= fft.rfft(mass, length) ** times
    mass = np.maximum(fft.irfft(spectrum, length)[:width], 0.0)
    place = round(observed * scale) - lowest
    # Whether the last digit of a transform is noise cannot be told: no tail is called smaller than what it resolves.
    worse, better = (max(_RESOLVED, float(tail.sum())) for tail in (mass[: place + 1], mass[place:]))
    return SidedP.of_tails(worse, better)


def _drawn(
    listed: dict[tuple[tuple[float, ...], int], _Deals | None],
    tally: dict[tuple[tuple[float, ...], int], int],
    observed: float,
    seed: int,
) -> SidedP:
    """Tails over drawn deals, in chunks that bound the memory; (hits + 1) / (draws + 1)."""
    generator = np.random.default_rng(seed)
    slack = _TIE * max(1.0, abs(observed))
    widest = max(len(pool) for pool, _ in tally)
    wanted = max(_FEWEST_DRAWS, min(MONTE_CARLO_FLIPS, _MOST_DRAWN // sum(tally.values())))
    worse = better = drawn = 0
    while drawn < wanted:
        size = min(wanted - drawn, max(1, _CHUNK // widest))
        sums = np.zeros(size)
        for key, times in tally.items():
            for _ in range(times):
                sums += _one_case(listed[key], *key, size, generator)
        worse += int((sums <= observed + slack).sum())
        better += int((sums >= observed - slack).sum())
        drawn += size
    return SidedP.of_tails((worse + 1) / (drawn + 1), (better + 1) / (drawn + 1))


def _one_case(
    deals: _Deals | None, pool: tuple[float, ...], baseline: int, size: int, generator: np.random.Generator
) -> FloatArray:
    """So many drawn differences of one case."""
    if deals is not None:
        return np.asarray(deals.differences[np.searchsorted(np.cumsum(deals.chances)[:-1], generator.random(size))])
    shuffled = generator.permuted(np.broadcast_to(np.array(pool), (size, len(pool))), axis=1)
    return np.asarray(shuffled[:, baseline:].mean(axis=1) - shuffled[:, :baseline].mean(axis=1))
