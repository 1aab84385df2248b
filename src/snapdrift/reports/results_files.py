"""Writes the table of results: `results.csv` (packed where it is large), and `results.parquet` where that can be."""

from __future__ import annotations

import gzip
import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from snapdrift.reports.case_views import CaseView
from snapdrift.reports.files import Drafts, named
from snapdrift.reports.results import HEAD, Answered, Rows, csv_lines
from snapdrift.reports.view import View

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetWriter

    from snapdrift.reports.results_parquet import Batch

LARGE_CSV = 32 * 2**20
"""Bytes beyond which the CSV is compressed: answers stand in it once for each metric."""


@dataclass(frozen=True, slots=True)
class ResultsPaths:
    """Where the table is. `parquet` is None where pyarrow is not installed."""

    csv: Path
    parquet: Path | None


class ResultsWriter:
    """Writes the rows of one case after the other to drafts in a folder.

    Methods raise `OSError` with the path that cannot be written.
    """

    def __init__(self, view: View, folder: Path, drafts: Drafts, large: int = LARGE_CSV) -> None:
        """A CSV of more than `large` bytes becomes `results.csv.gz`."""
        self._rows = Rows(view)
        self._drafts = drafts
        self._large = large
        self._plain, self._packed = folder / "results.csv", folder / "results.csv.gz"
        self._draft = drafts.begin(self._plain)
        self._csv: IO[str] = self._draft.open("w", encoding="utf-8", newline="")
        self._csv.write(HEAD)
        self._parquet_path = folder / "results.parquet"
        there = importlib.util.find_spec("pyarrow") is not None
        self._parquet = ParquetFile(drafts.begin(self._parquet_path), self._parquet_path) if there else None

    def add(self, case: CaseView) -> None:
        """Writes the rows of the next case."""
        with named(self._plain):
            for one in self._rows.of(case):
                self._csv.write(csv_lines(one))
                if self._parquet is not None:
                    self._parquet.add(one)

    def end(self) -> ResultsPaths:
        """Ends the drafts; what an earlier report left in another form goes when they take their places."""
        with named(self._plain):
            self._csv.close()
            is_large = self._draft.stat().st_size > self._large
        if is_large:
            packed = self._drafts.begin(self._packed)
            with named(self._packed), self._draft.open("rb") as source, gzip.open(packed, "wb", 1) as file:
                shutil.copyfileobj(source, file)
            self._drafts.discard(self._plain)
        self._drafts.removes(self._plain if is_large else self._packed)
        if self._parquet is None:
            self._drafts.removes(self._parquet_path)
        else:
            self._parquet.end()
        csv = self._packed if is_large else self._plain
        return ResultsPaths(csv, None if self._parquet is None else self._parquet_path)

    def close(self) -> None:
        """Lets go of the drafts' files."""
        self._csv.close()
        if self._parquet is not None:
            self._parquet.close()


class ParquetFile:
    """A Parquet file of the table that is written group by group; methods raise `OSError` with `path`."""

    def __init__(self, draft: Path, path: Path) -> None:
        from snapdrift.reports.results_parquet import Batch

        self._draft = draft
        self._path = path
        self._batch: Batch = Batch()
        self._writer: ParquetWriter | None = None

    def add(self, one: Answered) -> None:
        """Adds the rows of a planned call."""
        from snapdrift.reports.results_parquet import Batch

        self._batch.add(one)
        if self._batch.is_full:
            self._write()
            self._batch = Batch()

    def end(self) -> None:
        """Writes what is left and ends the file."""
        if len(self._batch) or self._writer is None:
            self._write()
        with named(self._path):
            self.close()

    def close(self) -> None:
        """Lets go of the file."""
        if self._writer is not None:
            self._writer.close()

    def _write(self) -> None:
        from pyarrow import parquet

        with named(self._path):
            table: Any = self._batch.table()
            if self._writer is None:
                self._writer = parquet.ParquetWriter(self._draft, table.schema, compression="zstd")
            self._writer.write_table(table)


def write_results(view: View, folder: Path, large: int = LARGE_CSV) -> ResultsPaths:
    """Writes the table into a folder, which is made; what an earlier report left there in another form goes.

    A CSV of more than `large` bytes becomes `results.csv.gz`. Raises `OSError` with the path that cannot be written.
    """
    with Drafts() as drafts:
        writer = ResultsWriter(view, folder, drafts, large)
        try:
            for case in view.cases:
                writer.add(case)
            paths = writer.end()
        finally:
            writer.close()
        drafts.place()
    return paths
