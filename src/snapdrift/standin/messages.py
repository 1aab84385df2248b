"""The messages (Chat) or items (Responses) of a request: checked as the API checks them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from snapdrift.model import Endpoint
from snapdrift.standin.api_errors import ApiError, invalid
from snapdrift.standin.parameters import type_name

PROMPT_KEYS: Mapping[Endpoint, str] = {Endpoint.CHAT: "messages", Endpoint.RESPONSES: "input"}
_PARTS = {
    Endpoint.CHAT: ("text", "image_url", "input_audio", "refusal", "file"),
    Endpoint.RESPONSES: ("input_text", "input_image", "output_text", "refusal", "input_file"),
}
_ROLES = {
    Endpoint.CHAT: ("system", "assistant", "user", "function", "tool", "developer"),
    Endpoint.RESPONSES: ("assistant", "system", "developer", "user"),
}
_CALLS, _OUTPUTS = ("function_call", "custom_tool_call"), ("function_call_output", "custom_tool_call_output")
_ITEM_FIELDS = {
    "function_call": ("call_id", "name", "arguments"),
    "function_call_output": ("call_id", "output"),
    "item_reference": ("id",),
    "reasoning": ("summary",),
}


def read_messages(endpoint: Endpoint, prompt: Any) -> list[Mapping[str, Any]]:
    """The messages or items, each checked; a text is one message of the user. Raises `ApiError`."""
    key = PROMPT_KEYS[endpoint]
    if prompt is None:
        raise invalid(f"Missing required parameter: '{key}'.", param=key, code="missing_required_parameter")
    if isinstance(prompt, str) and endpoint is Endpoint.RESPONSES:
        return [{"role": "user", "content": prompt}]
    if not isinstance(prompt, list):
        expected = "an array of objects" if endpoint is Endpoint.CHAT else "a string or an array"
        raise _wrong_type(key, expected, prompt)
    if not prompt:
        message = f"Invalid '{key}': empty array. Expected an array with minimum length 1, but got an empty array."
        raise invalid(message, param=key, code="empty_array")
    for index, message in enumerate(prompt):
        _check_message(endpoint, f"{key}[{index}]", message)
    return prompt


def parts_with_places(endpoint: Endpoint, messages: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Every part of every message that is not text, and where it stands."""
    key = PROMPT_KEYS[endpoint]
    for index, message in enumerate(messages):
        content = message.get("content", message.get("output"))
        for at, part in enumerate(content if isinstance(content, list) else ()):
            if isinstance(part, Mapping) and "text" not in part:
                yield f"{key}[{index}].content[{at}]", part


def check_chat_calls(messages: Sequence[Mapping[str, Any]]) -> None:
    """Raises the API's error unless every tool call is followed by its result, and every result follows a call."""
    open_calls: dict[str, None] = {}
    for index, message in enumerate(messages):
        if message.get("role") == "tool":
            call_id = str(message.get("tool_call_id"))
            if call_id not in open_calls:
                text = "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
                raise invalid(f"Invalid parameter: {text}", param=f"messages.[{index}].role")
            del open_calls[call_id]
            continue
        _refuse_open_calls(open_calls)
        for call in message.get("tool_calls") or ():
            open_calls[str(call.get("id"))] = None
    _refuse_open_calls(open_calls)


def _refuse_open_calls(open_calls: Collection[str]) -> None:
    if open_calls:
        message = (
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            "'tool_call_id'. The following tool_call_ids did not have response messages: " + ", ".join(open_calls)
        )
        raise invalid(message, param="messages")


def check_response_calls(items: Sequence[Mapping[str, Any]], stored_items: Collection[str]) -> None:
    """The same for items; and raises for items named by id that are not stored (`stored_items` are those that are)."""
    called = {str(item.get("call_id")) for item in items if item.get("type") in _CALLS}
    answered = {str(item.get("call_id")) for item in items if item.get("type") in _OUTPUTS}
    for call_id in sorted(answered - called):
        message = f"No tool call found for function call output with call_id {call_id}."
        raise invalid(message, param="input")
    for call_id in sorted(called - answered):
        raise invalid(f"No tool output found for function call {call_id}.", param="input")
    for item in items:
        by_id = item.get("type") == "item_reference" or (
            item.get("type") == "reasoning" and not item.get("encrypted_content")
        )
        if by_id and str(item.get("id")) not in stored_items:
            message = (
                f"Item with id '{item.get('id')}' not found. Items are not persisted when `store` is set to false. "
                "Try again with `store` set to true, or remove this item from your input."
            )
            raise ApiError(404, message, param="input")


def _check_message(endpoint: Endpoint, place: str, message: Any) -> None:
    if not isinstance(message, Mapping):
        raise _wrong_type(place, "an object", message)
    kind = message.get("type", "message")
    if endpoint is Endpoint.RESPONSES and kind != "message":
        for name in _ITEM_FIELDS.get(str(kind), ()):
            if message.get(name) is None:
                _missing(f"{place}.{name}")
        return
    role = message.get("role")
    if role is None:
        _missing(f"{place}.role")
    check_value(f"{place}.role", role, _ROLES[endpoint])
    content = message.get("content")
    if content is None and role != "assistant":
        _missing(f"{place}.content")
    if endpoint is Endpoint.CHAT and role == "tool" and not message.get("tool_call_id"):
        _missing(f"{place}.tool_call_id")
    if not isinstance(content, str | list | None):
        raise _wrong_type(f"{place}.content", "a string or an array of objects", content)
    for index, part in enumerate(content if isinstance(content, list) else ()):
        _check_part(endpoint, f"{place}.content[{index}]", part)


def _check_part(endpoint: Endpoint, place: str, part: Any) -> None:
    kind = part.get("type") if isinstance(part, Mapping) else part
    check_value(f"{place}.type", kind, _PARTS[endpoint])
    if endpoint is Endpoint.CHAT and kind in ("image_url", "file") and not isinstance(part.get(kind), Mapping):
        raise _wrong_type(f"{place}.{kind}", "an object", part.get(kind))
    if kind == "input_image":
        if not isinstance(part.get("image_url"), str | None):
            raise _wrong_type(f"{place}.image_url", "an image URL", part["image_url"])
        if not (part.get("image_url") or part.get("file_id")):
            _missing(f"{place}.image_url")
    if kind == "image_url" and not part["image_url"].get("url"):
        _missing(f"{place}.image_url.url")


def check_value(place: str, value: Any, allowed: Collection[str]) -> None:
    """Raises the API's error for a value that is none of the allowed ones."""
    if value not in allowed:
        listed = ", ".join(f"'{name}'" for name in allowed)
        raise invalid(f"Invalid value: '{value}'. Supported values are: {listed}.", param=place, code="invalid_value")


def _missing(place: str) -> None:
    raise invalid(f"Missing required parameter: '{place}'.", param=place, code="missing_required_parameter")


def _wrong_type(place: str, expected: str, found: Any) -> ApiError:
    message = f"Invalid type for '{place}': expected {expected}, but got {type_name(found)} instead."
    return invalid(message, param=place, code="invalid_type")
