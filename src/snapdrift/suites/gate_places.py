"""Where the gates of a suite file stand."""

from __future__ import annotations

from snapdrift.suites.gate_entries import GateEntry
from snapdrift.suites.registry import Location
from snapdrift.suites.suite import SuiteFile


def gate_places(entry: SuiteFile) -> dict[str, tuple[Location, GateEntry]]:
    """The gates by name with where they stand; `gate:` alone is the gate named default."""
    gates: dict[str, tuple[Location, GateEntry]] = {}
    if entry.gate is not None:
        gates["default"] = (("gate",), entry.gate)
    for name, gate in (entry.gates or {}).items():
        gates[name] = (("gates", name), gate)
    return gates
