"""Every example on the graders' page parses and passes, and every family has one."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from snapdrift.graders.base import Grader
from snapdrift.graders.judge import JudgeGrader
from snapdrift.graders.needs import Seen
from snapdrift.graders.pairwise import PairwiseGrader
from snapdrift.graders.registry import Registry
from snapdrift.model import CallKey, Case, Outcome, Response, ToolCall
from snapdrift.suites.document import parse_document

PAGE = (Path(__file__).parents[2] / "docs" / "design" / "graders.md").read_text(encoding="utf-8")
EXAMPLES: list[dict[str, Any]] = [
    parse_document(text, "graders.md").value for text in re.findall(r"^```yaml example\n(.*?)^```", PAGE, re.S | re.M)
]


@pytest.mark.parametrize("example", EXAMPLES, ids=[example["grader"]["name"] for example in EXAMPLES])
def test_the_answer_of_an_example_passes(
    example: dict[str, Any], parse: Callable[..., Grader], answer: Callable[..., Response]
) -> None:
    case = Case("c1", {"ticket": example.get("ticket")}, example.get("expected"))
    grader = parse(example["grader"], [case])
    calls = (ToolCall("call_1", call["name"], call["arguments"]) for call in example.get("calls", ()))
    response = answer(example["answer"], tool_calls=tuple(calls))

    if isinstance(grader, PairwiseGrader):
        seen = Seen(others={"old": answer(example["baseline_answer"])})
        asked = grader.needs(case, response, seen)
        got = {
            name: Response(CallKey("c1", "august", 0, name), Outcome.OK, "m", text=text)
            for name, text in zip(asked, example["verdicts"], strict=True)
        }
        scores = grader.read(case, response, got, seen)
    elif isinstance(grader, JudgeGrader):
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
