"""`path`: assertions on single places of an answer's JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.graders import patterns
from snapdrift.graders.base import Grader
from snapdrift.graders.path import PathGrader
from snapdrift.model import CallKey, Case, Outcome, Reason, Response, Score
from snapdrift.suites.registry import InvalidEntryError

Parse = Callable[..., Grader]
Scored = Callable[..., Score]
TICKET = {
    "id": "T-17",
    "n": 3,
    "big": 2.5,
    "ok": True,
    "due": None,
    "tags": ["a", "b"],
    "lines": [{"total": 0}],
    "o": {},
}


@pytest.mark.parametrize(
    ("path", "check", "holds"),
    [
        ("id", "present", True), ("due", "present", True), ("note", "present", False),
        ("note", "absent", True), ("due", "absent", False), ("lines[1]", "absent", True),
        ("due", "null", True), ("due", None, True), ("note", "null", False), ("n", "null", False),
        ("n", {"equals": 3.0}, True), ("ok", {"equals": 1}, False), ("due", {"equals": None}, True),
        ("id", {"one_of": ["T-16", "T-17"]}, True), ("n", {"one_of": ["3"]}, False),
        ("id", {"matches": r"^T-\d+$"}, True), ("id", {"matches": "x"}, False), ("n", {"matches": "3"}, False),
        ("n", {"at_least": 3, "at_most": 3}, True), ("n", {"at_least": 3.5}, False), ("big", {"at_most": 2}, False),
        ("ok", {"at_least": 0}, False), ("id", {"at_least": 0}, False), ("lines[0].total", {"at_least": 0}, True),
        ("n", {"type": "integer"}, True), ("big", {"type": "integer"}, False), ("big", {"type": "number"}, True),
        ("ok", {"type": "number"}, False), ("ok", {"type": "boolean"}, True), ("due", {"type": None}, True),
        ("tags", {"type": "array", "length": {"at_least": 1}}, True), ("tags", {"length": 2}, True),
        ("tags", {"length": {"at_most": 1}}, False), ("id", {"length": 4}, True), ("o", {"length": 0}, True),
        ("n", {"length": 1}, False), ("o", {"type": "object"}, True), ("id", {"type": "string"}, True),
        ("$", {"type": "object"}, True), ("n.deeper", {"equals": 1}, False),
    ],
)  # fmt: skip
def test_an_assertion_holds_or_does_not(path: str, check: Any, holds: bool, score: Scored) -> None:
    assert score({"path": {path: check}}, json.dumps(TICKET)).passed is holds


def test_everything_that_does_not_hold_is_told_with_its_place(score: Scored) -> None:
    checks = {"id": {"matches": "^X"}, "n": {"at_most": 2, "type": "string"}, "note": {"equals": 1}, "ok": "present"}

    found = score({"path": checks}, json.dumps(TICKET))

    assert found.evidence == (
        'id: "T-17" does not match "^X"',
        "n: expected at most 2, found 3",
        "n: expected type string, found 3",
        "note: expected a value, found nothing",
    )
    assert found.detail.startswith("4 of the assertions fail: id: ")


def test_what_is_asked_may_come_from_the_case(score: Scored) -> None:
    entry = {
        "path": {
            "n": {"at_most": "{{ expected.most }}", "equals": "{{ expected.n }}"},
            "id": {"one_of": "{{ expected.ids }}"},
        }
    }

    assert score(entry, json.dumps(TICKET), expected={"most": 4, "n": 3, "ids": ["T-17"]}).passed
    assert not score(entry, json.dumps(TICKET), expected={"most": 2, "n": 3, "ids": ["T-17"]}).passed


@pytest.mark.parametrize("expected", [{"most": "many"}, {"most": True}, {"most": None}])
def test_a_bound_that_is_no_number_is_found_before_a_run(expected: Any, parse: Parse) -> None:
    with pytest.raises(InvalidEntryError, match=r"n: at_least is .*, not a number"):
        parse({"path": {"n": {"at_least": "{{ expected.most }}"}}}, [Case("c1", expected=expected)])


@pytest.mark.parametrize(
    ("checks", "message"),
    [
        ({}, "at least one path"),
        ({"a..b": "absent"}, "makes no sense"),
        ({"a": "missing"}, "'absent', 'present' or 'null'"),
        ({"a": {}}, "at least one of equals"),
        ({"a": {"one_of": "x"}}, "a list of values"),
        ({"a": {"one_of": []}}, "a list of values"),
        ({"a": {"matches": "("}}, "regular expression"),
        ({"a": {"at_least": "3"}}, "a number, or a template"),
        ({"a": {"type": "text"}}, "'object'"),
        ({"a": {"length": -1}}, "greater than or equal to 0"),
        ({"a": {"length": {}}}, "a length, or"),
        ({"a": {"length": {"at_least": 3, "at_most": 2}}}, "not above at_most"),
        ({"a": {"equal": 3}}, "unknown key 'equal'"),
    ],
)
def test_an_assertion_that_makes_no_sense_is_refused(checks: Any, message: str, parse: Parse) -> None:
    with pytest.raises(InvalidEntryError, match=message):
        parse({"path": checks})


def test_text_that_is_no_json_could_not_be_read(score: Scored) -> None:
    assert score({"path": {"a": "absent"}}, "{a: 1").reason is Reason.INVALID_JSON


def test_a_pattern_that_explodes_is_a_grader_error(score: Scored, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "TIMEOUT_SECONDS", 0.05)
    entry = {"path": {"a": {"matches": r"(?:(a|a)+)+$"}}}

    assert score(entry, json.dumps({"a": "a" * 40 + "!"})).reason is Reason.GRADER_ERROR


@given(st.dictionaries(st.sampled_from("ab"), st.none() | st.integers() | st.text(max_size=3)), st.sampled_from("ab"))
def test_a_place_is_either_present_or_absent(value: Any, place: str) -> None:
    response = Response(CallKey("c1", "v", 0), Outcome.OK, "m", json.dumps(value))
    passed = [
        PathGrader.model_validate({"name": "p", "path": {place: word}}).grade(Case("c1"), response)[0].passed
        for word in ("present", "absent")
    ]

    assert passed == [place in value, place not in value]
