"""What a response body says, read tolerantly: unknown fields are ignored, missing ones are empty.

Real servers add fields and leave documented ones out, so nothing here trusts a type that it has not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from snapdrift.model import Outcome, ToolCall, Usage

_MOST = 2**53


@dataclass(frozen=True, slots=True)
class ParsedAnswer:
    """What a body says of the model's answer; the client adds what the transport knows and makes an `Answer` of it."""

    outcome: Outcome
    text: str
    returned_model: str | None = None
    usage: Usage | None = None
    finish_reason: str | None = None
    refusal: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    service_tier: str | None = None


def decide_outcome(*, filtered: bool, refused: bool, truncated: bool) -> Outcome:
    """Decide what an answer counts as: what the filter cut is filtered, and a refusal that was cut is a refusal."""
    if filtered:
        return Outcome.FILTERED
    if refused:
        return Outcome.REFUSED
    return Outcome.TRUNCATED if truncated else Outcome.OK


def mapping_of(value: Any) -> Mapping[str, Any]:
    """Return `value` if it is a JSON object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def mappings_of(value: Any) -> list[Mapping[str, Any]]:
    """Return the JSON objects of a list, and nothing of what is no list."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def text_of(value: Any) -> str:
    """Return `value` if it is text, else "". Lone surrogates, which no file can hold, become U+FFFD."""
    if not isinstance(value, str):
        return ""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def name_of(value: Any) -> str | None:
    """Return `value` if it is non-empty text, else None."""
    return text_of(value) or None


def count_of(value: Any) -> int:
    """Return `value` if it is a number of tokens, else 0."""
    return value if _is_count(value) else 0


def _is_count(value: Any) -> TypeGuard[int]:
    """Whether it counts something. What no double holds exactly would end the run that reckons with it."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST


def usage_of(value: Any, names: Sequence[str]) -> Usage | None:
    """Read a `usage` object; `names` are its keys for input and output and their details.

    None where it does not say both numbers: taken for zero, an answer would cost nothing.
    """
    if not isinstance(value, Mapping):
        return None
    input_key, input_details, output_key, output_details = names
    if not all(_is_count(value.get(key)) for key in (input_key, output_key)):
        return None
    return Usage(
        input_tokens=count_of(value.get(input_key)),
        cached_tokens=count_of(mapping_of(value.get(input_details)).get("cached_tokens")),
        output_tokens=count_of(value.get(output_key)),
        reasoning_tokens=count_of(mapping_of(value.get(output_details)).get("reasoning_tokens")),
    )
