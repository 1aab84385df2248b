"""Suites whose graders are all for every case: their variants, their gate and their budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from snapdrift.importers.gates import BUDGET_USD, GateMetric, Pair, gate_entry
from snapdrift.importers.names import Unique, label
from snapdrift.importers.notes import Notes


def variants_of(models: Sequence[str]) -> dict[str, Any]:
    """A variant for each model, named after it."""
    names = Unique(between="-")
    return {names.of(label(model)): {"model": model} for model in models}


def suite_entry(
    head: Mapping[str, Any],
    asked: Mapping[str, Any],
    graders: Sequence[Mapping[str, Any]],
    cases: int,
    notes: Notes,
) -> dict[str, Any]:
    """A suite whose graders are all for every case; the first variant is the baseline of the others."""
    variants = list(asked["variants"])
    metrics = [GateMetric(str(grader["name"]), cases) for grader in graders]
    pairs = [Pair(variants[0], other) for other in variants[1:]]
    entry = {**head, **asked, "graders": [dict(grader) for grader in graders]}
    entry["gate"] = gate_entry(pairs, metrics, notes)
    if any("model" in variant for variant in asked["variants"].values()) or any("judge" in g for g in graders):
        entry["budget"] = {"usd": BUDGET_USD}
        notes.changed("", "the budget", f"{BUDGET_USD:g} dollars for a run, for a live run takes one")
    return entry
