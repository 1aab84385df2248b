"""Where things stand on the forest plot: one axis for all comparisons, positions as percentages of its width."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from snapdrift.reports.view import ComparisonView

_STEPS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
_MOST_TICKS = 7


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on the axis: its place in percent of the width, and how many points it is from 0.

    It has no sign: left is worse, which is less of one metric and more of another.
    """

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Mark:
    """One row of the plot; places in percent of the width, None where nothing was measured.

    `margin` is the place of the margin on the worse side: the band reaches from there to the zero line.
    """

    point: float | None
    low: float | None
    high: float | None
    margin: float | None


@dataclass(frozen=True, slots=True)
class Forest:
    """The plot: its axis in points (of 100), where zero is, and one mark a comparison, in their order."""

    low: float
    high: float
    zero: float
    ticks: tuple[Tick, ...]
    marks: tuple[Mark, ...]


def lay_out(rows: Sequence[ComparisonView]) -> Forest:
    """The plot of these comparisons. Worse is always left, also for a metric of which less is better."""
    values = [0.0]
    for row in rows:
        c = row.comparison
        values += [_points(row, v) for v in (c.difference, *(c.ci or ())) if v is not None]
        values += [-c.margin * 100] if c.margin is not None else []
    reach = max(max(values) - min(values), 2.0)
    step = next((step for step in _STEPS if reach / step <= _MOST_TICKS - 1), _STEPS[-1])
    low = math.floor((min(values) - reach * 0.04) / step) * step
    high = math.ceil((max(values) + reach * 0.04) / step) * step

    def place(points: float) -> float:
        return round((points - low) / (high - low) * 100, 2)

    digits = 0 if step >= 1 else 1
    numbers = [low + i * step for i in range(round((high - low) / step) + 1)]
    return Forest(
        low=low,
        high=high,
        zero=place(0.0),
        ticks=tuple(Tick(place(n), f"{abs(n):.{digits}f}" if abs(n) > step / 2 else "0") for n in numbers),
        marks=tuple(_mark(row, place) for row in rows),
    )


def _points(row: ComparisonView, value: float) -> float:
    return value * 100 * (1 if row.metric.higher_is_better else -1)


def _mark(row: ComparisonView, place: Callable[[float], float]) -> Mark:
    c = row.comparison
    bounds = sorted(place(_points(row, bound)) for bound in c.ci) if c.ci else (None, None)
    return Mark(
        point=None if c.difference is None else place(_points(row, c.difference)),
        low=bounds[0],
        high=bounds[1],
        margin=None if c.margin is None else place(-c.margin * 100),
    )
