"""The rows of the decision table that unmeasured calls touch, for every shape of data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from snapdrift.conclusions import Decision
from snapdrift.model import (
    DecisionWord,
    Gate,
    MetricGate,
    MetricSpec,
    Outcome,
    Pair,
    Policy,
    Results,
    ScoreKind,
    Severity,
)
from snapdrift.verdicts import RunFacts, evaluate

MakeGate = Callable[..., Gate]
MakeResults = Callable[..., Results]
LOST = Outcome.API_ERROR


@pytest.fixture
def decide(make_results: MakeResults, make_gate: MakeGate) -> Callable[..., Decision]:
    def made(
        base: list[Any],
        cand: list[Any],
        *,
        graded: bool = False,
        less: bool = False,
        cluster: int = 1,
        **gate: Any,
    ) -> Decision:
        kind = ScoreKind.GRADED if graded else ScoreKind.PASS_FAIL
        spec = MetricSpec("right", "right", kind, higher_is_better=not less)
        clusters = [f"k{i // cluster}" for i in range(len(base))] if cluster > 1 else None
        results = make_results({"base": {"right": base}, "cand": {"right": cand}}, specs=[spec], clusters=clusters)
        return evaluate(results, make_gate(**gate), RunFacts()).decision

    return made


def test_of_graded_scores_the_worst_is_none_at_all(decide: Callable[..., Decision]) -> None:
    cand: list[Any] = [0.5] * 4 + [0.9] * 195
    assert decide([0.9] * 200, [*cand, LOST], graded=True).word is DecisionWord.INCOMPLETE
    assert decide([0.9] * 200, [*cand, 0.9], graded=True).word is DecisionWord.PASSED


def test_of_repeats_only_the_unmeasured_ones_are_imputed(decide: Callable[..., Decision]) -> None:
    cand: list[Any] = [(0, 0)] * 4 + [(1, 1)] * 195
    assert decide([(1, 1)] * 200, [*cand, (1, LOST)]).word is DecisionWord.INCOMPLETE
    # Four cases that fall and one that falls by half a case: 1/32 shows a drop; four alone, at 1/16, do not.
    assert decide([(1, 1)] * 200, [*cand, (1, 1)]).word is DecisionWord.PASSED


def test_a_case_that_has_another_repeat_is_imputed_where_that_repeat_is_missing(
    decide: Callable[..., Decision],
) -> None:
    cand: list[Any] = [(0, 0)] * 4 + [(1, 1)] * 195 + [(0, 0)]
    assert decide([(1, 1)] * 199 + [(LOST, 1)], cand).word is DecisionWord.REGRESSION
    assert decide([(1, 1)] * 199 + [(LOST, 0)], cand).word is DecisionWord.INCOMPLETE
    assert decide([(1, 1)] * 199 + [(0, 0)], cand).word is DecisionWord.PASSED


def test_the_cases_of_a_cluster_are_imputed_within_it(decide: Callable[..., Decision]) -> None:
    cand: list[Any] = [0] * 8 + [1] * 50
    assert decide([1] * 60, [*cand, LOST, LOST], cluster=2, coverage=0.9).word is DecisionWord.INCOMPLETE
    assert decide([1] * 60, [*cand, 1, 1], cluster=2).word is DecisionWord.PASSED


def test_where_less_is_better_the_worst_is_the_highest_score(decide: Callable[..., Decision]) -> None:
    cand: list[Any] = [1] * 4 + [0] * 195
    found = decide([0] * 200, [*cand, LOST], less=True)
    assert found.word is DecisionWord.INCOMPLETE
    assert "if all had gone against the candidate, it would be regression, not passed" in found.reasons[0]


def test_unmeasured_calls_of_both_sides_go_opposite_ways(decide: Callable[..., Decision]) -> None:
    base: list[Any] = [1] * 198 + [LOST, LOST]
    cand: list[Any] = [0] * 3 + [1] * 193 + [LOST, LOST, 0, 0]
    assert "4 unmeasured calls could change the decision" in decide(base, cand, coverage=0.9).reasons[0]


def test_a_shown_regression_stays_one_whatever_the_unmeasured_calls_would_say(
    decide: Callable[..., Decision],
) -> None:
    cand: list[Any] = [0] * 10 + [LOST] * 60 + [1] * 130
    assert decide([1] * 200, cand).word is DecisionWord.REGRESSION


def test_short_coverage_is_incomplete_before_anything_is_imputed(decide: Callable[..., Decision]) -> None:
    found = decide([1] * 200, [LOST] * 10 + [1] * 190)
    assert found.word is DecisionWord.INCOMPLETE
    assert all("could change the decision" not in reason for reason in found.reasons)


def test_under_prove_unmeasured_calls_that_could_undo_what_is_shown_are_incomplete(
    decide: Callable[..., Decision],
) -> None:
    gate: dict[str, Any] = {"policy": Policy.PROVE, "margin": 0.05, "coverage": 0.9}
    assert decide([1] * 60, [1] * 59 + [LOST], **gate).word is DecisionWord.INCOMPLETE
    assert decide([1] * 200, [1] * 199 + [LOST], **gate).word is DecisionWord.PASSED


def test_unmeasured_calls_of_a_pair_that_only_warns_are_not_imputed(decide: Callable[..., Decision]) -> None:
    pairs = (Pair("base", "cand", Severity.WARN),)
    floor = [MetricGate("right", margin=0.03)]
    cand: list[Any] = [0] * 4 + [1] * 195 + [LOST]
    assert decide([1] * 200, cand, pairs=pairs, metrics=floor, alias_moved=Severity.FAIL).word is DecisionWord.PASSED


def test_calls_spared_by_early_stopping_are_never_imputed(decide: Callable[..., Decision]) -> None:
    spared: list[Any] = [Outcome.NOT_NEEDED] * 100
    assert decide([1] * 100 + spared, [1] * 100 + spared, margin=0.1).word is DecisionWord.PASSED
