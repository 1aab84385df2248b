"""Verdicts on real recorded GPT-4o answers: how often they are right where what changed is known.

gsm: the answers of 2024-08-06 and of mini to 1,319 questions. Exchanged at random within each case, neither side is
the worse one; with a known net of answers turned from right to wrong besides, one is. numersense: two answers to each
of 512 questions.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from snapdrift.conclusions import Comparison, Evaluation
from snapdrift.graders.registry import Registry
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
    Response,
    Results,
    Score,
    ScoreKind,
    Target,
    Variant,
    Verdict,
)
from snapdrift.stats.intervals import Interval, t_interval
from snapdrift.stats.power import mcnemar_power
from snapdrift.verdicts import RunFacts, evaluate
from snapdrift.verdicts.claims import variance_sentence
from snapdrift.verdicts.comparing import compare
from snapdrift.verdicts.planned import plan_comparisons
from snapdrift.verdicts.score_tables import ScoreTables, build_score_tables

pytestmark = pytest.mark.shared

BoolArray = NDArray[np.bool_]
GATE = Gate("default", pairs=(Pair("base", "cand"),), metrics=(MetricGate("right", margin=0.03),))
EXTRACT = [{"json": "answer", "mode": "first_object"}, {"regex": r'"answer"\s*:\s*"([^"]*)"'}]
AUGUST, MAY, MINI = "gpt-4o-2024-08-06", "gpt-4o-2024-05-13", "gpt-4o-mini-2024-07-18"
DRAWS = 400
_REASONS = {True: Reason.PASSED, False: Reason.WRONG}


def rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def right_answers(folder: Path, *models: str) -> dict[str, BoolArray]:
    """By model, whether each answer is right, [case, repeat], graded as a suite grades."""
    cases = {row["prompt"]: Case(row["id"], expected=row["expected"]) for row in rows(folder / "cases.jsonl.gz")}
    entry = {"name": "answer", "number": "{{ expected }}", "extract": EXTRACT}
    grader = Registry().parse(entry, default_extract=None, read=str, cases=tuple(cases.values()))
    passed: dict[str, dict[str, dict[int, bool]]] = {}
    for row in rows(folder / "recordings.jsonl.gz"):
        if row["model"] not in models:
            continue
        case, repeat = cases[row["input"]], row["repeat"]
        key = CallKey(case.id, row["model"], repeat)
        (score,) = grader.grade(case, Response(key, Outcome.OK, row["model"], text=row["output"]))
        passed.setdefault(row["model"], {}).setdefault(case.id, {})[repeat] = bool(score.passed)
    ids = [case.id for case in cases.values()]
    return {
        model: np.array([[of[case_id][repeat] for repeat in sorted(of[case_id])] for case_id in ids])
        for model, of in passed.items()
    }


def results_of(base: BoolArray, cand: BoolArray) -> Results:
    """A run of two variants whose answers are right as said, [case, repeat]."""
    ids = [f"c{i}" for i in range(len(base))]
    repeats = range(base.shape[1])
    sides = {"base": base, "cand": cand}
    keys = [CallKey(case_id, name, k) for name in sides for case_id in ids for k in repeats]
    passes = [bool(passed) for side in sides.values() for passed in side.ravel()]
    scores = [
        Score(key.case_id, key.variant, key.repeat, "right", float(passed), passed, _REASONS[passed])
        for key, passed in zip(keys, passes, strict=True)
    ]
    return Results(
        cases=tuple(map(Case, ids)),
        variants=tuple(Variant(name, name, Endpoint.RESPONSES, {}, {}) for name in ("base", "cand")),
        repeats=base.shape[1],
        metrics=(MetricSpec("right", "right", ScoreKind.PASS_FAIL),),
        calls={key: CallResult(Outcome.OK, key.variant) for key in keys},
        scores=tuple(scores),
        applicable={"right": frozenset(ids)},
    )


@dataclass(frozen=True)
class Bench:
    """The tables of a run of so many cases, in which other answers can be put in place of those it has."""

    results: Results
    tables: ScoreTables

    @classmethod
    def of(cls, cases: int) -> Bench:
        results = results_of(np.ones((cases, 1), np.bool_), np.ones((cases, 1), np.bool_))
        return cls(results, build_score_tables(results, GATE))

    def compared(self, base: BoolArray, cand: BoolArray) -> Comparison:
        """The comparison of these answers, as a gate makes it."""
        scores = np.stack([base, cand]).astype(float)[:, :, None]
        metric = replace(self.tables.metrics["right"], compared=scores, passed=scores)
        tables = replace(self.tables, metrics={"right": metric})
        (found,) = compare(plan_comparisons(self.results, GATE, partial=False), tables, GATE, seed=0)
        return found


@pytest.fixture(scope="module")
def gsm(shared: Path) -> tuple[BoolArray, BoolArray]:
    """Whether the answers of 2024-08-06 and of mini are right, by case."""
    found = right_answers(shared / "real" / "gsm", AUGUST, MINI)
    return found[AUGUST][:, 0], found[MINI][:, 0]


@pytest.fixture(scope="module")
def numersense(shared: Path) -> tuple[BoolArray, BoolArray]:
    """Whether the two answers of 2024-05-13 and of mini are right, [case, repeat]."""
    found = right_answers(shared / "real" / "numersense", MAY, MINI)
    return found[MAY], found[MINI]


def exchanged(generator: np.random.Generator, one: BoolArray, other: BoolArray) -> tuple[BoolArray, BoolArray]:
    """The two sides with each case's answers exchanged or not, at the toss of a coin."""
    swap = generator.random(one.size) < 0.5
    return np.where(swap, other, one), np.where(swap, one, other)


# ------------------------------------------------------------------------------------------------------------------ gsm


def test_the_bench_says_what_a_whole_evaluation_says(gsm: tuple[BoolArray, BoolArray]) -> None:
    base, cand = gsm
    (found,) = evaluate(results_of(base[:, None], cand[:, None]), GATE, RunFacts()).comparisons
    assert Bench.of(base.size).compared(base, cand) == found
    assert found.table is not None
    assert (found.table.only_baseline, found.table.only_candidate, found.n) == (40, 14, 1319)


@pytest.mark.parametrize("cases", [100, 1319])
def test_answers_exchanged_at_random_give_false_alarms_at_or_below_the_nominal_rate(
    gsm: tuple[BoolArray, BoolArray], cases: int
) -> None:
    generator, bench = np.random.default_rng(cases), Bench.of(cases)
    words = []
    for _ in range(DRAWS):
        chosen = generator.permutation(gsm[0].size)[:cases]
        found = bench.compared(*exchanged(generator, gsm[0][chosen], gsm[1][chosen]))
        words.append((found.verdict, found.p_better or 1.0))
    limit = 0.05 + 3 * math.sqrt(0.05 * 0.95 / DRAWS)
    assert np.mean([word in (Verdict.REGRESSED, Verdict.WORSE_WITHIN_MARGIN) for word, _ in words]) <= limit
    assert np.mean([better <= 0.05 for _, better in words]) <= limit


@pytest.mark.parametrize("cases", [50, 100, 200])
@pytest.mark.parametrize("net", [0.03, 0.05, 0.10])
def test_planted_flips_are_caught_as_often_as_the_power_function_says(
    gsm: tuple[BoolArray, BoolArray], cases: int, net: float
) -> None:
    """Exchanged answers differ both ways already; answers that both have are turned wrong, and wrong ones right."""
    generator, bench = np.random.default_rng(round(cases + 1000 * net)), Bench.of(cases)
    both, neither = (float((gsm[0] & gsm[1]).mean()), float((~gsm[0] & ~gsm[1]).mean()))
    improved, differing = 0.25, float((gsm[0] != gsm[1]).mean())
    spoilt = (net + improved * neither) / both
    caught = 0
    for _ in range(DRAWS):
        chosen = generator.permutation(gsm[0].size)[:cases]
        base, cand = exchanged(generator, gsm[0][chosen], gsm[1][chosen])
        chance = generator.random(cases)
        cand = np.where(base & cand, chance >= spoilt, np.where(~base & ~cand, chance < improved, cand))
        found = bench.compared(base, cand)
        caught += found.verdict in (Verdict.REGRESSED, Verdict.WORSE_WITHIN_MARGIN)
    power = mcnemar_power(cases, differing + spoilt * both + improved * neither, -net, 0.05)
    error = math.sqrt(power * (1 - power) / DRAWS)
    assert abs(caught / DRAWS - power) <= 3.5 * error


# ----------------------------------------------------------------------------------------------------------- numersense


def evaluated(numersense: tuple[BoolArray, BoolArray], target: Target = Target.CASES_LIKE_THESE) -> Evaluation:
    return evaluate(results_of(*numersense), replace(GATE, target=target), RunFacts())


def width(interval: Interval | tuple[float, float] | None) -> float:
    assert interval is not None
    low, high = (interval.low, interval.high) if isinstance(interval, Interval) else interval
    return high - low


def test_two_answers_to_a_case_are_repeats_and_not_two_cases(numersense: tuple[BoolArray, BoolArray]) -> None:
    (found,) = evaluated(numersense).comparisons
    may, mini = numersense
    assert (found.n, found.method, found.table) == (512, "paired_t", None)
    assert found.difference == pytest.approx(mini.mean() - may.mean())
    # What it would be were each answer a case of its own.
    pooled = (mini.astype(float) - may).ravel()
    wrong = t_interval(float(pooled.mean()), float(pooled.std(ddof=1)) / math.sqrt(pooled.size), pooled.size - 1, 0.9)
    assert width(found.ci) > 1.05 * width(wrong)
    assert found.variance is not None
    assert found.variance.pooled_error == pytest.approx(float(pooled.std(ddof=1)) / math.sqrt(pooled.size), rel=0.01)


def test_the_report_says_why_the_interval_is_not_the_pooled_one(numersense: tuple[BoolArray, BoolArray]) -> None:
    (found,) = evaluated(numersense).comparisons
    assert found.variance is not None
    parts = found.variance
    said = variance_sentence(found, parts)
    assert f"the standard error over 512 cases is {parts.like_these_error * 100:.1f} points" in said
    assert f"not the {parts.pooled_error * 100:.1f} that pooled answers would claim" in said
    assert "2 answers to a case are not as many cases" in said


def test_of_these_very_questions_more_is_known_than_of_questions_like_them(
    numersense: tuple[BoolArray, BoolArray],
) -> None:
    (like,), (these,) = evaluated(numersense).comparisons, evaluated(numersense, Target.THESE_CASES).comparisons
    assert these.difference == like.difference
    assert width(these.ci) < width(like.ci)
    assert these.variance is not None
    assert "repeats" in variance_sentence(these, these.variance)
