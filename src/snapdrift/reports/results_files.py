"""Writes the table of results: `results.csv` (packed where it is large), and `results.parquet` where that can be."""

from __future__ import annotations

import gzip
import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path

from snapdrift.reports.files import whole_file
from snapdrift.reports.results import csv_lines, parquet_table
from snapdrift.reports.view import View

LARGE_CSV = 32 * 2**20
"""Bytes beyond which the CSV is compressed: answers stand in it once for each metric."""


@dataclass(frozen=True, slots=True)
class ResultsPaths:
    """Where the table is. `parquet` is None where pyarrow is not installed."""

    csv: Path
    parquet: Path | None


def write_results(view: View, folder: Path, large: int = LARGE_CSV) -> ResultsPaths:
    """Writes the table into a folder, which is made; what an earlier report left there in another form goes.

    A CSV of more than `large` bytes becomes `results.csv.gz`. Raises `OSError` with the path that cannot be written.
    """
    plain, packed, parquet = (folder / f"results.{kind}" for kind in ("csv", "csv.gz", "parquet"))
    with whole_file(plain) as draft:
        with draft.open("w", encoding="utf-8", newline="") as file:
            file.writelines(csv_lines(view))
        is_large = draft.stat().st_size > large
    if is_large:
        with whole_file(packed) as draft, plain.open("rb") as source, gzip.open(draft, "wb", 1) as file:
            shutil.copyfileobj(source, file)
    (plain if is_large else packed).unlink(missing_ok=True)
    return ResultsPaths(packed if is_large else plain, _write_parquet(view, parquet))


def _write_parquet(view: View, path: Path) -> Path | None:
    if importlib.util.find_spec("pyarrow") is None:
        path.unlink(missing_ok=True)
        return None
    from pyarrow import parquet

    with whole_file(path) as draft:
        parquet.write_table(parquet_table(view), draft, compression="zstd")
    return path
