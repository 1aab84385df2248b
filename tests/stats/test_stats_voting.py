"""Agreement of votes: Krippendorff's own example, and what holds of every table of votes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.stats.voting import krippendorff_alpha, pair_agreement

# Krippendorff (2011), section C: four observers, twelve units, some votes missing; nominal alpha 0.743.
OBSERVERS = (
    ["1", "2", "3", "3", "2", "1", "4", "1", "2", ".", ".", "."],
    ["1", "2", "3", "3", "2", "2", "4", "1", "2", "5", ".", "3"],
    [".", "3", "3", "3", "2", "3", "4", "2", "2", "5", "1", "."],
    ["1", "2", "3", "3", "2", "4", "4", "1", "2", "5", "1", "."],
)
UNITS = [[vote for vote in unit if vote != "."] for unit in zip(*OBSERVERS, strict=True)]
votes = st.lists(st.lists(st.sampled_from("abc"), max_size=5), max_size=12)


def test_the_published_value_with_missing_votes_is_reproduced() -> None:
    assert krippendorff_alpha(UNITS) == pytest.approx(0.743, abs=0.0005)


def test_the_published_value_of_two_observers_of_a_dichotomy_is_reproduced() -> None:
    # Krippendorff (2011), section A: ten units, binary; alpha 0.095.
    meg, owen = "0100000001", "1110010000"

    assert krippendorff_alpha(list(zip(meg, owen, strict=True))) == pytest.approx(0.095, abs=0.0005)


@pytest.mark.parametrize("items", [[], [["a"]], [["a", "a"], ["a", "a", "a"]], [["a"], ["b"]]])
def test_without_variation_among_pairs_there_is_no_alpha(items: list[list[str]]) -> None:
    assert krippendorff_alpha(items) is None


def test_the_share_of_agreeing_pairs_is_taken_item_by_item() -> None:
    assert pair_agreement([["a", "a", "b"], ["a", "a"], ["b"]]) == pytest.approx((1 / 3 + 1) / 2)
    assert pair_agreement([["a"]]) is None


@given(votes)
def test_agreement_is_complete_exactly_where_no_item_is_disputed(items: list[list[str]]) -> None:
    agreement, alpha = pair_agreement(items), krippendorff_alpha(items)
    disputed = any(len(set(item)) > 1 for item in items)

    assert agreement is None or (0.0 <= agreement <= 1.0 and (agreement == 1.0) is not disputed)
    assert alpha is None or (alpha <= 1.0 and (alpha == pytest.approx(1.0)) is not disputed)


@given(votes, st.permutations("abc"))
def test_the_names_and_the_order_of_votes_make_no_difference(items: list[list[str]], names: list[str]) -> None:
    renamed = [[dict(zip("abc", names, strict=True))[vote] for vote in reversed(item)] for item in items]

    assert pair_agreement(renamed) == pytest.approx(pair_agreement(items))
    assert krippendorff_alpha(renamed) == pytest.approx(krippendorff_alpha(items))
