from __future__ import annotations

import itertools
import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import signal, special

from snapdrift.stats.betting import Claim, betting_interval, log_e_value
from snapdrift.stats.case_order import CaseBuffer, drawn_order
from snapdrift.stats.intervals import tango_test
from snapdrift.stats.paired import binomial_tail
from snapdrift.stats.sequential import (
    ClaimPs,
    ComparisonWealth,
    SequentialState,
    StoppingRule,
    Wealth,
    advance,
    claim_p_values,
    resolved,
    restored,
)

FloatArray = NDArray[np.float64]
HYBRID = StoppingRule(0.05)
OPEN = StoppingRule.open_ended(0.05)
N, EVERY, MARGIN = 1000, 25, 0.05
differences = st.lists(st.floats(-1, 1), min_size=1, max_size=25)
claims = st.sampled_from([(Claim.BELOW, 0.0), (Claim.ABOVE, 0.0), (Claim.ABOVE, -0.05), (Claim.ABOVE, -0.3)])


def worse(values: list[float]) -> Wealth:
    return Wealth.start(Claim.BELOW).after(values)


def no_worse(values: list[float], margin: float = MARGIN) -> Wealth:
    return Wealth.start(Claim.ABOVE, -margin).after(values)


def state(margins: dict[str, float | None], **values: list[float | None]) -> SequentialState:
    start = SequentialState.start("config", 7, margins)
    return start.fed([dict(zip(values, unit, strict=True)) for unit in zip(*values.values(), strict=True)])


# --- wealth -------------------------------------------------------------------------------------------------------


def closed_form(regressions: int, discordant: int) -> float:
    """The e-value for shares spread evenly over (0, 1), without a grid: 2^(m+1) B(b+1, c+1) (1 - I_1/2(b+1, c+1))."""
    b, c = regressions + 1, discordant - regressions + 1
    return float(np.exp((discordant + 1) * math.log(2) + special.betaln(b, c)) * special.betaincc(b, c, 0.5))


def of_counts(regressions: int, discordant: int) -> float:
    return math.exp(worse([-1.0] * regressions + [1.0] * (discordant - regressions)).log_e)


@pytest.mark.parametrize(
    ("regressions", "discordant", "published"),
    [
        (0, 0, 1.0),
        (1, 1, 1.5),
        (5, 5, 10.5),
        (6, 6, 18.142857),
        (9, 11, 6.086364),
        (16, 22, 4.803399),
        (20, 25, 48.520452),
        (11, 22, 0.25851),
    ],
)
def test_the_grid_follows_the_closed_form_of_the_published_e_values(
    regressions: int, discordant: int, published: float
) -> None:
    assert closed_form(regressions, discordant) == pytest.approx(published, rel=2e-6)
    assert of_counts(regressions, discordant) == pytest.approx(published, rel=0.005)


def test_nine_regressions_and_two_improvements_have_both_published_e_values() -> None:
    assert closed_form(9, 11) == pytest.approx(6.08636, abs=5e-6)
    assert of_counts(9, 11) == pytest.approx(6.08666, abs=5e-6)


def test_seven_regressions_in_a_row_are_the_first_to_reach_twenty() -> None:
    assert of_counts(6, 6) < 20 <= of_counts(7, 7)


def test_fifty_agreements_have_the_published_evidence_for_a_margin_of_five_points() -> None:
    assert no_worse([0.0] * 50).log_e == pytest.approx(1.552407, abs=5e-7)


@pytest.mark.parametrize(("margin", "cases"), [(0.10, 43), (0.05, 88), (0.03, 148), (0.02, 224)])
def test_the_published_number_of_agreements_shows_no_worse(margin: float, cases: int) -> None:
    found = no_worse([0.0] * cases, margin)
    assert found.p_value <= 0.05 < no_worse([0.0] * (cases - 1), margin).p_value


@given(differences, claims)
def test_the_wealth_at_the_end_is_the_e_value_of_all_values_at_once(
    values: list[float], claim: tuple[Claim, float]
) -> None:
    grown = Wealth.start(*claim).after(values)
    assert grown.log_e == pytest.approx(log_e_value(values, claim[1], claim[0]), abs=1e-9)
    assert grown.n == len(values)


@given(differences, claims, st.integers(0, 25))
def test_values_fed_in_portions_are_values_fed_at_once(
    values: list[float], claim: tuple[Claim, float], cut: int
) -> None:
    once = Wealth.start(*claim).after(values)
    twice = Wealth.start(*claim).after(values[:cut]).after(values[cut:])
    assert twice.log_wealth == pytest.approx(once.log_wealth, abs=1e-12)
    assert twice.log_peak == pytest.approx(once.log_peak, abs=1e-12)
    assert twice.n == once.n


@given(differences, claims)
def test_the_peak_is_the_highest_wealth_on_the_way(values: list[float], claim: tuple[Claim, float]) -> None:
    wealth, highest = Wealth.start(*claim), 0.0
    for value in values:
        wealth = wealth.after(value)
        highest = max(highest, wealth.log_e)
    assert Wealth.start(*claim).after(values).log_peak == pytest.approx(highest, abs=1e-12)


@given(differences)
def test_swapping_the_arms_swaps_worse_and_better(values: list[float]) -> None:
    one = ComparisonWealth.start(None).after(values)
    other = ComparisonWealth.start(None).after([-value for value in values])
    assert (one.worse.log_e, one.better.log_e) == pytest.approx((other.better.log_e, other.worse.log_e), abs=1e-12)


@given(claims, st.floats(0, 1), st.floats(0, 1), st.integers(1, 5))
def test_the_expected_wealth_stays_one_while_the_mean_is_the_null(
    claim: tuple[Claim, float], downward: float, upward: float, n: int
) -> None:
    null = claim[1]
    low, high = null - max(0.01, downward) * (null + 1), null + max(0.01, upward) * (1 - null)
    chance_of_high = (null - low) / (high - low)
    expected = 0.0
    for path in itertools.product((False, True), repeat=n):
        ups = sum(path)
        chance = chance_of_high**ups * (1 - chance_of_high) ** (n - ups)
        expected += chance * math.exp(Wealth.start(*claim).after([high if up else low for up in path]).log_e)
    assert expected == pytest.approx(1.0, abs=1e-9)


@given(claims, st.floats(0, 1), st.floats(0, 1))
def test_the_expected_wealth_never_grows_where_the_claim_is_false(
    claim: tuple[Claim, float], share: float, tie: float
) -> None:
    # Any distribution on -1, 0 and 1 whose mean is on the side that the claim denies.
    room = 1 + claim[1] if claim[0] is Claim.ABOVE else 1 - claim[1]
    true_mean = claim[1] - share * room if claim[0] is Claim.ABOVE else claim[1] + share * room
    moved = abs(true_mean) + (1 - abs(true_mean)) * tie
    chances = ((-1.0, (moved - true_mean) / 2), (0.0, 1 - moved), (1.0, (moved + true_mean) / 2))
    expected = sum(
        first_chance * second_chance * math.exp(Wealth.start(*claim).after([first, second]).log_e)
        for (first, first_chance), (second, second_chance) in itertools.product(chances, repeat=2)
    )
    assert expected <= 1 + 1e-9


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.3])
def test_fair_coins_reach_the_threshold_no_more_often_than_alpha_however_often_one_looks(alpha: float) -> None:
    reached = [worse(list(path)).log_peak >= math.log(1 / alpha) for path in itertools.product((-1.0, 1.0), repeat=10)]
    assert 0 < sum(reached) / len(reached) <= alpha


def test_wealth_never_ends_even_after_a_thousand_losses() -> None:
    lost = worse([1.0] * 1000)
    assert math.isfinite(lost.log_e)
    assert lost.log_e < -5
    assert lost.p_value == 1.0


def test_no_further_values_change_nothing() -> None:
    assert worse([-1.0, 0.0]).after([]) == worse([-1.0, 0.0])


@pytest.mark.parametrize("value", [-1.1, 1.1, math.nan, math.inf])
def test_values_out_of_bounds_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"must lie in \[-1\.0, 1\.0\]"):
        worse([0.0, value])


def test_rounding_errors_of_repeats_are_no_values_out_of_bounds() -> None:
    assert worse([-1 - 1e-12]) == worse([-1.0])


@pytest.mark.parametrize("margin", [0.0, -0.1, 1.0])
def test_a_margin_that_nothing_can_be_bet_on_is_refused(margin: float) -> None:
    with pytest.raises(ValueError, match="a margin inside"):
        ComparisonWealth.start(margin)


def test_a_null_mean_at_the_bound_is_refused() -> None:
    with pytest.raises(ValueError, match="null mean must lie inside"):
        Wealth.start(Claim.ABOVE, -1.0)


# --- the rule -----------------------------------------------------------------------------------------------------


def test_a_hybrid_rule_stops_at_a_hundredfold_and_tests_at_four_fifths_of_alpha() -> None:
    assert math.exp(HYBRID.log_threshold()) == pytest.approx(100)
    assert HYBRID.fixed_alpha == pytest.approx(0.04)


def test_an_open_ended_rule_spends_all_of_alpha_on_looks() -> None:
    assert math.exp(OPEN.log_threshold()) == pytest.approx(20)
    assert OPEN.fixed_alpha == 0


def test_an_open_ended_rule_refuses_a_fixed_test() -> None:
    with pytest.raises(ValueError, match="not fixed in advance"):
        OPEN.p_value(worse([0.0]), 0.01)


@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), max_size=60), st.floats(0, 1), st.sampled_from([0.01, 0.05, 0.2]))
def test_the_p_value_is_small_exactly_where_a_look_or_the_fixed_test_shows_the_claim(
    values: list[float], fixed: float, alpha: float
) -> None:
    rule, wealth = StoppingRule(alpha), worse(values)
    margin = min(abs(wealth.log_peak - rule.log_threshold()), abs(fixed - rule.fixed_alpha))
    if margin > 1e-9:
        shown = wealth.log_peak >= rule.log_threshold() or fixed <= rule.fixed_alpha
        assert (rule.p_value(wealth, fixed) <= alpha) == shown


def test_several_claims_raise_the_threshold_as_holm_does() -> None:
    assert math.exp(HYBRID.log_threshold(3)) == pytest.approx(300)
    with pytest.raises(ValueError, match="at least one claim"):
        HYBRID.log_threshold(0)


@pytest.mark.parametrize(("alpha", "share"), [(0.0, 0.2), (1.0, 0.2), (0.05, 0.0), (0.05, 1.1)])
def test_a_rule_that_divides_nothing_is_refused(alpha: float, share: float) -> None:
    with pytest.raises(ValueError, match="a stopping rule needs"):
        StoppingRule(alpha, share)


# --- the error rates and savings of the rule, exactly ---------------------------------------------------------------


@dataclass(frozen=True)
class Rates:
    worse: float
    kept: float
    mean_n: float
    sd_n: float


def wealth_by_counts(claim: Claim, null: float, n: int, b: FloatArray, c: FloatArray) -> FloatArray:
    """The wealth [regressions, improvements] after n cases, from the module's own growth of each share by one value."""
    lost, same, won = (np.array(Wealth.start(claim, null).after(value).log_wealth) for value in (-1.0, 0.0, 1.0))
    by_regressions = np.exp(np.outer(b, lost - same) + n * same)
    by_improvements = np.exp(np.outer(won - same, c))
    # Not `@`: the threads of a BLAS are slower than so small a sum where other work has the cores.
    wealth: FloatArray = np.einsum("bs,sc->bc", by_regressions, by_improvements) / same.size
    return wealth


def exact_rates(psi: float, delta: float, rule: StoppingRule, *, ask_worse: bool, ask_kept: bool) -> Rates:
    """What the rule does over all pass/fail tables: the mass of (regressions, improvements) moves on from look to look.

    No simulation: each step of 25 cases is a multinomial; what a look decides leaves the mass.
    """
    chance_b, chance_c = (psi - delta) / 2, (psi + delta) / 2
    b_most, c_most = (int(N * p + 8 * math.sqrt(N * p) + EVERY + 1) for p in (chance_b, chance_c))
    b, c = np.arange(b_most, dtype=float), np.arange(c_most, dtype=float)
    step = np.array([[0.0, chance_c], [chance_b, 0.0]])
    step[0, 0] = 1 - psi
    kernel = np.ones((1, 1))
    for _ in range(EVERY):
        kernel = signal.convolve2d(kernel, step)
    mass, threshold = np.zeros((b_most, c_most)), math.exp(rule.log_threshold())
    mass[0, 0] = 1.0
    lost = held = mean = square = 0.0
    for n in range(EVERY, N + 1, EVERY):
        alive = float(mass.sum())
        mean += EVERY * alive
        square += (n**2 - (n - EVERY) ** 2) * alive
        mass = np.maximum(signal.fftconvolve(mass, kernel)[:b_most, :c_most], 0.0)
        if ask_worse:
            shown = wealth_by_counts(Claim.BELOW, 0.0, n, b, c) >= threshold
            lost, mass = lost + float(mass[shown].sum()), np.where(shown, 0.0, mass)
        if ask_kept:
            shown = wealth_by_counts(Claim.ABOVE, -MARGIN, n, b, c) >= threshold
            held, mass = held + float(mass[shown].sum()), np.where(shown, 0.0, mass)
    if ask_worse and rule.fixed_alpha:
        shown = binomial_tail(b[:, None], b[:, None] + c, 0.5) <= rule.fixed_alpha
        lost, mass = lost + float(mass[shown].sum()), np.where(shown, 0.0, mass)
    if ask_kept and rule.fixed_alpha:
        at = np.argwhere(mass > 1e-9)
        p = np.array([tango_test(int(i), int(j), N, -MARGIN).p_greater for i, j in at])
        held += float(mass[tuple(at[p <= rule.fixed_alpha].T)].sum())
    return Rates(lost, held, mean, math.sqrt(max(0.0, square - mean**2)))


def agrees(published: float, exact: float, sd: float, draws: int, rounding: float) -> bool:
    return abs(published - exact) <= 4 * sd / math.sqrt(draws) + rounding


def assert_published(rate: float, mean_n: float, exact: float, found: Rates, draws: int) -> None:
    assert agrees(rate, exact, math.sqrt(max(exact * (1 - exact), 1e-5)), draws, 0.0006), (rate, exact)
    assert agrees(mean_n, found.mean_n, found.sd_n, draws, 0.6), (mean_n, found)


REGRESSED = [
    (0.05, 0.0, (0.020, 987), (0.029, 997)),
    (0.10, 0.0, (0.020, 985), (0.032, 998)),
    (0.15, 0.0, (0.022, 983), (0.035, 997)),
    (0.05, -0.02, (0.631, 688), (0.837, 843)),
    (0.10, -0.02, (0.307, 847), (0.572, 947)),
    (0.15, -0.02, (0.185, 901), (0.420, 970)),
    (0.05, -0.05, (1.0, 152), (1.0, 191)),
    (0.10, -0.05, (0.992, 298), (1.0, 434)),
    (0.15, -0.05, (0.910, 469), (0.989, 623)),
    (0.10, -0.10, (1.0, 82), (1.0, 102)),
    (0.15, -0.10, (1.0, 124), (1.0, 165)),
]


@pytest.mark.parametrize(("psi", "delta", "open_ended", "hybrid"), REGRESSED)
def test_drops_are_seen_as_often_and_as_early_as_published(
    psi: float, delta: float, open_ended: tuple[float, float], hybrid: tuple[float, float]
) -> None:
    for rule, published, draws in ((OPEN, open_ended, 4000), (HYBRID, hybrid, 3000)):
        found = exact_rates(psi, delta, rule, ask_worse=True, ask_kept=False)
        assert_published(*published, found.worse, found, draws)
        if delta == 0:
            assert found.worse <= rule.alpha


@pytest.mark.parametrize(
    ("psi", "delta", "rate", "mean_n"),
    [(0.05, 0.0, 1.0, 301), (0.10, 0.0, 0.999, 497), (0.15, 0.0, 0.989, 655), (0.10, -0.02, 0.894, 853)],
)
def test_no_worse_is_shown_as_often_and_as_early_as_published(
    psi: float, delta: float, rate: float, mean_n: float
) -> None:
    found = exact_rates(psi, delta, HYBRID, ask_worse=False, ask_kept=True)
    assert_published(rate, mean_n, found.kept, found, 3000)


@pytest.mark.parametrize(("psi", "rate"), [(0.05, 0.025), (0.10, 0.035), (0.15, 0.040)])
def test_no_worse_is_claimed_at_the_margin_no_more_often_than_alpha(psi: float, rate: float) -> None:
    found = exact_rates(psi, -MARGIN, HYBRID, ask_worse=False, ask_kept=True)
    assert agrees(rate, found.kept, math.sqrt(found.kept), 3000, 0.0006)
    assert found.kept <= HYBRID.alpha
    assert exact_rates(psi, -MARGIN, OPEN, ask_worse=False, ask_kept=True).kept <= OPEN.alpha


@pytest.mark.parametrize(
    ("rule", "psi", "delta", "lost", "kept", "mean_n"),
    [
        (OPEN, 0.10, 0.0, 0.020, 0.965, 345),
        (OPEN, 0.10, -0.05, 0.979, 0.018, 290),
        (OPEN, 0.15, 0.0, 0.022, 0.881, 478),
        (OPEN, 0.15, -0.02, 0.181, 0.399, 705),
        (HYBRID, 0.10, 0.0, 0.025, 0.975, 496),
        (HYBRID, 0.10, -0.05, 0.996, 0.004, 432),
        (HYBRID, 0.15, 0.0, 0.035, 0.965, 652),
        (HYBRID, 0.15, -0.02, 0.413, 0.587, 883),
    ],
)
def test_stopping_at_whichever_claim_comes_first_does_what_is_published(
    rule: StoppingRule, psi: float, delta: float, lost: float, kept: float, mean_n: float
) -> None:
    found = exact_rates(psi, delta, rule, ask_worse=True, ask_kept=True)
    draws = 3000
    assert_published(lost, mean_n, found.worse, found, draws)
    assert_published(kept, mean_n, found.kept, found, draws)


# --- state and looks ------------------------------------------------------------------------------------------------

MARGINS: dict[str, float | None] = {"queue": 0.05, "valid": None}
unit_values = st.one_of(st.none(), st.floats(-1, 1))
units = st.lists(st.fixed_dictionaries({"queue": unit_values, "valid": unit_values}), max_size=40)


@given(units)
def test_a_state_comes_back_from_json_to_the_last_bit(fed: list[dict[str, float | None]]) -> None:
    there = SequentialState.start("config", 7, MARGINS).fed(fed)
    assert restored(json.loads(json.dumps(there.to_json())), config_hash="config", order_seed=7) == there


@given(units, st.integers(0, 40))
def test_a_run_that_was_stored_on_the_way_ends_like_one_that_was_not(
    fed: list[dict[str, float | None]], cut: int
) -> None:
    start = SequentialState.start("config", 7, MARGINS)
    halfway = restored(json.loads(json.dumps(start.fed(fed[:cut]).to_json())), config_hash="config", order_seed=7)
    assert_close(halfway.fed(fed[cut:]), start.fed(fed))


def assert_close(one: SequentialState, other: SequentialState) -> None:
    assert one.units == other.units
    for name, wealth in one.comparisons.items():
        assert wealth.worse.n == other.comparisons[name].worse.n
        assert wealth.worse.log_wealth == pytest.approx(other.comparisons[name].worse.log_wealth, abs=1e-12)
        assert wealth.better.log_peak == pytest.approx(other.comparisons[name].better.log_peak, abs=1e-12)


def test_wealth_goes_on_only_under_its_own_configuration_and_order() -> None:
    stored = state(MARGINS, queue=[0.0], valid=[0.0]).to_json()
    with pytest.raises(ValueError, match="config_hash 'config', this run has 'other'"):
        restored(stored, config_hash="other", order_seed=7)
    with pytest.raises(ValueError, match="order_seed 7, this run has 8"):
        restored(stored, config_hash="config", order_seed=8)
    with pytest.raises(ValueError, match="format 2, this run has 1"):
        restored({**stored, "format": 2}, config_hash="config", order_seed=7)


@pytest.mark.parametrize(
    "change",
    [
        {"n": 9},
        {"n": -1},
        {"log_wealth": [0.0]},
        {"log_wealth": [math.nan] * 32},
        {"log_peak": -1.0},
        {"log_wealth": ["much"] * 32},
        {"claim": "sideways"},
        {"null": 1.0},
        {"more": 1},
    ],
)
def test_wealth_that_cannot_be_is_refused(change: dict[str, Any]) -> None:
    stored: Any = state(MARGINS, queue=[0.0], valid=[0.0]).to_json()
    stored["comparisons"]["queue"]["worse"].update(change)
    with pytest.raises(ValueError):
        restored(stored, config_hash="config", order_seed=7)


def test_a_state_without_comparisons_is_refused() -> None:
    stored = state(MARGINS, queue=[0.0], valid=[0.0]).to_json()
    del stored["comparisons"]
    with pytest.raises(ValueError, match="cannot be read"):
        restored(stored, config_hash="config", order_seed=7)


def test_a_unit_that_was_not_measured_is_counted_and_not_bet_on() -> None:
    found = state(MARGINS, queue=[-1.0, None, 0.0], valid=[0.0, 0.0, 0.0])
    assert found.units == 3
    assert found.comparisons["queue"].worse == worse([-1.0, 0.0])


def test_a_unit_that_lacks_a_comparison_is_refused() -> None:
    with pytest.raises(ValueError, match="one difference for each of: queue, valid; found: queue"):
        SequentialState.start("config", 7, MARGINS).fed([{"queue": 0.0}])


def test_the_p_values_of_both_parts_are_joined() -> None:
    found = state({"queue": 0.05}, queue=[-1.0] * 3)
    looks = claim_p_values(found, HYBRID)["queue"]
    both = claim_p_values(found, HYBRID, {"queue": ClaimPs(0.01, 0.9, 0.8)})["queue"]
    assert looks == ClaimPs(1.0, 1.0, 1.0)
    assert both.worse == pytest.approx(0.0125)
    assert both.better == 1.0
    assert both.no_worse == pytest.approx(1.0)


def test_a_comparison_without_a_test_at_the_end_has_that_of_the_looks_alone() -> None:
    found = state({"queue": None}, queue=[-1.0] * 12)
    assert claim_p_values(found, HYBRID, {}) == claim_p_values(found, HYBRID)
    assert claim_p_values(found, HYBRID)["queue"].no_worse is None


def test_one_comparison_that_is_shown_worse_ends_the_asking() -> None:
    found = state({"queue": 0.05, "valid": 0.05}, queue=[-1.0] * 20, valid=[0.0] * 20)
    assert resolved(found, HYBRID, ["queue", "valid"])
    assert not resolved(found, HYBRID, ["valid"])


def test_what_one_claim_would_show_is_not_enough_for_one_of_many() -> None:
    names = [f"metric-{number}" for number in range(40)]
    unit = dict.fromkeys(names, 0.0) | {"metric-0": -1.0}
    found = SequentialState.start("config", 7, dict.fromkeys(names, 0.05)).fed([unit] * 10)
    peak = found.comparisons["metric-0"].worse.log_peak
    assert HYBRID.log_threshold(1) < peak < HYBRID.log_threshold(40)
    assert resolved(found, HYBRID, names[:1])
    assert not resolved(found, HYBRID, names)


def test_no_worse_ends_the_asking_only_when_every_gating_comparison_shows_it() -> None:
    agree: list[float | None] = [0.0] * 200
    undecided: list[float | None] = [-1.0, 1.0] * 100
    found = state({"queue": 0.05, "valid": 0.05}, queue=agree, valid=undecided)
    assert resolved(found, HYBRID, ["queue"])
    assert not resolved(found, HYBRID, ["queue", "valid"])


def test_worse_and_still_within_the_margin_waits_for_the_others() -> None:
    small: list[float | None] = [-0.02] * 6000
    found = state({"queue": 0.5, "valid": 0.05}, queue=small, valid=[None] * 6000)
    p = claim_p_values(found, HYBRID)["queue"]
    assert p.no_worse is not None
    assert max(p.worse, p.no_worse) <= 0.05
    assert resolved(found, HYBRID, ["queue"])
    assert not resolved(found, HYBRID, ["queue", "valid"])


def test_nothing_is_ever_decided_where_nothing_gates() -> None:
    assert not resolved(state({"queue": 0.05}, queue=[-1.0] * 20), HYBRID, [])


def test_asking_stops_at_a_look_and_what_lies_behind_is_not_fed() -> None:
    start = SequentialState.start("config", 7, {"queue": 0.05})
    found = advance(start, [{"queue": -1.0}] * 60, HYBRID, ["queue"])
    assert (found.state.units, found.stopped) == (25, True)
    assert advance(found.state, [{"queue": 1.0}] * 60, HYBRID, ["queue"]) == found


def test_between_looks_nothing_is_decided() -> None:
    start = SequentialState.start("config", 7, {"queue": 0.05})
    found = advance(start, [{"queue": -1.0}] * 24, HYBRID, ["queue"])
    assert (found.state.units, found.stopped) == (24, False)
    assert advance(found.state, [{"queue": -1.0}], HYBRID, ["queue"]).stopped


@settings(max_examples=30)
@given(st.randoms(use_true_random=False), st.sampled_from([0.0, 0.3, 0.6]))
def test_answers_in_any_order_stop_at_the_same_place_with_the_same_wealth(random: Any, drop: float) -> None:
    cases = [f"case-{number}" for number in range(80)]
    order = drawn_order({case: case for case in cases}, 7)
    lost = dict(zip(cases, np.random.default_rng(1).random(80) < drop, strict=True))
    arrivals = [(case, call) for case in cases for call in ("old", "new")]
    random.shuffle(arrivals)
    buffer: CaseBuffer[float] = CaseBuffer(order, ["old", "new"])
    found = SequentialState.start("config", 7, {"queue": 0.2})
    for case, call in arrivals:
        released = buffer.put(case, call, 0.0 if call == "new" and lost[case] else 1.0)
        fed = [{"queue": answers["new"] - answers["old"]} for unit in released for answers in unit.values()]
        found = advance(found, fed, HYBRID, ["queue"]).state
    straight = advance(
        SequentialState.start("config", 7, {"queue": 0.2}), [{"queue": -float(lost[unit[0]])} for unit in order],
        HYBRID, ["queue"],
    )  # fmt: skip
    assert_close(found, straight.state)
    assert straight.stopped is (straight.state.units < 80)


def test_the_interval_at_the_look_that_stopped_leaves_out_no_change() -> None:
    generator = np.random.default_rng(4)
    values = [-1.0 if lost else 0.0 for lost in generator.random(400) < 0.12]
    start = SequentialState.start("config", 7, {"queue": 0.05})
    found = advance(start, [{"queue": value} for value in values], HYBRID, ["queue"])
    assert found.stopped
    assert betting_interval(values[: found.state.units], 0.9).high < 0
