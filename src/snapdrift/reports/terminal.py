"""The summary that ends a run in a terminal: the report's words, as text."""

from __future__ import annotations

import io
from collections.abc import Iterable

from snapdrift.model import DecisionWord, Verdict
from snapdrift.reports import figures
from snapdrift.reports.escaping import line
from snapdrift.reports.labels import STOPPED_EARLY
from snapdrift.reports.view import View
from snapdrift.reports.words import VERDICT_SHAPES, badge, batch_sentence, cached_sentence, cost_text

_DECISION_STYLES = {DecisionWord.PASSED: "bold blue", DecisionWord.REGRESSION: "bold dark_orange"}
_VERDICT_STYLES = {
    Verdict.REGRESSED: "dark_orange",
    Verdict.WORSE_WITHIN_MARGIN: "dark_orange",
    Verdict.IMPROVED: "blue",
    Verdict.NO_WORSE: "blue",
}


def render_line(view: View) -> str:
    """The decision on one line: suite, word, labels and headline."""
    labels = "".join(f" [{label.word}]" for label in view.labels)
    return line(f"{view.run.suite}: {view.decision.word.value}{labels}: {view.headline}")


def render_terminal(view: View, *, width: int = 100, color: bool = False) -> str:
    """The decision, the comparisons and the variants as text; with `color`, with ANSI styles.

    What comes from a suite or a model is printed as it is: markup and control sequences in it do nothing.
    """
    from rich.console import Console
    from rich.text import Text

    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=color,
        color_system="256" if color else None,
        highlight=False,
        legacy_windows=False,
    )
    title = Text(line(view.run.suite), style="bold")
    title.append(f"  {badge(view.decision).upper()}", _DECISION_STYLES.get(view.decision.word, "bold"))
    for label in view.labels:
        title.append(f"  [{label.word}]", "italic")
    console.print(title)
    sentences = [view.headline, *(text for _, text in view.change_sentences), *view.resolutions]
    sentences += view.reasons
    for sentence in dict.fromkeys(sentences):
        console.print(Text(line(sentence)))
    for label in view.labels:
        if label.word == STOPPED_EARLY:
            console.print(Text(f"{label.word}: {line(label.meaning)}"))
    for failure in view.failures:
        console.print(Text(f"unanswered: {line(failure)}"))
    for note in view.notes:
        console.print(Text(f"note: {line(note)}"))
    for parity in view.parity:
        console.print(Text(f"parity: {line(parity.sentence)}"))
    for control in view.controls:
        console.print(Text(f"control: {line(figures.typeset(control.sentence))}"))
    if view.comparisons:
        baselines = ", ".join(dict.fromkeys(row.comparison.baseline for row in view.comparisons))
        console.print(Text(f"\nagainst {line(baselines)}", "bold"))
        console.print(_comparison_table(view))
        console.print()
    console.print(_variant_table(view))
    for sentence in (cached_sentence(view), batch_sentence(view)):
        if sentence:
            console.print(Text(line(sentence)))
    return "\n".join(text.rstrip() for text in out.getvalue().splitlines()) + "\n"


def _comparison_table(view: View) -> object:
    rows = []
    for row in view.comparisons:
        c = row.comparison
        levels = f"{figures.level(row.metric, c.baseline_mean)} → {figures.level(row.metric, c.candidate_mean)}"
        change = f"{figures.difference(row.metric, c.difference)} {figures.difference_interval(row.metric, c.ci)}"
        verdict = f"{VERDICT_SHAPES[c.verdict]} {row.word}"
        style = _VERDICT_STYLES.get(c.verdict, "")
        rows.append(([c.metric, c.candidate, levels, change.strip(), verdict], style))
    return _table(["metric", "candidate", "level", "difference", "verdict"], {2, 3}, rows)


def _variant_table(view: View) -> object:
    rows = []
    streamed = any(v.summary.first_token_p50 is not None for v in view.variants)
    for v in view.variants:
        s = v.summary
        ways = [f"({', '.join(v.badges)})"] if v.badges else []
        name = " ".join([s.name, *ways, *([f"[{v.label}]"] if v.label else [])])
        latency = f"{figures.seconds(s.latency_p50)} / {figures.seconds(s.latency_p95)}"
        outcomes = ", ".join(f"{number} {outcome}" for outcome, number in s.outcomes.items() if number)
        cells = [name, figures.percent(s.coverage), outcomes, cost_text(v), latency]
        cells += [figures.seconds(s.first_token_p50)] if streamed else []
        told = s.usage.output_tokens or s.endpoint.over_http
        rows.append(([*cells, figures.count(s.usage.output_tokens) if told else figures.NONE], ""))
    headers = ["variant", "coverage", "outcomes", "cost", "p50 / p95"]
    headers += ["first token"] if streamed else []
    headers += ["tokens out"]
    return _table(headers, {1, *range(3, len(headers))}, rows)


def _table(headers: list[str], right: set[int], rows: Iterable[tuple[list[str], str]]) -> object:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
    for place, header in enumerate(headers):
        table.add_column(Text(header), justify="right" if place in right else "left", overflow="fold")
    for cells, style in rows:
        table.add_row(*(Text(line(cell)) for cell in cells), style=style)
    return table
