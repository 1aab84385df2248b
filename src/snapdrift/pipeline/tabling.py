"""`export --format`: the answers of a run with their scores, as a table for other programs."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from snapdrift.errors import StoreError, UsageError
from snapdrift.pipeline.concluding import load_stored_suite, require_finished, stored_data
from snapdrift.pipeline.exporting import rules_of
from snapdrift.pipeline.options import RunOptions
from snapdrift.pipeline.run_files import locate_run
from snapdrift.store import open_run
from snapdrift.suites.wording import quoted

RUN_FILE = "db"
_SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet", ".db": RUN_FILE}
_ZIPPED = (".csv", ".jsonl", ".ndjson")
FORMATS = (RUN_FILE, "csv", "parquet", "jsonl")
ROWS = ("score", "call")


@dataclass(frozen=True, slots=True)
class TableRequest:
    """A table that is wanted: what the file is (`csv`, `parquet`, `jsonl`), and what a row is of (`score`, `call`)."""

    format: str
    rows: str = "score"


@dataclass(frozen=True, slots=True)
class Tabled:
    """Where a table is, its number of rows, and what was taken out of it."""

    run_id: str
    path: Path
    rows: int
    redacted: tuple[str, ...]


def format_of(out: Path, written: str | None) -> str:
    """What a file is to be: as asked for, else by its name. Raises `UsageError` for a name that does not say it.

    A whole run file, with every prompt in it, is never what a slip in a name comes to.
    """
    if written is not None:
        if written not in FORMATS:
            raise UsageError(f"--format: found {written!r}; expected one of {', '.join(FORMATS)}")
        return written
    name = out.name.lower()
    bare = name.removesuffix(".gz")
    suffix = next((suffix for suffix in _SUFFIXES if bare.endswith(suffix)), None)
    if suffix is None or (bare != name and suffix not in _ZIPPED):
        expected = "expected .csv, .parquet, .jsonl (.csv.gz, .jsonl.gz) or .db, or say which with --format"
        raise UsageError(f"-o {out}: found {_ending(name)}; {expected}")
    return _SUFFIXES[suffix]


def _ending(name: str) -> str:
    """How a file's name ends, for a message."""
    return f"a name that ends in {quoted(''.join(Path(name).suffixes[-2:]))}" if Path(name).suffix else "no ending"


def export_table(
    text: str, out: Path, table: TableRequest, redact: Sequence[str], options: RunOptions, cwd: Path
) -> Tabled:
    """Writes the answers of a finished run with their scores, redacted as its reports are and by `redact` besides.

    Raises `StoreError` for a run that is under way and a file that is there already, `UsageError` for a name that means
    nothing and for Parquet without pyarrow.
    """
    from snapdrift.reports import build_view
    from snapdrift.reports.results_exports import RowOf, TableFormat, write_table

    if table.rows not in ROWS:
        raise UsageError(f"--rows: found {table.rows!r}; expected one of {', '.join(ROWS)}")
    if table.format == "parquet" and importlib.util.find_spec("pyarrow") is None:
        raise UsageError("--format parquet: needs pyarrow; install the extra: pip install 'snapdrift[parquet]'")
    if out.exists():
        raise StoreError(f"{out}: there is a file already; name another, or remove it")
    workspace, path = locate_run(text, options, cwd)
    with open_run(path) as stored:
        require_finished(stored)
        suite, catalog = load_stored_suite(stored, workspace, code=options.code)
        rules = rules_of(stored, stored.cases(), redact)
        view = build_view(stored_data(stored, replace(suite, privacy=rules), catalog))
        try:
            rows = write_table(view, out, TableFormat(table.format), RowOf(table.rows))
        except OSError as error:
            raise StoreError(f"{error.filename or out}: cannot be written ({error.strerror})") from None
        return Tabled(stored.header.run_id, out, rows, view.redacted)
