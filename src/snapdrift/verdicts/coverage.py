"""Whether enough was measured: shares of what was planned, on every side and under every metric that decides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snapdrift.model import Gate, Pair, Severity
from snapdrift.verdicts import words
from snapdrift.verdicts.evidence import ROUNDING
from snapdrift.verdicts.limits import Floor
from snapdrift.verdicts.planned import PlannedComparison
from snapdrift.verdicts.score_tables import MetricScores, ScoreTables


def present_pairs(gate: Gate, tables: ScoreTables) -> tuple[Pair, ...]:
    """The pairs of the gate of which both sides are in the run."""
    return tuple(p for p in gate.pairs if p.baseline in tables.variants and p.candidate in tables.variants)


def shortfalls(
    gate: Gate, planned: Sequence[PlannedComparison], floors: Sequence[Floor], tables: ScoreTables
) -> tuple[str, ...]:
    """Sentences about sides whose calls, or whose scores of a gating or floored metric, fall short of the coverage."""
    short = []
    for variant in _sides(gate, tables):
        share, index = tables.coverage(variant), tables.variants[variant]
        counted = f"({int(tables.measured[index].sum()):,} of {int(tables.planned[index].sum()):,})"
        if share < gate.coverage - ROUNDING:
            short.append(f"`{variant}` was measured on {_against(share, gate, f'of its planned calls {counted}')}")
    for metric, variant, baseline in _counted(planned, floors, tables):
        scores, index = _scores_of(metric, variant, baseline, tables), tables.variants[variant]
        planned_calls = int(scores.planned[index].sum())
        share = 1.0 - float(scores.unmeasured[index].sum()) / planned_calls if planned_calls else 0.0
        if share < gate.coverage - ROUNDING:
            against = f" against `{baseline}`" if baseline else ""
            calls = f"of the planned calls of `{variant}`{against} that it applies to"
            short.append(f"{metric} was scored on {_against(share, gate, calls)}")
    return tuple(short)


def unmeasured_calls(planned: Sequence[PlannedComparison], floors: Sequence[Floor], tables: ScoreTables) -> int:
    """How many calls lack a score that the decision rests on."""
    lacking = np.zeros_like(tables.planned)
    for metric, variant, baseline in _counted(planned, floors, tables):
        index = tables.variants[variant]
        lacking[index] |= _scores_of(metric, variant, baseline, tables).unmeasured[index]
    return int(lacking.sum())


def _against(share: float, gate: Gate, calls: str) -> str:
    asked = words.percent(gate.coverage)
    return f"{words.percent(share, beside=gate.coverage)} {calls}; the gate asks for {asked}."


def _sides(gate: Gate, tables: ScoreTables) -> tuple[str, ...]:
    """The variants whose coverage counts: those of failing pairs, else of any pair, and those alone; else all."""
    pairs = present_pairs(gate, tables)
    counted = [pair for pair in pairs if pair.severity is Severity.FAIL] or pairs
    sides = dict.fromkeys(side for pair in counted for side in _variants_of(pair))
    sides |= dict.fromkeys(one.candidate for one in gate.alone if one.candidate in tables.variants)
    return tuple(sides) or tuple(tables.variants)


def _variants_of(pair: Pair) -> tuple[str, str]:
    return pair.baseline, pair.candidate


def _counted(
    planned: Sequence[PlannedComparison], floors: Sequence[Floor], tables: ScoreTables
) -> dict[tuple[str, str, str], None]:
    """The metrics and variants whose unmeasured calls could change the decision.

    A preference is one of the candidate over a baseline, which is the third; empty where the variant stands for itself.
    """
    counted: dict[tuple[str, str, str], None] = {}
    for one in planned:
        if one.gating and tables.metrics[one.metric].spec.pairwise:
            counted[one.metric, one.pair.candidate, one.pair.baseline] = None
        elif one.gating:
            counted |= dict.fromkeys((one.metric, side, "") for side in _variants_of(one.pair))
    return counted | {(floor.metric, floor.variant, ""): None for floor in floors if floor.severity is Severity.FAIL}


def _scores_of(metric: str, variant: str, baseline: str, tables: ScoreTables) -> MetricScores:
    return tables.between(metric, baseline, variant) if baseline else tables.metrics[metric]
