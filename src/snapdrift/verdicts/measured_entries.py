"""What a gate says of each measure: of answers, and of calls. Apart from comparing, for `check` asks for no more."""

from __future__ import annotations

from collections.abc import Sequence

from snapdrift.errors import UsageError
from snapdrift.model import Gate, MetricGate

OPERATIONAL = ("cost", "latency_p95", "first_token_p95", "output_tokens")
"""Measures of calls, not of answers: a gate limits their increase."""


def metric_entries(gate: Gate, metrics: Sequence[str]) -> dict[str, MetricGate]:
    """The gate's entries about answers, by metric. Raises `UsageError` for a metric that nothing measures."""
    for entry in gate.metrics:
        if entry.metric not in metrics and entry.metric not in OPERATIONAL:
            raise UsageError(
                f"gate {gate.name}: found the metric {entry.metric!r}, expected one that a grader of the run measures "
                f"({', '.join(metrics) or 'there are none'}) or one of {', '.join(OPERATIONAL)}"
            )
    return {entry.metric: entry for entry in gate.metrics if entry.metric in metrics}


def operational_entries(gate: Gate, metrics: Sequence[str]) -> dict[str, MetricGate]:
    """The gate's entries about calls (cost, latency_p95, first_token_p95, output_tokens), by measure."""
    return {
        entry.metric: entry for entry in gate.metrics if entry.metric in OPERATIONAL and entry.metric not in metrics
    }
