"""Which request settings exist, for which endpoint and model.

Settings are written in the Responses API's names. Sources: OpenAI's OpenAPI document (2026-08-21) and the SDK's request
types (openai 3.54.0). Whatever is not listed here is a mistake, never passed on and never dropped. `setting_values`
and `tool_settings` have the values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from snapdrift.model import Endpoint
from snapdrift.openai_api.facts import Capability, ModelInfo
from snapdrift.openai_api.setting_values import (
    LOGPROBS_INCLUDE,
    VALUE_CHECKS,
    Asked,
    did_you_mean,
    flag,
    is_whole,
    mapping,
)
from snapdrift.openai_api.tool_settings import tool_choice_mistakes, tools_mistakes
from snapdrift.suites.registry import Finding, Location
from snapdrift.suites.scope import scope_of_key

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

RESPONSES_ONLY = frozenset({"truncation", "max_tool_calls", "previous_response_id"})
CHAT_ONLY = frozenset({"seed", "stop", "logit_bias", "frequency_penalty", "presence_penalty"})
"""Settings of Chat Completions that the Responses API does not have; they keep their names."""

_STREAM = "`stream: true` of the suite or the variant, beside `request`"
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
    "stream": _STREAM,
    "stream_options": _STREAM,
}
_STATEFUL = frozenset({"background", "conversation", "prompt"})
_SAMPLING = ("temperature", "top_p", "top_logprobs", "frequency_penalty", "presence_penalty", "logit_bias", "stop")
"""What reasoning models do not take (OpenAI documentation, guides/reasoning; StopConfiguration of the document)."""
_CAPABILITIES: Mapping[str, Capability] = {
    "temperature": "temperature",
    "top_p": "temperature",
    "top_logprobs": "logprobs",
}
"""What in the catalogue says of a model by itself whether it takes a setting of sampling."""


def find_mistakes(
    info: ModelInfo | None, model: str, endpoint: Endpoint, request: Mapping[str, Any]
) -> tuple[Finding, ...]:
    """Everything in `request` that the endpoint or the model does not take, or with a value that the API refuses."""
    asked = Asked(model, endpoint)
    found: list[Finding] = []
    if info is not None and info.endpoints and endpoint not in info.endpoints:
        offered = " or ".join(info.endpoints)
        found.append(Finding((), f"{model} cannot be asked on the endpoint {endpoint.value}", f"expected {offered}"))
    for name in request:
        unknown = _unknown_setting(name, endpoint)
        found.extend([unknown] if unknown is not None else _values(name, request, asked))
    found.extend(_mistakes_between(request))
    if info is not None:
        found.extend(_model_mistakes(info, model, endpoint, request))
    return tuple(found)


def _values(name: str, request: Mapping[str, Any], asked: Asked) -> Iterator[Finding]:
    if name == "tools":
        yield from tools_mistakes(request["tools"], asked)
    elif name == "tool_choice":
        yield from tool_choice_mistakes(request["tool_choice"], request, asked)
    elif name == "parallel_tool_calls":
        yield from flag(name)(request[name], asked)
        if asked.endpoint is Endpoint.CHAT and not request.get("tools"):
            found = "Chat Completions takes `parallel_tool_calls` with `tools` only"
            yield Finding((name,), found, "expected `tools` beside it, or leave it out")
    elif name in VALUE_CHECKS:
        yield from VALUE_CHECKS[name](request[name], asked)


def _unknown_setting(name: str, endpoint: Endpoint) -> Finding | None:
    known = COMMON | (RESPONSES_ONLY if endpoint is Endpoint.RESPONSES else CHAT_ONLY)
    if name in known:
        return None
    if name in _STATEFUL:
        return Finding((name,), f"`{name}` is not taken", "expected requests that stand alone: leave it out")
    if name in _ELSEWHERE:
        return Finding((name,), f"`{name}` is not a request setting here", f"expected {_ELSEWHERE[name]}")
    outside = scope_of_key(name)
    if outside is not None:
        return Finding((name,), *outside)
    if name in CHAT_ONLY:
        reason = f"the Responses API has no `{name}`"
        return Finding((name,), reason, "expected `endpoint: chat` for it, or leave it out")
    if name in RESPONSES_ONLY:
        reason = f"Chat Completions has no `{name}`"
        return Finding((name,), reason, "expected `endpoint: responses` for it, or leave it out")
    return Finding((name,), f"unknown setting `{name}` for the endpoint {endpoint.value}", did_you_mean(name, known))


def _mistakes_between(request: Mapping[str, Any]) -> Iterator[Finding]:
    """Settings that come to nothing, or are refused, without another one."""
    if request.get("previous_response_id") is True and request.get("store") is not True:
        expected = "expected `store: true` beside it: OpenAI can go on only from an answer that it kept"
        yield Finding(("previous_response_id",), "`previous_response_id` without `store: true`", expected)
    if "top_logprobs" in request and not _includes(request, LOGPROBS_INCLUDE):
        expected = f"expected `include: [{LOGPROBS_INCLUDE}]` beside it: without, no logprobs come back"
        yield Finding(("top_logprobs",), "`top_logprobs` without the include that brings them", expected)


def _includes(request: Mapping[str, Any], item: str) -> bool:
    included = request.get("include")
    return isinstance(included, list | tuple) and item in included


def _model_mistakes(info: ModelInfo, model: str, endpoint: Endpoint, request: Mapping[str, Any]) -> Iterator[Finding]:
    yield from _format_mistakes(info, model, endpoint, request)
    yield from _reasoning_mistakes(info, model, endpoint, request)
    cap = request.get("max_output_tokens")
    if is_whole(cap) and info.max_output is not None and cap > info.max_output:
        expected = f"expected at most {info.max_output}"
        yield Finding(("max_output_tokens",), f"{cap} is more than {model} can write", expected)
    if "tools" not in request:
        return
    if info.can("tools", endpoint) is False:
        yield Finding(("tools",), f"{model} does not call functions", "leave `tools` out")
    elif info.can("strict_tools", endpoint) is False:
        for index, tool in enumerate(request["tools"] if isinstance(request["tools"], list) else ()):
            if mapping(tool).get("strict") is True:
                found = f"{model} does not take strict functions"
                yield Finding(("tools", index, "strict"), found, "expected `strict: false`, or leave it out")


def _format_mistakes(info: ModelInfo, model: str, endpoint: Endpoint, request: Mapping[str, Any]) -> Iterator[Finding]:
    kind = mapping(mapping(request.get("text")).get("format")).get("type")
    place: Location = ("text", "format", "type")
    if kind == "json_schema" and info.can("json_schema", endpoint) is False:
        expected = "expected `type: json_object` or `type: text`, or gpt-4o-2024-08-06 or later"
        yield Finding(place, f"{model} does not take json_schema (Structured Outputs)", expected)
    if kind == "json_object" and info.can("json_object", endpoint) is False:
        yield Finding(place, f"{model} does not take json_object (JSON mode)", "expected `type: text`")


def _reasoning_mistakes(
    info: ModelInfo, model: str, endpoint: Endpoint, request: Mapping[str, Any]
) -> Iterator[Finding]:
    reasoning = mapping(request.get("reasoning"))
    reasons = info.can("reasoning", endpoint)
    if reasons is False and reasoning:
        key = "effort" if "effort" in reasoning else next(iter(reasoning))
        yield Finding(("reasoning", key), f"{model} does not reason", "leave `reasoning` out")
    # Models that can be told not to reason take the settings of sampling when they are told so.
    samples = reasons is not True or reasoning.get("effort") == "none"
    why = "is a reasoning model and does not take" if reasons is True else "does not take"
    for name in _SAMPLING:
        capability = _CAPABILITIES.get(name)
        can = None if capability is None else info.can(capability, endpoint)
        if name in request and (can is False or (can is None and not samples)):
            expected = f"expected `{name}: null` in this variant's request"
            yield Finding((name,), f"{model} {why} `{name}`", expected)
