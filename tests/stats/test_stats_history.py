from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import chi2, ttest_1samp
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.proportion import proportion_confint

from snapdrift.stats.history import Level, Segment, flakiness, level, noise_floor, segments
from snapdrift.stats.intervals import wilson_interval


def steps(values: list[float], **options: float) -> list[int]:
    return [part.start for part in segments(values, **options)[1:]]


def test_the_level_of_single_passes_has_wilsons_interval() -> None:
    found = level([1.0] * 17 + [0.0] * 3 + [math.nan], 0.95)
    assert found == Level(0.85, wilson_interval(17, 20, 0.95), 20)
    assert (found.interval.low, found.interval.high) == pytest.approx((0.63958114, 0.94763125))


def test_the_level_of_many_graded_cases_has_the_t_interval_of_scipy() -> None:
    values = np.random.default_rng(1).uniform(0.3, 0.9, 80)
    expected = ttest_1samp(values, 0).confidence_interval(0.9)
    found = level(values, 0.9)
    assert (found.interval.low, found.interval.high) == pytest.approx((expected.low, expected.high))


def test_the_level_of_clusters_has_the_errors_of_statsmodels() -> None:
    generator = np.random.default_rng(2)
    clusters = np.repeat(np.arange(30), 4)
    values = np.clip(0.5 + generator.normal(0, 0.1, 30)[clusters] + generator.normal(0, 0.05, 120), 0, 1)
    fit = OLS(values, np.ones(120)).fit(cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True)
    found = level(values, 0.9, clusters=clusters.tolist())
    assert (found.interval.low, found.interval.high) == pytest.approx(tuple(fit.conf_int(0.1)[0]))


def test_a_level_without_variance_has_an_interval_with_width() -> None:
    found = level([0.5] * 200, 0.9)
    assert found.interval.low < 0.49 < 0.51 < found.interval.high


@pytest.mark.parametrize(("values", "message"), [([math.nan], "no case"), ([1.5], "lie in")])
def test_what_is_no_score_has_no_level(values: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        level(values, 0.9)


def test_labels_that_do_not_match_the_scores_are_refused() -> None:
    with pytest.raises(ValueError, match="cluster labels"):
        level([0.5, 0.5], 0.9, clusters=["a"])


def test_a_drop_in_the_middle_is_one_step() -> None:
    series = [0.90, 0.91, 0.89, 0.90, 0.92, 0.90, 0.84, 0.85, 0.83, 0.84, 0.85, 0.84]
    assert segments(series) == (Segment(0, 6, 0.90), Segment(6, 12, 0.84))


def test_one_odd_run_does_not_drag_the_levels_beside_it() -> None:
    series = [0.90, 0.91, 0.89, 0.90, 0.60, 0.90, 0.91, 0.89, 0.90, 0.91, 0.90, 0.89]
    assert segments(series) == (Segment(0, 4, 0.90), Segment(4, 5, 0.60), Segment(5, 12, 0.90))
    assert steps([0.87 if value == 0.60 else value for value in series]) == []


def test_there_and_back_is_two_steps() -> None:
    generator = np.random.default_rng(3)
    series = np.concatenate([np.full(15, 0.9), np.full(15, 0.8), np.full(15, 0.9)]) + generator.normal(0, 0.01, 45)
    assert steps(series.tolist()) == [15, 30]


def test_a_series_that_never_moves_is_one_segment() -> None:
    assert segments([0.9] * 30) == (Segment(0, 30, 0.9),)
    assert segments([0.9]) == (Segment(0, 1, 0.9),)


def test_a_step_below_the_known_noise_is_not_shown() -> None:
    series = [0.90] * 10 + [0.89] * 10
    assert steps(series) == [10]
    assert steps(series, noise=0.05) == []


@pytest.mark.parametrize(("runs", "noise"), [(6, 0.0), (10, 0.01), (30, 0.0)])
def test_noise_alone_shows_steps_seldom(runs: int, noise: float) -> None:
    generator = np.random.default_rng(4)
    rounds = 100
    stepped = sum(len(segments(generator.normal(0.9, 0.01, runs), noise=noise)) > 1 for _ in range(rounds))
    assert stepped / rounds <= 0.03 + 3 * math.sqrt(0.03 * 0.97 / rounds)


def test_a_step_of_five_standard_errors_is_mostly_found_in_ten_runs() -> None:
    generator = np.random.default_rng(5)
    series = np.repeat([0.9, 0.85], 5)
    found = sum(len(segments(series + generator.normal(0, 0.01, 10), noise=0.01)) == 2 for _ in range(50))
    assert found / 50 >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / 50)


def test_a_heavier_run_counts_for_more() -> None:
    series = [0.9, 0.8, 0.9, 0.8]
    assert segments(series, weights=[10, 1, 10, 1])[0].level == 0.9
    assert segments(series, weights=[1, 10, 1, 10])[0].level == 0.8


def _least_deviation(values: list[float], count: int) -> float:
    """By trying all ways to cut."""

    def deviation(part: list[float]) -> float:
        return float(np.abs(np.array(part) - np.median(part)).sum())

    return min(
        sum(deviation(values[start:stop]) for start, stop in itertools.pairwise((0, *cuts, len(values))))
        for cuts in itertools.combinations(range(1, len(values)), count - 1)
    )


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
@settings(max_examples=60, deadline=None)
def test_the_fit_has_the_least_deviation_of_all_cuts_of_its_number(values: list[float]) -> None:
    found = segments(values)
    deviation = sum(abs(value - part.level) for part in found for value in values[part.start : part.stop])
    assert deviation == pytest.approx(_least_deviation(values, len(found)), abs=1e-9)
    assert [part.start for part in found] == [0, *(part.stop for part in found[:-1])]
    assert found[-1].stop == len(values)


@given(st.lists(st.integers(-50, 50).map(float), min_size=2, max_size=20), st.integers(-8, 8))
@settings(max_examples=40, deadline=None)
def test_steps_stay_where_they_are_when_the_series_is_shifted_whole(values: list[float], shift: int) -> None:
    moved = [value + shift for value in values]
    assert steps(values) == steps(moved)


@pytest.mark.parametrize(
    ("values", "weights", "noise"),
    [([], None, 0.0), ([math.nan], None, 0.0), ([1.0], [0.0], 0.0), ([1.0], [1.0, 1.0], 0.0), ([1.0], None, -1.0)],
)
def test_what_is_no_series_is_refused(values: list[float], weights: list[float] | None, noise: float) -> None:
    with pytest.raises(ValueError):
        segments(values, weights=weights, noise=noise)


def test_a_case_is_flaky_when_it_both_passes_and_fails() -> None:
    passed: list[list[float]] = [[1, 1, 1, 1, 1], [1, 0, 1, 0, 0], [0, 0, 0, 0, 0], [1, math.nan, 1, 1, math.nan]]
    found = flakiness(passed, 0.9)
    assert [case.flaky for case in found] == [False, True, False, False]
    assert [case.repeats for case in found] == [5, 5, 5, 3]
    assert found[1].rate == 0.4


def test_five_passes_of_five_show_no_more_than_the_published_rate() -> None:
    (found,) = flakiness([[1] * 5], 0.9)
    assert found.at_least == pytest.approx(0.549, abs=5e-4)


def test_the_interval_of_a_flaky_case_is_that_of_statsmodels() -> None:
    (found,) = flakiness([[1, 0, 1, 1, 1, 0, 1]], 0.9)
    expected = proportion_confint(5, 7, alpha=0.1, method="wilson")
    assert (found.interval.low, found.interval.high) == pytest.approx(expected)


def test_a_case_that_was_never_measured_is_not_judged() -> None:
    found = flakiness([[math.nan, math.nan], [1.0, 0.0]], 0.9)
    assert [case.case for case in found] == [1]


@pytest.mark.parametrize("passed", [[1.0, 0.0], [[0.5]]])
def test_what_is_no_table_of_passes_is_refused(passed: Any) -> None:
    with pytest.raises(ValueError, match="passes"):
        flakiness(passed, 0.9)


def _reruns(comparisons: int, cases: int, seed: int, shock: float = 0.0) -> NDArray[np.float64]:
    """Differences of two runs whose cases pass with the same chances, but for a shock to one whole run."""
    generator = np.random.default_rng(seed)
    chances = generator.beta(2, 0.5, cases)
    moved = np.clip(chances + generator.choice([-shock, shock], (comparisons, 1)), 0, 1)
    one, other = generator.random((2, comparisons, cases))
    difference: NDArray[np.float64] = (one < moved).astype(np.float64) - (other < chances)
    return difference


def test_the_noise_floor_of_independent_cases_is_what_discordance_makes_of_it() -> None:
    table = _reruns(6, 200, seed=5)
    found = noise_floor(table, 0.9)
    discordance = np.abs(table).mean()
    assert found.discordance == pytest.approx(discordance)
    assert found.standard_error == pytest.approx(math.sqrt((discordance * 200 + 1) / 202 / 200))
    assert found.floor == pytest.approx(1.6448536 * found.standard_error)
    assert found.discordance_interval.low < discordance < found.discordance_interval.high


def test_the_spread_between_runs_has_the_interval_of_chi_squared() -> None:
    table = _reruns(5, 100, seed=6)
    found = noise_floor(table, 0.9)
    squares = np.square(table.mean(axis=1)).sum()
    assert found.spread == pytest.approx(math.sqrt(squares / 5))
    assert found.spread_interval.low == pytest.approx(math.sqrt(squares / chi2.ppf(0.95, 5)))
    assert found.spread_interval.high == pytest.approx(math.sqrt(squares / chi2.ppf(0.05, 5)))


def test_runs_that_differ_by_more_than_their_cases_explain_raise_the_floor() -> None:
    found = noise_floor(_reruns(8, 300, seed=7, shock=0.1), 0.9)
    assert found.p_excess < 0.001
    assert found.floor > 2 * 1.6448536 * found.standard_error


def test_full_agreement_is_no_certainty() -> None:
    found = noise_floor(np.zeros((3, 100)), 0.9)
    assert (found.spread, found.p_excess) == (0.0, 1.0)
    assert found.floor > 0.01


def test_cases_missing_from_a_comparison_are_left_out_of_it() -> None:
    found = noise_floor([[0.0, 1.0, math.nan, math.nan], [0.0, math.nan, -1.0, math.nan]], 0.9)
    assert found.cases == 3
    assert found.mean == 0.0


def test_another_pair_of_runs_stays_within_the_floor_as_often_as_it_says() -> None:
    rounds = 200
    outside = 0
    for seed in range(rounds):
        table = _reruns(5, 120, seed)
        outside += abs(table[-1].mean()) > noise_floor(table[:-1], 0.9).floor
    assert abs(outside / rounds - 0.1) <= 3 * math.sqrt(0.1 * 0.9 / rounds)


@pytest.mark.parametrize("table", [[], [[math.nan]], [0.1, 0.2]])
def test_a_comparison_without_cases_has_no_noise(table: Any) -> None:
    with pytest.raises(ValueError, match="A/A"):
        noise_floor(table, 0.9)
