"""What a tool call gets back of a case's `tool_results`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.execution.tools import UnmatchedToolError, arguments_of, canned_result
from snapdrift.model import ToolCall, ToolResult
from snapdrift.suites.tool_results import CannedResult, parse_tool_results


def entries(*written: Any) -> tuple[CannedResult, ...]:
    found = parse_tool_results({"lookup": list(written)})["lookup"]
    assert isinstance(found, tuple)
    return found


def call(arguments: Any) -> ToolCall:
    return ToolCall("call_1", "lookup", arguments if isinstance(arguments, str) else json.dumps(arguments))


def result(written: list[Any], arguments: Any, nth: int = 1) -> ToolResult:
    return canned_result(entries(*written), call(arguments), nth)


def test_the_first_entry_that_matches_wins() -> None:
    written = [
        {"args": {"order": "1"}, "returns": "first"},
        {"args": {"order": "2"}, "returns": "second"},
        {"args": {"order": "2"}, "returns": "third"},
    ]
    assert result(written, {"order": "2"}) == ToolResult("call_1", "lookup", "second", "entry 2")


@pytest.mark.parametrize(
    ("args", "arguments", "matches"),
    [
        ({"n": 1}, {"n": 1.0}, True),
        ({"n": True}, {"n": 1}, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": [1, 2]}, {"a": [2, 1]}, False),
        ({"a": None}, {"a": None}, True),
        ({"a": None}, {}, False),
        ({}, {}, True),
    ],
)
def test_arguments_are_compared_as_json(args: Any, arguments: Any, matches: bool) -> None:
    found = result([{"args": args, "returns": "it"}, {"otherwise": {"returns": "other"}}], arguments)
    assert (found.output == "it") is matches


@pytest.mark.parametrize(
    ("args", "arguments", "matches"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, True),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 2}]}, True),
        ({"a": [1]}, {"a": [1, 2]}, False),
        ({"a": 1}, {"b": 1}, False),
    ],
)
def test_a_subset_leaves_room_for_further_keys_at_every_depth(args: Any, arguments: Any, matches: bool) -> None:
    written = [{"args": args, "match": "subset", "returns": "it"}, {"otherwise": {"returns": "other"}}]
    assert (result(written, arguments).output == "it") is matches


def test_texts_are_compared_after_the_normalisation_that_an_entry_names() -> None:
    written = [{"args": {"city": "San José"}, "normalise": ["casefold", "whitespace"], "returns": "it"}]
    assert result(written, {"city": "SAN  josé "}).output == "it"
    with pytest.raises(UnmatchedToolError):
        result([{"args": {"city": "San José"}, "returns": "it"}], {"city": "SAN josé"})


def test_an_entry_can_be_for_one_call_of_the_tool_only() -> None:
    written = [{"nth": 2, "error": "timeout"}, {"otherwise": {"returns": 5}}]
    assert [result(written, {}, nth).output for nth in (1, 2, 3)] == ["5", '{"error": "timeout"}', "5"]
    assert result(written, {}, 2).is_error


def test_both_the_number_and_the_arguments_of_an_entry_must_hold() -> None:
    written = [{"nth": 2, "args": {"a": 1}, "returns": "it"}, {"otherwise": {"returns": "other"}}]
    assert [result(written, {"a": a}, nth).output for a, nth in ((1, 1), (1, 2), (2, 2))] == ["other", "it", "other"]


def test_text_is_sent_as_it_is_and_everything_else_as_json() -> None:
    assert result([{"otherwise": {"returns": "plain"}}], {}).output == "plain"
    assert json.loads(result([{"otherwise": {"returns": {"a": [1, None]}}}], {}).output) == {"a": [1, None]}
    assert result([{"otherwise": {"returns": None}}], {}).output == "null"


def test_a_call_that_matches_nothing_is_told_with_its_arguments_and_the_nearest_entry() -> None:
    written = [{"args": {"order": "5521"}, "returns": 1}, {"args": {"customer": "Ann"}, "returns": 2}]
    with pytest.raises(UnmatchedToolError) as error:
        result(written, {"order": "5522"}, nth=3)
    assert str(error.value) == (
        'the model called lookup({"order":"5522"}), call 3 of it, which matches none of its tool_results; '
        'nearest is entry 1 with args {"order":"5521"}'
    )


@pytest.mark.parametrize("arguments", ["{broken", "[1]", '"text"', "null", "[" * 100_000])
def test_arguments_that_are_no_json_object_are_told_so_even_where_every_call_has_a_result(arguments: str) -> None:
    with pytest.raises(UnmatchedToolError, match="arguments that are no JSON object"):
        result([{"otherwise": {"returns": 1}}], arguments)


def test_no_arguments_at_all_count_as_an_empty_object() -> None:
    assert arguments_of(call("")) == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=3), JSON, max_size=3))
def test_arguments_match_themselves_under_both_ways_of_comparing(arguments: dict[str, Any]) -> None:
    for match in ("equal", "subset"):
        assert result([{"args": arguments, "match": match, "returns": "it"}], arguments).output == "it"
