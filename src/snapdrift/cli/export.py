"""`snapdrift export`: a run file to give away."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated

import typer

from snapdrift.cli import options as o


def export(
    run: o.RunName,
    out: Annotated[Path, typer.Option("-o", "--output", help="The run file to write; it must not be there yet.")],
    redact: Annotated[
        list[str] | None,
        typer.Option(
            "--redact", help="Also take out this column, or `answer`, `expected`, `prompt`. Repeatable.", metavar="NAME"
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Write a finished run to another file, without what the suite's `privacy` takes out: for an artefact, say.

    What is taken out is not in the file in any form. It can be reported and compared, with the same verdict; it
    cannot be resumed, graded or calibrated. Without rules it is a whole copy.

    Examples:
      snapdrift export latest -o artefact/triage.db
      snapdrift export latest -o artefact/triage.db --redact answer --redact ticket
    """
    from snapdrift import pipeline

    made = pipeline.export_run(run, out, redact or [], pipeline.RunOptions(), Path.cwd())
    if json:
        typer.echo(json_module.dumps({"run": made.run_id, "path": str(made.path), "redacted": list(made.redacted)}))
        return
    whole = "a whole copy, for no privacy rule takes anything out"
    gone = f"without {', '.join(made.redacted)}" if made.redacted else whole
    typer.echo(f"run {made.run_id} written to {made.path}: {gone}")
