"""`snapdrift compare`: compares and decides again from the store, one run or one run against another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snapdrift.cli import completion as c
from snapdrift.cli import options as o
from snapdrift.errors import UsageError

LaterRun = Annotated[
    str | None,
    typer.Argument(
        help="A later run of the same suite: its variants are judged against those of RUN, by its gate.",
        metavar="LATER",
        autocompletion=c.runs,
    ),
]
Baseline = Annotated[
    str | None,
    typer.Option(
        "--baseline",
        help="The variant of RUN to compare with (default: of each variant of LATER its namesake).",
        metavar="NAME",
        autocompletion=c.variants,
    ),
]
Candidates = Annotated[
    list[str] | None,
    typer.Option(
        "--candidate",
        help="Only this variant of LATER. Repeatable.",
        metavar="NAME",
        autocompletion=c.variants,
    ),
]


def compare(
    run: o.RunName,
    later: LaterRun = None,
    baseline: Baseline = None,
    candidate: Candidates = None,
    no_code: o.NoCode = False,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """Compare and decide again from stored scores: one run, or a later one against it. Nothing is asked or written.

    Examples:
      snapdrift compare latest
      snapdrift compare artefact/20261122-140305-8f3a.db --json
      snapdrift compare 20261122-140305-8f3a latest
      snapdrift compare 20261122-140305-8f3a latest --baseline august --candidate november
    """
    from snapdrift import pipeline
    from snapdrift.cli.printing import Printer

    with Printer(quiet=quiet, json=json) as printer:
        options = pipeline.RunOptions(code=not no_code, notice=printer.notice)
        if later is not None:
            sides = pipeline.Sides(baseline, tuple(candidate or ()))
            compared = pipeline.compare_with_run(run, later, sides, options, Path.cwd())
        elif baseline or candidate:
            name = "--baseline" if baseline else "--candidate"
            raise UsageError(f"{name} is for two runs; found one; expected `snapdrift compare RUN LATER {name} NAME`")
        else:
            compared = pipeline.compare_run(run, options, Path.cwd())
        printer.view(compared.view)
    raise typer.Exit(compared.evaluation.decision.exit_code)
