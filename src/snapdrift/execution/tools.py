"""What a tool call gets back: the first entry of the case's `tool_results` that it matches."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from snapdrift.graders.comparers import same_json
from snapdrift.graders.normalise import normalised
from snapdrift.model import NormaliseStep, ToolCall, ToolResult, canonical_json
from snapdrift.suites.tool_results import CannedResult, Match

_SHOWN = 200


class UnmatchedToolError(Exception):
    """A case has no result for a tool call; the text says for which, and what comes nearest."""


def arguments_of(call: ToolCall) -> dict[str, Any]:
    """The arguments of a call as the JSON object that they should be; empty text counts as no arguments.

    Raises `UnmatchedToolError` for anything else.
    """
    try:
        arguments = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        raise UnmatchedToolError(
            f"the model called {call.name} with arguments that are no JSON object: {shown(call.arguments)}"
        )
    return arguments


def canned_result(entries: Sequence[CannedResult], call: ToolCall, nth: int) -> ToolResult:
    """What the `nth` call (from 1) of a tool gets: the first entry that it matches. Raises `UnmatchedToolError`."""
    arguments = arguments_of(call)
    for entry in entries:
        if entry.nth in (None, nth) and (entry.args is None or _matches(entry, arguments)):
            return ToolResult(call.call_id, call.name, entry.output, entry.label, entry.is_error)
    which = "" if nth == 1 else f", call {nth} of it,"
    raise UnmatchedToolError(
        f"the model called {call.name}({shown(canonical_json(arguments))}){which} which matches none of its "
        f"tool_results{_nearest(entries, arguments)}"
    )


def not_listed(call: ToolCall, known: Sequence[str]) -> UnmatchedToolError:
    """The error of a call to a tool that the case has no results for."""
    have = ", ".join(known) or "no tool"
    return UnmatchedToolError(
        f"the model called {call.name}({shown(call.arguments)}); the case's tool_results have {have}"
    )


def shown(text: str) -> str:
    """Text that the model wrote, short enough for a sentence."""
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _matches(entry: CannedResult, arguments: Mapping[str, Any]) -> bool:
    wanted, found = entry.args, arguments
    if entry.normalise:
        wanted, found = _normalised(wanted, entry.normalise), _normalised(found, entry.normalise)
    return _within(wanted, found) if entry.match is Match.SUBSET else same_json(found, wanted)


def _within(wanted: Any, found: Any) -> bool:
    """Whether `found` has all of `wanted`: objects may have further keys at every depth, lists are as long."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return all(key in found and _within(value, found[key]) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(map(_within, wanted, found))
    return same_json(found, wanted)


def _normalised(value: Any, steps: tuple[NormaliseStep, ...]) -> Any:
    """A JSON value with the steps applied to every text in it; keys stay as they are."""
    if isinstance(value, str):
        return normalised(value, steps)
    if isinstance(value, Mapping):
        return {key: _normalised(item, steps) for key, item in value.items()}
    return [_normalised(item, steps) for item in value] if isinstance(value, list) else value


def _nearest(entries: Sequence[CannedResult], arguments: Mapping[str, Any]) -> str:
    """A clause about the entry whose arguments read most like those of the call."""
    text = canonical_json(arguments)[:_SHOWN]

    def likeness(entry: CannedResult) -> float:
        return difflib.SequenceMatcher(None, canonical_json(entry.args)[:_SHOWN], text).ratio()

    with_arguments = [entry for entry in entries if entry.args is not None]
    if not with_arguments:
        return ""
    nearest = max(with_arguments, key=likeness)
    limit = "" if nearest.nth is None else f" of call {nearest.nth}"
    return f"; nearest is {nearest.label}{limit} with args {shown(canonical_json(nearest.args))}"
