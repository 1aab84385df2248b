"""The `tool_results` of a case: what each tool call gets back, written out in the dataset or made by a Python fake.

```yaml
tool_results:
  lookup_order:
    - {args: {order: "5521"}, returns: {status: shipped}}
    - {nth: 2, error: timeout}
    - {otherwise: {error: not_found}}
  charge_card: {python: fakes/cards.py:charge}
```

This module reads the form; `execution.tools` finds the entry that a call gets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from snapdrift.model import NormaliseStep
from snapdrift.suites.registry import Finding, Location
from snapdrift.suites.wording import did_you_mean, listed, quoted

PYTHON = "python"
"""The key that names a function, here and in a variant: `{python: PATH:FUNCTION}`."""

_RESULTS = ("returns", "error")
_MATCHERS = ("args", "nth", "otherwise")
_KEYS = ("args", "match", "normalise", "nth", "otherwise", *_RESULTS)
_FUNCTION = re.compile(r"(?P<path>[^:]+\.py):(?P<function>[^\W\d]\w*)")


class Match(StrEnum):
    """How `args` are compared: the same value, or a part of it (objects may have further keys, at every depth)."""

    EQUAL = "equal"
    SUBSET = "subset"


@dataclass(frozen=True, slots=True)
class CannedResult:
    """One entry of a tool: the calls that it is for, and the text that they get back.

    `args` and `nth` (the how-manieth call of the tool, from 1) must both hold where both are there; neither: it is for
    every call. `output` is exactly what is sent: `returns` that is text as it is, else as JSON; an `error` as
    `{"error": TEXT}`. `label` is what reports call it (`entry 2`).
    """

    label: str
    output: str
    is_error: bool = False
    args: Mapping[str, Any] | None = None
    match: Match = Match.EQUAL
    normalise: tuple[NormaliseStep, ...] = ()
    nth: int | None = None


@dataclass(frozen=True, slots=True)
class PythonFunction:
    """`PATH:FUNCTION`: a function in a file of the workspace."""

    path: str
    function: str

    def __str__(self) -> str:
        return f"{self.path}:{self.function}"

    @classmethod
    def parse(cls, text: Any) -> PythonFunction | None:
        """The function that a text names, None for what is no such text."""
        found = _FUNCTION.fullmatch(text) if isinstance(text, str) else None
        return None if found is None else cls(found["path"], found["function"])


ToolResults = Mapping[str, tuple[CannedResult, ...] | PythonFunction]
"""By tool name: its entries in the order in which they are tried, or the fake that answers for it."""


def check_tool_results(value: Any) -> tuple[Finding, ...]:
    """Every mistake in the `tool_results` of a case; locations are relative to it (`("lookup_order", 0, "args")`)."""
    if not isinstance(value, Mapping):
        return (Finding((), f"found {quoted(value)}", "expected a mapping of tool names to what their calls get back"),)
    return tuple(finding for name, entries in value.items() for finding in _tool((str(name),), entries))


def parse_tool_results(value: Mapping[str, Any]) -> ToolResults:
    """The records of `tool_results` in which `check_tool_results` found nothing wrong."""
    return {str(name): _parsed(entries) for name, entries in value.items()}


def python_functions(value: Mapping[str, Any] | None) -> tuple[PythonFunction, ...]:
    """The Python fakes that the `tool_results` of a case name."""
    found = (tool for tool in parse_tool_results(value or {}).values() if isinstance(tool, PythonFunction))
    return tuple(found)


# ------------------------------------------------------------------------------------------------------------- checking


def _tool(at: Location, entries: Any) -> Iterator[Finding]:
    if isinstance(entries, Mapping):
        yield from _fake(at, entries)
        return
    if not isinstance(entries, list | tuple) or not entries:
        expected = "expected a list of entries such as {args: {...}, returns: ...}, or {python: PATH:FUNCTION}"
        yield Finding(at, f"found {quoted(entries)}", expected)
        return
    for index, entry in enumerate(entries):
        yield from _entry((*at, index), entry)
        if isinstance(entry, Mapping) and "otherwise" in entry and index + 1 < len(entries):
            yield Finding((*at, index, "otherwise"), "entries follow `otherwise`", "expected it to be the last one")


def _fake(at: Location, entry: Mapping[str, Any]) -> Iterator[Finding]:
    if set(entry) != {PYTHON}:
        expected = "expected a list of entries, or {python: PATH:FUNCTION} alone"
        yield Finding(at, f"found a mapping with {listed(map(str, entry)) or 'nothing in it'}", expected)
    elif PythonFunction.parse(entry[PYTHON]) is None:
        expected = "expected PATH:FUNCTION such as fakes/orders.py:lookup_order"
        yield Finding((*at, PYTHON), f"found {quoted(entry[PYTHON])}", expected)


def _entry(at: Location, entry: Any) -> Iterator[Finding]:
    if not isinstance(entry, Mapping):
        yield Finding(at, f"found {quoted(entry)}", "expected an entry such as {args: {...}, returns: ...}")
        return
    for key in entry:
        if key not in _KEYS:
            expected = did_you_mean(str(key), _KEYS, f"expected one of {', '.join(_KEYS)}")
            yield Finding((*at, str(key)), f"unknown key `{key}`", expected)
    if "otherwise" in entry:
        yield from _otherwise(at, entry)
        return
    if not any(key in entry for key in _MATCHERS) and set(entry) <= set(_KEYS):
        found = "it does not say which calls it is for"
        yield Finding(at, found, "expected `args`, `nth`, or {otherwise: {returns: ...}}")
    yield from _matchers(at, entry)
    yield from _result(at, entry)


def _otherwise(at: Location, entry: Mapping[str, Any]) -> Iterator[Finding]:
    inner = entry["otherwise"]
    here = (*at, "otherwise")
    if len(entry) > 1:
        yield Finding(here, "`otherwise` is for every call", "expected no other key beside it")
    if not isinstance(inner, Mapping):
        yield Finding(here, f"found {quoted(inner)}", "expected {returns: ...} or {error: TEXT}")
        return
    for key in inner:
        if key not in _RESULTS:
            yield Finding((*here, str(key)), f"unknown key `{key}`", "expected `returns` or `error`")
    yield from _result(here, inner)


def _matchers(at: Location, entry: Mapping[str, Any]) -> Iterator[Finding]:
    if "args" in entry and not isinstance(entry["args"], Mapping):
        yield Finding((*at, "args"), f"found {quoted(entry['args'])}", "expected a mapping of arguments")
    nth = entry.get("nth", 1)
    if type(nth) is not int or nth < 1:
        expected = "expected a whole number from 1: the how-manieth call of the tool"
        yield Finding((*at, "nth"), f"found {quoted(nth)}", expected)
    for key in ("match", "normalise"):
        if key in entry and "args" not in entry:
            yield Finding((*at, key), f"`{key}` says how `args` are compared; found none", "expected `args` beside it")
    if entry.get("match", Match.EQUAL) not in list(Match):
        yield Finding((*at, "match"), f"found {quoted(entry['match'])}", f"expected {' or '.join(Match)}")
    yield from _steps((*at, "normalise"), entry.get("normalise", []))


def _steps(at: Location, steps: Any) -> Iterator[Finding]:
    known = ", ".join(NormaliseStep)
    if not isinstance(steps, list | tuple):
        yield Finding(at, f"found {quoted(steps)}", f"expected a list of {known}")
        return
    for index, step in enumerate(steps):
        if step not in list(NormaliseStep):
            yield Finding(
                (*at, index), f"found {quoted(step)}", did_you_mean(str(step), NormaliseStep, f"one of {known}")
            )


def _result(at: Location, entry: Mapping[str, Any]) -> Iterator[Finding]:
    given = [key for key in _RESULTS if key in entry]
    if len(given) != 1:
        found = "found both `returns` and `error`" if given else "it does not say what the call gets back"
        yield Finding(at, found, "expected `returns: VALUE` or `error: TEXT`")
    elif "error" in entry and not (isinstance(entry["error"], str) and entry["error"]):
        yield Finding((*at, "error"), f"found {quoted(entry['error'])}", "expected the error as text")


# -------------------------------------------------------------------------------------------------------------- reading


def _parsed(entries: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> tuple[CannedResult, ...] | PythonFunction:
    if isinstance(entries, Mapping):
        function = PythonFunction.parse(entries[PYTHON])
        assert function is not None, "checked while loading"  # noqa: S101  a defect of the caller, not of the user
        return function
    return tuple(_canned(number, entry) for number, entry in enumerate(entries, start=1))


def _canned(number: int, entry: Mapping[str, Any]) -> CannedResult:
    if "otherwise" in entry:
        return CannedResult("otherwise", *_output(entry["otherwise"]))
    return CannedResult(
        f"entry {number}",
        *_output(entry),
        args=entry.get("args"),
        match=Match(entry.get("match", Match.EQUAL)),
        normalise=tuple(map(NormaliseStep, entry.get("normalise", ()))),
        nth=entry.get("nth"),
    )


def _output(entry: Mapping[str, Any]) -> tuple[str, bool]:
    if "error" in entry:
        return tool_text({"error": entry["error"]}), True
    return tool_text(entry["returns"]), False


def tool_text(value: Any) -> str:
    """What a tool returned as it is sent to the model: text as it is, any other value as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
