"""The budgets in a suite's file, read without the rest of it: dataset, prompts and graders are not looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from snapdrift.errors import DocumentError
from snapdrift.suites.document import parse_document
from snapdrift.suites.gate_entries import Budget
from snapdrift.suites.gate_keys import gate_keys
from snapdrift.suites.gate_places import gate_places
from snapdrift.suites.loading import Loading
from snapdrift.suites.repair import read_form
from snapdrift.suites.workspace import Workspace

_NONE = Budget()


@dataclass(frozen=True, slots=True)
class FileBudgets:
    """What a suite's file says: for the `whole` suite, and for each of its gates, which goes before that."""

    whole: Budget
    gates: Mapping[str, Budget]

    def of(self, gate: str) -> tuple[float | None, float | None]:
        """What a run under a gate may cost, and all runs on a day, in dollars; None where nothing says."""
        own = self.gates.get(gate, _NONE)
        return (
            self.whole.usd if own.usd is None else own.usd,
            self.whole.per_day if own.per_day is None else own.per_day,
        )


def budgets_in(source: str, shown: str, workspace: Workspace) -> FileBudgets | None:
    """The budgets in the text of a suite's file, None where it has mistakes: then it says nothing for sure."""
    try:
        document = parse_document(source, shown)
    except DocumentError:
        return None
    if not isinstance(document.value, dict):
        return None
    loading = Loading(document, workspace)
    entry = read_form(loading)
    if entry is None:
        return None
    places = gate_places(entry)
    keys = {name: gate_keys(name, places, loading) for name in places}
    if loading.problems:
        return None
    gates = {name: found["budget"].value if "budget" in found else _NONE for name, found in keys.items()}
    return FileBudgets(entry.budget or _NONE, gates)


def is_same_but_budgets(one: str, other: str, shown: str) -> bool:
    """Whether two texts of a suite's file can be read and say the same of everything but its budgets."""
    try:
        return bool(_without_budgets(one, shown) == _without_budgets(other, shown))
    except DocumentError:
        return False


def _without_budgets(source: str, shown: str) -> Any:
    value = parse_document(source, shown).value
    if not isinstance(value, dict):
        return value
    kept = {key: part for key, part in value.items() if key != "budget"}
    if isinstance(kept.get("gate"), dict):
        kept["gate"] = _without_budget(kept["gate"])
    if isinstance(kept.get("gates"), dict):
        kept["gates"] = {name: _without_budget(gate) for name, gate in kept["gates"].items()}
    return kept


def _without_budget(gate: Any) -> Any:
    return {key: value for key, value in gate.items() if key != "budget"} if isinstance(gate, dict) else gate
