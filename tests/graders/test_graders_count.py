"""`count`: words, characters, lines and sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.graders.base import Grader
from snapdrift.graders.count import Counted, counted
from snapdrift.model import Reason, Score
from snapdrift.suites.registry import InvalidEntryError

Scored = Callable[..., Score]


@pytest.mark.parametrize(
    ("what", "text", "number"),
    [
        (Counted.WORDS, "It's 20 EUR - well-known, isn't it?", 6),
        (Counted.WORDS, "- one\n- two\n* * *", 2),
        (Counted.WORDS, "naïve 東京 Москва", 3),
        (Counted.WORDS, " \n\t", 0),
        (Counted.CHARACTERS, " abc d \n", 5),
        (Counted.CHARACTERS, "cafe\u0301", 4),
        (Counted.CHARACTERS, "👩‍👩‍👧🇩🇪👍🏽", 3),
        (Counted.CHARACTERS, "a\r\nb", 3),
        (Counted.CHARACTERS, "a\ud800b", 3),
        (Counted.LINES, "one\n\n  \ntwo\r\nthree\n", 3),
        (Counted.LINES, "", 0),
        (Counted.SENTENCES, "It costs 3.50 EUR. Really? Yes!", 3),
        (Counted.SENTENCES, "We ship books, e.g. novels, by post etc. in boxes.", 1),
        (Counted.SENTENCES, 'He said "No." She left... Then?!', 3),
        (Counted.SENTENCES, "A heading\n\nAnd a text without a stop", 2),
        (Counted.SENTENCES, "東京です。大阪です。", 2),
        (Counted.SENTENCES, "...", 0),
    ],
)
def test_a_text_has_so_many(what: Counted, text: str, number: int) -> None:
    assert counted(text, what) == number


@pytest.mark.parametrize(
    ("entry", "text", "reason"),
    [
        ({"count": "words", "at_most": 2}, "one two", Reason.PASSED),
        ({"count": "words", "at_most": 2}, "one two three", Reason.WRONG),
        ({"count": "words", "at_least": 2}, "one", Reason.WRONG),
        ({"count": "words", "at_least": 1, "at_most": 2}, "one", Reason.PASSED),
        ({"count": "words", "exactly": 0}, "", Reason.PASSED),
        ({"count": "lines", "exactly": 2}, "a\nb\nc", Reason.WRONG),
        ({"count": "characters", "at_most": 0}, "", Reason.PASSED),
        ({"count": "words", "at_most": 2, "extract": {"regex": "<(.*)>"}}, "x", Reason.UNEXTRACTED),
        ({"count": "characters", "exactly": 1, "extract": {"json": "n"}}, '{"n": 7}', Reason.PASSED),
        ({"count": "characters", "exactly": 1, "extract": {"json": "n"}}, '{"n": NaN}', Reason.INVALID_JSON),
        ({"count": "characters", "at_least": 1_000_000}, "e\u0301" * 1_000_000, Reason.PASSED),
        ({"count": "sentences", "at_most": 1}, "." * 1_000_000, Reason.PASSED),
        ({"count": "sentences", "at_most": 1}, ".)\n" * 300_000, Reason.PASSED),
    ],
)
def test_a_length_is_judged(entry: dict[str, Any], text: str, reason: Reason, score: Scored) -> None:
    assert score(entry, text).reason is reason


def test_the_detail_has_the_number_and_what_was_asked_for(score: Scored) -> None:
    detail = score({"count": "words", "at_least": 2, "at_most": 1_000}, "one").detail

    assert detail == "1 words, at least 2 and at most 1,000 asked for"


@pytest.mark.parametrize(
    "bounds", [{}, {"exactly": 1, "at_most": 2}, {"at_least": 3, "at_most": 2}, {"at_most": -1}, {"at_most": 1.5}]
)
def test_bounds_that_make_no_sense_are_a_mistake(bounds: dict[str, Any], parse: Callable[..., Grader]) -> None:
    with pytest.raises(InvalidEntryError):
        parse({"count": "words", **bounds})


@given(st.lists(st.text("ab9é", min_size=1)), st.sampled_from([" ", "\n", "  \t"]))
def test_words_joined_by_blanks_are_as_many_as_were_joined(words: list[str], blank: str) -> None:
    assert counted(blank.join(words), Counted.WORDS) == len(words)


@given(st.text(), st.sampled_from(list(Counted)))
def test_no_text_has_more_of_anything_than_code_points(text: str, what: Counted) -> None:
    assert 0 <= counted(text, what) <= len(text)
