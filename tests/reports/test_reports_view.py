from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.reports.held import changed, held

from snapdrift.conclusions import Decision
from snapdrift.model import DecisionWord, MustPass, Outcome, Reason, Severity, Source, Verdict
from snapdrift.reports import RunData, build_view
from snapdrift.reports.case_views import CaseGroup, MustPassStatus
from snapdrift.reports.cases import overall_group
from snapdrift.reports.forest import lay_out

MakeRun = Callable[..., Any]


def test_cases_come_in_the_order_in_which_a_reviewer_wants_them(make_run: MakeRun) -> None:
    ranks = [case.group.rank for case in build_view(make_run(cases=60).build()).cases]
    assert ranks == sorted(ranks)


def test_within_a_group_cases_keep_the_order_of_the_dataset(make_run: MakeRun) -> None:
    data = make_run(cases=60).build()
    order = [case.id for case in held(data).cases]
    failing = [c.case.id for c in build_view(data).cases if c.group is CaseGroup.NEWLY_FAILING]
    assert failing == sorted(failing, key=order.index)


@pytest.mark.parametrize("repeats", [1, 3])
def test_the_groups_add_up_to_all_cases(make_run: MakeRun, repeats: int) -> None:
    assert sum(build_view(make_run(cases=50, repeats=repeats).build()).counts.values()) == 50


@pytest.mark.parametrize("repeats", [1, 3])
def test_the_lists_hold_exactly_the_cases_that_the_comparison_counts(make_run: MakeRun, repeats: int) -> None:
    data = make_run(cases=60, repeats=repeats).build()
    view = build_view(data)
    for comparison in data.evaluation.comparisons:
        lens = [(x.metric, x.baseline, x.candidate) for x in view.lenses].index(
            (comparison.metric, comparison.baseline, comparison.candidate)
        )
        listed = {case.case.id for case in view.cases if case.states[lens] is CaseGroup.NEWLY_FAILING}
        assert listed == set(comparison.newly_failing)


def test_a_case_that_some_repeats_pass_is_flaky(make_run: MakeRun) -> None:
    view = build_view(make_run(cases=12, repeats=3).build())  # the second of three answers to billing-005 is wrong
    assert [case.case.id for case in view.cases if case.group is CaseGroup.FLAKY] == ["billing-005"]


def test_a_case_with_a_failed_call_is_an_error_not_a_failure(make_run: MakeRun) -> None:
    view = build_view(make_run().build())
    assert next(case for case in view.cases if case.case.id == "billing-009").group is CaseGroup.ERROR


def test_a_planned_call_without_a_response_is_shown_as_missing(make_run: MakeRun) -> None:
    data: RunData = make_run().build()
    lost = held(data).responses[0].call
    kept = tuple(r for r in held(data).responses if r.call != lost)
    view = build_view(
        changed(data, responses=kept, scores=tuple(s for s in held(data).scores if s.case_id != lost.case_id))
    )
    case = next(case for case in view.cases if case.case.id == lost.case_id)
    assert case.answers[0].outcome is Outcome.MISSING


def test_a_metric_that_does_not_apply_to_a_case_leaves_no_state(make_run: MakeRun) -> None:
    data: RunData = make_run().build()
    view = build_view(
        changed(data, scores=tuple(s for s in held(data).scores if s.metric != "tone" or s.case_id != "billing-001"))
    )
    case = next(case for case in view.cases if case.case.id == "billing-001")
    assert {state for lens, state in zip(view.lenses, case.states, strict=True) if lens.metric == "tone"} == {None}


def test_a_grader_error_is_an_error_for_that_metric(make_run: MakeRun) -> None:
    data: RunData = make_run().build()
    broken = tuple(
        replace(s, value=None, passed=None, reason=Reason.GRADER_ERROR)
        if (s.case_id, s.metric, s.variant) == ("billing-001", "tone", "november")
        else s
        for s in held(data).scores
    )
    view = build_view(changed(data, scores=broken))
    case = next(case for case in view.cases if case.case.id == "billing-001")
    assert CaseGroup.ERROR in case.states


def test_a_change_names_the_reason_of_the_failing_side(make_run: MakeRun) -> None:
    view = build_view(make_run().build())
    case = next(case for case in view.cases if case.case.id == "delivery-002")
    assert {(c.metric, c.reason) for c in case.changes} == {("valid", "unextracted"), ("queue", "unextracted")}


def test_a_change_by_an_outcome_that_is_not_accepted_names_the_outcome(make_run: MakeRun) -> None:
    data: RunData = make_run().build()
    refused = tuple(
        replace(r, outcome=Outcome.REFUSED)
        if (r.call.case_id, r.call.variant) == ("delivery-002", "november")
        else r
        for r in held(data).responses
    )  # fmt: skip
    scores = tuple(
        replace(s, reason=Reason.NOT_ACCEPTED)
        if (s.case_id, s.variant, s.passed) == ("delivery-002", "november", False)
        else s
        for s in held(data).scores
    )
    view = build_view(changed(data, responses=refused, scores=scores))
    case = next(case for case in view.cases if case.case.id == "delivery-002")
    assert {c.reason for c in case.changes} == {"refused"}


def test_the_change_sentence_says_how_many_and_why(make_run: MakeRun) -> None:
    sentences = dict(build_view(make_run(cases=140).build()).change_sentences)
    assert sentences["november"] == (
        "november: 36 cases newly fail, 17 newly pass; mostly format: 28 of the 36 (code fence), 8 are content; "
        "1 could not be compared."
    )


def test_without_comparisons_each_variant_is_looked_at_for_itself(make_run: MakeRun) -> None:
    data: RunData = make_run().build()
    evaluation = replace(data.evaluation, gate=replace(data.evaluation.gate, pairs=()), comparisons=())
    view = build_view(replace(data, evaluation=evaluation))
    assert {lens.baseline for lens in view.lenses} == {None}
    assert view.counts[CaseGroup.BOTH_FAILING] == sum(
        any(s.passed is False for a in case.answers for s in a.scores) for case in view.cases
    )


def test_metrics_without_a_margin_do_not_move_cases_by_default(make_run: MakeRun) -> None:
    data: RunData = make_run().build()
    only_queue = tuple(
        replace(c, margin=None, gating=False) if c.metric == "valid" else c for c in data.evaluation.comparisons
    )
    view = build_view(replace(data, evaluation=replace(data.evaluation, comparisons=only_queue)))
    assert {change.metric for case in view.cases for change in case.changes} == {"queue"}


def test_gating_comparisons_come_first(make_run: MakeRun) -> None:
    assert [row.comparison.metric for row in build_view(make_run().build()).comparisons] == [
        "valid", "valid", "queue", "queue", "tone", "tone",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "word"), [(Source.SIMULATED, "simulated"), (Source.RECORDED, "recorded"), (Source.PYTHON, "own program")]
)
def test_answers_that_no_model_gave_are_labelled(make_run: MakeRun, source: Source, word: str) -> None:
    view = build_view(make_run(source=source).build())
    assert word in {label.word for label in view.labels}
    assert {variant.label for variant in view.variants} == {word}


def test_answers_of_a_model_bear_no_label(make_run: MakeRun) -> None:
    view = build_view(make_run(source=Source.OPENAI).build())
    assert [label.word for label in view.labels] == ["uncalibrated judge"]


def test_one_simulated_answer_labels_its_variant(make_run: MakeRun) -> None:
    data: RunData = make_run(source=Source.OPENAI).build()
    mixed = replace(data.evaluation.variants[1], sources={"openai": 29, "simulated": 1})
    variants = (data.evaluation.variants[0], mixed, data.evaluation.variants[2])
    view = build_view(replace(data, evaluation=replace(data.evaluation, variants=variants)))
    assert [variant.label for variant in view.variants] == [None, "simulated", None]


def test_a_partial_run_says_so(make_run: MakeRun) -> None:
    data: RunData = make_run().build()
    view = build_view(replace(data, run=replace(data.run, partial=True)))
    assert "partial run" in {label.word for label in view.labels}


def test_an_alias_says_what_it_answered_as(make_run: MakeRun) -> None:
    (sentence,) = build_view(make_run().build()).resolutions

    answered = "`alias` asked for gpt-4o and was answered as gpt-4o-2024-08-06 in 30 of 30 answers"
    assert sentence == f"{answered}; no earlier run to compare with."


def test_must_pass_cases_are_looked_up_on_every_candidate(make_run: MakeRun) -> None:
    view = build_view(make_run(cases=12).build(must_pass=MustPass(tags=("golden",))))
    statuses = {(m.case_id, m.variant): (m.status, m.failures) for m in view.must_pass}
    assert statuses == {
        ("billing-001", "november"): (MustPassStatus.PASSED, ()),
        ("billing-001", "alias"): (MustPassStatus.PASSED, ()),
        ("account-011", "november"): (MustPassStatus.PASSED, ()),
        ("account-011", "alias"): (MustPassStatus.PASSED, ()),
    }


def test_a_must_pass_case_that_failed_names_metric_and_reason(make_run: MakeRun) -> None:
    view = build_view(make_run(cases=12).build(must_pass=MustPass(cases=("delivery-002",))))
    failed = next(m for m in view.must_pass if m.variant == "november")
    assert (failed.status, failed.failures) == (MustPassStatus.FAILED, ("valid: unextracted", "queue: unextracted"))


def test_a_must_pass_case_without_an_answer_is_unmeasured(make_run: MakeRun) -> None:
    view = build_view(make_run(cases=12).build(must_pass=MustPass(cases=("billing-009",))))
    assert next(m for m in view.must_pass if m.variant == "november").status is MustPassStatus.UNMEASURED


def test_a_cost_that_is_not_known_is_not_summed(make_run: MakeRun) -> None:
    data: RunData = make_run().build()
    variants = (replace(data.evaluation.variants[0], usd=None), *data.evaluation.variants[1:])
    assert build_view(replace(data, evaluation=replace(data.evaluation, variants=variants))).usd is None


def test_the_plot_keeps_every_mark_within_its_axis(make_run: MakeRun) -> None:
    forest = lay_out(build_view(make_run(cases=140).build()).comparisons)
    places = [x for mark in forest.marks for x in (mark.low, mark.point, mark.high, mark.margin) if x is not None]
    assert all(0 <= place <= 100 for place in (*places, forest.zero))


def test_worse_is_left_on_the_plot_also_where_less_is_better(make_run: MakeRun) -> None:
    rows = build_view(make_run(cases=140).build()).comparisons
    assert rows[0].comparison.verdict is Verdict.REGRESSED
    flipped = replace(rows[0], metric=replace(rows[0].metric, higher_is_better=False))
    mark = lay_out([flipped]).marks[0]
    assert mark.point is not None
    assert mark.point > lay_out([flipped]).zero


def test_a_plot_of_nothing_has_an_axis(make_run: MakeRun) -> None:
    assert lay_out([]).low < 0 < lay_out([]).high


def test_the_headline_has_true_minus_signs(make_run: MakeRun) -> None:
    assert "−20.1 points" in build_view(make_run(cases=140).build()).headline


def test_without_any_state_an_unanswered_case_is_an_error() -> None:
    assert overall_group([None], [Outcome.OK, Outcome.MISSING]) is CaseGroup.ERROR


def test_candidates_that_only_warn_are_judged_as_warnings(make_run: MakeRun) -> None:
    data: RunData = make_run().build()
    gate = data.evaluation.gate
    pairs = (gate.pairs[0], replace(gate.pairs[1], severity=Severity.WARN))
    view = build_view(replace(data, evaluation=replace(data.evaluation, gate=replace(gate, pairs=pairs))))
    assert dict(view.judged) == {"november": Severity.FAIL, "alias": Severity.WARN}


def test_the_decision_is_passed_on_as_it_is(make_run: MakeRun) -> None:
    data: RunData = make_run().build()
    decision = Decision(DecisionWord.INCOMPLETE, ("coverage is short.",))
    assert build_view(replace(data, evaluation=replace(data.evaluation, decision=decision))).decision == decision
