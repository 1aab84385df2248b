"""The templates in OpenAI's graders: `{{ item.x }}` and `{{ sample.output_text }}`, read and written as ours.

Facts about them are those of the API reference (graders, 2026-08) and of the grader guide.
"""

from __future__ import annotations

import keyword
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import regex

from snapdrift.graders.paths import Steps, format_path

WHOLE_ANSWER = "whole_text"

_EXPRESSION = regex.compile(r"\{\{(.*?)\}\}", regex.DOTALL)
_NAME = r"[^\W\d]\w*"
_REFERENCE = regex.compile(
    rf"\s*(?P<root>item|sample)(?P<steps>(?:\.{_NAME}|\[\d{{1,9}}\]|\[(?:'[^']*'|\"[^\"]*\")\])*)\s*"
)
_STEP = regex.compile(rf"\.(?P<name>{_NAME})|\[(?P<index>\d+)\]|\[['\"](?P<key>[^'\"]*)['\"]\]")
_JINJA_WORDS = frozenset({*keyword.kwlist, "true", "false", "none", "set", "block", "macro", "loop"})
_BRACES = regex.compile(r"\{%|\{#")
_ANSWER_PATHS: tuple[Steps, ...] = (("output_text",), ("choices", 0, "message", "content"))


class NoEquivalentError(Exception):
    """What a grader asks for that ours do not do. The text is a sentence for a person."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A place in the data row (`item`) or in what the model answered (`sample`)."""

    root: str
    steps: Steps

    def __str__(self) -> str:
        path = format_path(self.steps) if self.steps else ""
        return f"{{{{ {self.root}{'' if not path or path.startswith('[') else '.'}{path} }}}}"


Pieces = tuple[str | Reference, ...]


@dataclass(frozen=True, slots=True)
class Variables:
    """How columns of the data are called as case variables; one that is not named here keeps its name."""

    renamed: Mapping[str, str]

    def expression(self, reference: Reference) -> str:
        """The reference in a template of ours, without braces. Raises `NoEquivalentError`."""
        if not reference.steps or not isinstance(reference.steps[0], str):
            raise NoEquivalentError(f"{reference} is not one column of the data")
        column, *rest = reference.steps
        name = self.renamed.get(str(column), str(column))
        if not all(part.isidentifier() and part not in _JINJA_WORDS for part in name.split(".")):
            raise NoEquivalentError(f"the column {column!r} has a name that no template can use; rename it")
        return name + "".join(_written(step) for step in rest)


def _written(step: str | int) -> str:
    plain = isinstance(step, str) and step.isidentifier() and step not in _JINJA_WORDS
    return f".{step}" if plain else f"[{step!r}]"


def read_template(text: str) -> Pieces:
    """The text and the references of a template. Raises `NoEquivalentError` for an expression that is none."""
    pieces: list[str | Reference] = []
    position = 0
    for match in _EXPRESSION.finditer(text):
        pieces += [text[position : match.start()], _reference(match)]
        position = match.end()
    pieces.append(text[position:])
    if any(isinstance(piece, str) and "{{" in piece for piece in pieces):
        raise NoEquivalentError(f"the template {text[:80]!r} has `{{{{` without `}}}}`")
    return tuple(piece for piece in pieces if piece)


def _reference(match: regex.Match[str]) -> Reference:
    found = _REFERENCE.fullmatch(match[1])
    if found is None:
        raise NoEquivalentError(f"the expression {match[0][:80]!r} is not a place in `item` or `sample`")
    steps = (
        step["name"] or step["key"] if step["index"] is None else int(step["index"])
        for step in _STEP.finditer(found["steps"])
    )
    return Reference(found["root"], tuple(steps))


def is_of_answer(pieces: Pieces) -> bool:
    """Whether anything in it comes from what the model answered."""
    return any(isinstance(piece, Reference) and piece.root == "sample" for piece in pieces)


def extract_of(pieces: Pieces) -> Any:
    """The `extract` that takes out of an answer what a template that is the answer says. Raises `NoEquivalentError`."""
    stripped = [piece for piece in pieces if isinstance(piece, Reference) or piece.strip()]
    if len(stripped) != 1 or not isinstance(stripped[0], Reference):
        raise NoEquivalentError("the answer stands inside other text; only an answer by itself is compared")
    path = part_of_answer(stripped[0])
    return WHOLE_ANSWER if path is None else {"json": path}


def part_of_answer(reference: Reference) -> str | None:
    """The path in the answer's JSON that a reference to `sample` names, None for all of its text.

    Raises `NoEquivalentError` for anything else that a sample has.
    """
    if reference.steps in _ANSWER_PATHS:
        return None
    if reference.steps[:1] == ("output_json",):
        return format_path(reference.steps[1:])
    if reference.steps[:1] == ("output_tools",):
        raise NoEquivalentError(f"{reference} is about tool calls; a `tool_calls` grader compares those")
    raise NoEquivalentError(f"{reference} is neither the answer's text nor a part of its JSON")


def as_ours(pieces: Sequence[str | Reference], variables: Variables) -> str:
    """The template as one of ours over a case. Raises `NoEquivalentError` for what a case does not have."""
    written = []
    plain = all(isinstance(piece, str) for piece in pieces)
    for piece in pieces:
        if isinstance(piece, Reference):
            written.append(f"{{{{ {variables.expression(piece)} }}}}")
        else:
            # In a template of ours these braces would open a statement or a comment; text without any stays as it is.
            escaped = plain and "{%" not in piece
            written.append(piece if escaped else _BRACES.sub(lambda found: f'{{{{ "{found[0]}" }}}}', piece))
    return "".join(written)
