"""Grading real recorded GPT-4o outputs straight from the files: the counts that the source published."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from snapdrift.graders.base import Grader
from snapdrift.model import Case, Reason, Response, Score

pytestmark = pytest.mark.shared

RIGHT_ANSWER = {
    "name": "answer",
    "number": "{{ expected }}",
    "extract": [{"json": "answer", "mode": "first_object"}, {"regex": r'"answer"\s*:\s*"([^"]*)"'}],
}


def rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def graded(
    shared: Path, entry: dict[str, Any], parse: Callable[..., Grader], answer: Callable[..., Response]
) -> Iterator[tuple[str, Score]]:
    folder = shared / "real" / "gsm"
    cases = {row["prompt"]: Case(row["id"], expected=row["expected"]) for row in rows(folder / "cases.jsonl.gz")}
    grader = parse(entry, tuple(cases.values()))
    for row in rows(folder / "recordings.jsonl.gz"):
        case = cases[row["input"]]
        for score in grader.grade(case, answer(row["output"], case_id=case.id)):
            yield row["model"], score


def test_the_number_of_right_answers_of_each_model_is_the_published_one(
    shared: Path, parse: Callable[..., Grader], answer: Callable[..., Response]
) -> None:
    right = Counter(model for model, score in graded(shared, RIGHT_ANSWER, parse, answer) if score.passed)

    assert right == {"gpt-4o-2024-05-13": 1258, "gpt-4o-2024-08-06": 1269, "gpt-4o-mini-2024-07-18": 1243}


def test_the_second_alternative_is_needed_for_a_few_answers_and_the_scores_say_which(
    shared: Path, parse: Callable[..., Grader], answer: Callable[..., Response]
) -> None:
    alternatives = Counter((model, score.extracted_by) for model, score in graded(shared, RIGHT_ANSWER, parse, answer))

    assert alternatives == {
        ("gpt-4o-2024-05-13", 0): 1316,
        ("gpt-4o-2024-05-13", 1): 3,
        ("gpt-4o-2024-08-06", 0): 1319,
        ("gpt-4o-mini-2024-07-18", 0): 1306,
        ("gpt-4o-mini-2024-07-18", 1): 13,
    }


def test_strictly_no_answer_is_json_because_all_are_fenced_or_have_prose_around(
    shared: Path, parse: Callable[..., Grader], answer: Callable[..., Response]
) -> None:
    entry = {"name": "valid", "schema": {"type": "object"}, "extract": {"json": "$", "mode": "strict"}}

    reasons = Counter(score.reason for _, score in graded(shared, entry, parse, answer))

    assert reasons == {Reason.INVALID_JSON: 3 * 1319}


def test_without_its_fence_may_still_writes_48_answers_that_are_not_json_and_august_none(
    shared: Path, parse: Callable[..., Grader], answer: Callable[..., Response]
) -> None:
    entry = {"name": "valid", "schema": {"type": "object"}, "extract": {"json": "$", "mode": "fenced"}}

    failed = Counter(
        model for model, score in graded(shared, entry, parse, answer) if score.reason is Reason.INVALID_JSON
    )

    assert failed == {"gpt-4o-2024-05-13": 48, "gpt-4o-mini-2024-07-18": 23}
