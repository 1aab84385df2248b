"""What comparing a large run takes: CPU seconds and peak memory for 10,000 cases x 4 variants x 6 metrics.

python benchmarks/comparing.py [CASES]

The metrics are pass/fail, graded, graded in fifths and one that hardly ever varies, with one answer to a case; one of
cases in clusters of ten; and pass/fail with five answers to a case. Answers are drawn, no model is asked.
"""

from __future__ import annotations

import argparse
import platform
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snapdrift.conclusions import Evaluation
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
from snapdrift.verdicts import RunFacts, evaluate
from snapdrift.verdicts.comparing import compare
from snapdrift.verdicts.planned import plan_comparisons
from snapdrift.verdicts.score_tables import build_score_tables

VARIANTS = ("base", "same", "worse", "better")
MOVED = {"base": 0.0, "same": 0.0, "worse": -0.03, "better": 0.03}
REPEATS = 5

FloatArray = NDArray[np.float64]
Draw = Callable[[np.random.Generator, FloatArray], FloatArray]


def passes(generator: np.random.Generator, chance: FloatArray) -> FloatArray:
    return (generator.random(chance.shape) < chance).astype(np.float64)


def graded(generator: np.random.Generator, chance: FloatArray) -> FloatArray:
    return np.clip(chance + generator.normal(0, 0.1, chance.shape), 0, 1)


def in_fifths(generator: np.random.Generator, chance: FloatArray) -> FloatArray:
    return generator.binomial(5, chance) / 5


def constant(generator: np.random.Generator, chance: FloatArray) -> FloatArray:
    """A graded metric of which all values are the same but a handful."""
    values = np.full(chance.shape, 0.7)
    values[:3] = generator.random((3, *chance.shape[1:]))
    return values


SINGLE: dict[str, tuple[ScoreKind, Draw]] = {
    "right": (ScoreKind.PASS_FAIL, passes),
    "likeness": (ScoreKind.GRADED, graded),
    "stars": (ScoreKind.GRADED, in_fifths),
    "constant": (ScoreKind.GRADED, constant),
}
CLUSTERED: dict[str, tuple[ScoreKind, Draw]] = {"turns": (ScoreKind.GRADED, in_fifths)}
REPEATED: dict[str, tuple[ScoreKind, Draw]] = {"right": (ScoreKind.PASS_FAIL, passes)}


def make_run(
    cases: int, metrics: dict[str, tuple[ScoreKind, Draw]], seed: int, repeats: int = 1, cluster: int = 1
) -> Results:
    """A run of the four variants whose scores are drawn; cases of a cluster have their chance of passing in common."""
    generator = np.random.default_rng(seed)
    rows = tuple(Case(f"c{i}", cluster=f"k{i // cluster}" if cluster > 1 else None) for i in range(cases))
    usual = np.repeat(generator.beta(6, 1.2, -(-cases // cluster)), cluster)[:cases, None]
    scores: list[Score] = []
    calls: dict[CallKey, CallResult] = {}
    for variant in VARIANTS:
        chance = np.repeat(np.clip(usual + MOVED[variant], 0, 1), repeats, axis=1)
        for metric, (_, draw) in metrics.items():
            scores.extend(score_rows(rows, variant, metric, draw(generator, chance)))
        answered = CallResult(Outcome.OK, f"{variant}-model", 900.0, Usage(100, 0, 40), 0.001)
        calls.update({CallKey(case.id, variant, repeat): answered for case in rows for repeat in range(repeats)})
    return Results(
        cases=rows,
        variants=tuple(Variant(name, f"{name}-model", Endpoint.RESPONSES, {}, {}) for name in VARIANTS),
        repeats=repeats,
        metrics=tuple(MetricSpec(name, name, kind) for name, (kind, _) in metrics.items()),
        calls=calls,
        scores=tuple(scores),
        applicable={name: frozenset(case.id for case in rows) for name in metrics},
    )


def score_rows(cases: Sequence[Case], variant: str, metric: str, values: FloatArray) -> Iterator[Score]:
    for case, row in zip(cases, values.tolist(), strict=True):
        for repeat, value in enumerate(row):
            passed = value >= 0.5
            reason = Reason.PASSED if passed else Reason.WRONG
            yield Score(case.id, variant, repeat, metric, value, passed, reason)


def gate_of(results: Results) -> Gate:
    return Gate(
        "default",
        pairs=tuple(Pair(VARIANTS[0], name) for name in VARIANTS[1:]),
        metrics=tuple(MetricGate(spec.name, margin=0.03) for spec in results.metrics),
    )


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds of CPU time: to arrange the scores and compare them; and for all that is concluded of a run."""

    comparing: float
    concluding: float


def measure(name: str, results: Results) -> Took:
    """Prints and returns what comparing one run takes, and what concluding all of it does."""
    gate = gate_of(results)
    started = time.process_time()
    tables = build_score_tables(results, gate)
    tabled = time.process_time()
    comparisons = compare(plan_comparisons(results, gate, partial=False), tables, gate, seed=0)
    compared = time.process_time()
    evaluation: Evaluation = evaluate(results, gate, RunFacts())
    ended = time.process_time()
    methods = ", ".join(sorted({c.method for c in comparisons}))
    print(
        f"  {name}: {len(results.scores):,} scores, {len(comparisons)} comparisons ({methods}): "
        f"tables {tabled - started:.2f} s, comparisons {compared - tabled:.2f} s; "
        f"all that is concluded {ended - compared:.2f} s ({evaluation.decision.word})"
    )
    return Took(compared - started, ended - compared)


def main(cases: int) -> None:
    system = f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}"
    print(f"{system}; {cases:,} cases, 4 variants, 6 metrics; seconds of CPU time after imports")
    warm = make_run(20, SINGLE, seed=0)
    evaluate(warm, gate_of(warm), RunFacts())  # what is imported on the way is not counted
    runs = {
        "4 metrics, one answer": make_run(cases, SINGLE, seed=1),
        "1 metric, clusters of ten": make_run(cases, CLUSTERED, seed=2, cluster=10),
        "1 metric, five answers": make_run(cases, REPEATED, seed=3, repeats=REPEATS),
    }
    took = [measure(name, results) for name, results in runs.items()]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"compared in {sum(t.comparing for t in took):.2f} s (target: under 2 s)")
    print(f"with the decision, levels, ledger and measures of the calls: {sum(t.concluding for t in took):.2f} s")
    print(f"peak memory, answers and imports included: {peak:.0f} MB (target: under 500 MB)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=int, nargs="?", default=10_000)
    main(parser.parse_args().cases)
