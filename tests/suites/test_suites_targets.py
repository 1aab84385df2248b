from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from snapdrift.model import Target

Load = Callable[..., Any]
Mistakes = Callable[..., list[str]]


def about_these(good: str, *, suite: str = "", gate: str = "") -> str:
    text = good.replace("suite: triage\n", f"suite: triage\ntarget: these_cases\n{suite}")
    return text.replace("gate:\n", f"gate:\n{gate}") if gate else text


def test_these_cases_are_told_to_every_gate_and_stored(load: Load, good: str) -> None:
    suite = load(about_these(good, suite="repeats: 2\n"))
    assert {gate.target for gate in suite.gates.values()} == {Target.THESE_CASES}
    assert suite.to_stored()["gates"]["default"]["target"] == "these_cases"


def test_what_is_claimed_of_is_part_of_a_suites_identity(load: Load, good: str) -> None:
    like = load(good.replace("suite: triage\n", "suite: triage\nrepeats: 2\n"))
    assert load(about_these(good, suite="repeats: 2\n")).hash != like.hash


def test_without_a_word_cases_like_these_are_claimed_of(load: Load, good: str) -> None:
    assert load(good).gates["default"].target is Target.CASES_LIKE_THESE


@pytest.mark.parametrize(
    ("suite", "gate", "place"),
    [
        ("", "", "2:9: target: these_cases, and each case is asked once"),
        ("repeats: 1\n", "", "3:10: repeats: 1, with `target: these_cases`"),
        ("repeats: 3\n", "  repeats: 1\n", "14:12: gate.repeats: 1, with `target: these_cases`"),
    ],
)
def test_a_gate_that_asks_each_case_once_is_answered_where_that_is_written(
    mistakes: Mistakes, good: str, suite: str, gate: str, place: str
) -> None:
    (found,) = mistakes(about_these(good, suite=suite, gate=gate))
    assert found == f"evals/s.yaml:{place}; expected `repeats: 2` or more, of which these_cases is told"


def test_a_gate_may_ask_for_the_repeats_that_the_suite_does_not(load: Load, good: str) -> None:
    assert load(about_these(good, gate="  repeats: 2\n")).gates["default"].repeats == 2


def test_these_cases_are_refused_where_no_gate_compares(mistakes: Mistakes, good: str) -> None:
    start = good.index("gate:\n")
    text = about_these(good[:start], suite="repeats: 2\n") + "gate: {metrics: {queue: {at_least: 0.5}}}\n"
    (found,) = mistakes(text)
    assert "target: these_cases, and no gate compares anything; expected a gate that compares variants" in found


@pytest.mark.parametrize(
    ("suite", "gate", "what"),
    [("early_stop: true\n", "", "stopping early"), ("", "  inconclusive: extend\n", "topping up")],
)
def test_what_asks_only_some_cases_is_refused_with_these_cases(
    mistakes: Mistakes, good: str, suite: str, gate: str, what: str
) -> None:
    found = mistakes(about_these(good, suite=f"repeats: 2\n{suite}", gate=gate))
    assert any(f"expected one of them: {what} asks only some cases, and is about cases like these" in f for f in found)


def test_a_file_with_one_answer_to_each_case_is_refused_with_these_cases(mistakes: Mistakes, good: str) -> None:
    text = about_these(good, suite="repeats: 2\n").replace(
        "{model: gpt-4o-2024-08-06}", "{outputs: datasets/answers.jsonl}"
    )
    once = '{"id": "a", "output": "x"}\n'
    found = mistakes(text, {"datasets/answers.jsonl": once})
    assert any('"datasets/answers.jsonl" has one answer to each case; expected two or more' in f for f in found)
