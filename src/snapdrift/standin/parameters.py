"""The parameters that each endpoint takes, with their types and ranges, and the errors for those it does not.

Names are those of OpenAI's API document (`CreateResponse`, `CreateChatCompletionRequest`, 2026-08-21). The reply to an
unknown name is not documented; `unknown_parameter` is what the service is known to answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from snapdrift.model import Endpoint
from snapdrift.standin.api_errors import invalid


@dataclass(frozen=True, slots=True)
class Parameter:
    """A type as the error messages name it, and the range of numbers."""

    type: str = "any"
    least: float | None = None
    most: float | None = None


_ANY, _TEXT, _FLAG = Parameter(), Parameter("string"), Parameter("boolean")
_OBJECT, _ARRAY, _COUNT = Parameter("object"), Parameter("array"), Parameter("integer")

_COMMON = {
    "metadata": _OBJECT,
    "model": _TEXT,
    "moderation": _ANY,
    "parallel_tool_calls": _FLAG,
    "prompt_cache_key": _TEXT,
    "prompt_cache_options": _OBJECT,
    "prompt_cache_retention": _TEXT,
    "safety_identifier": _TEXT,
    "service_tier": _TEXT,
    "store": _FLAG,
    "stream": _FLAG,
    "stream_options": _OBJECT,
    "temperature": Parameter("decimal", 0, 2),
    "tool_choice": _ANY,
    "tools": _ARRAY,
    "top_logprobs": Parameter("integer", 0, 20),
    "top_p": Parameter("decimal", 0, 1),
    "user": _TEXT,
}

PARAMETERS: Mapping[Endpoint, Mapping[str, Parameter]] = {
    Endpoint.RESPONSES: {
        **_COMMON,
        "background": _FLAG,
        "context_management": _ANY,
        "conversation": _ANY,
        "include": _ARRAY,
        "input": _ANY,
        "instructions": _TEXT,
        "max_output_tokens": Parameter("integer", 16),
        "max_tool_calls": _COUNT,
        "previous_response_id": _TEXT,
        "prompt": _OBJECT,
        "reasoning": _OBJECT,
        "text": _OBJECT,
        "truncation": _TEXT,
    },
    Endpoint.CHAT: {
        **_COMMON,
        "audio": _OBJECT,
        "frequency_penalty": Parameter("decimal", -2, 2),
        "function_call": _ANY,
        "functions": _ARRAY,
        "logit_bias": _OBJECT,
        "logprobs": _FLAG,
        "max_completion_tokens": Parameter("integer", 1),
        "max_tokens": Parameter("integer", 1),
        "messages": _ARRAY,
        "modalities": _ARRAY,
        "n": Parameter("integer", 1, 128),
        "prediction": _OBJECT,
        "presence_penalty": Parameter("decimal", -2, 2),
        "reasoning_effort": _TEXT,
        "response_format": _OBJECT,
        "seed": _COUNT,
        "stop": _ANY,
        "verbosity": _TEXT,
        "web_search_options": _OBJECT,
    },
}


def check_parameters(endpoint: Endpoint, body: Mapping[str, Any]) -> None:
    """Raises the API's error for the first parameter that is unknown, of the wrong type or out of range."""
    known = PARAMETERS[endpoint]
    for name, value in body.items():
        parameter = known.get(name)
        if parameter is None:
            raise invalid(f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")
        if value is not None:
            _check(name, value, parameter)


def _check(name: str, value: Any, parameter: Parameter) -> None:
    found = type_name(value)
    expected = parameter.type
    if expected not in ("any", found) and not (expected == "decimal" and found == "integer"):
        article = "an" if expected[0] in "aeiou" else "a"
        found_article = "an" if found[0] in "aeiou" else "a"
        message = f"Invalid type for '{name}': expected {article} {expected}, but got {found_article} {found} instead."
        raise invalid(message, param=name, code="invalid_type")
    if parameter.least is not None and value < parameter.least:
        _out_of_range(name, value, expected, "below minimum", ">=", parameter.least)
    if parameter.most is not None and value > parameter.most:
        _out_of_range(name, value, expected, "above maximum", "<=", parameter.most)


def _out_of_range(name: str, value: Any, kind: str, what: str, sign: str, limit: float) -> None:
    message = f"Invalid '{name}': {kind} {what} value. Expected a value {sign} {limit:g}, but got {value:g} instead."
    side = "_".join((kind, *what.split(), "value"))
    raise invalid(message, param=name, code=side.replace("minimum", "min").replace("maximum", "max"))


def type_name(value: Any) -> str:
    """What the API's messages call the type of a JSON value."""
    if value is None:
        return "null"
    names = {bool: "boolean", int: "integer", float: "decimal", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "object")
