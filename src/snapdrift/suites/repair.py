"""Reads the suite's form with every mistake in it, then goes on as if they were mended.

So one load tells the misspelt key and the metric that names nothing. A key that is nearly a known one is taken as that
one; a value of the wrong type is left out, and what would only follow from its absence is not told.
"""

from __future__ import annotations

import copy
from typing import Any

from pydantic import ValidationError

from snapdrift.suites.loading import Loading
from snapdrift.suites.registry import Location
from snapdrift.suites.shapes import Mistake, Shape, mistakes_of, value_at
from snapdrift.suites.suite import SuiteFile

MAX_ROUNDS = 10
_VARIANTS = frozenset({"prompt", "prompts", "variants", "models", "matrix", "gate", "gates"})
_CASES = frozenset({"cases", "dataset", "sample", "graders"}) | _VARIANTS
_FOLLOWS: dict[str, frozenset[str]] = {
    "cases": _CASES,
    "dataset": _CASES,
    "sample": frozenset({"sample", "gate", "gates"}),
    "extract": frozenset({"graders", "gate", "gates"}),
    "graders": frozenset({"graders", "gate", "gates"}),
    "gate": frozenset({"gate", "gates"}),
    "gates": frozenset({"gate", "gates"}),
    **dict.fromkeys(("prompt", "prompts", "request", "variants", "models", "matrix"), _VARIANTS),
}
"""Where mistakes may be mere consequences of a value that was left out, by the top-level key that held it."""


_HARMLESS = frozenset(
    {"policy", "max_blind", "discordance", "coverage", "inconclusive", "alias_moved", "confidence", "repeats", "budget"}
    | {"cache", "severity", "on", "endpoint", "host", "batch", "stream"}
)
"""Keys of gates and variants from whose absence nothing follows."""


def read_form(loading: Loading) -> SuiteFile | None:
    """The suite file as its model, as far as it can be read; its mistakes are noted in `loading`."""
    value = copy.deepcopy(loading.document.value)
    muted: frozenset[str] = frozenset()
    for number in range(MAX_ROUNDS):
        shape = Shape()
        try:
            entry = SuiteFile.model_validate(value, context=shape)
        except ValidationError as error:
            mistakes = _told_once(mistakes_of(error, value, shape))
        else:
            loading.muted = muted
            return entry
        for mistake in mistakes:
            muted |= _follows(mistake)
            if number and mistake.missing:
                continue  # it was left out in an earlier round
            loading.complain(mistake.location, mistake.found, mistake.expected, key=mistake.at_key)
        for mistake in mistakes:
            _mend(value, mistake)
    return None


def _told_once(mistakes: list[Mistake]) -> list[Mistake]:
    """Without those keys as missing that are there with a slip."""
    renamed = {(*mistake.location[:-1], mistake.rename) for mistake in mistakes if mistake.rename is not None}
    return [mistake for mistake in mistakes if not (mistake.missing and mistake.location in renamed)]


def _follows(mistake: Mistake) -> frozenset[str]:
    if mistake.unknown or not mistake.location or not _HARMLESS.isdisjoint(mistake.location):
        return frozenset()
    return _FOLLOWS.get(str(mistake.location[0]), frozenset())


def _mend(value: dict[str, Any], mistake: Mistake) -> None:
    if mistake.location == ("suite",):
        value["suite"] = "unnamed"
    elif mistake.unknown:
        holder = value_at(value, mistake.location[:-1])
        if isinstance(holder, dict) and mistake.location[-1] in holder:
            taken = holder.pop(mistake.location[-1])
            if mistake.rename is not None:
                holder.setdefault(mistake.rename, taken)
    else:
        _leave_out(value, mistake.location[:-1] if mistake.missing else mistake.location)


def _leave_out(value: dict[str, Any], location: Location) -> None:
    """Removes the value; of a list the whole list, so that the places of what remains stay true."""
    while location and not isinstance(value_at(value, location[:-1]), dict):
        location = location[:-1]
    if location:
        value_at(value, location[:-1]).pop(location[-1], None)
