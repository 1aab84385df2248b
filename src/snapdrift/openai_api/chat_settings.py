"""Request settings in the Responses API's names, translated for Chat Completions without loss.

Shapes: OpenAI's OpenAPI document (2026-08-21), CreateChatCompletionRequest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from snapdrift.openai_api.built_body import Added
from snapdrift.openai_api.setting_values import LOGPROBS_INCLUDE
from snapdrift.openai_api.settings import CHAT_ONLY
from snapdrift.suites.registry import Finding, InvalidEntryError

_SAME_NAME = CHAT_ONLY | {
    "temperature",
    "top_p",
    "parallel_tool_calls",
    "service_tier",
    "metadata",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "store",
    "user",
}


def translate(request: Mapping[str, Any], added: Added) -> dict[str, Any]:
    """Return the settings in Chat's names and shapes, and note in `added` what is made explicit.

    Raises `InvalidEntryError` for a setting that has no translation: nothing is ever left out silently.
    """
    body: dict[str, Any] = {}
    for name, value in request.items():
        if name in _SAME_NAME:
            body[name] = value
        elif name in _TRANSLATIONS:
            body |= _TRANSLATIONS[name](value, added)
        else:
            raise _refuse(name)
    if "top_logprobs" in body and "logprobs" not in body:
        body["logprobs"] = True
        added.add(("logprobs",))
    return body


def _refuse(*location: str | int) -> InvalidEntryError:
    found = f"`{'.'.join(map(str, location))}` cannot be said to Chat Completions"
    return InvalidEntryError([Finding(location, found, "leave it out, or use `endpoint: responses`")])


def _text(value: Mapping[str, Any], added: Added) -> dict[str, Any]:
    """Return `response_format`, nested where Responses has it flat, and `verbosity`."""
    translated: dict[str, Any] = {}
    for key, item in value.items():
        if key == "verbosity":
            translated["verbosity"] = item
        elif key != "format":
            raise _refuse("text", key)
        elif item.get("type") == "json_schema":
            schema = {name: setting for name, setting in item.items() if name != "type"}
            if "strict" not in schema:
                schema["strict"] = False
                added.add(("response_format", "json_schema", "strict"))
            translated["response_format"] = {"type": "json_schema", "json_schema": schema}
        else:
            translated["response_format"] = dict(item)
    return translated


def _reasoning(value: Mapping[str, Any], _added: Added) -> dict[str, Any]:
    for key in value:
        if key != "effort":
            raise _refuse("reasoning", key)
    return {"reasoning_effort": value["effort"]} if value else {}


def _tools(value: Sequence[Mapping[str, Any]], added: Added) -> dict[str, Any]:
    nested = []
    for index, tool in enumerate(value):
        if tool.get("type") != "function":
            raise _refuse("tools", index)
        function = {key: item for key, item in tool.items() if key != "type"}
        if "strict" not in function:
            function["strict"] = False
            added.add(("tools", index, "function", "strict"))
        nested.append({"type": "function", "function": function})
    return {"tools": nested}


def _tool_choice(value: Any, _added: Added) -> dict[str, Any]:
    if isinstance(value, str):
        return {"tool_choice": value}
    if value.get("type") != "allowed_tools":
        return {"tool_choice": _named_tool(value, "tool_choice")}
    if set(value) != {"type", "mode", "tools"}:
        raise _refuse("tool_choice")
    tools = [_named_tool(tool, "tool_choice", "tools", index) for index, tool in enumerate(value["tools"])]
    return {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": value["mode"], "tools": tools}}}


def _named_tool(value: Mapping[str, Any], *location: str | int) -> dict[str, Any]:
    if set(value) != {"type", "name"} or value["type"] != "function":
        raise _refuse(*location)
    return {"type": "function", "function": {"name": value["name"]}}


def _include(value: Sequence[str], _added: Added) -> dict[str, Any]:
    for index, item in enumerate(value):
        if item != LOGPROBS_INCLUDE:
            raise _refuse("include", index)
    return {"logprobs": True} if value else {}


_TRANSLATIONS: dict[str, Callable[[Any, Added], dict[str, Any]]] = {
    "max_output_tokens": lambda value, _added: {"max_completion_tokens": value},
    "text": _text,
    "reasoning": _reasoning,
    "tools": _tools,
    "tool_choice": _tool_choice,
    "top_logprobs": lambda value, _added: {"top_logprobs": value},
    "include": _include,
}
