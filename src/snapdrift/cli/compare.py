"""`snapdrift compare`: compares and decides again from the store."""

from __future__ import annotations

from pathlib import Path

import typer

from snapdrift.cli import options as o


def compare(run: o.RunName, no_code: o.NoCode = False, json: o.Json = False, quiet: o.Quiet = False) -> None:
    """Compare and decide again from a run's stored scores. Nothing is asked, nothing is written.

    Examples:
      snapdrift compare latest
      snapdrift compare artefact/20261122-140305-8f3a.db --json
    """
    from snapdrift import pipeline
    from snapdrift.cli.printing import Printer

    with Printer(quiet=quiet, json=json) as printer:
        compared = pipeline.compare_run(run, pipeline.RunOptions(code=not no_code), Path.cwd())
        printer.view(compared.view)
    raise typer.Exit(compared.evaluation.decision.exit_code)
