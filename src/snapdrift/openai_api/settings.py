"""Which request settings exist, for which endpoint and model, and what values they take.

Settings are written in the Responses API's names. Sources: OpenAI's OpenAPI document (2026-08-21) and the SDK's request
types (openai 3.54.0). Whatever is not listed here is a mistake, never passed on and never dropped.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

from snapdrift.model import Endpoint
from snapdrift.suites.registry import Finding, Location

if TYPE_CHECKING:
    from datetime import date

COMMON = frozenset(
    {
        "temperature",
        "top_p",
        "top_logprobs",
        "max_output_tokens",
        "text",
        "reasoning",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "service_tier",
        "metadata",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
        "user",
        "include",
        "store",
    }
)
"""Settings that both endpoints take, the Chat endpoint under another name or at another place where need be."""

RESPONSES_ONLY = frozenset({"truncation", "max_tool_calls"})
CHAT_ONLY = frozenset({"seed", "stop", "logit_bias", "frequency_penalty", "presence_penalty"})
"""Settings of Chat Completions that the Responses API does not have; they keep their names."""

LOGPROBS_INCLUDE = "message.output_text.logprobs"
MIN_OUTPUT_TOKENS = {Endpoint.RESPONSES: 16, Endpoint.CHAT: 1}
"""The API refuses a smaller `max_output_tokens` (OpenAPI document: minimum 16 on /v1/responses)."""

_ELSEWHERE = {
    "model": "the variant's own key `model`",
    "input": "the prompt (`prompt: {input: ...}`)",
    "messages": "the prompt (`prompt: {input: [...]}`)",
    "instructions": "the prompt (`prompt: {instructions: ...}`)",
    "n": "`repeats` of the suite: each answer is asked for by itself",
    "max_tokens": "`max_output_tokens`",
    "max_completion_tokens": "`max_output_tokens`",
    "response_format": "`text: {format: ...}`",
    "reasoning_effort": "`reasoning: {effort: ...}`",
    "verbosity": "`text: {verbosity: ...}`",
    "logprobs": f"`include: [{LOGPROBS_INCLUDE}]` and `top_logprobs`",
    "functions": "`tools`",
    "function_call": "`tool_choice`",
}
_NOT_YET = frozenset({"tools", "tool_choice", "parallel_tool_calls", "max_tool_calls", "stream", "stream_options"})
_STATEFUL = frozenset({"background", "previous_response_id", "conversation", "prompt"})
_FORMAT_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_FORMAT_TYPES = ("text", "json_object", "json_schema")
_FORMAT_KEYS = {
    "text": frozenset({"type"}),
    "json_object": frozenset({"type"}),
    "json_schema": frozenset({"type", "name", "schema", "strict", "description"}),
}
_VERBOSITIES = ("low", "medium", "high")


class ModelLimits(Protocol):
    """What of a model's facts decides whether it takes a setting; None is not known."""

    @property
    def max_output(self) -> int | None:
        """The most output tokens of one answer."""

    @property
    def json_schema(self) -> bool | None:
        """Whether it takes Structured Outputs."""

    @property
    def tools(self) -> bool | None:
        """Whether it calls functions."""

    @property
    def reasoning(self) -> bool | None:
        """Whether it reasons before it answers."""

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where it can be asked; empty is not known."""

    @property
    def shutdown(self) -> date | None:
        """When it stops answering."""


def find_mistakes(
    info: ModelLimits | None, model: str, endpoint: Endpoint, request: Mapping[str, Any]
) -> tuple[Finding, ...]:
    """Everything in `request` that the endpoint or the model does not take, or with a value that the API refuses."""
    found: list[Finding] = []
    if info is not None and info.endpoints and endpoint not in info.endpoints:
        offered = " or ".join(info.endpoints)
        found.append(Finding((), f"{model} cannot be asked on the endpoint {endpoint.value}", f"expected {offered}"))
    for name in request:
        unknown = _unknown_setting(name, endpoint)
        if unknown is not None:
            found.append(unknown)
        elif name in _VALUE_CHECKS:
            found.extend(_VALUE_CHECKS[name](request[name], endpoint))
    if info is not None:
        found.extend(_model_mistakes(info, model, request))
    return tuple(found)


def did_you_mean(name: str, known: frozenset[str] | tuple[str, ...]) -> str:
    """`did you mean x?` for the nearest known name, else the list of them all."""
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f"did you mean `{close[0]}`?" if close else f"expected one of {', '.join(sorted(known))}"


def _unknown_setting(name: str, endpoint: Endpoint) -> Finding | None:
    known = COMMON | (RESPONSES_ONLY if endpoint is Endpoint.RESPONSES else CHAT_ONLY)
    if name in _NOT_YET:
        return Finding((name,), f"`{name}` is not available yet in this version", "leave it out")
    if name in known:
        return None
    if name in _STATEFUL:
        return Finding((name,), f"`{name}` is not taken", "expected requests that stand alone: leave it out")
    if name in _ELSEWHERE:
        return Finding((name,), f"`{name}` is not a request setting here", f"expected {_ELSEWHERE[name]}")
    if name in CHAT_ONLY:
        reason = f"the Responses API has no `{name}`"
        return Finding((name,), reason, "expected `endpoint: chat` for it, or leave it out")
    if name in RESPONSES_ONLY:
        reason = f"Chat Completions has no `{name}`"
        return Finding((name,), reason, "expected `endpoint: responses` for it, or leave it out")
    return Finding((name,), f"unknown setting `{name}` for the endpoint {endpoint.value}", did_you_mean(name, known))


def _model_mistakes(info: ModelLimits, model: str, request: Mapping[str, Any]) -> Iterator[Finding]:
    text_format = _mapping(_mapping(request.get("text")).get("format"))
    if text_format.get("type") == "json_schema" and info.json_schema is False:
        expected = "expected `type: json_object` or `type: text`, or gpt-4o-2024-08-06 or later"
        yield Finding(("text", "format", "type"), f"{model} does not take json_schema (Structured Outputs)", expected)
    if info.reasoning is True:
        for name in ("temperature", "top_p"):
            if name in request:
                found = f"{model} is a reasoning model and does not take `{name}`"
                yield Finding((name,), found, f"expected `{name}: null` in this variant's request")
    if info.reasoning is False and _mapping(request.get("reasoning")).get("effort") is not None:
        yield Finding(("reasoning", "effort"), f"{model} does not reason", "leave `reasoning` out")
    cap = request.get("max_output_tokens")
    if _is_int(cap) and info.max_output is not None and cap > info.max_output:
        expected = f"expected at most {info.max_output}"
        yield Finding(("max_output_tokens",), f"{cap} is more than {model} can write", expected)
    if "tools" in request and info.tools is False:
        yield Finding(("tools",), f"{model} does not call functions", "leave `tools` out")


# --------------------------------------------------------------------------------------------------- values of settings

_Check = Callable[[Any, Endpoint], Iterator[Finding]]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _is_int(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(name: str, low: float, high: float, *, whole: bool = False) -> _Check:
    def check(value: Any, _endpoint: Endpoint) -> Iterator[Finding]:
        fits = _is_int(value) if whole else isinstance(value, int | float) and not isinstance(value, bool)
        if not fits or not low <= value <= high:
            kind = "a whole number" if whole else "a number"
            yield Finding((name,), f"found {value!r}", f"expected {kind} from {low:g} to {high:g}")

    return check


def _output_cap(value: Any, endpoint: Endpoint) -> Iterator[Finding]:
    least = MIN_OUTPUT_TOKENS[endpoint]
    if not _is_int(value) or value < least:
        expected = f"expected a whole number of at least {least} (the least that the {endpoint.value} endpoint takes)"
        yield Finding(("max_output_tokens",), f"found {value!r}", expected)


def _text(value: Any, _endpoint: Endpoint) -> Iterator[Finding]:
    if not isinstance(value, Mapping):
        yield Finding(("text",), f"found {value!r}", "expected a mapping such as {format: {type: text}}")
        return
    known = frozenset({"format", "verbosity"})
    for key in value:
        if key not in known:
            yield Finding(("text", key), f"unknown key `{key}`", did_you_mean(str(key), known))
    if "verbosity" in value and value["verbosity"] not in _VERBOSITIES:
        expected = f"expected one of {', '.join(_VERBOSITIES)}"
        yield Finding(("text", "verbosity"), f"found {value['verbosity']!r}", expected)
    if "format" in value:
        yield from _format(value["format"])


def _format(value: Any) -> Iterator[Finding]:
    place: Location = ("text", "format")
    kind = _mapping(value).get("type")
    if kind not in _FORMAT_TYPES:
        expected = f"expected a mapping with `type` being one of {', '.join(_FORMAT_TYPES)}"
        yield Finding((*place, "type") if isinstance(value, Mapping) else place, f"found {kind or value!r}", expected)
        return
    for key in value:
        if key not in _FORMAT_KEYS[kind]:
            found = f"unknown key `{key}` of a format of type {kind}"
            yield Finding((*place, key), found, did_you_mean(str(key), _FORMAT_KEYS[kind]))
    if kind != "json_schema":
        return
    name = value.get("name")
    if not isinstance(name, str) or not _FORMAT_NAME.fullmatch(name):
        expected = "expected a name of up to 64 letters, digits, `_` and `-`"
        yield Finding((*place, "name"), f"found {name!r}" if "name" in value else "`name` is missing", expected)
    if not isinstance(value.get("schema"), Mapping):
        found = f"found {value['schema']!r}" if "schema" in value else "`schema` is missing"
        yield Finding((*place, "schema"), found, "expected a JSON Schema, or the path of a file with one")
    if not isinstance(value.get("strict", False), bool):
        yield Finding((*place, "strict"), f"found {value['strict']!r}", "expected true or false")


def _reasoning(value: Any, endpoint: Endpoint) -> Iterator[Finding]:
    if not isinstance(value, Mapping):
        yield Finding(("reasoning",), f"found {value!r}", "expected a mapping such as {effort: low}")
        return
    known = frozenset({"effort", "summary"}) if endpoint is Endpoint.RESPONSES else frozenset({"effort"})
    for key in value:
        if key not in known:
            found = f"the {endpoint.value} endpoint does not take `reasoning.{key}`"
            yield Finding(("reasoning", key), found, did_you_mean(str(key), known))


def _include(value: Any, endpoint: Endpoint) -> Iterator[Finding]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        yield Finding(("include",), f"found {value!r}", f"expected a list such as [{LOGPROBS_INCLUDE}]")
        return
    for index, item in enumerate(value):
        if endpoint is Endpoint.CHAT and item != LOGPROBS_INCLUDE:
            found = f"Chat Completions cannot include {item!r}"
            yield Finding(("include", index), found, f"expected {LOGPROBS_INCLUDE}, or leave it out")


def _store(value: Any, _endpoint: Endpoint) -> Iterator[Finding]:
    if value is not False:
        yield Finding(("store",), f"found {value!r}", "expected false: Snapdrift leaves no answers at OpenAI")


def _metadata(value: Any, _endpoint: Endpoint) -> Iterator[Finding]:
    fits = isinstance(value, Mapping) and len(value) <= 16
    if not fits or not all(
        isinstance(key, str) and len(key) <= 64 and isinstance(item, str) and len(item) <= 512
        for key, item in value.items()
    ):
        expected = "expected up to 16 pairs of text, keys up to 64 and values up to 512 characters"
        yield Finding(("metadata",), f"found {value!r}", expected)


def _service_tier(value: Any, _endpoint: Endpoint) -> Iterator[Finding]:
    # Priority processing is billed at prices of its own, which the catalogue lacks: no budget could be kept.
    if value == "priority":
        found = "`service_tier: priority` is not available yet: its prices are not in the catalogue"
        yield Finding(("service_tier",), found, "expected default, or leave it out")


_VALUE_CHECKS: dict[str, _Check] = {
    "temperature": _number("temperature", 0, 2),
    "top_p": _number("top_p", 0, 1),
    "top_logprobs": _number("top_logprobs", 0, 20, whole=True),
    "frequency_penalty": _number("frequency_penalty", -2, 2),
    "presence_penalty": _number("presence_penalty", -2, 2),
    "seed": _number("seed", -(2**63), 2**63 - 1, whole=True),
    "max_output_tokens": _output_cap,
    "text": _text,
    "reasoning": _reasoning,
    "include": _include,
    "store": _store,
    "metadata": _metadata,
    "service_tier": _service_tier,
}
