"""The functions that a request offers, and what its `tool_choice` leaves of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from snapdrift.model import Endpoint
from snapdrift.standin.api_errors import ApiError, invalid
from snapdrift.standin.parameters import type_name
from snapdrift.standin.strict_schemas import check_schema

_NO_PARAMETERS: Mapping[str, Any] = {"type": "object", "properties": {}}


class ToolMode(StrEnum):
    """Whether the model may, must or must not call a function."""

    AUTO = "auto"
    REQUIRED = "required"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that can be called. `words` is its description."""

    name: str
    parameters: Mapping[str, Any]
    strict: bool = False
    words: str = ""


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """What may be called: `offered` are the functions left by the choice, `named` when the choice names one."""

    offered: tuple[Tool, ...] = ()
    mode: ToolMode = ToolMode.AUTO
    named: bool = False
    parallel: bool = True

    @property
    def possible(self) -> bool:
        """Whether the model may call anything at all."""
        return bool(self.offered) and self.mode is not ToolMode.NONE

    @property
    def forced(self) -> bool:
        """Whether the model must call something."""
        return bool(self.offered) and self.mode is ToolMode.REQUIRED

    def get(self, name: str) -> Tool | None:
        """The offered function of that name."""
        return next((tool for tool in self.offered if tool.name == name), None)


def read_tools(endpoint: Endpoint, body: Mapping[str, Any]) -> ToolChoice:
    """What a body offers and chooses; raises the API's error for what makes no sense."""
    functions: dict[str, Tool] = {}
    for index, tool in enumerate(body.get("tools") or []):
        read = _read_tool(endpoint, f"tools[{index}]", tool)
        if read is not None:
            functions[read.name] = read
    choice, everything = body.get("tool_choice"), tuple(functions.values())
    if choice is not None and not body.get("tools") and choice not in ("none", "auto"):
        text = "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified."
        raise invalid(text, param="tool_choice")
    parallel = body.get("parallel_tool_calls") is not False
    if choice is None or isinstance(choice, str):
        return ToolChoice(everything, _mode(choice or "auto", "tool_choice"), parallel=parallel)
    if not isinstance(choice, Mapping):
        text = f"Invalid type for 'tool_choice': expected an object, but got {type_name(choice)} instead."
        raise invalid(text, param="tool_choice", code="invalid_type")
    if choice.get("type") == "allowed_tools":
        allowed = choice.get("allowed_tools") or choice
        left = tuple(_named(functions, tool) for tool in allowed.get("tools") or () if _is_function(tool))
        return ToolChoice(left, _mode(allowed.get("mode") or "auto", "tool_choice.mode"), parallel=parallel)
    if choice.get("type") == "function":
        return ToolChoice((_named(functions, choice),), ToolMode.REQUIRED, named=True, parallel=parallel)
    return ToolChoice(everything, parallel=parallel)  # a built-in tool: nothing here could carry it out


def _read_tool(endpoint: Endpoint, place: str, tool: Any) -> Tool | None:
    if not isinstance(tool, Mapping):
        text = f"Invalid type for '{place}': expected an object, but got {type_name(tool)} instead."
        raise invalid(text, param=place, code="invalid_type")
    if tool.get("type") is None:
        raise _missing(f"{place}.type")
    if tool["type"] != "function":
        return None
    flat = tool.get("function") if endpoint is Endpoint.CHAT else tool
    if not isinstance(flat, Mapping):
        raise _missing(f"{place}.function")
    inside = f"{place}.function" if endpoint is Endpoint.CHAT else place
    if not flat.get("name"):
        raise _missing(f"{inside}.name")
    name, strict = str(flat["name"]), bool(flat.get("strict"))
    parameters = flat.get("parameters")
    if parameters is not None:
        where = f"{inside}.parameters"
        check_schema(f"function '{name}'", parameters, where, "invalid_function_parameters", strict=strict)
    return Tool(name, parameters or _NO_PARAMETERS, strict, str(flat.get("description") or ""))


def _named(functions: Mapping[str, Tool], choice: Mapping[str, Any]) -> Tool:
    name = str((choice.get("function") or choice).get("name"))
    if name not in functions:
        raise invalid(f"Tool choice '{name}' not found in 'tools' parameter.", param="tool_choice")
    return functions[name]


def _is_function(tool: Any) -> bool:
    return isinstance(tool, Mapping) and tool.get("type", "function") == "function"


def _mode(text: str, place: str) -> ToolMode:
    try:
        return ToolMode(text)
    except ValueError:
        listed = ", ".join(f"'{mode}'" for mode in ToolMode)
        message = f"Invalid value: '{text}'. Supported values are: {listed}."
        raise invalid(message, param=place, code="invalid_value") from None


def _missing(place: str) -> ApiError:
    return invalid(f"Missing required parameter: '{place}'.", param=place, code="missing_required_parameter")
