"""The text of `check --explain`: each body as JSON, with what Snapdrift added marked where it stands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snapdrift.pipeline.explaining import Explained
    from snapdrift.suites.registry import Location

MARK = "  <- added by snapdrift"
SHOWN_OF_DATA_URL = 48
"""Characters of a data URL that are printed; `--json` has it whole."""

_DATA_URL = re.compile(r"data:[^,]{1,100};base64,")


def explained(requests: Sequence[Explained]) -> str:
    """The exact bodies, each under its variant; only data URLs are shortened, and say so."""
    lines: list[str] = []
    for one in requests:
        added = f"  (added by snapdrift: {', '.join(map(_path, one.added))})" if one.added else ""
        lines.append(f"# {one.variant}: {one.endpoint}{added}")
        lines += [f"# {note}" for note in _notes(one)]
        if one.body is not None:
            lines += _lines(one.body, (), frozenset(one.added))
        lines.append("")
    return "\n".join(lines) + "\n"


def explained_json(requests: Sequence[Explained]) -> str:
    """The same for other programs: a list of objects, bodies whole, `added` as paths into them."""
    found = [
        {
            "suite": one.suite,
            "case": one.case,
            "variant": one.variant,
            "endpoint": one.endpoint,
            "body": one.body,
            "added": [_path(place) for place in one.added],
            "turns": one.turns,
            "tools_answered": one.tools_answered,
            "target": one.target,
        }
        for one in requests
    ]
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def _notes(one: Explained) -> Iterator[str]:
    if one.body is None:
        yield f"no request to a model: {one.target}"
    if one.turns > 1:
        yield f"the first of {one.turns} requests: each later one goes on from the answer before it"
    if one.tools_answered:
        yield "calls of tools are answered from the case's tool_results, each answer in a request of its own"


def _path(place: Location) -> str:
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _lines(value: Any, place: Location, added: frozenset[Location]) -> list[str]:
    """A value as indented JSON, the lines of it; the first line of what was added bears the mark."""
    items: list[tuple[str, str | int, Any]]
    if isinstance(value, Mapping) and value:
        items, ends = [(f"{json.dumps(key, ensure_ascii=False)}: ", key, item) for key, item in value.items()], "{}"
    elif isinstance(value, list | tuple) and value:
        items, ends = [("", index, item) for index, item in enumerate(value)], "[]"
    else:
        return [json.dumps(_shortened(value), ensure_ascii=False)]
    lines = [ends[0]]
    for number, (label, part, item) in enumerate(items, start=1):
        inner = _lines(item, (*place, part), added)
        inner[0] = label + inner[0]
        inner[-1] += "," if number < len(items) else ""
        if (*place, part) in added:
            inner[0] += MARK
        lines += [f"  {line}" for line in inner]
    return [*lines, ends[1]]


def _shortened(value: Any) -> Any:
    if not isinstance(value, str) or len(value) <= SHOWN_OF_DATA_URL or _DATA_URL.match(value) is None:
        return value
    return f"{value[:SHOWN_OF_DATA_URL]}... ({len(value):,} characters)"
