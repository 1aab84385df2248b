"""The Responses API: a variant and a conversation as a request body, and a response body as an answer.

Shapes: OpenAI's OpenAPI document (2026-08-21), CreateResponse and Response, and recorded traffic.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from snapdrift.model import Conversation, Endpoint, Message, ToolCall, ToolResult, Variant
from snapdrift.openai_api.answers import (
    ParsedAnswer,
    decide_outcome,
    mapping_of,
    mappings_of,
    name_of,
    text_of,
    usage_of,
)
from snapdrift.openai_api.built_body import Added, BuiltBody
from snapdrift.openai_api.contents import message_of
from snapdrift.openai_api.errors import failed_answer, malformed_answer
from snapdrift.openai_api.setting_values import ENCRYPTED_INCLUDE

_USAGE_KEYS = ("input_tokens", "input_tokens_details", "output_tokens", "output_tokens_details")
_ANSWERED = ("completed", "incomplete")
_UNFINISHED = ("in_progress", "queued")
_OUTPUT_ONLY = frozenset({"created_by"})
"""Keys of output items that no input item has (the document's OutputItem against its Item)."""


def build(variant: Variant, conversation: Conversation) -> BuiltBody:
    """Return what is sent to `/v1/responses`: the settings as written, and what Snapdrift makes explicit."""
    added: Added = set()
    body: dict[str, Any] = {"model": variant.model}
    if conversation.instructions is not None:
        body["instructions"] = conversation.instructions
    body["input"] = [message_of(Endpoint.RESPONSES, message) for message in conversation.turns[0]]
    # `previous_response_id: true` is how follow-ups are made, and nothing that is sent.
    body |= {name: value for name, value in variant.request.items() if name != "previous_response_id"}
    text_format = mapping_of(mapping_of(body.get("text")).get("format"))
    if text_format.get("type") == "json_schema" and "strict" not in text_format:
        body["text"] = {**body["text"], "format": {**text_format, "strict": False}}
        added.add(("text", "format", "strict"))
    if "tools" in body:
        body["tools"] = [_tool(tool, index, added) for index, tool in enumerate(body["tools"])]
    _carry_reasoning(variant, conversation, body, added)
    if variant.stream:
        body["stream"] = True
        if variant.host is None:  # whether another host knows of the padding is not known
            body["stream_options"] = {"include_obfuscation": False}
            added.add(("stream_options",))
    if "store" not in body:
        body["store"] = False
        added.add(("store",))
    return BuiltBody(body, frozenset(added))


def follow_up(
    variant: Variant, body: Mapping[str, Any], raw: str, additions: Sequence[ToolResult | Message]
) -> dict[str, Any]:
    """Return the body that goes on from the answer `raw` to `body` with tool results and messages.

    The answer's items are sent back as they came, reasoning with its encrypted content among them; or, with
    `previous_response_id: true`, named by the answer's id. Instructions are not inherited and go along either way.
    Raises `AttemptFailed` when `raw` is no response.
    """
    answer = _response(raw)
    more = [_addition(addition) for addition in additions]
    if variant.request.get("previous_response_id") is not True:
        return {**body, "input": [*body["input"], *map(_carried_on, mappings_of(answer.get("output"))), *more]}
    answer_id = name_of(answer.get("id"))
    if answer_id is None:
        raise malformed_answer("the response has no `id` to go on from")
    return {**body, "input": more, "previous_response_id": answer_id}


def parse_response(body: Mapping[str, Any]) -> ParsedAnswer:
    """Read a body of `/v1/responses`. Raises `AttemptFailed` when it holds no answer (status `failed`, another shape).

    A refusal is an ordinary completed response; a response without any text is an answer that is empty. The texts of
    several messages (between which the model used a tool) are one text.
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
        service_tier=name_of(body.get("service_tier")),
    )


def _tool(tool: Mapping[str, Any], index: int, added: Added) -> dict[str, Any]:
    # Left out, `strict` means something else on each endpoint: explicit, both are asked the same.
    if mapping_of(tool).get("type") != "function" or "strict" in tool:
        return dict(tool)
    added.add(("tools", index, "strict"))
    return {**tool, "strict": False}


def _carry_reasoning(variant: Variant, conversation: Conversation, body: dict[str, Any], added: Added) -> None:
    """Ask for reasoning in a form that can be sent back, where a call may take several requests and nothing is kept."""
    several = bool(variant.request.get("tools")) or len(conversation.turns) > 1
    included = list(body.get("include", ()))
    if not variant.reasons or not several or body.get("store") is True or ENCRYPTED_INCLUDE in included:
        return
    added.add(("include", len(included)) if "include" in body else ("include",))
    body["include"] = [*included, ENCRYPTED_INCLUDE]


def _response(raw: str) -> Mapping[str, Any]:
    try:
        answer = json.loads(raw)
    except ValueError:
        raise malformed_answer("the answer to go on from is not JSON") from None
    return mapping_of(answer)


def _carried_on(item: Mapping[str, Any]) -> dict[str, Any]:
    """An output item as an input item: as it was received, but for what only output has (a null status, for one)."""
    carried = {key: value for key, value in item.items() if key not in _OUTPUT_ONLY}
    return carried if carried.get("status", "") is not None else {k: v for k, v in carried.items() if k != "status"}


def _addition(addition: ToolResult | Message) -> dict[str, Any]:
    if isinstance(addition, ToolResult):
        return {"type": "function_call_output", "call_id": addition.call_id, "output": addition.output}
    return message_of(Endpoint.RESPONSES, addition)


def _parts(output: list[Any], kind: str) -> Iterator[Mapping[str, Any]]:
    for item in mappings_of(output):
        if item.get("type") == "message":
            yield from (part for part in mappings_of(item.get("content")) if part.get("type") == kind)


def _tool_call(item: Mapping[str, Any]) -> ToolCall:
    return ToolCall(text_of(item.get("call_id")), text_of(item.get("name")), text_of(item.get("arguments")))
