"""Comparisons of scores: pass/fail, graded, repeated, clustered, sparse, without variance, at the margin, several."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from error_designs.base import ALPHA, INTERVAL, Claim, Design, Generator, Values, claims_of, compare_arrays
from snapdrift.model import ScoreKind
from snapdrift.stats.power import mcnemar_power

GRADED = ScoreKind.GRADED
MARGIN = 0.05
Pairs = Callable[[Generator], tuple[Values, Values]]

NULL = (Claim("worse", ALPHA), Claim("better", ALPHA), Claim("interval misses", INTERVAL))
BOUNDARY = (Claim("no worse", ALPHA), Claim("interval misses", INTERVAL))


def pass_fail(n: int, discordance: float, difference: float = 0.0) -> Pairs:
    """Single passes and fails; so many differ, and the candidate passes so much more often."""

    def draw(rng: Generator) -> tuple[Values, Values]:
        u = rng.random(n)
        lost, gained = u < (discordance - difference) / 2, u > 1 - (discordance + difference) / 2
        both = rng.random(n) < 0.85
        return np.where(lost, 1.0, np.where(gained, 0.0, both)), np.where(lost, 0.0, np.where(gained, 1.0, both))

    return draw


def graded(n: int, spread: float, difference: float = 0.0) -> Pairs:
    """Scores in [0, 1] of cases that differ in difficulty; both answers scatter about their case by `spread`."""

    def draw(rng: Generator) -> tuple[Values, Values]:
        level = rng.uniform(0.3 - min(0.0, difference), 0.7 - max(0.0, difference), n)
        noise = rng.uniform(-spread, spread, (2, n))
        return level + noise[0], level + difference + noise[1]

    return draw


def breaking(n: int, share: float, difference: float = 0.0) -> Pairs:
    """Graded answers of which a share of the candidate's breaks and scores 0; the others are better by as much.

    Few large losses, many small gains: the shape that t statistics take for a gain.
    """
    level = 0.6
    gain = (share * level + difference) / (1 - share)

    def draw(rng: Generator) -> tuple[Values, Values]:
        noise = rng.uniform(-0.02, 0.02, (2, n))
        broken = rng.random(n) < share
        return level + noise[0], np.where(broken, noise[1] + noise[0], level + gain + noise[1])

    return draw


def repeated(n: int, repeats: int, difference: float = 0.0) -> Pairs:
    """Cases with a chance of passing each that moves from arm to arm, by nothing (or the difference) on average."""

    def draw(rng: Generator) -> tuple[Values, Values]:
        chance = rng.uniform(0.25 - difference, 0.75, n)
        moved = chance + difference + rng.uniform(-0.25, 0.25, n)
        return tuple((rng.random((n, repeats)) < p[:, None]).astype(np.float64) for p in (chance, moved))  # type: ignore[return-value]

    return draw


def shocked(sizes: list[int], difference: float = 0.0) -> Pairs:
    """Pass/fail cases in clusters; each cluster's chance of passing is shocked as a whole on the candidate."""
    n, label = sum(sizes), np.repeat(np.arange(len(sizes)), sizes)

    def draw(rng: Generator) -> tuple[Values, Values]:
        shock = rng.uniform(-0.25, 0.25, len(sizes))[label]
        chance = rng.uniform(0.25 - difference, 0.75, len(sizes))[label]
        return (rng.random(n) < chance).astype(np.float64), (rng.random(n) < chance + difference + shock).astype(
            np.float64
        )

    return draw


def constant(n: int, difference: float) -> Pairs:
    """Graded scores that all differ by exactly as much."""
    return lambda _: (np.full(n, 0.6), np.full(n, 0.6 + difference))


def _design(
    group: str,
    name: str,
    pairs: Pairs,
    claims: tuple[Claim, ...],
    *,
    truth: float = 0.0,
    kind: ScoreKind = ScoreKind.PASS_FAIL,
    margin: float = MARGIN,
    sizes: list[int] | None = None,
    weight: float = 1.0,
) -> Design:
    labels = None if sizes is None else np.repeat(np.arange(len(sizes)), sizes)

    def simulate(rng: Generator) -> Mapping[str, float]:
        (found,) = compare_arrays(*pairs(rng), kind, margin=margin, clusters=labels, seed=int(rng.integers(2**31)))
        return claims_of(found, truth)

    return Design(group, name, claims, simulate, weight)


def _pass_fail() -> list[Design]:
    found = [
        _design("pass/fail", f"n={n}, discordance {psi}, no change", pass_fail(n, psi), NULL)
        for n, psi in ((60, 0.1), (200, 0.05), (200, 0.15), (1000, 0.1), (1000, 0.3))
    ]
    for n, psi, drop in ((100, 0.15, 0.10), (200, 0.1, 0.05), (1000, 0.1, 0.05)):
        power = (Claim("worse", power=mcnemar_power(n, psi, -drop, ALPHA)), Claim("interval misses", INTERVAL))
        name = f"n={n}, discordance {psi}, {drop:.0%} drop"
        found.append(_design("pass/fail", name, pass_fail(n, psi, -drop), power, truth=-drop))
    return found


def _margins() -> list[Design]:
    at = f"at the margin of {MARGIN:.0%}"
    found = [
        _design(
            "margin", f"pass/fail n={n}, discordance {psi}, {at}", pass_fail(n, psi, -MARGIN), BOUNDARY, truth=-MARGIN
        )
        for n, psi in ((100, 0.06), (100, 0.15), (200, 0.05), (200, 0.1), (1000, 0.1))
    ]
    found += [
        _design("margin", f"graded n={n}, {at}", graded(n, 0.2, -MARGIN), BOUNDARY, truth=-MARGIN, kind=GRADED)
        for n in (60, 200)
    ]
    found += [
        _design(
            "margin",
            f"graded n={n}, {share:.0%} break, {at}",
            breaking(n, share, -MARGIN),
            BOUNDARY,
            truth=-MARGIN,
            kind=GRADED,
        )
        for n, share in ((60, 0.2), (100, 0.2), (200, 0.1), (1000, 0.1))
    ]
    found.append(_design("margin", f"repeated k=5 n=100, {at}", repeated(100, 5, -MARGIN), BOUNDARY, truth=-MARGIN))
    sizes = [10] * 30
    found.append(
        _design("margin", f"clustered 30 of 10, {at}", shocked(sizes, -MARGIN), BOUNDARY, truth=-MARGIN, sizes=sizes)
    )
    return found


def _graded() -> list[Design]:
    return [
        _design("graded", "n=30, no change", graded(30, 0.2), NULL, kind=GRADED, weight=0.25),
        *(_design("graded", f"n={n}, no change", graded(n, 0.2), NULL, kind=GRADED) for n in (60, 200, 1000)),
        *(
            _design("graded", f"n={n}, {share:.0%} break, no change on average", breaking(n, share), NULL, kind=GRADED)
            for n, share in ((60, 0.2), (100, 0.2), (200, 0.1), (1000, 0.1))
        ),
    ]


def _repeated() -> list[Design]:
    return [
        _design("repeated", f"k=5, n={n}, no change on average", repeated(n, 5), NULL, weight=weight)
        for n, weight in ((30, 0.4), (50, 0.4), (200, 1.0))
    ]


def _clustered() -> list[Design]:
    shapes = {f"{g} of 10": [10] * g for g in (8, 20, 60, 100)} | {"60 of 1 to 19": [1 + n % 19 for n in range(60)]}
    return [
        _design("clustered", f"{name}, shared shock", shocked(sizes), NULL, sizes=sizes, weight=0.5)
        for name, sizes in shapes.items()
    ]


def _sparse() -> list[Design]:
    rare = pass_fail(200, 0.01)
    only_losses = pass_fail(200, 0.03, -0.03)
    graded_losses: Pairs = lambda rng: (np.ones(200), np.where(rng.random(200) < MARGIN, 0.0, 1.0))  # noqa: E731
    return [
        _design("sparse", "pass/fail n=200, discordance 0.01, no change", rare, NULL),
        _design("sparse", "pass/fail n=50, discordance 0.02, no change", pass_fail(50, 0.02), NULL),
        # A score interval keeps its level on average over truths, not at each: so of a fixed one it promises nothing.
        _design(
            "sparse",
            "pass/fail n=200, 3% only lose, margin 3%",
            only_losses,
            (Claim("no worse", ALPHA), Claim("interval misses")),
            truth=-0.03,
            margin=0.03,
        ),
        _losing_some(),
        _design("sparse", "graded n=200, 5% only lose, margin 5%", graded_losses, BOUNDARY, truth=-0.05, kind=GRADED),
        _design("zero variance", "graded n=200, nothing differs", constant(200, 0.0), NULL, kind=GRADED, weight=0.1),
        _design(
            "zero variance",
            "graded n=200, all lose exactly the margin",
            constant(200, -MARGIN),
            BOUNDARY,
            truth=-MARGIN,
            kind=GRADED,
            weight=0.1,
        ),
    ]


def _losing_some() -> Design:
    def simulate(rng: Generator) -> Mapping[str, float]:
        drop = rng.uniform(0.02, 0.04)
        (found,) = compare_arrays(*pass_fail(200, drop, -drop)(rng))
        return claims_of(found, -drop)

    name = "pass/fail n=200, a share of 2% to 4%, drawn each time, only loses"
    return Design("sparse", name, (Claim("interval misses", INTERVAL),), simulate)


def _families() -> list[Design]:
    def simulate(rng: Generator) -> Mapping[str, float]:
        # The metrics of one answer rise and fall together.
        shared = rng.standard_normal((2, 1, 300)) + rng.standard_normal((2, 6, 300))
        scores = (shared < 1.2).astype(np.float64)[..., None]
        found = compare_arrays(scores[0], scores[1])
        return {"any worse": any(claims_of(one, 0.0)["worse"] for one in found)}

    return [Design("several", "six metrics of n=300, no change (Holm)", (Claim("any worse", ALPHA),), simulate, 0.25)]


COMPARISONS: tuple[Design, ...] = (
    *_pass_fail(),
    *_graded(),
    *_repeated(),
    *_clustered(),
    *_sparse(),
    *_margins(),
    *_families(),
)
