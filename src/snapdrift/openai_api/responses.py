"""The Responses API: a variant and a conversation as a request body, and a response body as an answer.

Shapes: OpenAI's OpenAPI document (2026-08-21), CreateResponse and Response, and recorded traffic.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from snapdrift.model import Conversation, Message, ToolCall, Variant
from snapdrift.openai_api.answers import (
    ParsedAnswer,
    decide_outcome,
    mapping_of,
    mappings_of,
    name_of,
    text_of,
    usage_of,
)
from snapdrift.openai_api.errors import failed_answer, malformed_answer

_USAGE_KEYS = ("input_tokens", "input_tokens_details", "output_tokens", "output_tokens_details")
_ANSWERED = ("completed", "incomplete")
_UNFINISHED = ("in_progress", "queued")


def build_body(variant: Variant, conversation: Conversation) -> dict[str, Any]:
    """Return exactly what is sent to `/v1/responses`: the settings as written, and what Snapdrift makes explicit."""
    body: dict[str, Any] = {"model": variant.model}
    if conversation.instructions is not None:
        body["instructions"] = conversation.instructions
    body["input"] = [_message(message) for message in conversation.turns[0]]
    body |= variant.request
    text_format = mapping_of(mapping_of(body.get("text")).get("format"))
    if text_format.get("type") == "json_schema":
        body["text"] = {**body["text"], "format": {"strict": False, **text_format}}
    if "tools" in body:
        body["tools"] = [_tool(tool) for tool in body["tools"]]
    return {**body, "store": False}


def added_keys(variant: Variant) -> frozenset[str]:
    """Name the settings in the body that the suite does not write, by their place (`text.format.strict`)."""
    request = variant.request
    added = set() if "store" in request else {"store"}
    text_format = mapping_of(mapping_of(request.get("text")).get("format"))
    if text_format.get("type") == "json_schema" and "strict" not in text_format:
        added.add("text.format.strict")
    if any(_is_function(tool) and "strict" not in tool for tool in request.get("tools", ())):
        added.add("tools.strict")
    return frozenset(added)


def parse_response(body: Mapping[str, Any]) -> ParsedAnswer:
    """Read a body of `/v1/responses`. Raises `AttemptFailed` when it holds no answer (status `failed`, another shape).

    A refusal is an ordinary completed response; a response without any text is an answer that is empty.
    """
    status = body.get("status")
    if status == "failed" or (body.get("error") and status not in _ANSWERED):
        raise failed_answer(mapping_of(body.get("error")))
    if status in _UNFINISHED or status == "cancelled":
        raise malformed_answer(f"the response has status {status!r}, but was not asked for in the background")
    output = body.get("output")
    if not isinstance(output, list) or (status is not None and status not in _ANSWERED):
        raise malformed_answer("the body is not a response: it has no `output` list and status `completed`")

    incomplete = status == "incomplete"
    reason = name_of(mapping_of(body.get("incomplete_details")).get("reason"))
    refusal = "".join(text_of(part.get("refusal")) for part in _parts(output, "refusal"))
    filtered = incomplete and reason == "content_filter"
    return ParsedAnswer(
        outcome=decide_outcome(filtered=filtered, refused=bool(refusal), truncated=incomplete),
        text="".join(text_of(part.get("text")) for part in _parts(output, "output_text")),
        returned_model=name_of(body.get("model")),
        usage=usage_of(body.get("usage"), _USAGE_KEYS),
        finish_reason=(reason or "incomplete") if incomplete else "completed",
        refusal=refusal or None,
        tool_calls=tuple(_tool_call(item) for item in mappings_of(output) if item.get("type") == "function_call"),
    )


def _message(message: Message) -> dict[str, Any]:
    # Text goes as a plain string: it is accepted for every role, where the type of a part depends on the role.
    return {"role": message.role, "content": message.text}


def _is_function(tool: Any) -> bool:
    return mapping_of(tool).get("type") == "function"


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    # Left out, `strict` means something else on each endpoint: explicit, both are asked the same.
    return {**tool, "strict": tool.get("strict", False)} if _is_function(tool) else dict(tool)


def _parts(output: list[Any], kind: str) -> Iterator[Mapping[str, Any]]:
    for item in mappings_of(output):
        if item.get("type") == "message":
            yield from (part for part in mappings_of(item.get("content")) if part.get("type") == kind)


def _tool_call(item: Mapping[str, Any]) -> ToolCall:
    return ToolCall(text_of(item.get("call_id")), text_of(item.get("name")), text_of(item.get("arguments")))
