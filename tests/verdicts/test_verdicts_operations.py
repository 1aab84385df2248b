from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from snapdrift.conclusions import Operational
from snapdrift.model import CallKey, CallResult, Gate, MetricGate, Outcome, Results, Severity, Usage
from snapdrift.stats.operational import RelativeQuestion, quantile_change
from snapdrift.store.codec import dumps, loads
from snapdrift.verdicts import RunFacts, evaluate
from snapdrift.verdicts.increases import Standing, standing

MakeResults = Callable[..., Results]
MakeGate = Callable[..., Gate]
Values = Sequence[float] | NDArray[np.float64]


def slower(
    make_results: MakeResults, factors: Values, clusters: Sequence[str] | None = None, cost: float = 0.001
) -> Results:
    """A run whose candidate takes so many times as long as the baseline's 100 ms, at so much a call."""
    ones = [1] * len(factors)
    results = make_results({"base": {"right": ones}, "cand": {"right": ones}}, clusters=clusters)
    calls = {
        CallKey(f"c{n}", "cand", 0): CallResult(Outcome.OK, None, 100.0 * factor, Usage(10, 0, 20), cost)
        for n, factor in enumerate(factors)
    }
    return replace(results, calls={**results.calls, **calls})


def costing(make_results: MakeResults, base: Values, cand: Values) -> Results:
    """A run whose calls cost so many dollars."""
    ones = [1] * len(base)
    calls = {
        CallKey(f"c{n}", side, 0): CallResult(Outcome.OK, None, 100.0, Usage(10, 0, 20), usd)
        for side, row in (("base", base), ("cand", cand))
        for n, usd in enumerate(row)
    }
    return make_results({"base": {"right": ones}, "cand": {"right": ones}}, calls=calls)


def found_in(results: Results, gate: Gate, metric: str, **facts: Any) -> Operational:
    evaluation = evaluate(results, gate, RunFacts(**facts))
    return next(one for one in evaluation.operational if one.metric == metric)


def interval_of(operational: Operational) -> tuple[float, float]:
    assert operational.interval is not None
    low, high = operational.interval
    assert low is not None
    assert high is not None
    return low, high


def log_normal(n: int, seed: int, factor: float = 1.0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    generator = np.random.default_rng(seed)
    length = generator.lognormal(-7, 0.4, n)
    return length * generator.lognormal(0, 0.15, n), factor * length * generator.lognormal(0, 0.15, n)


def test_typical_latency_is_a_geometric_mean_with_an_interval_on_the_log_scale(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    logs = np.concatenate([np.linspace(0.01, 0.4, 20), -np.linspace(0.01, 0.4, 20)]) + 0.1
    found = found_in(slower(make_results, np.exp(logs)), make_gate(), "latency_typical")
    expected = stats.ttest_1samp(logs, 0).confidence_interval(0.90)
    assert (found.quantity, found.n, found.units) == ("geometric_mean", 40, 40)
    assert (found.baseline_value, found.ratio) == pytest.approx((100.0, math.exp(0.1)))
    assert interval_of(found) == pytest.approx((math.exp(expected.low), math.exp(expected.high)))


def test_the_interval_of_the_cost_is_about_the_totals_that_the_page_shows(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    base, cand = log_normal(300, 3, 1.1)
    found = found_in(costing(make_results, base, cand), make_gate(), "cost")
    assert (found.quantity, found.interval_is_of_ratio) == ("mean", True)
    assert found.baseline_value == pytest.approx(base.sum())
    assert found.tested_ratio == pytest.approx(cand.sum() / base.sum())
    assert found.ratio == pytest.approx(cand.sum() / base.sum())


def test_a_case_with_more_measured_repeats_counts_in_the_cost_as_it_does_in_the_total(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    generator = np.random.default_rng(5)
    ones = [(1, 1, 1)] * 60
    results = make_results({"base": {"right": ones}, "cand": {"right": ones}})
    calls = {
        key: replace(call, usd=float(generator.uniform(1, 2)))
        if key.case_id != "c7" or key.repeat == 0
        else CallResult(Outcome.API_ERROR)
        for key, call in results.calls.items()
    }
    found = found_in(replace(results, calls=calls), make_gate(), "cost")
    assert found.tested_ratio == pytest.approx(found.ratio)


def test_the_95th_percentile_is_tested_at_the_common_quantile_and_its_interval_holds_the_observed_ratio(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    before, after = (1e6 * side for side in log_normal(200, 6, 1.3))
    calls = {
        CallKey(f"c{n}", side, 0): CallResult(Outcome.OK, None, took, Usage(10, 0, 20), 0.001)
        for side, times in (("base", before), ("cand", after))
        for n, took in enumerate(times)
    }
    ones = [1] * 200
    results = make_results({"base": {"right": ones}, "cand": {"right": ones}}, calls=calls)
    found = found_in(results, make_gate(), "latency_p95")
    expected = quantile_change(before, after, 0.95, RelativeQuestion(0.95, None, 0))
    low, high = interval_of(found)
    assert found.quantity == "quantile"
    assert found.p_more == expected.p_more
    assert found.candidate_value == pytest.approx(float(np.percentile(after, 95)))
    assert found.ratio is not None
    assert low <= found.ratio <= high


def test_where_nothing_varies_the_interval_still_has_width(make_results: MakeResults, make_gate: MakeGate) -> None:
    found = found_in(slower(make_results, [1.0] * 30, cost=0.002), make_gate(), "cost")
    low, high = interval_of(found)
    assert (found.quantity, found.interval_method) == ("balanced", "betting")
    assert found.ratio == 2.0
    assert low < 2 < high


def test_a_constant_cost_is_told_against_its_limit(make_results: MakeResults, make_gate: MakeGate) -> None:
    gate = make_gate(metrics=[MetricGate("cost", max_increase=0.5)])
    found = found_in(slower(make_results, [1.0] * 100, cost=0.002), gate, "cost")
    assert standing(found) is Standing.OVER_SHOWN


def test_a_total_that_hangs_on_few_cases_is_not_told_against_its_limit(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    # Three of 100 cases cost fifty times as much, so the total rose by half again and the typical case did not.
    cand = [0.05] * 3 + [0.001] * 97
    gate = make_gate(metrics=[MetricGate("cost", max_increase=0.2)])
    found = found_in(costing(make_results, [0.001] * 100, cand), gate, "cost")
    assert found.ratio == pytest.approx(2.47)
    assert (found.quantity, found.interval_is_of_ratio, found.p_over, found.p_within) == ("balanced", False, None, None)
    assert standing(found) is Standing.OVER_OBSERVED


def test_calls_that_share_clusters_have_a_wider_interval(make_results: MakeResults, make_gate: MakeGate) -> None:
    factors = [1.0 + 0.02 * (n // 5) for n in range(200)]
    alone = found_in(slower(make_results, factors), make_gate(), "latency_typical")
    labels = [f"k{n // 5}" for n in range(200)]
    together = found_in(slower(make_results, factors, labels), make_gate(), "latency_typical")
    assert (alone.units, together.units, together.n) == (200, 40, 200)
    widths = [high - low for low, high in map(interval_of, (alone, together))]
    assert widths[1] > 1.5 * widths[0]


def test_repeats_are_averaged_before_they_are_compared(make_results: MakeResults, make_gate: MakeGate) -> None:
    ones = [(1, 1)] * 40
    results = make_results({"base": {"right": ones}, "cand": {"right": ones}})
    slow = {
        CallKey(f"c{n}", "cand", 1): CallResult(Outcome.OK, None, 500.0 + 20 * n, Usage(10, 0, 20), 0.001)
        for n in range(40)
    }
    found = found_in(replace(results, calls={**results.calls, **slow}), make_gate(), "latency_typical")
    assert found.n == 40
    assert found.ratio == pytest.approx(float(stats.gmean([3.0 + 0.1 * n for n in range(40)])))


def test_a_cost_of_which_a_part_has_no_price_is_unknown(make_results: MakeResults, make_gate: MakeGate) -> None:
    results = make_results({"base": {"right": [1, 1]}, "cand": {"right": [1, 1]}})
    key = CallKey("c0", "cand", 0)
    unpriced = replace(results, calls={**results.calls, key: replace(results.calls[key], usd=None)})
    found = found_in(unpriced, make_gate(), "cost")
    assert (found.ratio, found.interval, found.method, found.left_out) == (None, None, "none", 2)


def test_calls_that_were_not_measured_on_both_sides_are_left_out_and_counted(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    rows = [1, Outcome.API_ERROR, Outcome.NOT_NEEDED, 1]
    results = make_results({"base": {"right": [1] * 4}, "cand": {"right": rows}})
    found = found_in(results, make_gate(), "output_tokens")
    # A call that was spared by early stopping was not asked, so it is not missing.
    assert (found.n, found.ratio, found.left_out) == (2, 1.0, 1)


def test_nothing_measured_on_both_sides_leaves_everything_unknown(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    results = make_results({"base": {"right": [Outcome.API_ERROR]}, "cand": {"right": [1]}})
    evaluation = evaluate(results, make_gate(), RunFacts())
    assert [(one.ratio, one.n, one.left_out) for one in evaluation.operational] == [(None, 0, 1)] * 4


def test_more_is_worse_and_a_cheaper_candidate_has_a_small_p_for_less(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    base, cand = log_normal(120, 8, 0.8)
    found = found_in(costing(make_results, base, cand), make_gate(), "cost")
    assert found.p_less is not None
    assert found.p_more is not None
    assert found.p_less < 0.001
    assert found.p_more > 0.9


def test_a_limit_of_severity_fail_is_on_the_observed_ratio_whatever_chance_could_explain(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    # Six cases: too few for any outcome to be shown by the 95th percentile, and the limit fails all the same.
    gate = make_gate(metrics=[MetricGate("latency_p95", max_increase=0.2, severity=Severity.FAIL)])
    evaluation = evaluate(slower(make_results, [1.5] * 6), gate, RunFacts())
    assert evaluation.decision.exit_code == 1
    (reason,) = evaluation.decision.reasons
    assert reason == (
        "p95 latency of `cand` against `base`: +50.0%, interval not known (100 ms to 150 ms), limit +20%: "
        "over it as observed, not shown: it may be chance."
    )


def test_the_same_calls_and_seed_give_the_same_record(make_results: MakeResults, make_gate: MakeGate) -> None:
    # 30 changes of as many sizes: their flips are drawn.
    results = slower(make_results, [1.0 + 0.0137 * n for n in range(30)])
    one, other = (found_in(results, make_gate(), "latency_typical", seed=4) for _ in range(2))
    assert one.method == "sign_flip_monte_carlo"
    assert one == other


def test_a_record_survives_the_run_file_and_one_from_before_the_tests_can_be_read(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    found = found_in(slower(make_results, [1.0, 2.0, 3.0]), make_gate(), "latency_p95")
    assert found.interval == (None, None)
    assert loads(Operational, dumps(found)) == found
    old = '{"metric":"cost","baseline":"a","candidate":"b","baseline_value":1,"candidate_value":2,"ratio":2,'
    assert loads(Operational, old + '"max_increase":null,"severity":"warn"}').interval is None


def streaming(make_results: MakeResults, base: Values, cand: Values) -> Results:
    """A run whose answers began after so many milliseconds; NaN: this one was not streamed."""
    ones = [1] * len(base)
    calls = {
        CallKey(f"c{n}", side, 0): CallResult(
            Outcome.OK, None, 900.0, Usage(10, 0, 20), 0.001, first_token_ms=None if math.isnan(ms) else ms
        )
        for side, row in (("base", base), ("cand", cand))
        for n, ms in enumerate(row)
    }
    return make_results({"base": {"right": ones}, "cand": {"right": ones}}, calls=calls)


def test_the_time_to_the_first_token_is_compared_as_the_latency_is(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    base = np.linspace(100, 200, 200)
    gate = make_gate(metrics=[MetricGate("first_token_p95", max_increase=0.2, severity=Severity.FAIL)])

    found = found_in(streaming(make_results, base, 2 * base), gate, "first_token_p95")

    expected = quantile_change(base[:, None], 2 * base[:, None], 0.95, RelativeQuestion(gate.confidence, 0.2, 0))
    assert (found.baseline_value, found.ratio) == pytest.approx((np.percentile(base, 95), 2.0))
    assert (found.p_more, found.p_over, found.n) == (expected.p_more, expected.p_over, 200)
    assert standing(found) is Standing.OVER_SHOWN


def test_the_time_to_the_first_token_is_of_streamed_calls_and_told_where_there_are_some(
    make_results: MakeResults, make_gate: MakeGate
) -> None:
    nothing = [math.nan] * 20
    half = [100.0] * 10 + nothing[:10]
    limited = make_gate(metrics=[MetricGate("first_token_p95", max_increase=0.2)])

    told = [
        [one.n for one in evaluate(streaming(make_results, base, [150.0] * 20), gate, RunFacts()).operational
         if one.metric == "first_token_p95"]
        for base, gate in ((nothing, make_gate()), (half, make_gate()), (nothing, limited))
    ]  # fmt: skip
    unknown = found_in(streaming(make_results, nothing, [150.0] * 20), limited, "first_token_p95")

    assert told == [[], [10], [0]]
    assert standing(unknown) is Standing.UNKNOWN
