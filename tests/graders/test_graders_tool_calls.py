"""`tool_calls`: what a model called, against what it was meant to call."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.graders.base import Grader
from snapdrift.graders.tool_calls import ToolCalls
from snapdrift.model import CallKey, Case, Outcome, Reason, Response, Score, ToolCall
from snapdrift.suites.registry import InvalidEntryError

Parse = Callable[..., Grader]
Answered = Callable[..., Response]
LOOKUP = {"name": "lookup_order", "arguments": {"order": "5521"}}
REFUND = {"name": "refund", "arguments": {"order": "5521", "amount": 12.5}}


@pytest.fixture
def graded(parse: Parse, answer: Answered) -> Callable[..., Score]:
    """The score of calls, given as `{name, arguments}` or as `(name, text of the arguments)`."""

    def score(expected: Any, made: list[Any], outcome: Outcome = Outcome.OK, **settings: Any) -> Score:
        case = Case("c1", expected=expected)
        grader = parse({"name": "tools", "tool_calls": "{{ expected }}", **settings}, [case])
        pairs = [(c["name"], json.dumps(c["arguments"])) if isinstance(c, dict) else c for c in made]
        calls = tuple(ToolCall(f"call_{number}", *pair) for number, pair in enumerate(pairs))
        return grader.grade(case, answer("", outcome, tool_calls=calls))[0]

    return score


def test_the_expected_call_passes(graded: Callable[..., Score]) -> None:
    assert graded([LOOKUP], [LOOKUP]).passed


def test_numbers_are_equal_as_json_has_it(graded: Callable[..., Score]) -> None:
    assert graded([REFUND], [("refund", '{"amount": 12.50, "order": "5521"}')]).passed


def test_another_argument_fails_and_says_what_was_found(graded: Callable[..., Score]) -> None:
    score = graded([LOOKUP], [{"name": "lookup_order", "arguments": {"order": "5512"}}])
    assert not score.passed
    assert score.detail == ('expected lookup_order({"order":"5521"}), found lookup_order({"order":"5512"})')


def test_no_call_where_one_was_expected_fails(graded: Callable[..., Score]) -> None:
    assert graded([LOOKUP], []).detail == 'expected lookup_order({"order":"5521"}), found no such call'


def test_a_call_where_none_was_expected_fails(graded: Callable[..., Score]) -> None:
    assert graded([], [LOOKUP]).detail == 'expected no call, found lookup_order({"order":"5521"})'


def test_no_call_passes_where_none_was_expected(graded: Callable[..., Score]) -> None:
    assert graded([], []).passed


def test_one_call_too_many_fails(graded: Callable[..., Score]) -> None:
    assert not graded([LOOKUP], [LOOKUP, LOOKUP]).passed


def test_the_order_matters_only_when_asked_for(graded: Callable[..., Score]) -> None:
    assert graded([LOOKUP, REFUND], [REFUND, LOOKUP]).passed
    assert not graded([LOOKUP, REFUND], [REFUND, LOOKUP], ordered=True).passed


def test_a_subset_lets_a_call_have_more_arguments(graded: Callable[..., Score]) -> None:
    expected = [{"name": "refund", "arguments": {"order": "5521"}}]
    assert graded(expected, [REFUND], arguments="subset").passed
    assert not graded(expected, [REFUND]).passed


def test_a_call_without_arguments_takes_any(graded: Callable[..., Score]) -> None:
    assert graded([{"name": "refund"}], [REFUND]).passed
    assert graded([{"name": "refund", "arguments": {}}], [REFUND], arguments="ignore").passed


def test_a_call_that_matches_two_expected_ones_is_given_to_the_one_that_needs_it(graded: Callable[..., Score]) -> None:
    expected = [{"name": "refund", "arguments": {}}, {"name": "refund", "arguments": {"amount": 12.5}}]
    made = [REFUND, {"name": "refund", "arguments": {"order": "1"}}]
    assert graded(expected, made, arguments="subset").passed


def test_arguments_that_are_no_json_fail_and_say_so(graded: Callable[..., Score]) -> None:
    score = graded([LOOKUP], [("lookup_order", '{"order": 5521')])
    assert (score.passed, score.reason) == (False, Reason.INVALID_ARGUMENTS)
    assert score.detail == 'the arguments of lookup_order are no JSON object: {"order": 5521'


def test_a_refused_answer_is_not_accepted(graded: Callable[..., Score]) -> None:
    assert graded([], [], Outcome.REFUSED).reason is Reason.NOT_ACCEPTED


@given(st.lists(st.sampled_from([LOOKUP, REFUND, {"name": "other", "arguments": {}}]), max_size=4), st.randoms())
def test_any_order_of_the_expected_calls_passes(made: list[Any], random: Any) -> None:
    shuffled = random.sample(made, len(made))
    calls = [ToolCall("c", call["name"], json.dumps(call["arguments"])) for call in shuffled]
    grader = ToolCalls(name="tools", tool_calls=made)
    for order in permutations(calls):
        response = Response(CallKey("c1", "v", 0), Outcome.OK, "m", tool_calls=order)
        assert [score.value for score in grader.grade(Case("c1"), response)] == [1.0, 1.0]


@pytest.mark.parametrize("expected", ["lookup_order", [{"arguments": {}}], [{"name": "x", "args": {}}], [3]])
def test_an_expected_value_that_names_no_calls_is_a_mistake_of_the_dataset(parse: Parse, expected: Any) -> None:
    with pytest.raises(InvalidEntryError, match="name"):
        parse({"name": "tools", "tool_calls": "{{ expected }}"}, [Case("c1", expected=expected)])


def test_extract_is_refused_where_no_text_is_looked_at(parse: Parse) -> None:
    with pytest.raises(InvalidEntryError, match="no use for"):
        parse({"name": "tools", "tool_calls": [LOOKUP], "extract": "last_line"})


def test_a_suites_extract_is_for_the_other_graders(parse: Parse) -> None:
    assert parse({"name": "tools", "tool_calls": [LOOKUP]}, default_extract="last_line").name == "tools"


def test_the_step_of_a_call_in_an_answer_key_is_no_part_of_what_is_compared(graded: Callable[..., Score]) -> None:
    assert graded([{**LOOKUP, "step": 1}], [("lookup_order", json.dumps(LOOKUP["arguments"]))]).passed


# ------------------------------------------------------------------------------------------ arguments one by one

WEATHER = {"name": "weather", "arguments": {"city": "Paris", "days": 3}}
DOUBLING = {
    "$defs": {"a0": {}, **{f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n - 1}"}] * 2} for n in range(1, 41)}},
    "$ref": "#/$defs/a40",
}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string", "minLength": 2}, "days": {"type": "integer"}},
                "required": ["city"],
                "additionalProperties": False,
            },
        },
    },
    {"type": "function", "name": "stop"},
]


@pytest.mark.parametrize(
    ("settings", "arguments", "passed"),
    [
        ({"match": {"city": "casefold"}}, {"city": "PARIS", "days": 3}, True),
        ({"match": {"days": {"number": 0.5}}}, {"city": "Paris", "days": 3.4}, True),
        ({"match": {"days": {"number": 0.5}}}, {"city": "paris", "days": 3.4}, False),
        ({"match": {"city": {"exact": ["Lyon", "Nice"]}}}, {"city": "Nice", "days": 3}, True),
        ({"match": {"city": {"contains": "{{ expected }}"}}}, {"city": "Paris, France", "days": 3}, True),
        ({"match": {"unit": {"exact": ["C", "F"]}}}, {"city": "Paris", "days": 3, "unit": "F"}, True),
        ({"match": {"unit": {"exact": ["C", "F"]}}}, {"city": "Paris", "days": 3, "unit": "K"}, False),
        ({"match": {"unit": "casefold"}}, {"city": "Paris", "days": 3, "unit": "K"}, False),
        (
            {"match": {"unit": {"exact": ["C", "F"]}}, "arguments": "subset"},
            {"city": "Paris", "days": 3, "unit": "K"},
            False,
        ),
        ({"match": {"unit": "casefold"}, "arguments": "subset"}, {"city": "Paris", "days": 3, "unit": "K"}, True),
        ({}, {"city": "Paris", "days": 3, "unit": None}, False),
    ],
)
def test_an_argument_is_compared_as_its_comparer_says(
    settings: Any, arguments: Any, passed: bool, graded: Callable[..., Score]
) -> None:
    assert graded([WEATHER], [{"name": "weather", "arguments": arguments}], **settings).passed is passed


@pytest.mark.parametrize(
    ("wanted", "arguments", "passed"),
    [
        ({"arguments": {"days": 3}, "one_of": {"city": ["Paris", "paris"]}}, {"city": "paris", "days": 3}, True),
        ({"arguments": {"days": 3}, "one_of": {"city": ["Paris", "paris"]}}, {"city": "Rome", "days": 3}, False),
        ({"arguments": {"days": 3}, "one_of": {"city": ["Paris", "paris"]}}, {"days": 3}, False),
        ({"one_of": {"city": ["Paris"]}}, {"city": "Paris", "days": 9}, True),
        ({"arguments": {"city": {"one_of": ["Paris"]}}}, {"city": "Paris"}, False),
        ({"arguments": {"city": {"one_of": ["Paris"]}}}, {"city": {"one_of": ["Paris"]}}, True),
    ],
)
def test_one_of_stands_beside_the_arguments_and_is_never_taken_for_one(
    wanted: Any, arguments: Any, passed: bool, graded: Callable[..., Score]
) -> None:
    assert graded([{"name": "weather", **wanted}], [{"name": "weather", "arguments": arguments}]).passed is passed


@pytest.mark.parametrize(
    ("arguments", "detail"),
    [
        ({"city": "Rome"}, ""),
        ({"city": "R"}, "weather: city: "),
        ({"days": 1}, 'weather: $: "city" is a required property'),
        ({"city": "\ud800\ud800"}, ""),
    ],
)
def test_arguments_are_valid_by_the_parameters_of_their_tool(
    arguments: Any, detail: str, graded: Callable[..., Score]
) -> None:
    made = [{"name": "weather", "arguments": arguments}]
    score = graded([{"name": "weather", "arguments": {"city": "Paris"}}], made, arguments="schema", tools=TOOLS)

    assert score.passed is not bool(detail)
    assert detail in score.detail
    assert any(detail in line for line in score.evidence) or not detail


def test_the_tools_may_be_the_file_that_the_request_names(parse: Parse, answer: Answered) -> None:
    entry = {"tool_calls": [{"name": "weather"}], "arguments": "schema", "tools": "graders/tools.json"}
    grader = parse(entry, files={"graders/tools.json": json.dumps(TOOLS)})
    call = ToolCall("1", "weather", '{"city": 3}')

    assert not grader.grade(Case("c1"), answer("", tool_calls=(call,)))[0].passed
    assert parse(grader.resolved()) == grader


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"arguments": "schema"}, "exactly with `arguments: schema`"),
        ({"tools": TOOLS}, "exactly with `arguments: schema`"),
        ({"arguments": "schema", "tools": []}, "at least one tool"),
        ({"arguments": "schema", "tools": [{"parameters": {}}]}, "has none"),
        ({"arguments": "schema", "tools": [{"name": "f", "parameters": {"type": "strin"}}]}, "valid JSON Schema"),
        (
            {"arguments": "schema", "tools": [{"name": "f", "parameters": DOUBLING}]},
            "more than 10,000 parts at one place",
        ),
        (
            {"arguments": "schema", "tools": [{"name": "f", "parameters": {"$ref": "http://127.0.0.1:9/x"}}]},
            "not fetched",
        ),
        ({"arguments": "schema", "tools": [{"name": "f"}]}, "weather is none of the `tools`"),
        ({"match": {"city": "case"}}, "did you mean 'casefold'"),
        ({"match": {"city": "date"}}, "argument city of weather: .* is not a date"),
        ({"forbidden": ["weather"]}, "expected and forbidden"),
    ],
)
def test_settings_of_calls_that_make_no_sense_are_refused(settings: Any, message: str, parse: Parse) -> None:
    with pytest.raises(InvalidEntryError, match=message):
        parse({"tool_calls": [WEATHER], **settings}, [Case("c1")])


@pytest.mark.parametrize("one_of", [["Paris"], {"city": "Paris"}, 3])
def test_one_of_that_is_no_mapping_to_lists_is_a_mistake_of_the_dataset(one_of: Any, parse: Parse) -> None:
    with pytest.raises(InvalidEntryError, match="no mapping of arguments to lists"):
        parse({"tool_calls": [{"name": "weather", "one_of": one_of}]}, [Case("c1")])


# ------------------------------------------------------------------------------------------- which calls, and how many


@pytest.fixture
def both(parse: Parse, answer: Answered) -> Callable[..., tuple[Score, ...]]:
    """Both scores of calls, given as `{name, arguments}` or as `(name, text of the arguments)`, or of a text."""

    def scores(expected: Any, made: list[Any], text: str = "", **settings: Any) -> tuple[Score, ...]:
        grader = parse({"name": "tools", "tool_calls": expected, **settings}, [Case("c1")])
        pairs = [(c["name"], json.dumps(c["arguments"])) if isinstance(c, dict) else c for c in made]
        calls = tuple(ToolCall(f"call_{number}", *pair) for number, pair in enumerate(pairs))
        return grader.grade(Case("c1"), answer(text, tool_calls=calls))

    return scores


@pytest.mark.parametrize(
    ("expected", "made", "settings", "f1"),
    [
        ([LOOKUP, REFUND], [LOOKUP, REFUND], {}, 1.0),
        ([LOOKUP, REFUND], [LOOKUP], {}, 2 / 3),
        ([LOOKUP], [LOOKUP, REFUND, REFUND], {}, 0.5),
        ([LOOKUP, REFUND], [REFUND, LOOKUP], {"ordered": True}, 0.5),
        ([LOOKUP], [REFUND], {}, 0.0),
        ([], [], {}, 1.0),
        ([], [LOOKUP], {}, 0.0),
        ([LOOKUP], [LOOKUP, REFUND], {"extra_calls": True}, 1.0),
        ([LOOKUP], [LOOKUP, REFUND], {"extra_calls": True, "forbidden": ["refund"]}, 2 / 3),
        ([LOOKUP], [LOOKUP, ("lookup_order", "{")], {}, 2 / 3),
    ],
)
def test_the_f1_counts_the_calls_that_match(
    expected: Any, made: Any, settings: Any, f1: float, both: Callable[..., tuple[Score, ...]]
) -> None:
    right, share = both(expected, made, **settings)

    assert share.metric == "tools.f1"
    assert share.value == pytest.approx(f1)
    assert right.passed is share.passed is (f1 == 1.0)


def test_a_forbidden_call_is_named(both: Callable[..., tuple[Score, ...]]) -> None:
    score = both([LOOKUP], [LOOKUP, REFUND], forbidden="refund")[0]
    assert (score.passed, score.detail) == (False, "called refund, which is forbidden")


@pytest.mark.parametrize("text", ['{"order": 5521', "[]", '{"a": NaN}', "", "[" * 9_000, '{"n": 1e999}'])
def test_arguments_that_are_no_json_object_are_a_reason_of_their_own_also_under_not(
    text: str, both: Callable[..., tuple[Score, ...]]
) -> None:
    for settings in ({}, {"not": True}, {"arguments": "ignore"}):
        for score in both([{"name": "f", "arguments": {}}], [("f", text)], **settings):
            assert (score.value, score.passed, score.reason) == (0.0, False, Reason.INVALID_ARGUMENTS)


@pytest.mark.parametrize("text", [json.dumps(LOOKUP), f"```json\n{json.dumps([LOOKUP])}\n```"])
def test_a_call_that_is_written_as_text_is_named_as_such(text: str, both: Callable[..., tuple[Score, ...]]) -> None:
    for score in both([LOOKUP], [], text):
        assert (score.value, score.passed, score.reason) == (0.0, False, Reason.TOOL_CALL_AS_TEXT)
        assert score.detail == 'a call is written as text instead of made: lookup_order({"order":"5521"})'


@pytest.mark.parametrize("text", ["lookup_order(5521)", '{"name": "x"}', '{"name": 3, "arguments": {}}', "{}"])
def test_any_other_text_is_just_no_call(text: str, both: Callable[..., tuple[Score, ...]]) -> None:
    assert both([LOOKUP], [], text)[0].reason is Reason.WRONG


def test_a_text_where_no_call_was_expected_passes_whatever_it_says(both: Callable[..., tuple[Score, ...]]) -> None:
    assert [score.passed for score in both([], [], json.dumps(LOOKUP))] == [True, True]


@given(
    st.lists(st.sampled_from("ab"), max_size=4),
    st.lists(st.sampled_from("ab"), max_size=4),
    st.booleans(),
)
def test_the_f1_is_the_same_whichever_side_is_expected(wanted: list[str], made: list[str], ordered: bool) -> None:
    def f1(expected: list[str], calls: list[str]) -> float | None:
        grader = ToolCalls(name="t", tool_calls=[{"name": name} for name in expected], ordered=ordered)
        response = Response(
            CallKey("c1", "v", 0), Outcome.OK, "m", tool_calls=tuple(ToolCall("1", name, "{}") for name in calls)
        )
        return grader.grade(Case("c1"), response)[1].value

    assert f1(wanted, made) == f1(made, wanted)
    assert (f1(wanted, made) == 1.0) is (wanted == made if ordered else sorted(wanted) == sorted(made))
