"""Operational measures as a report says them: cost, latency and output tokens, with what is shown of each."""

from __future__ import annotations

from dataclasses import dataclass

from snapdrift.conclusions import Operational, VariantSummary
from snapdrift.reports import figures
from snapdrift.reports.figures import typeset
from snapdrift.reports.view import OperationalView, View
from snapdrift.verdicts.increases import OPERATIONAL_WORDS, change_text, increase_broken, limit_text, operational_text

NOTE = (
    "Observed on the calls measured on both sides; the interval says what chance could explain. A limit is on what is "
    "observed; beside it stands whether that is shown."
)


@dataclass(frozen=True, slots=True)
class StripItem:
    """A measure of a candidate beside its baseline's: `cost`, `$0.61 → $0.66`, `+8%`, and a limit that is broken."""

    name: str
    values: str
    change: str = ""
    broken: str = ""


@dataclass(frozen=True, slots=True)
class Strip:
    """What a candidate costs, how long it takes and writes, and how much of it was measured, as observed."""

    baseline: str
    candidate: str
    items: tuple[StripItem, ...]


def strips_of(view: View) -> tuple[Strip, ...]:
    """One strip for each pair. The middle latency is of every measured answer of a side, as in the variants' table."""
    summaries = {variant.summary.name: variant.summary for variant in view.variants}
    strips = []
    for (baseline, candidate), measures in view.operational_pairs.items():
        by_name = {one.operational.metric: one for one in measures}
        items = [_strip_item(by_name["cost"])] if "cost" in by_name else []
        sides = summaries.get(baseline), summaries.get(candidate)
        items += _latency(*sides)
        items += [_strip_item(by_name["output_tokens"])] if "output_tokens" in by_name else []
        items += [_strip_item(one) for one in measures if one.broken and one.operational.metric not in _IN_STRIP]
        items += _coverage(*sides)
        strips.append(Strip(baseline, candidate, tuple(items)))
    return tuple(strips)


_IN_STRIP = ("cost", "output_tokens")


def _strip_item(one: OperationalView) -> StripItem:
    ratio = one.operational.ratio
    return StripItem(one.name, one.values, figures.ratio_change(ratio), one.limit if one.broken else "")


def _latency(baseline: VariantSummary | None, candidate: VariantSummary | None) -> list[StripItem]:
    if baseline is None or candidate is None or baseline.latency_p50 is None or candidate.latency_p50 is None:
        return []
    before, after = baseline.latency_p50, candidate.latency_p50
    change = figures.ratio_change(after / before) if before else ""
    return [StripItem("latency p50", f"{figures.seconds(before)} → {figures.seconds(after)}", change)]


def _coverage(baseline: VariantSummary | None, candidate: VariantSummary | None) -> list[StripItem]:
    if baseline is None or candidate is None:
        return []
    return [StripItem("coverage", f"{figures.percent(baseline.coverage)} → {figures.percent(candidate.coverage)}")]


def operational_view(operational: Operational) -> OperationalView:
    """A measure in words, with true minus signs."""
    return OperationalView(
        operational=operational,
        name=OPERATIONAL_WORDS.get(operational.metric, operational.metric),
        values=_values(operational),
        change=typeset(change_text(operational, digits=0)),
        limit=limit_text(operational),
        text=typeset(operational_text(operational)),
        broken=increase_broken(operational),
    )


def operational_lines(view: View) -> tuple[str, ...]:
    """One line for each pair: `mini against august: cost +8% [+5%, +11%]; p95 latency ...`."""
    return tuple(
        f"{candidate} against {baseline}: {'; '.join(one.text for one in measures)}"
        for (baseline, candidate), measures in view.operational_pairs.items()
        if any(one.operational.n for one in measures)
    )


def _values(operational: Operational) -> str:
    """Both levels as the page shows such levels: `$0.61 → $0.66`, `0.90 s → 1.10 s`."""
    o = operational
    if o.baseline_value is None or o.candidate_value is None:
        return "unknown"
    return f"{_level(o.metric, o.baseline_value)} → {_level(o.metric, o.candidate_value)}"


def _level(metric: str, value: float) -> str:
    if metric == "cost":
        return figures.usd(value)
    return figures.seconds(value) if metric.startswith(("latency", "first_token")) else f"{value:,.1f}"
