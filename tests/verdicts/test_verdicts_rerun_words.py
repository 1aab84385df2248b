from __future__ import annotations

import pytest

from snapdrift.conclusions import Draw, EarlierVerdict
from snapdrift.model import DecisionWord
from snapdrift.verdicts.rerun_words import asked_again_sentence, attempt_sentence, draw_sentence

PASSED, RED, INCOMPLETE = DecisionWord.PASSED, DecisionWord.REGRESSION, DecisionWord.INCOMPLETE


def earlier(*words: DecisionWord, differs: tuple[str, ...] = ()) -> list[EarlierVerdict]:
    return [EarlierVerdict(f"run-{n}", 1, f"2026-11-0{n}", word, differs=differs) for n, word in enumerate(words, 1)]


def test_a_first_attempt_needs_no_sentence() -> None:
    assert attempt_sentence(1, []) == ""


def test_an_attempt_says_what_the_ones_before_it_decided() -> None:
    assert attempt_sentence(3, earlier(RED, INCOMPLETE)) == (
        "Attempt 3 of this run, on the answers that were there (before: 1 regression, 1 incomplete)."
    )


def test_a_run_that_was_graded_again_says_that_it_was_concluded_from_before() -> None:
    assert attempt_sentence(1, earlier(RED)) == (
        "Decided again, on the answers that were there (before: 1 regression)."
    )


@pytest.mark.parametrize("words", [(), (PASSED,), (RED, PASSED), (RED, RED, PASSED, PASSED)])
def test_what_has_passed_since_is_not_told(words: tuple[DecisionWord, ...]) -> None:
    assert asked_again_sentence(earlier(*words)) == ""


def test_the_verdicts_since_it_last_passed_are_told_with_what_is_other() -> None:
    sentence = asked_again_sentence(earlier(RED, PASSED, RED, INCOMPLETE, differs=("seed", "repeats")))

    assert "in 2 earlier runs since they last passed (1 regression, 1 incomplete)" in sentence
    assert "what is other now: the seed and the number of repeats, and the answers." in sentence


def test_answers_of_earlier_runs_are_not_said_to_be_other() -> None:
    other = asked_again_sentence(earlier(RED, differs=("gate", "accepted")), anew=False)
    same = asked_again_sentence(earlier(RED), anew=False)

    assert "what is other now: what the gate asks for and what is accepted. A gate" in other
    assert "nothing is other now, the answers are the same. A gate" in same


def test_several_attempts_of_one_run_are_one_run_by_its_last() -> None:
    red = EarlierVerdict("run-1", 1, "2026-11-01", RED)
    passed = EarlierVerdict("run-1", 2, "2026-11-02", PASSED)

    assert asked_again_sentence([red, passed]) == ""
    assert "in an earlier run" in asked_again_sentence([passed, red])


def test_a_new_draw_needs_no_sentence() -> None:
    assert draw_sentence(Draw("august", "d", 200, "2026-11-20T10:00:00+00:00", "")) == ""


@pytest.mark.parametrize(
    ("served", "age", "said"),
    [
        (3, 6, "of 2026-11-20, 6 days old, have served 3 earlier verdicts: 3 chances to find a candidate"),
        (1, 1, "of 2026-11-20, 1 day old, have served 1 earlier verdict: 1 chance to find a candidate"),
        (2, 0, "of 2026-11-20, have served 2 earlier verdicts: 2 chances"),
    ],
)
def test_a_draw_that_served_before_says_how_often_and_how_old_it_is(served: int, age: int, said: str) -> None:
    draw = Draw("august", "d", 200, "2026-11-20T10:00:00+00:00", "", age, served)

    assert said in draw_sentence(draw)
