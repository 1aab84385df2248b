"""Dataset files: JSONL (.gz), CSV, YAML and Parquet, read as cases with the line of every mistake."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snapdrift.errors import DatasetError, DocumentError, Problem
from snapdrift.model import Case, canonical_json
from snapdrift.suites.document import parse_document
from snapdrift.suites.row_mistakes import RowMistakes, told_briefly
from snapdrift.suites.rows import CasesRead, Row, read_cases, rows_of_document
from snapdrift.suites.strict_json import loads_strictly
from snapdrift.suites.wording import did_you_mean, quoted

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

MAX_BYTES = 256 * 2**20
"""The largest dataset, after decompression."""
MAX_ROWS = 1_000_000
"""Rows of a dataset: short ones take far more memory as cases than as bytes."""
MAX_COLUMNS = 10_000
"""Columns of CSV, which is read as a mapping a row."""
MAX_YAML_BYTES = 16 * 2**20
"""YAML is read whole, with a position for every value."""
_PARQUET_BATCH = 256
"""Rows of Parquet that are unpacked at a time."""
FORMATS = (".jsonl", ".jsonl.gz", ".csv", ".yaml", ".yml", ".parquet")


def load_cases(path: Path, shown: str) -> Sequence[Case]:
    """The cases of a dataset file, in its order; `shown` is its name in messages.

    Raises `DatasetError` with the mistakes and their lines.
    """
    read = read_dataset(path, shown)
    if read.problems:
        raise DatasetError(read.problems)
    return read.cases


def read_dataset(path: Path, shown: str) -> CasesRead:
    """The same, with the rows that are right beside the mistakes; raises `DatasetError` when there are no rows."""
    return read_cases(_each_row(path, shown), shown)


def read_rows(path: Path, shown: str) -> list[Row]:
    """The rows of a file of one of `FORMATS`, nothing checked but its form. Raises `DatasetError`."""
    return list(_each_row(path, shown))


def _each_row(path: Path, shown: str) -> Iterable[Row]:
    """The same; of JSONL one at a time, and what is wrong with its form is raised when all have been read."""
    name = path.name.lower()
    if name.endswith((".jsonl", ".jsonl.gz")):
        return _jsonl_rows(_bytes(path, shown, MAX_BYTES), shown)
    if name.endswith(".csv"):
        return _csv_rows(_text(_bytes(path, shown, MAX_BYTES), shown), shown)
    if name.endswith((".yaml", ".yml")):
        return _yaml_rows(_text(_bytes(path, shown, MAX_YAML_BYTES), shown), shown)
    if name.endswith(".parquet"):
        return _parquet_rows(path, shown)
    raise _wrong(shown, "a file of unknown format", f"expected one of {', '.join(FORMATS)}")


def dataset_hash(cases: Iterable[Case]) -> str:
    """Identity of the cases whatever their order or file format."""
    kept = cases if isinstance(cases, Sequence) else tuple(cases)
    ids = [case.id for case in kept]
    hashed = hashlib.sha256(b"[")
    for number, place in enumerate(sorted(range(len(ids)), key=ids.__getitem__)):
        # As `model.sha256` of the list of them, whose text a large dataset is not written out as.
        text = canonical_json(_identity(kept[place]))
        hashed.update(f"{',' if number else ''}{text}".encode("utf-8", "surrogatepass"))
    hashed.update(b"]")
    return hashed.hexdigest()


def _identity(case: Case) -> list[Any]:
    results = [] if case.tool_results is None else [dict(case.tool_results)]
    return [case.id, dict(case.variables), case.expected, list(case.tags), case.cluster, *results]


def _wrong(file: str, found: str, expected: str, line: int = 0, column: int = 0) -> DatasetError:
    return DatasetError([Problem(file, line, column, "", found, expected)])


def _too_many_rows(shown: str) -> DatasetError:
    return _wrong(shown, f"more than {MAX_ROWS:,} rows", "expected a smaller dataset")


def _bytes(path: Path, shown: str, limit: int) -> bytes:
    compressed = path.name.lower().endswith(".gz")
    try:
        with gzip.open(path) if compressed else path.open("rb") as file:
            data: bytes = file.read(limit + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _wrong(shown, f"not gzip: {error}", "expected a complete gzip file") from None
    except OSError as error:
        raise _wrong(shown, f"cannot be read ({error.strerror})", "expected a readable file") from None
    if len(data) > limit:
        raise _wrong(shown, f"more than {limit // 2**20} MB", "expected a smaller dataset")
    return data


def _text(data: bytes, shown: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError([_not_utf8(data, shown, error)]) from None


def _not_utf8(data: bytes, shown: str, error: UnicodeDecodeError, line: int = 0) -> Problem:
    line = line or data.count(b"\n", 0, error.start) + 1
    column = error.start - data.rfind(b"\n", 0, error.start)
    found = f"the byte 0x{data[error.start]:02X}, which is not UTF-8"
    return Problem(shown, line, column, "", found, "expected text in UTF-8")


# ------------------------------------------------------------------------------------------------------- JSONL and YAML


def _jsonl_rows(data: bytes, shown: str) -> Iterator[Row]:
    mistakes = RowMistakes()
    number_of_rows = 0
    for number, line in enumerate(io.BytesIO(data.removeprefix(b"\xef\xbb\xbf")), start=1):
        if not line.strip():
            continue
        row = _jsonl_row(line.removesuffix(b"\n"), number, shown)
        if number_of_rows >= MAX_ROWS:
            raise _too_many_rows(shown)
        number_of_rows += 1
        if isinstance(row, Row):
            if not mistakes:
                yield row
        else:
            mistakes.add([row])
    if mistakes:
        raise DatasetError(mistakes.told())


def _jsonl_row(line: bytes, number: int, shown: str) -> Row | Problem:
    try:
        value = loads_strictly(line.decode())
    except UnicodeDecodeError as error:
        return _not_utf8(line, shown, error, number)
    except json.JSONDecodeError as error:
        return Problem(shown, number, error.colno, "", f"not JSON: {error.msg}", "expected one JSON object a line")
    except ValueError as error:
        return Problem(shown, number, 1, "", str(error), "expected a JSON object that every reader understands alike")
    except RecursionError:
        return Problem(shown, number, 1, "", "nested too deeply", "expected fewer levels")
    if not isinstance(value, dict):
        return Problem(shown, number, 1, "", quoted(value), "expected a JSON object")
    return Row(value, shown, number)


def _yaml_rows(text: str, shown: str) -> list[Row]:
    try:
        document = parse_document(text, shown)
    except DocumentError as error:
        raise DatasetError(error.problems) from None
    nested = isinstance(document.value, dict) and "cases" in document.value
    return rows_of_document(document, ("cases",) if nested else ())


# ------------------------------------------------------------------------------------------------------------------ CSV


def _csv_rows(text: str, shown: str) -> list[Row]:
    """Every value stays the text that is written; `expected.queue` becomes `{"queue": ...}` in `expected`."""
    import csv

    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[Row] = []
    problems: list[Problem] = []
    line = 1
    try:
        header = next(reader, [])
        _check_header(header, shown)
        line = reader.line_num + 1
        for cells in reader:
            if cells and len(cells) != len(header):
                found, expected = f"{len(cells)} fields", f"expected {len(header)}, as in the header"
                problems.append(Problem(shown, line, 1, "", found, expected))
            elif len(rows) >= MAX_ROWS:
                raise _too_many_rows(shown)
            elif cells:
                rows.append(Row(_nested(dict(zip(header, cells, strict=True))), shown, line))
            line = reader.line_num + 1
    except csv.Error as error:
        problems.append(Problem(shown, line, 1, "", f"not CSV: {error}", "expected quoted fields to be closed"))
    if problems:
        raise DatasetError(told_briefly(problems))
    return rows


def _check_header(header: list[str], shown: str) -> None:
    if not header or not any(header):
        raise _wrong(shown, "no header", "expected the names of the columns in the first line", 1, 1)
    if len(header) > MAX_COLUMNS:
        raise _wrong(shown, f"{len(header):,} columns", f"expected at most {MAX_COLUMNS:,}", 1, 1)
    problems: list[Problem] = []
    before = set[str]()
    tree = _tree_of(name for name in header if name.startswith("expected."))
    for name in header:
        if not name or name != name.strip():
            found, expected = f"the column name {quoted(name)}", "expected a name without blanks around it"
        elif name in before:
            found, expected = f"the column {quoted(name)} twice", "expected each column once"
        elif name.startswith("expected.") and ("expected" in header or any(not part for part in name.split("."))):
            found = f"the column {quoted(name)}"
            expected = "expected either `expected` or columns such as `expected.queue`"
        elif name.startswith("expected.") and _goes_on(tree, name):
            found, expected = f"the column {quoted(name)}", "expected a value or a mapping there, not both"
        else:
            before.add(name)
            continue
        problems.append(Problem(shown, 1, 1, "", found, expected))
    if "id" not in header:
        expected = did_you_mean("id", [name.lower() for name in header], "expected a column `id`")
        problems.append(Problem(shown, 1, 1, "", "no column `id`", expected))
    if problems:
        raise DatasetError(problems)


def _tree_of(names: Iterable[str]) -> dict[str, Any]:
    """Dotted names as nested mappings, which hold each part once: all beginnings of a long name fill gigabytes."""
    tree: dict[str, Any] = {}
    for name in names:
        inside = tree
        for part in name.split("."):
            inside = inside.setdefault(part, {})
    return tree


def _goes_on(tree: Mapping[str, Any], name: str) -> bool:
    """Whether a longer name of the tree goes on from this one with a dot."""
    for part in name.split("."):
        tree = tree[part]
    return bool(tree)


def _nested(row: Mapping[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in row.items():
        if not name.startswith("expected."):
            made[name] = value
            continue
        *parents, last = name.split(".")
        inside = made
        for parent in parents:
            inside = inside.setdefault(parent, {})
        inside[last] = value
    return made


# -------------------------------------------------------------------------------------------------------------- Parquet


def _parquet_rows(path: Path, shown: str) -> list[Row]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        expected = "install the extra: pip install 'snapdrift[parquet]'"
        raise _wrong(shown, "reading Parquet needs pyarrow", expected) from None
    if path.stat().st_size > MAX_BYTES:
        raise _wrong(shown, f"more than {MAX_BYTES // 2**20} MB", "expected a smaller dataset")
    try:
        with pq.ParquetFile(path) as file:
            if file.metadata.num_rows > MAX_ROWS:
                raise _too_many_rows(shown)
            table = _unpacked(file, shown)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _wrong(shown, f"not Parquet: {error}", "expected a Parquet file") from None
    return list(_parquet_values(table, shown))


def _unpacked(file: ParquetFile, shown: str) -> list[dict[str, Any]]:
    """The rows of a Parquet file. What it says of its size is its own word, so that is counted again on the way."""
    said = sum(file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups))
    rows: list[dict[str, Any]] = []
    size = 0
    for batch in file.iter_batches(batch_size=_PARQUET_BATCH) if said <= MAX_BYTES else ():
        size += batch.nbytes
        if size > MAX_BYTES:
            break
        rows += batch.to_pylist()
    if max(said, size) > MAX_BYTES:
        raise _wrong(shown, f"more than {MAX_BYTES // 2**20} MB unpacked", "expected a smaller dataset")
    return rows


def _parquet_values(table: list[dict[str, Any]], shown: str) -> Iterator[Row]:
    """Dates and times become ISO text, as they would be in every other format."""
    for number, row in enumerate(table, start=1):
        values = {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in row.items()}
        yield Row(values, shown, 0, 0, path=f"row {number}")
