from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from snapdrift.model import (
    CallKey,
    CallResult,
    Case,
    Endpoint,
    Gate,
    MetricGate,
    MetricSpec,
    Outcome,
    Pair,
    Reason,
    Results,
    Score,
    ScoreKind,
    Usage,
    Variant,
)

MakeResults = Callable[..., Results]
MakeGate = Callable[..., Gate]


def score_of(case_id: str, variant: str, repeat: int, metric: str, value: Any) -> Score:
    if value is None:
        return Score(case_id, variant, repeat, metric, None, None, Reason.GRADER_ERROR)
    passed = float(value) >= 0.5
    return Score(case_id, variant, repeat, metric, float(value), passed, Reason.PASSED if passed else Reason.WRONG)


def results_of(
    scores: Mapping[str, Mapping[str, Sequence[Any]]],
    *,
    specs: Sequence[MetricSpec] = (),
    clusters: Sequence[str | None] | None = None,
    tags: Mapping[int, tuple[str, ...]] | None = None,
    calls: Mapping[CallKey, CallResult] | None = None,
    applicable: Mapping[str, frozenset[str]] | None = None,
) -> Results:
    """A run from `scores[variant][metric]`, one entry a case: a value, a tuple of repeats, None for a grader error,
    or the outcome of a call that failed. Cases are named c0, c1, ..."""
    by_variant = {
        v: {m: [x if isinstance(x, tuple) else (x,) for x in row] for m, row in ms.items()} for v, ms in scores.items()
    }
    metrics = list(next(iter(by_variant.values())))
    count = len(next(iter(by_variant.values()))[metrics[0]])
    repeats = len(next(iter(by_variant.values()))[metrics[0]][0]) if count else 1
    cases = tuple(
        Case(f"c{i}", tags=(tags or {}).get(i, ()), cluster=clusters[i] if clusters else None) for i in range(count)
    )
    made: dict[CallKey, CallResult] = {}
    scored: list[Score] = []
    for variant, rows in by_variant.items():
        for i, case in enumerate(cases):
            for repeat in range(repeats):
                values = {metric: rows[metric][i][repeat] for metric in metrics}
                failed = next((value for value in values.values() if isinstance(value, Outcome)), None)
                answered = CallResult(Outcome.OK, f"{variant}-model", 100.0, Usage(10, 0, 20), 0.001)
                made[CallKey(case.id, variant, repeat)] = CallResult(failed) if failed else answered
                if failed is None:
                    scored += [score_of(case.id, variant, repeat, metric, value) for metric, value in values.items()]
    return Results(
        cases=cases,
        variants=tuple(Variant(name, f"{name}-model", Endpoint.RESPONSES, {}, {}) for name in by_variant),
        repeats=repeats,
        metrics=tuple(specs) or tuple(MetricSpec(metric, metric, ScoreKind.PASS_FAIL) for metric in metrics),
        calls={**made, **(calls or {})},
        scores=tuple(scored),
        applicable=applicable or {metric: frozenset(case.id for case in cases) for metric in metrics},
    )


def gate_of(
    *candidates: str, margin: float | None = 0.03, metrics: Sequence[MetricGate] | None = None, **kwargs: Any
) -> Gate:
    """A gate of `base` against the candidates (`cand` when none is named) on the metric `right`."""
    pairs = tuple(Pair("base", candidate) for candidate in candidates or ("cand",))
    entries = tuple(metrics) if metrics is not None else (MetricGate("right", margin=margin),)
    return Gate("default", **{"pairs": pairs, "metrics": entries, **kwargs})


def table_of(both: int, only_baseline: int, only_candidate: int, neither: int) -> dict[str, dict[str, list[int]]]:
    """Scores of `base` and `cand` on `right` that make this table."""
    base = [1] * both + [1] * only_baseline + [0] * only_candidate + [0] * neither
    cand = [1] * both + [0] * only_baseline + [1] * only_candidate + [0] * neither
    return {"base": {"right": base}, "cand": {"right": cand}}


# Session scope, so that property tests may use them.
@pytest.fixture(scope="session")
def make_results() -> MakeResults:
    return results_of


@pytest.fixture(scope="session")
def make_gate() -> MakeGate:
    return gate_of


@pytest.fixture(scope="session")
def make_table() -> Callable[..., dict[str, dict[str, list[int]]]]:
    return table_of
