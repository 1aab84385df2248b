"""Every example on the graders' page and of the families' own classes parses and passes; every family has one."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from snapdrift.graders.base import Grader
from snapdrift.graders.judge import JudgeGrader
from snapdrift.graders.registry import FAMILIES, Registry
from snapdrift.model import CallKey, Case, Outcome, Response, ToolCall, Usage
from snapdrift.pipeline.grader_code import calls_of, open_code
from snapdrift.suites.config import Config
from snapdrift.suites.document import parse_document
from snapdrift.suites.workspace import Workspace

PAGE = (Path(__file__).parents[2] / "docs" / "design" / "graders.md").read_text(encoding="utf-8")
EXAMPLES: list[dict[str, Any]] = [
    parse_document(text, "graders.md").value
    for text in [
        *re.findall(r"^```yaml example\n(.*?)^```", PAGE, re.S | re.M),
        *(text for family in FAMILIES for text in family.examples),
    ]
]


@pytest.mark.parametrize("example", EXAMPLES, ids=[example["grader"]["name"] for example in EXAMPLES])
def test_the_answer_of_an_example_passes(
    example: dict[str, Any],
    parse: Callable[..., Grader],
    answer: Callable[..., Response],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "path", sys.path[:])  # where a function's file is, the import adds to it
    case = Case("c1", {"ticket": example.get("ticket")}, example.get("expected"))
    files = example.get("files", {})
    grader = parse(example["grader"], [case], files)
    calls = (ToolCall("call_1", call["name"], call["arguments"]) for call in example.get("calls", ()))
    told = dict(example.get("response", {}))
    if "usage" in told:
        told["usage"] = Usage(**told["usage"])
    response = answer(example["answer"], tool_calls=tuple(calls), **told)
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)

    if grader.code:
        needs = grader.needs(case, response)
        with open_code(Workspace(tmp_path, Config()), [grader]) as code:
            code.call(calls_of([needs]))
            scores = grader.read(case, response, code.results(needs))  # type: ignore[arg-type]
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
