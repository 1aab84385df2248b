"""Files that are imported, and those that they name: read inside one folder, of bounded size, never run."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snapdrift.errors import DocumentError, SnapdriftError
from snapdrift.importers.notes import Place
from snapdrift.suites.config import Config
from snapdrift.suites.document import Document, parse_document, parse_json
from snapdrift.suites.strict_json import loads_strictly
from snapdrift.suites.workspace import PathError, Workspace

MAX_BYTES = 64 * 2**20
"""Bytes of all files of one import together, but for tables of outputs, which are read as datasets are."""
MAX_FILES = 1_000
"""Files that one import reads."""
MAX_ROWS = 100_000
"""Rows of one table, and cases of one suite."""
FILE_PREFIX = "file://"
DATA_SUFFIXES = (".yaml", ".yml", ".json")


class SourceError(SnapdriftError):
    """A file that is imported, or one that it names, cannot be read; the text says which and why."""


@dataclass(slots=True)
class Source:
    """The folder that paths may not leave, the one that they are relative to, and how many bytes are read of it."""

    root: Path
    base: Path
    limit: int = MAX_BYTES
    _bytes: int = field(default=0)
    _files: int = field(default=0)

    @classmethod
    def of(cls, file: Path, workspace_root: Path | None) -> Source:
        """Where the files that `file` names may be: its folder, or the workspace that it is in."""
        base = file.resolve().parent
        inside = workspace_root is not None and base.is_relative_to(workspace_root)
        return cls(workspace_root if inside and workspace_root else base, base)

    def path(self, text: str, base: Path | None = None) -> Path:
        """The file that a path names. Raises `SourceError`."""
        written = text.removeprefix(FILE_PREFIX)
        target = Path(os.path.normpath((base or self.base) / written))
        if Path(written).is_absolute() or not target.is_relative_to(self.root):
            raise SourceError(f"{written} leads out of the folder {self.root.name}/, and is not read")
        try:
            return Workspace(self.root, Config()).resolve(target.relative_to(self.root).as_posix())
        except PathError as error:
            raise SourceError(str(error)) from None

    def matching(self, text: str) -> list[Path]:
        """The files that a path or a pattern (`tests/*.yaml`) names, by name. Raises `SourceError`."""
        written = text.removeprefix(FILE_PREFIX)
        if not any(sign in written for sign in "*?["):
            return [self.path(written)]
        if Path(written).is_absolute() or ".." in Path(written).parts:
            raise SourceError(f"the pattern {written} leads out of the folder, and is not read")
        found = sorted(path for path in self.base.glob(written) if path.is_file())[: MAX_FILES + 1]
        if not found:
            raise SourceError(f"no file matches {written}")
        return [self.path(path.relative_to(self.base).as_posix()) for path in found]

    def shown(self, path: Path) -> str:
        """How messages name a file."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.name

    def text(self, path: Path) -> str:
        """The text of a file. Raises `SourceError`."""
        shown = self.shown(path)
        try:
            with path.open("rb") as file:
                data = file.read(self.limit - self._bytes + 1)
        except OSError as error:
            raise SourceError(f"{shown} cannot be read ({error.strerror})") from None
        self._files += 1
        self._bytes += len(data)
        if self._bytes > self.limit or self._files > MAX_FILES:
            raise SourceError(f"{shown}: more than {self.limit // 2**20} MB or {MAX_FILES:,} files; import it in parts")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise SourceError(f"{shown} is not UTF-8 (line {line}); expected text in UTF-8") from None

    def document(self, path: Path) -> Document:
        """A YAML or JSON file with the places of its values. Raises `SourceError`."""
        text, shown = self.text(path), self.shown(path)
        try:
            # JSON is read as YAML, of which it is a part, so that its places are known; what YAML refuses, as JSON.
            return parse_document(text, shown)
        except DocumentError as error:
            told = str(error)
        if path.suffix.lower() == ".json":
            try:
                return parse_json(text, shown)
            except DocumentError as error:
                told = str(error)
        raise SourceError(told)

    def table(self, path: Path) -> list[Place]:
        """The rows of a CSV file as mappings, each with its line. Raises `SourceError`."""
        text, shown = self.text(path), self.shown(path)
        try:
            return list(_csv_rows(text, shown))
        except csv.Error as error:
            raise SourceError(f"{shown}: not CSV: {error}; expected quoted fields to be closed") from None

    def lines(self, path: Path) -> list[Place]:
        """The rows of a JSONL file, each with its line. Raises `SourceError`."""
        shown, rows = self.shown(path), []
        for number, line in enumerate(self.text(path).splitlines(), start=1):
            if not line.strip():
                continue
            try:
                rows.append(Place.of_row(shown, number, loads_strictly(line)))
            except (ValueError, RecursionError) as error:
                raise SourceError(f"{shown}:{number}: not JSON: {error}; expected one JSON object a line") from None
            if len(rows) > MAX_ROWS:
                raise SourceError(f"{shown}: more than {MAX_ROWS:,} rows; import it in parts")
        return rows

    def rows(self, path: Path) -> list[Place]:
        """The rows of a CSV, JSONL, YAML or JSON file. Raises `SourceError`."""
        suffix = path.suffix.lower()
        if suffix == ".csv":
            return self.table(path)
        if suffix == ".jsonl":
            return self.lines(path)
        if suffix in DATA_SUFFIXES:
            return list(Place(self.document(path)).each())
        raise SourceError(f"{self.shown(path)} is of no format that is read; expected CSV, JSONL, YAML or JSON")


def _csv_rows(text: str, shown: str) -> Iterator[Place]:
    # The separator is the comma, unless the first line has none and a semicolon or tab instead.
    head = text.partition("\n")[0]
    delimiter = next((sign for sign in ",;\t" if sign in head), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header = [name.strip() for name in next(reader, [])]
    line = reader.line_num + 1
    for number, cells in enumerate(reader):
        if number >= MAX_ROWS:
            raise SourceError(f"{shown}: more than {MAX_ROWS:,} rows; import it in parts")
        if cells and len(cells) > len(header):
            raise SourceError(f"{shown}:{line}: {len(cells)} fields; expected {len(header)}, as in the header")
        if any(cells):
            padded: list[Any] = [*cells, *[""] * (len(header) - len(cells))]
            yield Place.of_row(shown, line, dict(zip(header, padded, strict=True)))
        line = reader.line_num + 1
