"""A/A controls: an alias beside the snapshot that it resolves to. What differs between the two is the suite's noise."""

from __future__ import annotations

from collections.abc import Sequence

from snapdrift.conclusions import Control, ControlMetric, LedgerEntry
from snapdrift.model import Gate, Pair, Severity, Variant
from snapdrift.stats.multiplicity import holm
from snapdrift.verdicts.comparing import compare
from snapdrift.verdicts.evidence import ROUNDING
from snapdrift.verdicts.facts import RunFacts
from snapdrift.verdicts.pairing import observed_discordance
from snapdrift.verdicts.parity import agreement
from snapdrift.verdicts.planned import PlannedComparison
from snapdrift.verdicts.score_tables import ScoreTables


def find_controls(
    variants: Sequence[Variant], ledger: Sequence[LedgerEntry], tables: ScoreTables, gate: Gate, facts: RunFacts
) -> tuple[Control, ...]:
    """Each alias all of whose answers came from a snapshot that another variant names and asks the same of.

    Both must be asked in the same way: else what differs is not noise alone.
    """
    answered = {entry.variant: next(iter(entry.returned)) for entry in ledger if len(entry.returned) == 1}
    asked = [variant for variant in variants if variant.name in answered]
    return tuple(
        _control(alias, snapshot, tables, gate, facts)
        for alias in asked
        for snapshot in asked
        if alias.model != snapshot.model == answered[alias.name] == answered[snapshot.name] and _alike(alias, snapshot)
    )


def _alike(one: Variant, other: Variant) -> bool:
    """Whether two variants differ in nothing but their names and their models."""
    return all(
        getattr(one, name) == getattr(other, name)
        for name in ("endpoint", "host", "stream", "batch", "prompt", "request", "max_steps")
    )


def _control(alias: Variant, snapshot: Variant, tables: ScoreTables, gate: Gate, facts: RunFacts) -> Control:
    pair = Pair(snapshot.name, alias.name, Severity.WARN)
    # A preference is of the gate's own pairs; whether an alias and its snapshot are one of them is another matter.
    names = [name for name, scores in tables.metrics.items() if not scores.spec.pairwise]
    planned = [PlannedComparison(pair, name, Severity.WARN, gating=False, margin=None) for name in names]
    places = [tables.variants[snapshot.name], tables.variants[alias.name]]
    metrics = []
    compared = compare(planned, tables, gate, facts.seed, looks=facts.looks)
    shown = tables if facts.looks is None else facts.looks.shown(tables)
    for one, comparison in zip(planned, compared, strict=True):
        differing = agreement(shown.metrics[one.metric], places, tables.case_ids).differing
        discordance = observed_discordance(one, shown) if comparison.n else None
        metrics.append(
            ControlMetric(
                metric=one.metric,
                n=comparison.n,
                difference=comparison.difference,
                ci=comparison.ci,
                discordance=discordance,
                differing=differing,
                p_value=comparison.p_two_sided,
            )
        )
    return Control(
        alias.name, snapshot.name, alias.model, snapshot.model, tuple(metrics), _beyond_chance(metrics, gate.alpha)
    )


def _beyond_chance(metrics: Sequence[ControlMetric], alpha: float) -> tuple[str, ...]:
    tested = [(one.metric, one.p_value) for one in metrics if one.p_value is not None]
    adjusted = holm([p for _, p in tested])
    return tuple(metric for (metric, _), p in zip(tested, adjusted, strict=True) if p <= alpha + ROUNDING)
