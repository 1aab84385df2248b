"""The history of suites as text, JSON and CSV; each is a function of `History`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from enum import Enum
from itertools import groupby
from typing import Any

from snapdrift.reports.escaping import line
from snapdrift.reports.view import SOURCE_LABELS
from snapdrift.verdicts.history import History, Move, Noise, Point, Series
from snapdrift.verdicts.words import cases

FORMAT = "snapdrift.history/1"
_BARS = "▁▂▃▄▅▆▇█"
_SHOWN_POINTS = 60
_SHOWN_FLAKY = 10
_CHANGED = {
    "cases": "other cases: a new series",
    "graders": "another grader version: a new series",
    "suite": "the suite was changed",
    "model": "other models answered",
}
_FIELDS = ("suite", "gate", "variant", "metric", "model", "source")


def history_document(history: History) -> dict[str, Any]:
    """The document of the format `snapdrift.history/1` as plain values."""
    return {"format": FORMAT, **_plain(asdict(history))}


def render_history_json(history: History) -> str:
    """The document as ASCII JSON, ending in a newline."""
    return json.dumps(history_document(history), indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def render_history_csv(history: History) -> str:
    """A row for each point of each series; several values in one cell are joined by a space."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    of_points = [entry.name for entry in fields(Point)]
    writer.writerow([*_FIELDS, *of_points, "step"])
    for series in history.series:
        steps = {step.run_id for step in series.steps}
        for point in series.points:
            values = [getattr(point, name) for name in of_points]
            row = [*(getattr(series, name) for name in _FIELDS), *values]
            writer.writerow([*map(_cell, row), int(point.run_id in steps)])
    return out.getvalue()


def render_history(history: History) -> str:
    """What a terminal shows: for each suite and gate its series, then what is known of moves, flaky cases and noise."""
    lines: list[str] = []
    for (suite, gate), group in groupby(history.series, key=lambda one: (one.suite, one.gate)):
        lines += [line(f"{suite}, gate {gate}"), *_series_lines(list(group))]
        noise = [one for one in history.noise if (one.suite, one.gate) == (suite, gate)]
        lines += [f"  {line(_noise_text(one))}" for one in noise]
        flaky = [one for one in history.flaky if (one.suite, one.gate) == (suite, gate)]
        for one in flaky[:_SHOWN_FLAKY]:
            interval = f"[{one.low:.0%}, {one.high:.0%}]"
            rate = f"{one.passes} of {one.asked} passed, {interval}"
            lines.append(
                "  " + line(f"flaky: {one.case_id} on {one.variant}, {one.metric}{_label(one.source)}: {rate}")
            )
        if len(flaky) > _SHOWN_FLAKY:
            lines.append(f"  and {len(flaky) - _SHOWN_FLAKY} more flaky cases (--json has all)")
        lines.append("")
    lines += [line(_move_text(move)) for move in history.moves]
    if any(series.steps for series in history.series):
        lines.append("Steps are where a series seems to have moved: for display, they claim nothing (`watch` does).")
    left = ", ".join(f"{number} {why}" for why, number in history.left_out.items())
    lines.append(f"{history.runs} {'run' if history.runs == 1 else 'runs'}" + (f"; left out: {left}" if left else ""))
    return "\n".join(lines) + "\n"


def sparkline(values: Sequence[float], low: float, high: float) -> str:
    """A bar for each value between `low` and `high`; all of one height where these are the same."""
    width = high - low
    places = [round((value - low) / width * (len(_BARS) - 1)) if width > 0 else len(_BARS) // 2 for value in values]
    return "".join(_BARS[min(max(place, 0), len(_BARS) - 1)] for place in places)


def _series_lines(group: Sequence[Series]) -> Iterator[str]:
    names = [line(f"{one.metric} {one.variant}{_label(one.source)}") for one in group]
    width = max(map(len, names), default=0)
    for name, series in zip(names, group, strict=True):
        if not series.points:
            continue
        shown, last = series.points[-_SHOWN_POINTS:], series.points[-1]
        # On the scale of the intervals, so that noise looks like noise.
        bars = sparkline(
            [point.mean for point in shown], min(point.low for point in shown), max(point.high for point in shown)
        )
        runs = f"{len(series.points)} {'run' if len(series.points) == 1 else 'runs'}"
        level = f"{last.mean:.1%} [{last.low:.1%}, {last.high:.1%}]"
        shown_at = line(last.started_at[:10])
        yield f"  {name:<{width}}  {bars}  {level}, {cases(last.n)}, {shown_at}, {runs}"
        for point in series.points:
            told = [_CHANGED[what] for what in point.changed]
            if told:
                models = f" ({', '.join(point.resolved)})" if "model" in point.changed else ""
                yield "    " + line(f"{point.started_at[:10]} {point.run_id}: {'; '.join(told)}{models}")
        for step in series.steps:
            moved = f"{step.before:.1%} to {step.after:.1%}"
            yield "    " + line(f"{step.started_at[:10]} {step.run_id}: a step from about {moved}")
        if series.reused:
            yield f"    left out: {series.reused} runs that rest on the answers of an earlier one"


def _noise_text(noise: Noise) -> str:
    pairs = f"{noise.comparisons} A/A {'comparison' if noise.comparisons == 1 else 'comparisons'}"
    share = f"{noise.discordance:.1%} [{noise.low:.1%}, {noise.high:.1%}] of a case differs"
    more = "; runs differ by more than their cases explain" if noise.excess else ""
    return (
        f"noise of {noise.metric}{_label(noise.source)}: two runs of the same thing are {noise.floor * 100:.1f} points "
        f"or more apart in {1 - noise.confidence:.0%} of the times ({pairs}, {share}){more}"
    )


def _move_text(move: Move) -> str:
    who = f"the judge of {move.judge}" if move.judge else move.variant
    return (
        f"alias moved: {move.suite}, {who} ({move.requested}){_label(move.source)}: {', '.join(move.before)} → "
        f"{', '.join(move.now)}, first in run {move.run_id} of {move.started_at[:10]}"
    )


def _label(source: Any) -> str:
    word = SOURCE_LABELS.get(source)
    return f" [{word}]" if word else ""


def _cell(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return " ".join(map(str, value))
    return value.value if isinstance(value, Enum) else value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(entry) for entry in value]
    return value.value if isinstance(value, Enum) else value
