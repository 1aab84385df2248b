"""What is looked at while it grows or rests on labels: early stopping, a judge with labels, a canary's lifetime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from error_designs.base import ALPHA, INTERVAL, Claim, Design, Generator, Values, compare_arrays
from error_designs.comparisons import MARGIN, pass_fail
from snapdrift.stats.canary import new_canary, next_night
from snapdrift.stats.judges import paired_judgements
from snapdrift.stats.multiplicity import holm
from snapdrift.stats.power import mcnemar_power
from snapdrift.stats.prediction_powered import estimate_difference
from snapdrift.stats.sequential import ClaimPs, SequentialState, StoppingRule, advance, claim_p_values

SAVED_AT_LEAST = 0.35
POWER_WITHIN = 0.03


@dataclass(frozen=True)
class Stopped:
    """One run under early stopping: which metrics are shown worse (Holm), which no worse, and the cases asked."""

    worse: tuple[bool, ...]
    no_worse: tuple[bool, ...]
    asked: int


def stop_early(baseline: Sequence[Values], candidate: Sequence[Values], margin: float = MARGIN) -> Stopped:
    """Pass/fail scores by metric, in the drawn order, asked until a look decides or all are asked.

    At the end the fixed test is that of the public comparison function.
    """
    names = [f"m{number}" for number in range(len(baseline))]
    differences = [one - other for other, one in zip(baseline, candidate, strict=True)]
    units = [dict(zip(names, unit, strict=True)) for unit in zip(*(d.tolist() for d in differences), strict=True)]
    rule = StoppingRule(ALPHA)
    progress = advance(SequentialState.start("", 0, dict.fromkeys(names, margin)), units, rule, names)
    fixed: dict[str, ClaimPs] | None = None
    if not progress.stopped:
        whole = compare_arrays(np.stack(baseline)[..., None], np.stack(candidate)[..., None], margin=margin)
        fixed = {c.metric: ClaimPs(c.p_value or 1.0, c.p_better or 1.0, c.p_no_worse) for c in whole}
    found = claim_p_values(progress.state, rule, fixed)
    worse = tuple(p <= ALPHA + 1e-12 for p in holm([found[name].worse for name in names]))
    kept = tuple((p := found[name].no_worse) is not None and p <= ALPHA + 1e-12 for name in names)
    return Stopped(worse, kept, progress.state.units)


def _early(name: str, difference: float, claims: tuple[Claim, ...], metrics: int = 1) -> Design:
    draw = pass_fail(1000, 0.1, difference)

    def simulate(rng: Generator) -> Mapping[str, float]:
        pairs = [draw(rng) for _ in range(metrics)]
        run = stop_early([one for one, _ in pairs], [other for _, other in pairs])
        return {
            "worse": any(run.worse),
            "no worse": any(run.no_worse),
            "calls saved": 1 - run.asked / 1000,
        }

    return Design("early stopping", name, claims, simulate, weight=0.5)


def _early_stopping() -> list[Design]:
    fixed = mcnemar_power(1000, 0.1, -0.05, ALPHA)
    saved = Claim("calls saved")
    return [
        _early("up to n=1000, discordance 0.1, no change", 0.0, (Claim("worse", ALPHA), saved)),
        _early("up to n=1000, two metrics, no change (Holm)", 0.0, (Claim("worse", ALPHA), saved), metrics=2),
        _early("up to n=1000, discordance 0.1, at the margin of 5%", -MARGIN, (Claim("no worse", ALPHA), saved)),
        _early(
            "up to n=1000, discordance 0.1, 5% drop",
            -0.05,
            (Claim("worse", power=fixed - POWER_WITHIN), Claim("calls saved", power=SAVED_AT_LEAST)),
        ),
    ]


def _judge(name: str, difference: float, specificity: tuple[float, float], labelled: int, *claims: Claim) -> Design:
    """A judge of sensitivity 0.95 that lets failures pass, more on one arm than on the other, and so many labels."""
    draw = pass_fail(1000, 0.15, difference)

    def simulate(rng: Generator) -> Mapping[str, float]:
        people = draw(rng)
        judged = [
            np.where(side == 1, rng.random(1000) < 0.95, rng.random(1000) >= spec).astype(np.float64)
            for side, spec in zip(people, specificity, strict=True)
        ]
        chosen = np.zeros(1000, dtype=np.bool_)
        chosen[rng.choice(1000, labelled, replace=False)] = True
        labels = [np.where(chosen, side, np.nan) for side in people]
        found = estimate_difference(paired_judgements(*judged, *labels), 1 - INTERVAL, margin=MARGIN)
        return {
            "worse": found.p.worse <= ALPHA,
            "no worse": found.p_no_worse is not None and found.p_no_worse <= ALPHA,
            "interval misses": not found.interval.low <= difference <= found.interval.high,
        }

    return Design("judge", name, claims, simulate)


def _judges() -> list[Design]:
    worse, kept, missed = Claim("worse", ALPHA), Claim("no worse", ALPHA), Claim("interval misses", INTERVAL)
    return [
        _judge("PPI, 100 labels, same judge, no change", 0.0, (0.8, 0.8), 100, worse, missed),
        _judge("PPI, 100 labels, judge flatters the candidate, no change", 0.0, (0.85, 0.6), 100, worse, missed),
        _judge("PPI, 100 labels, judge flatters the baseline, no change", 0.0, (0.6, 0.85), 100, worse, missed),
        _judge("PPI, 100 labels, judge flatters, at the margin", -MARGIN, (0.85, 0.6), 100, kept, missed),
        _judge("PPI, 200 labels, judge flatters, at the margin", -MARGIN, (0.85, 0.6), 200, kept, missed),
    ]


def _canary(name: str, discordance: float, claim: Claim, drop: float = 0.0) -> Design:
    """A year of nights of 20 cases each, the drop from the 31st night on; and whether it ever rings."""
    before, after = pass_fail(20, discordance), pass_fail(20, discordance, -drop)

    def simulate(rng: Generator) -> Mapping[str, float]:
        canary = new_canary("simulated", ALPHA)
        for night in range(365):
            baseline, candidate = (before if night < 30 else after)(rng)
            canary = next_night(canary, candidate - baseline)
            if canary.alarmed:
                break
        return {claim.name: canary.alarmed}

    return Design("canary", name, (claim,), simulate, weight=0.25)


def _canaries() -> list[Design]:
    return [
        _canary("365 nights of 20 cases, discordance 0.1, no move", 0.1, Claim("alarm in its life", ALPHA)),
        _canary("365 nights of 20 cases, discordance 0.3, no move", 0.3, Claim("alarm in its life", ALPHA)),
        _canary("the same, discordance 0.15, 10% drop on night 31", 0.15, Claim("alarm within the year"), 0.1),
    ]


SEQUENCES: tuple[Design, ...] = (*_early_stopping(), *_judges(), *_canaries())
