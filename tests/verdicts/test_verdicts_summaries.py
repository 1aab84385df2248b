from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.conclusions import AliasMove, Evaluation, MetricSummary, Operational, VariantSummary
from snapdrift.model import CallKey, CallResult, Gate, MetricGate, Outcome, Reason, Results, Score, Source, Usage
from snapdrift.verdicts import RunFacts, evaluate
from snapdrift.verdicts.increases import increase_broken

MakeResults = Callable[..., Results]
MakeGate = Callable[..., Gate]


def variant_of(evaluation: Evaluation, name: str) -> VariantSummary:
    return next(variant for variant in evaluation.variants if variant.name == name)


def metric_of(evaluation: Evaluation, name: str) -> MetricSummary:
    return next(metric for metric in evaluation.metrics if metric.variant == name)


def answer(**changes: Any) -> CallResult:
    return replace(CallResult(Outcome.OK, "m", 100.0, Usage(10, 4, 20, 5), 0.001), **changes)


@pytest.fixture(scope="session")
def evaluate_calls(make_results: MakeResults, make_gate: MakeGate) -> Callable[..., Evaluation]:
    """Evaluates `cand` with the calls given (and `base`, whose calls all answer) on as many cases."""

    def run(cand: list[CallResult], base: list[CallResult] | None = None, **facts: Any) -> Evaluation:
        calls = {CallKey(f"c{i}", "cand", 0): call for i, call in enumerate(cand)}
        calls |= {CallKey(f"c{i}", "base", 0): call for i, call in enumerate(base or [])}
        scores = {"base": {"right": [1] * len(cand)}, "cand": {"right": [1] * len(cand)}}
        return evaluate(make_results(scores, calls=calls), make_gate(), RunFacts(**facts))

    return run


@given(st.lists(st.sampled_from(list(Outcome)), min_size=1, max_size=12))
def test_outcomes_add_up_to_what_was_planned(
    evaluate_calls: Callable[..., Evaluation], outcomes: list[Outcome]
) -> None:
    found = variant_of(evaluate_calls([answer(outcome=outcome) for outcome in outcomes]), "cand")
    assert sum(found.outcomes.values()) == found.planned == len(outcomes)


def test_coverage_is_the_measured_share_of_what_was_not_spared(evaluate_calls: Callable[..., Evaluation]) -> None:
    outcomes = [Outcome.OK, Outcome.REFUSED, Outcome.TRUNCATED, Outcome.API_ERROR, Outcome.NOT_NEEDED]
    assert variant_of(evaluate_calls([answer(outcome=o) for o in outcomes]), "cand").coverage == 0.75


def test_what_a_call_cost_that_went_missing_half_way_is_in_the_sum(evaluate_calls: Callable[..., Evaluation]) -> None:
    begun = CallResult(Outcome.MISSING, usd=0.002, requests=2)
    assert variant_of(evaluate_calls([answer(), begun]), "cand").usd == pytest.approx(0.003)


def test_tokens_money_and_requests_are_added_up(evaluate_calls: Callable[..., Evaluation]) -> None:
    found = variant_of(evaluate_calls([answer(), answer(usd=0.002, requests=3)]), "cand")
    assert found.usage == Usage(20, 8, 40, 10)
    assert found.usd == pytest.approx(0.003)
    assert found.requests == 4


def test_what_was_never_asked_is_no_request(evaluate_calls: Callable[..., Evaluation]) -> None:
    calls = [answer(), CallResult(Outcome.MISSING), CallResult(Outcome.NOT_NEEDED), CallResult(Outcome.API_ERROR)]
    assert variant_of(evaluate_calls(calls), "cand").requests == 2


def test_a_price_that_is_not_known_makes_the_sum_unknown(evaluate_calls: Callable[..., Evaluation]) -> None:
    assert variant_of(evaluate_calls([answer(), answer(usd=None)]), "cand").usd is None


def test_latencies_are_those_of_measured_calls(evaluate_calls: Callable[..., Evaluation]) -> None:
    calls = [*(answer(latency_ms=float(ms)) for ms in range(101)), answer(outcome=Outcome.API_ERROR, latency_ms=9e9)]
    found = variant_of(evaluate_calls(calls), "cand")
    assert (found.latency_p50, found.latency_p95) == (50.0, 95.0)


def test_a_variant_without_an_answer_has_no_latency(evaluate_calls: Callable[..., Evaluation]) -> None:
    found = variant_of(evaluate_calls([CallResult(Outcome.API_ERROR)]), "cand")
    assert (found.latency_p50, found.latency_p95, found.coverage) == (None, None, 0.0)


def test_models_and_sources_are_counted(evaluate_calls: Callable[..., Evaluation]) -> None:
    calls = [answer(), answer(source=Source.SIMULATED), answer(returned_model="n")]
    found = variant_of(evaluate_calls(calls), "cand")
    assert found.resolved_models == {"m": 2, "n": 1}
    assert found.sources == {"openai": 2, "simulated": 1}


def test_judging_is_accounted_apart(make_results: MakeResults, make_gate: MakeGate) -> None:
    results = make_results({"base": {"right": [1]}, "cand": {"right": [1]}})
    found = evaluate(replace(results, judge_usd={"cand": 0.5}), make_gate(), RunFacts())
    assert (variant_of(found, "cand").judge_usd, variant_of(found, "base").judge_usd) == (0.5, 0.0)


def test_a_level_counts_what_could_not_be_scored_and_why(make_results: MakeResults, make_gate: MakeGate) -> None:
    rows = [1, 0, None, Outcome.API_ERROR, 1]
    results = make_results({"base": {"right": [1] * 5}, "cand": {"right": rows}})
    unread = Score("c1", "cand", 0, "right", 0.0, False, Reason.UNEXTRACTED)
    results = replace(
        results, scores=tuple(unread if (s.case_id, s.variant) == ("c1", "cand") else s for s in results.scores)
    )
    found = metric_of(evaluate(results, make_gate(), RunFacts()), "cand")
    assert found.n == 3
    assert found.mean == pytest.approx(2 / 3)
    assert (found.unextracted, found.grader_errors, found.unmeasured) == (1, 1, 2)


def test_a_level_of_repeats_is_the_mean_of_case_means(make_results: MakeResults, make_gate: MakeGate) -> None:
    rows = [(1, Outcome.API_ERROR), (0, 0), (1, 1)]
    results = make_results({"base": {"right": [(1, 1)] * 3}, "cand": {"right": rows}})
    assert metric_of(evaluate(results, make_gate(), RunFacts()), "cand").mean == pytest.approx(2 / 3)


def test_a_level_without_scores_has_no_figures(make_results: MakeResults, make_gate: MakeGate) -> None:
    results = make_results({"base": {"right": [1]}, "cand": {"right": [Outcome.MISSING]}})
    found = metric_of(evaluate(results, make_gate(), RunFacts()), "cand")
    assert (found.n, found.mean, found.ci) == (0, None, None)


def measure(evaluation: Evaluation, name: str) -> Operational:
    return next(operational for operational in evaluation.operational if operational.metric == name)


def test_operational_measures_are_taken_on_calls_measured_on_both_sides(
    evaluate_calls: Callable[..., Evaluation],
) -> None:
    cand = [answer(usd=0.002, usage=Usage(10, 0, 30)), answer(outcome=Outcome.API_ERROR), answer(usd=0.002)]
    base = [answer(), answer(usd=99.0), CallResult(Outcome.MISSING)]
    found = evaluate_calls(cand, base)
    assert (measure(found, "cost").baseline_value, measure(found, "cost").ratio) == (0.001, 2.0)
    assert measure(found, "output_tokens").ratio == 1.5


def test_operational_measures_that_nobody_limits_are_shown(evaluate_calls: Callable[..., Evaluation]) -> None:
    found = evaluate_calls([answer()])
    assert [(o.metric, o.max_increase) for o in found.operational] == [
        ("cost", None),
        ("latency_p95", None),
        ("latency_typical", None),
        ("output_tokens", None),
    ]


def test_an_increase_from_nothing_has_no_ratio_and_breaks_any_limit(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    calls = {CallKey("c0", "base", 0): answer(usd=0.0)}
    results = make_results({"base": {"right": [1]}, "cand": {"right": [1]}}, calls=calls)
    gate = make_gate(metrics=[MetricGate("cost", max_increase=5.0)])
    found = measure(evaluate(results, gate, RunFacts()), "cost")
    assert found.ratio is None
    assert increase_broken(found)


def test_nothing_that_stays_nothing_is_no_increase(evaluate_calls: Callable[..., Evaluation]) -> None:
    assert measure(evaluate_calls([answer(usd=0.0)], [answer(usd=0.0)]), "cost").ratio == 1.0


def test_an_alias_that_answers_as_another_model_than_before_moved(evaluate_calls: Callable[..., Evaluation]) -> None:
    found = evaluate_calls([answer()], previous_models={"cand": ("old",), "base": ("base-model",)})
    assert found.alias_moves == (AliasMove("cand", "cand-model", ("old",), ("m",)),)


def test_an_alias_that_answers_as_two_models_moved_within_the_run(evaluate_calls: Callable[..., Evaluation]) -> None:
    found = evaluate_calls([answer(), answer(returned_model="n")])
    assert found.alias_moves == (AliasMove("cand", "cand-model", (), ("m", "n")),)


def test_an_alias_asked_for_the_first_time_did_not_move(evaluate_calls: Callable[..., Evaluation]) -> None:
    assert evaluate_calls([answer()]).alias_moves == ()


def test_the_calls_of_judges_are_not_the_variants_calls(make_results: MakeResults, make_gate: MakeGate) -> None:
    judged = {CallKey("c0", "cand", 0, "tone"): answer(usd=7.0)}
    results = make_results({"base": {"right": [1]}, "cand": {"right": [1]}}, calls=judged)
    found = variant_of(evaluate(results, make_gate(), RunFacts()), "cand")
    assert (found.planned, found.usd) == (1, 0.001)


def test_a_score_of_a_call_that_was_not_measured_does_not_count(make_results: MakeResults, make_gate: MakeGate) -> None:
    results = make_results({"base": {"right": [1, 1]}, "cand": {"right": [1, Outcome.API_ERROR]}})
    stray = Score("c1", "cand", 0, "right", 1.0, True, Reason.PASSED)
    found = evaluate(replace(results, scores=(*results.scores, stray)), make_gate(), RunFacts())
    assert metric_of(found, "cand").n == 1


def test_repeats_may_be_counted_from_one(make_results: MakeResults, make_gate: MakeGate) -> None:
    results = make_results({"base": {"right": [1] * 6}, "cand": {"right": [1] * 6}})
    shifted = replace(
        results,
        calls={replace(key, repeat=1): call for key, call in results.calls.items()},
        scores=tuple(replace(score, repeat=1) for score in results.scores),
    )
    assert evaluate(shifted, make_gate(), RunFacts()) == evaluate(results, make_gate(), RunFacts())
