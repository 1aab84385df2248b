"""What cost, latency and output tokens did, against the limits that a gate sets them: how they stand, in words.

A limit is on what was observed, so it decides whatever chance could explain; the sentence says beside it whether the
increase is shown. Needs no statistics, so that pages can be made without importing them.
"""

from __future__ import annotations

from enum import StrEnum

from snapdrift.conclusions import Operational

OPERATIONAL_WORDS = {
    "cost": "cost",
    "latency_p95": "p95 latency",
    "latency_typical": "typical latency",
    "first_token_p95": "p95 time to first token",
    "output_tokens": "output tokens",
}
_ROUNDING = 1e-12


class Standing(StrEnum):
    """How an observed ratio stands to its limit, and whether that is shown or may be chance."""

    UNLIMITED = "unlimited"
    UNKNOWN = "unknown"
    WITHIN_SHOWN = "within_shown"
    WITHIN_OBSERVED = "within_observed"
    OVER_SHOWN = "over_shown"
    OVER_INCREASE_SHOWN = "over_increase_shown"
    OVER_OBSERVED = "over_observed"


_STANDING_WORDS = {
    Standing.UNKNOWN: "not measured",
    Standing.WITHIN_SHOWN: "within it, shown",
    Standing.WITHIN_OBSERVED: "within it as observed, not shown",
    Standing.OVER_SHOWN: "over it, shown",
    Standing.OVER_INCREASE_SHOWN: "over it as observed; an increase is shown, not one over the limit",
    Standing.OVER_OBSERVED: "over it as observed, not shown: it may be chance",
}


def increase_broken(operational: Operational) -> bool:
    """Whether the observed increase is over its limit. An increase from nothing is over any."""
    o = operational
    if o.max_increase is None or o.baseline_value is None or o.candidate_value is None:
        return False
    return o.candidate_value > o.baseline_value * (1 + o.max_increase) * (1 + _ROUNDING)


def increase_unknown(operational: Operational) -> bool:
    """Whether a limit could not be checked because nothing was measured on both sides."""
    return operational.max_increase is not None and operational.candidate_value is None


def standing(operational: Operational) -> Standing:
    """How the measure stands to its limit. What is observed decides over or within, the tests only what is shown."""
    o = operational
    if o.max_increase is None:
        return Standing.UNLIMITED
    if increase_unknown(o):
        return Standing.UNKNOWN
    alpha = 1 - o.confidence + _ROUNDING
    if not increase_broken(o):
        return Standing.WITHIN_SHOWN if _shows(o.p_within, alpha) else Standing.WITHIN_OBSERVED
    if _shows(o.p_over, alpha):
        return Standing.OVER_SHOWN
    # What is shown of another ratio than the observed one says nothing of this limit.
    shown = o.interval_is_of_ratio and _shows(o.p_more, alpha)
    return Standing.OVER_INCREASE_SHOWN if shown else Standing.OVER_OBSERVED


def values_text(operational: Operational, arrow: str = " to ") -> str:
    """Both levels in their unit: `900 ms to 1,100 ms`, `unknown` where they could not be measured."""
    o = operational
    if o.baseline_value is None or o.candidate_value is None:
        return "unknown"
    return f"{_quantity(o.metric, o.baseline_value)}{arrow}{_quantity(o.metric, o.candidate_value)}"


def change_text(operational: Operational, digits: int = 1) -> str:
    """The observed change with its interval: `+24.0% [+18.0%, +31.0%]`; empty where there is no ratio.

    Where the interval is of another ratio than the observed one (a few cases make most of it) that one is named too.
    """
    o = operational
    if o.ratio is None:
        return ""
    change = _percent(o.ratio, digits)
    interval = _interval(o, digits)
    if not interval:
        return change
    if o.interval == (None, None):
        if o.interval_is_of_ratio or o.tested_ratio is None:
            return f"{change}, interval not known"
        return f"{change} (case by case {_percent(o.tested_ratio, digits)}, interval not known)"
    if o.interval_is_of_ratio or o.tested_ratio is None:
        return f"{change} {interval}"
    return f"{change} (case by case {_percent(o.tested_ratio, digits)} {interval})"


def limit_text(operational: Operational) -> str:
    """The limit and how the measure stands to it: `limit +20%: over it, shown`; empty where there is none."""
    o = operational
    if o.max_increase is None:
        return ""
    return f"limit {_limit(o.max_increase)}: {_STANDING_WORDS[standing(o)]}"


def operational_text(operational: Operational) -> str:
    """The measure in a row of its kind: `cost +24% [+18%, +31%], limit +20%: over it, shown`."""
    o = operational
    # Whole percents, unless they would make the change and its limit look alike.
    near = o.ratio is not None and o.max_increase is not None and abs(o.ratio - 1 - o.max_increase) < 0.01
    said = change_text(o, digits=1 if near else 0) or values_text(o)
    parts = [f"{OPERATIONAL_WORDS.get(o.metric, o.metric)} {said}", limit_text(o)]
    return ", ".join(part for part in parts if part)


def operational_sentence(operational: Operational) -> str:
    """An operational measure against its limit: who, against whom, how much, how sure."""
    o = operational
    what = f"{OPERATIONAL_WORDS.get(o.metric, o.metric)} of `{o.candidate}` against `{o.baseline}`"
    limit = limit_text(o)
    after = f", {limit}" if limit else ""
    if o.baseline_value is None or o.candidate_value is None:
        return f"{what} could not be measured{'' if o.max_increase is None else f', limit {_limit(o.max_increase)}'}."
    change = change_text(o)
    values = values_text(o)
    return f"{what}: {f'{change} ({values})' if change else values}{after}."


def _shows(p_value: float | None, alpha: float) -> bool:
    return p_value is not None and p_value <= alpha


def _percent(ratio: float, digits: int) -> str:
    # A change that rounds to nothing has no sign.
    percent = round((ratio - 1) * 100, digits) + 0.0
    return f"{percent:+,.{digits}f}%" if percent else f"{percent:.{digits}f}%"


def _interval(o: Operational, digits: int) -> str:
    if o.interval is None:
        return ""
    low, high = ("open" if end is None else _percent(end, digits) for end in o.interval)
    return f"[{low}, {high}]"


def _limit(max_increase: float) -> str:
    return f"{max_increase * 100:+.4g}%"


def _quantity(metric: str, value: float) -> str:
    if metric == "cost":
        return f"${value:.4g}"
    return f"{value:,.0f} ms" if metric.startswith(("latency", "first_token")) else f"{value:,.1f}"
