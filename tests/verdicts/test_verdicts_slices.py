from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from snapdrift.explanations import Slices
from snapdrift.model import Reason, Results, Score
from snapdrift.verdicts.evidence import PairedValues, Question
from snapdrift.verdicts.score_tables import FloatArray
from snapdrift.verdicts.slices import (
    DRAWS,
    find_slices,
    group_failures,
)

MakeResults = Callable[..., Results]
QUESTION = Question(0.95, 0.03, 7)


def paired(
    gains: Sequence[float] | FloatArray,
    clusters: Sequence[int] | None = None,
    *,
    single: bool = True,
    higher_is_better: bool = True,
) -> PairedValues:
    """Cases that gain or lose so much, from 1 or 0."""
    moved = np.asarray(gains, dtype=np.float64)
    baseline = (moved < 0).astype(np.float64)
    labels = np.arange(moved.size) if clusters is None else np.asarray(clusters)
    return PairedValues(baseline, baseline + moved, labels, single, higher_is_better)


def ids(n: int) -> list[str]:
    return [f"c{number}" for number in range(n)]


def found_in(values: PairedValues, tags: Sequence[Sequence[str]]) -> Slices:
    return find_slices(values, ids(len(tags)), tags, QUESTION)


# --------------------------------------------------------------------------------------------------------------- slices


def test_the_slice_that_holds_the_losses_is_found_with_its_cases() -> None:
    gains = [-1.0] * 8 + [0.0] * 92
    tags = [["german"]] * 20 + [["english"]] * 80
    slices = found_in(paired(gains), tags).slices
    german = slices[0]
    assert german.tags == ("german",)
    assert (german.n, german.difference, german.rest) == (20, -0.4, 0.0)
    assert german.concentrated
    assert german.moved == tuple(ids(8))
    assert not slices[1].concentrated


def test_the_cases_of_a_slice_come_with_the_largest_loss_first() -> None:
    gains = [-0.2, -0.9, -0.5, *[0.0] * 97]
    (one,) = found_in(paired(gains, single=False), [["german"]] * 20 + [[]] * 80).slices
    assert one.moved == ("c1", "c2", "c0")


def test_the_p_value_of_losses_alone_is_fishers() -> None:
    gains = [-1.0] * 6 + [0.0] * 14 + [-1.0] * 9 + [0.0] * 71
    one = found_in(paired(gains), [["german"]] * 20 + [[]] * 80).slices[0]
    fisher = stats.fisher_exact(np.array([[6, 14], [9, 71]]), alternative="greater").pvalue
    assert one.p_value == pytest.approx(fisher, abs=4 * math.sqrt(fisher * (1 - fisher) / DRAWS))


def test_gains_count_against_losses() -> None:
    tags = [["german"]] * 20 + [[]] * 80
    netted = found_in(paired([-1.0] * 6 + [1.0] * 6 + [0.0] * 88), tags).slices[0]
    assert netted.p_value > 0.3


def test_the_normal_limit_agrees_with_shuffled_values() -> None:
    generator = np.random.default_rng(3)
    gains = generator.normal(-0.05, 0.1, 200).clip(-0.9, 0.9)
    gains[:40] -= 0.03
    inside = np.arange(200) < 40
    one = found_in(paired(gains, single=False), [["german"]] * 40 + [[]] * 160).slices[0]
    shuffled = np.array([generator.permutation(gains)[inside].sum() for _ in range(20_000)])
    assert one.p_value == pytest.approx(float((shuffled <= gains[inside].sum()).mean()), abs=0.01)


def test_p_values_are_adjusted_over_the_slices_of_the_comparison() -> None:
    gains = [-1.0] * 8 + [0.0] * 92
    tags = [[name for name in ("a", "b", "c") if number % (2 + ord(name) - 97) == 0] for number in range(100)]
    slices = found_in(paired(gains), [[*names, *(["german"] if n < 20 else [])] for n, names in enumerate(tags)]).slices
    wanted = stats.false_discovery_control([one.p_value for one in slices])
    assert [one.p_adjusted for one in slices] == pytest.approx(list(wanted))


def test_tags_too_rare_or_on_nearly_all_cases_are_named_as_left_out() -> None:
    tags = [["all", "few" if n < 9 else "many", *(["most"] if n < 91 else [])] for n in range(100)]
    found = found_in(paired([-1.0] * 5 + [0.0] * 95), tags)
    assert found.left_out == ("all", "few", "many", "most")
    assert found.slices == ()


def test_tags_of_the_same_cases_are_one_slice() -> None:
    tags = [["de", "german", "de"]] * 20 + [[]] * 80
    assert [one.tags for one in found_in(paired([0.0] * 100), tags).slices] == [("de", "german")]


def test_where_nothing_moves_nothing_concentrates() -> None:
    (one,) = found_in(paired([0.0] * 100), [["german"]] * 20 + [[]] * 80).slices
    assert (one.p_value, one.concentrated) == (1.0, False)
    assert one.ci is not None
    assert one.ci[0] < 0 < one.ci[1]


def test_a_slice_of_a_metric_of_which_less_is_better_got_worse_where_it_rose() -> None:
    values = paired([1.0] * 8 + [0.0] * 92, higher_is_better=False)
    one = found_in(values, [["german"]] * 20 + [[]] * 80).slices[0]
    assert one.concentrated
    assert one.difference == pytest.approx(0.4)
    assert one.moved == tuple(ids(8))


def test_cases_of_one_cluster_count_as_one_loss() -> None:
    gains, tags = [-1.0] * 10 + [0.0] * 90, [["german"]] * 20 + [[]] * 80
    alone = found_in(paired(gains), tags).slices[0]
    together = found_in(paired(gains, [number // 10 for number in range(100)]), tags).slices[0]
    assert alone.p_value < 0.001
    # One of two clusters in the slice and none of eight outside: 2 of 10 places, dealt at random.
    assert together.p_value == pytest.approx(0.2, abs=0.02)


def test_a_slice_does_not_depend_on_the_other_slices() -> None:
    gains = [-1.0] * 5 + [0.0] * 15 + [-1.0] * 8 + [0.0] * 72
    alone = found_in(paired(gains), [["german"]] * 20 + [[]] * 80).slices
    beside = found_in(paired(gains), [["german"]] * 20 + [["english"]] * 40 + [[]] * 40).slices
    assert {one.p_value for one in alone} <= {one.p_value for one in beside}


def test_losses_spread_at_random_are_called_concentrated_as_seldom_as_promised() -> None:
    generator, named = np.random.default_rng(11), 0
    runs = 120
    for run in range(runs):
        gains = generator.choice([-1.0, 0.0, 1.0], size=120, p=[0.12, 0.83, 0.05])
        tags = [[f"t{number}" for number in range(3) if generator.random() < 0.3] for _ in range(120)]
        found = find_slices(paired(gains), ids(120), tags, Question(0.95, None, run))
        named += any(one.concentrated for one in found.slices)
    assert named / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


def test_ten_thousand_repeated_cases_are_looked_through() -> None:
    generator = np.random.default_rng(5)
    gains = generator.choice([-1.0, -2 / 3, -1 / 3, 0.0, 1 / 3], size=10_000)
    tags = [[f"t{number % 7}"] for number in range(10_000)]
    assert len(found_in(paired(gains, single=False), tags).slices) == 7


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from([-1.0, 0.0, 1.0]), st.booleans()), min_size=30, max_size=60))
def test_slice_and_rest_make_up_the_whole(cases: list[tuple[float, bool]]) -> None:
    gains = [gain for gain, _ in cases]
    for one in found_in(paired(gains), [["tag"] if inside else [] for _, inside in cases]).slices:
        whole = one.n * one.difference + (len(cases) - one.n) * one.rest
        assert whole == pytest.approx(sum(gains))
        assert 0 < one.p_value <= one.p_adjusted <= 1


# --------------------------------------------------------------------------------------------------------------- groups


def failed(case: str, detail: str, reason: Reason = Reason.WRONG, variant: str = "cand") -> Score:
    return Score(case, variant, 0, "right", 0.0, False, reason, detail)


def test_details_that_differ_in_numbers_only_are_one_group() -> None:
    scores = [
        failed(f"c{n}", f"not JSON: Expecting value at line {n} column {n + 1}", Reason.INVALID_JSON) for n in range(3)
    ]
    (group,) = group_failures(scores, [], ids(3))
    assert group.pattern == "not JSON: Expecting value at line # column #"
    assert group.example == scores[0].detail
    assert group.worse == ("c0", "c1", "c2")


def test_values_that_recur_stay_apart_and_those_that_do_not_come_together() -> None:
    scores = [
        failed("c0", 'expected "billing", found "sales"'),
        failed("c1", 'expected "billing", found "sales"'),
        failed("c2", 'expected "billing", found "legal"'),
        failed("c3", 'expected "support", found "other"'),
    ]
    groups = group_failures(scores, [], ids(4))
    assert [(group.pattern, group.worse) for group in groups] == [
        ('expected "billing", found "sales"', ("c0", "c1")),
        ("expected …, found …", ("c2", "c3")),
    ]


def test_the_same_detail_for_another_reason_is_another_group() -> None:
    scores = [failed("c0", "x"), failed("c1", "x", Reason.SCHEMA_VIOLATION)]
    assert {group.reason for group in group_failures(scores, [], ids(2))} == {Reason.WRONG, Reason.SCHEMA_VIOLATION}


def test_apostrophes_do_not_quote() -> None:
    (group,) = group_failures([failed("c0", "the answer's text isn't what 'a' says")], [], ["c0"])
    assert group.pattern == "the answer's text isn't what … says"


def test_identifiers_are_numbers() -> None:
    scores = [failed("c0", "no order 3f2a9c11-00de"), failed("c1", "no order 77aa01bc-9f1e")]
    assert [group.pattern for group in group_failures(scores, [], ids(2))] == ["no order #"]


def test_numbers_that_end_a_name_tell_fields_apart() -> None:
    scores = [failed(f"c{n}", f'line_{place} {n}: missing "d{place}"') for place in (1, 2) for n in range(2)]
    groups = group_failures(scores, [], ids(2))
    assert {group.pattern for group in groups} == {'line_1 #: missing "d1"', 'line_2 #: missing "d2"'}


def test_a_group_counts_all_failures_of_its_kind_on_both_sides() -> None:
    scores = [failed("c0", "cut off"), failed("c1", "cut off"), failed("c2", "cut off")]
    before = [failed("c2", "cut off", variant="base"), failed("c3", "other", variant="base")]
    (group,) = group_failures(scores, before, ["c0", "c1"])
    assert (group.worse, group.calls, group.baseline_calls) == (("c0", "c1"), 3, 1)


def test_repeats_of_a_case_are_one_case_of_the_group() -> None:
    scores = [failed("c0", "cut off"), replace(failed("c0", "cut off"), repeat=1)]
    (group,) = group_failures(scores, [], ["c0"])
    assert (group.worse, group.calls) == (("c0",), 2)


def test_failures_of_cases_that_did_not_get_worse_make_no_group() -> None:
    assert group_failures([failed("c0", "cut off")], [], []) == ()


def test_scores_that_passed_or_could_not_be_graded_are_no_failures() -> None:
    passed = replace(failed("c0", "fine"), passed=True, value=1.0, reason=Reason.PASSED)
    broken = replace(failed("c1", "slow"), passed=None, value=None, reason=Reason.GRADER_ERROR)
    assert group_failures([passed, broken], [passed], ids(2)) == ()


def test_a_long_detail_is_cut() -> None:
    (group,) = group_failures([failed("c0", "wrong " * 200)], [], ["c0"])
    assert len(group.pattern) == 200
