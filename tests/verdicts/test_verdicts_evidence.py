from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from snapdrift.model import Verdict
from snapdrift.stats.paired import SidedP
from snapdrift.verdicts.evidence import Evidence, PairedValues, Question, choose_word, mean_interval, weigh

QUESTION = Question(confidence=0.95, margin=0.05, seed=0)


def paired(
    baseline: Sequence[float],
    candidate: Sequence[float],
    clusters: Sequence[int] | None = None,
    *,
    single: bool = False,
    higher_is_better: bool = True,
) -> PairedValues:
    labels = np.arange(len(baseline)) if clusters is None else np.asarray(clusters)
    return PairedValues(np.array(baseline, float), np.array(candidate, float), labels, single, higher_is_better)


def table(both: int, only_baseline: int, only_candidate: int, neither: int) -> PairedValues:
    baseline = [1] * (both + only_baseline) + [0] * (only_candidate + neither)
    candidate = [1] * both + [0] * only_baseline + [1] * only_candidate + [0] * neither
    return paired(baseline, candidate, single=True)


def word(values: PairedValues, question: Question = QUESTION) -> Verdict:
    evidence = weigh(values, question)
    return choose_word(evidence, None if evidence.p is None else evidence.p.worse, question)


def swapped(values: PairedValues) -> PairedValues:
    return replace(values, baseline=values.candidate, candidate=values.baseline)


@st.composite
def any_pairs(draw: st.DrawFn) -> PairedValues:
    level = st.sampled_from([0.0, 0.25, 0.5, 1.0])
    rows = draw(st.lists(st.tuples(level, level, st.integers(0, 12)), min_size=1, max_size=70))
    clustered = draw(st.booleans())
    labels = [row[2] for row in rows] if clustered else None
    return paired([row[0] for row in rows], [row[1] for row in rows], labels)


# ----------------------------------------------------------------------------------------------------------- the method


def test_one_answer_a_case_is_compared_by_exact_mcnemar() -> None:
    assert weigh(table(40, 6, 2, 2), QUESTION).method == "mcnemar_exact"


def test_few_case_means_are_compared_by_exact_sign_flips() -> None:
    assert weigh(paired([0.5, 1, 0, 1, 0.25, 1], [0, 1, 1, 1, 0.5, 0.5]), QUESTION).method == "sign_flip_exact"


def test_few_irregular_graded_values_are_compared_by_drawn_sign_flips() -> None:
    values = np.random.default_rng(1).random((2, 40))
    assert weigh(paired(values[0].tolist(), values[1].tolist()), QUESTION).method == "sign_flip_monte_carlo"


def test_many_case_means_are_compared_by_paired_t() -> None:
    values = np.random.default_rng(1).random((2, 51))
    assert weigh(paired(values[0].tolist(), values[1].tolist()), QUESTION).method == "paired_t"


def test_many_case_means_that_hardly_differ_are_never_compared_by_t() -> None:
    assert weigh(paired([1.0] * 200, [1.0] * 197 + [0.5, 0.25, 0.5]), QUESTION).method == "sign_flip_exact"


def test_few_clusters_are_compared_by_sign_flips_of_their_sums() -> None:
    assert weigh(paired([1, 0] * 20, [0, 0] * 20, [i // 4 for i in range(40)]), QUESTION).method == "cluster_sign_flip"


def test_many_clusters_are_compared_by_t_on_the_clustered_error() -> None:
    values = np.random.default_rng(1).random((2, 120))
    found = weigh(paired(values[0].tolist(), values[1].tolist(), [i // 2 for i in range(120)]), QUESTION)
    assert found.method == "cluster_t"


def test_single_answers_that_share_clusters_are_not_compared_by_mcnemar() -> None:
    values = replace(table(30, 6, 2, 2), clusters=np.arange(40) // 4)
    assert weigh(values, QUESTION).method == "cluster_sign_flip"


def test_cases_of_one_cluster_count_as_one_piece_of_evidence() -> None:
    alone = table(0, 6, 0, 34)
    together = replace(alone, clusters=np.array([0] * 6 + list(range(1, 35))))
    assert weigh(alone, QUESTION).p == SidedP(0.5**6, 1.0, 0.5**5)
    assert weigh(together, QUESTION).p == SidedP(0.5, 1.0, 1.0)


@pytest.mark.parametrize("clusters", [1, 2, 3, 4])
def test_four_clusters_or_fewer_are_insufficient(clusters: int) -> None:
    values = paired([1.0] * 100, [0.0] * 100, [i % clusters for i in range(100)])
    assert word(values) is Verdict.INSUFFICIENT


def test_five_clusters_can_tell() -> None:
    assert word(paired([1.0] * 100, [0.0] * 100, [i % 5 for i in range(100)])) is Verdict.REGRESSED


@pytest.mark.parametrize("n", [0, 1, 4])
def test_fewer_than_five_cases_are_insufficient(n: int) -> None:
    assert word(table(0, n, 0, 0)) is Verdict.INSUFFICIENT


def test_four_cases_are_sufficient_where_their_agreement_shows_a_wide_margin() -> None:
    assert word(table(4, 0, 0, 0), replace(QUESTION, margin=0.5)) is Verdict.NO_WORSE


# ------------------------------------------------------------------------------------------------------------ the words


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        (table(1229, 40, 14, 36), Verdict.REGRESSED),
        (table(5000, 60, 30, 50), Verdict.WORSE_WITHIN_MARGIN),
        (table(1229, 14, 40, 36), Verdict.IMPROVED),
        (table(190, 3, 2, 5), Verdict.NO_WORSE),
        (table(40, 3, 2, 5), Verdict.INCONCLUSIVE),
        (table(2, 1, 0, 0), Verdict.INSUFFICIENT),
    ],
)
def test_each_word_has_a_table_that_earns_it(values: PairedValues, verdict: Verdict) -> None:
    assert word(values, replace(QUESTION, margin=0.02 if values.gains.size > 1000 else 0.05)) is verdict


def test_without_a_margin_worse_is_always_regressed() -> None:
    assert word(table(5000, 60, 30, 50), replace(QUESTION, margin=None)) is Verdict.REGRESSED


def test_worse_by_the_raw_p_alone_is_not_regressed() -> None:
    evidence = weigh(table(40, 8, 1, 1), QUESTION)
    assert evidence.p is not None
    assert evidence.p.worse < 0.05
    assert choose_word(evidence, 0.08, QUESTION) is Verdict.INCONCLUSIVE


def test_a_p_that_equals_the_level_shows_it() -> None:
    evidence = Evidence("any", SidedP(0.05, 1.0, 0.1), None, None, None, 0.1)
    assert choose_word(evidence, 0.05, QUESTION) is Verdict.REGRESSED


def test_better_takes_the_unadjusted_p() -> None:
    evidence = Evidence("any", SidedP(0.96, 0.05, 0.1), None, 0.5, None, 0.1)
    assert choose_word(evidence, 1.0, QUESTION) is Verdict.IMPROVED


def test_fifty_two_agreeing_cases_show_a_margin_of_five_points_and_fifty_one_do_not() -> None:
    assert word(table(52, 0, 0, 0)) is Verdict.NO_WORSE
    assert word(table(51, 0, 0, 0)) is Verdict.INCONCLUSIVE


def test_identical_means_of_repeats_show_a_margin_by_betting_only() -> None:
    assert word(paired([1.0] * 88, [1.0] * 88)) is Verdict.NO_WORSE
    assert word(paired([1.0] * 87, [1.0] * 87)) is Verdict.INCONCLUSIVE


# ------------------------------------------------------------------------------------------------------------- the laws


@given(any_pairs())
def test_swapping_the_arms_swaps_worse_and_better(values: PairedValues) -> None:
    one, other = weigh(values, QUESTION), weigh(swapped(values), QUESTION)
    assert one.method == other.method
    if one.p is not None and other.p is not None:
        assert (one.p.worse, one.p.better) == pytest.approx((other.p.better, other.p.worse))


@given(any_pairs())
def test_swapping_the_arms_mirrors_the_interval(values: PairedValues) -> None:
    one, other = weigh(values, QUESTION).ci, weigh(swapped(values), QUESTION).ci
    if one is not None and other is not None:
        assert one == pytest.approx((-other[1], -other[0]), abs=1e-9)


@given(any_pairs())
def test_swapping_the_arms_without_a_margin_turns_regressed_into_improved(values: PairedValues) -> None:
    question = replace(QUESTION, margin=None)
    assert (word(values, question) is Verdict.REGRESSED) == (word(swapped(values), question) is Verdict.IMPROVED)


@given(any_pairs())
def test_where_less_is_better_everything_is_seen_from_the_other_side(values: PairedValues) -> None:
    assert word(replace(values, higher_is_better=False)) is word(swapped(values))


@given(any_pairs())
def test_an_interval_always_has_width_and_holds_the_difference(values: PairedValues) -> None:
    ci = weigh(values, QUESTION).ci
    if ci is not None:
        difference = float((values.candidate - values.baseline).mean())
        assert ci[0] - 1e-9 <= difference <= ci[1] + 1e-9
        assert ci[1] - ci[0] > 1e-4


@given(any_pairs())
def test_p_values_are_probabilities(values: PairedValues) -> None:
    evidence = weigh(values, QUESTION)
    if evidence.p is not None:
        assert all(0 <= p <= 1 for p in (evidence.p.worse, evidence.p.better, evidence.p.two_sided))
        assert evidence.p_no_worse is not None
        assert 0 <= evidence.p_no_worse <= 1


@given(st.integers(0, 150), st.integers(0, 20), st.integers(0, 20), st.integers(1, 200))
def test_concordant_pairs_added_never_turn_no_worse_into_regressed(both: int, b: int, c: int, more: int) -> None:
    if b + c + both and word(table(both, b, c, 0)) is Verdict.NO_WORSE:
        assert word(table(both + more, b, c, 0)) is not Verdict.REGRESSED


@given(st.integers(0, 100), st.integers(0, 15), st.integers(0, 15), st.floats(0.01, 0.3))
def test_a_wider_margin_is_never_harder_to_keep(both: int, b: int, c: int, margin: float) -> None:
    values = table(both + 5, b, c, 0)
    narrow, wide = (weigh(values, replace(QUESTION, margin=m)).p_no_worse for m in (margin, margin * 1.5))
    assert narrow is not None
    assert wide is not None
    assert wide <= narrow + 1e-9


@given(any_pairs())
def test_the_seed_matters_only_to_drawn_flips(values: PairedValues) -> None:
    one = weigh(values, QUESTION)
    if one.method != "sign_flip_monte_carlo":
        assert weigh(values, replace(QUESTION, seed=99)).p == one.p


# ---------------------------------------------------------------------------------------------------------- error rates


def false_alarms(draw: object, runs: int = 300) -> float:
    generator = np.random.default_rng(8)
    found = [word(draw(generator), replace(QUESTION, margin=None)) for _ in range(runs)]  # type: ignore[operator]
    return sum(verdict is Verdict.REGRESSED for verdict in found) / runs


def test_repeated_answers_that_only_wobble_rarely_look_worse() -> None:
    def wobble(generator: np.random.Generator) -> PairedValues:
        chance = generator.beta(4, 1, 60)
        baseline, candidate = (generator.binomial(5, chance) / 5 for _ in range(2))
        return paired(baseline.tolist(), candidate.tolist())

    assert false_alarms(wobble) <= 0.05 + 3 * 0.0126


def test_clusters_that_move_together_rarely_look_worse() -> None:
    def shocks(generator: np.random.Generator) -> PairedValues:
        shock = np.repeat(generator.normal(0, 0.3, 20), 10)
        drift = np.round(np.clip(shock + generator.normal(0, 0.1, 200), -1, 1), 1)
        return paired(np.clip(-drift, 0, 1).tolist(), np.clip(drift, 0, 1).tolist(), [i // 10 for i in range(200)])

    assert false_alarms(shocks, runs=200) <= 0.05 + 3 * 0.0155


# -------------------------------------------------------------------------------------------------- one variant's level


def test_of_few_cases_that_change_a_drop_of_just_the_margin_is_rarely_called_no_worse() -> None:
    generator, question, draws = np.random.default_rng(5), replace(QUESTION, margin=0.1), 400
    shown, held = 0, 0
    for _ in range(draws):
        found = weigh(paired([1.0] * 200, (generator.random(200) >= 0.1).astype(float).tolist()), question)
        assert found.ci is not None
        shown += found.p_no_worse is not None and found.p_no_worse <= 0.05
        held += found.ci[0] <= -0.1 <= found.ci[1]
    assert shown / draws <= 0.05 + 3 * (0.05 * 0.95 / draws) ** 0.5
    assert held / draws >= 0.9 - 3 * (0.09 / draws) ** 0.5


@pytest.mark.parametrize("sizes", [[150] + [3] * 59, [60] * 5 + [2] * 55, [60] + [5] * 11])
def test_clusters_of_very_unequal_sizes_are_wrong_no_more_often_than_they_say(sizes: list[int]) -> None:
    generator, draws = np.random.default_rng(sum(sizes)), 150
    labels = np.repeat(np.arange(len(sizes)), sizes)
    worse = no_worse = held = 0
    for _ in range(draws):
        moved = generator.uniform(-0.35, 0.25, len(sizes))[labels]  # -0.05 in the mean: just the margin
        sides = [generator.binomial(4, rate) / 4 for rate in (np.full(labels.size, 0.6), 0.6 + moved)]
        found = weigh(paired(sides[0].tolist(), sides[1].tolist(), labels.tolist()), QUESTION)
        level = weigh(paired(sides[0].tolist(), (sides[1] + 0.05).tolist(), labels.tolist()), QUESTION)
        assert found.ci is not None
        assert level.p is not None
        worse += level.p.worse <= 0.05
        no_worse += found.p_no_worse is not None and found.p_no_worse <= 0.05
        held += found.ci[0] <= -0.05 <= found.ci[1]
    limit = 0.05 + 3 * (0.05 * 0.95 / draws) ** 0.5
    assert worse / draws <= limit
    assert no_worse / draws <= limit
    assert held / draws >= 0.9 - 3 * (0.09 / draws) ** 0.5


def test_clusters_of_which_one_holds_most_cases_are_compared_by_flips_and_bets() -> None:
    generator = np.random.default_rng(3)
    labels = [0] * 150 + [1 + i // 3 for i in range(177)]
    found = weigh(paired(generator.random(327).tolist(), generator.random(327).tolist(), labels), QUESTION)
    assert found.method == "cluster_sign_flip"
    assert found.ci is not None
    assert found.ci[1] - found.ci[0] > 0.5


def test_a_single_pass_fail_level_has_wilsons_interval() -> None:
    found = mean_interval(np.array([1.0] * 17 + [0.0] * 3), np.arange(20), 0.95, single=True)
    assert found == pytest.approx((0.63958114, 0.94763125))


def test_a_level_that_never_varies_has_an_interval_with_width_inside_the_possible() -> None:
    found = mean_interval(np.ones(200), np.arange(200), 0.9, single=False)
    assert found is not None
    assert 0.9 < found[0] < 1.0
    assert found[1] == 1.0


def test_a_level_of_few_clusters_has_no_interval() -> None:
    assert mean_interval(np.array([1.0, 0, 1, 0]), np.array([0, 0, 1, 1]), 0.9, single=True) is None


def test_a_level_of_no_case_has_no_interval() -> None:
    assert mean_interval(np.array([]), np.array([], dtype=np.int64), 0.9, single=True) is None


def test_clusters_widen_the_interval_of_a_level() -> None:
    values = np.repeat(np.random.default_rng(2).integers(0, 2, 60), 5).astype(float)
    alone = mean_interval(values, np.arange(300), 0.9, single=True)
    together = mean_interval(values, np.arange(300) // 5, 0.9, single=True)
    assert alone is not None
    assert together is not None
    assert together[1] - together[0] > 1.5 * (alone[1] - alone[0])


def test_a_sample_in_which_few_answers_break_is_less_sure_of_its_mean_than_plain_t() -> None:
    # 12 of 60 answers break and lose 0.6, the others gain 0.1: the mean is 0.06 above the margin.
    gains = np.concatenate([np.full(12, -0.6), np.linspace(0.09, 0.11, 48)])
    values = PairedValues(np.full(60, 0.7), 0.7 + gains, np.arange(60), single=False)
    found = weigh(values, Question(0.95, 0.1, 1))
    assert found.method == "paired_t"
    assert found.p_no_worse is not None
    assert found.p_no_worse > 1.3 * ttest_1samp(gains, -0.1, alternative="greater").pvalue
