"""Tool calls that an answer writes out as text instead of making them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from snapdrift.graders.json_text import JsonMode, read_json
from snapdrift.graders.marks import InvalidJsonError
from snapdrift.model import ToolCall, canonical_json


def written_calls(text: str, tools: Collection[str] | None = None) -> tuple[ToolCall, ...]:
    """The calls that a text consists of, fenced or not; none where it is anything else, or names none of the `tools`.

    As models write them: an object with `name` and `arguments`, such an object under `function`, a list of them, or a
    list under `tool_calls`. Without `tools` any name will do: where they are not known, the form alone says it.
    """
    try:
        written = read_json(text, JsonMode.FENCED)
    except InvalidJsonError:
        return ()
    if isinstance(written, dict) and isinstance(written.get("tool_calls"), list):
        written = written["tool_calls"]
    entries = written if isinstance(written, list) else [written]
    calls = [_call_of(entry, number, tools) for number, entry in enumerate(entries)]
    known = tuple(call for call in calls if call is not None)
    return known if len(known) == len(calls) else ()


def _call_of(entry: Any, number: int, tools: Collection[str] | None) -> ToolCall | None:
    inner = entry.get("function") if isinstance(entry, dict) else None
    call = inner if isinstance(inner, dict) else entry
    if not isinstance(call, dict) or not isinstance(call.get("name"), str) or "arguments" not in call:
        return None
    name, arguments = call["name"], call["arguments"]
    if tools is not None and name not in tools:
        return None
    return ToolCall(f"text-{number}", name, arguments if isinstance(arguments, str) else canonical_json(arguments))
