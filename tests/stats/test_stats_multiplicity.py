from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from snapdrift.stats.multiplicity import benjamini_hochberg, holm

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=20)


def test_holm_has_the_published_values() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))


def test_benjamini_hochberg_has_the_published_values() -> None:
    assert benjamini_hochberg([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.02, 0.04, 0.04, 0.02))


@given(p_values)
def test_both_adjustments_agree_with_statsmodels(raw: list[float]) -> None:
    for method, name in ((holm, "holm"), (benjamini_hochberg, "fdr_bh")):
        assert method(raw) == pytest.approx(tuple(multipletests(raw, method=name)[1]), abs=1e-12)


@given(p_values)
def test_adjusted_values_are_probabilities_and_never_below_the_raw_ones(raw: list[float]) -> None:
    for method in (holm, benjamini_hochberg):
        assert all(p <= adjusted <= 1 for p, adjusted in zip(raw, method(raw), strict=True))


@given(p_values)
def test_holm_is_never_below_benjamini_hochberg(raw: list[float]) -> None:
    assert all(a >= b - 1e-12 for a, b in zip(holm(raw), benjamini_hochberg(raw), strict=True))


def test_no_claims_need_no_adjustment() -> None:
    assert holm([]) == ()
