"""The families that look at text: exact, contains, regex, choice, number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.graders import patterns
from snapdrift.graders.base import Grader
from snapdrift.graders.exact import Exact
from snapdrift.graders.marks import CannotGradeError
from snapdrift.model import CallKey, Case, NormaliseStep, Outcome, Reason, Response, Score

Scored = Callable[..., Score]
Parse = Callable[..., Grader]
Answered = Callable[..., Response]


@pytest.mark.parametrize(
    ("entry", "text", "reason"),
    [
        ({"exact": "Paris"}, "Paris\n", Reason.PASSED),
        ({"exact": "Paris"}, "paris", Reason.WRONG),
        ({"exact": "Paris", "normalise": []}, "Paris\n", Reason.WRONG),
        ({"exact": "Paris", "normalise": ["casefold", "punctuation", "strip"]}, " PARIS. ", Reason.PASSED),
        ({"exact": "1200", "normalise": "number"}, "$1,200.00", Reason.PASSED),
        ({"exact": ["yes", "true"]}, "true", Reason.PASSED),
        ({"exact": ["yes", "true"]}, "no", Reason.WRONG),
        ({"exact": 18}, "18", Reason.PASSED),
        ({"exact": "18", "extract": {"json": "n"}}, '{"n": 18}', Reason.PASSED),
        ({"exact": True, "extract": {"json": "n"}}, '{"n": true}', Reason.PASSED),
        ({"exact": {"a": [1], "b": 2}, "extract": {"json": "$"}}, '{"b": 2, "a": [1]}', Reason.PASSED),
        ({"exact": "x", "extract": {"json": "n"}}, "no json", Reason.INVALID_JSON),
        ({"contains": "refund"}, "A refund is due", Reason.PASSED),
        ({"contains": ["refund", "days"]}, "A refund is due", Reason.WRONG),
        ({"contains": {"any": ["refund", "days"]}}, "A refund is due", Reason.PASSED),
        ({"contains": {"any": ["credit", "days"]}}, "A refund is due", Reason.WRONG),
        ({"contains": {"all": ["refund"], "none": ["sorry"]}}, "Sorry, a refund", Reason.PASSED),
        (
            {"contains": {"all": ["refund"], "none": ["sorry"]}, "normalise": "casefold"},
            "Sorry, a refund",
            Reason.WRONG,
        ),
        ({"contains": "x", "extract": {"regex": "<(.*)>"}}, "x", Reason.UNEXTRACTED),
        ({"contains": ""}, "x", Reason.GRADER_ERROR),
        ({"regex": r"\b\d{4}\b"}, "in 2024.", Reason.PASSED),
        ({"regex": r"\d{4}", "full": True}, "in 2024.", Reason.WRONG),
        ({"regex": r"\d{4}", "full": True}, "2024", Reason.PASSED),
        ({"regex": "x", "extract": "first_line"}, "", Reason.UNEXTRACTED),
        ({"choice": ["billing", "Sales"], "expected": "sales"}, '"SALES".', Reason.PASSED),
        ({"choice": ["billing", "Sales"], "expected": "sales"}, "billing", Reason.WRONG),
        ({"choice": ["billing", "Sales"], "expected": "sales"}, "the sales team", Reason.WRONG),
        ({"choice": ["a", "b"], "expected": "a", "extract": {"json": "x"}}, "a", Reason.INVALID_JSON),
        ({"number": 18}, "He pays $18.00.", Reason.PASSED),
        ({"number": "1/2"}, "0.5", Reason.PASSED),
        ({"number": "$1,000"}, "1000", Reason.PASSED),
        ({"number": 3.14, "absolute": 0.005}, "3.1449", Reason.PASSED),
        ({"number": 3.14, "absolute": 0.005}, "3.1451", Reason.WRONG),
        ({"number": 200, "relative": 0.01}, "202", Reason.PASSED),
        ({"number": 0.5, "percent": True}, "50%", Reason.PASSED),
        ({"number": 1234.5, "decimal": ","}, "1.234,5", Reason.PASSED),
        ({"number": 18, "extract": {"json": "n"}}, '{"n": 18.0}', Reason.PASSED),
        ({"number": 1, "extract": {"json": "n"}}, '{"n": true}', Reason.UNEXTRACTED),
        ({"number": 18}, "eighteen", Reason.UNEXTRACTED),
        ({"number": 18}, "NaN", Reason.UNEXTRACTED),
        ({"number": 18}, "Infinity", Reason.UNEXTRACTED),
    ],
)
def test_an_answer_is_judged(entry: dict[str, Any], text: str, reason: Reason, score: Scored) -> None:
    assert score(entry, text).reason is reason


def test_expected_values_come_from_the_case_by_templates(score: Scored) -> None:
    assert score({"exact": "{{ expected.queue }}"}, "billing", expected={"queue": "billing"}).passed


def test_a_template_that_yields_a_list_means_any_of_it(score: Scored) -> None:
    assert score({"exact": "{{ expected }}"}, "b", expected=["a", "b"]).passed


def test_a_template_that_yields_a_list_gives_contains_all_of_it(score: Scored) -> None:
    assert score({"contains": {"all": ["{{ expected }}"]}}, "a", expected=["a", "b"]).detail == 'missing "b"'


def test_a_pattern_may_come_from_the_case(score: Scored) -> None:
    assert score({"regex": "^{{ expected }}+$"}, "aaa", expected="a").passed


def test_a_wrong_answer_is_told_in_one_sentence(score: Scored) -> None:
    assert score({"exact": "Paris"}, "Rome").detail == 'expected "Paris", found "Rome"'


def test_an_answer_outside_the_set_of_labels_has_its_own_detail(score: Scored) -> None:
    assert score({"choice": ["a", "b"], "expected": "a"}, "maybe").detail.startswith("outside the set")


def test_a_pattern_that_runs_out_of_time_is_a_grader_error(score: Scored, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "TIMEOUT_SECONDS", 0.05)

    assert score({"regex": "(?:(a|a)+)+$"}, "a" * 40 + "!").reason is Reason.GRADER_ERROR


class Endless:
    """A pattern whose time always runs out, which counts how often it was looked for."""

    pattern, flags, searched = "(a+)+$", 0, 0

    def search(self, text: str, timeout: float) -> None:  # noqa: ARG002
        self.searched += 1
        raise TimeoutError

    finditer = fullmatch = search


@pytest.mark.parametrize(
    "look", [patterns.first_match, patterns.matches_whole, lambda *of: list(patterns.matches(*of))]
)
def test_a_search_that_ran_out_of_time_is_not_made_again_in_an_equal_answer(look: Callable[..., Any]) -> None:
    endless, answers = Endless(), [f"the same answer, {look}", f"another, {look}"]
    for text in [answers[0]] * 3 + [answers[1]]:
        with pytest.raises(CannotGradeError, match=r"took more than 1 s on this answer; make it simpler"):
            look(endless, text)
    assert endless.searched == 2


def test_matching_the_whole_text_is_bounded_in_time_too(score: Scored, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "TIMEOUT_SECONDS", 0.05)

    assert score({"regex": "(?:(a|a)+)+", "full": True}, "a" * 40 + "!").reason is Reason.GRADER_ERROR


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"number": "{{ expected }}"}, "many"),
        ({"choice": ["a", "b"]}, "c"),
        ({"regex": "{{ expected }}"}, "("),
        ({"json_equal": "{{ expected }}", "fields": ["a"], "extract": "whole_text"}, "text"),
    ],
)
def test_an_expected_value_that_cannot_be_graded_by_is_a_grader_error_when_a_run_has_it(
    entry: dict[str, Any], expected: Any, parse: Parse, answer: Answered
) -> None:
    score = parse(entry).grade(Case("c1", expected=expected), answer("1"))[0]

    assert (score.value, score.reason) == (None, Reason.GRADER_ERROR)


@given(st.text(), st.lists(st.sampled_from(list(NormaliseStep)), max_size=4))
def test_every_text_is_exactly_itself(text: str, steps: list[NormaliseStep]) -> None:
    grader = Exact(name="same", exact="{{ expected }}", normalise=tuple(steps))
    response = Response(CallKey("c1", "v", 0), Outcome.OK, "m", text=text)

    assert grader.grade(Case("c1", expected=text), response)[0].passed


@given(st.text(), st.text(), st.lists(st.sampled_from(list(NormaliseStep)), max_size=4))
def test_exact_does_not_depend_on_which_side_is_expected(a: str, b: str, steps: list[NormaliseStep]) -> None:
    grader = Exact(name="same", exact="{{ expected }}", normalise=tuple(steps))
    sides = [
        grader.grade(Case("c1", expected=one), Response(CallKey("c1", "v", 0), Outcome.OK, "m", text=other))[0].passed
        for one, other in [(a, b), (b, a)]
    ]

    assert sides[0] == sides[1]


def test_a_choice_keeps_the_expected_label_and_the_found_one(score: Scored) -> None:
    entry = {"choice": ["billing", "Sales"], "expected": "SALES"}

    assert score(entry, "*billing*").facts == {"expected": "Sales", "found": "billing"}
    assert score({**entry, "not": True}, "sales").facts == {"expected": "Sales", "found": "Sales"}
    assert score(entry, "maybe").facts == {"expected": "Sales", "found": None}


def test_a_choice_keeps_the_expected_label_of_an_answer_that_held_nothing_to_judge(score: Scored) -> None:
    entry = {"choice": ["billing", "Sales"], "expected": "sales", "extract": {"json": "queue"}}

    assert score(entry, "no JSON").facts == {"expected": "Sales", "found": None}
    assert score(entry, "", outcome=Outcome.TRUNCATED).facts == {"expected": "Sales", "found": None}


def test_the_metric_of_a_choice_knows_the_labels(parse: Callable[..., Grader]) -> None:
    assert parse({"choice": ["b", "a"], "expected": "a"}).metrics[0].labels == ("b", "a")
