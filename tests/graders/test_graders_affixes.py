"""`starts_with` and `ends_with`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.graders.affixes import EndsWith, StartsWith
from snapdrift.graders.base import Grader
from snapdrift.model import CallKey, Case, Outcome, Reason, Response, Score
from snapdrift.suites.registry import InvalidEntryError

Scored = Callable[..., Score]


@pytest.mark.parametrize(
    ("entry", "text", "reason"),
    [
        ({"starts_with": "Dear"}, "Dear Ms Okafor", Reason.PASSED),
        ({"starts_with": "Dear"}, "\n Dear Ms Okafor", Reason.PASSED),
        ({"starts_with": "Dear", "normalise": []}, " Dear Ms Okafor", Reason.WRONG),
        ({"starts_with": "dear"}, "Dear Ms Okafor", Reason.WRONG),
        ({"starts_with": "dear", "normalise": ["strip", "casefold"]}, "DEAR Ms Okafor", Reason.PASSED),
        ({"starts_with": ["Hello", "Dear"]}, "Dear Ms Okafor", Reason.PASSED),
        ({"starts_with": "Dear Ms Okafor"}, "Dear", Reason.WRONG),
        ({"starts_with": 18, "extract": {"json": "n"}}, '{"n": 180}', Reason.PASSED),
        ({"starts_with": "x", "extract": {"regex": "<(.*)>"}}, "x", Reason.UNEXTRACTED),
        ({"starts_with": "x", "extract": {"json": "n"}}, "x", Reason.INVALID_JSON),
        ({"starts_with": ""}, "x", Reason.GRADER_ERROR),
        ({"starts_with": []}, "x", Reason.GRADER_ERROR),
        ({"ends_with": "Team"}, "Your Team\n", Reason.PASSED),
        ({"ends_with": ["Team", "Regards"]}, "Your Team.", Reason.WRONG),
        ({"ends_with": ["Team", "Regards"], "normalise": "punctuation"}, "Your Team.", Reason.PASSED),
        ({"ends_with": " "}, "x ", Reason.GRADER_ERROR),
    ],
)
def test_the_beginning_or_end_is_judged(entry: dict[str, Any], text: str, reason: Reason, score: Scored) -> None:
    assert score(entry, text).reason is reason


def test_the_detail_shows_what_stands_there_instead(score: Scored) -> None:
    assert score({"ends_with": ["a", "b"]}, "abc").detail == 'expected it to end with "a" or "b", it ends with "abc"'


def test_an_expected_list_from_the_case_means_any_of_it(score: Scored) -> None:
    assert score({"starts_with": "{{ expected }}"}, "beta", expected=["alpha", "be"]).passed


@pytest.mark.parametrize("family", ["starts_with", "ends_with"])
def test_an_empty_expected_text_is_found_when_the_suite_is_loaded(family: str, parse: Callable[..., Grader]) -> None:
    with pytest.raises(InvalidEntryError, match="any answer would satisfy"):
        parse({family: "{{ expected }}"}, [Case("c1", expected="")])


@given(st.text(), st.text(min_size=1), st.text())
def test_a_text_begins_with_what_was_put_before_it_and_ends_with_what_was_put_after(a: str, b: str, c: str) -> None:
    response = Response(CallKey("c1", "v", 0), Outcome.OK, "m", text=b + a + c + b)
    case = Case("c1", expected=b)
    first = StartsWith(name="first", starts_with="{{ expected }}", normalise=())
    last = EndsWith(name="last", ends_with="{{ expected }}", normalise=())

    assert first.grade(case, response)[0].passed
    assert last.grade(case, response)[0].passed
