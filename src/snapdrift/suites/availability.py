"""Keys of the design that this version reads but does not act on: each is an error where it is used, never ignored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from snapdrift.suites.gate_entries import Baseline, GateEntry
from snapdrift.suites.registry import Location
from snapdrift.suites.suite import SuiteFile

if TYPE_CHECKING:
    from snapdrift.suites.loading import Loading


def check_available(entry: SuiteFile, loading: Loading) -> None:
    """Complains about every key of the suite file that comes later."""
    for location in _gate_keys(entry):
        refuse(location, loading)


INSTEAD = {
    "ref": "use {variant: NAME} in this version",
}
"""What serves until a thing that comes later is there."""


def refuse(location: Location, loading: Loading) -> None:
    """Complains that what is written at a location comes later."""
    names = [str(part) for part in location if isinstance(part, str)]
    found = f"{names[-1]} is not available yet"
    expected = INSTEAD.get(names[-1], "leave it out in this version")
    loading.complain(location, found, expected, key=True)


def _gate_keys(entry: SuiteFile) -> Iterator[Location]:
    for place, gate in gate_places(entry).values():
        yield from _one_gate(place, gate)


def gate_places(entry: SuiteFile) -> dict[str, tuple[Location, GateEntry]]:
    """The gates by name with where they stand; `gate:` alone is the gate named default."""
    gates: dict[str, tuple[Location, GateEntry]] = {}
    if entry.gate is not None:
        gates["default"] = (("gate",), entry.gate)
    for name, gate in (entry.gates or {}).items():
        gates[name] = (("gates", name), gate)
    return gates


def _one_gate(place: Location, gate: GateEntry) -> Iterator[Location]:
    if gate.baseline is not None:
        yield from _baseline_forms((*place, "baseline"), gate.baseline)


def _baseline_forms(place: Location, baseline: Baseline) -> Iterator[Location]:
    for name in ("ref",):
        if getattr(baseline, name) is not None:
            yield (*place, name)
