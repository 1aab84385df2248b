from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa as statsmodels_kappa

from snapdrift.stats.agreement import (
    ConfusionTable,
    KappaWeights,
    Rate,
    cohens_kappa,
    confusion_table,
    rating_table,
    rogan_gladen,
)
from snapdrift.stats.intervals import Interval, clopper_pearson_interval, wilson_interval

square_tables = st.integers(2, 5).flatmap(
    lambda k: st.lists(st.lists(st.integers(0, 40), min_size=k, max_size=k), min_size=k, max_size=k)
)


def test_a_confusion_table_counts_each_answer_once() -> None:
    found = confusion_table(judge=[1, 1, 0, 0, 1], human=[1, 0, 1, 0, 1])
    assert found == ConfusionTable(true_pass=2, false_pass=1, false_fail=1, true_fail=1)
    assert found.n == 5
    assert found.counts.tolist() == [[2, 1], [1, 1]]


def test_sensitivity_and_specificity_take_people_as_the_truth() -> None:
    table = ConfusionTable(true_pass=17, false_pass=1, false_fail=3, true_fail=28)
    sensitivity, specificity = table.sensitivity(0.95), table.specificity(0.95, exact=True)
    assert sensitivity == Rate(17, 20, wilson_interval(17, 20, 0.95))
    assert specificity == Rate(28, 29, clopper_pearson_interval(28, 29, 0.95))


def test_sensitivity_has_the_published_intervals() -> None:
    table = ConfusionTable(true_pass=17, false_pass=0, false_fail=3, true_fail=0)
    wilson, exact = table.sensitivity(0.95), table.sensitivity(0.95, exact=True)
    assert wilson is not None
    assert exact is not None
    assert (wilson.interval.low, wilson.interval.high) == pytest.approx((0.63958114, 0.94763125), abs=1e-8)
    assert (exact.interval.low, exact.interval.high) == pytest.approx((0.62107317, 0.96792906), abs=1e-8)


def test_a_judge_right_on_every_answer_is_not_shown_to_be_right_always() -> None:
    sensitivity = ConfusionTable(true_pass=10, false_pass=0, false_fail=0, true_fail=10).sensitivity(0.95)
    assert sensitivity is not None
    assert sensitivity.value == 1
    assert sensitivity.interval.low == pytest.approx(0.7224672, abs=1e-7)


def test_labels_of_one_class_say_nothing_about_the_other() -> None:
    all_pass = confusion_table(judge=[1, 0, 1], human=[1, 1, 1])
    assert all_pass.specificity(0.9) is None
    assert all_pass.sensitivity(0.9) is not None
    assert confusion_table(judge=[1, 0], human=[0, 0]).sensitivity(0.9) is None


def test_no_answers_have_no_agreement() -> None:
    assert confusion_table([], []).agreement(0.9) is None


@pytest.mark.parametrize(("judge", "human", "word"), [([1, 0], [1], "one label"), ([0.5], [1], "other values")])
def test_what_is_no_pass_or_fail_is_refused(judge: list[float], human: list[float], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        confusion_table(judge, human)


def test_negative_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        ConfusionTable(-1, 0, 0, 0)


def test_kappa_has_the_published_value_and_interval() -> None:
    found = cohens_kappa([[20, 5], [10, 15]], 0.95)
    assert found is not None
    assert found.value == pytest.approx(0.4, abs=1e-12)
    assert (found.interval.low, found.interval.high) == pytest.approx((0.151092, 0.648908), abs=1e-6)


def test_high_agreement_on_one_sided_labels_has_a_low_kappa() -> None:
    table = ConfusionTable(true_pass=90, false_fail=5, false_pass=4, true_fail=1)
    agreement, kappa = table.agreement(0.95), cohens_kappa(table.counts, 0.95)
    assert agreement is not None
    assert kappa is not None
    assert agreement.value == 0.91
    assert kappa.value == pytest.approx(0.135, abs=5e-4)


@pytest.mark.parametrize("weights", list(KappaWeights))
@given(counts=square_tables)
def test_kappa_agrees_with_statsmodels(weights: KappaWeights, counts: list[list[int]]) -> None:
    table = np.array(counts)
    if (table.sum(axis=0) > 0).sum() < 2 or (table.sum(axis=1) > 0).sum() < 2:
        return
    found = cohens_kappa(table, 0.95, weights)
    wt = None if weights is KappaWeights.NONE else weights.value
    expected = statsmodels_kappa(table, wt=wt, return_results=True)
    assert found is not None
    assert found.value == pytest.approx(expected.kappa, abs=1e-10)
    if found.standard_error > 0:
        assert found.standard_error == pytest.approx(expected.std_kappa, abs=1e-10)
        assert found.interval.low == pytest.approx(max(-1, expected.kappa_low), abs=1e-9)
        assert found.interval.high == pytest.approx(min(1, expected.kappa_upp), abs=1e-9)


@given(st.lists(st.lists(st.integers(0, 30), min_size=2, max_size=2), min_size=2, max_size=2))
def test_weights_do_not_matter_with_two_categories(counts: list[list[int]]) -> None:
    if sum(map(sum, counts)):
        plain = cohens_kappa(counts, 0.9)
        for weights in KappaWeights:
            assert cohens_kappa(counts, 0.9, weights) == plain


@given(square_tables)
def test_exchanging_judge_and_people_leaves_kappa(counts: list[list[int]]) -> None:
    table = np.array(counts)
    if table.sum():
        one, other = (cohens_kappa(t, 0.9, KappaWeights.QUADRATIC) for t in (table, table.T))
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert one.value == pytest.approx(other.value)
            assert one.standard_error == pytest.approx(other.standard_error, abs=1e-6)


@pytest.mark.parametrize("weights", list(KappaWeights))
def test_complete_agreement_keeps_an_interval_with_width(weights: KappaWeights) -> None:
    few, many = (cohens_kappa([[n, 0, 0], [0, n, 0], [0, 0, n]], 0.9, weights) for n in (10, 100))
    assert few is not None
    assert many is not None
    assert few.standard_error == 0
    assert (few.value, few.interval.high) == pytest.approx((1, 1))
    assert 0.5 < few.interval.low < many.interval.low < 0.99


def test_complete_disagreement_keeps_an_interval_with_width() -> None:
    found = cohens_kappa([[0, 10], [10, 0]], 0.9)
    assert found is not None
    assert found.value == pytest.approx(-1)
    assert found.interval.high > -0.9


@pytest.mark.parametrize("counts", [[[30, 0], [0, 0]], [[20, 10], [0, 0]], [[20, 0], [10, 0]]])
def test_one_category_on_a_side_has_no_kappa(counts: list[list[int]]) -> None:
    assert cohens_kappa(counts, 0.9) is None


@pytest.mark.parametrize("counts", [[[1, 2, 3], [4, 5, 6]], [[5]], [[1, -1], [0, 2]], [[0.5, 1], [1, 1]], [[0, 0]] * 2])
def test_what_is_no_table_of_counts_is_refused(counts: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="table"):
        cohens_kappa(counts, 0.9)


def test_ratings_become_a_table_with_people_in_rows() -> None:
    assert rating_table(judge=[0, 1, 2, 2], human=[0, 2, 2, 1], levels=3).tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 1]]


@pytest.mark.parametrize(
    ("judge", "human", "word"), [([3], [0], "0 to 2"), ([0.5], [0], "0 to 2"), ([0, 1], [0], "one label")]
)
def test_ratings_off_the_scale_are_refused(judge: list[float], human: list[float], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        rating_table(judge, human, levels=3)


def test_a_corrected_rate_has_the_published_digits() -> None:
    anywhere = Interval(0, 1)
    found = rogan_gladen(0.8, 1000, Rate(72, 80, anywhere), Rate(17, 20, anywhere))
    assert (found.value, found.standard_error) == pytest.approx((0.8666667, 0.0445887), abs=1e-7)


def test_a_judge_that_tells_nothing_corrects_nothing() -> None:
    anywhere = Interval(0, 1)
    with pytest.raises(ValueError, match="hardly tell"):
        rogan_gladen(0.8, 1000, Rate(50, 100, anywhere), Rate(55, 100, anywhere))


def test_a_share_of_nothing_is_not_corrected() -> None:
    with pytest.raises(ValueError, match="share"):
        rogan_gladen(1.2, 10, Rate(9, 10, Interval(0, 1)), Rate(9, 10, Interval(0, 1)))
