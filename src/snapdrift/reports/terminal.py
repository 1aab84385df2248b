"""The summary that ends a run in a terminal: the report's words, as text."""

from __future__ import annotations

import io
from collections.abc import Container, Iterable, Iterator

from snapdrift.model import DecisionWord, Verdict
from snapdrift.reports import figures
from snapdrift.reports.case_views import CaseGroup
from snapdrift.reports.confusions import confusion_lines
from snapdrift.reports.escaping import line
from snapdrift.reports.explanations import WORSE
from snapdrift.reports.kept_baseline import ARCHIVED, EARLIER
from snapdrift.reports.labels import STOPPED_EARLY
from snapdrift.reports.operations import operational_lines
from snapdrift.reports.reuse import REUSED
from snapdrift.reports.scales import group_words
from snapdrift.reports.view import View
from snapdrift.reports.words import (
    VERDICT_SHAPES,
    accepted_lines,
    badge,
    batch_sentence,
    cached_sentence,
    cost_text,
    interval_note,
    left_out,
    standing_note,
)
from snapdrift.verdicts.asides import votes_sentence

_DECISION_STYLES = {DecisionWord.PASSED: "bold blue", DecisionWord.REGRESSION: "bold dark_orange"}
_VERDICT_STYLES = {
    Verdict.REGRESSED: "dark_orange",
    Verdict.WORSE_WITHIN_MARGIN: "dark_orange",
    Verdict.IMPROVED: "blue",
    Verdict.NO_WORSE: "blue",
}

_ACCEPTED = 10
_CASES = 20
_NOTES = 6
"""How many notes are told; a terminal scrolls, and the report has them all."""


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
    for text in _opening(view):
        console.print(Text(line(text)))
    if view.comparisons:
        baselines = ", ".join(dict.fromkeys(row.comparison.baseline for row in view.comparisons))
        sides = " ".join(filter(None, (line(_only_candidate(view)), f"against {line(baselines)}")))
        console.print(Text(f"\n{sides}", "bold"))
        console.print(_comparison_table(view))
        for note in (_unasked_note(view), interval_note(view)):
            if note:
                console.print(Text(note))
    for paragraph in (view.claims.short, operational_lines(view), confusion_lines(view)):
        if paragraph:
            console.print(Text("\n" + "\n".join(map(line, paragraph))))
    console.print()
    console.print(_variant_table(view))
    for sentence in (cached_sentence(view), batch_sentence(view)):
        if sentence:
            console.print(Text(line(sentence)))
    return "\n".join(text.rstrip() for text in out.getvalue().splitlines()) + "\n"


def _opening(view: View) -> Iterator[str]:
    """What is said before the tables: the decision, its reasons, why metrics moved, and what else to know."""
    changes = (text for _, text in view.change_sentences)
    yield from dict.fromkeys((view.headline, *view.reasons, *changes, *view.resolutions))
    yield from (f"baseline: {sentence}" for sentence in view.reference_sentences)
    yield from _newly_failing(view)
    told = (STOPPED_EARLY, REUSED, ARCHIVED, EARLIER)
    yield from (f"{label.word}: {label.meaning}" for label in view.labels if label.word.startswith(told))
    yield from (f"why: {one.sentence}" for one in view.explanations if one.row.comparison.verdict in WORSE)
    yield from (f"unanswered: {failure}" for failure in view.failures)
    yield from (f"not graded: {why}" for why in view.ungraded)
    yield from (f"note: {note}" for note in view.notes[:_NOTES])
    if len(view.notes) > _NOTES:
        hidden = len(view.notes) - _NOTES
        yield f"and {hidden} more note{'' if hidden == 1 else 's'} in the report"
    accepted = accepted_lines(view.acceptances)
    yield from (f"accepted: {text}" for text in accepted[:_ACCEPTED])
    if len(accepted) > _ACCEPTED:
        yield f"and {len(accepted) - _ACCEPTED} more accepted losses in the report"
    yield from (f"parity: {parity.sentence}" for parity in view.parity)
    yield from (f"control: {figures.typeset(control.sentence)}" for control in view.controls)
    yield from _judging(view)


def _newly_failing(view: View) -> Iterator[str]:
    """Which cases a changed prompt fails: whoever changed it looks there next."""
    ids = [one.id for one in view.changed if one.group is CaseGroup.NEWLY_FAILING] if view.reference else []
    if ids:
        more = f" and {len(ids) - _CASES} more" if len(ids) > _CASES else ""
        yield f"{group_words(view.metrics)[CaseGroup.NEWLY_FAILING]}: {', '.join(ids[:_CASES])}{more}"


def _judging(view: View) -> Iterator[str]:
    """What is known of judges, beyond that nobody measured them, and where review labels disagree with scores."""
    for one in view.calibrations:
        if one.calibration.told:
            yield f"judge: {figures.typeset(one.sentence)}"
            yield from (f"judge: {note}." for note in one.calibration.notes)
    yield from (
        f"votes: {figures.typeset(votes_sentence(one))}" for one in view.evaluation.gradings.votes if one.is_head
    )
    yield from (f"labels: {review}" for review in view.reviews)
    yield from (f"orders: {figures.typeset(one.sentence)}" for one in view.orders)


_UNASKED = "*"
"""Marks a verdict that no margin is asked of."""


def _unasked_note(view: View) -> str:
    unasked = any(row.comparison.margin is None for row in view.comparisons)
    return f"{_UNASKED} no margin is asked: shown for reading" if unasked else ""


def _only_candidate(view: View) -> str:
    """The candidate where there is one: it needs no column; else nothing."""
    candidates = {row.comparison.candidate for row in view.comparisons}
    return candidates.pop() if len(candidates) == 1 else ""


def _comparison_table(view: View) -> object:
    rows = []
    named = [] if _only_candidate(view) else ["candidate"]
    for row in view.comparisons:
        c = row.comparison
        levels = f"{figures.side(row.metric, c.baseline_mean)} → {figures.side(row.metric, c.candidate_mean)}"
        change = f"{figures.difference(row.metric, c.difference)} {figures.difference_interval(row.metric, c.ci)}"
        verdict = f"{VERDICT_SHAPES[c.verdict]} {row.word}"
        style = _VERDICT_STYLES.get(c.verdict, "")
        standing = _UNASKED if c.margin is None else standing_note(c)
        verdict = " ".join(filter(None, (verdict, standing))) + left_out(c)
        who = [c.candidate] if named else []
        rows.append(([c.metric, *who, levels, change.strip(), verdict], style))
    figures_at = {1 + len(named), 2 + len(named)}
    return _table(["metric", *named, "level", "difference", "verdict"], figures_at, rows, whole=figures_at)


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


def _table(
    headers: list[str], right: set[int], rows: Iterable[tuple[list[str], str]], *, whole: Container[int] = ()
) -> object:
    """`right` are the columns that stand to the right, `whole` those never folded: an interval is one thing."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
    for place, header in enumerate(headers):
        table.add_column(
            Text(header), justify="right" if place in right else "left", overflow="fold", no_wrap=place in whole
        )
    for cells, style in rows:
        table.add_row(*(Text(line(cell)) for cell in cells), style=style)
    return table
