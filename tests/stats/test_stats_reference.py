"""The reference values that the statistics are held against, and which test has which.

Published values, and values on which at least two of the own formula, scipy, statsmodels and R agree. Those of McNemar
(exact, mid-p), sign flips and t are in `test_stats_paired`; Newcombe 10, Tango, Wilson and Clopper-Pearson in
`test_stats_intervals`; Holm and Benjamini-Hochberg in `test_stats_multiplicity`; power and numbers of cases in
`test_stats_power`; e-values in `test_stats_sequential` and `test_stats_betting`; kappa and Rogan-Gladen in
`test_stats_agreement`. Here are the rest: first what the program computes, then what it does not offer and is only held
beside it, by the oracle (asymptotic McNemar, Wald, Newcombe's method without the continuity correction, Wilcoxon,
Benjamini-Yekutieli, uncorrected cluster errors, Krippendorff's alpha, the exact group sequential test: the program
stops early by bets).
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import binom, norm, permutation_test, wilcoxon
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

from snapdrift.stats.agreement import cohens_kappa
from snapdrift.stats.intervals import newcombe_interval, tango_interval, wilson_interval
from snapdrift.stats.paired import cluster_standard_error, cluster_sums, mcnemar, sign_flip
from snapdrift.stats.power import cases_to_show_difference, cases_to_show_no_worse

CLUSTERED = [1, 1, 1, 0, 0, 0, 1, 0, 1, 1, 1, 1]
GRADED = [-0.2, -0.1, 0.05, -0.3, 0.0, -0.15, 0.1, -0.25]

# (both, only first, only second, neither) and the difference first minus second.
TABLES = [
    ((59, 6, 16, 80), -0.062112),
    ((1, 1, 7, 12), -0.285714),
    ((14, 5, 0, 22), 0.121951),
    ((40, 5, 1, 4), 0.08),
    ((850, 60, 40, 50), 0.02),
]


@pytest.mark.parametrize(("table", "difference"), TABLES)
def test_the_middle_of_both_intervals_is_the_published_difference(
    table: tuple[int, int, int, int], difference: float
) -> None:
    both, first, second, neither = table
    assert (first - second) / sum(table) == pytest.approx(difference, abs=5e-7)
    for found in (
        newcombe_interval(both, second, first, neither, 0.95),
        tango_interval(second, first, sum(table), 0.95),
    ):
        assert found.low < difference < found.high


def test_the_rounded_values_of_the_r_package_are_met() -> None:
    newcombe, tango = newcombe_interval(59, 16, 6, 80, 0.95), tango_interval(16, 6, 161, 0.95)
    assert (round(newcombe.low, 4), round(newcombe.high, 4)) == (-0.1186, -0.0046)
    assert (round(tango.low, 4), round(tango.high, 4)) == (-0.1240, -0.0054)


@pytest.mark.parametrize(
    ("discordance", "drop", "cases"), [(0.1, 0.10, 59.7), (0.1, 0.05, 245.2), (0.1, 0.02, 1543.5), (0.15, 0.10, 90.6)]
)
def test_cases_for_a_difference_are_the_published_ones_rounded_up(
    discordance: float, drop: float, cases: float
) -> None:
    assert cases_to_show_difference(discordance, -drop, 0.05) == math.ceil(cases)


@pytest.mark.parametrize(("margin", "cases"), [(0.05, 247.3), (0.03, 687.0), (0.02, 1545.6)])
def test_cases_for_no_worse_are_the_published_ones_rounded_up(margin: float, cases: float) -> None:
    found = cases_to_show_no_worse(0.1, 0.0, margin, 0.05)
    assert found is not None
    assert found - 1 <= cases + 0.05 <= found + 0.1


def test_graded_flips_agree_with_scipys_permutation_test() -> None:
    found = permutation_test((np.array(GRADED),), np.mean, permutation_type="samples", alternative="less")
    assert sign_flip(GRADED, seed=0).p.worse == pytest.approx(found.pvalue, abs=1e-12)
    assert found.pvalue == pytest.approx(0.0546875, abs=1e-12)


# -------------------------------------------------------------------------------------- what is not offered, beside it


@pytest.mark.parametrize(
    ("counts", "asymptotic", "corrected"),
    [
        ((1, 7), 0.0338948535, 0.0770998717),
        ((6, 16), 0.0330062577, 0.0550088336),
        ((2, 9), 0.0348084788, 0.0704404293),
        ((10, 25), 0.0112298867, 0.0179604775),
        ((86, 150), 3.09929344e-05, 4.11456228e-05),
        ((59, 121), 3.81513587e-06, 5.45009483e-06),
        ((8, 8), 1.0, 0.8025873486),
    ],
)
def test_asymptotic_mcnemar_has_the_published_digits_and_is_never_far_from_mid_p(
    counts: tuple[int, int], asymptotic: float, corrected: float
) -> None:
    table = [[0, counts[0]], [counts[1], 0]]
    plain, with_correction = (statsmodels_mcnemar(table, exact=False, correction=c).pvalue for c in (False, True))
    assert plain == pytest.approx(asymptotic, rel=1e-8)
    assert with_correction == pytest.approx(corrected, rel=1e-8)
    assert mcnemar(*counts).mid.two_sided == pytest.approx(plain, rel=0.17)


@pytest.mark.parametrize(
    ("table", "wald"),
    [
        ((59, 6, 16, 80), (-0.118400, -0.005824)),
        ((1, 1, 7, 12), (-0.519709, -0.051720)),
        ((850, 60, 40, 50), (0.000440, 0.039560)),
    ],
)
def test_walds_interval_has_the_published_digits_and_is_narrower_than_tangos(
    table: tuple[int, int, int, int], wald: tuple[float, float]
) -> None:
    _, first, second, _ = table
    n, difference = sum(table), (first - second) / sum(table)
    reach = float(ndtri(0.975)) * math.sqrt((first + second) / n - difference**2) / math.sqrt(n)
    assert (difference - reach, difference + reach) == pytest.approx(wald, abs=1e-6)
    tango = tango_interval(second, first, n, 0.95)
    assert tango.high - tango.low > 2 * reach


def test_newcombes_method_8_has_the_published_digits() -> None:
    both, first, second, neither = 1, 1, 7, 12
    n = both + first + second + neither
    one, other = wilson_interval(both + first, n, 0.95), wilson_interval(both + second, n, 0.95)
    p1, p2 = (both + first) / n, (both + second) / n
    margins = (both + first) * (second + neither) * (both + second) * (first + neither)
    phi = (both * neither - first * second) / math.sqrt(margins)

    def reach(a: float, b: float) -> float:
        return math.sqrt(a * a - 2 * phi * a * b + b * b)

    low = p1 - p2 - reach(p1 - one.low, other.high - p2)
    high = p1 - p2 + reach(one.high - p1, p2 - other.low)
    assert (low, high) == pytest.approx((-0.501663, -0.036053), abs=1e-6)
    corrected = newcombe_interval(both, second, first, neither, 0.95)
    assert corrected.low < low < high < corrected.high


def test_clustered_errors_with_and_without_their_correction_have_the_published_digits() -> None:
    sums = cluster_sums(CLUSTERED, [i // 3 for i in range(12)])
    assert np.std(CLUSTERED, ddof=1) / math.sqrt(12) == pytest.approx(0.1421338109, abs=1e-10)
    assert cluster_standard_error(sums) * math.sqrt(3 / 4) == pytest.approx(0.2041241452, abs=1e-10)


def test_wilcoxon_tests_something_else() -> None:
    found = wilcoxon(GRADED, alternative="less").pvalue
    assert found == pytest.approx(0.046875, abs=1e-12)
    assert sign_flip(GRADED, seed=0).p.worse > 0.05 > found


def test_benjamini_and_yekutieli_have_the_published_values() -> None:
    found = multipletests([0.01, 0.04, 0.03, 0.005], method="fdr_by")[1]
    assert found == pytest.approx([0.0416667, 0.0833333, 0.0833333, 0.0416667], abs=5e-8)


def group_sequential(looks: list[tuple[int, int]], most: int) -> tuple[list[int], list[float]]:
    """Critical counts of regressions at looks (cases, discordant pairs), and the part of 0.05 that is used by then.

    O'Brien and Fleming's spending; the distribution of regressions that have crossed no bound yet is carried on.
    """
    mass, counts, used, seen = np.array([1.0]), [], [0.0], 0
    for cases, discordant in looks:
        mass = np.convolve(mass, binom.pmf(np.arange(discordant - seen + 1), discordant - seen, 0.5))
        tail, seen = np.cumsum(mass[::-1])[::-1], discordant
        room = 2 * norm.sf(norm.isf(0.025) / math.sqrt(cases / most)) - used[-1]
        count = next((k for k, share in enumerate(tail) if share <= room * (1 + 1e-12)), discordant + 1)
        used.append(used[-1] + (float(tail[count]) if count <= discordant else 0.0))
        mass[count:] = 0.0
        counts.append(count)
    return counts, used[1:]


def test_the_exact_group_sequential_test_has_the_published_bounds_and_begins_as_mcnemar() -> None:
    counts, used = group_sequential([(50, 5), (100, 10), (150, 15), (200, 20)], 200)
    assert counts == [6, 10, 12, 15]
    assert used == pytest.approx([0.0, 0.0009766, 0.0177612, 0.0284061], abs=5e-8)
    # Until a bound can be crossed nothing has been spent: the first one is an exact McNemar test.
    assert used[1] == pytest.approx(mcnemar(10, 0).exact.worse)

    counts, used = group_sequential([(100 * look, 10 * look) for look in range(1, 11)], 1000)
    assert counts == [11, 20, 25, 30, 35, 40, 45, 50, 55, 60]
    assert used[-1] == pytest.approx(0.0388103, abs=5e-8)
    assert mcnemar(60, 40).exact.worse < used[-1]


def test_krippendorffs_alpha_is_kappa_with_its_small_sample_correction_where_the_marginals_agree() -> None:
    """Two raters, ten units, passes and fails: they agree on 8, and both pass 6."""
    kappa = cohens_kappa([[5, 1], [1, 3]], 0.95)
    assert kappa is not None
    assert 1 - (1 - kappa.value) * (1 - 1 / 20) == pytest.approx(0.6041667, abs=5e-8)
