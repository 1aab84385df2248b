"""Chat Completions: settings in the Responses API's names, translated without loss, and a completion as an answer.

Shapes: OpenAI's OpenAPI document (2026-08-21), CreateChatCompletionRequest, and recorded traffic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from snapdrift.model import Conversation, ToolCall, Variant
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
from snapdrift.openai_api.settings import CHAT_ONLY, LOGPROBS_INCLUDE
from snapdrift.suites.registry import Finding, InvalidEntryError

_USAGE_KEYS = ("prompt_tokens", "prompt_tokens_details", "completion_tokens", "completion_tokens_details")
_SAME_NAME = CHAT_ONLY | {
    "temperature",
    "top_p",
    "parallel_tool_calls",
    "service_tier",
    "metadata",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "user",
}


def build_body(variant: Variant, conversation: Conversation) -> dict[str, Any]:
    """Return exactly what is sent to `/v1/chat/completions`.

    Raises `InvalidEntryError` for a setting that has no translation: nothing is ever left out silently.
    """
    messages = [{"role": message.role, "content": message.text} for message in conversation.turns[0]]
    if conversation.instructions is not None:
        messages.insert(0, {"role": "system", "content": conversation.instructions})
    body: dict[str, Any] = {"model": variant.model, "messages": messages}
    for name, value in variant.request.items():
        if name in _SAME_NAME:
            body[name] = value
        elif name in _TRANSLATIONS:
            body |= _TRANSLATIONS[name](value)
        else:
            raise _refuse(name)
    return {**body, "store": False}


def added_keys(variant: Variant) -> frozenset[str]:
    """Name the settings in the body that the suite does not write, by their place in the body."""
    request = variant.request
    added = set() if "store" in request else {"store"}
    text_format = mapping_of(mapping_of(request.get("text")).get("format"))
    if text_format.get("type") == "json_schema" and "strict" not in text_format:
        added.add("response_format.json_schema.strict")
    if any("strict" not in mapping_of(tool) for tool in request.get("tools", ())):
        added.add("tools.function.strict")
    return frozenset(added)


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
    )


def _tool_call(call: Mapping[str, Any]) -> ToolCall:
    function = mapping_of(call.get("function"))
    return ToolCall(text_of(call.get("id")), text_of(function.get("name")), text_of(function.get("arguments")))


# --------------------------------------------------------------------------------------------------------- translations


def _refuse(*location: str | int) -> InvalidEntryError:
    found = f"`{'.'.join(map(str, location))}` cannot be said to Chat Completions"
    return InvalidEntryError([Finding(location, found, "leave it out, or use `endpoint: responses`")])


def _text(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return `response_format`, nested where Responses has it flat, and `verbosity`."""
    translated: dict[str, Any] = {}
    for key, item in value.items():
        if key == "verbosity":
            translated["verbosity"] = item
        elif key != "format":
            raise _refuse("text", key)
        elif item.get("type") == "json_schema":
            schema = {name: setting for name, setting in item.items() if name != "type"}
            translated["response_format"] = {"type": "json_schema", "json_schema": {"strict": False, **schema}}
        else:
            translated["response_format"] = dict(item)
    return translated


def _reasoning(value: Mapping[str, Any]) -> dict[str, Any]:
    for key in value:
        if key != "effort":
            raise _refuse("reasoning", key)
    return {"reasoning_effort": value["effort"]} if value else {}


def _tools(value: list[Mapping[str, Any]]) -> dict[str, Any]:
    nested = []
    for index, tool in enumerate(value):
        if tool.get("type") != "function":
            raise _refuse("tools", index)
        function = {key: item for key, item in tool.items() if key != "type"}
        nested.append({"type": "function", "function": {"strict": False, **function}})
    return {"tools": nested}


def _tool_choice(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        return {"tool_choice": value}
    if set(value) != {"type", "name"} or value["type"] != "function":
        raise _refuse("tool_choice")
    return {"tool_choice": {"type": "function", "function": {"name": value["name"]}}}


def _include(value: list[str]) -> dict[str, Any]:
    for index, item in enumerate(value):
        if item != LOGPROBS_INCLUDE:
            raise _refuse("include", index)
    return {"logprobs": True} if value else {}


_TRANSLATIONS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "max_output_tokens": lambda value: {"max_completion_tokens": value},
    "text": _text,
    "reasoning": _reasoning,
    "tools": _tools,
    "tool_choice": _tool_choice,
    "top_logprobs": lambda value: {"logprobs": True, "top_logprobs": value},
    "include": _include,
    "store": lambda _value: {},
}
