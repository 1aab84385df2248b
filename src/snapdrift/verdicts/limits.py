"""Limits on observed values, which are no claims about other cases: floors, increases, cases that must pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from snapdrift.model import Case, Gate, MustPass, Results, ScoreKind, Severity
from snapdrift.verdicts.evidence import ROUNDING
from snapdrift.verdicts.measured_entries import metric_entries
from snapdrift.verdicts.planned import graver
from snapdrift.verdicts.score_tables import Imputation, MetricScores, ScoreTables


@dataclass(frozen=True, slots=True)
class Floor:
    """An `at_least` of one variant: its observed mean (None: nothing was scored) against the floor."""

    metric: str
    variant: str
    at_least: float
    mean: float | None
    severity: Severity

    @property
    def broken(self) -> bool:
        """Whether the observed mean lies under the floor."""
        return self.mean is not None and self.mean < self.at_least - ROUNDING


@dataclass(frozen=True, slots=True)
class MustPassCheck:
    """A must-pass case on one variant: the metrics that fail, and those that are not measured in every repeat.

    `graded` is false where no pass/fail grader applies to the case, so that nothing could be checked.
    """

    case_id: str
    variant: str
    severity: Severity
    failed: tuple[str, ...]
    unmeasured: tuple[str, ...]
    graded: bool


def judged_variants(gate: Gate, results: Results) -> dict[str, Severity]:
    """The variants that floors and must-pass cases are asked of, each with how gravely (`Gate.judged`)."""
    return gate.judged(variant.name for variant in results.variants)


def check_floors(
    gate: Gate, variants: Mapping[str, Severity], tables: ScoreTables, imputation: Imputation | None = None
) -> tuple[Floor, ...]:
    """The observed mean of each floored metric on each judged variant, unmeasured calls filled in if so asked."""
    floors = []
    for entry in metric_entries(gate, list(tables.metrics)).values():
        if entry.at_least is None:
            continue
        scores = tables.metrics[entry.metric]
        for name, severity in variants.items():
            fill = None if imputation is None else scores.filled(imputation, candidate=True)
            means = scores.case_means(tables.variants[name], fill)
            scored = means[~np.isnan(means)]
            mean = float(scored.mean()) if scored.size else None
            floors.append(Floor(entry.metric, name, entry.at_least, mean, graver(entry.severity, severity)))
    return tuple(floors)


def check_must_pass(
    must_pass: MustPass, cases: Sequence[Case], variants: Mapping[str, Severity], tables: ScoreTables
) -> tuple[MustPassCheck, ...]:
    """Each must-pass case on each judged variant, against every pass/fail metric that applies to it.

    A case none of whose calls was needed (early stopping) is not among those asked.
    """
    binary = {name: scores for name, scores in tables.metrics.items() if scores.spec.kind is ScoreKind.PASS_FAIL}
    asked = np.asarray(tables.planned.any(axis=(0, 2)))
    covered = [(index, case) for index, case in enumerate(cases) if must_pass.covers(case) and asked[index]]
    return tuple(
        _check_case(index, case.id, name, severity, tables, binary)
        for index, case in covered
        for name, severity in variants.items()
    )


def _check_case(
    index: int,
    case_id: str,
    variant: str,
    severity: Severity,
    tables: ScoreTables,
    metrics: Mapping[str, MetricScores],
) -> MustPassCheck:
    place = (tables.variants[variant], index)
    applying = {name: scores for name, scores in metrics.items() if scores.planned[place].any()}
    failed = tuple(name for name, scores in applying.items() if (scores.passed[place] == 0).any())
    unmeasured = tuple(name for name, scores in applying.items() if scores.unmeasured[place].any())
    return MustPassCheck(case_id, variant, severity, failed, unmeasured, bool(applying))
