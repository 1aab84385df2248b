"""How often a judged comparison is decided wrongly, by the judge alone and by people's labels of a random sample.

Simulated runs through the public `evaluate`. People pass 85% of the baseline's answers; on 30% of the cases the
candidate's answer is another. The judge passes 95% of what people pass and, of what they fail, 15% on the baseline and
another share on the candidate. The margin is 5 points, confidence 0.95.

python benchmarks/judge_calibration.py [RUNS]
"""

from __future__ import annotations

import argparse
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from snapdrift.calibrations import DrawnPair, HumanLabel, LabelDraw, LabelPurpose
from snapdrift.model import (
    CallKey,
    CallResult,
    Case,
    Endpoint,
    Gate,
    JudgeModels,
    MetricGate,
    MetricSpec,
    Outcome,
    Pair,
    Reason,
    Results,
    Score,
    ScoreKind,
    Variant,
    Verdict,
)
from snapdrift.verdicts import RunFacts, evaluate
from snapdrift.verdicts.facts import JudgeScale, JudgingFacts

MARGIN, LEVEL, REDRAWN, HIT, FALSE_PASS = 0.05, 0.85, 0.30, 0.95, 0.15
CALIBRATION = LabelPurpose.CALIBRATION
SCALE = JudgeScale("judge/1:simulated", (0.0, 1.0))
GATE = Gate("default", (Pair("base", "cand"),), (MetricGate("kind", MARGIN),))
WORSE = (Verdict.REGRESSED, Verdict.WORSE_WITHIN_MARGIN)
NO_WORSE = (Verdict.NO_WORSE, Verdict.IMPROVED, Verdict.WORSE_WITHIN_MARGIN)


@dataclass(frozen=True, slots=True)
class Design:
    """Cases, labelled pairs, people's difference, and how much of the candidate's bad answers the judge passes."""

    cases: int
    labelled: int
    difference: float
    false_pass: float


@dataclass(frozen=True, slots=True)
class Ended:
    """A simulated run: the word by people's labels and by the judge alone, and whether the interval holds the truth."""

    by_labels: Verdict
    alone: Verdict
    covered: bool


DESIGNS = (
    Design(600, 100, 0.0, 0.15),
    Design(600, 100, 0.0, 0.60),
    Design(600, 100, -0.05, 0.60),
    Design(600, 200, -0.10, 0.60),
)


def simulate(design: Design, rng: np.random.Generator) -> Ended:
    n = design.cases
    good = {"base": rng.random(n) < LEVEL}
    other = np.where(rng.random(n) < REDRAWN, rng.random(n) < LEVEL, good["base"])
    good["cand"] = other & (rng.random(n) >= -design.difference / LEVEL)
    judged = {
        name: np.where(of, rng.random(n) < HIT, rng.random(n) < wrong)
        for (name, of), wrong in zip(good.items(), (FALSE_PASS, design.false_pass), strict=True)
    }
    drawn = rng.permutation(n)[: design.labelled]
    draw = LabelDraw(
        "kind", "base", "cand", seed=0, version=SCALE.version, judge_models=("judge",), eligible=n, drawn_at="",
        pairs=tuple(DrawnPair(f"c{case}", 0, 0) for case in drawn),
    )  # fmt: skip
    labels = tuple(
        HumanLabel(f"c{case}", name, 0, "kind", "", bool(of[case]), float(of[case]), bool(of[case]), CALIBRATION)
        for case in drawn
        for name, of in good.items()
    )
    facts = JudgingFacts(draws=(draw,), labels=labels, scales={"kind": SCALE})
    evaluation = evaluate(results_of(judged), GATE, RunFacts(judging=facts))
    (comparison,), (calibration,) = evaluation.comparisons, evaluation.calibrations
    low, high = comparison.ci or (-1.0, 1.0)
    covered = low <= design.difference <= high
    return Ended(comparison.verdict, Verdict(calibration.alone_verdict), covered)


def results_of(judged: dict[str, np.ndarray[tuple[int], np.dtype[np.bool_]]]) -> Results:
    cases = tuple(Case(f"c{case}") for case in range(len(judged["base"])))
    calls = {CallKey(case.id, name, 0): CallResult(Outcome.OK) for name in judged for case in cases}
    scores = tuple(
        Score(case.id, name, 0, "kind", float(passed), bool(passed), Reason.PASSED if passed else Reason.WRONG)
        for name, row in judged.items()
        for case, passed in zip(cases, row, strict=True)
    )
    made = Results(
        cases=cases,
        variants=tuple(Variant(name, name, Endpoint.RESPONSES, {}, {}) for name in judged),
        repeats=1,
        metrics=(MetricSpec("kind", "kind", ScoreKind.PASS_FAIL, judged=True),),
        calls=calls,
        scores=scores,
        applicable={},
    )
    return replace(made, judges=(JudgeModels("kind", "judge", {"judge": len(scores)}, ("openai",)),))


def share(words: Collection[Verdict], ended: Collection[Verdict]) -> str:
    return f"{sum(word in words for word in ended) / len(ended):7.1%}"


def main(runs: int) -> None:
    print(f"{runs} runs each: worse, better, no worse (or better) than the margin; coverage of the 90% interval")
    for design in DESIGNS:
        rng = np.random.default_rng(1)
        ended = [simulate(design, rng) for _ in range(runs)]
        print(design)
        for who, verdicts in (
            ("labels", [one.by_labels for one in ended]),
            ("judge alone", [one.alone for one in ended]),
        ):
            rates = "  ".join(share(words, verdicts) for words in (WORSE, (Verdict.IMPROVED,), NO_WORSE))
            covered = f"  covered {sum(one.covered for one in ended) / runs:.1%}" if who == "labels" else ""
            print(f"  {who:<12}{rates}{covered}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=int, nargs="?", default=300)
    main(parser.parse_args().runs)
