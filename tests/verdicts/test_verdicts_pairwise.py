"""Comparisons of a pairwise metric: preferences over their own baseline, on the same statistics as every other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapdrift.conclusions import Comparison, Evaluation
from snapdrift.model import (
    CallKey,
    CallResult,
    Case,
    DecisionWord,
    Endpoint,
    Gate,
    MetricGate,
    MetricSpec,
    MustPass,
    Outcome,
    Pair,
    Reason,
    Results,
    Score,
    ScoreKind,
    Severity,
    Target,
    Variant,
    Verdict,
)
from snapdrift.stats.case_order import Unit
from snapdrift.verdicts import RunFacts, evaluate
from snapdrift.verdicts.comparing import compare
from snapdrift.verdicts.looks import stopping_rule, walk
from snapdrift.verdicts.orders import is_biased, order_agreements, order_sentence
from snapdrift.verdicts.planned import plan_comparisons
from snapdrift.verdicts.score_tables import build_score_tables
from snapdrift.verdicts.words import comparison_sentence

BETTER = MetricSpec("better", "better", ScoreKind.GRADED, "in preference", (-1.0, 1.0), judged=True, pairwise=True)
VALUES = {"win": 1.0, "tie": 0.5, "loss": 0.0}
Said = str | tuple[str, str] | None | Outcome
"""What both orders said of the candidate, what each said, None for no verdict, or how the candidate's call ended."""


def facts_of(said: Said) -> dict[str, Any]:
    if said is None:
        return {"value": None}
    forward, backward = (said, said) if isinstance(said, str) else said
    return {"value": VALUES[forward] if forward == backward else 0.5, "forward": forward, "backward": backward}


def results_of(against: dict[str, Sequence[Said | Sequence[Said]]], *, clusters: Sequence[str] = ()) -> Results:
    """A run of the candidate `new` from `against[baseline]`: one entry a case, or a list of repeats."""
    rows = {name: [one if isinstance(one, list) else [one] for one in row] for name, row in against.items()}
    first = next(iter(rows.values()))
    cases = tuple(Case(f"c{i}", cluster=clusters[i] if clusters else None) for i in range(len(first)))
    repeats = len(first[0]) if first else 1
    calls: dict[CallKey, CallResult] = {}
    scores = []
    for i, case in enumerate(cases):
        for repeat in range(repeats):
            calls |= {CallKey(case.id, name, repeat): CallResult(Outcome.OK) for name in against}
            said = {name: row[i][repeat] for name, row in rows.items()}
            ended = next((one for one in said.values() if isinstance(one, Outcome)), Outcome.OK)
            calls[CallKey(case.id, "new", repeat)] = CallResult(ended)
            if not ended.measured:
                continue
            facts = {name: facts_of(one) for name, one in said.items()}  # type: ignore[arg-type]
            known = [one["value"] for one in facts.values() if one["value"] is not None]
            value = sum(known) / len(known) if known else None
            reason = Reason.GRADER_ERROR if value is None else Reason.PASSED if value >= 0.5 else Reason.WRONG
            passed = None if value is None else value >= 0.5
            scores.append(Score(case.id, "new", repeat, "better", value, passed, reason, facts={"against": facts}))
    return Results(
        cases=cases,
        variants=tuple(Variant(name, name, Endpoint.RESPONSES, {}, {}) for name in (*against, "new")),
        repeats=repeats,
        metrics=(BETTER,),
        calls=calls,
        scores=tuple(scores),
        applicable={"better": frozenset(case.id for case in cases)},
    )


def gate_of(*baselines: str, margin: float | None = 0.1, at_least: float | None = None, **more: Any) -> Gate:
    pairs = tuple(Pair(name, "new") for name in baselines or ("old",))
    return Gate("default", pairs, (MetricGate("better", margin, at_least),), **{"max_blind": 0.5, **more})


def compared(results: Results, gate: Gate) -> tuple[Comparison, ...]:
    return compare(plan_comparisons(results, gate, partial=False), build_score_tables(results, gate), gate, seed=1)


def evaluated(results: Results, gate: Gate) -> Evaluation:
    return evaluate(results, gate, RunFacts(seed=1))


def test_the_difference_is_wins_minus_losses_and_the_movers_are_the_cases_lost_and_won() -> None:
    (one,) = compared(results_of({"old": ["win"] * 12 + ["loss"] * 4 + ["tie"] * 4}), gate_of())

    assert (one.n, one.baseline_mean, one.candidate_mean, one.difference) == (20, 0.0, 0.4, 0.4)
    assert one.newly_passing == tuple(f"c{i}" for i in range(12))
    assert one.newly_failing == ("c12", "c13", "c14", "c15")
    # Among 16 decided cases 12 or more wins: 2517 of 65536 (the binomial's upper tail).
    assert one.p_better == pytest.approx(2517 / 65536)
    assert (one.method, one.table, one.ci_newcombe) == ("mcnemar_exact", None, None)


def test_cases_lost_and_won_are_weighed_as_discordant_cases_of_a_pass_fail_metric_are(make_results, make_gate) -> None:
    preferences, plain = results_of({"old": ["win"] * 5 + ["loss"] * 9 + ["tie"] * 26}), gate_of(margin=0.1)
    base = [0] * 5 + [1] * 9 + [1] * 26
    passes = make_results({"base": {"right": base}, "cand": {"right": [1] * 5 + [0] * 9 + [1] * 26}})

    (one,), (other,) = compared(preferences, plain), compared(passes, make_gate(margin=0.1))

    assert (one.p_value, one.p_no_worse, one.ci) == (other.p_value, other.p_no_worse, other.ci)
    assert (one.difference, one.detectable_difference) == (other.difference, other.detectable_difference)


def test_a_candidate_that_mostly_loses_has_regressed_and_the_words_count_wins_losses_and_ties() -> None:
    (one,) = compared(results_of({"old": ["loss"] * 15 + ["win"] + [("win", "loss")] * 4}), gate_of())

    sentence = comparison_sentence(one, BETTER)
    assert one.verdict is Verdict.REGRESSED
    assert sentence.startswith("`new` is worse than `old` on better: -0.70 in preference [")
    assert sentence.endswith("of 20 cases it loses 15, wins 1 and ties 4.")


def test_orders_that_disagree_everywhere_are_ties_and_show_that_nothing_is_worse() -> None:
    (one,) = compared(results_of({"old": [("loss", "win")] * 60}), gate_of())

    assert (one.difference, one.newly_failing, one.newly_passing, one.verdict) == (0.0, (), (), Verdict.NO_WORSE)


def test_each_baseline_is_compared_by_the_preferences_over_it_alone() -> None:
    old, older = ["win"] * 20, ["loss"] * 18 + ["tie"] * 2

    first, second = compared(results_of({"old": old, "older": older}), gate_of("old", "older"))

    assert (first.difference, second.difference) == (1.0, -0.9)
    assert (first.verdict, second.verdict) == (Verdict.IMPROVED, Verdict.REGRESSED)


ANY = st.lists(st.sampled_from(["win", "tie", "loss"]), min_size=6, max_size=40)


@settings(max_examples=30)
@given(ANY)
def test_swapping_baseline_and_candidate_flips_the_sign(said: list[str]) -> None:
    turned = [{"win": "loss", "loss": "win", "tie": "tie"}[one] for one in said]

    (one,), (other,) = (compared(results_of({"old": row}), gate_of()) for row in (said, turned))

    assert one.difference == -(other.difference or 0.0)
    assert one.p_value == pytest.approx(other.p_better)
    assert (one.newly_failing, one.newly_passing) == (other.newly_passing, other.newly_failing)
    if one.ci is not None:
        assert other.ci is not None
        assert one.ci == pytest.approx((-other.ci[1], -other.ci[0]), abs=1e-6)


def test_the_same_model_on_both_sides_comes_out_at_nothing() -> None:
    said: list[Any] = ["win", "loss", "tie", ("win", "loss"), ("loss", "win")] * 20

    (one,) = compared(results_of({"old": said}), gate_of(margin=0.2))

    assert (one.difference, one.verdict) == (0.0, Verdict.NO_WORSE)


# --------------------------------------------------------------------------------------------- unmeasured and limits


def test_a_baseline_has_no_level_and_nothing_planned_of_its_own() -> None:
    levels = {level.variant: level for level in evaluated(results_of({"old": ["win"] * 20}), gate_of()).metrics}

    assert (levels["old"].n, levels["old"].mean, levels["old"].unmeasured) == (0, None, 0)
    assert (levels["new"].n, levels["new"].mean, levels["new"].unmeasured) == (20, 1.0, 0)


def test_verdicts_that_are_missing_are_short_coverage_of_this_comparison_alone() -> None:
    missing: list[Any] = ["win"] * 30 + [None] * 10
    results = results_of({"old": missing, "older": ["win"] * 40})

    decision = evaluated(results, gate_of("old", "older")).decision

    assert decision.word is DecisionWord.INCOMPLETE
    (short,) = [reason for reason in decision.reasons if "was scored on" in reason]
    assert short.startswith("better was scored on 75.0% of the planned calls of `new` against `old` that it applies to")


def test_what_is_unmeasured_is_reckoned_as_lost_and_as_won() -> None:
    said: list[Any] = ["tie"] * 200 + [None] * 3

    evaluation = evaluated(results_of({"old": said}), gate_of(margin=0.02))
    (one,) = evaluation.comparisons

    assert (one.n, one.unmeasured, one.unmeasured_calls) == (200, 3, 3)
    assert evaluation.decision.word is DecisionWord.PASSED


def test_a_baseline_that_failed_leaves_its_pair_out_and_counts_once() -> None:
    results = results_of({"old": ["win"] * 19 + [None]})
    failed = {**results.calls, CallKey("c19", "old", 0): CallResult(Outcome.API_ERROR)}

    (one,) = compared(replace(results, calls=failed), gate_of())

    assert (one.n, one.unmeasured, one.unmeasured_calls) == (19, 1, 1)


@pytest.mark.parametrize(("at_least", "word"), [(0.45, DecisionWord.PASSED), (0.55, DecisionWord.REGRESSION)])
def test_a_floor_is_on_the_mean_preference_of_the_candidate(at_least: float, word: DecisionWord) -> None:
    said = ["win"] * 20 + ["loss"] * 20

    assert evaluated(results_of({"old": said}), gate_of(margin=None, at_least=at_least)).decision.word is word


def test_a_case_that_must_pass_is_not_asked_of_a_preference() -> None:
    gate = gate_of(must_pass=MustPass(cases=("c0",)))

    reasons = evaluated(results_of({"old": ["loss"] + ["win"] * 39}), gate).decision.reasons

    assert not any("better" in reason and "must" in reason for reason in reasons)


def test_a_pair_of_severity_warn_is_compared_and_gates_nothing() -> None:
    gate = replace(gate_of(), pairs=(Pair("old", "new", Severity.WARN),))

    evaluation = evaluated(results_of({"old": ["loss"] * 20}), gate)

    assert evaluation.comparisons[0].verdict is Verdict.REGRESSED
    assert evaluation.decision.word is DecisionWord.NOT_GATED


# ------------------------------------------------------------------------------------------ repeats, clusters, looks


def test_repeats_are_averaged_within_a_case_before_it_counts_as_lost_or_won() -> None:
    said = [["win", "loss"], ["win", "tie"], ["loss", "tie"], ["tie", "tie"]] * 5

    (one,) = compared(results_of({"old": said}), gate_of())

    assert (one.n, one.difference, len(one.newly_failing), len(one.newly_passing)) == (20, 0.0, 5, 5)


def test_about_these_cases_two_answers_change_places_together() -> None:
    """Three cases with two answers each, all won: each pair could have been turned round, 1 chance in 2**6."""
    (one,) = compared(results_of({"old": [["win", "win"]] * 3}), gate_of(target=Target.THESE_CASES))

    assert one.method == "sign_flip_exact"
    assert one.p_better == pytest.approx(1 / 64)


def test_cases_of_one_cluster_count_together() -> None:
    said = ["loss"] * 20
    alone, together = (
        compared(results_of({"old": said}, clusters=names), gate_of())[0]
        for names in ([f"k{i}" for i in range(20)], [f"k{i // 4}" for i in range(20)])
    )

    assert alone.p_value == pytest.approx(0.5**20)
    assert together.p_value == pytest.approx(0.5**5)


def test_a_run_that_is_looked_at_stops_on_lost_preferences() -> None:
    results, gate = results_of({"old": ["loss"] * 200}), gate_of()
    planned, tables = plan_comparisons(results, gate, partial=False), build_score_tables(results, gate)
    order: list[Unit] = [(case,) for case in tables.case_ids]
    rule = stopping_rule(gate, early_stop=True)
    assert rule is not None

    looks = walk(planned, tables, order, rule)
    (one,) = compare(planned, tables, gate, seed=1, looks=looks)

    assert (looks.stopped, one.stopped_early, one.n) == (True, True, looks.fed)
    assert (one.difference, one.verdict) == (-1.0, Verdict.REGRESSED)


def test_a_verdict_that_was_passed_over_is_no_preference_of_the_looks() -> None:
    results, gate = results_of({"old": ["loss"] * 40}), gate_of()
    planned, tables = plan_comparisons(results, gate, partial=False), build_score_tables(results, gate)
    rule = stopping_rule(gate, early_stop=True)
    assert rule is not None
    looks = replace(
        walk(planned, tables, [(case,) for case in tables.case_ids], rule),
        passed_over=frozenset({CallKey("c0", "new", 0, "better.1.forward"), CallKey("c1", "old", 0)}),
    )

    values = looks.values(planned[0], tables)

    assert [bool(value != value) for value in values[:3]] == [True, True, False]  # NaN is the one that differs


# ------------------------------------------------------------------------------------------------------ both orders


def test_what_the_orders_said_is_counted_by_comparison() -> None:
    said: list[Any] = ["win"] * 5 + ["loss"] * 2 + ["tie"] * 2 + [("win", "loss")] + [None]

    (orders,) = evaluated(results_of({"old": said}), gate_of()).gradings.orders

    assert (orders.metric, orders.baseline, orders.candidate) == ("better", "old", "new")
    assert (orders.judged, orders.wins, orders.losses, orders.ties, orders.disagreements) == (10, 5, 2, 2, 1)
    # A win forward and a loss backward both prefer the second place: 7 of 16 preferences are for the first.
    assert orders.first_preferred == pytest.approx(7 / 16)
    assert (orders.leaning_first, orders.leaning_second, orders.p_position) == (0, 1, 1.0)


def test_a_judge_that_goes_by_the_place_is_found_out_and_told() -> None:
    said: list[Any] = [("loss", "win")] * 12 + ["win"] * 28

    evaluation = evaluated(results_of({"old": said}), gate_of())
    (orders,) = evaluation.gradings.orders

    assert orders.p_position == pytest.approx(2 * 0.5**12)
    sentence = order_sentence(orders, 0.05)
    assert "of 12 (30.0%) the orders disagree, which counts as a tie" in sentence
    assert "The judge favours the answer shown first (position bias)" in sentence
    assert any("favours the answer shown first" in warning for warning in evaluation.decision.warnings)


def test_a_judge_that_errs_without_looking_at_the_place_is_seldom_suspected() -> None:
    """A fifth of the verdicts go by luck: at most 5% of such runs may show a bias, within three standard errors."""
    generator, runs, shown = np.random.default_rng(11), 150, 0
    labels = np.array(["win", "tie", "loss"])
    for _ in range(runs):
        true = generator.choice(labels, 60)
        orders = [np.where(generator.random(60) < 0.2, generator.choice(labels, 60), true) for _ in range(2)]
        said = [(str(forward), str(backward)) for forward, backward in zip(*orders, strict=True)]
        (one,) = order_agreements(results_of({"old": said}), gate_of())
        shown += is_biased(one, 0.05)

    assert shown / runs <= 0.05 + 3 * (0.05 * 0.95 / runs) ** 0.5


def test_agreement_on_every_pair_is_no_sign_of_position_bias() -> None:
    (orders,) = evaluated(results_of({"old": ["win"] * 20 + ["loss"] * 3}), gate_of()).gradings.orders

    assert (orders.first_preferred, orders.p_position) == (0.5, None)
    assert order_sentence(orders, 0.05).endswith("there is no sign of position bias.")


def test_repeats_and_clusters_lean_to_a_place_once() -> None:
    said: list[Any] = [[("loss", "win"), ("loss", "win")]] * 6
    results = results_of({"old": said}, clusters=["a", "a", "b", "b", "c", "c"])

    (orders,) = evaluated(results, gate_of()).gradings.orders

    assert (orders.judged, orders.leaning_first) == (12, 3)
    assert orders.p_position == pytest.approx(0.25)
