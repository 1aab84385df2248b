"""Chat Completions: a variant and a conversation as a request body, and a completion as an answer.

Shapes: OpenAI's OpenAPI document (2026-08-21), CreateChatCompletionRequest, and recorded traffic.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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
from snapdrift.openai_api.chat_settings import translate
from snapdrift.openai_api.contents import message_of
from snapdrift.openai_api.errors import failed_answer, malformed_answer

_USAGE_KEYS = ("prompt_tokens", "prompt_tokens_details", "completion_tokens", "completion_tokens_details")


def build(variant: Variant, conversation: Conversation) -> BuiltBody:
    """Return what is sent to `/v1/chat/completions`: the settings translated, and what Snapdrift makes explicit.

    Raises `InvalidEntryError` for a setting or a part that has no translation: nothing is ever left out silently.
    """
    added: Added = set()
    messages = [message_of(Endpoint.CHAT, message) for message in conversation.turns[0]]
    if conversation.instructions is not None:
        messages.insert(0, {"role": "system", "content": conversation.instructions})
    body: dict[str, Any] = {"model": variant.model, "messages": messages, **translate(variant.request, added)}
    if variant.stream:
        unpadded = {"include_obfuscation": False} if variant.host is None else {}  # other hosts may not know of it
        body |= {"stream": True, "stream_options": {"include_usage": True, **unpadded}}
        added.add(("stream_options",))
    if "store" not in body:
        body["store"] = False
        added.add(("store",))
    return BuiltBody(body, frozenset(added))


def follow_up(body: Mapping[str, Any], raw: str, additions: Sequence[ToolResult | Message]) -> dict[str, Any]:
    """Return the body that goes on from the answer `raw` to `body` with tool results and messages.

    Raises `AttemptFailed` when `raw` is no completion.
    """
    more = [_addition(addition) for addition in additions]
    return {**body, "messages": [*body["messages"], _carried_on(_message_of_answer(raw)), *more]}


def parse_response(body: Mapping[str, Any]) -> ParsedAnswer:
    """Read a body of `/v1/chat/completions`. Raises `AttemptFailed` when it holds no answer."""
    choices = mappings_of(body.get("choices"))
    if not choices and body.get("error"):
        raise failed_answer(mapping_of(body.get("error")))
    if not choices or not isinstance(choices[0].get("message"), Mapping):
        raise malformed_answer("the body is not a chat completion: it has no `choices` with a `message`")

    message = choices[0]["message"]
    reason = name_of(choices[0].get("finish_reason"))
    refusal = name_of(message.get("refusal"))
    return ParsedAnswer(
        outcome=decide_outcome(
            filtered=reason == "content_filter", refused=refusal is not None, truncated=reason == "length"
        ),
        text=text_of(message.get("content")),
        returned_model=name_of(body.get("model")),
        usage=usage_of(body.get("usage"), _USAGE_KEYS),
        finish_reason=reason,
        refusal=refusal,
        tool_calls=tuple(_tool_call(call) for call in mappings_of(message.get("tool_calls"))),
        service_tier=name_of(body.get("service_tier")),
    )


def _tool_call(call: Mapping[str, Any]) -> ToolCall:
    function = mapping_of(call.get("function"))
    return ToolCall(text_of(call.get("id")), text_of(function.get("name")), text_of(function.get("arguments")))


def _message_of_answer(raw: str) -> Mapping[str, Any]:
    try:
        choices = mappings_of(mapping_of(json.loads(raw)).get("choices"))
    except ValueError:
        raise malformed_answer("the answer to go on from is not JSON") from None
    if not choices or not isinstance(choices[0].get("message"), Mapping):
        raise malformed_answer("the answer to go on from has no `choices` with a `message`")
    return mapping_of(choices[0]["message"])


def _carried_on(message: Mapping[str, Any]) -> dict[str, Any]:
    """The assistant's message as a message of the next request: what the model wrote, as it was received.

    Annotations exist in answers only. An answer without anything is sent as an empty text: one of the three is needed.
    """
    carried: dict[str, Any] = {"role": "assistant", "content": message.get("content")}
    carried |= {key: message[key] for key in ("refusal", "tool_calls") if message.get(key)}
    if carried["content"] is None and len(carried) == 2:
        carried["content"] = ""
    return carried


def _addition(addition: ToolResult | Message) -> dict[str, Any]:
    if isinstance(addition, ToolResult):
        return {"role": "tool", "tool_call_id": addition.call_id, "content": addition.output}
    return message_of(Endpoint.CHAT, addition)
