"""What values each request setting takes, in the Responses API's names. Sources: see `settings`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from snapdrift.model import Endpoint
from snapdrift.openai_api.strict_schema import schema_mistakes, strict_mistakes
from snapdrift.suites.registry import Finding, Location

LOGPROBS_INCLUDE = "message.output_text.logprobs"
ENCRYPTED_INCLUDE = "reasoning.encrypted_content"
INCLUDES = (
    LOGPROBS_INCLUDE,
    ENCRYPTED_INCLUDE,
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
)
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
SUMMARIES = ("auto", "concise", "detailed")
VERBOSITIES = ("low", "medium", "high")
SERVICE_TIERS = {
    Endpoint.RESPONSES: ("auto", "default", "flex", "scale", "priority", "fast", "ultrafast"),
    Endpoint.CHAT: ("auto", "default", "flex", "scale", "priority", "fast"),
}
MIN_OUTPUT_TOKENS = {Endpoint.RESPONSES: 16, Endpoint.CHAT: 1}
"""The API refuses a smaller `max_output_tokens` (OpenAPI document: minimum 16 on /v1/responses)."""
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Names of formats and functions."""
NAME_FORM = "expected a name of up to 64 letters, digits, `_` and `-`"

_MAX_STOPS = 4
_FORMAT_KEYS = {
    "text": frozenset({"type"}),
    "json_object": frozenset({"type"}),
    "json_schema": frozenset({"type", "name", "schema", "strict", "description"}),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom settings are for."""

    model: str
    endpoint: Endpoint

    @property
    def fine_tuned(self) -> bool:
        """Whether the model is a fine-tuned one, which takes less of a strict schema."""
        return self.model.startswith("ft:")


Check = Callable[[Any, Asked], Iterator[Finding]]


def did_you_mean(name: str, known: Collection[str]) -> str:
    """`did you mean x?` for the nearest known name, else the list of them all."""
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f"did you mean `{close[0]}`?" if close else f"expected one of {', '.join(sorted(known))}"


def mapping(value: Any) -> Mapping[str, Any]:
    """`value` if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def is_whole(value: Any) -> TypeGuard[int]:
    """Whether it is a whole number; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def schema_findings(schema: Any, place: Location, *, strict: bool, asked: Asked) -> Iterator[Finding]:
    """What is wrong with a schema that is sent, under `place`: the strict subset only where `strict` is asked for."""
    found = list(schema_mistakes(schema))
    if not found and strict:
        found = list(strict_mistakes(schema, fine_tuned=asked.fine_tuned))
    yield from (Finding((*place, *one.location), one.found, one.expected) for one in found)


def flag(name: str) -> Check:
    """The check of a setting that is true or false."""

    def check(value: Any, _asked: Asked) -> Iterator[Finding]:
        if not isinstance(value, bool):
            yield Finding((name,), f"found {value!r}", "expected true or false")

    return check


def _number(name: str, low: float, high: float, *, whole: bool = False) -> Check:
    def check(value: Any, _asked: Asked) -> Iterator[Finding]:
        fits = is_whole(value) if whole else isinstance(value, int | float) and not isinstance(value, bool)
        if not fits or not low <= value <= high:
            kind = "a whole number" if whole else "a number"
            yield Finding((name,), f"found {value!r}", f"expected {kind} from {low:g} to {high:g}")

    return check


def _words(name: str, known: Collection[str]) -> Check:
    def check(value: Any, _asked: Asked) -> Iterator[Finding]:
        yield from _word(value, (name,), known)

    return check


def _word(value: Any, place: Location, known: Collection[str]) -> Iterator[Finding]:
    if not isinstance(value, str) or value not in known:
        yield Finding(place, f"found {value!r}", f"expected one of {', '.join(known)}")


def _text_up_to(name: str, most: int | None = None) -> Check:
    def check(value: Any, _asked: Asked) -> Iterator[Finding]:
        if not isinstance(value, str) or not value or (most is not None and len(value) > most):
            yield Finding((name,), f"found {value!r}", f"expected text{f' of up to {most} characters' if most else ''}")

    return check


def _output_cap(value: Any, asked: Asked) -> Iterator[Finding]:
    least = MIN_OUTPUT_TOKENS[asked.endpoint]
    if not is_whole(value) or value < least:
        expected = f"expected a whole number of at least {least} (the least that the {asked.endpoint} endpoint takes)"
        yield Finding(("max_output_tokens",), f"found {value!r}", expected)


def _tool_calls(value: Any, _asked: Asked) -> Iterator[Finding]:
    if not is_whole(value) or value < 1:
        yield Finding(("max_tool_calls",), f"found {value!r}", "expected a whole number of at least 1")


def _text(value: Any, asked: Asked) -> Iterator[Finding]:
    if not isinstance(value, Mapping):
        yield Finding(("text",), f"found {value!r}", "expected a mapping such as {format: {type: text}}")
        return
    known = frozenset({"format", "verbosity"})
    for key in value:
        if key not in known:
            yield Finding(("text", key), f"unknown key `{key}`", did_you_mean(str(key), known))
    if "verbosity" in value:
        yield from _word(value["verbosity"], ("text", "verbosity"), VERBOSITIES)
    if "format" in value:
        yield from _format(value["format"], asked)


def _format(value: Any, asked: Asked) -> Iterator[Finding]:
    place: Location = ("text", "format")
    kind = mapping(value).get("type")
    if not isinstance(kind, str) or kind not in _FORMAT_KEYS:
        expected = f"expected a mapping with `type` being one of {', '.join(_FORMAT_KEYS)}"
        yield Finding((*place, "type") if isinstance(value, Mapping) else place, f"found {kind or value!r}", expected)
        return
    for key in value:
        if key not in _FORMAT_KEYS[kind]:
            found = f"unknown key `{key}` of a format of type {kind}"
            yield Finding((*place, key), found, did_you_mean(str(key), _FORMAT_KEYS[kind]))
    if kind != "json_schema":
        return
    name = value.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        yield Finding((*place, "name"), f"found {name!r}" if "name" in value else "`name` is missing", NAME_FORM)
    if not isinstance(value.get("strict", False), bool):
        yield Finding((*place, "strict"), f"found {value['strict']!r}", "expected true or false")
    if "schema" in value:
        strict = value.get("strict") is True
        yield from schema_findings(value["schema"], (*place, "schema"), strict=strict, asked=asked)
    else:
        expected = "expected a JSON Schema, or the path of a file with one"
        yield Finding((*place, "schema"), "`schema` is missing", expected)


def _reasoning(value: Any, asked: Asked) -> Iterator[Finding]:
    if not isinstance(value, Mapping):
        yield Finding(("reasoning",), f"found {value!r}", "expected a mapping such as {effort: low}")
        return
    known = frozenset({"effort", "summary"}) if asked.endpoint is Endpoint.RESPONSES else frozenset({"effort"})
    for key in value:
        if key not in known:
            found = f"the {asked.endpoint} endpoint does not take `reasoning.{key}`"
            yield Finding(("reasoning", key), found, did_you_mean(str(key), known))
    if "effort" in value:
        yield from _word(value["effort"], ("reasoning", "effort"), EFFORTS)
    if "summary" in value and "summary" in known:
        yield from _word(value["summary"], ("reasoning", "summary"), SUMMARIES)


def _include(value: Any, asked: Asked) -> Iterator[Finding]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        yield Finding(("include",), f"found {value!r}", f"expected a list such as [{LOGPROBS_INCLUDE}]")
        return
    for index, item in enumerate(value):
        if item not in INCLUDES:
            yield Finding(("include", index), f"unknown include {item!r}", did_you_mean(item, INCLUDES))
        elif asked.endpoint is Endpoint.CHAT and item != LOGPROBS_INCLUDE:
            found = f"Chat Completions cannot include {item!r}"
            yield Finding(("include", index), found, f"expected {LOGPROBS_INCLUDE}, or leave it out")


def _metadata(value: Any, _asked: Asked) -> Iterator[Finding]:
    fits = isinstance(value, Mapping) and len(value) <= 16
    if not fits or not all(
        isinstance(key, str) and len(key) <= 64 and isinstance(item, str) and len(item) <= 512
        for key, item in value.items()
    ):
        expected = "expected up to 16 pairs of text, keys up to 64 and values up to 512 characters"
        yield Finding(("metadata",), f"found {value!r}", expected)


def _service_tier(value: Any, asked: Asked) -> Iterator[Finding]:
    yield from _word(value, ("service_tier",), SERVICE_TIERS[asked.endpoint])


def _previous_response(value: Any, _asked: Asked) -> Iterator[Finding]:
    if not isinstance(value, bool):
        expected = "expected true: each later request of a call then names the answer before it"
        yield Finding(("previous_response_id",), f"found {value!r}", expected)


def _stop(value: Any, _asked: Asked) -> Iterator[Finding]:
    texts = [value] if isinstance(value, str) else value
    fits = isinstance(texts, list) and 1 <= len(texts) <= _MAX_STOPS
    if not fits or not all(isinstance(text, str) and text for text in texts):
        yield Finding(("stop",), f"found {value!r}", f"expected text, or a list of up to {_MAX_STOPS} texts")


def _logit_bias(value: Any, _asked: Asked) -> Iterator[Finding]:
    if not isinstance(value, Mapping) or not all(is_whole(bias) and -100 <= bias <= 100 for bias in value.values()):
        yield Finding(("logit_bias",), f"found {value!r}", "expected token ids with whole numbers from -100 to 100")


VALUE_CHECKS: dict[str, Check] = {
    "temperature": _number("temperature", 0, 2),
    "top_p": _number("top_p", 0, 1),
    "top_logprobs": _number("top_logprobs", 0, 20, whole=True),
    "frequency_penalty": _number("frequency_penalty", -2, 2),
    "presence_penalty": _number("presence_penalty", -2, 2),
    "seed": _number("seed", -(2**63), 2**63 - 1, whole=True),
    "stop": _stop,
    "logit_bias": _logit_bias,
    "max_output_tokens": _output_cap,
    "max_tool_calls": _tool_calls,
    "text": _text,
    "reasoning": _reasoning,
    "include": _include,
    "truncation": _words("truncation", ("auto", "disabled")),
    "store": flag("store"),
    "previous_response_id": _previous_response,
    "metadata": _metadata,
    "service_tier": _service_tier,
    "prompt_cache_key": _text_up_to("prompt_cache_key"),
    "prompt_cache_retention": _words("prompt_cache_retention", ("in_memory", "24h")),
    "safety_identifier": _text_up_to("safety_identifier", 64),
    "user": _text_up_to("user"),
}
