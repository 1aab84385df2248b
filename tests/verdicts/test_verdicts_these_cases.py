from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from snapdrift.conclusions import Comparison
from snapdrift.model import DecisionWord, Gate, MetricSpec, Outcome, Policy, Results, ScoreKind, Target, Verdict
from snapdrift.verdicts import RunFacts, evaluate, sufficiency
from snapdrift.verdicts.evidence import Evidence, PairedValues, Question, weigh
from snapdrift.verdicts.these_cases import weigh_these_cases

FloatArray = NDArray[np.float64]
MakeGate = Callable[..., Gate]
MakeResults = Callable[..., Results]
THESE = Question(0.95, 0.05, 0, Target.THESE_CASES)
DRAWS = 200
NOMINAL = 0.05 + 3 * math.sqrt(0.05 * 0.95 / DRAWS)


def repeated(baseline: FloatArray, candidate: FloatArray, *, higher_is_better: bool = True) -> PairedValues:
    means = (np.nanmean(baseline, axis=1), np.nanmean(candidate, axis=1))
    return PairedValues(*means, np.arange(len(baseline)), False, higher_is_better, (baseline, candidate))


def drawn(generator: np.random.Generator, chance: FloatArray, repeats: int) -> FloatArray:
    return (generator.random((chance.size, repeats)) < chance[:, None]).astype(float)


def compared(results: Results, gate: Gate) -> Comparison:
    (comparison,) = evaluate(results, gate, RunFacts()).comparisons
    return comparison


@st.composite
def any_repeats(draw: st.DrawFn) -> PairedValues:
    repeats = draw(st.integers(2, 3))
    level = st.sampled_from(draw(st.sampled_from([[0.0, 1.0], [0.0, 0.25, 1.0]])))
    case = st.lists(level, min_size=repeats, max_size=repeats)
    rows = draw(st.lists(st.tuples(case, case), min_size=1, max_size=30))
    return repeated(np.array([row[0] for row in rows]), np.array([row[1] for row in rows]))


# ---------------------------------------------------------------------------------------------------------- error rates

FIXED = np.linspace(0.3, 0.95, 60)
SWAPPED = np.where(np.arange(60) % 2 == 0, 0.2, -0.2)
SCENES = {
    "nothing changed": (FIXED, FIXED),
    "cases moved both ways": (np.full(60, 0.5), 0.5 + SWAPPED),
    "cases swapped for certain": (0.5 + 2.5 * SWAPPED, 0.5 - 2.5 * SWAPPED),
    "hardly anything fails": (np.full(60, 0.99), np.full(60, 0.99)),
}


@pytest.mark.parametrize("scene", SCENES)
def test_without_a_mean_change_these_cases_rarely_look_worse_or_better(scene: str) -> None:
    generator = np.random.default_rng(1)
    found = [weigh_these_cases(repeated(*(drawn(generator, p, 3) for p in SCENES[scene])), THESE) for _ in range(DRAWS)]
    assert np.mean([e.p is not None and e.p.worse <= 0.05 for e in found]) <= NOMINAL
    assert np.mean([e.p is not None and e.p.better <= 0.05 for e in found]) <= NOMINAL


@pytest.mark.parametrize(
    ("rates", "drop", "repeats"),
    [
        (np.linspace(0.3, 0.95, 60), np.full(60, 0.05), 3),
        (np.full(100, 0.999), np.full(100, 0.02), 5),
        (np.full(60, 1.0), np.where(np.arange(60) < 6, 0.5, 0.0), 4),
    ],
)
def test_a_drop_of_just_the_margin_is_rarely_called_no_worse_and_the_interval_holds_it(
    rates: FloatArray, drop: FloatArray, repeats: int
) -> None:
    generator, margin = np.random.default_rng(2), float(drop.mean())
    question = replace(THESE, margin=margin)
    found = [
        weigh_these_cases(repeated(drawn(generator, rates, repeats), drawn(generator, rates - drop, repeats)), question)
        for _ in range(DRAWS)
    ]
    assert np.mean([e.p_no_worse is not None and e.p_no_worse <= 0.05 for e in found]) <= NOMINAL
    held = [e.ci is not None and e.ci[0] - 1e-9 <= -margin <= e.ci[1] + 1e-9 for e in found]
    assert np.mean(held) >= 0.9 - 3 * math.sqrt(0.09 / DRAWS)


def test_graded_repeats_above_fifty_cases_are_wrong_no_more_often_than_they_say() -> None:
    generator, level = np.random.default_rng(3), np.linspace(0.3, 0.7, 60)[:, None]
    found = []
    for _ in range(DRAWS):
        sides = generator.normal(level, 0.1, (2, 60, 3)).clip(0, 1)
        found.append(weigh_these_cases(repeated(*sides), THESE))
    assert {e.method for e in found} == {"these_cases_t"}
    assert np.mean([e.p is not None and e.p.worse <= 0.05 for e in found]) <= NOMINAL


# ----------------------------------------------------------------------------------------------------------- the method


def test_passes_and_fails_are_dealt_exactly_at_any_number_of_cases() -> None:
    generator = np.random.default_rng(4)
    sides = [drawn(generator, np.full(300, 0.8), 2) for _ in range(2)]
    assert weigh_these_cases(repeated(*sides), THESE).method == "repeat_deals_exact"


def test_few_graded_cases_are_dealt_by_draws() -> None:
    sides = np.random.default_rng(4).random((2, 20, 2))
    assert weigh_these_cases(repeated(*sides), THESE).method == "repeat_deals_monte_carlo"


def test_a_drop_on_a_few_cases_that_never_wobble_is_shown_of_these_and_not_of_cases_like_them() -> None:
    baseline, candidate = np.ones((40, 3)), np.ones((40, 3))
    candidate[:3] = 0.0
    values = repeated(baseline, candidate)
    these, like = weigh_these_cases(values, THESE).p, weigh(values, replace(THESE, target=Target.CASES_LIKE_THESE)).p
    assert these is not None
    assert like is not None
    assert these.worse == pytest.approx((1 / 20) ** 3)
    assert like.worse == pytest.approx(1 / 8)


def test_answers_that_never_vary_get_an_interval_with_width() -> None:
    found = weigh_these_cases(repeated(np.ones((40, 3)), np.ones((40, 3))), THESE)
    assert found.ci is not None
    assert found.ci[0] < -0.01 < 0.01 < found.ci[1]


def test_an_interval_about_these_cases_is_narrower_where_cases_differ() -> None:
    generator = np.random.default_rng(6)
    moved = np.where(np.arange(100) % 2 == 0, 0.9, 0.1)
    values = repeated(drawn(generator, 1 - moved, 4), drawn(generator, moved, 4))
    widths = []
    for found in (weigh_these_cases(values, THESE), weigh(values, replace(THESE, target=Target.CASES_LIKE_THESE))):
        assert found.ci is not None
        widths.append(found.ci[1] - found.ci[0])
    assert widths[0] < 0.6 * widths[1]


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_cases_with_unequal_repeats_still_have_an_interval_that_holds_the_difference(missing: float) -> None:
    generator = np.random.default_rng(8)
    sides = [drawn(generator, np.full(80, 0.7), 3) for _ in range(2)]
    for side in sides:
        side[generator.random(side.shape) < missing] = math.nan
    kept = ~np.isnan(sides[0]).all(axis=1) & ~np.isnan(sides[1]).all(axis=1)
    values = repeated(sides[0][kept], sides[1][kept])
    found = weigh_these_cases(values, THESE)
    assert found.ci is not None
    assert found.ci[0] < values.gains.mean() < found.ci[1]


@settings(max_examples=60)
@given(any_repeats())
def test_swapping_the_arms_mirrors_what_is_said_of_these_cases(values: PairedValues) -> None:
    assert values.repeats is not None
    turned = repeated(values.repeats[1], values.repeats[0])
    one, other = weigh_these_cases(values, THESE), weigh_these_cases(turned, THESE)
    if one.p is None or other.p is None or one.ci is None or other.ci is None:
        assert (one.p, other.p) == (None, None)
        return
    slack = 0.02 if "monte_carlo" in one.method else 1e-9
    assert one.p.worse == pytest.approx(other.p.better, abs=slack)
    assert one.ci == pytest.approx((-other.ci[1], -other.ci[0]), abs=1e-9)


@settings(max_examples=40)
@given(any_repeats())
def test_where_less_is_better_these_cases_are_seen_from_the_other_side(values: PairedValues) -> None:
    assert values.repeats is not None
    one = weigh_these_cases(values, THESE)
    less = weigh_these_cases(repeated(1 - values.repeats[0], 1 - values.repeats[1], higher_is_better=False), THESE)
    assert less.method == one.method
    assert (less.p is None) == (one.p is None)
    if one.p is not None and less.p is not None and one.ci is not None and less.ci is not None:
        assert less.p.worse == pytest.approx(one.p.worse, abs=1e-9)
        assert less.ci == pytest.approx((-one.ci[1], -one.ci[0]), abs=1e-9)


def test_no_case_at_all_tells_nothing() -> None:
    empty = np.empty((0, 2))
    none = PairedValues(np.empty(0), np.empty(0), np.empty(0, np.int64), single=False, repeats=(empty, empty))
    assert weigh_these_cases(none, THESE) == Evidence("none", None, None, None, None, 0.0)


def test_too_few_answers_to_tell_are_insufficient() -> None:
    assert weigh_these_cases(repeated(np.ones((1, 2)), np.zeros((1, 2))), THESE).method == "none"
    assert weigh_these_cases(repeated(np.ones((2, 2)), np.zeros((2, 2))), THESE).method == "repeat_deals_exact"


# ------------------------------------------------------------------------------------------------------ the whole thing


def test_a_gate_about_these_cases_says_so_in_its_comparisons(make_results: MakeResults, make_gate: MakeGate) -> None:
    base: list[Any] = [(1, 1, 1)] * 40
    cand: list[Any] = [(0, 0, 0)] * 3 + [(1, 1, 1)] * 37
    results = make_results({"base": {"right": base}, "cand": {"right": cand}})
    these = compared(results, make_gate(target=Target.THESE_CASES))
    like = compared(results, make_gate())
    assert (these.target, these.verdict, these.method) == (Target.THESE_CASES, Verdict.REGRESSED, "repeat_deals_exact")
    assert (like.target, like.verdict) == (Target.CASES_LIKE_THESE, Verdict.INCONCLUSIVE)


def test_an_inconclusive_comparison_of_these_cases_says_how_many_repeats_would_settle_it(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    base: list[Any] = [(1, 0)] * 20 + [(1, 1)] * 20
    cand: list[Any] = [(0, 0)] * 8 + [(1, 0)] * 12 + [(1, 1)] * 20
    results = make_results({"base": {"right": base}, "cand": {"right": cand}})
    found = compared(results, make_gate(margin=0.02, target=Target.THESE_CASES))
    assert (found.verdict, found.cases_to_resolve) == (Verdict.INCONCLUSIVE, None)
    assert found.repeats_to_resolve is not None
    assert found.repeats_to_resolve > 2


def test_clusters_do_not_matter_to_what_is_said_of_these_cases(make_results: MakeResults, make_gate: MakeGate) -> None:
    scores: Any = {"base": {"right": [(1, 1, 0)] * 30}, "cand": {"right": [(1, 0, 0)] * 30}}
    gate = make_gate(target=Target.THESE_CASES)
    alone = compared(make_results(scores), gate)
    together = compared(make_results(scores, clusters=[f"k{i // 10}" for i in range(30)]), gate)
    assert (together.p_value, together.ci, together.method) == (alone.p_value, alone.ci, alone.method)


@pytest.mark.parametrize("graded", [False, True])
def test_unmeasured_repeats_are_imputed_about_these_cases(
    make_results: MakeResults, make_gate: MakeGate, *, graded: bool
) -> None:
    cand: list[Any] = [(0, 0)] * 2 + [(1, Outcome.API_ERROR)] + [(1, 1)] * 47
    spec = MetricSpec("right", "right", ScoreKind.GRADED if graded else ScoreKind.PASS_FAIL)
    results = make_results({"base": {"right": [(1, 1)] * 50}, "cand": {"right": cand}}, specs=[spec])
    gate = make_gate(target=Target.THESE_CASES, margin=0.1, confidence=0.98)
    decision = evaluate(results, gate, RunFacts()).decision
    assert decision.word is DecisionWord.INCOMPLETE
    assert "1 unmeasured call could change the decision" in decision.reasons[0]


# ---------------------------------------------------------------------------------------------- before anything is sent


@pytest.mark.parametrize(("policy", "needed"), [(Policy.CATCH, 34), (Policy.PROVE, 30)])
def test_about_these_cases_answers_count_as_cases_do(policy: Policy, needed: int, make_gate: MakeGate) -> None:
    from snapdrift.model import Case

    gate = make_gate(policy=policy, margin=0.05, target=Target.THESE_CASES)
    spec = MetricSpec("right", "right", ScoreKind.PASS_FAIL)
    for count in (needed - 1, needed):
        cases = [Case(f"c{i}", cluster="one") for i in range(count)]
        (found,) = sufficiency(gate, [spec], cases, {}, 3)
        assert found.enough is (count == needed)
        assert (found.cases_for_catch, found.cases_for_prove) == (34, 30)
    assert "each by 3 answers a side" in found.detail


@pytest.mark.parametrize("count", [29, 30])
def test_prove_about_these_cases_is_sufficient_exactly_where_agreement_earns_no_worse(
    count: int, make_gate: MakeGate, make_results: MakeResults
) -> None:
    gate = make_gate(policy=Policy.PROVE, margin=0.05, target=Target.THESE_CASES)
    scores: Any = {name: {"right": [(1, 1, 1)] * count} for name in ("base", "cand")}
    results = make_results(scores)
    (found,) = sufficiency(gate, results.metrics, results.cases, results.applicable, 3)
    assert found.enough is (compared(results, gate).verdict is Verdict.NO_WORSE)
