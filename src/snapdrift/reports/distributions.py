"""How latency and output length are spread over the answers of each variant, as the page draws and tells it."""

from __future__ import annotations

import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from snapdrift.conclusions import VariantSummary
from snapdrift.model import Outcome, Purpose, Response
from snapdrift.reports.axis import Axis, axis_over
from snapdrift.reports.figures import NONE, count, seconds

SHARES = (5, 25, 50, 75, 95)
"""The percentiles that are shown: the whiskers, the box and the median."""
BY_BATCH = "by batch, where a wait is no latency"
NOT_MEASURED = "not measured"
NOT_NEEDED = "not needed"
UNKNOWN = "not told"


@dataclass(frozen=True, slots=True)
class Places:
    """Where the percentiles and the largest value stand, in percent of the axis."""

    p5: float
    p25: float
    median: float
    p75: float
    p95: float
    most: float


@dataclass(frozen=True, slots=True)
class Spread:
    """One variant: how many answers are in it and why others are not, and its percentiles in words and as places.

    `figures` are those of `SHARES` and the largest. `places` is None where no answer is in it.
    """

    variant: str
    n: int
    left_out: int
    why: str
    figures: tuple[str, ...]
    places: Places | None
    sentence: str


@dataclass(frozen=True, slots=True)
class DistributionView:
    """One measure of every variant on one axis."""

    name: str
    unit: str
    axis: Axis
    spreads: tuple[Spread, ...]


@dataclass(frozen=True, slots=True)
class _Measure:
    """What is read of an answer (None: it has none), and how it is told."""

    name: str
    unit: str
    value: Callable[[Response], float | None]
    text: Callable[[float], str]
    tick: Callable[[float], str]


def percentile(ordered: Sequence[float], share: float) -> float:
    """The percentile of ordered values, interpolated between neighbours as NumPy does it by default ("linear").

    `ordered` must not be empty.
    """
    place = (len(ordered) - 1) * share / 100
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


@dataclass(slots=True)
class _Found:
    """One measure of one variant: its values, and how many responses it has none of, by why."""

    values: array[float] = field(default_factory=lambda: array("d"))
    reasons: Counter[str] = field(default_factory=Counter)


class DistributionTally:
    """Keeps latency and output tokens of measured answers, and of the others why they have none."""

    def __init__(self) -> None:
        self._responses: Counter[str] = Counter()
        self._found: dict[tuple[str, str], _Found] = defaultdict(_Found)

    def add(self, response: Response) -> None:
        """Takes the measures of an answer.

        The time that a batch takes says nothing of how long an answer takes, so such answers have no latency.
        """
        if response.call.purpose is not Purpose.ANSWER:
            return
        variant = response.call.variant
        self._responses[variant] += 1
        for measure in _MEASURES:
            found = self._found[measure.name, variant]
            value = measure.value(response) if response.outcome.measured else None
            if value is not None:
                found.values.append(value)
            else:
                found.reasons[_reason(measure, response)] += 1

    def views(self, variants: Sequence[VariantSummary]) -> tuple[DistributionView, ...]:
        """Each measure of every variant; one that no answer tells is left out."""
        return tuple(view for view in (self._view(measure, variants) for measure in _MEASURES) if view is not None)

    def _view(self, measure: _Measure, variants: Sequence[VariantSummary]) -> DistributionView | None:
        values = {v.name: sorted(self._found[measure.name, v.name].values) for v in variants}
        if not any(values.values()):
            return None
        axis = axis_over((value for of_variant in values.values() for value in of_variant), measure.tick)
        spreads = [self._spread(measure, axis, v, values[v.name]) for v in variants]
        return DistributionView(measure.name, measure.unit, axis, tuple(spreads))

    def _spread(self, measure: _Measure, axis: Axis, variant: VariantSummary, values: Sequence[float]) -> Spread:
        found = [*(percentile(values, share) for share in SHARES), values[-1]] if values else []
        responses = self._responses[variant.name]
        return Spread(
            variant=variant.name,
            n=len(values),
            left_out=max(variant.planned, responses) - len(values),
            why=_why(variant, responses, self._found[measure.name, variant.name].reasons),
            figures=tuple(map(measure.text, found)) or (NONE,) * (len(SHARES) + 1),
            places=Places(*map(axis.place, found)) if found else None,
            sentence=_sentence(measure, variant.name, len(values), [measure.text(value) for value in found]),
        )


def _reason(measure: _Measure, response: Response) -> str:
    if response.outcome is Outcome.NOT_NEEDED:
        return NOT_NEEDED
    if not response.outcome.measured:
        return NOT_MEASURED
    return BY_BATCH if response.batched and measure is _LATENCY else UNKNOWN


def _why(variant: VariantSummary, responses: int, told: Mapping[str, int]) -> str:
    """Why planned answers are not in it, with their numbers: `12 by batch, …, 1 not measured`; else nothing."""
    reasons = Counter(told)
    unanswered = max(variant.planned - responses, 0)
    spared = min(variant.outcomes.get(Outcome.NOT_NEEDED.value, 0), unanswered)
    reasons[NOT_NEEDED] += spared
    reasons[NOT_MEASURED] += unanswered - spared
    return ", ".join(f"{count(number)} {reason}" for reason, number in reasons.most_common() if number)


def _sentence(measure: _Measure, variant: str, n: int, told: Sequence[str]) -> str:
    what = f"{measure.name} of {variant}"
    if not n:
        return f"{what}: no answer tells it."
    if n == 1:
        return f"{what}: one answer, {told[0]}{measure.unit}."
    p5, p25, median, p75, p95, most = (f"{text}{measure.unit}" for text in told)
    middle, most_of = f"the middle half from {p25} to {p75}", f"nine in ten from {p5} to {p95}"
    return f"{what}: {count(n)} answers, median {median}, {middle}, {most_of}, at most {most}."


def _latency(response: Response) -> float | None:
    return None if response.batched else response.latency_ms


def _output_tokens(response: Response) -> float | None:
    return None if response.usage is None else float(response.usage.output_tokens)


def _time_tick(milliseconds: float) -> str:
    return f"{milliseconds:g} ms" if milliseconds < 1000 else f"{milliseconds / 1000:,g} s"


def _number(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0")


_LATENCY = _Measure("Latency", "", _latency, seconds, _time_tick)
_MEASURES = (_LATENCY, _Measure("Output length", " tokens", _output_tokens, _number, _number))
