"""The settings `tools`, `tool_choice` and `parallel_tool_calls`, in the Responses API's flat shape.

Functions exist on both endpoints, the tools that OpenAI runs itself on Responses only. Sources: see `settings`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from snapdrift.model import Endpoint
from snapdrift.openai_api.setting_values import NAME, NAME_FORM, Asked, did_you_mean, mapping, schema_findings
from snapdrift.suites.registry import Finding, Location

BUILT_IN = (
    "web_search",
    "web_search_2025_08_26",
    "web_search_preview",
    "web_search_preview_2025_03_11",
    "file_search",
    "code_interpreter",
    "image_generation",
    "mcp",
)
"""Tools that OpenAI carries out while it answers."""
_CARRIED_OUT_BY_CLIENTS = ("computer", "computer_use_preview", "local_shell", "shell", "apply_patch", "custom")
_FUNCTION_KEYS = frozenset({"type", "name", "description", "parameters", "strict"})
_CHOICES = ("none", "auto", "required")
_CHOICE_FORM = (
    "expected none, auto, required, {type: function, name: ...} or {type: allowed_tools, mode: ..., tools: ...}"
)
_NO_PARAMETERS = "expected a JSON Schema of an object; for none, {type: object, properties: {}}"


def tools_mistakes(value: Any, asked: Asked) -> Iterator[Finding]:
    """What is wrong with `tools`; an entry in Chat's nested shape has been made flat before."""
    if not isinstance(value, list | tuple) or not value:
        yield Finding(("tools",), f"found {value!r}", "expected a list of tools; null for none")
        return
    named: set[str] = set()
    for index, tool in enumerate(value):
        place: Location = ("tools", index)
        kind = mapping(tool).get("type")
        if kind == "function":
            yield from _function(tool, place, asked)
            name = tool.get("name")
            if isinstance(name, str) and name in named:
                yield Finding((*place, "name"), f"the function {name} again", "expected different names")
            named.add(str(name))
        elif kind not in BUILT_IN:
            yield _unknown_kind(kind, place)
        elif asked.endpoint is Endpoint.CHAT:
            found = f"Chat Completions has no built-in tool `{kind}`"
            yield Finding((*place, "type"), found, "expected functions only, or `endpoint: responses`")


def _unknown_kind(kind: Any, place: Location) -> Finding:
    if kind in _CARRIED_OUT_BY_CLIENTS:
        found = f"`{kind}` is carried out by the application, which Snapdrift does not do"
        expected = f"expected functions, with `tool_results` in the cases, or one of {', '.join(BUILT_IN)}"
        return Finding((*place, "type"), found, expected)
    if kind is None:
        return Finding(place, "a tool without `type`", "expected {type: function, name: ..., parameters: ...}")
    return Finding((*place, "type"), f"unknown tool type {kind!r}", did_you_mean(str(kind), ("function", *BUILT_IN)))


def _function(tool: Mapping[str, Any], place: Location, asked: Asked) -> Iterator[Finding]:
    for key in tool:
        if key not in _FUNCTION_KEYS:
            yield Finding((*place, key), f"unknown key `{key}` of a function", did_you_mean(str(key), _FUNCTION_KEYS))
    name, strict = tool.get("name"), tool.get("strict", False)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        yield Finding((*place, "name"), f"found {name!r}" if "name" in tool else "`name` is missing", NAME_FORM)
    if not isinstance(tool.get("description", ""), str):
        yield Finding((*place, "description"), f"found {tool['description']!r}", "expected text")
    if not isinstance(strict, bool):
        yield Finding((*place, "strict"), f"found {strict!r}", "expected true or false")
    inside = (*place, "parameters")
    parameters = tool.get("parameters")
    if not isinstance(parameters, Mapping):
        yield Finding(
            inside, "`parameters` is missing" if parameters is None else f"found {parameters!r}", _NO_PARAMETERS
        )
    elif parameters.get("type") != "object":
        yield Finding((*inside, "type"), f"found {parameters.get('type')!r}", _NO_PARAMETERS)
    else:
        yield from schema_findings(parameters, inside, strict=strict is True, asked=asked)


def tool_choice_mistakes(value: Any, request: Mapping[str, Any], asked: Asked) -> Iterator[Finding]:
    """What is wrong with `tool_choice`, given the tools beside it."""
    tools = [mapping(tool) for tool in request["tools"]] if isinstance(request.get("tools"), list | tuple) else []
    place: Location = ("tool_choice",)
    if not tools:
        yield Finding(place, "`tool_choice` without `tools`", "expected `tools` beside it, or leave it out")
    elif isinstance(value, str):
        if value not in _CHOICES:
            yield Finding(place, f"found {value!r}", _CHOICE_FORM)
    elif mapping(value).get("type") == "allowed_tools":
        yield from _allowed_tools(value, tools, asked)
    else:
        yield from _one_tool(value, place, tools, asked)


def _allowed_tools(value: Mapping[str, Any], tools: list[Mapping[str, Any]], asked: Asked) -> Iterator[Finding]:
    place: Location = ("tool_choice",)
    known = ("type", "mode", "tools")
    for key in value:
        if key not in known:
            yield Finding((*place, key), f"unknown key `{key}`", did_you_mean(str(key), known))
    if value.get("mode") not in ("auto", "required"):
        yield Finding((*place, "mode"), f"found {value.get('mode')!r}", "expected auto or required")
    allowed = value.get("tools")
    if not isinstance(allowed, list | tuple) or not allowed:
        yield Finding((*place, "tools"), f"found {allowed!r}", "expected a list such as [{type: function, name: ...}]")
        return
    for index, one in enumerate(allowed):
        yield from _one_tool(one, (*place, "tools", index), tools, asked)


def _one_tool(value: Any, place: Location, tools: list[Mapping[str, Any]], asked: Asked) -> Iterator[Finding]:
    kind = mapping(value).get("type")
    if kind == "function":
        functions = [str(tool.get("name")) for tool in tools if tool.get("type") == "function"]
        name = value.get("name")
        if name not in functions:
            expected = did_you_mean(str(name), functions) if functions else "expected a function under `tools`"
            yield Finding((*place, "name"), f"`tools` has no function {name!r}", expected)
        yield from (
            Finding((*place, key), f"unknown key `{key}`", "expected `type` and `name`")
            for key in value
            if key not in ("type", "name")
        )
    elif kind not in BUILT_IN:
        yield Finding(place, f"found {value!r}", _CHOICE_FORM)
    elif asked.endpoint is Endpoint.CHAT:
        found = f"Chat Completions has no built-in tool `{kind}`"
        yield Finding((*place, "type"), found, "expected a function, or `endpoint: responses`")
    elif kind not in {tool.get("type") for tool in tools}:
        yield Finding((*place, "type"), f"`tools` has no {kind}", "expected a tool of that type under `tools`")
