"""The gate of a suite that was imported: as strict as its number of cases can be, and no stricter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snapdrift.importers.notes import Notes

MARGIN = 0.05
"""How much worse is tolerated: five points."""
MOST_BLIND = 0.5
"""A metric that cannot see a drop of this size gates by a floor instead of a comparison."""
_STEPS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
_DISCORDANCE, _ALPHA = 0.15, 0.05
BUDGET_USD = 5.0


@dataclass(frozen=True, slots=True)
class GateMetric:
    """A metric that may gate: how many cases it is of, and whether it stands for the original's pass."""

    name: str
    cases: int
    decides: bool = True


@dataclass(frozen=True, slots=True)
class Pair:
    """Two variants that are compared."""

    baseline: str
    candidate: str
    gates: bool = True


def gate_entry(pairs: Sequence[Pair], metrics: Sequence[GateMetric], notes: Notes) -> dict[str, Any]:
    """The gate over these pairs and metrics.

    Where the cases are enough to see a drop, the gate compares; `max_blind` says which drop. Where they are too few, it
    asks what the original asked: that every case passes, and where it asks that alone, of every variant: a baseline is
    measured but not held to a floor.
    """
    drops = {metric.name: _detectable(metric.cases) for metric in metrics} if pairs else {}
    seen = {name: drop for name, drop in drops.items() if drop is not None}
    entry: dict[str, Any] = _compared(pairs) if seen else {}
    wanted: dict[str, Any] = {}
    for metric in metrics:
        if metric.name in seen:
            wanted[metric.name] = {"margin": MARGIN}
        elif metric.decides:
            wanted[metric.name] = {"at_least": 1.0}
    entry["metrics"] = wanted
    if seen and max(seen.values()) > _STEPS[0]:
        entry["max_blind"] = max(seen.values())
    floors = [name for name in wanted if "at_least" in wanted[name]]
    if floors:
        few = max(metric.cases for metric in metrics if metric.name in floors)
        told = "1 case is too few" if few == 1 else f"{few} cases are too few"
        why = f"{told} to see a drop of half" if pairs else "there is nothing to compare with"
        who = " of the candidates" if seen else " of every variant" if pairs else ""
        asked = f"every case{who} has to pass (`at_least: 1.0`), for {why}"
        notes.changed("", f"the gate on {', '.join(floors)}", asked)
    return entry


def _compared(pairs: Sequence[Pair]) -> dict[str, Any]:
    baselines = {pair.baseline for pair in pairs}
    if len(baselines) == 1 and all(pair.gates for pair in pairs):
        return {"baseline": {"variant": pairs[0].baseline}, "candidates": [pair.candidate for pair in pairs]}
    return {
        "compare": [
            {"from": pair.baseline, "to": pair.candidate, **({} if pair.gates else {"severity": "warn"})}
            for pair in pairs
        ]
    }


def _detectable(cases: int) -> float | None:
    """The smallest step of `max_blind` that so many cases satisfy, None beyond `MOST_BLIND`."""
    from snapdrift.stats.power import sees_drop

    return next((step for step in _STEPS if sees_drop(cases, step, max(_DISCORDANCE, step), _ALPHA)), None)


def pairs_of(prompts: Mapping[str, Sequence[tuple[str, str]]]) -> list[Pair]:
    """What is compared: by prompt, its variants as (provider, variant); the first of each prompt is the baseline.

    Where no prompt has two providers, prompts are compared with the first of them.
    """
    pairs = [Pair(made[0][1], variant) for made in prompts.values() for _, variant in made[1:] if made]
    if pairs:
        return pairs
    firsts = [made[0][1] for made in prompts.values() if made]
    return [Pair(firsts[0], other) for other in firsts[1:]]
