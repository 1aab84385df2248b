"""Slips in graders' arguments that would pass unseen: nothing fails by them, and nothing is checked either."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from snapdrift.graders.base import Grader
from snapdrift.graders.judge import JudgeGrader
from snapdrift.graders.rubric import Rubric
from snapdrift.model import Case
from snapdrift.suites.registry import InvalidEntryError

Parse = Callable[..., Grader]
MEETING = Case("a", expected={"place": "Hall", "due": None, "tasks": [{"who": "Ada", "what": "call"}]})


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"plaec": "exact"}, "none expects 'plaec', did you mean 'place'?"),
        ({"tasks": {"list": {"key": "who", "fields": {"waht": "exact"}}}}, "none expects 'waht', did you mean 'what'?"),
    ],
)
def test_a_field_that_no_case_expects_and_is_nearly_one_that_is_expected_is_a_slip(
    fields: dict[str, Any], told: str, parse: Parse
) -> None:
    with pytest.raises(InvalidEntryError, match="did you mean") as caught:
        parse({"json_equal": "{{ expected }}", "fields": fields}, [MEETING])

    assert told in str(caught.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"place": "exact", "error": "exact"},
        {"place": "exact", "places": {"contains": "Hall"}},
        {"tasks": {"list": {"key": "who", "fields": {"what": "exact", "who": "casefold"}}}},
    ],
    ids=["expected to be absent", "says itself what passes", "the key among the fields"],
)
def test_a_field_that_is_meant_is_none(fields: dict[str, Any], parse: Parse) -> None:
    assert parse({"json_equal": "{{ expected }}", "fields": fields}, [MEETING]).metrics


def test_a_family_that_needs_the_whole_answer_cannot_compare_a_field(parse: Parse) -> None:
    with pytest.raises(InvalidEntryError, match="python needs the whole answer, so give it an entry of its own"):
        parse({"json_equal": "{{ expected }}", "fields": {"place": {"python": "graders/x.py:grade"}}}, [MEETING])


def rubric(**settings: Any) -> Rubric:
    return Rubric.model_validate({"model": "gpt-4o-2024-11-20", "criteria": ["Polite."], **settings})


def test_a_scale_on_which_nothing_could_pass_is_refused() -> None:
    with pytest.raises(ValueError, match="`pass_at` on the scale, which ends at 5: nothing could pass"):
        rubric(scale={"from": 1, "to": 5}, pass_at=9)


def test_a_criterion_that_is_nearly_named_as_one_that_is_not_to_be_true_is_a_slip() -> None:
    with pytest.raises(ValueError, match="'shouldnt' is there, did you mean 'should_not'"):
        rubric(mode="checklist", criteria={"should": "Polite.", "shouldnt": "Rude."})


@pytest.mark.parametrize(("votes", "noted"), [(2, True), (3, False), (1, False)])
def test_votes_that_can_be_a_tie_are_noted(votes: int, noted: bool) -> None:
    judge = JudgeGrader(name="tone", judge=rubric(votes=votes, request={"temperature": 1}))

    assert any("can be a tie" in note for note in judge.notes()) is noted


def test_the_mean_of_two_votes_on_a_scale_is_no_tie() -> None:
    judge = JudgeGrader(name="tone", judge=rubric(votes=2, scale={"from": 1, "to": 5}, request={"temperature": 1}))

    assert judge.notes() == ()


@pytest.mark.parametrize(
    ("entry", "names"),
    [
        ({"tool_calls": [{"name": "find"}], "forbidden": ["pay"]}, ("find", "pay")),
        ({"trajectory": {"in_order": ["find"], "forbidden": ["pay"]}}, ("find", "pay")),
        ({"all": [{"tool_calls": [{"name": "find"}]}, {"trajectory": ["open"]}]}, ("find", "open")),
        ({"tool_calls": "{{ expected.due }}", "forbidden": ["pay"]}, ("pay",)),
    ],
)
def test_a_grader_says_which_tools_it_names(entry: dict[str, Any], names: tuple[str, ...], parse: Parse) -> None:
    assert parse(entry).tools_named(MEETING) == names
