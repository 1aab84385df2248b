"""What response headers say of the account's rate limits: `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`.

Source: OpenAI documentation, guides/rate-limits ("Rate limits in headers"). They may be missing, also on a 429, and a
variant for the tokens of a project exists; Azure sends -1 and 0 for what it does not know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from snapdrift.model import ToldLimit, ToldLimits

_PREFIX = "x-ratelimit-"
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|h|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_SHORTEST = len("x-ratelimit-limit-tokens")
_LONGEST = 40
"""Characters of a value that is read at all: no number and no duration is longer."""


def told_limits(headers: Mapping[str, str]) -> ToldLimits | None:
    """Return what the headers tell, None where they tell nothing that can be believed."""
    said = _said(headers)
    if not said:
        return None
    requests = _told(said, "requests")
    tokens = _tighter(_told(said, "tokens"), _told(said, "project-tokens"))
    return ToldLimits(requests, tokens) if requests or tokens else None


def told_by(error: Exception) -> ToldLimits | None:
    """Return what the headers of an error's response tell; None for an error without a response."""
    response = getattr(error, "response", None)
    headers = getattr(response, "headers", None)
    return told_limits(headers) if isinstance(headers, Mapping) else getattr(error, "told", None)


@lru_cache(maxsize=256)
def go_seconds(text: str) -> float | None:
    """Return the seconds of a duration as Go writes it (`6m0s`, `8.64s`, `6ms`), or of a number; None of others."""
    try:
        seconds = float(text)
    except ValueError:
        parts = _DURATION.findall(text)
        if not parts or "".join(number + unit for number, unit in parts) != text:
            return None
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    return seconds if 0.0 <= seconds < float("inf") else None


def _said(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of limits, their names in lower case; from the raw bytes where there are some, as for every call."""
    raw = getattr(headers, "raw", None)
    if isinstance(raw, list):
        long = [(name.decode("latin-1").lower(), value) for name, value in raw if len(name) >= _SHORTEST]
        return {n: value.decode("latin-1") for n, value in long if n.startswith(_PREFIX) and len(value) <= _LONGEST}
    named = [(name.lower(), value) for name, value in headers.items() if len(value) <= _LONGEST]
    return {name: value for name, value in named if name.startswith(_PREFIX)}


def _told(said: Mapping[str, str], what: str) -> ToldLimit | None:
    limit = _whole(said.get(f"{_PREFIX}limit-{what}"))
    if not limit or limit < 0:
        return None
    remaining = _whole(said.get(f"{_PREFIX}remaining-{what}"))
    if remaining is not None and not 0 <= remaining <= limit:
        remaining = None
    reset = said.get(f"{_PREFIX}reset-{what}")
    return ToldLimit(limit, remaining, None if reset is None else go_seconds(reset))


def _tighter(one: ToldLimit | None, other: ToldLimit | None) -> ToldLimit | None:
    """Of the limits of an organisation and of a project that which leaves less."""
    if one is None or other is None:
        return one or other
    return min(one, other, key=lambda told: told.limit if told.remaining is None else told.remaining)


def _whole(text: str | None) -> int | None:
    try:
        return int(text) if text is not None else None
    except ValueError:
        return None
