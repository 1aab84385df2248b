"""The texts of `check` and `demo`, and what every text is made of: tables, amounts, what a gate can see."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snapdrift.conclusions import Sufficiency
    from snapdrift.pipeline import CheckedAcceptances, Demo, Migration
    from snapdrift.pipeline.prepare import Prepared
    from snapdrift.suites.resolved import Suite

WIDTH = 120


def checked(prepared: Prepared) -> str:
    """One suite that is right: what it holds, and what its gate can see."""
    from snapdrift.pipeline.allowance import host_obstacle
    from snapdrift.pipeline.references import reference_lines

    suite, obstacle = prepared.suite, host_obstacle(prepared)
    graders = ", ".join(grader.name for grader in suite.graders)
    asked, variants = len(prepared.cases), len(prepared.variants)
    held = f"{asked} case{'' if asked == 1 else 's'}, {variants} variant{'' if variants == 1 else 's'}"
    lines = [
        f"{suite.path}: ok{f', but {obstacle}' if obstacle else ''}",
        f"  {held}, gate {prepared.gate.name}, graders {graders}",
        *([f"  {_accepted(len(suite.accepted))} of this suite"] if suite.accepted else []),
        *(f"  warning: {text}" for text in suite.warnings),
        *sight(prepared.sufficiency),
        *(f"  {text}" for text in prepared.calibration),
        *(f"  {text}" for text in reference_lines(suite)),
        *([f"  {prepared.idle}"] if prepared.idle else []),
        *(f"  {name}: no `pass_at` says what passes, so cases are worse or better on it" for name in _scales(suite)),
    ]
    return joined(lines)


def _scales(suite: Suite) -> list[str]:
    """The judges' scales on which nothing passes or fails."""
    from snapdrift.pipeline.suite_graders import judges_of

    return [metric.name for grader in judges_of(suite) for metric in grader.metrics if not metric.has_pass_mark]


def checked_gate(prepared: Prepared) -> str:
    """Another gate of a suite that was told already: what it asks, and what it can see."""
    gate, asked = prepared.gate, len(prepared.cases)
    budget = prepared.suite.budget_for(gate.name)
    terms = [
        f"{asked} case{'' if asked == 1 else 's'}",
        *([f"{prepared.repeats} times each"] if prepared.repeats > 1 else []),
        f"policy {gate.policy.value}",
        *([f"budget {usd(budget)}"] if budget is not None else []),
        *(["nothing reused"] if gate.fresh else []),
    ]
    seen = [entry.detectable for entry in prepared.sufficiency]
    if seen and None not in seen:
        drop = max(share for share in seen if share is not None)
        terms.append(f"drops from {drop:.1%} of the scale are seen on every metric")
    return joined([f"  gate {gate.name}: {', '.join(terms)}"])


def checked_acceptances(found: CheckedAcceptances) -> str:
    """A file of acceptances that is right: how many there are, and when the first of them ends."""
    total = sum(found.suites.values())
    each = ", ".join(f"{number} of {suite}" for suite, number in found.suites.items())
    return joined(
        [f"{found.file}: ok", *([f"  {_accepted(total)} ({each}), the first until {found.first_end}"] if total else [])]
    )


def _accepted(number: int) -> str:
    return f"{number} acceptance{'' if number == 1 else 's'}"


def migrated(made: Migration) -> str:
    """A suite that was written to judge a replacement: whom it compares, what is other and why, what comes next."""
    right = f"written; {made.unknown}" if made.unknown else "written, and right"
    lines = [f"{made.path}: {right}: `{made.baseline}` against `{made.candidate}`"]
    rows = [
        [
            change.place,
            _short(change.before),
            _short(change.after, "null" if change.setting else "left out"),
            change.why,
        ]
        for change in made.changes
    ]
    if rows:
        lines.append(table(["changed", "from", "to", "because"], set(), rows))
    lines += [f"  note: {text}" for text in made.notes]
    lines += [f"Next: snapdrift check {made.path}, snapdrift plan {made.path}, snapdrift run {made.path}"]
    return joined(lines)


def _short(value: object, nothing: str = "") -> str:
    text = nothing if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def demonstrated(shown: Sequence[Demo]) -> str:
    """What each bundled suite was built to show, whether it did, and where its report is."""
    rows = []
    for one in shown:
        code = int(one.outcome.exit_code)
        found = f"{one.outcome.evaluation.decision.word.value}, exit {code}"
        rows.append([one.outcome.suite, one.shows, found, "as built" if not one.surprises else "NOT as built"])
    lines = ["", table(["suite", "built to show", "simulated result", ""], set(), rows)]
    lines += [f"  {one.outcome.suite}: {text}" for one in shown for text in one.surprises]
    lines += ["Reports (simulated answers, no measurement of any model):"]
    lines += [f"  {one.outcome.reports.html}" for one in shown]
    return joined(lines)


def sight(entries: Iterable[Sufficiency]) -> list[str]:
    """What a gate can see, a line for each comparison."""
    return [f"  {'' if entry.enough else 'INSUFFICIENT: '}{entry.detail}" for entry in entries]


def usd(amount: float | None) -> str:
    """An amount in dollars; one that is not known says so and is never zero."""
    return "unknown" if amount is None else f"${amount:,.4f}" if amount < 1 else f"${amount:,.2f}"


def table(headers: Sequence[str], right: set[int], rows: Iterable[Sequence[str]]) -> str:
    """A table of text; `right` are the numbers of the columns that hold figures."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for place, header in enumerate(headers):
        table.add_column(Text(header), justify="right" if place in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    out = io.StringIO()
    Console(file=out, width=WIDTH, color_system=None, highlight=False).print(table)
    return "\n".join(f"  {line.rstrip()}" for line in out.getvalue().splitlines())


def joined(lines: Sequence[str]) -> str:
    """Lines as a text that ends with a line end."""
    return "\n".join(lines) + "\n"
