"""The form of `tool_results`, and what is told of mistakes in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from snapdrift.model import Case, Endpoint, Variant
from snapdrift.suites.tool_names import unknown_tools, unused_results
from snapdrift.suites.tool_results import (
    CannedResult,
    Match,
    PythonFunction,
    check_tool_results,
    parse_tool_results,
    python_functions,
)

GOOD = {
    "lookup_order": [
        {"args": {"order": "5521"}, "match": "subset", "normalise": ["strip"], "returns": {"status": "shipped"}},
        {"nth": 2, "error": "timeout"},
        {"otherwise": {"error": "not_found"}},
    ],
    "charge": {"python": "fakes/cards.py:charge"},
}


def test_a_well_formed_value_has_no_findings_and_is_read() -> None:
    assert check_tool_results(GOOD) == ()
    found = parse_tool_results(GOOD)
    assert found["charge"] == PythonFunction("fakes/cards.py", "charge")
    first, second, last = found["lookup_order"]  # type: ignore[misc]
    assert (first.args, first.match, first.output) == ({"order": "5521"}, Match.SUBSET, '{"status": "shipped"}')
    assert (second.nth, second.output, second.is_error) == (2, '{"error": "timeout"}', True)
    assert last == CannedResult("otherwise", '{"error": "not_found"}', is_error=True)


def test_the_python_fakes_of_a_case_are_found() -> None:
    assert python_functions(GOOD) == (PythonFunction("fakes/cards.py", "charge"),)
    assert python_functions(None) == ()


def test_a_case_whose_tools_must_not_be_called_has_no_results_at_all() -> None:
    assert check_tool_results({}) == ()


@pytest.mark.parametrize(
    ("entry", "location", "found", "expected"),
    [
        ({"arg": {}, "returns": 1}, ("t", 0, "arg"), "unknown key `arg`", 'did you mean "args"?'),
        ({"args": 5, "returns": 1}, ("t", 0, "args"), "found 5", "expected a mapping of arguments"),
        ({"returns": 1}, ("t", 0), "it does not say which calls", "`args`, `nth`, or {otherwise"),
        ({"args": {}}, ("t", 0), "it does not say what the call gets back", "`returns: VALUE` or `error: TEXT`"),
        ({"args": {}, "returns": 1, "error": "x"}, ("t", 0), "both `returns` and `error`", "`returns: VALUE`"),
        ({"args": {}, "error": 5}, ("t", 0, "error"), "found 5", "the error as text"),
        ({"nth": 0, "returns": 1}, ("t", 0, "nth"), "found 0", "a whole number from 1"),
        ({"nth": True, "returns": 1}, ("t", 0, "nth"), "found true", "a whole number from 1"),
        ({"nth": 1, "match": "equal", "returns": 1}, ("t", 0, "match"), "`match` says how", "expected `args`"),
        ({"args": {}, "match": "like", "returns": 1}, ("t", 0, "match"), 'found "like"', "equal or subset"),
        ({"args": {}, "normalise": ["strp"], "returns": 1}, ("t", 0, "normalise", 0), 'found "strp"', '"strip"'),
        ({"args": {}, "normalise": "strip", "returns": 1}, ("t", 0, "normalise"), 'found "strip"', "a list of"),
        ({"otherwise": 5}, ("t", 0, "otherwise"), "found 5", "{returns: ...} or {error: TEXT}"),
        ({"otherwise": {"returns": 1}, "nth": 1}, ("t", 0, "otherwise"), "for every call", "no other key"),
        (5, ("t", 0), "found 5", "expected an entry"),
    ],
)
def test_each_mistake_in_an_entry_is_told_where_it_stands(
    entry: Any, location: tuple[Any, ...], found: str, expected: str
) -> None:
    findings = check_tool_results({"t": [entry]})
    assert [finding.location for finding in findings] == [location]
    assert found in findings[0].found
    assert expected in findings[0].expected


@pytest.mark.parametrize(
    ("value", "location"),
    [
        (5, ()),
        ({"t": []}, ("t",)),
        ({"t": 5}, ("t",)),
        ({"t": {"python": "fakes"}}, ("t", "python")),
        ({"t": {"python": "a.py:f", "nth": 1}}, ("t",)),
        ({"t": [{"otherwise": {"returns": 1}}, {"nth": 1, "returns": 2}]}, ("t", 0, "otherwise")),
    ],
)
def test_each_mistake_around_the_entries_is_told_where_it_stands(value: Any, location: tuple[Any, ...]) -> None:
    assert [finding.location for finding in check_tool_results(value)] == [location]


def asked(request: dict[str, Any], endpoint: Endpoint = Endpoint.RESPONSES) -> Variant:
    return Variant("august", "gpt-4o", endpoint, request, {})


@pytest.mark.parametrize(
    ("tools", "expected"),
    [
        (["lookup_order", "charge"], []),
        (
            ["lookup_orders", "charge"],
            ['`tool_results` has results of "lookup_order" (case "a"), a tool that no variant has'],
        ),
        ([], ['"lookup_order" (case "a"), a tool that no variant has: none has `tools`.', '"charge"']),
    ],
)
def test_results_of_a_tool_that_no_variant_has_are_told(tools: list[str], expected: list[str]) -> None:
    request = {"tools": [{"type": "function", "name": name, "parameters": {}} for name in tools]}
    found = list(unused_results([Case("a", tool_results=GOOD), Case("b", tool_results=GOOD)], [asked(request)]))
    assert len(found) == len(expected)
    assert all(part in sentence for part, sentence in zip(expected, found, strict=True))


def test_a_suite_that_asks_no_model_has_no_use_for_tools_and_is_not_told_so() -> None:
    assert list(unused_results([Case("a", tool_results=GOOD)], [asked({}, Endpoint.PYTHON)])) == []


@dataclass(frozen=True)
class Expecting:
    """A grader that expects two tools of the case `a` and none of others."""

    name: str = "calls"

    def applies(self, case: Case) -> bool:
        return case.id == "a"

    def tools_named(self, case: Case) -> tuple[str, ...]:
        return ("find", "pay") if self.applies(case) else ()


@pytest.mark.parametrize(
    ("tools", "endpoint", "told"),
    [
        (["find", "pay"], Endpoint.RESPONSES, []),
        (
            ["fnid", "pay"],
            Endpoint.RESPONSES,
            ['"find" (case "a") is a tool that no variant has: did you mean "fnid"?'],
        ),
        ([], Endpoint.RESPONSES, []),
        (["pay"], Endpoint.PYTHON, []),
    ],
    ids=["known", "a slip", "no tools at all", "an application, whose tools are not known"],
)
def test_a_tool_that_a_grader_names_and_no_variant_has_is_told(
    tools: list[str], endpoint: Endpoint, told: list[str]
) -> None:
    request = {"tools": [{"type": "function", "name": name, "parameters": {}} for name in tools]}
    grader: Any = Expecting()

    found = list(unknown_tools([grader], [Case("b"), Case("a")], [asked(request, endpoint)]))

    assert found == [f"grader calls: {each}" for each in told]
