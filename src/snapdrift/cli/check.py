"""`snapdrift check`: validates suites."""

from __future__ import annotations

import gc
from typing import Annotated

import typer

from snapdrift.cli import completion as c
from snapdrift.cli import options as o
from snapdrift.errors import UsageError


def check(
    suites: o.SuitePaths,
    gate: o.GateName = None,
    explain: Annotated[
        str | None,
        typer.Option(
            "--explain",
            help="Print the exact request body of this case for each variant, what Snapdrift added marked.",
            metavar="CASE",
            autocompletion=c.cases,
        ),
    ] = None,
    variant: o.Variants = None,
    no_code: o.NoCode = False,
    annotations: o.Annotations = "auto",
    baseline_ref: o.BaselineRef = None,
    changed: o.Changed = None,
    json: Annotated[bool, typer.Option("--json", help="With --explain: print the bodies whole, as JSON.")] = False,
) -> None:
    """Validate suites: every mistake with file, line and column. Nothing is sent.

    Without --gate every gate of a suite has to be able to tell, those for nights and releases too. What is accepted
    (evals/accepted.yaml) is held against the suites that it names.

    Examples:
      snapdrift check evals/*.yaml
      snapdrift check evals/ticket-triage.yaml --explain t-001
      snapdrift check evals/ticket-triage.yaml --explain t-001 --variant november --json
      snapdrift check evals/ticket-triage.yaml --explain t-001 --baseline-ref main
    """
    from snapdrift import pipeline
    from snapdrift.cli import explained, tables
    from snapdrift.cli.annotating import annotating

    if json and explain is None:
        raise UsageError("--json: found no --explain; expected it with --explain CASE, whose bodies it prints")
    options = pipeline.RunOptions(
        env=o.environment(),
        gate=gate,
        selection=pipeline.Selection(variants=tuple(variant or ())),
        code=not no_code,
        baseline_ref=baseline_ref,
        changed=changed,
        notice=o.tell,
        settled=lambda one: (o.tell if json else typer.echo)(one.text),
    )
    with annotating(annotations, o.environment(), suites) as annotator:
        if explain is not None:
            requests = pipeline.explain_case(suites, explain, options)
            typer.echo(explained.explained_json(requests) if json else explained.explained(requests), nl=False)
            return
        gc.disable()  # a short command: looking for cycles among all that it loads takes a tenth of its time
        accepted = pipeline.check_acceptances(suites, options)
        if accepted is not None:
            typer.echo(tables.checked_acceptances(accepted), nl=False)
            suites = pipeline.suites_only(suites)
        if not suites:
            return
        found = pipeline.check_each(suites, options, other_gates=gate is None and not variant)
        for one in found.right:
            typer.echo(tables.checked(one.prepared), nl=False)
            annotator.warnings(one.prepared.suite.path, one.prepared.suite.warnings)
            for other in one.others:
                typer.echo(tables.checked_gate(other), nl=False)
        found.require_right()
