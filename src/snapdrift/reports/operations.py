"""Operational measures as a report says them: cost, latency and output tokens, with what is shown of each."""

from __future__ import annotations

from snapdrift.conclusions import Operational
from snapdrift.reports import figures
from snapdrift.reports.figures import typeset
from snapdrift.reports.view import OperationalView, View
from snapdrift.verdicts.increases import OPERATIONAL_WORDS, change_text, increase_broken, limit_text, operational_text

NOTE = (
    "Observed on the calls measured on both sides; the interval says what chance could explain. A limit is on what is "
    "observed; beside it stands whether that is shown."
)


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
