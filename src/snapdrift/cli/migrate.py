"""`snapdrift migrate`: the suite that judges a replacement."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snapdrift.cli import options as o


def migrate(
    suite: Annotated[Path, typer.Argument(help="The suite file of the model that is to be replaced.", metavar="SUITE")],
    to: Annotated[str, typer.Option("--to", help="The model that is to replace it.", metavar="MODEL")],
    of: Annotated[
        str | None,
        typer.Option("--from", help="The variant that is replaced (default: the gate's baseline).", metavar="VARIANT"),
    ] = None,
    gate: o.GateName = None,
    out: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file to write (default: beside the suite).", metavar="FILE"),
    ] = None,
    no_code: o.NoCode = False,
) -> None:
    """Write the suite that judges a replacement: the old model as it is, the new one, and a gate that takes proof.

    Settings that the new model does not take are set to null; each change is listed with its reason. Nothing is sent.

    Examples:
      snapdrift migrate evals/ticket-triage.yaml --to gpt-6-luna
      snapdrift migrate evals/ticket-triage.yaml --to gpt-6-luna --from november -o evals/to-luna.yaml
    """
    from snapdrift import pipeline
    from snapdrift.cli import tables

    made = pipeline.migrate_suite(suite, to, pipeline.RunOptions(gate=gate, code=not no_code), of=of, out=out)
    typer.echo(tables.migrated(made), nl=False)
