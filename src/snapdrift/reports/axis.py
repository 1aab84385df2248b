"""A value axis for the page's plots: round ends, few ticks, logarithmic where values differ by more than a factor."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

_LOGARITHMIC_FROM = 30.0
"""The ratio of largest to smallest from which on a linear axis would press most values into one end."""
_MOST_TICKS = 5
_ROUND = (1, 2, 5, 10)


@dataclass(frozen=True, slots=True)
class AxisTick:
    """A mark on the axis: its place in percent of the width, and its label."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis from `low` to `high`, in the unit of the values."""

    low: float
    high: float
    logarithmic: bool
    ticks: tuple[AxisTick, ...]

    def place(self, value: float) -> float:
        """Where a value stands, in percent of the width; what lies outside stands at the nearer end."""
        return _place(value, self.low, self.high, logarithmic=self.logarithmic)


def axis_over(values: Iterable[float], label: Callable[[float], str], least: float = 1.0) -> Axis:
    """The axis that holds these values, none of them negative.

    `least` is the smallest step of a linear axis, and the smallest value of a logarithmic one: what is below stands
    there. `values` must not be empty.
    """
    found = list(values)
    low, high = min(found), max(found)
    logarithmic = high / max(low, least) > _LOGARITHMIC_FROM
    marks = _powers(max(low, least), high) if logarithmic else _steps(low, high, least)
    start, end = marks[0], marks[-1]
    shown = _thinned(marks) if logarithmic else marks
    ticks = tuple(AxisTick(_place(m, start, end, logarithmic=logarithmic), label(m)) for m in shown)
    return Axis(start, end, logarithmic, ticks)


def _place(value: float, low: float, high: float, *, logarithmic: bool) -> float:
    inside = min(max(value, low), high)
    share = math.log(inside / low) / math.log(high / low) if logarithmic else (inside - low) / (high - low)
    return round(share * 100, 2)


def _steps(low: float, high: float, least: float) -> list[float]:
    """Equal steps of 1, 2 or 5 times a power of ten, around both ends; from 0 where that costs little room."""
    start = 0.0 if low < high / 2 else low
    reach = max(high - start, high * 0.1, least)
    rough = max(reach / (_MOST_TICKS - 1), least)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * n for n in _ROUND if power * n >= rough * (1 - 1e-9))
    first, last = math.floor(start / step), math.ceil(high / step)
    return [n * step for n in range(first, max(last, first + 1) + 1)]


def _powers(low: float, high: float) -> list[float]:
    """1, 2 and 5 times each power of ten, from the last below `low` to the first above `high`."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    marks = [n * 10.0**power for power in decades for n in _ROUND[:3]]
    first = max(place for place, mark in enumerate(marks) if mark <= low * (1 + 1e-9))
    last = min(place for place, mark in enumerate(marks) if mark >= high * (1 - 1e-9))
    return marks[first : last + 1]


def _thinned(marks: Sequence[float]) -> Sequence[float]:
    """The marks, or only the powers of ten among them, or only some of those: no more than fit side by side."""
    if len(marks) <= _MOST_TICKS:
        return marks
    tens = [mark for mark in marks if math.isclose(math.log10(mark), round(math.log10(mark)), abs_tol=1e-9)]
    return tens[:: math.ceil(len(tens) / _MOST_TICKS)]
