"""What a design is, and how scores that were drawn become the tables that verdicts are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snapdrift.conclusions import Comparison
from snapdrift.model import Gate, MetricGate, MetricSpec, Pair, ScoreKind, Severity, Verdict
from snapdrift.verdicts.comparing import compare
from snapdrift.verdicts.planned import PlannedComparison
from snapdrift.verdicts.score_tables import MetricScores, ScoreTables

Generator = np.random.Generator
Values = NDArray[np.float64]
CONFIDENCE = 0.95
ALPHA = 0.05
INTERVAL = 0.10
"""What the 90% interval may miss."""


@dataclass(frozen=True)
class Claim:
    """A statement about a design: how often it may be made (`level`, where it is false), or should be (`power`).

    Neither: the figure is for reading (`calls saved`, a mean and not a rate).
    """

    name: str
    level: float | None = None
    power: float | None = None


@dataclass(frozen=True)
class Design:
    """`simulate` draws once and says of each claim whether it was made (0 or 1; of a mean, its value).

    `weight` is the share of the repetitions that it gets, less than 1 where one takes long.
    """

    group: str
    name: str
    claims: tuple[Claim, ...]
    simulate: Callable[[Generator], Mapping[str, float]]
    weight: float = 1.0


def compare_arrays(
    baseline: Values,
    candidate: Values,
    kind: ScoreKind = ScoreKind.PASS_FAIL,
    *,
    margin: float | None = 0.05,
    clusters: NDArray[np.int64] | None = None,
    seed: int = 0,
) -> tuple[Comparison, ...]:
    """The comparisons of scores, [case], [case, repeat] or [metric, case, repeat], by the function that makes verdicts.

    Several metrics are one family, as in a gate that all of them fail.
    """
    run = arranged(baseline, candidate, kind, margin=margin, clusters=clusters)
    return compare(run.planned, run.tables, run.gate, seed)


@dataclass(frozen=True)
class Arranged:
    """Scores as a run has them: what is to be compared of them, and the gate that asks."""

    planned: list[PlannedComparison]
    tables: ScoreTables
    gate: Gate


def arranged(
    baseline: Values,
    candidate: Values,
    kind: ScoreKind = ScoreKind.PASS_FAIL,
    *,
    margin: float | None = 0.05,
    clusters: NDArray[np.int64] | None = None,
) -> Arranged:
    """Arrays as for `compare_arrays`, arranged as a run would be."""
    compared = np.stack([_in_three(baseline), _in_three(candidate)], axis=1).astype(np.float64)
    names = [f"m{number}" for number in range(compared.shape[0])]
    pair = Pair("baseline", "candidate")
    gate = Gate("default", (pair,), tuple(MetricGate(name, margin=margin) for name in names), confidence=CONFIDENCE)
    labels = np.arange(compared.shape[2]) if clusters is None else clusters
    planned = [PlannedComparison(pair, name, Severity.FAIL, gating=True, margin=margin) for name in names]
    return Arranged(planned, _tables(compared, names, kind, labels), gate)


def _in_three(scores: Values) -> Values:
    return scores if scores.ndim == 3 else scores.reshape(1, scores.shape[0], -1)


def _tables(compared: Values, names: list[str], kind: ScoreKind, clusters: NDArray[np.int64]) -> ScoreTables:
    there = np.ones(compared.shape[1:], dtype=np.bool_)
    none, codes = np.zeros(2, dtype=np.int64), np.zeros(there.shape, dtype=np.int8)
    metrics = {
        name: MetricScores(
            spec=MetricSpec(name, name, kind),
            binary=kind is ScoreKind.PASS_FAIL,
            compared=scores,
            passed=(scores >= 0.5).astype(np.float64),
            planned=there,
            unextracted=none,
            grader_errors=none,
            reasons=codes,
        )
        for name, scores in zip(names, compared, strict=True)
    }
    case_ids = tuple(f"c{number}" for number in range(compared.shape[2]))
    return ScoreTables(metrics, {"baseline": 0, "candidate": 1}, case_ids, clusters, there, there, codes)


def claims_of(comparison: Comparison, truth: float) -> dict[str, float]:
    """What a comparison says: shown worse, shown better, shown no worse than the margin, interval beside the truth."""
    c = comparison
    worse = c.verdict in (Verdict.REGRESSED, Verdict.WORSE_WITHIN_MARGIN)
    missed = c.ci is not None and not c.ci[0] - 1e-9 <= truth <= c.ci[1] + 1e-9
    return {
        "worse": worse,
        "better": _shown(c.p_better),
        "no worse": _shown(c.p_no_worse),
        "interval misses": missed,
    }


def _shown(p_value: float | None) -> bool:
    return p_value is not None and p_value <= ALPHA + 1e-12
