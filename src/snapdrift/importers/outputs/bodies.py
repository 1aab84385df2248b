"""Bodies of OpenAI's APIs: what was asked and answered in a Chat completion or a Response.

Their forms are those of the API reference (Chat Completions, Responses, Batch; 2026-08).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from snapdrift.importers.outputs.record import Messages
from snapdrift.suites.strict_json import loads_strictly


class NoAnswerError(Exception):
    """A row holds no answer that could be taken over; the text says why."""


def is_body(value: Mapping[str, Any]) -> bool:
    """Whether a mapping is a Chat completion or a Response."""
    kind = value.get("object")
    if kind in ("chat.completion", "response"):
        return True
    choices, output = value.get("choices"), value.get("output")
    if isinstance(choices, list) and choices and isinstance(choices[0], Mapping):
        return "message" in choices[0]
    return isinstance(output, list) and any(
        isinstance(item, Mapping) and item.get("type") == "message" for item in output
    )


def answer_of(body: Mapping[str, Any]) -> str:
    """What a body says: its text, or the refusal that came instead. Raises `NoAnswerError`."""
    choices = body.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], Mapping):
        message = choices[0].get("message")
        message = message if isinstance(message, Mapping) else {}
        text = plain_text(message.get("content")) or str(message.get("refusal") or "")
        calls = message.get("tool_calls")
    else:
        items = [item for item in body.get("output") or () if isinstance(item, Mapping)]
        text = "".join(plain_text(item.get("content")) for item in items if item.get("type") == "message")
        calls = [item for item in items if item.get("type") == "function_call"]
    if not text and calls:
        raise NoAnswerError("is an answer of tool calls, which a file of outputs cannot hold")
    return text


def asked_of(body: Mapping[str, Any]) -> Any:
    """What a request asked: its messages, with the instructions before them; None where it says nothing."""
    for name in ("messages", "input"):
        value = body.get(name)
        if value not in (None, "", []):
            if not isinstance(body.get("instructions"), str):
                return value
            rest = value if isinstance(value, list) else [{"role": "user", "content": value}]
            return [{"role": "system", "content": body["instructions"]}, *rest]
    return None


def plain_text(content: Any) -> str:
    """The text of a message's content; of parts, those that are text."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part.get("text") or part.get("refusal") for part in content if isinstance(part, Mapping)]
        return "".join(part for part in parts if isinstance(part, str))
    return json.dumps(content, ensure_ascii=False)


def messages_of(value: Any) -> Messages:
    """What was asked: a text is one message of the user's; messages may stand in JSON in a cell of a table."""
    if isinstance(value, str) and value.lstrip().startswith("[") and '"role"' in value:
        try:
            value = loads_strictly(value)
        except (ValueError, RecursionError):
            return (("user", value),)
    if isinstance(value, Mapping):
        inner = asked_of(value)
        value = [value] if inner is None and "role" in value else value if inner is None else inner
    if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        return tuple((str(item.get("role") or "user"), plain_text(item.get("content"))) for item in value)
    return (("user", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)),)
