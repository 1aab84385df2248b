"""Where a gate stands in its suite file: the lines that what was decided under it is shown at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from snapdrift.errors import DocumentError
from snapdrift.suites.document import START, Position, parse_document
from snapdrift.suites.registry import Location


@dataclass(frozen=True, slots=True)
class GateLines:
    """Positions in the suite file `file`: of the gate itself, of each metric that it asks about, of `must_pass`.

    What the gate takes from one that it extends stands there.
    """

    file: str
    gate: Position = START
    metrics: Mapping[str, Position] = field(default_factory=dict)
    must_pass: Position = START

    def metric(self, name: str) -> Position:
        """The line of a metric; of a part of a grader (`fields.total`) that is not named that of the whole."""
        return self.metrics.get(name) or self.metrics.get(name.split(".")[0]) or self.gate


def gate_lines(source: str, file: str, gate: str) -> GateLines:
    """Where a gate stands in the text of a suite; everything at line 1 where the text has no such gate."""
    try:
        document = parse_document(source, file)
    except DocumentError:  # it was a suite when it was run, and has been edited since
        return GateLines(file)
    metrics: dict[str, Position] = {}
    must_pass: Position | None = None
    places = list(_chain(document.value, gate))
    for place in places:
        for (*parent, name), position in document.keys.items():
            if tuple(parent) == (*place, "metrics"):
                metrics.setdefault(str(name), position)
        if must_pass is None:
            must_pass = document.keys.get((*place, "must_pass"))
    at = document.position(places[0], key=True) if places else START
    return GateLines(file, at, metrics, must_pass or at)


def _chain(value: Any, gate: str) -> Iterator[Location]:
    """The places of a gate and of those that it extends, the nearest first. The text may be anything."""
    seen: set[str] = set()
    while isinstance(value, dict) and gate not in seen:
        seen.add(gate)
        gates = value.get("gates")
        if isinstance(gates, dict) and isinstance(gates.get(gate), dict):
            yield ("gates", gate)
            below = gates[gate].get("extends")
        elif gate == "default" and isinstance(value.get("gate"), dict):
            yield ("gate",)
            below = value["gate"].get("extends")
        else:
            return
        if not isinstance(below, str):
            return
        gate = below
