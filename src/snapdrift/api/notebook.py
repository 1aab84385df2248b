"""What a notebook shows of a run and of a suite: small, without scripts, and everything that is not ours escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from snapdrift.model import OUTSIDE
from snapdrift.reports import figures
from snapdrift.reports.escaping import line, shortened
from snapdrift.reports.words import VERDICT_SHAPES, badge, left_out, standing_note, verdict_word

if TYPE_CHECKING:
    from snapdrift.api.across import RunComparison
    from snapdrift.api.runs import Run
    from snapdrift.api.suites import Suite
    from snapdrift.conclusions import Comparison
    from snapdrift.model import Gate, MetricSpec, Pair
    from snapdrift.pipeline import Across
    from snapdrift.reports.view import View

ROWS = 50
"""Comparisons that are shown; the report has them all."""
_SENTENCE = 600
_REASONS = 5


def run_html(run: Run) -> str:
    """The decision, why, and the verdicts; where the report is."""
    view = run.view
    parts = [
        Markup("<div><p><strong>{}</strong> &nbsp;{}{}<br>{}</p>").format(
            _text(view.run.suite),
            _text(badge(view.decision)),
            _labels(run.labels),
            _text(view.headline),
        )
    ]
    others = [reason for reason in view.reasons if reason != view.headline]
    if others:
        parts.append(Markup("<ul>{}</ul>").format(_items(others[:_REASONS])))
    if run.compared_with:
        parts.append(Markup("<p>{}</p>").format(_text(" ".join(run.compared_with))))
    if view.comparisons:
        parts.append(table_html(("metric", "candidate", "baseline", "level", "difference", "verdict"), _rows(view)))
    if len(view.comparisons) > ROWS:
        parts.append(Markup("<p>and {} more, in the report</p>").format(len(view.comparisons) - ROWS))
    where = f"report: {run.report}" if run.report else "no report: `snapdrift report` writes it"
    parts.append(Markup("<p>run {} · {}</p></div>").format(_text(run.id), _text(where)))
    return str(Markup("").join(parts))


def suite_html(suite: Suite) -> str:
    """What the suite is, its variants, and what each gate asks."""
    resolved = suite.resolved
    head = Markup("<div><p><strong>{}</strong> {}</p>").format(_text(suite.name), _text(suite.description))
    variants = table_html(
        ("variant", "model", "endpoint"),
        ((one.name, one.model, one.endpoint.value) for one in list(resolved.variants.values())[:ROWS]),
    )
    gates = table_html(
        ("gate", "policy", "compares", "metrics"),
        (
            (
                gate.name,
                gate.policy.value,
                ", ".join(f"{pair.candidate} against {_baseline(gate, pair)}" for pair in gate.pairs),
                ", ".join(entry.metric for entry in gate.metrics),
            )
            for gate in list(resolved.gates.values())[:ROWS]
        ),
    )
    tail = Markup("<p>{} cases · {}</p></div>").format(len(resolved.cases), _text(suite.path))
    return str(head + variants + gates + tail)


def across_html(compared: RunComparison, across: Across) -> str:
    """The verdicts on the later run's variants, and what was left out."""
    specs = {metric.name: metric for metric in across.metrics}
    rows = (
        (c.metric, c.candidate, c.baseline, *_figures(specs[c.metric], c), _verdict(c, verdict_word(c)))
        for c in across.comparisons[:ROWS]
    )
    head = Markup("<div><p><strong>{}</strong> against {}{}</p>").format(
        _text(compared.later), _text(compared.earlier), _labels(compared.labels)
    )
    table = table_html(("metric", "candidate", "baseline", "level", "difference", "verdict"), rows)
    told = f"{across.paired} cases paired; {len(across.added)} added, {len(across.removed)} removed, "
    told += f"{len(across.changed)} changed: not compared"
    if across.regraded:
        told += f"; other graders now: {', '.join(across.regraded)}"
    return str(head + table + Markup("<p>{}</p></div>").format(_text(told)))


def table_html(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Markup:
    """A table of texts, each escaped."""
    cells = Markup("").join(Markup("<th>{}</th>").format(_text(name)) for name in head)
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(Markup("").join(Markup("<td>{}</td>").format(_text(cell)) for cell in row))
        for row in rows
    )
    return Markup("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(cells, body)


def _baseline(gate: Gate, pair: Pair) -> str:
    """The baseline of a pair: a variant, or the kept answers that the gate names."""
    kept = gate.outside
    if kept is None or pair.baseline != OUTSIDE:
        return pair.baseline
    return f"the archive {kept.archive}" if kept.archive else f"run {kept.run}"


def _rows(view: View) -> Iterable[Sequence[object]]:
    for row in view.comparisons[:ROWS]:
        c = row.comparison
        yield c.metric, c.candidate, c.baseline, *_figures(row.metric, c), _verdict(c, row.word)


def _verdict(c: Comparison, word: str) -> str:
    return " ".join(filter(None, (VERDICT_SHAPES[c.verdict], word, standing_note(c)))) + left_out(c)


def _labels(words: Iterable[str]) -> Markup:
    return Markup("").join(Markup(" <em>[{}]</em>").format(_text(word)) for word in words)


def _figures(metric: MetricSpec, c: Comparison) -> tuple[str, str]:
    """Levels, and the difference with its interval."""
    levels = f"{figures.side(metric, c.baseline_mean)} → {figures.side(metric, c.candidate_mean)}"
    change = f"{figures.difference(metric, c.difference)} {figures.difference_interval(metric, c.ci)}"
    return levels, change.strip()


def _items(texts: Iterable[str]) -> Markup:
    return Markup("").join(Markup("<li>{}</li>").format(_text(text)) for text in texts)


def _text(value: object) -> Markup:
    """On one line, bounded, with what acts spelled out, and escaped."""
    return escape(line(shortened(str(value), _SENTENCE)))
