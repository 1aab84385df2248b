"""What acceptances do to comparisons: cases are left out on both sides, and nothing is gained by it.

Only losses are reviewed, so that leaving them out flatters the candidate. Whatever speaks for it is therefore claimed
only if it holds with the accepted cases as well. `docs/design/acceptances.md` has the reasons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from snapdrift.acceptances import Acceptance, accepted_by_metric
from snapdrift.conclusions import Comparison, LeftOut
from snapdrift.model import Gate, Results
from snapdrift.stats.paired import SidedP
from snapdrift.verdicts.evidence import ROUNDING, Evidence, PairedValues
from snapdrift.verdicts.measured_entries import metric_entries
from snapdrift.verdicts.planned import PlannedComparison
from snapdrift.verdicts.score_tables import MetricScores, ScoreTables


def accepted_cases(acceptances: Sequence[Acceptance], gate: Gate, results: Results) -> Mapping[str, frozenset[str]]:
    """The accepted cases of a run by metric, of metrics that have a margin under the gate."""
    margins = {name: entry.margin for name, entry in metric_entries(gate, [m.name for m in results.metrics]).items()}
    return accepted_by_metric(acceptances, margins)


def leaving_out(tables: ScoreTables, accepted: Mapping[str, frozenset[str]]) -> ScoreTables:
    """The tables as if a metric did not apply to the cases that are accepted on it."""
    metrics = {name: _without(scores, accepted.get(name), tables) for name, scores in tables.metrics.items()}
    return replace(tables, metrics=metrics) if accepted else tables


def _without(scores: MetricScores, cases: frozenset[str] | None, tables: ScoreTables) -> MetricScores:
    if not cases:
        return scores
    out = np.array([case in cases for case in tables.case_ids], dtype=np.bool_)[None, :, None]
    return replace(scores.hiding(np.broadcast_to(out, scores.planned.shape)), planned=scores.planned & ~out)


def sober(evidence: Evidence, counted: Evidence) -> Evidence:
    """The evidence with its claims for the candidate no surer than what is `counted` with the accepted cases.

    What speaks against the candidate stays as it is.
    """
    if evidence.p is None:
        return evidence
    better = 1.0 if counted.p is None else max(evidence.p.better, counted.p.better)
    known = [p for p in (evidence.p_no_worse, counted.p_no_worse) if p is not None]
    p = SidedP(evidence.p.worse, better, evidence.p.two_sided)
    return replace(evidence, p=p, p_no_worse=max(known) if len(known) == 2 else None)


def losses_of(
    planned: PlannedComparison, values: PairedValues, case_ids: Sequence[str], accepted: Mapping[str, frozenset[str]]
) -> tuple[str, ...]:
    """The accepted cases on which the candidate has less than the baseline, of the cases that pair."""
    of_metric = accepted.get(planned.metric, frozenset())
    return tuple(
        case for case, gain in zip(case_ids, values.gains, strict=True) if case in of_metric and gain < -ROUNDING
    )


def left_out(counted: Comparison, accepted: frozenset[str], losses: Sequence[str], known: Sequence[str]) -> LeftOut:
    """What acceptances took out of a comparison; `counted` is the same with all cases, `known` are the run's cases."""
    cases = tuple(case for case in known if case in accepted)
    return LeftOut(
        cases=cases,
        losses=tuple(losses),
        difference=counted.difference,
        ci=counted.ci,
        p_adjusted=counted.p_adjusted,
        verdict=counted.verdict,
        newly_failing=tuple(case for case in counted.newly_failing if case in accepted),
        newly_passing=tuple(case for case in counted.newly_passing if case in accepted),
    )
