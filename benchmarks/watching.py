"""How often `watch` raises a false alarm in its whole life, and how many nights it takes to see a drop.

python benchmarks/watching.py [LIVES] [NIGHTS]

Simulated: two metrics that err together share the false-alarm rate of 0.05; every night other cases are asked of alias
and snapshot. Four cases in five are answered right with probability 0.99, the others with 0.54: the level is 0.90, and
two runs of the same model differ on 11.5% of the cases. The drop begins after 30 quiet nights and is of both metrics.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from snapdrift.verdicts.watching import Watched, carried_on, fed, key_of

ALPHA = 0.05
QUIET = 30
LEVEL = 0.9
WATCHED = [Watched(metric, "pinned", "alias", {}) for metric in ("first", "second")]


def main(lives: int, nights: int) -> None:
    print(f"{lives} lives, {nights} nights, false-alarm rate {ALPHA:g}")
    print("\n  cases a night   lives with a false alarm   standard error")
    for cases in (10, 20, 50):
        rung = [first_alarm([1, cases, life], cases, nights, 0.0) is not None for life in range(lives)]
        share = float(np.mean(rung))
        print(f"  {cases:>13}   {share:>24.1%}   {np.sqrt(share * (1 - share) / lives):>14.1%}")
    print("\n  cases a night   drop   seen   nights after the move: half of the lives   nine in ten")
    for cases in (20, 50):
        for drop in (0.05, 0.1, 0.2, 0.4):
            found = [first_alarm([2, cases, life], cases, nights, drop) for life in range(lives // 5)]
            waits = [np.inf if night is None else max(0, night - QUIET) for night in found]
            half, most = np.quantile(waits, [0.5, 0.9], method="higher")
            seen = float(np.mean(np.isfinite(waits)))
            print(f"  {cases:>13}   {drop:>4.0%}   {seen:>4.0%}   {half:>40.0f}   {most:>11.0f}")


def first_alarm(seed: list[int], cases: int, nights: int, drop: float) -> int | None:
    """The night of the first alarm, None without one."""
    generator = np.random.default_rng(seed)
    canaries = carried_on(WATCHED, [], ALPHA)
    for night in range(1, nights + 1):
        canaries = fed(canaries, differences(generator, cases, drop if night > QUIET else 0.0))
        if any(one.canary.alarmed for one in canaries):
            return night
    return None


def differences(generator: np.random.Generator, cases: int, drop: float) -> dict[str, NDArray[np.float64]]:
    """Alias minus snapshot of each case, for both metrics; the second follows the first on four cases in five."""
    easy = generator.random(cases) < 0.8
    right = np.where(easy, 0.99, 0.54)
    luck = generator.random((2, cases))
    own = generator.random((2, cases))
    follows = generator.random(cases) < 0.8
    found = {}
    for one, draws in zip(WATCHED, (luck, np.where(follows, luck, own)), strict=True):
        alias = draws[0] < right * (1 - drop / LEVEL)
        found[key_of(one)] = alias.astype(float) - (draws[1] < right).astype(float)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lives", type=int, nargs="?", default=1000)
    parser.add_argument("nights", type=int, nargs="?", default=365)
    given = parser.parse_args()
    main(given.lives, given.nights)
