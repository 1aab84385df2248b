from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapdrift.conclusions import Comparison
from snapdrift.explanations import Attribution
from snapdrift.graders.exact import Exact
from snapdrift.graders.scoring import grade
from snapdrift.model import (
    CallKey,
    CallResult,
    Case,
    Endpoint,
    FormatCause,
    Gate,
    MetricSpec,
    Outcome,
    Reading,
    Reason,
    Response,
    Results,
    Score,
    ScoreKind,
    Variant,
)
from snapdrift.verdicts import RunFacts, evaluate
from snapdrift.verdicts.answers import Tolerant, index_scores
from snapdrift.verdicts.attribution import attribute
from snapdrift.verdicts.score_tables import build_score_tables

MakeResults = Callable[..., Results]
MakeGate = Callable[..., Gate]
Place = tuple[str, str, int]

RIGHT, WRONG = (1.0, Reason.PASSED), (0.0, Reason.WRONG)
NOT_JSON, NO_VALUE, NOT_TAKEN = (0.0, Reason.INVALID_JSON), (0.0, Reason.UNEXTRACTED), (0.0, Reason.NOT_ACCEPTED)
FENCED = Reading(1.0, passed=True, cause=FormatCause.CODE_FENCE)
FENCED_WRONG = Reading(0.0, passed=False, cause=FormatCause.CODE_FENCE)
NO_FIELD = Reading(0.0, passed=False, cause=FormatCause.MISSING_FIELD, readable=False)


def told(
    results: Results,
    scores: Mapping[Place, tuple[float, Reason]],
    outcomes: Mapping[Place, Outcome] | None = None,
    metric: str = "right",
) -> Results:
    """The results with some scores' values and reasons, and some calls' outcomes, by (variant, case, repeat)."""
    changed = []
    for score in results.scores:
        place = (score.variant, score.case_id, score.repeat)
        if score.metric == metric and place in scores:
            value, reason = scores[place]
            changed.append(replace(score, value=value, passed=value >= 0.5, reason=reason))
        else:
            changed.append(score)
    ended = {CallKey(case, variant, n): CallResult(o) for (variant, case, n), o in (outcomes or {}).items()}
    return replace(results, scores=tuple(changed), calls={**results.calls, **ended})


def reading(readings: Mapping[Place, Reading], metric: str = "right") -> Tolerant:
    def tolerant(score: Score) -> Reading | None:
        return readings.get((score.variant, score.case_id, score.repeat)) if score.metric == metric else None

    return tolerant


def taken_apart(
    results: Results, gate: Gate, tolerant: Tolerant | None = None, metric: str = "right"
) -> tuple[Comparison, Attribution]:
    evaluation = evaluate(results, gate, RunFacts())
    (comparison,) = (one for one in evaluation.comparisons if one.metric == metric)
    tables = build_score_tables(results, gate)
    found = attribute(comparison, index_scores(results, tables), tables, tolerant or reading({}), 7)
    assert found is not None
    return comparison, found


def amounts(found: Attribution) -> dict[FormatCause | None, float]:
    return {part.cause: round(part.amount, 12) for part in found.causes}


@pytest.fixture
def ten(make_results: MakeResults) -> Results:
    """Ten cases that both sides pass."""
    return make_results({"base": {"right": [1] * 10}, "cand": {"right": [1] * 10}})


def test_answers_that_a_tolerant_reading_finds_right_are_format(ten: Results, make_gate: MakeGate) -> None:
    results = told(ten, {("cand", "c0", 0): NOT_JSON, ("cand", "c1", 0): NOT_JSON, ("cand", "c2", 0): WRONG})
    readings = {("cand", "c0", 0): FENCED, ("cand", "c1", 0): FENCED}
    comparison, found = taken_apart(results, make_gate(), reading(readings))
    assert comparison.difference == pytest.approx(-0.3)
    assert (found.format, found.content) == pytest.approx((-0.2, -0.1))
    assert found.causes[0].worse == ("c0", "c1")
    assert found.content_part.worse == ("c2",)
    assert found.reread == 2


def test_an_answer_in_a_fence_that_is_wrong_inside_it_is_content(ten: Results, make_gate: MakeGate) -> None:
    results = told(ten, {("cand", "c0", 0): NOT_JSON})
    _, found = taken_apart(results, make_gate(), reading({("cand", "c0", 0): FENCED_WRONG}))
    assert (found.format, found.content) == pytest.approx((0.0, -0.1))


def test_both_sides_in_fences_cancel_out(ten: Results, make_gate: MakeGate) -> None:
    both = [("base", "c0", 0), ("cand", "c0", 0)]
    _, found = taken_apart(told(ten, dict.fromkeys(both, NOT_JSON)), make_gate(), reading(dict.fromkeys(both, FENCED)))
    assert (found.format, found.content, found.causes) == (0.0, 0.0, ())


def test_a_fence_can_hide_that_content_got_worse(ten: Results, make_gate: MakeGate) -> None:
    results = told(ten, {("base", "c0", 0): NOT_JSON, ("cand", "c0", 0): WRONG})
    comparison, found = taken_apart(results, make_gate(), reading({("base", "c0", 0): FENCED}))
    assert comparison.difference == 0
    assert (found.format, found.content) == pytest.approx((0.1, -0.1))


@pytest.mark.parametrize(
    ("outcome", "cause"),
    [
        (Outcome.REFUSED, FormatCause.REFUSED),
        (Outcome.TRUNCATED, FormatCause.TRUNCATED),
        (Outcome.FILTERED, FormatCause.FILTERED),
        (Outcome.STEP_LIMIT, FormatCause.UNFINISHED),
        (Outcome.TOOL_UNMATCHED, FormatCause.UNFINISHED),
    ],
)
def test_calls_that_ended_otherwise_are_format_by_how_they_ended(
    outcome: Outcome, cause: FormatCause, ten: Results, make_gate: MakeGate
) -> None:
    place = ("cand", "c4", 0)
    _, found = taken_apart(told(ten, {place: NOT_TAKEN}, {place: outcome}), make_gate())
    assert amounts(found) == {cause: -0.1}
    assert found.causes[0].worse == ("c4",)
    assert found.content == 0


def test_a_refusal_of_what_the_baseline_got_wrong_moves_nothing(ten: Results, make_gate: MakeGate) -> None:
    results = told(ten, {("base", "c0", 0): WRONG, ("cand", "c0", 0): NOT_TAKEN}, {("cand", "c0", 0): Outcome.REFUSED})
    _, found = taken_apart(results, make_gate())
    assert (found.format, found.content) == pytest.approx((0.0, 0.0))


def test_an_answer_where_a_refusal_was_wanted_is_content(ten: Results, make_gate: MakeGate) -> None:
    _, found = taken_apart(told(ten, {("cand", "c0", 0): NOT_TAKEN}), make_gate())
    assert (found.format, found.content) == pytest.approx((0.0, -0.1))


def test_a_refusal_that_the_grader_accepts_is_content(ten: Results, make_gate: MakeGate) -> None:
    place = ("cand", "c0", 0)
    _, found = taken_apart(told(ten, {place: WRONG}, {place: Outcome.REFUSED}), make_gate())
    assert (found.format, found.content) == pytest.approx((0.0, -0.1))


def test_what_no_reading_finds_is_unreadable_or_cut_off_by_how_the_call_ended(
    ten: Results, make_gate: MakeGate
) -> None:
    places = [("cand", "c0", 0), ("cand", "c1", 0), ("cand", "c2", 0)]
    results = told(ten, dict.fromkeys(places, NO_VALUE), {places[2]: Outcome.TRUNCATED})
    _, found = taken_apart(results, make_gate())
    assert amounts(found) == {FormatCause.UNREADABLE: -0.2, FormatCause.TRUNCATED: -0.1}


def test_a_missing_field_is_format_where_the_other_side_had_it(ten: Results, make_gate: MakeGate) -> None:
    places = [("cand", "c0", 0), ("cand", "c1", 0)]
    results = told(ten, {**dict.fromkeys(places, WRONG), ("base", "c1", 0): WRONG})
    _, found = taken_apart(results, make_gate(), reading(dict.fromkeys(places, NO_FIELD)))
    assert amounts(found) == {FormatCause.MISSING_FIELD: -0.1}
    assert found.content == 0


def test_causes_come_largest_first_with_their_cases_furthest_first(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    results = make_results({"base": {"right": [(1, 1)] * 10}, "cand": {"right": [(1, 1)] * 10}})
    places: list[Place] = [("cand", "c3", 0), ("cand", "c5", 0), ("cand", "c5", 1)]
    refused = ("cand", "c6", 0)
    results = told(results, {**dict.fromkeys(places, NOT_JSON), refused: NOT_TAKEN}, {refused: Outcome.REFUSED})
    _, found = taken_apart(results, make_gate(), reading(dict.fromkeys(places, FENCED)))
    assert amounts(found) == {FormatCause.CODE_FENCE: -0.15, FormatCause.REFUSED: -0.05}
    assert found.causes[0].worse == ("c5", "c3")


def test_the_interval_of_content_leaves_out_zero_where_the_format_is_not_to_blame(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    results = make_results({"base": {"right": [1] * 100}, "cand": {"right": [0] * 40 + [1] * 60}})
    fenced: list[Place] = [("cand", f"c{n}", 0) for n in range(20)]
    results = told(results, dict.fromkeys(fenced, NOT_JSON))
    _, found = taken_apart(results, make_gate(), reading(dict.fromkeys(fenced, FENCED)))
    assert found.content_ci is not None
    assert found.format_ci is not None
    assert found.content_ci[0] < -0.2 < found.content_ci[1] < 0
    assert found.format_ci[0] < -0.2 < found.format_ci[1] < 0
    # Of 20 times -1 and 80 times 0, with the skewness -1.5, so that a = -0.05: -0.2 - 0.040202 T for the two T with
    # T + a T^2 + a^2 T^3 / 3 + a / 2 = -+1.6604 (Hall).
    assert found.content_ci == pytest.approx((-0.274433, -0.139000), abs=1e-5)


def test_too_few_cases_have_parts_but_no_intervals(make_results: MakeResults, make_gate: MakeGate) -> None:
    results = make_results({"base": {"right": [1, 1, 1]}, "cand": {"right": [0, 1, 1]}})
    _, found = taken_apart(results, make_gate())
    assert found.content == pytest.approx(-1 / 3)
    assert (found.content_ci, found.format_ci) == (None, None)


def test_cases_without_a_score_on_one_side_and_calls_that_failed_are_left_out(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    results = make_results({"base": {"right": [1, None, 1, 1]}, "cand": {"right": [0, 0, Outcome.API_ERROR, 1]}})
    comparison, found = taken_apart(results, make_gate())
    assert found.n == comparison.n == 2
    assert found.difference == pytest.approx(-0.5)


def test_a_run_in_which_nothing_pairs_has_no_attribution(make_results: MakeResults, make_gate: MakeGate) -> None:
    results, gate = make_results({"base": {"right": [1, None]}, "cand": {"right": [None, 1]}}), make_gate()
    (comparison,) = evaluate(results, gate, RunFacts()).comparisons
    tables = build_score_tables(results, gate)
    assert attribute(comparison, index_scores(results, tables), tables, reading({}), 7) is None


def test_scores_of_another_run_are_refused(ten: Results, make_results: MakeResults, make_gate: MakeGate) -> None:
    (comparison,) = evaluate(ten, make_gate(), RunFacts()).comparisons
    other = make_results({"base": {"right": [1] * 9}, "cand": {"right": [1] * 9}})
    tables = build_score_tables(other, make_gate())
    with pytest.raises(ValueError, match="the comparison has 10 cases, these scores pair 9"):
        attribute(comparison, index_scores(other, tables), tables, reading({}), 7)


def test_a_reading_outside_0_to_1_is_refused() -> None:
    with pytest.raises(ValueError, match=r"found 1\.5"):
        Reading(1.5, passed=True, cause=FormatCause.PROSE)


def test_an_unreadable_answer_that_is_worth_something_is_refused() -> None:
    with pytest.raises(ValueError, match="holds nothing to judge is a fail and worth 0 or 1"):
        Reading(0.5, passed=False, cause=FormatCause.MISSING_FIELD, readable=False)


def test_two_answers_that_hold_nothing_do_not_differ(ten: Results, make_gate: MakeGate) -> None:
    places: list[Place] = [("base", "c0", 0), ("cand", "c0", 0)]
    results = told(ten, {places[0]: NO_VALUE, places[1]: NOT_TAKEN}, {places[1]: Outcome.REFUSED})
    _, found = taken_apart(results, make_gate())
    assert (found.difference, found.causes) == (0.0, ())


# ------------------------------------------------------------------------------------------- improvements by breaking


def test_a_metric_that_improves_because_calls_came_as_text_is_flagged(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    results = make_results({"base": {"right": [0] * 4 + [1] * 6}, "cand": {"right": [1] * 10}})
    as_text = Reading(0.0, passed=False, cause=FormatCause.TOOL_CALL_AS_TEXT)
    readings: dict[Place, Reading] = {("cand", f"c{n}", 0): as_text for n in range(3)}
    _, found = taken_apart(results, make_gate(), reading(readings))
    assert (found.format, found.content) == pytest.approx((0.3, 0.1))
    assert found.improved_by_breaking is not None
    assert found.improved_by_breaking.gain == pytest.approx(0.4)
    assert found.improved_by_breaking.from_broken == pytest.approx(0.3)
    assert found.improved_by_breaking.case_ids == ("c0", "c1", "c2")


def test_a_metric_that_improves_where_another_can_read_nothing_any_more_is_flagged(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    before, after = [0] * 4 + [1] * 6, [1] * 10
    results = make_results({"base": {"right": before, "json": [1] * 10}, "cand": {"right": after, "json": [1] * 10}})
    broken: list[Place] = [("cand", f"c{n}", 0) for n in range(4)]
    _, found = taken_apart(told(results, dict.fromkeys(broken, NOT_JSON), metric="json"), make_gate())
    assert found.improved_by_breaking is not None
    assert found.improved_by_breaking.case_ids == ("c0", "c1", "c2", "c3")


def test_answers_that_another_metric_reads_tolerantly_are_not_broken(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    before, after = [0] * 4 + [1] * 6, [1] * 10
    results = make_results({"base": {"right": before, "json": [1] * 10}, "cand": {"right": after, "json": [1] * 10}})
    fenced: list[Place] = [("cand", f"c{n}", 0) for n in range(4)]
    results = told(results, dict.fromkeys(fenced, NOT_JSON), metric="json")
    _, found = taken_apart(results, make_gate(), reading(dict.fromkeys(fenced, FENCED), metric="json"))
    assert found.improved_by_breaking is None


def test_a_candidate_that_mends_the_baselines_fences_is_not_flagged(ten: Results, make_gate: MakeGate) -> None:
    fenced: list[Place] = [("base", f"c{n}", 0) for n in range(4)]
    results = told(ten, dict.fromkeys(fenced, NOT_JSON))
    _, found = taken_apart(results, make_gate(), reading(dict.fromkeys(fenced, FENCED)))
    assert found.format == pytest.approx(0.4)
    assert found.causes[0].better == ("c0", "c1", "c2", "c3")
    assert found.improved_by_breaking is None


def test_a_metric_of_which_less_is_better_is_flattered_by_refusals(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    spec = MetricSpec("right", "right", ScoreKind.GRADED, higher_is_better=False)
    results = make_results({"base": {"right": [0.8] * 10}, "cand": {"right": [0.8] * 10}}, specs=[spec])
    refused: list[Place] = [("cand", "c0", 0), ("cand", "c1", 0)]
    results = told(results, dict.fromkeys(refused, NOT_TAKEN), dict.fromkeys(refused, Outcome.REFUSED))
    _, found = taken_apart(results, make_gate())
    assert amounts(found) == {FormatCause.REFUSED: -0.16}
    assert found.causes[0].better == ("c0", "c1")
    assert found.improved_by_breaking is not None
    assert found.improved_by_breaking.gain == pytest.approx(0.16)


def test_an_improvement_of_which_little_comes_from_broken_answers_is_not_flagged(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    results = make_results({"base": {"right": [0] * 10}, "cand": {"right": [1] * 10}})
    as_text = Reading(0.0, passed=False, cause=FormatCause.TOOL_CALL_AS_TEXT)
    _, found = taken_apart(results, make_gate(), reading({("cand", "c0", 0): as_text}))
    assert found.improved_by_breaking is None


def test_arguments_that_cannot_be_read_are_form_and_a_call_as_text_is_content_where_no_reading_takes_it(
    ten: Results, make_gate: MakeGate
) -> None:
    scores = {("cand", "c0", 0): (0.0, Reason.INVALID_ARGUMENTS), ("cand", "c1", 0): (0.0, Reason.TOOL_CALL_AS_TEXT)}
    _, found = taken_apart(told(ten, scores), make_gate())
    assert amounts(found) == {FormatCause.UNREADABLE: -0.1}
    assert found.content == pytest.approx(-0.1)


def test_a_field_that_goes_missing_flatters_a_metric_of_which_less_is_better(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    spec = MetricSpec("right", "right", ScoreKind.GRADED, higher_is_better=False)
    results = make_results({"base": {"right": [1] * 10}, "cand": {"right": [0] + [1] * 9}}, specs=[spec])
    _, found = taken_apart(results, make_gate(), reading({("cand", "c0", 0): NO_FIELD}))
    assert found.improved_by_breaking is not None
    assert found.improved_by_breaking.case_ids == ("c0",)


def test_answers_that_are_broken_on_both_sides_explain_no_improvement(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    scores = {"base": {"right": [0] * 4 + [1] * 6}, "cand": {"right": [1] * 10}}
    results = make_results({side: {**row, "json": [1] * 10} for side, row in scores.items()})
    broken: list[Place] = [(side, f"c{n}", 0) for n in range(4) for side in scores]
    _, found = taken_apart(told(results, dict.fromkeys(broken, NOT_JSON), metric="json"), make_gate())
    assert found.improved_by_breaking is None


def test_cases_that_the_metric_does_not_apply_to_are_left_out(make_results: MakeResults, make_gate: MakeGate) -> None:
    results = make_results(
        {"base": {"right": [1] * 6}, "cand": {"right": [0] * 3 + [1] * 3}},
        applicable={"right": frozenset({"c0", "c3", "c4", "c5"})},
    )
    _, found = taken_apart(results, make_gate())
    assert (found.n, found.content_part.worse) == (4, ("c0",))


# ------------------------------------------------------------------------------------------------ with a real grader


def test_stored_answers_graded_with_tolerant_alternatives_say_which_form_cost_what(make_gate: MakeGate) -> None:
    steps: list[Any] = [{"json": "queue", "mode": mode} for mode in ("strict", "fenced", "first_object")]
    strict = Exact(name="right", exact="billing", extract=steps[:1])
    lenient = strict.model_copy(update={"extract": Exact(name="right", exact="billing", extract=steps).extract})
    right = '{"queue": "billing"}'
    texts = {
        "base": [right] * 6,
        "cand": [right, f"```json\n{right}\n```", f"Sure: {right}", '{"queue": "sales"}', "I cannot say.", f" {right}"],
    }
    answers = {
        (variant, f"c{n}"): Response(CallKey(f"c{n}", variant, 0), Outcome.OK, variant, text)
        for variant, row in texts.items()
        for n, text in enumerate(row)
    }
    forms = {1: FormatCause.CODE_FENCE, 2: FormatCause.PROSE}

    def tolerant(score: Score) -> Reading | None:
        (again,) = grade(lenient, Case(score.case_id), answers[score.variant, score.case_id])
        if not again.extracted_by or again.value is None or again.passed is None:
            return None
        return Reading(again.value, again.passed, forms[again.extracted_by])

    results = Results(
        cases=tuple(Case(f"c{n}") for n in range(6)),
        variants=tuple(Variant(name, name, Endpoint.RESPONSES, {}, {}) for name in texts),
        repeats=1,
        metrics=strict.metrics,
        calls={answer.call: CallResult(answer.outcome) for answer in answers.values()},
        scores=tuple(score for (_, case), answer in answers.items() for score in grade(strict, Case(case), answer)),
        applicable={},
    )
    _, found = taken_apart(results, make_gate(), tolerant)
    sixth = round(-1 / 6, 12)
    assert amounts(found) == {
        FormatCause.CODE_FENCE: sixth,
        FormatCause.PROSE: sixth,
        FormatCause.UNREADABLE: sixth,
    }
    assert [part.worse for part in found.causes] == [("c1",), ("c2",), ("c4",)]
    assert found.content_part.worse == ("c3",)


# --------------------------------------------------------------------------------------------------------------- laws

FORMS = st.sampled_from(["right", "wrong", "fenced right", "fenced wrong", "no field", "unreadable", "refused", "text"])
CALLS = st.lists(st.tuples(FORMS, FORMS, FORMS, FORMS), min_size=1, max_size=12)
SCORES: Mapping[str, tuple[float, Reason]] = {
    "right": RIGHT,
    "wrong": WRONG,
    "fenced right": NOT_JSON,
    "fenced wrong": NOT_JSON,
    "no field": (0.0, Reason.SCHEMA_VIOLATION),
    "unreadable": NO_VALUE,
    "refused": NOT_TAKEN,
    "text": RIGHT,
}
READINGS: Mapping[str, Reading] = {
    "fenced right": FENCED,
    "fenced wrong": FENCED_WRONG,
    "no field": NO_FIELD,
    "text": Reading(0.0, passed=False, cause=FormatCause.TOOL_CALL_AS_TEXT),
}


def of_forms(make_results: MakeResults, forms: list[Any]) -> tuple[Results, Tolerant]:
    """Two repeats of each side, each answer of one of the forms above."""
    ones = [(1, 1)] * len(forms)
    results = make_results({"base": {"right": ones}, "cand": {"right": ones}})
    places: dict[Place, str] = {
        (("base", "cand")[n // 2], f"c{case}", n % 2): form
        for case, row in enumerate(forms)
        for n, form in enumerate(row)
    }
    outcomes = {place: Outcome.REFUSED for place, form in places.items() if form == "refused"}
    results = told(results, {place: SCORES[form] for place, form in places.items()}, outcomes)
    return results, reading({place: READINGS[form] for place, form in places.items() if form in READINGS})


@settings(max_examples=20)
@given(forms=CALLS)
def test_parts_add_up_to_the_difference_of_the_comparison(
    forms: list[Any], make_results: MakeResults, make_gate: MakeGate
) -> None:
    results, tolerant = of_forms(make_results, forms)
    comparison, found = taken_apart(results, make_gate(), tolerant)
    assert found.difference == pytest.approx(comparison.difference, abs=1e-9)
    assert found.format + found.content == pytest.approx(comparison.difference, abs=1e-9)
    assert sum(part.amount for part in found.causes) == pytest.approx(found.format, abs=1e-9)
    assert found.content_part.amount == pytest.approx(found.content, abs=1e-9)


@settings(max_examples=20)
@given(forms=CALLS)
def test_swapping_the_sides_turns_every_part_round(
    forms: list[Any], make_results: MakeResults, make_gate: MakeGate
) -> None:
    _, found = taken_apart(*_with_gate(of_forms(make_results, forms), make_gate))
    swapped = [(third, fourth, first, second) for first, second, third, fourth in forms]
    _, mirrored = taken_apart(*_with_gate(of_forms(make_results, swapped), make_gate))
    assert mirrored.content == pytest.approx(-found.content, abs=1e-9)
    assert amounts(mirrored).keys() == amounts(found).keys()
    for cause, amount in amounts(found).items():
        assert amounts(mirrored)[cause] == pytest.approx(-amount, abs=1e-9)


@settings(max_examples=20)
@given(forms=CALLS)
def test_without_anything_the_matter_with_the_form_all_is_content(
    forms: list[Any], make_results: MakeResults, make_gate: MakeGate
) -> None:
    plain = [tuple("right" if form in ("right", "text", "fenced right") else "wrong" for form in row) for row in forms]
    comparison, found = taken_apart(*_with_gate(of_forms(make_results, plain), make_gate))
    assert (found.format, found.causes, found.reread) == (0.0, (), 0)
    assert found.content == pytest.approx(comparison.difference, abs=1e-9)


def _with_gate(made: tuple[Results, Tolerant], make_gate: MakeGate) -> tuple[Results, Gate, Tolerant]:
    return made[0], make_gate(), made[1]
