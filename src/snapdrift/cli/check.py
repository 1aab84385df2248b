"""`snapdrift check`: validates suites."""

from __future__ import annotations

from typing import Annotated

import typer

from snapdrift.cli import options as o


def check(
    suites: o.SuitePaths,
    gate: o.GateName = None,
    explain: Annotated[
        str | None, typer.Option("--explain", help="Print the exact request body of this case.", metavar="CASE")
    ] = None,
    variant: o.Variants = None,
) -> None:
    """Validate suites: every mistake with file, line and column. Nothing is sent.

    Examples:
      snapdrift check evals/*.yaml
      snapdrift check evals/ticket-triage.yaml --explain t-001
    """
    from snapdrift import pipeline
    from snapdrift.cli import tables

    options = pipeline.RunOptions(gate=gate, selection=pipeline.Selection(variants=tuple(variant or ())))
    if explain is not None:
        typer.echo(tables.explained(pipeline.explain_case(suites, explain, options)), nl=False)
        return
    for prepared in pipeline.check_suites(suites, options):
        typer.echo(tables.checked(prepared), nl=False)
