"""Comparisons of runs that were looked at while they grew: which units, which p-values, which interval, which words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapdrift.conclusions import Comparison, Evaluation, Sequential
from snapdrift.model import (
    CallKey,
    Case,
    DecisionWord,
    Gate,
    MetricGate,
    MetricSpec,
    MustPass,
    OnInconclusive,
    Outcome,
    Pair,
    Policy,
    Results,
    ScoreKind,
    Severity,
    Verdict,
)
from snapdrift.stats.betting import Claim, betting_interval
from snapdrift.stats.betting_power import betting_detectable
from snapdrift.stats.case_order import CaseBuffer, Unit, drawn_order
from snapdrift.stats.power import cases_for_drop, cases_for_no_worse, cases_of_agreement, detectable_difference
from snapdrift.stats.sequential import SequentialState, StoppingRule, Wealth, advance
from snapdrift.verdicts import RunFacts, evaluate, sufficiency
from snapdrift.verdicts.asides import sequential_notes, stopped_sentence
from snapdrift.verdicts.comparing import compare
from snapdrift.verdicts.looks import Looks, margins_of, stopping_rule, unit_differences, walk
from snapdrift.verdicts.planned import PlannedComparison, plan_comparisons
from snapdrift.verdicts.score_tables import MetricScores, ScoreTables, build_score_tables
from snapdrift.verdicts.sensitivity import topping_up_power
from snapdrift.verdicts.words import comparison_sentence

MakeResults = Callable[..., Results]
MakeGate = Callable[..., Gate]
HYBRID, OPEN = StoppingRule(0.05), StoppingRule.open_ended(0.05)
N = 200


def order_of(count: int) -> tuple[Unit, ...]:
    return tuple((f"c{number}",) for number in range(count))


def drop(count: int, every: int) -> dict[str, dict[str, list[Any]]]:
    """Every so-many-th case passes on the baseline only."""
    return {
        "base": {"right": [1] * count},
        "cand": {"right": [0 if number % every == 0 else 1 for number in range(count)]},
    }


def tables_of(results: Results, gate: Gate) -> tuple[tuple[PlannedComparison, ...], ScoreTables]:
    return plan_comparisons(results, gate, partial=False), build_score_tables(results, gate)


@pytest.fixture(scope="session")
def looked(make_results: MakeResults, make_gate: MakeGate) -> Callable[..., tuple[Comparison, Looks]]:
    """The comparison of these scores as `walk` and `compare` make it."""

    def look(
        scores: Any, rule: StoppingRule = HYBRID, *, sample: int | None = None, margin: float = 0.05, **about: Any
    ) -> tuple[Comparison, Looks]:
        results, gate = make_results(scores, **about), make_gate(margin=margin)
        planned, tables = tables_of(results, gate)
        looks = walk(planned, tables, order_of(len(results.cases)), rule, sample=sample)
        (comparison,) = compare(planned, tables, gate, 0, looks=looks)
        return comparison, looks

    return look


# ------------------------------------------------------------------------------------------------- p-values, intervals


def test_a_stopped_comparison_is_made_of_the_units_that_were_fed(looked) -> None:
    comparison, looks = looked(drop(N, 2))

    assert (looks.fed, looks.stopped, looks.complete) == (25, True, False)
    assert (comparison.n, comparison.units_fed, comparison.units_planned, comparison.stopped_early) == (25, 25, N, True)
    assert comparison.table is not None
    assert (comparison.table.only_baseline, comparison.table.both_pass) == (13, 12)
    assert len(comparison.newly_failing) == 13
    assert comparison.unmeasured == 0


def test_its_p_value_is_the_wealth_over_its_share_and_its_interval_the_betting_one(looked) -> None:
    comparison, _ = looked(drop(N, 2))
    fed = [-1.0 if number % 2 == 0 else 0.0 for number in range(25)]
    interval = betting_interval(fed, 0.9)

    assert comparison.method == "betting_hybrid"
    assert comparison.p_value == pytest.approx(Wealth.start(Claim.BELOW).after(fed).p_value / 0.2)
    assert comparison.ci == pytest.approx((interval.low, interval.high))
    assert comparison.p_mid is None
    assert comparison.verdict is Verdict.REGRESSED


def test_a_complete_run_has_its_fixed_test_at_four_fifths_of_alpha(looked, make_results, make_gate) -> None:
    scores, gate = drop(N, 67), make_gate(margin=0.05)
    comparison, looks = looked(scores)
    (fixed,) = compare(*tables_of(make_results(scores), gate), gate, 0)
    (reduced,) = compare(*tables_of(make_results(scores), gate), replace(gate, confidence=0.96), 0)

    assert looks.complete
    assert fixed.p_value is not None
    assert fixed.p_no_worse is not None
    assert comparison.p_value == pytest.approx(fixed.p_value / 0.8)
    assert comparison.p_no_worse == pytest.approx(min(fixed.p_no_worse / 0.8, 1))
    assert comparison.ci == reduced.ci
    assert comparison.method == "betting_hybrid"
    assert (comparison.n, comparison.table) == (N, fixed.table)


def test_an_open_ended_run_never_has_a_fixed_test(looked) -> None:
    comparison, looks = looked(drop(N, 67), OPEN, sample=100)
    fed = [-1.0 if number % 67 == 0 else 0.0 for number in range(N)]

    assert (looks.fed, looks.stopped, looks.complete, comparison.method) == (N, False, False, "betting_open_ended")
    assert comparison.p_value == pytest.approx(Wealth.start(Claim.BELOW).after(fed).p_value)


def test_a_run_that_may_be_topped_up_is_first_looked_at_when_its_sample_is_over(looked) -> None:
    assert looked(drop(N, 2), OPEN, sample=110)[1].fed == 110


def test_less_is_better_turns_everything_round(looked) -> None:
    scores = {"base": {"right": [0] * N}, "cand": {"right": [1, 0] * (N // 2)}}
    comparison, looks = looked(
        scores, specs=[MetricSpec("right", "right", ScoreKind.PASS_FAIL, higher_is_better=False)]
    )

    assert (looks.fed, comparison.verdict) == (25, Verdict.REGRESSED)
    assert comparison.difference == pytest.approx(13 / 25)
    assert comparison.ci[0] > 0


def test_repeats_are_averaged_and_clusters_fed_as_one_value(make_results, make_gate) -> None:
    """Two cases a cluster, two repeats: each cluster loses three quarters on the candidate."""
    scores = {"base": {"right": [(1, 1)] * 80}, "cand": {"right": [(1, 0), (0, 0)] * 40}}
    clusters = [f"k{number // 2}" for number in range(80)]
    results, gate = make_results(scores, clusters=clusters), make_gate(margin=0.05)
    planned, tables = tables_of(results, gate)
    order = drawn_order({case.id: str(case.cluster) for case in results.cases}, 3)

    assert unit_differences(planned, tables, order[:3]) == [dict.fromkeys(margins_of(planned), -0.75)] * 3
    looks = walk(planned, tables, order, HYBRID)
    (comparison,) = compare(planned, tables, gate, 0, looks=looks)
    assert looks.stopped
    assert (comparison.n, comparison.units_fed, comparison.units_planned) == (2 * looks.fed, looks.fed, 40)


def test_a_comparison_for_reading_is_stopped_with_those_that_gate(make_results, make_gate) -> None:
    scores = drop(N, 2)
    scores["base"]["tone"], scores["cand"]["tone"] = [1] * N, [1] * N
    results, gate = make_results(scores), make_gate(metrics=[MetricGate("right", margin=0.05)])
    planned, tables = tables_of(results, gate)
    looks = walk(planned, tables, order_of(N), HYBRID)
    _, tone = compare(planned, tables, gate, 0, looks=looks)

    assert not tone.gating
    assert (tone.n, tone.method, tone.stopped_early) == (25, "betting_hybrid", True)
    interval = betting_interval([0.0] * 25, 0.9)
    assert tone.ci == (interval.low, interval.high)


def test_what_a_stop_left_open_is_told_as_that(make_results, make_gate) -> None:
    scores = {"base": {"right": [1] * N}, "cand": {"right": [0] * N}, "same": {"right": [1] * N}}
    results, gate = make_results(scores), make_gate("cand", "same", margin=0.05)
    planned, tables = tables_of(results, gate)
    _, same = compare(planned, tables, gate, 0, looks=walk(planned, tables, order_of(N), HYBRID))

    assert (same.verdict, same.cases_to_resolve) == (Verdict.INCONCLUSIVE, None)
    assert "over 25 cases; asking ended before this was settled." in comparison_sentence(same)


def test_holm_makes_looks_wait_longer_where_several_comparisons_gate(make_results, make_gate) -> None:
    scores = {"base": {"right": [1] * 50}, **{name: {"right": [0] * 9 + [1] * 41} for name in ("one",)}}
    scores |= {"two": {"right": [1] * 50}, "three": {"right": [1] * 50}}
    results = make_results(scores)
    fed = []
    for candidates in (("one",), ("one", "two", "three")):
        planned, tables = tables_of(results, make_gate(*candidates, margin=0.05))
        fed.append(walk(planned, tables, order_of(50), HYBRID))

    assert [(looks.fed, looks.stopped) for looks in fed] == [(25, True), (50, False)]


# ------------------------------------------------------------------------------------------------- order


@settings(max_examples=30)
@given(rng=st.randoms(use_true_random=False), every=st.integers(2, 9), portion=st.integers(1, 40))
def test_answers_in_any_order_stop_at_the_same_look(make_results, make_gate, rng, every: int, portion: int) -> None:
    """What the buffer releases and `advance` is fed is what `walk` sees of all scores at once."""
    count = 120
    planned, tables = tables_of(make_results(drop(count, every)), make_gate(margin=0.05))
    order = drawn_order({f"c{number}": f"c{number}" for number in range(count)}, 11)
    whole = walk(planned, tables, order, HYBRID)

    arriving = [(case, side) for (case,) in order for side in ("base", "cand")]
    mixed = [arriving[start : start + portion] for start in range(0, len(arriving), portion)]
    for part in mixed:
        rng.shuffle(part)
    buffer: CaseBuffer[None] = CaseBuffer(order, ["base", "cand"])
    state, stopped = SequentialState.start("", 0, margins_of(planned)), False
    for case, side in (call for part in mixed for call in part):
        released = [tuple(unit) for unit in buffer.put(case, side, None)]
        if released and not stopped:
            progress = advance(state, unit_differences(planned, tables, released), HYBRID, margins_of(planned))
            state, stopped = progress.state, progress.stopped

    assert (state.units, stopped and state.units < count) == (whole.fed, whole.stopped)


# ------------------------------------------------------------------------------------------------- whole evaluations


@pytest.fixture(scope="session")
def evaluated(make_results: MakeResults, make_gate: MakeGate) -> Callable[..., Evaluation]:
    def evaluate_looked(scores: Any, looks: Looks, tags: Any = None, **gate: Any) -> Evaluation:
        return evaluate(make_results(scores, tags=tags), make_gate(**{"margin": 0.05, **gate}), RunFacts(looks=looks))

    return evaluate_looked


def stopped_at(fed: int, **more: Any) -> Looks:
    return Looks(HYBRID, order_of(N), fed, N, stopped=True, **more)


def with_outcomes(scores: dict[str, dict[str, list[Any]]], outcome: Outcome, places: Sequence[int]) -> Any:
    made = {variant: {"right": list(rows["right"])} for variant, rows in scores.items()}
    for place in places:
        made["cand"]["right"][place] = outcome
    return made


def test_what_was_spared_or_failed_beyond_the_stop_is_outside_coverage_and_imputation(evaluated) -> None:
    scores = with_outcomes(drop(N, 2), Outcome.NOT_NEEDED, range(40, N))
    scores = with_outcomes(scores, Outcome.API_ERROR, range(30, 40))
    evaluation = evaluated(scores, stopped_at(25))

    assert evaluation.decision.exit_code == 1
    assert evaluation.variants[1].coverage == 1.0
    assert evaluation.variants[1].outcomes == {"ok": 30, "api_error": 10, "not_needed": 160}
    assert evaluation.comparisons[0].unmeasured == 0


def test_unmeasured_calls_of_units_that_were_fed_count_and_are_imputed_with_the_same_units(evaluated) -> None:
    agreeing = {"base": {"right": [1] * N}, "cand": {"right": [1] * N}}
    lost = range(20)
    looks = stopped_at(175, passed_over=frozenset(CallKey(f"c{number}", "cand", 0) for number in lost))
    evaluation = evaluated(with_outcomes(agreeing, Outcome.API_ERROR, lost), looks, coverage=0.0)

    assert evaluation.decision.exit_code == 3
    (reason,) = evaluation.decision.reasons
    assert reason == (
        "20 unmeasured calls could change the decision: if all had gone against the candidate, it would be "
        "regression, not passed."
    )


def test_a_call_that_was_passed_over_has_no_value_although_it_was_answered_later(evaluated) -> None:
    with_it = evaluated(drop(N, 2), stopped_at(25)).comparisons[0]
    without = evaluated(drop(N, 2), stopped_at(25, passed_over=frozenset({CallKey("c0", "cand", 0)}))).comparisons[0]

    assert (without.n, without.unmeasured, len(without.newly_failing)) == (24, 1, len(with_it.newly_failing) - 1)
    assert without.p_value > with_it.p_value


def test_a_judge_that_was_passed_over_leaves_the_other_metrics_their_value(make_results, make_gate) -> None:
    scores = drop(N, 2)
    scores["base"]["tone"], scores["cand"]["tone"] = [1] * N, [1] * N
    lost = frozenset({CallKey("c1", "cand", 0, grader="tone")})
    evaluation = evaluate(
        make_results(scores), make_gate(margin=0.05), RunFacts(looks=stopped_at(25, passed_over=lost))
    )

    assert [(c.metric, c.n) for c in evaluation.comparisons] == [("right", 25), ("tone", 24)]


def test_a_case_that_must_pass_counts_also_beyond_the_stop(evaluated) -> None:
    must_pass = MustPass(tags=("golden",))
    answered = evaluated(drop(N, 2), stopped_at(25), {80: ("golden",)}, must_pass=must_pass)
    agreeing = {"base": {"right": [1] * N}, "cand": {"right": [1] * N}}
    missing = with_outcomes(agreeing, Outcome.MISSING, [80])
    unmeasured = evaluated(missing, stopped_at(150), {80: ("golden",)}, must_pass=must_pass)

    assert "The must-pass case `c80` fails on `cand`: right." in answered.decision.reasons
    assert unmeasured.decision.exit_code == 3
    assert unmeasured.decision.reasons == ("`cand` was not measured on cases that must pass: `c80`.",)


def test_a_case_that_must_pass_in_an_extension_that_was_not_asked_is_not_among_those_asked(evaluated) -> None:
    agreeing = {"base": {"right": [1] * N}, "cand": {"right": [1] * N}}
    spared = with_outcomes(with_outcomes(agreeing, Outcome.NOT_NEEDED, range(125, N)), Outcome.OK, [])
    spared["base"]["right"][125:] = [Outcome.NOT_NEEDED] * (N - 125)
    looks = Looks(OPEN, order_of(N), 125, N, sample=100, stopped=True)
    evaluation = evaluated(spared, looks, {5: ("golden",), 150: ("golden",)}, must_pass=MustPass(tags=("golden",)))

    assert evaluation.decision.exit_code == 0
    assert not [text for text in evaluation.decision.warnings if "must-pass" in text]


@pytest.mark.parametrize(("policy", "code"), [(Policy.CATCH, 0), (Policy.PROVE, 4)])
def test_when_the_allowance_is_spent_catch_warns_and_prove_is_inconclusive(evaluated, policy, code) -> None:
    scores = with_outcomes(drop(N, 67), Outcome.NOT_NEEDED, range(140, N))
    looks = Looks(OPEN, order_of(N), 130, N, sample=100, spent="the budget of $2 is used up.")
    evaluation = evaluated(scores, looks, policy=policy, inconclusive=OnInconclusive.EXTEND)

    assert evaluation.decision.exit_code == code
    assert (
        "Topping up ended after 130 of up to 200 cases, with nothing settled: the budget of $2 is used up. "
        "`snapdrift resume RUN --extend` goes on."
    ) in evaluation.decision.warnings


def test_in_a_sample_that_money_ended_what_is_missing_is_missing(evaluated) -> None:
    scores = with_outcomes(drop(N, 67), Outcome.MISSING, range(80, N))
    looks = Looks(OPEN, order_of(N), 80, N, sample=100)
    assert evaluated(scores, looks, inconclusive=OnInconclusive.EXTEND).decision.exit_code == 3


# ------------------------------------------------------------------------------------------------- what would be missed


def test_what_a_stopped_run_would_miss_is_never_under_the_margin(looked) -> None:
    agreeing = {"base": {"right": [1] * 4000}, "cand": {"right": [1] * 4000}}
    comparison, looks = looked(agreeing)

    fixed = detectable_difference(4000, 0.15, 0.04)
    assert looks.stopped
    assert fixed is not None
    assert fixed < 0.05 == comparison.detectable_difference


def test_a_complete_run_would_miss_what_its_fixed_part_does_and_a_topped_up_one_what_betting_does(looked) -> None:
    complete, _ = looked(drop(N, 67))
    extended, _ = looked(drop(N, 67), OPEN, sample=100)

    assert complete.detectable_difference == detectable_difference(N, 0.15, 0.04)
    assert extended.detectable_difference == betting_detectable(N, 0.15, 0.05)


# ------------------------------------------------------------------------------------------------- before the run


RIGHT = MetricSpec("right", "right", ScoreKind.PASS_FAIL)


def enough(gate: Gate, count: int, rule: StoppingRule | None) -> bool:
    (found,) = sufficiency(gate, [RIGHT], [Case(f"c{number}") for number in range(count)], {}, 1, rule)
    return found.enough


def test_the_rule_of_a_gate_follows_from_its_keys(make_gate) -> None:
    extends = make_gate(inconclusive=OnInconclusive.EXTEND)
    assert stopping_rule(make_gate(), early_stop=False) is None
    assert stopping_rule(make_gate(), early_stop=True) == HYBRID
    assert stopping_rule(extends, early_stop=True) == stopping_rule(extends, early_stop=False) == OPEN


def test_prove_needs_as_much_agreement_as_its_part_of_alpha_takes(make_gate) -> None:
    gate = make_gate(margin=0.05, policy=Policy.PROVE)
    fixed, reduced, betting = (
        cases_for_no_worse(0.05, 0.05),
        cases_for_no_worse(0.05, 0.04),
        cases_of_agreement(0.05, 0.05),
    )

    assert betting is not None
    assert fixed < reduced < betting == 88
    for rule, needed in ((None, fixed), (HYBRID, reduced), (OPEN, betting)):
        assert [enough(gate, needed - 1, rule), enough(gate, needed, rule)] == [False, True]


@pytest.mark.parametrize(("rule", "needed"), [(None, 100), (HYBRID, cases_for_drop(0.10, 0.15, 0.04)), (OPEN, 145)])
def test_catch_needs_as_many_cases_as_its_part_of_alpha_takes(make_gate, rule, needed) -> None:
    assert [enough(make_gate(), needed - 1, rule), enough(make_gate(), needed, rule)] == [False, True]


def test_what_topping_up_costs_in_power_is_said_at_both_sizes(make_gate) -> None:
    text = topping_up_power(make_gate(), 0.05, 100, 1000)
    assert text == (
        "topping up takes betting, which sees a drop of 10.0 points with a power of 59.3% instead of 80.1% at 100 "
        "cases (the sample) and over 99.9% instead of over 99.9% at 1,000 cases (the whole dataset), if 15.0% of "
        "results differ"
    )


# ------------------------------------------------------------------------------------------------- words


def test_a_stop_is_told_with_what_it_does_to_the_difference() -> None:
    stopped = Sequential(open_ended=False, fed=225, planned=1000, sample=1000, unit_size=1, stopped=True, resolved=True)
    assert stopped_sentence(stopped) == (
        "Stopped after 225 of 1,000 cases; answers after that were not needed; what ended the asking is likely "
        "overstated: a drop looks larger, and no change better, than it is."
    )
    assert "of up to 1,000 cases" in stopped_sentence(replace(stopped, open_ended=True, sample=200))
    assert stopped_sentence(replace(stopped, stopped=False)) == ""
    assert sequential_notes(stopped) == ()


def test_a_stop_that_the_scores_no_longer_bear_out_leaves_the_run_incomplete(evaluated) -> None:
    agreeing = {"base": {"right": [1] * N}, "cand": {"right": [1] * N}}
    decision = evaluated(agreeing, stopped_at(25)).decision
    assert decision.word is DecisionWord.INCOMPLETE
    assert decision.reasons[0] == (
        "The run was stopped after 25 of 200 cases by scores that were others then; as they are now, they would not "
        "have stopped it."
    )
    assert decision.would_miss == {}


def test_answers_that_came_after_their_look_can_make_a_pass_incomplete(evaluated) -> None:
    """15 calls failed, were passed over, and answered by the sweep: all wrong, which no look has seen."""
    late = frozenset(CallKey(f"c{number}", "cand", 0) for number in range(15))
    agreeing = {"base": {"right": [1] * N}, "cand": {"right": [0] * 15 + [1] * (N - 15)}}
    decision = evaluated(agreeing, stopped_at(150, passed_over=late), policy=Policy.PROVE).decision
    assert decision.word is DecisionWord.INCOMPLETE
    against, for_it = decision.reasons
    assert against.startswith("15 late answers could change the decision: if all had gone against the candidate")
    assert for_it.endswith("if all had gone for the candidate, it would be regression, not passed.")


def test_late_answers_that_agree_change_nothing(evaluated) -> None:
    late = frozenset(CallKey(f"c{number}", "cand", 0) for number in range(15))
    agreeing = {"base": {"right": [1] * N}, "cand": {"right": [1] * N}}
    assert evaluated(agreeing, stopped_at(150, passed_over=late), policy=Policy.PROVE).decision.word == "passed"


def test_a_comparison_of_severity_warn_is_no_part_of_what_is_bet_on(make_results, make_gate) -> None:
    gate = make_gate(metrics=[MetricGate("right", margin=0.05, severity=Severity.WARN)])
    planned, tables = tables_of(make_results(drop(50, 2)), gate)
    assert margins_of(planned) == {}
    assert not walk(planned, tables, order_of(50), HYBRID).stopped


def test_walking_thousands_of_runs_gives_figures_that_arrays_can_be_made_of() -> None:
    """How a simulation uses it: tables made straight of arrays, no run and no records of calls."""
    ids, values = tuple(f"c{number}" for number in range(100)), np.ones((2, 100, 1))
    values[1, ::2] = 0.0
    on, none = np.ones_like(values, dtype=np.bool_), np.zeros(2, dtype=np.int64)
    codes = np.zeros_like(values, dtype=np.int8)
    tables = ScoreTables(
        {"right": MetricScores(RIGHT, True, values, values, on, none, none, codes)},
        {"base": 0, "cand": 1},
        ids,
        np.arange(100),
        on,
        on,
        codes,
    )
    gate = Gate("g", metrics=(MetricGate("right", margin=0.05),))
    planned = [PlannedComparison(Pair("base", "cand"), "right", Severity.FAIL, gating=True, margin=0.05)]
    looks = walk(planned, tables, order_of(100), HYBRID)
    (comparison,) = compare(planned, tables, gate, 0, looks=looks)
    assert (looks.fed, comparison.verdict) == (25, Verdict.REGRESSED)
