from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import fisher_exact

from snapdrift.stats.betting import Claim, betting_p_value
from snapdrift.stats.paired import mcnemar
from snapdrift.stats.within_cases import deal_repeats, least_deal_p, pair_repeats

FloatArray = NDArray[np.float64]
GONE = math.nan


@st.composite
def both_sides(draw: st.DrawFn) -> tuple[FloatArray, FloatArray]:
    """Scores of 1 to 4 cases, 1 to 3 repeats a side, few-valued, some of them not measured."""
    cases, repeats = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    score = st.sampled_from([0.0, 0.5, 1.0, GONE])
    sides = st.lists(st.lists(score, min_size=repeats, max_size=repeats), min_size=cases, max_size=cases)
    return np.array(draw(sides)), np.array(draw(sides))


def dealt(baseline: FloatArray, candidate: FloatArray) -> list[list[float]]:
    """For each case that pairs, its differences under every deal, the observed one first."""
    found = []
    for old, new in zip(baseline, candidate, strict=True):
        a, b = old[~np.isnan(old)], new[~np.isnan(new)]
        if not (a.size and b.size):
            continue
        pool, places = np.concatenate([a, b]), range(a.size + b.size)
        hands = itertools.combinations(places, a.size)
        means = [(pool[[i for i in places if i not in hand]].mean(), pool[list(hand)].mean()) for hand in hands]
        found.append([float(new_mean - old_mean) for new_mean, old_mean in means])
    return found


@settings(max_examples=60)
@given(both_sides())
def test_the_p_value_is_the_share_of_all_deals_that_look_as_bad(sides: tuple[FloatArray, FloatArray]) -> None:
    each = dealt(*sides)
    sums = np.array([sum(deal) for deal in itertools.product(*each)])
    found = deal_repeats(*sides, seed=0)
    assert found.exact
    observed = sum(deals[0] for deals in each)
    assert found.p.worse == pytest.approx((sums <= observed + 1e-9).mean())
    assert found.p.better == pytest.approx((sums >= observed - 1e-9).mean())


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=80))
def test_with_one_repeat_it_is_mcnemars_exact_test(rows: list[tuple[int, int]]) -> None:
    found = deal_repeats([[row[0]] for row in rows], [[row[1]] for row in rows], seed=0).p
    expected = mcnemar(rows.count((1, 0)), rows.count((0, 1))).exact
    assert (found.worse, found.better) == pytest.approx((expected.worse, expected.better), abs=1e-12)


def test_of_a_single_case_it_is_fishers_exact_test() -> None:
    found = deal_repeats([[1, 1, 1, 1, 0]], [[0, 0, 1, 0, 0]], seed=0).p
    assert found.worse == pytest.approx(fisher_exact([[4, 1], [1, 4]], alternative="greater").pvalue)


@settings(max_examples=30)
@given(both_sides())
def test_swapping_the_arms_swaps_worse_and_better(sides: tuple[FloatArray, FloatArray]) -> None:
    one, other = deal_repeats(*sides, seed=0).p, deal_repeats(sides[1], sides[0], seed=0).p
    assert (one.worse, one.better) == pytest.approx((other.better, other.worse))


def test_deals_are_summed_exactly_at_any_number_of_cases_also_with_missing_repeats() -> None:
    generator = np.random.default_rng(5)
    sides = (generator.random((2, 1500, 4)) < 0.8).astype(float)
    sides[generator.random(sides.shape) < 0.02] = GONE
    assert deal_repeats(sides[0], sides[1], seed=0).exact


def test_graded_repeats_are_dealt_by_seeded_draws_near_the_exact_p() -> None:
    generator = np.random.default_rng(2)
    baseline, candidate = generator.random((2, 5, 2))
    one, again = deal_repeats(baseline, candidate, seed=3), deal_repeats(baseline, candidate, seed=3)
    assert not one.exact
    assert one == again
    sums = np.array([sum(deal) for deal in itertools.product(*dealt(baseline, candidate))])
    observed = float((candidate.mean(axis=1) - baseline.mean(axis=1)).sum())
    assert one.p.worse == pytest.approx((sums <= observed + 1e-9).mean(), abs=0.01)


def test_more_graded_repeats_than_can_be_listed_are_shuffled() -> None:
    generator = np.random.default_rng(4)
    baseline, candidate = generator.random((1, 9)), generator.random((1, 9)) - 5
    found = deal_repeats(baseline, candidate, seed=0)
    assert not found.exact
    assert 0 < found.p.worse < 0.001


@pytest.mark.parametrize("scores", [np.ones((4, 3)), np.full((4, 3), GONE), np.empty((0, 2))])
def test_where_nothing_varies_nothing_is_shown(scores: FloatArray) -> None:
    assert deal_repeats(scores, scores, seed=0).p.worse == 1.0


def test_scores_of_other_cases_are_refused() -> None:
    with pytest.raises(ValueError, match="same cases"):
        deal_repeats(np.ones((3, 2)), np.ones((4, 2)), seed=0)


@settings(max_examples=40)
@given(both_sides())
def test_no_scores_have_a_smaller_p_than_the_least_one(sides: tuple[FloatArray, FloatArray]) -> None:
    least = least_deal_p(*sides)
    passing, failing = (np.where(np.isnan(side), GONE, level) for side, level in zip(sides, (1.0, 0.0), strict=True))
    assert deal_repeats(*sides, seed=0).p.worse >= least - 1e-12
    assert deal_repeats(passing, failing, seed=0).p.worse == pytest.approx(least, abs=1e-13)


def test_repeats_pair_in_their_order_and_each_case_weighs_one() -> None:
    baseline = np.array([[1, GONE, 1], [1, 1, 1], [GONE, GONE, GONE]])
    found = pair_repeats(baseline, np.array([[0, 1, 1], [1, GONE, 0], [1, 1, 1]]))
    assert found.differences.tolist() == [-1, 0, 0, -1]
    assert found.weights.tolist() == [0.5, 0.5, 0.5, 0.5]
    assert found.discordance == 0.5


@pytest.mark.parametrize("rates", [(0.5, 0.45), (0.0, 0.05)])
def test_a_bet_on_pairs_of_fixed_cases_is_wrong_no_more_often_than_it_says(rates: tuple[float, float]) -> None:
    # Half of the cases fall, half do not: no draws from one population, and a mean difference of just the margin.
    generator = np.random.default_rng(9)
    moved, kept = rates[1] - rates[0], 400
    fall = np.where(np.arange(40) < 20, 2 * abs(moved), 0.0)[:, None]
    base = np.full((40, 1), max(rates[0], 2 * abs(moved)))
    wrong = 0
    for _ in range(kept):
        pairs = pair_repeats(generator.random((40, 4)) < base, generator.random((40, 4)) < base - fall)
        wrong += betting_p_value(pairs.differences, -abs(moved), Claim.ABOVE, weights=pairs.weights) <= 0.05
    assert wrong / kept <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / kept)
