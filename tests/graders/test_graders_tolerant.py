"""Reading an answer again: what it would score if its form were mended."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.graders.base import Grader
from snapdrift.graders.contains import Contains
from snapdrift.graders.exact import Exact
from snapdrift.graders.json_equal import JsonEqual
from snapdrift.graders.number import Number
from snapdrift.graders.registry import Registry
from snapdrift.graders.schema import Schema
from snapdrift.graders.scoring import grade
from snapdrift.graders.tolerant import Readings, may_read_otherwise, read_again
from snapdrift.graders.tool_calls import ToolCalls
from snapdrift.graders.well_formed import WellFormed
from snapdrift.graders.written_calls import written_calls
from snapdrift.model import CallKey, Case, FormatCause, Outcome, Reading, Response, ToolCall

RIGHT = '{"queue": "billing", "urgency": 1}'
CASE = Case("c1", {}, {"queue": "billing", "urgency": 1})
NO_FIELD = Reading(0.0, passed=False, cause=FormatCause.MISSING_FIELD, readable=False)
SCHEMA = {
    "type": "object",
    "properties": {"queue": {"enum": ["billing", "sales"]}, "urgency": {"type": "integer"}},
    "required": ["queue", "urgency"],
    "additionalProperties": False,
}
TOOLS = ("find", "stop")


def queue(mode: str = "strict", **more: Any) -> Grader:
    step = {"json": "queue", "mode": mode}
    return Exact.model_validate({"name": "queue", "exact": "billing", "extract": step, **more})


def fields() -> Grader:
    entry = {"name": "fields", "json_equal": "{{ expected }}", "fields": ["queue", "urgency"]}
    return JsonEqual.model_validate(entry)


def schema(**more: Any) -> Grader:
    return Schema.model_validate({"name": "valid", "schema": SCHEMA, **more})


def fenced(text: str) -> str:
    return f"```json\n{text}\n```"


def read(grader: Grader, text: str, outcome: Outcome = Outcome.OK, calls: tuple[ToolCall, ...] = ()) -> Readings:
    """The readings of an answer after it was graded, as the pipeline asks for them: only where one may differ."""
    response = Response(CallKey(CASE.id, "cand", 0), outcome, "gpt-4o", text, tool_calls=calls)
    found: dict[str, Reading] = {}
    for score in grade(grader, CASE, response):
        if may_read_otherwise(grader, score):
            readings = read_again(grader, CASE, response, score, TOOLS)
            found |= {score.metric: readings[score.metric]} if score.metric in readings else {}
    return found


# --------------------------------------------------------------------------------------------------------------- JSON


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (fenced(RIGHT), FormatCause.CODE_FENCE),
        (f"Here it is: {RIGHT}", FormatCause.PROSE),
        (f"{RIGHT} Anything else?", FormatCause.PROSE),
        (f"Sure:\n{fenced(RIGHT)}", FormatCause.PROSE),
        ('{"queue": "billing", "urgency": 1, "note": "a\nb"}', FormatCause.MALFORMED),
    ],
)
def test_an_answer_that_is_right_inside_its_form_passes_when_read_tolerantly(text: str, cause: FormatCause) -> None:
    assert read(queue(), text) == {"queue": Reading(1.0, passed=True, cause=cause)}


def test_an_answer_that_is_wrong_inside_its_fence_stays_wrong() -> None:
    assert read(queue(), fenced('{"queue": "sales"}'))["queue"] == Reading(
        0.0, passed=False, cause=FormatCause.CODE_FENCE
    )


@pytest.mark.parametrize("text", [RIGHT, '{"queue": "sales"}', "I cannot tell.", "", "```json\n", "{", "{{{", "null"])
def test_what_is_in_good_form_or_holds_nothing_has_no_reading(text: str) -> None:
    assert read(queue(), text) == {}


def test_what_the_suite_looks_past_is_not_read_again() -> None:
    assert read(queue("fenced"), fenced(RIGHT)) == {}
    assert read(queue("first_object"), f"Sure: {RIGHT}") == {}
    assert read(queue("fenced"), f"Sure: {RIGHT}")["queue"].cause is FormatCause.PROSE


def test_of_several_alternatives_all_are_tried_without_the_fence_before_any_takes_the_first_object() -> None:
    steps = [{"json": "label", "mode": "strict"}, {"json": "queue", "mode": "strict"}]
    grader = Exact.model_validate({"name": "queue", "exact": "billing", "extract": steps})
    assert read(grader, fenced(RIGHT))["queue"].cause is FormatCause.CODE_FENCE


def test_json_without_the_field_holds_nothing_to_judge_in_whatever_form_it_comes() -> None:
    for text in ('{"urgency": 1}', fenced('{"urgency": 1}'), 'Sure: {"urgency": 1}'):
        assert read(queue(), text) == {"queue": NO_FIELD}


@pytest.mark.parametrize(
    "entry",
    [
        {"json_equal": {"urgency": 1, "queue": "2 h"}, "fields": {"urgency": "exact", "queue": "duration"}},
        {"duration": "2 h", "extract": {"json": "queue"}},
        {"number": 7, "extract": {"json": "queue"}},
    ],
)
def test_a_field_that_holds_no_value_of_its_kind_is_neither_missing_nor_in_bad_form(entry: dict[str, Any]) -> None:
    grader = Registry().parse(entry, default_extract=None, read=str, cases=[])

    assert read(grader, '{"queue": "billing", "urgency": 1}') == {}
    assert read(grader, '{"queue": "billing", "urgency": 2}') == {}


def test_a_field_that_is_null_is_an_answer() -> None:
    assert read(queue(), '{"queue": null}') == {}


def test_a_schema_that_only_lacks_fields_lacks_them_and_any_other_violation_is_content() -> None:
    assert read(schema(), '{"queue": "billing"}') == {"valid": NO_FIELD}
    assert read(schema(), '{"queue": "billing", "urgent": 1}') == {"valid": NO_FIELD}
    assert read(schema(), '{"queue": "nowhere", "urgency": 1}') == {}
    assert read(schema(), '{"queue": "nowhere"}') == {}
    assert read(schema(), fenced('{"queue": "billing"}')) == {"valid": NO_FIELD}
    assert read(schema(), fenced(RIGHT)) == {"valid": Reading(1.0, passed=True, cause=FormatCause.CODE_FENCE)}


def test_an_inverted_grader_may_ask_for_just_that_field_to_be_missing() -> None:
    assert read(schema(**{"not": True}), '{"queue": "billing"}') == {}


def test_the_mean_of_fields_gets_the_share_of_the_missing_ones_back() -> None:
    found = read(fields(), '{"queue": "sales"}')
    assert found == {
        "fields": Reading(0.5, passed=False, cause=FormatCause.MISSING_FIELD),
        "fields.urgency": NO_FIELD,
    }


def test_a_field_that_is_wrong_is_content() -> None:
    assert read(fields(), '{"queue": "sales", "urgency": 1}') == {}


def test_a_field_whose_value_says_that_there_is_no_such_field_is_not_missing() -> None:
    assert read(fields(), '{"queue": "no such field", "urgency": 1}') == {}


def test_every_metric_of_fields_in_a_fence_is_read_inside_it() -> None:
    found = read(fields(), fenced('{"queue": "billing", "urgency": 2}'))
    assert {metric: (one.value, one.cause) for metric, one in found.items()} == {
        "fields": (0.5, FormatCause.CODE_FENCE),
        "fields.queue": (1.0, FormatCause.CODE_FENCE),
        "fields.urgency": (0.0, FormatCause.CODE_FENCE),
        "fields.invented": (0.0, FormatCause.CODE_FENCE),
    }


# --------------------------------------------------------------------------------------------------------------- text


def test_text_in_a_fence_is_judged_without_it_and_prose_round_text_stays_content() -> None:
    grader = Exact.model_validate({"name": "word", "exact": "billing"})
    assert read(grader, "```\nbilling\n```") == {"word": Reading(1.0, passed=True, cause=FormatCause.CODE_FENCE)}
    assert read(grader, "It is billing.") == {}


def test_the_last_line_of_a_fenced_answer_is_not_the_fence() -> None:
    grader = Number.model_validate({"name": "sum", "number": 12, "extract": "last_line"})
    assert read(grader, "```\n5 + 7\n12\n```")["sum"].passed


def test_json_that_a_text_step_fell_back_from_is_found_without_its_fence() -> None:
    steps = [{"json": "queue", "mode": "strict"}, "last_line"]
    grader = Exact.model_validate({"name": "queue", "exact": "billing", "extract": steps})
    assert read(grader, fenced(RIGHT))["queue"] == Reading(1.0, passed=True, cause=FormatCause.CODE_FENCE)


def test_a_text_that_passes_because_it_is_fenced_reads_worse() -> None:
    grader = Exact.model_validate({"name": "word", "exact": "billing", "not": True})
    assert read(grader, "```\nbilling\n```")["word"] == Reading(0.0, passed=False, cause=FormatCause.CODE_FENCE)


# --------------------------------------------------------------------------------------------------------- tool calls


def calls(*expected: dict[str, Any]) -> Grader:
    return ToolCalls.model_validate({"name": "call", "tool_calls": list(expected)})


FIND = {"name": "find", "arguments": {"order": 7}}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(FIND),
        fenced(json.dumps(FIND)),
        json.dumps([FIND]),
        json.dumps({"tool_calls": [{"type": "function", "function": FIND}]}),
        json.dumps({"function": {"name": "find", "arguments": '{"order": 7}'}}),
    ],
)
def test_a_call_that_is_written_out_as_models_write_them_is_read_as_a_call(text: str) -> None:
    right = Reading(1.0, passed=True, cause=FormatCause.TOOL_CALL_AS_TEXT)
    assert read(calls(FIND), text) == {"call": right, "call.f1": right}


def test_no_call_was_expected_and_one_that_is_written_out_reads_worse_than_it_scored() -> None:
    assert read(calls(), json.dumps(FIND))["call"] == Reading(0.0, passed=False, cause=FormatCause.TOOL_CALL_AS_TEXT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "find(order=7)",
        '{"name": "rm", "arguments": {}}',
        '{"name": "find"}',
        '[{"name": "find", "arguments": {}}, 3]',
        "[]",
    ],
)
def test_what_is_no_call_of_a_known_tool_is_an_answer(text: str) -> None:
    assert read(calls(FIND), text) == {}


def test_where_the_tools_are_not_known_the_form_alone_makes_it_a_call() -> None:
    response = Response(CallKey(CASE.id, "cand", 0), Outcome.OK, "app", json.dumps(FIND))
    score = grade(calls(FIND), CASE, response)[0]
    assert read_again(calls(FIND), CASE, response, score, ())["call"].passed


def test_json_without_the_field_is_the_worst_also_where_less_is_better() -> None:
    entry = {"name": "fields", "json_equal": {"a": 1}, "fields": ["a"], "extract": {"json": "order"}}
    found = read(JsonEqual.model_validate(entry), '{"other": {"a": 1}}')
    assert found["fields"] == NO_FIELD
    assert found["fields.invented"] == Reading(1.0, passed=False, cause=FormatCause.MISSING_FIELD, readable=False)


def test_a_fence_that_the_suite_takes_off_is_no_matter_of_form() -> None:
    grader = WellFormed.model_validate({"name": "xml", "well_formed": "xml", "extract": "fenced"})
    plain = WellFormed.model_validate({"name": "xml", "well_formed": "xml"})
    assert read(grader, "```xml\n<a>\n```") == {}
    assert read(plain, "```xml\n<a/>\n```") == {"xml": Reading(1.0, passed=True, cause=FormatCause.CODE_FENCE)}


def test_an_answer_that_made_calls_is_not_searched_for_more() -> None:
    assert read(calls(FIND), json.dumps(FIND), calls=(ToolCall("1", "stop", "{}"),)) == {}


# ------------------------------------------------------------------------------------------------------- what is left


@pytest.mark.parametrize("outcome", [Outcome.TRUNCATED, Outcome.REFUSED, Outcome.FILTERED])
def test_half_an_answer_is_no_answer_even_where_the_grader_accepts_it(outcome: Outcome) -> None:
    assert read(queue(accepts=["ok", outcome.value]), fenced(RIGHT), outcome) == {}
    assert read(queue(), fenced(RIGHT), outcome) == {}


def test_an_answer_that_could_not_be_graded_stays_so() -> None:
    slow = Contains.model_validate({"name": "word", "contains": "{{ nowhere }}"})
    assert read(slow, "```\nbilling\n```") == {}


NESTED = st.recursive(
    st.none() | st.text(max_size=5), lambda each: st.lists(each) | st.dictionaries(st.text(max_size=5), each)
)
LONG = (
    "[" * 5_000, "{\"a\":" * 5_000, "```json\n" * 500, "9" * 5_000, "{\"queue\": \"\ud800\"}", "{" * 9_999,
)  # fmt: skip
HOSTILE = st.one_of(st.text(max_size=200), st.sampled_from(LONG), NESTED.map(json.dumps).map(fenced))


@given(HOSTILE)
def test_no_answer_makes_a_reading_fail_and_none_is_worth_more_than_everything(text: str) -> None:
    for grader in (queue(), fields(), schema(), calls(), calls(FIND)):
        for one in read(grader, text).values():
            assert 0.0 <= one.value <= 1.0


@given(
    st.dictionaries(st.sampled_from(["queue", "urgency", "other"]), st.sampled_from(["billing", "sales", 1, 2, None]))
)
def test_a_fence_round_any_object_reads_as_the_object_alone_scores(answer: dict[str, Any]) -> None:
    bare = json.dumps(answer)
    for grader in (queue(), fields(), schema()):
        plain = {s.metric: s for s in grade(grader, CASE, Response(CallKey("c1", "cand", 0), Outcome.OK, "m", bare))}
        lenient = read(grader, bare)
        for metric, one in read(grader, fenced(bare)).items():
            expected = lenient.get(metric)
            assert one.value == (plain[metric].value if expected is None else expected.value)
            assert one.readable is (expected is None or expected.readable)


@pytest.mark.parametrize("apart", [False, True])
def test_calls_of_a_written_list_keep_their_order_and_arguments(apart: bool) -> None:
    made = [FIND, {"name": "stop", "arguments": "{}"}]
    found = written_calls("\n".join(map(json.dumps, made)) if apart else json.dumps(made), TOOLS)
    assert [(call.name, json.loads(call.arguments)) for call in found] == [("find", {"order": 7}), ("stop", {})]
