"""Every example of every family does what it says, and the reference page is what the classes make it."""

from __future__ import annotations

import asyncio
import inspect
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from snapdrift.graders.base import Grader
from snapdrift.graders.examples import Example, read_example
from snapdrift.graders.families import BUILT_IN, all_families
from snapdrift.graders.marks import Mark
from snapdrift.graders.needs import CodeCall, CodeResult, Seen
from snapdrift.graders.reference import example_grader, render_reference, yaml_type
from snapdrift.model import CallKey, Case, Outcome, Response
from snapdrift.suites.document import parse_document

FAMILIES = all_families()
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "graders.md"
EXAMPLES = [
    pytest.param(family, text, id=f"{family.family}-{number}")
    for family in FAMILIES
    for number, text in enumerate(family.examples, start=1)
]


def called(need: CodeCall, files: Mapping[str, str]) -> CodeResult:
    """What the function that a need names returns; its file is one of the example's."""
    path, _, name = need.target.partition(":")
    namespace: dict[str, Any] = {}
    exec(compile(files[path], path, "exec"), namespace)  # noqa: S102  the examples are this program's own
    value = namespace[name](need.case, need.response)
    return CodeResult(asyncio.run(_awaited(value)) if inspect.isawaitable(value) else value)


async def _awaited(value: Any) -> Any:
    return await value


@dataclass(frozen=True)
class Ran:
    """A graded example: whether each metric passed, and how many verdicts were asked for."""

    passed: list[bool | None]
    asked: int


def run(example: Example) -> Ran:
    grader, seen = example_grader(example), Seen(others=example.others)
    got: dict[str, Response | CodeResult] = {}
    verdicts = iter(example.verdicts)
    asked = 0
    for name, need in grader.needs(example.case, example.response, seen).items():
        if isinstance(need, CodeCall):
            got[name] = called(need, example.files)
        else:
            asked += 1
            key = CallKey("example", "candidate", 0, f"{grader.name}.{name}" if name else grader.name)
            got[name] = Response(key, Outcome.OK, need.variant.model, text=next(verdicts))
    scores = grader.read(example.case, example.response, got, seen)
    assert [score.metric for score in scores] == [metric.name for metric in grader.metrics]
    return Ran([score.passed for score in scores], asked)


@pytest.mark.parametrize(("family", "text"), EXAMPLES)
def test_the_answer_of_an_example_passes_or_fails_as_it_says(family: type[Grader], text: str) -> None:
    example = read_example(text)

    ran = run(example)

    assert family.family in example.grader
    assert ran.asked == len(example.verdicts)
    if example.passes:
        assert all(ran.passed)
    else:
        assert ran.passed[0] is False


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.family)
def test_every_family_has_an_example_that_passes_and_says_what_is_unscored(family: type[Grader]) -> None:
    assert any(read_example(text).passes for text in family.examples)
    assert "unscored" in vars(family)
    assert vars(family)["unscored"].endswith(".")


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.family)
def test_every_argument_says_what_it_is(family: type[Grader]) -> None:
    own = {name: field for name, field in family.model_fields.items() if name not in Grader.model_fields}

    assert [name for name, field in own.items() if not field.description] == []
    assert all(field.description for field in Grader.model_fields.values())


def test_the_reference_page_is_made_of_the_classes() -> None:
    page = render_reference()
    if os.environ.get("SNAPDRIFT_ACCEPT"):
        PAGE.write_text(page, encoding="utf-8")

    assert PAGE.read_text(encoding="utf-8") == page


def test_the_extract_example_of_the_page_is_taken() -> None:
    block = re.search(r"^```yaml\n(extract:.*?)^```", render_reference(), re.S | re.M)
    assert block is not None
    entry = {"exact": "x", **parse_document(block[1], "graders.md").value}

    assert (
        len(example_grader(Example(entry, Case("c"), _ANSWER, passes=True, verdicts=(), files={}, others={})).extract)
        == 3
    )


_ANSWER = Response(CallKey("c", "candidate", 0), Outcome.OK, "gpt-4o-2024-11-20", text="x")


class Shouted(Grader):
    """Passes when the answer is in capital letters."""

    family = "shouted"
    unscored = "Nothing | else."
    examples = ("answer: HELLO\ngrader: {shouted: 3}\n",)

    shouted: int = Field(ge=1, description="How loud.")

    def mark(self, case: Case, value: Any) -> Mark:
        """Compares with capitals."""
        return Mark.of(case.id != "" and value == value.upper())


def test_a_page_of_another_family_tells_its_arguments() -> None:
    page = render_reference([Shouted])

    assert "| `shouted` | whole number |  | How loud. |" in page
    assert "Measures: pass or fail, higher is better, differences in points." in page
    assert "```yaml\nanswer: HELLO\ngrader: {shouted: 3}\n```" in page


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string"}, "text"),
        ({"enum": ["a", "b"]}, "`a`, `b`"),
        ({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}, "text, or a list of it"),
        ({"anyOf": [{"type": "number"}, {"type": "null"}]}, "number"),
        ({"type": "array", "items": {}}, "list"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "mapping to whole number"),
        ({"type": "object", "properties": {"a": {}, "b": {}}}, "`{a, b}`"),
        ({}, "any value"),
    ],
)
def test_types_are_told_in_the_words_of_yaml(schema: dict[str, Any], words: str) -> None:
    assert yaml_type(schema) == words


def test_each_family_is_named_as_it_names_itself() -> None:
    assert {name: family.family for name, family in BUILT_IN.items()} == {name: name for name in BUILT_IN}
