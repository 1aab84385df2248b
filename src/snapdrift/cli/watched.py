"""The texts of `watch`: a line for each suite, and the document for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from snapdrift.cli.tables import usd

if TYPE_CHECKING:
    from snapdrift.pipeline import LastReport, Night
    from snapdrift.verdicts.watching import WatchedCanary

FORMAT = "snapdrift.watch/1"


def watched(night: Night) -> str:
    """What one night of a suite came to, on one line."""
    label = f" [{night.label}]" if night.label else ""
    opening = f"{night.suite}, gate {night.gate}{label}: night {night.number}"
    cost = f"{usd(night.usd)}{' (not paid)' if night.label else ''}"
    if night.failed:
        return f"{opening} counts for nothing: {night.failed}; {cost}. The evidence stays as it was"
    parts = [*_asked(night), *_wealth(night.canaries), cost, promise(night)]
    if night.tripped:
        return f"{opening} ALARM: {'; '.join(night.tripped)}. {'; '.join(parts)}. The whole suite ran:"
    return f"{opening} quiet: {'; '.join(parts)}"


def promise(night: Night) -> str:
    """What the canaries' own false-alarm rate is, and over what."""
    canaries = night.canaries
    rate = f"{night.false_alarm:.3g}"
    if not canaries:
        return f"false alarms of the canary: at most {rate} in its whole life"
    shares = f", {night.false_alarm / len(canaries):.3g} for each of {len(canaries)}" if len(canaries) > 1 else ""
    return f"false alarms: at most {rate} in its whole life, however many nights{shares}"


def reported(report: LastReport) -> str:
    """When a suite's watch last reported, on one line."""
    opening = f"{report.suite}, gate {report.gate}"
    if not report.since:
        return f"{opening}: never watched"
    days = f"{report.silent_s / 86_400:.1f} days"
    if not report.reported_at:
        nights = f"{report.nights} {'night' if report.nights == 1 else 'nights'}"
        told = f"none of {nights} has reported since {report.since}, {days}"
    else:
        told = f"the last night that reported ended at {report.reported_at}, {days} ago"
    return f"{opening}{' OVERDUE' if report.overdue else ''}: {told}"


def watched_markdown(nights: Sequence[Night]) -> str:
    """`summary.md` of a night: a line for each suite, then what the suites came to that ran whole."""
    from snapdrift.reports.markdown import render_markdown

    lines = [f"- {_markdown_line(watched(night))}" for night in nights]
    views = [night.outcome.view for night in nights if night.outcome is not None]
    return "\n".join(["### Watched aliases", "", *lines, "", render_markdown(*views) if views else ""])


def reported_markdown(reports: Sequence[LastReport]) -> str:
    """`summary.md` of a look at when nights last reported."""
    lines = [f"- {_markdown_line(reported(report))}" for report in reports]
    return "\n".join(["### When the aliases were last watched", "", *lines, ""])


def _markdown_line(text: str) -> str:
    """A sentence whose names in backticks stay code; where these do not pair, none is."""
    from snapdrift.reports.escaping import markdown, markdown_code

    parts = text.split("`")
    if len(parts) % 2 == 0:
        return markdown(text)
    pieces = (markdown_code(part) if place % 2 else _spaced(part) for place, part in enumerate(parts))
    return "".join(pieces).strip()


def _spaced(text: str) -> str:
    from snapdrift.reports.escaping import markdown

    return f"{' ' * text.startswith(' ')}{markdown(text)}{' ' * (text.endswith(' ') and bool(text.strip()))}"


def watched_json(nights: Sequence[Night]) -> str:
    """The nights in the format `snapdrift.watch/1`, as ASCII JSON that ends in a newline."""
    document = {"format": FORMAT, "suites": [_night(night) for night in nights]}
    return json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def _asked(night: Night) -> list[str]:
    told = []
    for name, models in sorted(night.resolved.items()):
        before = night.before.get(name)
        if any(why.startswith(f"`{name}` is answered by") for why in night.tripped):
            continue  # it is the first thing that the line says
        since = "" if before is None else ", as last night" if before == models else f", last night {', '.join(before)}"
        told.append(f"`{name}` is answered by {', '.join(models)}{since or ', seen for the first time'}")
    if night.asked:
        told.append(f"{night.asked} cases asked afresh of each side")
    return told


def _wealth(canaries: Sequence[WatchedCanary]) -> list[str]:
    told = []
    for one in canaries:
        what, canary = one.watched, one.canary
        nights = f"{canary.nights} {'night' if canary.nights == 1 else 'nights'}, {canary.values} cases"
        new = f", began anew: {one.why_new}" if one.why_new else ""
        wealth = f"evidence {one.wealth:.3g}, alarm at {1 / canary.alpha:.3g}"
        told.append(f"{what.metric} of `{what.candidate}` against `{what.baseline}`: {wealth} ({nights}{new})")
    return told


def _night(night: Night) -> dict[str, Any]:
    return {
        "suite": night.suite,
        "gate": night.gate,
        "night": night.number,
        "label": night.label or None,
        "exit_code": int(night.exit_code),
        "failed": night.failed or None,
        "tripped": list(night.tripped),
        "false_alarm": round(night.false_alarm, 12),
        "resolved": _models(night.resolved),
        "before": _models(night.before),
        "cases": night.asked,
        "canaries": [_canary(one) for one in night.canaries],
        "usd": night.usd,
        "runs": list(night.runs),
        "verdict": _verdict(night),
    }


def _models(models: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    return {name: list(found) for name, found in models.items()}


def _canary(one: WatchedCanary) -> dict[str, Any]:
    return {
        "metric": one.watched.metric,
        "baseline": one.watched.baseline,
        "candidate": one.watched.candidate,
        "nights": one.canary.nights,
        "cases": one.canary.values,
        "wealth": one.wealth,
        "threshold": 1 / one.canary.alpha,
        "false_alarm": round(one.canary.alpha, 12),
        "p_value": one.canary.p_value,
        "alarmed": one.canary.alarmed,
        "lower": one.lower,
        "why_new": one.why_new or None,
    }


def _verdict(night: Night) -> dict[str, Any] | None:
    """`verdict.json` of the suite's run, null where it did not run."""
    from snapdrift.reports import verdict_document

    return None if night.outcome is None else verdict_document(night.outcome.view)
