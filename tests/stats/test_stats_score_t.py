from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from snapdrift.stats.intervals import t_interval
from snapdrift.stats.score_t import ScoreT

scales = st.builds(ScoreT, st.floats(-0.9, 0.9), st.floats(1e-6, 0.05), st.floats(1, 200), st.floats(0, 0.05))


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=40).filter(lambda v: float(np.ptp(v)) > 0.01))
def test_without_a_slope_it_is_the_t_test_and_its_interval(values: list[float]) -> None:
    error = float(np.std(values, ddof=1)) / len(values) ** 0.5
    found = ScoreT(float(np.mean(values)), error**2, len(values) - 1)
    assert found.p_above(-0.05) == pytest.approx(ttest_1samp(values, -0.05, alternative="greater").pvalue, abs=1e-9)
    assert found.p_below(-0.05) == pytest.approx(ttest_1samp(values, -0.05, alternative="less").pvalue, abs=1e-9)
    expected = t_interval(found.difference, error, len(values) - 1, 0.9)
    assert (found.interval(0.9).low, found.interval(0.9).high) == pytest.approx((expected.low, expected.high), abs=1e-9)


@given(scales, st.sampled_from([0.6, 0.9, 0.99]))
def test_the_interval_ends_where_the_tests_reject(scale: ScoreT, confidence: float) -> None:
    found = scale.interval(confidence)
    assert scale.p_above(found.low) == pytest.approx((1 - confidence) / 2, rel=1e-6)
    assert scale.p_below(found.high) == pytest.approx((1 - confidence) / 2, rel=1e-6)
    assert found.low < scale.difference < found.high


@given(scales, st.floats(-1, 1))
def test_the_two_sides_add_up_to_one(scale: ScoreT, null: float) -> None:
    assert scale.p_above(null) + scale.p_below(null) == pytest.approx(1)


@given(scales, st.floats(0.001, 0.5))
def test_a_slope_never_makes_a_claim_surer(scale: ScoreT, distance: float) -> None:
    plain = ScoreT(scale.difference, scale.variance, scale.degrees)
    assert scale.p_above(scale.difference - distance) >= plain.p_above(plain.difference - distance)
