"""The parameters that each endpoint takes, with their types and ranges, and the errors for those it does not.

Names are those of OpenAI's API document (`CreateResponse`, `CreateChatCompletionRequest`, 2026-08-21). The reply to an
unknown name is not documented; `unknown_parameter` is what the service is known to answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from snapdrift.model import Endpoint
from snapdrift.standin.api_errors import ApiError, invalid


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


@dataclass(frozen=True, slots=True)
class ModelTraits:
    """What a model takes and knows, as far as requests are refused for it."""

    reasoning: bool = False
    json_schema: bool = True
    images: bool = True


_NOT_WITH_REASONING = (
    "temperature",
    "top_p",
    "logprobs",
    "top_logprobs",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
)
_TIERS = ("auto", "default", "flex", "scale", "priority", "fast")
_INCLUDES = (
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
)
_MOST_METADATA = 16
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def check_traits(endpoint: Endpoint, body: Mapping[str, Any], traits: ModelTraits) -> None:
    """Raises the API's error for a parameter that this model does not take."""
    if traits.reasoning:
        for name in _NOT_WITH_REASONING:
            if body.get(name) is not None:
                raise _unsupported(name)
        if body.get("max_tokens") is not None:
            raise _unsupported("max_tokens", " Use 'max_completion_tokens' instead.")
    elif endpoint is Endpoint.CHAT and body.get("reasoning_effort") is not None:
        raise _unsupported("reasoning_effort")
    elif (body.get("reasoning") or {}).get("effort") is not None:
        raise _unsupported("reasoning.effort")
    elif "reasoning.encrypted_content" in (body.get("include") or ()):
        raise invalid("Encrypted content is not supported with this model.", param="include")


def _unsupported(name: str, hint: str = "") -> ApiError:
    message = f"Unsupported parameter: '{name}' is not supported with this model.{hint}"
    return invalid(message, param=name, code="unsupported_parameter")


def check_parameters(endpoint: Endpoint, body: Mapping[str, Any]) -> None:
    """Raises the API's error for the first parameter that is unknown, of the wrong type or out of range."""
    known = PARAMETERS[endpoint]
    for name, value in body.items():
        parameter = known.get(name)
        if parameter is None:
            raise invalid(f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")
        if value is not None:
            _check(name, value, parameter)
    _check_member("service_tier", body.get("service_tier"), _TIERS)
    reasoning = body.get("reasoning") or {}
    _check_member("reasoning.effort", reasoning.get("effort"), _EFFORTS)
    _check_member("reasoning_effort", body.get("reasoning_effort"), _EFFORTS)
    for name in body.get("include") or ():
        _check_member("include", name, _INCLUDES)
    if endpoint is Endpoint.CHAT and body.get("top_logprobs") is not None and not body.get("logprobs"):
        raise invalid("Invalid value for 'top_logprobs': 'logprobs' must be true to use it.", param="top_logprobs")
    if body.get("stream_options") is not None and not body.get("stream"):
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise invalid(message, param="stream_options")
    _check_metadata(body.get("metadata") or {})


def _check_member(place: str, value: Any, allowed: tuple[str, ...]) -> None:
    if value is not None and value not in allowed:
        listed = ", ".join(f"'{name}'" for name in allowed)
        raise invalid(f"Invalid value: '{value}'. Supported values are: {listed}.", param=place, code="invalid_value")


def _check_metadata(metadata: Mapping[str, Any]) -> None:
    if len(metadata) > _MOST_METADATA:
        message = f"Invalid 'metadata': too many properties. Expected an object with at most {_MOST_METADATA}."
        raise invalid(message, param="metadata", code="object_above_max_properties")
    for name, value in metadata.items():
        if not isinstance(value, str):
            message = f"Invalid type for 'metadata.{name}': expected a string, but got {type_name(value)} instead."
            raise invalid(message, param=f"metadata.{name}", code="invalid_type")


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
