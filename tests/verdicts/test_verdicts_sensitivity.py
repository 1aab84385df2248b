from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.conclusions import Sufficiency
from snapdrift.model import Case, Gate, MetricGate, MetricSpec, Pair, Policy, Results, ScoreKind, Severity, Verdict
from snapdrift.verdicts import RunFacts, evaluate, sufficiency

MakeGate = Callable[..., Gate]
MakeResults = Callable[..., Results]

RIGHT = MetricSpec("right", "right", ScoreKind.PASS_FAIL)
TONE = MetricSpec("right", "right", ScoreKind.GRADED)


def cases_of(count: int, clusters: Sequence[str | None] | None = None) -> tuple[Case, ...]:
    return tuple(Case(f"c{i}", cluster=clusters[i] if clusters else None) for i in range(count))


def asked(gate: Gate, count: int, spec: MetricSpec = RIGHT, repeats: int = 1, clusters: Any = None) -> Sufficiency:
    (found,) = sufficiency(gate, [spec], cases_of(count, clusters), {}, repeats)
    return found


@pytest.mark.parametrize(("count", "enough"), [(99, False), (100, True)])
def test_catch_needs_a_hundred_cases_by_default(count: int, *, enough: bool, make_gate: MakeGate) -> None:
    found = asked(make_gate(), count)
    assert (found.enough, found.cases, found.cases_for_catch) == (enough, count, 100)


def test_an_honest_max_blind_lets_a_small_suite_catch(make_gate: MakeGate) -> None:
    assert asked(make_gate(max_blind=0.25), 26).enough


def test_a_drop_larger_than_the_discordance_raises_the_discordance(make_gate: MakeGate) -> None:
    assert asked(make_gate(max_blind=0.25, discordance=0.01), 26).enough


@pytest.mark.parametrize(("count", "enough"), [(51, False), (52, True)])
def test_prove_needs_so_many_cases_that_their_agreement_shows_the_margin(
    count: int, *, enough: bool, make_gate: MakeGate
) -> None:
    found = asked(make_gate(policy=Policy.PROVE, margin=0.05), count)
    assert (found.enough, found.cases_for_prove) == (enough, 52)


@pytest.mark.parametrize(("spec", "repeats"), [(RIGHT, 3), (TONE, 1)])
def test_repeats_and_grades_do_not_lower_what_catch_needs(spec: MetricSpec, repeats: int, make_gate: MakeGate) -> None:
    assert asked(make_gate(), 100, spec, repeats).cases_for_catch == 100


@pytest.mark.parametrize(("spec", "repeats"), [(RIGHT, 3), (TONE, 1)])
def test_repeats_and_grades_need_the_agreement_that_betting_asks_for(
    spec: MetricSpec, repeats: int, make_gate: MakeGate
) -> None:
    assert asked(make_gate(policy=Policy.PROVE, margin=0.05), 88, spec, repeats).cases_for_prove == 88


@given(st.integers(5, 120), st.sampled_from([0.03, 0.05, 0.1, 0.2]), st.booleans())
def test_prove_is_sufficient_exactly_where_agreement_earns_no_worse(
    make_gate: MakeGate, make_results: MakeResults, count: int, margin: float, graded: bool
) -> None:
    spec = TONE if graded else RIGHT
    gate = make_gate(policy=Policy.PROVE, margin=margin)
    results = make_results({"base": {"right": [1] * count}, "cand": {"right": [1] * count}}, specs=[spec])
    shown = evaluate(results, gate, RunFacts()).comparisons[0].verdict is Verdict.NO_WORSE
    assert asked(gate, count, spec).enough is shown


def test_four_clusters_can_never_tell(make_gate: MakeGate) -> None:
    found = asked(make_gate(), 400, clusters=[str(i % 4) for i in range(400)])
    assert not found.enough
    assert found.detectable is None
    assert "Fewer than 5 clusters can never tell" in found.detail


def test_cases_of_one_cluster_are_not_counted_as_independent(make_gate: MakeGate) -> None:
    found = asked(make_gate(), 120, clusters=[str(i // 3) for i in range(120)])
    assert (found.enough, found.cases, found.cases_for_catch) == (False, 120, 300)


def test_clusters_can_prove_with_enough_of_them(make_gate: MakeGate) -> None:
    gate = make_gate(policy=Policy.PROVE, margin=0.05)
    assert asked(gate, 176, clusters=[str(i // 2) for i in range(176)]).enough
    assert not asked(gate, 174, clusters=[str(i // 2) for i in range(174)]).enough


def test_a_cluster_of_one_case_is_a_case(make_gate: MakeGate) -> None:
    assert asked(make_gate(), 100, clusters=[str(i) for i in range(100)]) == asked(make_gate(), 100)


def test_only_the_cases_that_a_metric_applies_to_count(make_gate: MakeGate) -> None:
    applicable = {"right": frozenset(f"c{i}" for i in range(60))}
    (found,) = sufficiency(make_gate(), [RIGHT], cases_of(200), applicable, 1)
    assert (found.cases, found.enough) == (60, False)


def test_a_metric_that_applies_to_no_case_can_never_tell(make_gate: MakeGate) -> None:
    (found,) = sufficiency(make_gate(), [RIGHT], cases_of(200), {"right": frozenset()}, 1)
    assert (found.cases, found.enough, found.detectable) == (0, False, None)


def test_each_gating_metric_of_each_failing_pair_is_asked_about(make_gate: MakeGate) -> None:
    specs = [RIGHT, MetricSpec("tone", "tone", ScoreKind.GRADED), MetricSpec("form", "form", ScoreKind.PASS_FAIL)]
    entries = [
        MetricGate("right", margin=0.03),
        MetricGate("tone", margin=0.03, severity=Severity.WARN),
        MetricGate("form", at_least=0.9),
        MetricGate("cost", max_increase=0.2),
    ]
    pairs = (Pair("base", "cand"), Pair("base", "other"), Pair("base", "odd", Severity.WARN))
    found = sufficiency(make_gate(metrics=entries, pairs=pairs), specs, cases_of(100), {}, 1)
    assert [(f.metric, f.candidate) for f in found] == [("right", "cand"), ("right", "other")]


def test_the_sentence_says_what_is_seen_and_how_to_mend(make_gate: MakeGate) -> None:
    assert asked(make_gate(), 60).detail == (
        "right, `cand` against `base`: 60 cases gate it; drops from 12.9 points are seen with 80% power "
        "if 15.0% of results differ. `max_blind: 0.1` takes 100 cases; `prove` at a margin of 3.0 points "
        "takes 88 cases without a difference. Add 40 cases, or say honestly `max_blind: 0.13`."
    )


@given(st.integers(5, 99))
def test_the_honest_max_blind_that_is_offered_is_enough(make_gate: MakeGate, count: int) -> None:
    detail = asked(make_gate(), count).detail
    offered = float(detail.rsplit("max_blind: ", 1)[1].rstrip("`."))
    assert asked(make_gate(max_blind=offered), count).enough


def test_prove_is_mended_by_cases_a_wider_margin_or_another_policy(make_gate: MakeGate) -> None:
    detail = asked(make_gate(policy=Policy.PROVE, margin=0.05), 20).detail
    assert detail.endswith("Add 32 cases, widen the margin, or use `policy: catch`.")


@pytest.mark.parametrize("policy", list(Policy))
def test_clusters_are_mended_by_further_clusters(policy: Policy, make_gate: MakeGate) -> None:
    found = asked(make_gate(policy=policy, margin=0.05), 60, clusters=[str(i // 2) for i in range(60)])
    assert not found.enough
    assert " cases in further clusters, " in found.detail


def test_a_drop_too_small_to_count_the_cases_for_is_said_to_be_so(make_gate: MakeGate) -> None:
    found = asked(make_gate(max_blind=1e-4), 60)
    assert found.cases_for_catch is None
    assert "`max_blind: 0.0001` takes more than ten million cases" in found.detail
