from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from snapdrift.conclusions import Comparison, Evaluation, PairTable
from snapdrift.errors import UsageError
from snapdrift.model import Gate, MetricGate, MetricSpec, Outcome, Pair, Results, ScoreKind, Severity, Verdict
from snapdrift.verdicts import RunFacts, evaluate

MakeResults = Callable[..., Results]
MakeGate = Callable[..., Gate]
MakeTable = Callable[..., dict[str, dict[str, list[int]]]]


def only(evaluation: Evaluation) -> Comparison:
    (comparison,) = evaluation.comparisons
    return comparison


def gsm_scores() -> dict[str, dict[str, list[int]]]:
    """Three variants of 1,319 cases with the tables that the recorded outputs give: 40/14 and 22/11 discordant."""
    base = [1] * 1269 + [0] * 50
    mini = [1] * 1229 + [0] * 40 + [1] * 14 + [0] * 36
    may = [1] * 1247 + [0] * 22 + [1] * 11 + [0] * 39
    return {"base": {"right": base}, "mini": {"right": mini}, "may": {"right": may}}


@pytest.fixture
def gsm(make_results: MakeResults, make_gate: MakeGate) -> dict[str, Comparison]:
    evaluation = evaluate(make_results(gsm_scores()), make_gate("mini", "may", margin=0.01), RunFacts())
    return {comparison.candidate: comparison for comparison in evaluation.comparisons}


def test_the_recorded_outputs_have_their_known_tables(gsm: dict[str, Comparison]) -> None:
    assert gsm["mini"].table == PairTable(1229, 40, 14, 36)
    assert gsm["may"].table == PairTable(1247, 22, 11, 39)


def test_the_recorded_outputs_have_their_known_p_values(gsm: dict[str, Comparison]) -> None:
    assert gsm["mini"].p_two_sided == pytest.approx(0.000535, abs=5e-7)
    assert gsm["may"].p_two_sided == pytest.approx(0.0801, abs=5e-5)
    assert gsm["may"].p_value == pytest.approx(0.0401, abs=5e-5)


def test_holms_second_step_takes_the_raw_p(gsm: dict[str, Comparison]) -> None:
    assert gsm["may"].p_adjusted == gsm["may"].p_value
    assert gsm["mini"].p_adjusted == pytest.approx(gsm["mini"].p_two_sided)


def test_both_recorded_candidates_regressed(gsm: dict[str, Comparison]) -> None:
    assert {c.verdict for c in gsm.values()} == {Verdict.REGRESSED}


def test_the_same_candidate_does_not_regress_beside_one_with_a_weaker_p(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    scores = gsm_scores()
    scores["other"] = {"right": [1] * 1247 + [0] * 22 + [1] * 11 + [0] * 39}
    gate = make_gate("may", "other", margin=0.01)
    found = evaluate(make_results({k: v for k, v in scores.items() if k != "mini"}), gate, RunFacts())
    assert {c.verdict for c in found.comparisons} == {Verdict.INCONCLUSIVE}


def test_the_interval_shown_is_the_one_minus_two_alpha_one(gsm: dict[str, Comparison]) -> None:
    ci = gsm["mini"].ci
    assert ci is not None
    assert ci == pytest.approx((-0.0291, -0.0106), abs=1e-3)
    assert gsm["mini"].difference == pytest.approx(-26 / 1319)


def test_mid_p_is_shown_one_sided(gsm: dict[str, Comparison]) -> None:
    found = gsm["mini"]
    assert found.p_mid is not None
    assert found.p_value is not None
    assert found.p_mid < found.p_value


def test_newly_failing_and_newly_passing_are_the_discordant_cases(gsm: dict[str, Comparison]) -> None:
    assert gsm["may"].newly_failing == tuple(f"c{i}" for i in range(1247, 1269))
    assert gsm["may"].newly_passing == tuple(f"c{i}" for i in range(1269, 1280))


def test_repeats_are_averaged_within_a_case_first(make_results: MakeResults, make_gate: MakeGate) -> None:
    scores = {"base": {"right": [(1, 1, 0)] * 12}, "cand": {"right": [(1, 0, 0)] * 12}}
    found = only(evaluate(make_results(scores), make_gate(), RunFacts()))
    assert found.n == 12
    assert found.difference == pytest.approx(-1 / 3)
    assert found.p_value == pytest.approx(2**-12)
    assert found.table is None


def test_a_case_newly_fails_when_most_repeats_of_the_baseline_pass_and_most_of_the_candidate_do_not(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    scores = {
        "base": {"right": [(1, 1, 0, 1), (1, 1, 0, 0), (0, 0, 0, 0), (1, 1, 1, 1)]},
        "cand": {"right": [(1, 1, 0, 0), (0, 0, 0, 0), (1, 1, 1, 0), (1, 1, 1, 0)]},
    }
    found = only(evaluate(make_results(scores), make_gate(), RunFacts()))
    assert (found.newly_failing, found.newly_passing) == (("c0",), ("c2",))


def test_repeats_that_were_not_measured_leave_the_mean_of_the_others(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    scores = {"base": {"right": [(1, 1)] * 6}, "cand": {"right": [(1, Outcome.API_ERROR)] * 6}}
    found = only(evaluate(make_results(scores), make_gate(), RunFacts()))
    assert (found.n, found.difference, found.unmeasured) == (6, 0.0, 0)


def test_cases_pair_by_id_and_those_unmeasured_on_a_side_are_counted(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    scores = {"base": {"right": [1, Outcome.MISSING, 1, 0, 1, 1, 1]}, "cand": {"right": [0, 1, None, 0, 1, 1, 1]}}
    found = only(evaluate(make_results(scores), make_gate(), RunFacts()))
    assert (found.n, found.unmeasured) == (5, 2)


def test_calls_that_were_not_needed_are_not_missing(make_results: MakeResults, make_gate: MakeGate) -> None:
    scores = {"base": {"right": [1] * 5 + [Outcome.NOT_NEEDED]}, "cand": {"right": [1] * 5 + [Outcome.NOT_NEEDED]}}
    found = only(evaluate(make_results(scores), make_gate(), RunFacts()))
    assert (found.n, found.unmeasured) == (5, 0)


def graded(make_results: MakeResults, base: list[float], cand: list[float]) -> Results:
    specs = [MetricSpec("right", "right", ScoreKind.GRADED)]
    return make_results({"base": {"right": base}, "cand": {"right": cand}}, specs=specs)


def test_graded_metrics_compare_the_value(make_results: MakeResults, make_gate: MakeGate) -> None:
    found = only(evaluate(graded(make_results, [0.9] * 8, [0.7] * 8), make_gate(), RunFacts()))
    assert found.difference == pytest.approx(-0.2)
    assert found.table is None


def test_on_passed_compares_whether_a_graded_metric_passed(make_results: MakeResults, make_gate: MakeGate) -> None:
    gate = make_gate(metrics=[MetricGate("right", margin=0.03, on="passed")])
    found = only(evaluate(graded(make_results, [0.9] * 8, [0.7] * 8), gate, RunFacts()))
    assert found.table == PairTable(8, 0, 0, 0)


def test_on_value_compares_the_value_of_a_pass_fail_metric(make_results: MakeResults, make_gate: MakeGate) -> None:
    gate = make_gate(metrics=[MetricGate("right", margin=0.03, on="value")])
    scores = {"base": {"right": [1.0] * 8}, "cand": {"right": [0.75] * 8}}
    assert only(evaluate(make_results(scores), gate, RunFacts())).difference == pytest.approx(-0.25)


def test_where_less_is_better_an_increase_is_a_regression(make_results: MakeResults, make_gate: MakeGate) -> None:
    specs = [MetricSpec("right", "right", ScoreKind.GRADED, higher_is_better=False)]
    results = make_results({"base": {"right": [0.1] * 8}, "cand": {"right": [0.4] * 8}}, specs=specs)
    found = only(evaluate(results, make_gate(), RunFacts()))
    assert found.verdict is Verdict.REGRESSED
    assert found.difference == pytest.approx(0.3)
    assert found.ci is not None
    assert found.ci[0] < 0.3 < found.ci[1]


def test_metrics_without_an_entry_are_compared_for_reading_only(make_results: MakeResults, make_gate: MakeGate) -> None:
    scores = {"base": {"right": [1] * 9, "tone": [1] * 9}, "cand": {"right": [1] * 9, "tone": [0] * 9}}
    found = {c.metric: c for c in evaluate(make_results(scores), make_gate(), RunFacts()).comparisons}
    tone = found["tone"]
    assert (tone.severity, tone.gating, tone.margin) == (Severity.WARN, False, None)
    assert tone.verdict is Verdict.REGRESSED


def test_only_gating_metrics_count_for_holm(make_results: MakeResults, make_gate: MakeGate) -> None:
    row = {"right": [1] * 9, "tone": [1] * 9, "form": [1] * 9}
    worse = {"right": [0] * 6 + [1] * 3, "tone": [0] * 6 + [1] * 3, "form": [0] * 6 + [1] * 3}
    entries = [MetricGate("right", margin=0.03), MetricGate("tone", margin=0.03, severity=Severity.WARN)]
    results = make_results({"base": row, "cand": worse})
    found = evaluate(results, make_gate(metrics=entries), RunFacts()).comparisons
    assert [c.p_adjusted for c in found] == [c.p_value for c in found] == [2**-6] * 3


@pytest.mark.parametrize(
    ("pair", "entry", "gating"),
    [
        (Severity.FAIL, MetricGate("right", margin=0.1), True),
        (Severity.WARN, MetricGate("right", margin=0.1), False),
        (Severity.FAIL, MetricGate("right", margin=0.1, severity=Severity.WARN), False),
        (Severity.FAIL, MetricGate("right", at_least=0.1), False),
    ],
)
def test_a_comparison_gates_when_pair_and_metric_fail_and_a_margin_is_set(
    pair: Severity, entry: MetricGate, *, gating: bool, make_results: MakeResults, make_gate: MakeGate
) -> None:
    gate = make_gate(metrics=[entry], pairs=(Pair("base", "cand", pair),))
    results = make_results({"base": {"right": [1] * 9}, "cand": {"right": [1] * 9}})
    assert only(evaluate(results, gate, RunFacts())).gating is gating


def test_what_could_be_seen_comes_from_the_cases_that_paired(
    make_results: MakeResults, make_gate: MakeGate, make_table: MakeTable
) -> None:
    found = only(evaluate(make_results(make_table(95, 2, 2, 1)), make_gate(), RunFacts()))
    assert found.detectable_difference == pytest.approx(0.10, abs=0.001)


def test_what_could_be_seen_is_less_where_more_differs_than_was_assumed(
    make_results: MakeResults, make_gate: MakeGate, make_table: MakeTable
) -> None:
    found = only(evaluate(make_results(make_table(60, 15, 15, 10)), make_gate(), RunFacts()))
    usual = only(evaluate(make_results(make_table(60, 15, 15, 10)), make_gate(discordance=0.3), RunFacts()))
    assert found.detectable_difference == usual.detectable_difference
    assert found.detectable_difference is not None
    assert found.detectable_difference > 0.13


def test_graded_values_that_differ_more_than_was_assumed_can_see_less(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    base, cand = [0.9, 0.1] * 50, [0.2, 0.8] * 50
    found = only(evaluate(graded(make_results, base, cand), make_gate(), RunFacts()))
    usual = only(evaluate(graded(make_results, base, cand), make_gate(discordance=0.49), RunFacts()))
    assert found.detectable_difference == usual.detectable_difference


def test_cases_of_clusters_can_see_less(make_results: MakeResults, make_gate: MakeGate, make_table: MakeTable) -> None:
    results = make_results(make_table(95, 2, 2, 1), clusters=[str(i // 2) for i in range(100)])
    found = only(evaluate(results, make_gate(), RunFacts()))
    assert found.detectable_difference is not None
    assert found.detectable_difference > 0.13


def test_only_inconclusive_comparisons_say_what_would_resolve_them(
    make_results: MakeResults, make_gate: MakeGate, make_table: MakeTable, gsm: dict[str, Comparison]
) -> None:
    found = only(evaluate(make_results(make_table(40, 3, 2, 5)), make_gate(margin=0.05), RunFacts()))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.cases_to_resolve is not None
    assert found.cases_to_resolve > found.n
    assert gsm["mini"].cases_to_resolve is None


def test_a_comparison_of_nothing_is_insufficient_and_has_no_figures(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    scores = {"base": {"right": [1] * 9}, "cand": {"right": [Outcome.API_ERROR] * 9}}
    found = only(evaluate(make_results(scores), make_gate(), RunFacts()))
    assert found.verdict is Verdict.INSUFFICIENT
    assert (found.n, found.difference, found.ci, found.p_value, found.detectable_difference) == (
        0,
        None,
        None,
        None,
        None,
    )


def test_a_metric_that_applies_to_some_cases_is_compared_on_those(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    scores = {"base": {"right": [1] * 9}, "cand": {"right": [1] * 9}}
    applicable = {"right": frozenset({"c0", "c1", "c2", "c3", "c4"})}
    found = only(evaluate(make_results(scores, applicable=applicable), make_gate(), RunFacts()))
    assert (found.n, found.unmeasured) == (5, 0)


def test_a_gate_metric_that_nothing_measures_is_a_usage_error(make_results: MakeResults, make_gate: MakeGate) -> None:
    gate = make_gate(metrics=[MetricGate("rihgt", margin=0.1)])
    with pytest.raises(UsageError, match=r"'rihgt'.*expected.*right"):
        evaluate(make_results({"base": {"right": [1]}, "cand": {"right": [1]}}), gate, RunFacts())


def test_a_pair_of_an_unknown_variant_is_a_usage_error(make_results: MakeResults, make_gate: MakeGate) -> None:
    with pytest.raises(UsageError, match=r"'gone'.*base, cand"):
        evaluate(make_results({"base": {"right": [1]}, "cand": {"right": [1]}}), make_gate("gone"), RunFacts())


def test_a_partial_run_compares_the_pairs_that_it_has(make_results: MakeResults, make_gate: MakeGate) -> None:
    results = make_results({"base": {"right": [1] * 6}, "cand": {"right": [1] * 6}})
    found = evaluate(results, make_gate("cand", "gone"), RunFacts(partial=True))
    assert [c.candidate for c in found.comparisons] == ["cand"]


def test_drawn_sign_flips_follow_the_seed_of_the_run(make_results: MakeResults, make_gate: MakeGate) -> None:
    base, cand = [(i * 0.618033) % 1 for i in range(30)], [(i * 0.414213) % 1 for i in range(30)]
    results = graded(make_results, base, cand)
    found: list[Any] = [evaluate(results, make_gate(), RunFacts(seed=seed)) for seed in (1, 1, 2)]
    assert found[0] == found[1]
    assert only(found[0]).method == "sign_flip_monte_carlo"
    assert only(found[0]).p_value != only(found[2]).p_value
