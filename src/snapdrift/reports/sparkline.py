"""The geometry of a sparkline: levels of a metric from run to run, with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 180.0, 30.0
"""The size of its drawing, in its own units."""
_EDGE = 4.0


@dataclass(frozen=True, slots=True)
class Level:
    """One point: a mean with its interval, and whether other models answered than the time before."""

    mean: float
    low: float
    high: float
    moved: bool = False


@dataclass(frozen=True, slots=True)
class Sparkline:
    """What is drawn: `line` and `band` are lists of `x,y` as SVG takes them, `moves` the places of moved aliases.

    `band` is the intervals: along their upper ends and back along the lower ones. A single level has no line, and its
    interval is a stroke at `last`, the place of the newest level.
    """

    line: str
    band: str
    last: tuple[float, float]
    last_interval: tuple[float, float]
    moves: tuple[float, ...]


def lay_out_sparkline(levels: Sequence[Level]) -> Sparkline:
    """The drawing of at least one level, oldest first: equal steps to the right, on the scale of the intervals.

    So noise looks like noise: what the intervals cover is not blown up to the whole height.
    """
    low, high = min(level.low for level in levels), max(level.high for level in levels)
    across = (WIDTH - 2 * _EDGE) / max(len(levels) - 1, 1)
    places = [_EDGE + across * place for place in range(len(levels))] if len(levels) > 1 else [WIDTH / 2]

    def height(value: float) -> float:
        share = (min(max(value, low), high) - low) / (high - low) if high > low else 0.5
        return HEIGHT - _EDGE - share * (HEIGHT - 2 * _EDGE)

    upper = [(x, height(level.high)) for x, level in zip(places, levels, strict=True)]
    lower = [(x, height(level.low)) for x, level in zip(places, levels, strict=True)]
    line = [(x, height(level.mean)) for x, level in zip(places, levels, strict=True)]
    return Sparkline(
        line=_joined(line) if len(line) > 1 else "",
        band=_joined([*upper, *reversed(lower)]) if len(line) > 1 else "",
        last=_rounded(line[-1]),
        last_interval=_rounded((upper[-1][1], lower[-1][1])),
        moves=tuple(round(x, 1) for x, level in zip(places, levels, strict=True) if level.moved),
    )


def _joined(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _rounded(pair: tuple[float, float]) -> tuple[float, float]:
    return round(pair[0], 1), round(pair[1], 1)
