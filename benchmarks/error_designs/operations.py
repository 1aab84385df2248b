"""Cost, latency and output tokens: log-normal, heavy-tailed, one case in ten at six times, repeated, clustered."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from error_designs.base import ALPHA, INTERVAL, Claim, Design, Generator, Values
from snapdrift.conclusions import Operational
from snapdrift.model import CallKey, CallResult, Case, Endpoint, Gate, MetricGate, Outcome, Pair, Results, Variant
from snapdrift.verdicts.call_columns import call_columns
from snapdrift.verdicts.operations import measure_operations

Pairs = Callable[[Generator], tuple[Values, Values]]
"""Both sides, [case, repeat]."""

LIMIT = 0.2
NULL = (Claim("more", ALPHA), Claim("less", ALPHA), Claim("interval misses", INTERVAL))
AT_LIMIT = (Claim("within", ALPHA), Claim("over", ALPHA), Claim("interval misses", INTERVAL))


def log_normal(n: int, spread: float, noise: float, factor: float = 1.0, repeats: int = 1) -> Pairs:
    """Sizes of cases spread by `spread` on the log scale, both answers about them by `noise`; the mean by `factor`."""

    def draw(rng: Generator) -> tuple[Values, Values]:
        size = rng.lognormal(0, spread, (n, 1))
        noises = rng.lognormal(0, noise, (2, n, repeats))
        return size * noises[0], factor * size * noises[1]

    return draw


def pareto(n: int, shape: float, factor: float = 1.0) -> Pairs:
    """Costs of which the variance is barely finite (shape 2.5: infinite skewness), independent on both sides."""

    def draw(rng: Generator) -> tuple[Values, Values]:
        tails = 1 + rng.pareto(shape, (2, n, 1))
        return tails[0], factor * tails[1]

    return draw


def one_in_ten(n: int, times: float = 6.0, *, on_baseline: bool = False) -> Pairs:
    """One case in ten is so many times as dear on the candidate; the mean is 1 + (times - 1) / 10.

    `on_baseline`: on the baseline, and the candidate always costs that mean, so that both cost the same on average.
    """

    def draw(rng: Generator) -> tuple[Values, Values]:
        dear = np.where(rng.random((n, 1)) < 0.1, times, 1.0)
        small = rng.lognormal(-0.00125, 0.05, (2, n, 1))
        flat = np.full((n, 1), 1 + (times - 1) / 10 if on_baseline else 1.0)
        one, other = (dear, flat) if on_baseline else (flat, dear)
        return one * small[0], other * small[1]

    return draw


def shocked(groups: int, size: int, factor: float = 1.0) -> Pairs:
    """Log-normal costs in clusters that move together on the candidate."""

    def draw(rng: Generator) -> tuple[Values, Values]:
        shock = np.repeat(rng.lognormal(-0.02, 0.2, groups), size)[:, None]
        cost = rng.lognormal(0, 0.3, (groups * size, 1))
        return cost * rng.lognormal(0, 0.1, cost.shape), factor * cost * shock * rng.lognormal(0, 0.1, cost.shape)

    return draw


def measure(metric: str, pairs: tuple[Values, Values], limit: float, clusters: int | None, seed: int) -> Operational:
    """One measure by the function that verdicts use, which is handed the calls of a run."""
    n = pairs[0].shape[0]
    cases = [Case(str(case), cluster=None if clusters is None else str(case // clusters)) for case in range(n)]
    calls = {
        CallKey(str(case), side, repeat): _call(metric, value)
        for side, values in zip(("baseline", "candidate"), pairs, strict=True)
        for case, row in enumerate(values.tolist())
        for repeat, value in enumerate(row)
    }
    sides = tuple(Variant(side, "simulated", Endpoint.RESPONSES, {}, {}) for side in ("baseline", "candidate"))
    columns = call_columns(Results(tuple(cases), sides, pairs[0].shape[1], (), calls, (), {}))
    pair, limited = Pair("baseline", "candidate"), metric if metric != "latency_typical" else "latency_p95"
    gate = Gate("default", (pair,), (MetricGate(limited, max_increase=limit),))
    found = measure_operations([pair], gate, [], columns, cases, seed)
    return next(one for one in found if one.metric == metric)


def _call(metric: str, value: float) -> CallResult:
    cost, latency = (value, None) if metric == "cost" else (None, value)
    return CallResult(Outcome.OK, "simulated", latency, None, cost)


def _design(
    name: str,
    pairs: Pairs,
    claims: tuple[Claim, ...],
    *,
    metric: str = "cost",
    limit: float = LIMIT,
    truth: float = 1.0,
    clusters: int | None = None,
    weight: float = 0.5,
) -> Design:
    """What is told of another ratio than the observed one is not counted: it is no claim about this truth."""

    def simulate(rng: Generator) -> Mapping[str, float]:
        found = measure(metric, pairs(rng), limit, clusters, int(rng.integers(2**31)))
        own = found.interval_is_of_ratio
        return {
            "more": own and _shown(found.p_more),
            "less": own and _shown(found.p_less),
            "within": own and _shown(found.p_within),
            "over": own and _shown(found.p_over),
            "interval misses": own and _missed(found, truth),
            "told": own,
        }

    return Design(
        "operational",
        name,
        (*claims, *([Claim("told")] if metric == "cost" and AT_LIMIT[0] in claims else [])),
        simulate,
        weight,
    )


def _shown(p_value: float | None) -> bool:
    return p_value is not None and p_value <= ALPHA


def _missed(found: Operational, truth: float) -> bool:
    if found.interval is None:
        return False
    low, high = found.interval
    return not (low or 0.0) <= truth <= (math.inf if high is None else high)


def _costs() -> list[Design]:
    designs = []
    for n in (60, 200, 1000):
        designs.append(_design(f"cost, log-normal, n={n}, no change", log_normal(n, 0.5, 0.3), NULL))
        at = _design(f"cost, log-normal, n={n}, at the limit", log_normal(n, 0.5, 0.3, 1.2), AT_LIMIT, truth=1.2)
        designs.append(at)
    heavy = {"log-normal, heavy tails": (log_normal(400, 1.0, 0.6), log_normal(400, 1.0, 0.6, 1.2))}
    heavy["Pareto 2.5"] = (pareto(400, 2.5), pareto(400, 2.5, 1.2))
    for name, (unchanged, at_limit) in heavy.items():
        designs.append(_design(f"cost, {name}, n=400, no change", unchanged, NULL))
        designs.append(_design(f"cost, {name}, n=400, at the limit", at_limit, AT_LIMIT, truth=1.2))
    return designs


def _skewed() -> list[Design]:
    return [
        *(
            _design(f"cost, 1 in 10 at 6x, n={n}, at the limit of 50%", one_in_ten(n), AT_LIMIT, limit=0.5, truth=1.5)
            for n in (100, 200, 400, 1000)
        ),
        *(
            _design(f"cost, 1 in 10 at 6x on the baseline, n={n}, same mean", one_in_ten(n, on_baseline=True), NULL)
            for n in (100, 400)
        ),
        _design("cost, repeated k=5, n=100, at the limit", log_normal(100, 0.5, 0.3, 1.2, 5), AT_LIMIT, truth=1.2),
        _design(
            "cost, clustered 40 of 10, shared shock, at the limit",
            shocked(40, 10, 1.2),
            AT_LIMIT,
            truth=1.2,
            clusters=10,
            weight=0.2,
        ),
        _design(
            "cost, log-normal, n=200, 10% more",
            log_normal(200, 0.5, 0.3, 1.1),
            (Claim("more"), Claim("within"), Claim("interval misses", INTERVAL)),
            truth=1.1,
        ),
    ]


def _latencies() -> list[Design]:
    typical, p95 = "latency_typical", "latency_p95"
    return [
        _design("typical latency, n=60, no change", log_normal(60, 0.5, 0.4), NULL, metric=typical),
        _design(
            "typical latency, 1 in 10 at 6x, n=400",
            one_in_ten(400),
            (Claim("interval misses", INTERVAL),),
            metric=typical,
            truth=6**0.1,
        ),
        *(
            _design(f"p95 latency, n={n}, no change", log_normal(n, 0.5, 0.4), NULL, metric=p95, weight=0.3)
            for n in (100, 400)
        ),
        *(
            _design(
                f"p95 latency, n={n}, at the limit",
                log_normal(n, 0.5, 0.4, 1.2),
                AT_LIMIT,
                metric=p95,
                truth=1.2,
                weight=0.3,
            )
            for n in (100, 400)
        ),
    ]


OPERATIONS: tuple[Design, ...] = (*_costs(), *_skewed(), *_latencies())
