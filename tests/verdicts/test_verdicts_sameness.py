"""What decides nothing: the alias ledger, endpoint parity, A/A controls, and how calls ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snapdrift.conclusions import AliasMove, Control, ControlMetric, Evaluation, LedgerEntry, Parity
from snapdrift.model import (
    CallKey,
    CallResult,
    DecisionWord,
    Endpoint,
    Gate,
    JudgeModels,
    MetricGate,
    MetricSpec,
    Outcome,
    Reason,
    Results,
    ScoreKind,
    Severity,
    Usage,
    Variant,
)
from snapdrift.verdicts import RunFacts, evaluate
from snapdrift.verdicts.asides import control_sentence, ledger_sentence, ledger_sentences, parity_sentence
from snapdrift.verdicts.parity import way_of

MakeResults = Callable[..., Results]
SNAPSHOT = "gpt-4o-2024-08-06"
READING = Gate("default", metrics=(MetricGate("right", at_least=0.0),))


def evaluated(results: Results, gate: Gate = READING, **facts: Any) -> Evaluation:
    return evaluate(results, gate, RunFacts(**facts))


def asking(results: Results, **variants: Variant) -> Results:
    """The results with the variants named as they were made, but asked as these."""
    return replace(results, variants=tuple(variants[variant.name] for variant in results.variants))


def variant(name: str, endpoint: Endpoint = Endpoint.RESPONSES, model: str = SNAPSHOT, **changes: Any) -> Variant:
    return Variant(name, model, endpoint, {"temperature": 0}, {"input": "{{ q }}"}, **changes)


def answered_by(results: Results, models: Mapping[str, str | None], **changes: Any) -> Results:
    """The results with the model that each variant's answers name."""
    calls = {key: replace(call, returned_model=models[key.variant], **changes) for key, call in results.calls.items()}
    return replace(results, calls=calls)


# --------------------------------------------------------------------------------------------------------------- parity


def three_ways(
    make_results: MakeResults, chat: list[Any], batch: list[Any] | None = None, count: int = 4
) -> Evaluation:
    scores = {"one": {"right": [1] * count}, "two": {"right": chat}, "three": {"right": batch or [1] * count}}
    ways = {
        "one": variant("one"),
        "two": variant("two", Endpoint.CHAT),
        "three": variant("three", batch=True),
    }
    return evaluated(asking(make_results(scores), **ways))


def test_variants_that_differ_only_in_the_way_they_are_asked_are_compared(make_results: MakeResults) -> None:
    (parity,) = three_ways(make_results, [1, 1, 1, 1]).parity

    assert parity.ways == {"one": "responses", "two": "chat", "three": "responses batch"}
    assert parity_sentence(parity) == "Identical scores on responses, chat and responses batch for all 4 cases."


def test_cases_whose_scores_differ_on_any_member_are_named(make_results: MakeResults) -> None:
    (parity,) = three_ways(make_results, [1, 0, 1, 1], [1, 1, 1, 0]).parity

    (metric,) = parity.metrics
    assert (metric.n, metric.differing) == (4, ("c1", "c3"))
    assert metric.means == {"one": 1.0, "two": 0.75, "three": 0.75}
    assert parity_sentence(parity) == "Results on responses, chat and responses batch differ: right on 2 of 4 cases."


def test_a_case_that_was_not_measured_everywhere_is_counted_and_not_compared(make_results: MakeResults) -> None:
    (parity,) = three_ways(make_results, [1, Outcome.API_ERROR, None, 1]).parity

    assert (parity.cases, parity.compared, parity.metrics[0].n) == (4, 2, 2)
    assert parity_sentence(parity).endswith("for 2 cases; 2 cases could not be compared.")


def test_where_nothing_was_measured_on_all_members_nothing_is_called_identical(make_results: MakeResults) -> None:
    (parity,) = three_ways(make_results, [Outcome.API_ERROR] * 4).parity

    assert "could not be compared" in parity_sentence(parity)
    assert "Identical" not in parity_sentence(parity)


def test_calls_that_end_differently_differ_though_their_scores_do_not(make_results: MakeResults) -> None:
    results = make_results({"one": {"right": [0, 1]}, "two": {"right": [0, 1]}})
    refused = replace(results.calls[CallKey("c0", "two", 0)], outcome=Outcome.REFUSED)
    results = replace(results, calls={**results.calls, CallKey("c0", "two", 0): refused})

    (parity,) = evaluated(asking(results, one=variant("one"), two=variant("two", Endpoint.CHAT))).parity

    assert (parity.metrics[0].differing, parity.outcomes_differ) == ((), ("c0",))
    assert parity_sentence(parity) == "Results on responses and chat differ: outcomes on 1 of 2 cases."


@pytest.mark.parametrize(
    "other",
    [
        variant("two", model="gpt-4o"),
        replace(variant("two"), request={"temperature": 1}),
        replace(variant("two"), prompt={"input": "Please: {{ q }}"}),
        variant("two", max_steps=3),
        variant("two", Endpoint.PYTHON),
    ],
)
def test_variants_that_are_asked_something_else_are_no_parity_group(make_results: MakeResults, other: Variant) -> None:
    results = make_results({"one": {"right": [1]}, "two": {"right": [1]}})

    assert evaluated(asking(results, one=variant("one"), two=other)).parity == ()


def test_how_a_conversation_is_carried_is_a_way_and_not_another_question(make_results: MakeResults) -> None:
    chained = replace(variant("two"), request={"temperature": 0, "store": True, "previous_response_id": True})
    results = make_results({"one": {"right": [1]}, "two": {"right": [1]}})

    (parity,) = evaluated(asking(results, one=variant("one"), two=chained)).parity

    assert parity.ways["two"] == "responses by id"


def test_a_way_names_everything_that_is_unusual_about_it() -> None:
    assert way_of(variant("a", Endpoint.CHAT, stream=True, host="proxy")) == "chat stream on proxy"


def test_members_that_are_asked_in_the_same_way_are_told_by_name() -> None:
    assert (
        parity_sentence(Parity({"a": "chat", "b": "chat"}, 1, 1, ())) == "Identical scores on `a` and `b` for 1 case."
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(rows=st.lists(st.tuples(*[st.sampled_from([0, 1, None, Outcome.API_ERROR])] * 2), min_size=1, max_size=8))
def test_a_parity_group_never_changes_the_decision(make_results: MakeResults, rows: list[tuple[Any, Any]]) -> None:
    scores = {"one": {"right": [a for a, _ in rows]}, "two": {"right": [b for _, b in rows]}}
    results = make_results(scores)
    grouped = asking(results, one=variant("one"), two=variant("two", Endpoint.CHAT))
    apart = asking(results, one=variant("one"), two=variant("two", model="another"))

    assert evaluated(grouped).decision == evaluated(apart).decision
    assert [len(evaluated(one).parity) for one in (grouped, apart)] == [1, 0]


# ------------------------------------------------------------------------------------------------------------- controls


def aliased(make_results: MakeResults, alias: list[Any], snapshot: list[Any], **changes: Any) -> Results:
    results = make_results({"alias": {"right": alias}, "august": {"right": snapshot}})
    asked = asking(results, alias=variant("alias", model="gpt-4o", **changes), august=variant("august"))
    return answered_by(asked, {"alias": SNAPSHOT, "august": SNAPSHOT})


def test_an_alias_that_resolves_to_a_snapshot_of_the_suite_shows_the_noise(make_results: MakeResults) -> None:
    (control,) = evaluated(aliased(make_results, [1, 1, 0, 1] * 5, [1, 1, 1, 1] * 5)).controls

    (metric,) = control.metrics
    assert (control.alias, control.snapshot, control.requested, control.model) == (
        "alias",
        "august",
        "gpt-4o",
        SNAPSHOT,
    )
    assert (metric.n, metric.difference, metric.discordance) == (20, -0.25, 0.25)
    assert metric.differing == ("c2", "c6", "c10", "c14", "c18")
    assert metric.ci is not None
    assert metric.ci[0] < -0.25 < metric.ci[1]


def test_a_control_says_that_the_two_are_one_model() -> None:
    metric = ControlMetric("right", 20, -0.05, (-0.2, 0.1), 0.05, ("c2",))
    control = Control("alias", "august", "gpt-4o", SNAPSHOT, (metric,))

    assert control_sentence(control, {"right": MetricSpec("right", "right", ScoreKind.PASS_FAIL)}) == (
        "`alias` (gpt-4o) and `august` are the same model, gpt-4o-2024-08-06: differences here are noise "
        "(right -5.0 points [-20.0, +10.0], 1 of 20 cases differ)."
    )


def test_a_difference_that_chance_does_not_explain_is_told(make_results: MakeResults) -> None:
    (control,) = evaluated(aliased(make_results, [0] * 20, [1] * 20)).controls

    assert control.beyond_chance == ("right",)
    assert control_sentence(control, {}).endswith("; on right they are larger than chance explains.")


@pytest.mark.parametrize("changes", [{"endpoint": Endpoint.CHAT}, {"stream": True}, {"batch": True}, {"host": "proxy"}])
def test_an_alias_that_is_asked_in_another_way_is_no_control(
    make_results: MakeResults, changes: dict[str, Any]
) -> None:
    assert evaluated(aliased(make_results, [1, 1], [1, 1], **changes)).controls == ()


def test_an_alias_that_answered_as_two_models_is_no_control(make_results: MakeResults) -> None:
    results = aliased(make_results, [1, 1], [1, 1])
    moved = replace(results.calls[CallKey("c0", "alias", 0)], returned_model="gpt-4o-2024-11-20")

    assert evaluated(replace(results, calls={**results.calls, CallKey("c0", "alias", 0): moved})).controls == ()


def test_a_snapshot_that_answered_as_another_is_no_control(make_results: MakeResults) -> None:
    results = answered_by(aliased(make_results, [1], [1]), {"alias": SNAPSHOT, "august": "gpt-4o-2024-11-20"})

    assert evaluated(results).controls == ()


# --------------------------------------------------------------------------------------------------------------- ledger


def ledger_of(make_results: MakeResults, returned: str | None, asked: Variant, **facts: Any) -> Evaluation:
    results = asking(make_results({"one": {"right": [1, 1]}}), one=asked)
    return evaluated(answered_by(results, {"one": returned}), **facts)


def test_the_ledger_counts_what_answered(make_results: MakeResults) -> None:
    (entry,) = ledger_of(make_results, SNAPSHOT, variant("one", model="gpt-4o")).ledger

    assert (entry.requested, entry.returned, entry.before, entry.sources) == ("gpt-4o", {SNAPSHOT: 2}, (), ("openai",))


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ((), "; no earlier run to compare with."),
        ((SNAPSHOT,), ", as last time."),
        (("gpt-4o-2024-11-20",), "; last time as gpt-4o-2024-11-20."),
    ],
)
def test_a_ledger_entry_says_whether_it_is_as_it_was(before: tuple[str, ...], said: str) -> None:
    entry = LedgerEntry("alias", "gpt-4o", {SNAPSHOT: 2}, before)

    asked = f"`alias` asked for gpt-4o and was answered as {SNAPSHOT} in 2 of 2 answers"
    assert ledger_sentence(entry) == asked + said


def test_entries_that_no_earlier_run_can_be_compared_with_are_one_sentence() -> None:
    before = LedgerEntry("known", "gpt-4o", {SNAPSHOT: 1}, (SNAPSHOT,))
    judge = LedgerEntry("", "gpt-4o-mini", {"gpt-4o-mini-2024-07-18": 3}, judge="tone")
    alias = LedgerEntry("alias", "gpt-4o", {SNAPSHOT: 2})

    told = (
        "The judge of `tone` asked for gpt-4o-mini and was answered as gpt-4o-mini-2024-07-18 in 3 of 3 answers; "
        f"`alias` asked for gpt-4o and was answered as {SNAPSHOT} in 2 of 2 answers; no earlier run to compare with."
    )
    assert ledger_sentences([judge, before, alias]) == (ledger_sentence(before), told)
    assert ledger_sentences([before, judge]) == (ledger_sentence(before), ledger_sentence(judge))


def test_the_first_run_has_nothing_to_compare_with_and_moves_nothing(make_results: MakeResults) -> None:
    assert ledger_of(make_results, SNAPSHOT, variant("one", model="gpt-4o")).alias_moves == ()


@pytest.mark.parametrize(
    "asked",
    [
        variant("one", model="our-deployment", host="azure-east"),
        variant("one", model="ft:gpt-4o-2024-08-06:org::9xYz"),
    ],
)
def test_a_deployment_or_a_fine_tune_that_answers_under_another_name_has_not_moved(
    make_results: MakeResults, asked: Variant
) -> None:
    evaluation = ledger_of(make_results, SNAPSHOT, asked, previous_models={"one": (SNAPSHOT,)})

    assert evaluation.alias_moves == ()


def test_a_deployment_behind_which_the_model_changed_has_moved(make_results: MakeResults) -> None:
    asked = variant("one", model="our-deployment", host="azure-east")
    evaluation = ledger_of(make_results, "gpt-4o-2024-11-20", asked, previous_models={"one": (SNAPSHOT,)})

    assert evaluation.alias_moves == (AliasMove("one", "our-deployment", (SNAPSHOT,), ("gpt-4o-2024-11-20",)),)


@pytest.mark.parametrize("endpoint", [Endpoint.PYTHON, Endpoint.OUTPUTS])
def test_an_application_that_names_other_models_has_no_alias_that_could_move(
    make_results: MakeResults, endpoint: Endpoint
) -> None:
    evaluation = ledger_of(make_results, "a", variant("one", endpoint), previous_models={"one": ("b",)})

    assert (evaluation.ledger, evaluation.alias_moves) == ((), ())


def test_an_earlier_request_of_a_call_that_another_model_answered_is_seen(make_results: MakeResults) -> None:
    results = asking(make_results({"one": {"right": [1]}}), one=variant("one", model="gpt-4o"))
    evaluation = evaluated(answered_by(results, {"one": SNAPSHOT}, also_returned=("gpt-4o-2024-11-20",)))

    assert evaluation.alias_moves == (AliasMove("one", "gpt-4o", (), (SNAPSHOT, "gpt-4o-2024-11-20")),)


def judged_by(make_results: MakeResults, *models: str) -> Results:
    results = make_results({"one": {"right": [1, 1]}})
    return replace(results, judges=(JudgeModels("helpful", "gpt-4o", dict.fromkeys(models, 1), ("openai",)),))


def test_a_judge_whose_alias_moved_is_an_alias_that_moved(make_results: MakeResults) -> None:
    gate = replace(READING, alias_moved=Severity.FAIL)
    results = judged_by(make_results, "gpt-4o-2024-11-20")
    evaluation = evaluated(results, gate, previous_judges={"helpful": (SNAPSHOT,)})

    assert evaluation.decision.word is DecisionWord.REGRESSION
    assert evaluation.decision.reasons == (
        f"The judge of `helpful` (gpt-4o) answered as gpt-4o-2024-11-20; before, as {SNAPSHOT}.",
    )


def test_a_judge_that_was_two_models_within_a_run_is_warned_of(make_results: MakeResults) -> None:
    warnings = evaluated(judged_by(make_results, SNAPSHOT, "gpt-4o-2024-11-20")).decision.warnings

    assert [text for text in warnings if text.startswith("The judge of `helpful` (gpt-4o) answered as more than one")]


# -------------------------------------------------------------------------------------------------- endings and streams


def test_what_became_of_each_call_is_counted_once_under_each_metric(make_results: MakeResults) -> None:
    results = make_results({"one": {"right": [1, 0, 0, 0, 0, None, Outcome.API_ERROR, Outcome.MISSING]}})
    reasons = [Reason.PASSED, Reason.WRONG, Reason.INVALID_JSON, Reason.SCHEMA_VIOLATION, Reason.NOT_ACCEPTED]
    scores = [replace(s, reason=r) for s, r in zip(results.scores, [*reasons, Reason.GRADER_ERROR], strict=True)]
    cut = replace(results.calls[CallKey("c4", "one", 0)], outcome=Outcome.TRUNCATED)
    calls = {**results.calls, CallKey("c4", "one", 0): cut}

    (level,) = evaluated(replace(results, scores=tuple(scores), calls=calls)).metrics

    assert list(level.endings.items()) == [
        ("passed", 1), ("wrong", 1), ("schema_violation", 1), ("invalid_json", 1), ("truncated", 1),
        ("grader_error", 1), ("api_error", 1), ("missing", 1),
    ]  # fmt: skip
    assert level.unextracted == 1


def test_a_call_that_was_spared_or_that_the_metric_does_not_apply_to_has_no_ending(make_results: MakeResults) -> None:
    results = make_results(
        {"one": {"right": [1, Outcome.NOT_NEEDED, 1]}}, applicable={"right": frozenset({"c0", "c1"})}
    )

    assert evaluated(results).metrics[0].endings == {"passed": 1}


def streamed(results: Results, *calls: CallResult) -> Results:
    keys = list(results.calls)
    return replace(results, calls=dict(zip(keys, calls, strict=True)))


def test_first_tokens_and_speed_are_those_of_streamed_calls(make_results: MakeResults) -> None:
    call = CallResult(Outcome.OK, latency_ms=1200.0, usage=Usage(10, 0, 50, 10), first_token_ms=200.0)
    plain = replace(call, first_token_ms=None)
    tools = replace(call, requests=3, first_token_ms=300.0)
    results = streamed(make_results({"one": {"right": [1, 1, 1]}}), call, plain, tools)

    (summary,) = evaluated(results).variants

    assert (summary.first_token_p50, summary.first_token_p95) == (250.0, 295.0)
    assert summary.tokens_per_second_p50 == 40.0  # 40 that were written, in one second; a call of three has no rate


def test_a_variant_that_was_not_streamed_has_no_first_token(make_results: MakeResults) -> None:
    (summary,) = evaluated(make_results({"one": {"right": [1]}})).variants

    assert (summary.first_token_p50, summary.tokens_per_second_p50) == (None, None)


def test_the_part_of_the_cost_that_went_by_batch_is_told_apart(make_results: MakeResults) -> None:
    live = CallResult(Outcome.OK, usd=0.004)
    results = streamed(make_results({"one": {"right": [1, 1]}}), live, replace(live, usd=0.002, batched=True))
    results = replace(results, judge_usd={"one": 0.01}, judge_batch_usd={"one": 0.005})

    (summary,) = evaluated(results).variants

    assert summary.usd == pytest.approx(0.006)
    assert summary.batch_usd == 0.002
    assert (summary.judge_usd, summary.judge_batch_usd) == (0.01, 0.005)
