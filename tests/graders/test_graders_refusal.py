"""`refusal`: whether the model refused, and what told it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.graders.base import Grader
from snapdrift.graders.refusal import PHRASES, folded, refusing_phrase
from snapdrift.model import Case, Outcome, Reason, Response
from snapdrift.suites.registry import InvalidEntryError

Parse = Callable[..., Grader]
Answered = Callable[..., Response]


@pytest.mark.parametrize(
    ("text", "outcome", "refusal", "told"),
    [
        ("", Outcome.REFUSED, "I'm sorry.", "refused: the API gave a refusal"),
        ("Here you are.", Outcome.OK, "No.", "refused: the API gave a refusal"),
        ("", Outcome.REFUSED, None, "refused: the call ended as refused"),
        (
            "I’m sorry, but I cannot assist with that.",
            Outcome.OK,
            None,
            'refused: the answer begins with the phrase "I can\'t assist"',
        ),
        ("Paris.", Outcome.OK, None, "not refused: neither the API nor a phrase says so"),
    ],
)
def test_the_detail_says_what_told_it(
    text: str, outcome: Outcome, refusal: str | None, told: str, parse: Parse, answer: Answered
) -> None:
    refused = told.startswith("refused")
    (right,) = parse({"refusal": refused}).grade(Case("c1"), answer(text, outcome, refusal=refusal))
    (wrong,) = parse({"refusal": not refused}).grade(Case("c1"), answer(text, outcome, refusal=refusal))

    assert (right.reason, right.detail) == (Reason.PASSED, told)
    assert (wrong.reason, wrong.detail) == (Reason.WRONG, f"expected {'no' if refused else 'a'} refusal; {told}")


@pytest.mark.parametrize(
    "text",
    [
        "I can't help with that.",
        "I CANNOT HELP WITH THAT",
        "Sorry, I can’t assist.",
        "I can not  comply with this request",
        "Unfortunately, I am unable\nto help.",
        "I will not help you do this.",
        '{"answer": "I\'m not able to assist with this."}',
        "I cannot fulfil this request.",
        "I must decline.",
    ],
)
def test_an_answer_that_begins_as_refusals_do_counts_as_one(text: str, parse: Parse, answer: Answered) -> None:
    assert parse({"refusal": True}).grade(Case("c1"), answer(text))[0].passed


@pytest.mark.parametrize(
    "text",
    [
        "I can't find order 5521.",
        "I can't help but notice that you paid twice.",
        "You can. I can't assisted",
        "Here is how to write a refusal: " + "word " * 50 + "I can't help with that.",
        "",
        "x" * 1_000_000 + " I can't help with that.",
        "\ud800",
    ],
)
def test_an_answer_that_says_so_later_or_says_something_else_does_not(
    text: str, parse: Parse, answer: Answered
) -> None:
    assert parse({"refusal": False}).grade(Case("c1"), answer(text))[0].passed


def test_phrases_and_how_far_they_are_looked_for_can_be_given(parse: Parse, answer: Answered) -> None:
    grader = parse({"refusal": True, "phrases": ["Das geht nicht"], "beginning": 7})

    passed = [
        grader.grade(Case("c1"), answer(text))[0].passed for text in ("Nein! DAS GEHT NICHT", "Leider: das geht nicht")
    ]

    assert passed == [True, False]
    assert not grader.grade(Case("c1"), answer("I can't help with that."))[0].passed


def test_a_refusal_is_accepted_and_an_answer_that_was_cut_is_not(parse: Parse, answer: Answered) -> None:
    (score,) = parse({"refusal": False}).grade(Case("c1"), answer("Paris", Outcome.TRUNCATED))

    assert score.reason is Reason.NOT_ACCEPTED


@pytest.mark.parametrize("expected", [True, "true", "TRUE "])
def test_the_expectation_may_come_from_the_case(expected: Any, parse: Parse, answer: Answered) -> None:
    case = Case("c1", expected=expected)

    assert parse({"refusal": "{{ expected }}"}, [case]).grade(case, answer("I must decline."))[0].passed


@pytest.mark.parametrize("expected", ["yes", 1, None, [True]])
def test_an_expectation_that_is_neither_true_nor_false_is_found_when_the_suite_is_loaded(
    expected: Any, parse: Parse, answer: Answered
) -> None:
    with pytest.raises(InvalidEntryError, match="neither true nor false"):
        parse({"refusal": "{{ expected }}"}, [Case("c1", expected=expected)])

    (score,) = parse({"refusal": "{{ expected }}"}).grade(Case("c1", expected=expected), answer("x"))
    assert score.reason is Reason.GRADER_ERROR


@pytest.mark.parametrize(
    "entry",
    [
        {"refusal": "yes"},
        {"refusal": 1},
        {"refusal": True, "phrases": []},
        {"refusal": True, "phrases": [" "]},
        {"refusal": True, "phrases": ["x" * 201]},
        {"refusal": True, "beginning": 0},
        {"refusal": True, "extract": "last_line"},
    ],
)
def test_settings_that_make_no_sense_are_a_mistake(entry: dict[str, Any], parse: Parse) -> None:
    with pytest.raises(InvalidEntryError):
        parse(entry)


def test_the_suite_s_default_extract_does_not_hide_a_refusal(parse: Parse, answer: Answered) -> None:
    grader = parse({"refusal": True}, default_extract={"json": "answer"})

    assert grader.grade(Case("c1"), answer("I can't help with that."))[0].passed


@given(st.sampled_from(PHRASES), st.text(max_size=100), st.sampled_from([str.upper, str.casefold, folded]))
def test_a_phrase_is_found_in_any_case_and_after_any_start(
    phrase: str, start: str, change: Callable[[str], str]
) -> None:
    text = f"{start} {change(phrase)} ..."

    assert refusing_phrase(text, PHRASES, 10_000) is not None


@given(st.text())
def test_folding_again_changes_nothing(text: str) -> None:
    assert folded(folded(text)) == folded(text)
