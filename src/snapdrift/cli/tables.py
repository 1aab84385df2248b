"""The texts of `check`, `plan`, `models` and `demo`: functions from a value to what is printed."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snapdrift.model import Sufficiency
    from snapdrift.openai_api.catalog import Catalog, ModelInfo
    from snapdrift.pipeline import Demo, SuitePlan
    from snapdrift.pipeline.planning import Explained
    from snapdrift.pipeline.prepare import Prepared

WIDTH = 110


def checked(prepared: Prepared) -> str:
    """One suite that is right: what it holds, and what its gate can see."""
    suite = prepared.suite
    graders = ", ".join(grader.name for grader in suite.graders)
    variants = len(prepared.variants)
    lines = [
        f"{suite.path}: ok",
        f"  {len(prepared.cases)} cases, {variants} variants, gate {prepared.gate.name}, graders {graders}",
        *(f"  warning: {text}" for text in suite.warnings),
        *_sight(prepared.sufficiency),
    ]
    return _joined(lines)


def explained(requests: Sequence[Explained]) -> str:
    """The exact bodies, each under its variant, with what Snapdrift added named."""
    lines = []
    for one in requests:
        added = f"  (added by snapdrift: {', '.join(one.added)})" if one.added else ""
        lines += [f"# {one.variant}: {one.endpoint}{added}", json.dumps(one.body, indent=2, ensure_ascii=False), ""]
    return _joined(lines)


def planned(plan: SuitePlan) -> str:
    """What a suite would ask and cost, and what it could show."""
    repeats = f" x {plan.repeats} repeats" if plan.repeats > 1 else ""
    head = f"{plan.suite} ({plan.path}, gate {plan.gate}): {plan.cases} cases{repeats}"
    rows = [
        [
            v.variant.name,
            v.variant.model,
            v.variant.endpoint.value,
            f"{v.calls:,}",
            f"{v.input_tokens:,}" if v.exact else f"~{v.input_tokens:,}",
            _usd(v.input_usd),
            _usd(v.worst_usd),
        ]
        for v in plan.variants
    ]
    columns = ["variant", "model", "endpoint", "calls", "tokens in", "cost of input", "cost at most"]
    table = _table(columns, {3, 4, 5, 6}, rows)
    lines = [head, table, f"  at most {_usd(plan.worst_usd)} for the answers; budget {_budget(plan.budget_usd)}"]
    if plan.judges:
        lines.append(
            f"  judges asked besides: {', '.join(plan.judges)} (once an answer; their cost depends on the answers)"
        )
    if not all(v.exact for v in plan.variants):
        lines.append(
            "  ~ is an estimate: schemas have no published token count, and text is counted with the extra `tokens`"
        )
    lines += [f"  warning: {text}" for text in plan.warnings]
    return _joined([*lines, *_sight(plan.sufficiency), ""])


def catalogue(catalog: Catalog) -> str:
    """The catalogue as a table, its sources below."""
    rows = []
    for info in catalog.models():
        price = info.price
        rows.append(
            [
                info.name,
                info.alias_of or "",
                "" if price is None else f"{price.input:g}",
                "" if price is None or price.cached is None else f"{price.cached:g}",
                "" if price is None else f"{price.output:g}",
                "" if info.context_window is None else f"{info.context_window:,}",
                "" if info.max_output is None else f"{info.max_output:,}",
                "" if info.shutdown is None else str(info.shutdown),
                info.replacement or "",
            ]
        )
    columns = ["model", "alias of", "in", "cached", "out", "context", "output cap", "shutdown", "replacement"]
    sources = dict.fromkeys(text for info in catalog.models() for text in _sources(info))
    head = "Prices in USD per 1,000,000 tokens; empty: not known. Override in snapdrift.toml under [models.NAME]."
    return _joined([head, _table(columns, {2, 3, 4, 5, 6}, rows), "Sources:", *(f"  {text}" for text in sources)])


def demonstrated(shown: Sequence[Demo]) -> str:
    """What each bundled suite was built to show, whether it did, and where its report is."""
    rows = []
    for one in shown:
        code = int(one.outcome.exit_code)
        found = f"{one.outcome.evaluation.decision.word.value}, exit {code}"
        rows.append([one.outcome.suite, one.shows, found, "as built" if not one.surprises else "NOT as built"])
    lines = ["", _table(["suite", "built to show", "simulated result", ""], set(), rows)]
    lines += [f"  {one.outcome.suite}: {text}" for one in shown for text in one.surprises]
    lines += ["Reports (simulated answers, no measurement of any model):"]
    lines += [f"  {one.outcome.reports.html}" for one in shown]
    return _joined(lines)


def _sight(entries: Iterable[Sufficiency]) -> list[str]:
    return [f"  {'' if entry.enough else 'INSUFFICIENT: '}{entry.detail}" for entry in entries]


def _sources(info: ModelInfo) -> list[str]:
    return [str(source) for source in info.sources.values()]


def _usd(amount: float | None) -> str:
    return "unknown" if amount is None else f"${amount:,.4f}" if amount < 1 else f"${amount:,.2f}"


def _budget(amount: float | None) -> str:
    return "none: a live run needs one" if amount is None else f"${amount:,.2f}"


def _table(headers: Sequence[str], right: set[int], rows: Iterable[Sequence[str]]) -> str:
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


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n"
