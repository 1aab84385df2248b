"""Which comparisons a gate makes, and what it asks of each."""

from __future__ import annotations

from dataclasses import dataclass

from snapdrift.errors import UsageError
from snapdrift.model import Gate, MetricGate, Pair, Results, Severity
from snapdrift.verdicts.measured_entries import metric_entries


@dataclass(frozen=True, slots=True)
class PlannedComparison:
    """One metric of one pair, and what the gate asks of it."""

    pair: Pair
    metric: str
    severity: Severity
    gating: bool
    margin: float | None

    @property
    def comparison(self) -> tuple[str, str, str]:
        """Metric, baseline and candidate."""
        return self.metric, self.pair.baseline, self.pair.candidate


def plan_comparisons(results: Results, gate: Gate, *, partial: bool) -> tuple[PlannedComparison, ...]:
    """Every metric of every pair; those without an entry in the gate are compared for reading only.

    A partial run leaves out pairs whose variants were not asked for. Raises `UsageError` when a gate names a metric or
    (in a full run) a variant that the run does not have.
    """
    known = {variant.name for variant in results.variants}
    entries = metric_entries(gate, [spec.name for spec in results.metrics])
    planned: list[PlannedComparison] = []
    for pair in gate.pairs:
        absent = sorted({pair.baseline, pair.candidate} - known)
        if absent and partial:
            continue
        if absent:
            raise UsageError(
                f"gate {gate.name}: found the variant {absent[0]!r} in a comparison, expected one of the run's: "
                f"{', '.join(sorted(known))}"
            )
        planned.extend(_planned(pair, spec.name, entries.get(spec.name)) for spec in results.metrics)
    return tuple(planned)


def graver(*severities: Severity) -> Severity:
    """The severity of a finding that several settings speak about: it fails only if all of them do."""
    return Severity.WARN if Severity.WARN in severities else Severity.FAIL


def _planned(pair: Pair, metric: str, entry: MetricGate | None) -> PlannedComparison:
    if entry is None:
        return PlannedComparison(pair, metric, Severity.WARN, gating=False, margin=None)
    severity = graver(entry.severity, pair.severity)
    gating = entry.gates and severity is Severity.FAIL
    return PlannedComparison(pair, metric, severity, gating, entry.margin)
