"""Numbers as reports print them: with their unit, a true minus sign, and independent of the locale."""

from __future__ import annotations

import re

from snapdrift.model import MetricSpec, ScoreKind
from snapdrift.verdicts.words import p_text

MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"
_HYPHEN = re.compile(r"(?:(?<=[ \[(])|^)-(?=\d)")


def signed(number: float, digits: int = 1) -> str:
    """`+0.2`, `−4.1`; what rounds to nothing is `0.0`, without a sign."""
    text = f"{abs(number):.{digits}f}"
    if float(text) == 0:
        return text
    return (MINUS if number < 0 else "+") + text


def typeset(sentence: str) -> str:
    """A sentence of `verdicts.words` with true minus signs before its numbers; what stands in backticks stays."""
    parts = sentence.split("`")
    return "`".join(_HYPHEN.sub(MINUS, part) if place % 2 == 0 else part for place, part in enumerate(parts))


def count(number: int) -> str:
    """`1,319`."""
    return f"{number:,}"


def percent(share: float | None) -> str:
    """`95.2%`; everything is `100%`, and what is not everything never rounds up to it."""
    if share is None:
        return NONE
    if share in (0.0, 1.0):
        return f"{share:.0%}"
    return f"{min(max(share * 100, 0.1), 99.9):.1f}%"


def p_value(p: float | None) -> str:
    """`0.0401`, `< 0.0001`: rounded as in sentences."""
    return NONE if p is None else p_text(p).removeprefix("p ").removeprefix("= ")


def usd(amount: float | None) -> str:
    """`$0.61`, `$0.0042`; an unknown price says so."""
    if amount is None:
        return "price unknown"
    return f"${amount:,.2f}" if amount >= 0.1 or amount == 0 else f"${amount:.4f}"


def rate(tokens_per_second: float | None) -> str:
    """`84 tokens/s`, `8.4 tokens/s`."""
    if tokens_per_second is None:
        return NONE
    return f"{tokens_per_second:,.0f} tokens/s" if tokens_per_second >= 10 else f"{tokens_per_second:.1f} tokens/s"


def seconds(milliseconds: float | None) -> str:
    """`0.90 s`, `12.3 s`, `640 ms` below a tenth of a second."""
    if milliseconds is None:
        return NONE
    if milliseconds < 100:
        return f"{milliseconds:.0f} ms"
    return f"{milliseconds / 1000:.2f} s" if milliseconds < 10_000 else f"{milliseconds / 1000:.1f} s"


def ratio_change(ratio: float | None) -> str:
    """`+8%` for a ratio of 1.08."""
    return "" if ratio is None else signed((ratio - 1) * 100, 0) + "%"


def _in_percent(metric: MetricSpec) -> bool:
    return metric.kind is ScoreKind.PASS_FAIL or metric.scale == (0.0, 1.0)


def level(metric: MetricSpec, mean: float | None) -> str:
    """A mean in the metric's own terms: `90.2%`, or `4.1` on a scale from 1 to 5."""
    if mean is None:
        return NONE
    if _in_percent(metric):
        return percent(mean)
    low, high = metric.scale
    on_scale = round(low + mean * (high - low), 2)
    return f"{MINUS if on_scale < 0 else ''}{abs(on_scale):.2f}"


def side(metric: MetricSpec, mean: float | None) -> str:
    """The level of one side of a comparison; of a pairwise metric its means are preferences."""
    return level(metric, (1 + mean) / 2 if metric.pairwise and mean is not None else mean)


def level_interval(metric: MetricSpec, ci: tuple[float, float] | None) -> str:
    """`[88.1, 92.0]`, in the unit of `level`."""
    if ci is None:
        return ""
    return "[" + ", ".join(level(metric, bound).rstrip("%") for bound in ci) + "]"


def in_unit(metric: MetricSpec, difference: float) -> float:
    """A difference in score units as it is shown: points of 100, or steps of the metric's scale."""
    return difference * (100 if _in_percent(metric) else metric.reach)


def difference(metric: MetricSpec, value: float | None) -> str:
    """`−4.1`."""
    return NONE if value is None else signed(in_unit(metric, value), 1 if _in_percent(metric) else 2)


def difference_interval(metric: MetricSpec, ci: tuple[float, float] | None) -> str:
    """`[−6.8, −1.5]`."""
    return "" if ci is None else f"[{difference(metric, ci[0])}, {difference(metric, ci[1])}]"


def magnitude(metric: MetricSpec, value: float | None) -> str:
    """A size without a sign: `6.0 points`."""
    if value is None:
        return NONE
    return f"{abs(in_unit(metric, value)):.1f} points" if _in_percent(metric) else f"{abs(in_unit(metric, value)):.2f}"
