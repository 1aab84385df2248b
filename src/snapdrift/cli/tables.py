"""The texts of `check` and `demo`, and what every text is made of: tables, amounts, what a gate can see."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snapdrift.conclusions import Sufficiency
    from snapdrift.pipeline import Demo
    from snapdrift.pipeline.prepare import Prepared

WIDTH = 120


def checked(prepared: Prepared) -> str:
    """One suite that is right: what it holds, and what its gate can see."""
    from snapdrift.pipeline.references import reference_lines

    suite = prepared.suite
    graders = ", ".join(grader.name for grader in suite.graders)
    variants = len(prepared.variants)
    lines = [
        f"{suite.path}: ok",
        f"  {len(prepared.cases)} cases, {variants} variants, gate {prepared.gate.name}, graders {graders}",
        *(f"  warning: {text}" for text in suite.warnings),
        *sight(prepared.sufficiency),
        *(f"  {text}" for text in prepared.calibration),
        *(f"  {text}" for text in reference_lines(suite)),
        *([f"  {prepared.idle}"] if prepared.idle else []),
    ]
    return joined(lines)


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
