from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from snapdrift.conclusions import Comparison, VarianceParts
from snapdrift.model import Gate, MetricGate, MetricSpec, Policy, Results, ScoreKind, Target
from snapdrift.verdicts import RunFacts, evaluate
from snapdrift.verdicts.claims import (
    multiplicity_sentence,
    sight_sentence,
    target_sentence,
    variance_sentence,
    variance_sentences,
)

MakeGate = Callable[..., Gate]
MakeResults = Callable[..., Results]
PARTS = VarianceParts(
    repeats=2.0,
    between=0.06,
    within=0.04,
    noise_share=0.25,
    floored=False,
    like_these_error=0.02,
    these_cases_error=0.01,
    pooled_error=0.0158,
    twice_the_cases=0.0141,
    twice_the_repeats=0.0187,
    remedy="cases",
)
STARS = MetricSpec("right", "right", ScoreKind.GRADED, unit="stars", scale=(1.0, 5.0))


@pytest.fixture
def repeated(make_results: MakeResults, make_gate: MakeGate) -> Comparison:
    """A comparison of 30 cases that were asked twice, some of which moved and some of which wobble."""
    cand: list[Any] = [(0, 0)] * 4 + [(1, 0)] * 6 + [(1, 1)] * 20
    results = make_results({"base": {"right": [(1, 1)] * 25 + [(0, 1)] * 5}, "cand": {"right": cand}})
    (found,) = evaluate(results, make_gate(), RunFacts()).comparisons
    return found


def test_the_two_claims_are_said_apart() -> None:
    like, these = target_sentence(Target.CASES_LIKE_THESE), target_sentence(Target.THESE_CASES)
    assert like.startswith("Claimed about cases like these:")
    assert these.startswith("Claimed about these very cases:")


def test_failing_takes_holm_and_passing_takes_none_and_the_sentence_says_why(make_gate: MakeGate) -> None:
    assert multiplicity_sentence(make_gate(), 4) == (
        "The run fails if any one of 4 gating comparisons is shown worse, so those p-values are adjusted (Holm) and a "
        "false alarm among them all has at most the chance 0.05; that none is worse than its margin is shown only by "
        "all of them, each at 0.05, which takes no adjustment (intersection-union)."
    )


def test_one_comparison_needs_no_adjustment_and_none_no_sentence(make_gate: MakeGate) -> None:
    assert "One comparison gates, so its p-values are taken as they are, at 0.01" in multiplicity_sentence(
        make_gate(confidence=0.99), 1
    )
    assert multiplicity_sentence(make_gate(), 0) == ""


@pytest.mark.parametrize(("policy", "blind"), [(Policy.CATCH, True), (Policy.PROVE, False)])
def test_what_could_be_seen_is_said_by_metric_beside_what_is_asked(
    repeated: Comparison, make_gate: MakeGate, policy: Policy, *, blind: bool
) -> None:
    larger = replace(repeated, detectable_difference=0.3, candidate="other")
    unseen = replace(repeated, metric="tone", detectable_difference=None)
    seen = replace(repeated, detectable_difference=0.2)
    said = sight_sentence(make_gate(policy=policy), [seen, larger, unseen], {})
    assert "drops of at least 30.0 points on right, no drop of any size on tone" in said
    assert ("`max_blind` asks for 10.0 points" in said) is blind


def test_what_less_is_better_of_rises_where_it_gets_worse(repeated: Comparison, make_gate: MakeGate) -> None:
    less = MetricSpec("right.invented", "right", ScoreKind.GRADED, higher_is_better=False)
    invented = replace(repeated, metric="right.invented", detectable_difference=0.2)
    unseen = replace(invented, detectable_difference=None)
    specs = {"right.invented": less}

    assert (
        "drops of at least 30.0 points on right, rises of at least 20.0 points on right.invented; "
        in sight_sentence(make_gate(), [replace(repeated, detectable_difference=0.3), invented], specs)
    )
    assert "no rise of any size on right.invented" in sight_sentence(make_gate(), [unseen], specs)


def test_where_nothing_gates_nothing_is_said_of_sight(repeated: Comparison, make_gate: MakeGate) -> None:
    assert sight_sentence(make_gate(), [replace(repeated, gating=False)], {}) == ""


def test_the_variance_says_why_repeats_are_not_cases_and_what_would_help(repeated: Comparison) -> None:
    assert variance_sentence(repeated, PARTS) == (
        "right, `cand` against `base`: 25.0% of the variance of a case's difference is the models' own, from answer to "
        "answer, the rest differs between cases, so 2 answers to a case are not as many cases: the standard error over "
        "30 cases is 2.0 points, not the 1.6 that pooled answers would claim; twice the cases would make it 1.4, twice "
        "the repeats 1.9: more cases would help."
    )


def test_about_these_cases_the_variance_says_what_repeats_would_do(repeated: Comparison) -> None:
    parts = replace(PARTS, remedy="repeats", twice_the_cases=None, twice_the_repeats=0.007)
    said = variance_sentence(replace(repeated, target=Target.THESE_CASES), parts)
    assert said.endswith(
        "the standard error about these cases is 1.0 points (2.0 about cases like them), and twice the repeats would "
        "make it 0.7: more repeats would help."
    )


def test_errors_of_a_metric_with_a_scale_of_its_own_are_in_its_unit(repeated: Comparison) -> None:
    assert "the standard error over 30 cases is 0.08 stars" in variance_sentence(repeated, PARTS, STARS)


@pytest.mark.parametrize(("remedy", "helps"), [("cases", "more cases"), ("either", "more of either")])
def test_the_remedy_is_the_one_that_was_reckoned(repeated: Comparison, remedy: str, helps: str) -> None:
    assert variance_sentence(repeated, replace(PARTS, remedy=remedy)).endswith(f": {helps} would help.")


def test_where_nothing_varied_nothing_is_advised(repeated: Comparison) -> None:
    assert variance_sentence(repeated, replace(PARTS, remedy="neither")).endswith(
        "nothing varied, neither between cases nor from answer to answer."
    )


def test_every_comparison_with_a_margin_has_its_sentence_where_cases_were_repeated(repeated: Comparison) -> None:
    unasked = replace(repeated, margin=None)
    single = replace(repeated, variance=None)
    assert len(variance_sentences([repeated, repeated, unasked, single], {})) == 2
    assert variance_sentences([unasked, single], {}) == ()


def test_a_comparison_with_repeats_says_where_its_uncertainty_comes_from(repeated: Comparison) -> None:
    parts = repeated.variance
    assert parts is not None
    assert parts.like_these_error >= parts.these_cases_error > 0
    assert 0 < parts.noise_share <= 1
    assert parts.twice_the_cases is not None
    assert parts.twice_the_cases < parts.like_these_error
    assert parts.repeats == pytest.approx(2)


def test_a_comparison_of_single_answers_cannot(make_results: MakeResults, make_gate: MakeGate) -> None:
    results = make_results({"base": {"right": [1] * 20}, "cand": {"right": [0] + [1] * 19}})
    assert evaluate(results, make_gate(), RunFacts()).comparisons[0].variance is None


def test_newcombes_interval_stands_beside_the_test_of_a_table_and_nowhere_else(
    make_results: MakeResults, make_gate: MakeGate, repeated: Comparison
) -> None:
    scores: Any = {
        "base": {"right": [1] * 59 + [0] * 6 + [1] * 16 + [0] * 80},
        "cand": {"right": [1] * 59 + [1] * 6 + [0] * 16 + [0] * 80},
    }
    (found,) = evaluate(make_results(scores), make_gate(confidence=0.975), RunFacts()).comparisons
    assert found.ci_newcombe == pytest.approx((-0.118621, -0.004625), abs=1e-6)
    assert found.ci == pytest.approx((-0.124023, -0.005433), abs=1e-6)
    assert repeated.ci_newcombe is None


def test_newcombes_interval_is_of_the_difference_that_is_shown_where_less_is_better(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    less = MetricSpec("right", "right", ScoreKind.PASS_FAIL, higher_is_better=False)
    scores: Any = {"base": {"right": [0] * 40}, "cand": {"right": [1] * 9 + [0] * 31}}
    (found,) = evaluate(make_results(scores, specs=[less]), make_gate(), RunFacts()).comparisons
    assert found.ci_newcombe is not None
    assert found.difference is not None
    assert 0 < found.ci_newcombe[0] < found.difference < found.ci_newcombe[1]


def test_answers_that_were_not_measured_are_counted_beside_the_comparison(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    from snapdrift.model import Outcome

    cand: list[Any] = [(1, Outcome.API_ERROR), (Outcome.MISSING, Outcome.MISSING)] + [(1, 1)] * 28
    results = make_results({"base": {"right": [(1, None)] + [(1, 1)] * 29}, "cand": {"right": cand}})
    (found,) = evaluate(results, make_gate(metrics=[MetricGate("right", margin=0.1)]), RunFacts()).comparisons
    assert (found.n, found.unmeasured, found.unmeasured_calls) == (29, 1, 4)
