"""Tool calls that an answer writes out as text instead of making them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from snapdrift.graders.json_text import JsonMode, read_json, unfenced
from snapdrift.graders.marks import InvalidJsonError
from snapdrift.model import ToolCall, canonical_json

_MOST_LINES = 200
"""More calls are not made at once; a text of more lines is something else."""


def written_calls(text: str, tools: Collection[str] | None = None) -> tuple[ToolCall, ...]:
    """The calls that a text consists of, fenced or not; none where it is anything else, or names none of the `tools`.

    As models write them: an object with `name` and `arguments`, such an object under `function`, a list of them, a list
    under `tool_calls`, or one object a line. Without `tools` any name will do: where they are not known, the form alone
    says it.
    """
    calls = [_call_of(entry, number, tools) for number, entry in enumerate(_entries(text))]
    known = tuple(call for call in calls if call is not None)
    return known if len(known) == len(calls) else ()


def _entries(text: str) -> list[Any]:
    """What could be calls; nothing where the text is not all JSON."""
    try:
        written = read_json(text, JsonMode.FENCED)
    except InvalidJsonError:
        return _of_lines(unfenced(text))
    if isinstance(written, dict) and isinstance(written.get("tool_calls"), list):
        written = written["tool_calls"]
    return written if isinstance(written, list) else [written]


def _of_lines(text: str) -> list[Any]:
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > _MOST_LINES or not all(line.lstrip().startswith("{") for line in lines):
        return []
    try:
        return [read_json(line) for line in lines]
    except InvalidJsonError:
        return []


def _call_of(entry: Any, number: int, tools: Collection[str] | None) -> ToolCall | None:
    inner = entry.get("function") if isinstance(entry, dict) else None
    call = inner if isinstance(inner, dict) else entry
    if not isinstance(call, dict) or not isinstance(call.get("name"), str) or "arguments" not in call:
        return None
    name, arguments = call["name"], call["arguments"]
    if tools is not None and name not in tools:
        return None
    return ToolCall(f"text-{number}", name, arguments if isinstance(arguments, str) else canonical_json(arguments))
