"""Each row of the decision table, in its order, and what comes before what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.conclusions import Decision
from snapdrift.model import (
    CallKey,
    CallResult,
    DecisionWord,
    Gate,
    MetricGate,
    MetricSpec,
    MustPass,
    OnInconclusive,
    Outcome,
    Pair,
    Policy,
    Reason,
    Results,
    ScoreKind,
    Severity,
    Usage,
    Verdict,
)
from snapdrift.verdicts import RunFacts, evaluate

MakeResults = Callable[..., Results]
MakeGate = Callable[..., Gate]
MakeTable = Callable[..., dict[str, dict[str, list[int]]]]
Decide = Callable[..., Decision]

GOLDEN = MustPass(tags=("golden",))
REGRESSED = (160, 20, 2, 18)
WITHIN_MARGIN = (5000, 60, 30, 50)
HOLDS = MustPass(cases=("c0",))
"""A case that passes on both sides of every table here: with it, something in the gate could fail."""
AGREEING = (190, 3, 2, 5)
UNCLEAR = (40, 3, 2, 5)


@pytest.fixture(scope="session")
def decide_table(make_results: MakeResults, make_gate: MakeGate, make_table: MakeTable) -> Decide:
    """Decides a run whose `right` metric has the table given."""

    def decide(table: tuple[int, int, int, int], facts: RunFacts | None = None, **gate: Any) -> Decision:
        return evaluate(make_results(make_table(*table)), make_gate(**gate), facts or RunFacts()).decision

    return decide


@pytest.fixture(scope="session")
def decide_scores(make_results: MakeResults, make_gate: MakeGate) -> Decide:
    """Decides a run of `base` and `cand` with the scores given for `right`."""

    def decide(base: list[Any], cand: list[Any], tags: Any = None, **gate: Any) -> Decision:
        scores = {"base": {"right": base}, "cand": {"right": cand}}
        return evaluate(make_results(scores, tags=tags), make_gate(**gate), RunFacts()).decision

    return decide


# ------------------------------------------------------------------------------------------------- first row: not gated


def test_a_partial_run_is_not_gated_whatever_it_shows(decide_table: Decide) -> None:
    decision = decide_table(REGRESSED, RunFacts(partial=True, stopped_early="The budget is spent."))
    assert (decision.word, decision.exit_code, decision.would_miss) == (DecisionWord.NOT_GATED, 5, {})


def test_a_gate_without_comparisons_and_floors_is_not_gated(decide_table: Decide) -> None:
    assert decide_table(AGREEING, pairs=(), metrics=[MetricGate("right", margin=0.1)]).exit_code == 5


WARNS = MetricGate("right", margin=0.03, at_least=0.97, severity=Severity.WARN)


@pytest.mark.parametrize(
    "gate",
    [
        {"metrics": []},
        {"metrics": [WARNS]},
        {"metrics": [WARNS, MetricGate("cost", max_increase=0.1, severity=Severity.WARN)]},
        {"metrics": [MetricGate("right", margin=0.03)], "pairs": (Pair("base", "cand", Severity.WARN),)},
        {"metrics": [], "must_pass": HOLDS, "pairs": (Pair("base", "cand", Severity.WARN),)},
        {"metrics": [WARNS], "pairs": ()},
    ],
)
@pytest.mark.parametrize("table", [REGRESSED, AGREEING])
def test_a_gate_in_which_nothing_can_fail_is_not_gated(
    table: tuple[int, int, int, int], gate: dict[str, Any], decide_table: Decide
) -> None:
    decision = decide_table(table, **gate)
    assert (decision.word, decision.exit_code, decision.would_miss) == (DecisionWord.NOT_GATED, 5, {})
    (reason,) = decision.reasons
    asked = "no margin, floor, limit or must-pass case in it has the severity `fail`"
    assert reason == f"Nothing in the gate `default` can fail: {asked}, so there is nothing to decide."


@pytest.mark.parametrize(
    "gate",
    [
        {"metrics": [MetricGate("right", margin=0.1)]},
        {"metrics": [MetricGate("right", at_least=0.1)]},
        {"metrics": [MetricGate("cost", max_increase=0.1)]},
        {"metrics": [], "must_pass": HOLDS},
        {"metrics": [], "alias_moved": Severity.FAIL},
        {"metrics": [MetricGate("right", at_least=0.1)], "pairs": ()},
    ],
)
def test_a_gate_in_which_one_thing_can_fail_decides(gate: dict[str, Any], decide_table: Decide) -> None:
    assert decide_table(AGREEING, **gate).exit_code == 0


def test_a_gate_in_which_nothing_can_fail_keeps_its_warnings(decide_table: Decide) -> None:
    warnings = decide_table(REGRESSED, metrics=[WARNS]).warnings
    assert "`cand` is worse than `base` on right" in warnings[0]
    assert warnings[1] == "`cand` reaches 81.0% on right; at least 97.0% is asked."


def test_a_gate_with_floors_alone_decides(decide_table: Decide) -> None:
    assert decide_table(AGREEING, pairs=(), metrics=[MetricGate("right", at_least=0.9)]).exit_code == 0


def test_a_gate_with_must_pass_cases_alone_decides(decide_scores: Decide) -> None:
    decision = decide_scores([1, 1], [1, 0], tags={1: ("golden",)}, pairs=(), metrics=[], must_pass=GOLDEN)
    assert decision.exit_code == 1


# ----------------------------------------------------------------------------------------------- second row: regression


def test_a_gating_metric_that_regressed_is_a_regression(decide_table: Decide) -> None:
    decision = decide_table(REGRESSED)
    assert (decision.word, decision.exit_code) == (DecisionWord.REGRESSION, 1)


def test_the_reason_of_a_regression_names_variants_metric_and_figures(decide_table: Decide) -> None:
    (reason,) = decide_table((1229, 40, 14, 36), margin=0.01).reasons
    figures = "-2.0 points [-2.9, -1.1], Holm-adjusted p = 0.0003; 40 cases newly fail, 14 newly pass"
    assert reason == f"`cand` is worse than `base` on right: {figures}."


def test_the_first_reason_is_the_metric_that_got_worst_also_where_less_is_better(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    scores = {
        "base": {"right": [1] * 60, "invented": [0.1, 0.2] * 30},
        "cand": {"right": [0] * 8 + [1] * 52, "invented": [0.6, 0.7] * 30},
    }
    less = MetricSpec("invented", "invented", ScoreKind.GRADED, higher_is_better=False)
    results = make_results(scores, specs=(MetricSpec("right", "right", ScoreKind.PASS_FAIL), less))
    gate = make_gate(metrics=[MetricGate("right", margin=0.03), MetricGate("invented", margin=0.03)])
    first, second = evaluate(results, gate, RunFacts()).decision.reasons
    assert "on invented: +50.0 points" in first
    assert "on right: -13.3 points" in second


def test_worse_within_the_margin_passes_with_a_warning(decide_table: Decide) -> None:
    decision = decide_table(WITHIN_MARGIN, margin=0.02)
    assert decision.exit_code == 0
    assert "by no more than the margin of 2.0 points" in decision.warnings[0]


def test_a_regression_counts_also_when_coverage_is_short(decide_scores: Decide) -> None:
    decision = decide_scores([1] * 60, [0] * 30 + [1] * 20 + [Outcome.API_ERROR] * 10)
    assert decision.exit_code == 1


def test_a_regression_counts_also_when_the_run_stopped_early(decide_table: Decide) -> None:
    assert decide_table(REGRESSED, RunFacts(stopped_early="The budget is spent.")).exit_code == 1


@pytest.mark.parametrize("entry", [MetricGate("right", margin=0.03, severity=Severity.WARN), MetricGate("right")])
def test_a_regression_of_a_metric_that_does_not_gate_is_a_warning(entry: MetricGate, decide_table: Decide) -> None:
    decision = decide_table(REGRESSED, metrics=[entry], must_pass=HOLDS)
    assert decision.exit_code == 0
    assert "is worse than" in decision.warnings[0]


def test_a_regression_of_a_pair_that_only_warns_is_a_warning(decide_table: Decide) -> None:
    pairs = (Pair("base", "cand", Severity.WARN), Pair("cand", "base"))
    decision = decide_table(REGRESSED, pairs=pairs)
    assert decision.exit_code == 0
    assert "is worse than" in decision.warnings[0]


def test_an_observed_mean_under_its_floor_is_a_regression(decide_table: Decide) -> None:
    decision = decide_table(AGREEING, metrics=[MetricGate("right", at_least=0.97)])
    assert decision.exit_code == 1
    assert decision.reasons == ("`cand` reaches 96.0% on right; at least 97.0% is asked.",)


def test_a_mean_that_equals_its_floor_keeps_it(decide_table: Decide) -> None:
    assert decide_table(AGREEING, metrics=[MetricGate("right", at_least=0.96)]).exit_code == 0


def test_a_floor_is_not_asked_of_the_baseline(decide_scores: Decide) -> None:
    assert decide_scores([0] * 60, [1] * 60, metrics=[MetricGate("right", at_least=0.9)]).exit_code == 0


def test_where_nothing_is_compared_a_floor_is_asked_of_every_variant(decide_scores: Decide) -> None:
    gate: dict[str, Any] = {"pairs": (), "metrics": [MetricGate("right", at_least=0.9)]}
    assert decide_scores([0] * 60, [1] * 60, **gate).exit_code == 1


def test_a_floor_that_only_warns_is_a_warning(decide_table: Decide) -> None:
    decision = decide_table(
        AGREEING, metrics=[MetricGate("right", at_least=0.97, severity=Severity.WARN)], must_pass=HOLDS
    )
    assert decision.exit_code == 0
    assert "at least 97.0%" in decision.warnings[0]


def costly(make_results: MakeResults, usd: float | None) -> Results:
    scores = {"base": {"right": [1] * 60}, "cand": {"right": [1] * 60}}
    dear = {
        CallKey(f"c{i}", "cand", 0): CallResult(Outcome.OK, "cand-model", 100.0, Usage(10, 0, 20), usd)
        for i in range(60)
    }
    return make_results(scores, calls=dear)


@pytest.mark.parametrize(("usd", "code"), [(0.0012, 0), (0.0013, 1)])
def test_an_observed_ratio_over_its_limit_is_a_regression(
    usd: float, code: int, make_results: MakeResults, make_gate: MakeGate
) -> None:
    gate = make_gate(metrics=[MetricGate("cost", max_increase=0.20)])
    assert evaluate(costly(make_results, usd), gate, RunFacts()).decision.exit_code == code


def test_an_increase_over_a_limit_that_only_warns_is_a_warning(make_results: MakeResults, make_gate: MakeGate) -> None:
    gate = make_gate(metrics=[MetricGate("cost", max_increase=0.20, severity=Severity.WARN)], must_pass=HOLDS)
    decision = evaluate(costly(make_results, 0.002), gate, RunFacts()).decision
    assert decision.exit_code == 0
    assert decision.warnings[0] == (
        "cost of `cand` against `base`: +100.0% [+71.2%, +133.7%] ($0.06 to $0.12), limit +20%: over it, shown."
    )


def test_a_limit_whose_measure_is_unknown_is_incomplete(make_results: MakeResults, make_gate: MakeGate) -> None:
    gate = make_gate(metrics=[MetricGate("cost", max_increase=0.20)])
    assert evaluate(costly(make_results, None), gate, RunFacts()).decision.exit_code == 3


def test_a_must_pass_case_that_fails_is_a_regression(decide_scores: Decide) -> None:
    decision = decide_scores([1] * 60, [1] * 59 + [0], tags={59: ("golden",)}, must_pass=GOLDEN)
    assert decision.exit_code == 1
    assert decision.reasons == ("The must-pass case `c59` fails on `cand`: right.",)


def test_a_must_pass_case_fails_when_one_repeat_fails(decide_scores: Decide) -> None:
    decision = decide_scores([(1, 1)] * 60, [(1, 1)] * 59 + [(1, 0)], must_pass=MustPass(cases=("c59",)))
    assert decision.exit_code == 1


def test_a_must_pass_case_may_fail_on_the_baseline(decide_scores: Decide) -> None:
    assert decide_scores([1] * 59 + [0], [1] * 60, must_pass=MustPass(cases=("c59",))).exit_code == 0


def test_a_must_pass_case_is_not_asked_of_graded_metrics(make_results: MakeResults, make_gate: MakeGate) -> None:
    specs = [MetricSpec("right", "right", ScoreKind.PASS_FAIL), MetricSpec("tone", "tone", ScoreKind.GRADED)]
    row = {"right": [1] * 60, "tone": [0.2] * 60}
    gate = make_gate(must_pass=MustPass(cases=("c1",)))
    assert evaluate(make_results({"base": row, "cand": row}, specs=specs), gate, RunFacts()).decision.exit_code == 0


def test_a_must_pass_case_that_no_pass_fail_grader_checks_is_a_warning(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    row = {"right": [1] * 60}
    results = make_results({"base": row, "cand": row}, applicable={"right": frozenset(f"c{i}" for i in range(59))})
    decision = evaluate(results, make_gate(must_pass=MustPass(cases=("c59",))), RunFacts()).decision
    assert "No pass/fail grader applies to the must-pass cases `c59`." in decision.warnings


def test_many_failed_must_pass_cases_are_listed_in_part_and_counted(decide_scores: Decide) -> None:
    decision = decide_scores(
        [0] * 12, [0] * 12, tags=dict.fromkeys(range(12), ("golden",)), must_pass=GOLDEN, metrics=[]
    )
    assert decision.reasons[5] == "7 more must-pass checks fail."
    assert len(decision.reasons) == 6


@pytest.mark.parametrize(("severity", "code"), [(Severity.FAIL, 1), (Severity.WARN, 0)])
def test_an_alias_that_moved_fails_or_warns_as_asked(severity: Severity, code: int, decide_table: Decide) -> None:
    facts = RunFacts(previous_models={"cand": ("older-model",)})
    decision = decide_table(AGREEING, facts, alias_moved=severity, margin=0.05)
    assert decision.exit_code == code
    sentence = "`cand` (cand-model) answered as cand-model; before, as older-model."
    assert sentence in (decision.reasons if code else decision.warnings)


# ------------------------------------------------------------------------------------------------ third row: incomplete


@pytest.mark.parametrize("failing", ["base", "cand"])
def test_calls_short_on_either_side_are_incomplete(failing: str, decide_scores: Decide) -> None:
    good, short = [1] * 60, [1] * 57 + [Outcome.API_ERROR] * 3
    decision = decide_scores(*((short, good) if failing == "base" else (good, short)))
    assert (decision.word, decision.exit_code) == (DecisionWord.INCOMPLETE, 3)
    assert decision.reasons[0] == (
        f"`{failing}` was measured on 95.0% of its planned calls (57 of 60); the gate asks for 98.0%."
    )


def test_coverage_that_equals_what_is_asked_is_enough(decide_scores: Decide) -> None:
    decision = decide_scores([1] * 200, [1] * 196 + [Outcome.API_ERROR] * 4, margin=0.2)
    assert decision.exit_code == 0


def test_scores_of_a_gating_metric_that_are_short_are_incomplete(decide_scores: Decide) -> None:
    decision = decide_scores([1] * 60, [1] * 57 + [None] * 3)
    assert decision.exit_code == 3
    assert decision.reasons[0].startswith("right was scored on 95.0% of the planned calls of `cand`")


def test_scores_of_a_metric_that_does_not_gate_may_be_short(make_results: MakeResults, make_gate: MakeGate) -> None:
    scores = {
        "base": {"right": [1] * 60, "tone": [None] * 60},
        "cand": {"right": [1] * 60, "tone": [None] * 60},
    }
    assert evaluate(make_results(scores), make_gate(margin=0.1), RunFacts()).decision.exit_code == 0


def test_every_call_failing_is_incomplete(decide_scores: Decide) -> None:
    assert decide_scores([Outcome.API_ERROR] * 20, [Outcome.API_ERROR] * 20).exit_code == 3


def test_every_call_failing_is_incomplete_even_where_no_coverage_is_asked(decide_scores: Decide) -> None:
    decision = decide_scores([Outcome.API_ERROR] * 20, [Outcome.API_ERROR] * 20, coverage=0.0)
    assert decision.exit_code == 3


def test_every_call_failing_under_floors_alone_is_incomplete(decide_scores: Decide) -> None:
    failed = [Outcome.MISSING] * 20
    gate: dict[str, Any] = {"pairs": (), "metrics": [MetricGate("right", at_least=0.9)], "coverage": 0.0}
    assert decide_scores(failed, failed, **gate).exit_code == 3


def test_calls_spared_by_early_stopping_are_outside_coverage(decide_scores: Decide) -> None:
    spared = [1] * 60 + [Outcome.NOT_NEEDED] * 60
    assert decide_scores(spared, spared, margin=0.1).exit_code == 0


@pytest.mark.parametrize("why", ["The budget of $5.00 is spent.", "The deadline was reached.", "The provider is down."])
def test_a_run_that_stopped_early_is_incomplete(why: str, decide_table: Decide) -> None:
    decision = decide_table(AGREEING, RunFacts(stopped_early=why), margin=0.05)
    assert (decision.exit_code, decision.reasons) == (3, (why,))


def test_a_must_pass_case_that_was_not_measured_is_incomplete(decide_scores: Decide) -> None:
    decision = decide_scores([1] * 100, [1] * 99 + [Outcome.API_ERROR], margin=0.2, must_pass=MustPass(cases=("c99",)))
    assert (decision.exit_code, decision.reasons) == (3, ("`cand` was not measured on cases that must pass: `c99`.",))


def test_must_pass_cases_that_no_sample_holds_are_no_pass(decide_scores: Decide) -> None:
    decision = decide_scores([1] * 100, [1] * 100, margin=0.2, must_pass=GOLDEN)
    assert (decision.exit_code, decision.reasons) == (3, ("No case that must pass (golden) is among those asked.",))


def test_a_must_pass_case_failing_in_one_repeat_fails_though_another_is_unmeasured(decide_scores: Decide) -> None:
    cand: list[Any] = [(1, 1)] * 99 + [(0, Outcome.API_ERROR)]
    assert decide_scores([(1, 1)] * 100, cand, margin=0.2, must_pass=MustPass(cases=("c99",))).exit_code == 1


def test_unmeasured_calls_that_could_make_a_regression_are_incomplete(decide_scores: Decide) -> None:
    cand: list[Any] = [0] * 4 + [1] * 195 + [Outcome.API_ERROR]
    decision = decide_scores([1] * 200, cand, margin=0.03)
    assert decision.exit_code == 3
    (reason,) = decision.reasons
    then = "if all had gone against the candidate, it would be regression, not passed"
    assert reason == f"1 unmeasured call could change the decision: {then}."


def test_unmeasured_calls_that_could_not_change_the_decision_do_not_matter(decide_scores: Decide) -> None:
    assert decide_scores([1] * 200, [1] * 199 + [Outcome.API_ERROR], margin=0.03).exit_code == 0


def test_unmeasured_calls_of_the_baseline_are_imputed_too(decide_scores: Decide) -> None:
    base: list[Any] = [1] * 199 + [Outcome.API_ERROR]
    assert decide_scores(base, [0] * 4 + [1] * 195 + [0], margin=0.03).exit_code == 3


def test_grader_errors_are_imputed_too(decide_scores: Decide) -> None:
    assert decide_scores([1] * 200, [0] * 4 + [1] * 195 + [None], margin=0.03).exit_code == 3


def test_unmeasured_calls_that_could_resolve_an_inconclusive_run_are_incomplete(decide_scores: Decide) -> None:
    cand: list[Any] = [1] * 51 + [Outcome.API_ERROR]
    decision = decide_scores([1] * 52, cand, margin=0.05, policy=Policy.PROVE, coverage=0.9)
    assert decision.exit_code == 3
    assert "for the candidate, it would be passed, not inconclusive" in decision.reasons[0]


def test_unmeasured_calls_that_could_break_a_floor_are_incomplete(decide_scores: Decide) -> None:
    metrics = [MetricGate("right", at_least=0.99)]
    assert decide_scores([1] * 100, [0] + [1] * 98 + [Outcome.API_ERROR], metrics=metrics, coverage=0.9).exit_code == 1
    assert decide_scores([1] * 100, [1] * 98 + [Outcome.API_ERROR] * 2, metrics=metrics, coverage=0.9).exit_code == 3


# --------------------------------------------------------------------------------------------- fourth row: inconclusive


@pytest.mark.parametrize("table", [(60, 0, 0, 0), (20, 2, 30, 8), (5000, 60, 30, 50)])
def test_prove_passes_what_is_shown_no_worse_better_or_worse_within_the_margin(
    table: tuple[int, int, int, int], decide_table: Decide
) -> None:
    assert decide_table(table, policy=Policy.PROVE, margin=0.05).exit_code == 0


def test_prove_is_inconclusive_when_nothing_is_shown(decide_table: Decide) -> None:
    decision = decide_table(UNCLEAR, policy=Policy.PROVE, margin=0.05)
    assert (decision.word, decision.exit_code) == (DecisionWord.INCONCLUSIVE, 4)
    assert "on right is inconclusive: -2.0 points" in decision.reasons[0]


def test_prove_is_inconclusive_when_the_cases_could_never_tell(decide_table: Decide) -> None:
    assert decide_table((4, 0, 0, 0), policy=Policy.PROVE).exit_code == 4


@pytest.mark.parametrize(
    ("inconclusive", "policy", "code"),
    [
        (OnInconclusive.FAIL, Policy.CATCH, 4),
        (OnInconclusive.WARN, Policy.CATCH, 0),
        (OnInconclusive.EXTEND, Policy.CATCH, 0),
        (OnInconclusive.EXTEND, Policy.PROVE, 4),
        (OnInconclusive.WARN, Policy.PROVE, 4),
    ],
)
def test_an_inconclusive_metric_decides_as_the_gate_says(
    inconclusive: OnInconclusive, policy: Policy, code: int, decide_table: Decide
) -> None:
    assert decide_table(UNCLEAR, inconclusive=inconclusive, policy=policy).exit_code == code


def test_an_inconclusive_metric_that_does_not_gate_never_decides(decide_table: Decide) -> None:
    metrics = [MetricGate("right", margin=0.03, severity=Severity.WARN)]
    assert decide_table(UNCLEAR, inconclusive=OnInconclusive.FAIL, metrics=metrics, must_pass=HOLDS).exit_code == 0


# ---------------------------------------------------------------------------------------------------- last row: passed


def test_what_is_inconclusive_under_warn_is_a_warning(decide_table: Decide) -> None:
    assert "is inconclusive" in decide_table(UNCLEAR).warnings[0]


def test_a_catch_pass_says_what_it_would_miss(decide_table: Decide) -> None:
    assert decide_table((95, 2, 2, 1)).would_miss == {"right": pytest.approx(0.10, abs=0.001)}


def test_a_prove_pass_misses_nothing(decide_table: Decide) -> None:
    assert decide_table(AGREEING, policy=Policy.PROVE, margin=0.05).would_miss == {}


def test_a_pass_of_cases_that_see_no_drop_would_miss_everything(decide_table: Decide) -> None:
    assert decide_table((4, 0, 0, 0), margin=0.5).would_miss == {"right": 1.0}


def test_a_pass_that_saw_more_differences_than_assumed_misses_more_and_says_so(decide_table: Decide) -> None:
    decision = decide_table((60, 15, 15, 10))
    assert decision.exit_code == 0
    drop = decision.would_miss["right"]
    assert drop > 0.13
    assert (
        f"`cand` against `base` on right: 30.0% of results differ, more than the 15.0% assumed; "
        f"drops under {drop * 100:.1f} points on right would not have been seen."
    ) in decision.warnings


def test_a_pass_that_saw_as_many_differences_as_assumed_says_nothing_of_them(decide_table: Decide) -> None:
    assert not any("assumed" in text for text in decide_table((80, 7, 8, 5)).warnings)


def test_a_prove_pass_says_nothing_of_what_it_would_miss(decide_table: Decide) -> None:
    decision = decide_table((60, 5, 35, 10), policy=Policy.PROVE, margin=0.05)
    assert decision.exit_code == 0
    assert not any("assumed" in text for text in decision.warnings)


# ------------------------------------------------------------------------------------------- graders that look wrong


def test_a_metric_that_no_answer_of_either_side_passes_is_a_warning(decide_table: Decide) -> None:
    decision = decide_table((0, 0, 0, 60), margin=0.1)
    assert decision.exit_code == 0
    where = "on 60 cases (`cand` against `base`)"
    assert f"No answer of either side passes `right` {where}: is the grader right?" in decision.warnings


@pytest.mark.parametrize("table", [(0, 1, 0, 59), (0, 0, 1, 59), (1, 0, 0, 59)])
def test_one_answer_that_passes_is_enough_to_trust_the_grader(
    table: tuple[int, int, int, int], decide_table: Decide
) -> None:
    assert not any("is the grader right" in text for text in decide_table(table, margin=0.1).warnings)


def test_a_graded_metric_that_no_answer_passes_is_no_warning(make_results: MakeResults, make_gate: MakeGate) -> None:
    row = {"right": [0.2] * 60}
    results = make_results({"base": row, "cand": row}, specs=[MetricSpec("right", "right", ScoreKind.GRADED)])
    warnings = evaluate(results, make_gate(margin=0.2), RunFacts()).decision.warnings
    assert not any("grader" in text for text in warnings)


def test_a_metric_that_does_not_gate_is_not_doubted(decide_table: Decide) -> None:
    metrics = [MetricGate("right", margin=0.1, severity=Severity.WARN)]
    decision = decide_table((0, 0, 0, 60), metrics=metrics, alias_moved=Severity.FAIL)
    assert decision.warnings == ()


@pytest.mark.parametrize("kind", list(ScoreKind))
def test_answers_of_which_none_could_be_read_are_a_warning(
    kind: ScoreKind, make_results: MakeResults, make_gate: MakeGate
) -> None:
    row = {"right": [0] * 60}
    results = make_results({"base": row, "cand": row}, specs=[MetricSpec("right", "right", kind)])
    unread = replace(results, scores=tuple(replace(score, reason=Reason.UNEXTRACTED) for score in results.scores))
    warnings = evaluate(unread, make_gate(margin=0.1), RunFacts()).decision.warnings
    where = "on 60 cases (`cand` against `base`)"
    assert f"Nothing could be extracted for `right` from any answer {where}: is `extract` right?" in warnings


# ------------------------------------------------------------------------------------------------------------- the laws

rows = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=5, max_size=80)


@given(rows, st.sampled_from(list(Policy)), st.sampled_from(list(OnInconclusive)))
def test_a_fully_measured_run_is_never_incomplete(
    make_results: MakeResults, make_gate: MakeGate, pairs: Any, policy: Policy, inconclusive: OnInconclusive
) -> None:
    scores = {"base": {"right": [a for a, _ in pairs]}, "cand": {"right": [b for _, b in pairs]}}
    gate = make_gate(policy=policy, inconclusive=inconclusive, metrics=[MetricGate("right", margin=0.1, at_least=0.5)])
    decision = evaluate(make_results(scores), gate, RunFacts()).decision
    assert decision.word is not DecisionWord.INCOMPLETE


@given(rows, st.sets(st.tuples(st.sampled_from(["base", "cand"]), st.integers(0, 79)), max_size=4), st.randoms())
def test_a_decision_that_stands_with_calls_missing_stands_however_they_would_have_come_out(
    make_results: MakeResults, make_gate: MakeGate, pairs: Any, missing: set[tuple[str, int]], random: Any
) -> None:
    full = {"base": [a for a, _ in pairs], "cand": [b for _, b in pairs]}
    missing = {(side, i) for side, i in missing if i < len(pairs)}
    gappy = {
        side: [Outcome.API_ERROR if (side, i) in missing else x for i, x in enumerate(row)]
        for side, row in full.items()
    }
    filled = {
        side: [random.randint(0, 1) if (side, i) in missing else x for i, x in enumerate(row)]
        for side, row in full.items()
    }
    gate = make_gate(margin=0.1, coverage=0.0, policy=Policy.PROVE)
    decided = evaluate(make_results({s: {"right": row} for s, row in gappy.items()}), gate, RunFacts())
    other = evaluate(make_results({s: {"right": row} for s, row in filled.items()}), gate, RunFacts())
    # A regression is decided on what was measured, so it alone may be undone by answers that came later.
    if decided.decision.word not in (DecisionWord.INCOMPLETE, DecisionWord.REGRESSION):
        assert other.decision.word is decided.decision.word


@given(rows)
def test_swapping_the_arms_never_makes_both_ways_a_regression(
    make_results: MakeResults, make_gate: MakeGate, pairs: Any
) -> None:
    one = {"base": {"right": [a for a, _ in pairs]}, "cand": {"right": [b for _, b in pairs]}}
    other = {"base": one["cand"], "cand": one["base"]}
    words = [evaluate(make_results(scores), make_gate(), RunFacts()).comparisons[0].verdict for scores in (one, other)]
    assert words.count(Verdict.REGRESSED) <= 1
    if Verdict.REGRESSED in words:
        assert Verdict.IMPROVED in words
