"""The path syntax of suites: `$` is the root, `lines[0].total` a place below it.

A name with a dot, bracket or quotation mark in it is written as a JSON string in brackets: `["a.b"].c`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import Enum
from functools import lru_cache
from typing import Any, Final

import regex

Steps = tuple[str | int, ...]

_STEP = regex.compile(
    r'(?P<dot>\.?)(?P<name>[^.\[\]"$][^.\[\]"]*)|\[(?P<index>\d{1,9})\]|\[(?P<key>"(?:[^"\\]|\\.)*")\]'
)
_PLAIN_NAME = regex.compile(r'[^.\[\]"$][^.\[\]"]*')


class _Absent(Enum):
    ABSENT = "absent"

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent.ABSENT
"""What `look_up` returns where there is nothing; JSON's null is None."""


@lru_cache(maxsize=1024)
def parse_path(text: str) -> Steps:
    """The steps of a path, from the root: names and list positions. Raises `ValueError` with a sentence."""
    steps: list[str | int] = []
    rest = text.removeprefix("$") if text.startswith("$") else text
    rooted = text.startswith("$")
    if not text:
        raise ValueError("expected a path; `$` is the whole value")
    position = 0
    while position < len(rest):
        match = _STEP.match(rest, position)
        if match is None or (match["name"] is not None and bool(match["dot"]) is not (rooted or bool(steps))):
            raise ValueError(
                f"expected a path such as `$`, `total` or `lines[0].total`; it makes no sense at {rest[position:]!r}"
            )
        steps.append(_step_of(match))
        position = match.end()
    return tuple(steps)


def _step_of(match: regex.Match[str]) -> str | int:
    if match["index"] is not None:
        return int(match["index"])
    return str(json.loads(match["key"])) if match["key"] is not None else str(match["name"])


def format_path(steps: Sequence[str | int]) -> str:
    """The path as it would be written; `$` for the root itself."""
    text = ""
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_NAME.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(step, ensure_ascii=False)}]"
    return text or "$"


def look_up(value: Any, steps: Sequence[str | int]) -> Any:
    """The value at the path, or `ABSENT`."""
    for step in steps:
        if isinstance(value, dict):
            if isinstance(step, int):
                return ABSENT
            value = value.get(step, ABSENT)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return ABSENT
    return value
