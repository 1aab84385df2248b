"""Every example on the graders' page parses and passes, and every family has one."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from snapdrift.graders.base import Grader
from snapdrift.graders.judge import JudgeGrader
from snapdrift.graders.registry import Registry
from snapdrift.model import CallKey, Case, Outcome, Response, ToolCall
from snapdrift.suites.document import parse_document

PAGE = (Path(__file__).parents[2] / "docs" / "design" / "graders.md").read_text(encoding="utf-8")
EXAMPLES: list[dict[str, Any]] = [
    parse_document(text, "graders.md").value for text in re.findall(r"^```yaml example\n(.*?)^```", PAGE, re.S | re.M)
]
_NO_VARIABLES = {"answer", "expected", "calls", "verdict", "grader"}


@pytest.mark.parametrize("example", EXAMPLES, ids=[example["grader"]["name"] for example in EXAMPLES])
def test_the_answer_of_an_example_passes(
    example: dict[str, Any], parse: Callable[..., Grader], answer: Callable[..., Response]
) -> None:
    variables = {key: value for key, value in example.items() if key not in _NO_VARIABLES}
    case = Case("c1", variables, example.get("expected"))
    grader = parse(example["grader"], [case])
    calls = (ToolCall("call_1", call["name"], call["arguments"]) for call in example.get("calls", ()))
    response = answer(example["answer"], tool_calls=tuple(calls))

    if isinstance(grader, JudgeGrader):
        key = CallKey("c1", "august", 0, grader.name)
        verdict = Response(key, Outcome.OK, grader.judge.model, text=example["verdict"])
        scores = grader.read(case, response, {"": verdict})
    else:
        scores = grader.grade(case, response)

    assert [score.passed for score in scores] == [True] * len(grader.metrics)


def test_every_family_has_an_example() -> None:
    families = set(Registry().families())

    assert {key for example in EXAMPLES for key in example["grader"]} & families == families


def test_the_extract_example_is_taken(parse: Callable[..., Grader]) -> None:
    block = re.search(r"^```yaml\n(extract:.*?)^```", PAGE, re.S | re.M)
    assert block is not None

    assert len(parse({"exact": "x", **parse_document(block[1], "graders.md").value}).extract) == 3
