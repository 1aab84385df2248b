"""`snapdrift export`: a run file to give away, or its answers and scores as a table."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snapdrift.cli import options as o

if TYPE_CHECKING:
    from snapdrift.pipeline.tabling import Tabled


def export(
    run: o.RunName,
    out: Annotated[Path, typer.Option("-o", "--output", "--out", help="The file to write; it must not be there yet.")],
    format: Annotated[  # noqa: A002  the option's name
        str | None,
        typer.Option(
            "--format",
            help="`db` (a run file), `csv`, `parquet` or `jsonl` (its answers with scores); default: by the name.",
            metavar="FORMAT",
        ),
    ] = None,
    rows: Annotated[
        str, typer.Option("--rows", help="Of a table: a row for each `score`, or for each `call`.", metavar="OF")
    ] = "score",
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
    cannot be resumed, graded, calibrated or merged. Without rules it is a whole copy.

    By `--format`, or by the file's name, the answers with their scores are written as a table instead.

    Examples:
      snapdrift export latest -o artefact/triage.db
      snapdrift export latest -o artefact/triage.db --redact answer --redact ticket
      snapdrift export latest -o triage.parquet
      snapdrift export latest -o calls.jsonl.gz --rows call
    """
    from snapdrift import pipeline
    from snapdrift.pipeline import tabling

    kind = tabling.format_of(out, format)
    if kind != tabling.RUN_FILE:
        table = tabling.TableRequest(kind, rows)
        tabled = tabling.export_table(run, out, table, redact or [], pipeline.RunOptions(), Path.cwd())
        typer.echo(_tabled(tabled, rows, as_json=json))
        return
    made = pipeline.export_run(run, out, redact or [], pipeline.RunOptions(), Path.cwd())
    if json:
        typer.echo(json_module.dumps({"run": made.run_id, "path": str(made.path), "redacted": list(made.redacted)}))
        return
    whole = "a whole copy, for no privacy rule takes anything out"
    gone = f"without {', '.join(made.redacted)}" if made.redacted else whole
    typer.echo(f"run {made.run_id} written to {made.path}: {gone}")


def _tabled(made: Tabled, row_of: str, *, as_json: bool) -> str:
    if as_json:
        told = {"run": made.run_id, "path": str(made.path), "rows": made.rows, "redacted": list(made.redacted)}
        return json_module.dumps(told)
    gone = f", without {', '.join(made.redacted)}" if made.redacted else ""
    return f"run {made.run_id} written to {made.path}: {made.rows:,} rows, one a {row_of}{gone}"
