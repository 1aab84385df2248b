"""`similarity`, and its measures against published and hand-computed values."""

from __future__ import annotations

import sys
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.graders import text_measures
from snapdrift.graders.base import Grader
from snapdrift.graders.text_measures import Measure, similarity
from snapdrift.model import Case, Reason, Score
from snapdrift.suites.registry import InvalidEntryError

Scored = Callable[..., Score]
Parse = Callable[..., Grader]

GUIDE = "It is a guide to action that ensures that the military will forever heed Party commands"
ALWAYS = "It is a guide to action which ensures that the military always obeys the commands of the party"
TROOPS = "It is to insure the troops forever hearing the activity guidebook that party direct"
FOX = "The quick brown fox jumps over the lazy dog"
LOG = "The quick brown dog jumps on the log."


@pytest.mark.parametrize(
    ("measure", "found", "expected", "value"),
    [
        # Levenshtein: the textbook pair, at distance 3 of 7.
        (Measure.EDIT, "kitten", "sitting", 4 / 7),
        (Measure.EDIT, "", "abc", 0.0),
        (Measure.EDIT, "ABC", "abc", 0.0),
        # SQuAD: 2 of 3 words and 2 of 2, after articles and punctuation.
        (Measure.TOKEN_F1, "the Denver Broncos won!", "Denver Broncos", 4 / 5),
        (Measure.TOKEN_F1, "a b b", "b b b", 4 / 5),
        (Measure.TOKEN_F1, "The.", "", 1.0),
        (Measure.TOKEN_F1, "", "Paris", 0.0),
        # Lin 2004, section 3: ROUGE-L tells S2 from S3, ROUGE-2 does not.
        (Measure.ROUGE_L, "police kill the gunman", "police killed the gunman", 3 / 4),
        (Measure.ROUGE_L, "the gunman kill police", "police killed the gunman", 2 / 4),
        (Measure.ROUGE_2, "police kill the gunman", "police killed the gunman", 1 / 3),
        (Measure.ROUGE_2, "the gunman kill police", "police killed the gunman", 1 / 3),
        # The example of the rouge_score package: precision 6/8 and 5/8, recall 6/9 and 5/9.
        (Measure.ROUGE_1, LOG, FOX, 12 / 17),
        (Measure.ROUGE_L, LOG, FOX, 10 / 17),
        # 6 trigrams in common, of 16 and 14: `it is a`, `is a guide`, `a guide to`, `guide to action`, ...
        (Measure.ROUGE_3, ALWAYS, GUIDE, 2 * 6 / (14 + 16)),
        (Measure.ROUGE_5, "a b c d e f", "a b c d e g", 1 / 2),
        (Measure.ROUGE_4, "Same.", "same", 1.0),
        (Measure.ROUGE_4, "same", "other", 0.0),
        # GLEU: the values in the documentation of nltk.translate.gleu_score, which are cut after four places.
        (Measure.GLEU, ALWAYS, GUIDE, 0.4393),
        (Measure.GLEU, TROOPS, GUIDE, 0.1206),
        (Measure.GLEU, "the the the the the the the", "the cat is on the mat", 0.0909),
        # BLEU by hand: precisions 5/6, 3/5, 1/4 and, smoothed, 1/6; no brevity penalty.
        (Measure.BLEU, "the cat is on the mat", "the cat sat on the mat", (5 / 6 * 3 / 5 * 1 / 4 * 1 / 6) ** 0.25),
        (Measure.BLEU, "", "x", 0.0),
    ],
)
def test_a_measure_has_the_known_value(measure: Measure, found: str, expected: str, value: float) -> None:
    assert similarity(measure, found, expected) == pytest.approx(value, abs=1e-4)


WORDS = st.lists(st.sampled_from(["one", "two", "three", "Four", "."]), max_size=8).map(" ".join)
SYMMETRICAL = [measure for measure in Measure if measure is not Measure.BLEU]


@pytest.mark.parametrize("measure", SYMMETRICAL)
@given(found=WORDS | st.text(), expected=WORDS | st.text())
def test_a_measure_is_in_its_range_symmetrical_and_1_for_the_same_text(
    measure: Measure, found: str, expected: str
) -> None:
    value = similarity(measure, found, expected)

    assert 0.0 <= value <= 1.0
    assert value == similarity(measure, expected, found)
    assert similarity(measure, found, found) == 1.0


@given(st.lists(st.sampled_from("abc"), max_size=7), st.lists(st.sampled_from("abc"), max_size=7))
def test_rouge_l_is_the_longest_common_subsequence_of_the_textbook(ours: list[str], theirs: list[str]) -> None:
    lengths = dict.fromkeys([(-1, j) for j in range(-1, 8)] + [(i, -1) for i in range(8)], 0)
    for i, j in product(range(len(ours)), range(len(theirs))):
        same = ours[i] == theirs[j]
        lengths[i, j] = lengths[i - 1, j - 1] + 1 if same else max(lengths[i - 1, j], lengths[i, j - 1])
    common, both = lengths[len(ours) - 1, len(theirs) - 1], len(ours) + len(theirs)

    assert similarity(Measure.ROUGE_L, " ".join(ours), " ".join(theirs)) == (
        float(Fraction(2 * common, both)) if both else 1.0
    )


@pytest.mark.parametrize(
    ("entry", "text", "reason"),
    [
        ({"similarity": "Paris", "measure": "edit"}, "Paris\n", Reason.PASSED),
        ({"similarity": "Paris", "measure": "edit"}, "Pariss", Reason.WRONG),
        ({"similarity": "Paris", "measure": "edit", "at_least": 0.8}, "Pariss", Reason.PASSED),
        ({"similarity": "PARIS", "measure": "edit", "normalise": ["strip", "casefold"]}, "paris", Reason.PASSED),
        ({"similarity": ["Rome", "Paris"], "measure": "edit"}, "Paris", Reason.PASSED),
        ({"similarity": "x", "measure": "edit", "extract": {"regex": "<(.*)>"}}, "x", Reason.UNEXTRACTED),
        ({"similarity": "x", "measure": "edit", "extract": {"json": "n"}}, '{"n": Infinity}', Reason.INVALID_JSON),
        ({"similarity": [], "measure": "edit"}, "x", Reason.GRADER_ERROR),
        ({"similarity": "a b", "measure": "rouge_l"}, "\ud800 " * 500_000, Reason.WRONG),
        ({"similarity": "ab", "measure": "edit"}, "a" * 1_000_000, Reason.WRONG),
        ({"similarity": "a b", "measure": "rouge_5"}, "a b " * 100_000, Reason.WRONG),
        ({"similarity": "a b", "measure": "gleu"}, "a b " * 50_000, Reason.WRONG),
        ({"similarity": "a b", "measure": "token_f1"}, "a b " * 100_000, Reason.WRONG),
        ({"similarity": "a b", "measure": "bleu"}, "a b " * 5_000 + "\ud800", Reason.WRONG),
    ],
)
def test_likeness_is_judged(entry: dict[str, Any], text: str, reason: Reason, score: Scored) -> None:
    assert score(entry, text).reason is reason


@pytest.mark.parametrize("measure", ["edit", "rouge_l"])
def test_texts_that_are_both_too_long_are_a_grader_error_and_no_guess(
    measure: str, score: Scored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_measures, "COMPARED_LIMIT", 100)
    long = "a b c d e f g h i j k l"

    assert score({"similarity": long, "measure": measure}, long).reason is Reason.GRADER_ERROR
    assert score({"similarity": long[:5], "measure": measure, "at_least": 0}, long[:15]).passed


def test_the_detail_has_the_value_and_the_nearest_text(score: Scored) -> None:
    entry = {"similarity": ["Rome", "sitting"], "measure": "edit", "at_least": 0.9}

    assert score(entry, "kitten").detail == 'edit 0.571 with "sitting", at least 0.9 asked for'


@pytest.mark.parametrize("entry", [{"similarity": "x"}, {"similarity": "x", "measure": "cosine"},
                                   {"similarity": "x", "measure": "edit", "at_least": 2}])  # fmt: skip
def test_settings_that_make_no_sense_are_a_mistake(entry: dict[str, Any], parse: Parse) -> None:
    with pytest.raises(InvalidEntryError):
        parse(entry)


def test_an_expected_value_without_a_text_is_found_when_the_suite_is_loaded(parse: Parse) -> None:
    with pytest.raises(InvalidEntryError, match="no text to compare with"):
        parse({"similarity": "{{ expected }}", "measure": "edit"}, [Case("c1", expected=None)])


def test_bleu_without_sacrebleu_is_a_mistake_that_says_what_to_install(
    parse: Parse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sacrebleu", None)

    with pytest.raises(InvalidEntryError, match=r"pip install 'snapdrift\[bleu\]'"):
        parse({"similarity": "x", "measure": "bleu"})
    parse({"similarity": "x", "measure": "gleu"})
