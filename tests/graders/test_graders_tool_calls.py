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
from snapdrift.model import Case, Outcome, Reason, Response, Score, ToolCall
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
    assert not score.passed
    assert score.detail == 'the arguments of lookup_order are no JSON object: {"order": 5521'


def test_a_refused_answer_is_not_accepted(graded: Callable[..., Score]) -> None:
    assert graded([], [], Outcome.REFUSED).reason is Reason.NOT_ACCEPTED


@given(st.lists(st.sampled_from([LOOKUP, REFUND, {"name": "other", "arguments": {}}]), max_size=4), st.randoms())
def test_any_order_of_the_expected_calls_passes(made: list[Any], random: Any) -> None:
    from snapdrift.graders.tool_calls import ToolCalls, _shown

    shuffled = random.sample(made, len(made))
    calls = [_shown(ToolCall("c", call["name"], json.dumps(call["arguments"]))) for call in shuffled]
    grader = ToolCalls(name="tools", tool_calls=made)
    assert grader.mark(Case("c1"), calls).passed
    assert all(grader.mark(Case("c1"), list(order)).passed for order in permutations(calls))


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
