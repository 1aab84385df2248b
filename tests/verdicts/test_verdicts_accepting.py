"""Acceptances: what is left out of comparisons, and that nothing can be claimed because of it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import numpy as np
import pytest

from snapdrift.acceptances import Acceptance, accepted_by_metric, most_accepted
from snapdrift.conclusions import Comparison, Evaluation, LeftOut, PairTable
from snapdrift.model import DecisionWord, MetricGate, Policy, Verdict
from snapdrift.stats.paired import mcnemar
from snapdrift.verdicts import RunFacts, evaluate
from snapdrift.verdicts.accepting import sober
from snapdrift.verdicts.evidence import Evidence, PairedValues, Question, weigh


def accepted(cases: Iterable[int], metric: str = "right") -> tuple[Acceptance, ...]:
    return tuple(Acceptance(f"c{case}", metric, "the fence is stripped", "ada", "2027-02-20") for case in cases)


def only(evaluation: Evaluation) -> Comparison:
    (comparison,) = evaluation.comparisons
    return comparison


def table(evaluation: Evaluation) -> PairTable:
    found = only(evaluation).table
    assert found is not None
    return found


def out_of(evaluation: Evaluation) -> LeftOut:
    found = only(evaluation).left_out
    assert found is not None
    return found


@pytest.fixture
def concluded(make_results, make_gate, make_table):
    """Evaluates a pass/fail table (losses first among the cases that differ) with some losses accepted."""

    def conclude(table: tuple[int, int, int, int], losses: int = 0, **gate) -> Evaluation:
        facts = RunFacts(acceptances=accepted(range(table[0], table[0] + losses)))
        return evaluate(make_results(make_table(*table)), make_gate(margin=0.05, **gate), facts)

    return conclude


def test_accepted_losses_are_left_out_on_both_sides_and_the_gate_is_no_longer_red(concluded):
    red, spared = concluded((180, 10, 0, 10)), concluded((180, 10, 0, 10), losses=8)
    assert (red.decision.word, only(red).left_out) == (DecisionWord.REGRESSION, None)
    comparison = only(spared)
    assert (spared.decision.word, comparison.n, table(spared).only_baseline) == (DecisionWord.PASSED, 192, 2)
    assert len(comparison.newly_failing) == 2


def test_what_a_comparison_would_be_with_the_accepted_cases_is_kept_and_told(concluded):
    spared = concluded((180, 10, 0, 10), losses=8)
    out, before = out_of(spared), only(concluded((180, 10, 0, 10)))
    assert (out.verdict, out.difference, out.p_adjusted) == (Verdict.REGRESSED, before.difference, before.p_adjusted)
    assert (len(out.cases), len(out.losses)) == (8, 8)
    assert spared.decision.warnings[0] == (
        "Accepted: 8 cases that `cand` loses against `base` on right are left out (of 8 accepted); with "
        "them it would be regressed -5.0 points [-8.2, -3.0]."
    )
    assert [one.case for one in spared.acceptances] == [f"c{number}" for number in range(180, 188)]


def test_a_regression_that_is_larger_than_what_is_accepted_stays_red(concluded):
    still = concluded((160, 30, 0, 10), losses=10)
    assert (still.decision.word, only(still).verdict) == (DecisionWord.REGRESSION, Verdict.REGRESSED)


def test_leaving_losses_out_makes_no_improvement_of_the_gains_that_chance_made(concluded):
    evaluation = concluded((170, 10, 10, 10), losses=10)
    comparison = only(evaluation)
    assert comparison.difference == pytest.approx(10 / 190)
    assert mcnemar(0, 10).exact.better < 0.05  # what the cases that are left would show by themselves
    assert comparison.p_better == mcnemar(10, 10).exact.better
    assert comparison.verdict is Verdict.NO_WORSE


def test_accepting_proves_nothing_that_is_not_shown_with_the_accepted_cases(concluded):
    evaluation = concluded((170, 12, 4, 14), losses=10, policy=Policy.PROVE)
    assert only(concluded((170, 2, 4, 14))).verdict is Verdict.NO_WORSE
    assert only(evaluation).verdict is Verdict.INCONCLUSIVE
    assert evaluation.decision.word is DecisionWord.INCONCLUSIVE


def test_accepted_cases_that_are_gains_by_now_are_left_out_as_well_and_no_note_speaks_of_losses(concluded):
    evaluation = concluded((180, 0, 10, 10), losses=10)
    comparison = only(evaluation)
    assert (comparison.n, out_of(evaluation).losses, table(evaluation).only_candidate) == (190, (), 0)
    assert comparison.p_better == 1.0
    assert not any(text.startswith("Accepted") for text in evaluation.decision.warnings)


def test_floors_levels_and_metrics_without_a_margin_are_of_all_cases(make_results, make_gate, make_table):
    results = make_results(make_table(180, 10, 0, 10))
    facts = RunFacts(acceptances=accepted(range(180, 188)))
    floor = make_gate(metrics=[MetricGate("right", margin=0.05, at_least=0.92)])
    evaluation = evaluate(results, floor, facts)
    assert evaluation.decision.word is DecisionWord.REGRESSION
    assert "`cand` reaches 90.0% on right" in evaluation.decision.reasons[0]
    read = only(evaluate(results, make_gate(metrics=[MetricGate("right", at_least=0.5)]), facts))
    assert (read.n, read.left_out) == (200, None)


def test_an_unmeasured_call_of_an_accepted_case_cannot_change_the_decision(make_results, make_gate):
    scores = {"base": {"right": [1] * 100}, "cand": {"right": [1] * 99 + [None]}}
    gate = make_gate(margin=0.05, policy=Policy.PROVE)
    evaluation = evaluate(make_results(scores), gate, RunFacts(acceptances=accepted([99])))
    assert (evaluation.decision.word, only(evaluation).n) == (DecisionWord.PASSED, 99)


def test_at_most_the_margin_can_be_accepted():
    assert [most_accepted(0.05, 170), most_accepted(0.03, 100), most_accepted(0.03, 30)] == [8, 3, 0]


def test_only_metrics_with_a_margin_have_accepted_cases():
    both = (*accepted([1, 2]), *accepted([3], "tone"), *accepted([4], "gone"))
    assert accepted_by_metric(both, {"right": 0.05, "tone": None}) == {"right": frozenset({"c1", "c2"})}


def rates(losing: float, gaining: float, runs: int = 2000) -> dict[str, float]:
    """How often claims are made of 200 cases at a margin of 5 points, ten losses (all that may be) being accepted."""
    rng = np.random.default_rng(20261127)
    said = dict.fromkeys(("improved", "no_worse", "improved of the rest", "no_worse of the rest"), 0)
    for _ in range(runs):
        losses, gains, _ = rng.multinomial(200, [losing, gaining, 1 - losing - gaining])
        rest, every = (shown(n, int(gains)) for n in (max(0, int(losses) - 10), int(losses)))
        found = sober(rest, every)
        for evidence, of in ((found, ""), (rest, " of the rest")):
            assert evidence.p is not None
            assert evidence.p_no_worse is not None
            said[f"improved{of}"] += evidence.p.better <= 0.05
            said[f"no_worse{of}"] += evidence.p_no_worse <= 0.05
    return {word: count / runs for word, count in said.items()}


@cache
def shown(losses: int, gains: int) -> Evidence:
    """What single passes and fails show that differ in so many cases, beside 160 that agree."""
    baseline = np.concatenate([np.ones(losses), np.zeros(gains), np.ones(160)])
    candidate = np.concatenate([np.zeros(losses), np.ones(gains), np.ones(160)])
    values = PairedValues(baseline, candidate, np.arange(baseline.size), single=True)
    return weigh(values, Question(0.95, 0.05, 0))


def test_a_reviewer_who_accepts_whatever_may_be_accepted_makes_no_claim_more_often_than_it_may_err():
    nothing_moved, at_the_margin = rates(0.10, 0.10), rates(0.125, 0.075)
    assert nothing_moved["improved"] <= 0.05
    assert at_the_margin["no_worse"] <= 0.065  # 2,000 runs at a rate of 5%: up to 6.5% by chance
    assert nothing_moved["improved of the rest"] > 0.30
    assert at_the_margin["no_worse of the rest"] > 0.30
