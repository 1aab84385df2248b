"""What is looked at while it grows or rests on labels: early stopping, a judge with labels, a canary's lifetime."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from error_designs.base import ALPHA, INTERVAL, Claim, Design, Generator, Values, arranged, claims_of
from error_designs.comparisons import MARGIN, pass_fail
from snapdrift.conclusions import Comparison
from snapdrift.stats.canary import new_canary, next_night
from snapdrift.stats.judges import paired_judgements
from snapdrift.stats.power import mcnemar_power
from snapdrift.stats.prediction_powered import estimate_difference
from snapdrift.stats.sequential import StoppingRule
from snapdrift.verdicts.comparing import compare
from snapdrift.verdicts.looks import walk

SAVED_AT_LEAST = 0.35
POWER_WITHIN = 0.03


def stop_early(baseline: Values, candidate: Values, margin: float = MARGIN) -> tuple[Comparison, ...]:
    """Pass/fail scores [metric, case, repeat] in the drawn order, asked until a look decides or all are asked.

    The looks and the verdicts are those of the program: `looks.walk`, and `compare` with what it saw.
    """
    run = arranged(baseline, candidate, margin=margin)
    order = [(case,) for case in run.tables.case_ids]
    looks = walk(run.planned, run.tables, order, StoppingRule(round(run.gate.alpha, 12)))
    return compare(run.planned, run.tables, run.gate, 0, looks=looks)


def _early(name: str, difference: float, claims: tuple[Claim, ...], metrics: int = 1) -> Design:
    draw = pass_fail(1000, 0.1, difference)

    def simulate(rng: Generator) -> Mapping[str, float]:
        pairs = [draw(rng) for _ in range(metrics)]
        baseline, candidate = (np.stack([pair[side] for pair in pairs])[..., None] for side in (0, 1))
        found = stop_early(baseline, candidate)
        said = [claims_of(one, difference) for one in found]
        return {
            **{claim: max(one[claim] for one in said) for claim in ("worse", "no worse", "interval misses")},
            "calls saved": 1 - (found[0].units_fed or 0) / 1000,
        }

    return Design("early stopping", name, claims, simulate, weight=0.5)


def _early_stopping() -> list[Design]:
    fixed = mcnemar_power(1000, 0.1, -0.05, ALPHA)
    saved, missed = Claim("calls saved"), Claim("interval misses", INTERVAL)
    return [
        _early("up to n=1000, discordance 0.1, no change", 0.0, (Claim("worse", ALPHA), missed, saved)),
        _early("up to n=1000, two metrics, no change (Holm)", 0.0, (Claim("worse", ALPHA), saved), metrics=2),
        _early("up to n=1000, discordance 0.1, at the margin of 5%", -MARGIN, (Claim("no worse", ALPHA), saved)),
        _early(
            "up to n=1000, discordance 0.1, 5% drop",
            -0.05,
            (Claim("worse", power=fixed - POWER_WITHIN), missed, Claim("calls saved", power=SAVED_AT_LEAST)),
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
