"""Files of recorded outputs: the answers of a variant that was asked elsewhere (`{outputs: answers.jsonl}`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snapdrift.errors import DatasetError, Problem
from snapdrift.suites.datasets import read_rows
from snapdrift.suites.row_mistakes import RowMistakes
from snapdrift.suites.rows import Row
from snapdrift.suites.wording import listed, quoted

MAX_REPEAT = 1000
_RESERVED = ("id", "output", "model", "repeat")


@dataclass(frozen=True, slots=True)
class RecordedOutput:
    """An answer: its text (JSON where it was no text), and the model that is said to have written it."""

    text: str
    model: str | None = None


Outputs = Mapping[tuple[str, int], RecordedOutput]
"""By case id and repeat, counted from 0."""


def read_outputs(path: Path, shown: str | None = None) -> Outputs:
    """The rows `{id, output, model?, repeat?}` of a file in one of the formats of datasets.

    `shown` is the file's name in messages. `repeat` counts from 0, which it is where it is not written. Further
    columns are not looked at. Raises `DatasetError` with every mistake and its line.
    """
    name = shown or path.name
    rows = read_rows(path, name)
    if not rows:
        raise DatasetError([Problem(name, 0, 0, "", "no outputs", "expected at least one row")])
    mistakes = RowMistakes()
    made: dict[tuple[str, int], RecordedOutput] = {}
    first: dict[tuple[str, int], Row] = {}
    for row in rows:
        wrong = list(_mistakes_in(row))
        key = (str(row.values.get("id")), _repeat(row.values.get("repeat")) or 0)
        if not wrong and key in first:
            found = f"the output of {quoted(key[0])}, repeat {key[1]}, a second time"
            expected = f"expected each once; it is first at {first[key].place} (`repeat` tells several apart)"
            wrong = [row.problem("id", found, expected)]
        mistakes.add(wrong)
        if not wrong:
            first[key] = row
            made[key] = RecordedOutput(_text(row.values["output"]), row.values.get("model") or None)
    if mistakes:
        raise DatasetError(mistakes.told())
    return made


def coverage_warnings(outputs: Outputs, case_ids: Sequence[str], repeats: int, shown: str) -> Iterator[str]:
    """Sentences on what a file of outputs lacks for a dataset, and what it has beside it."""
    known = set(case_ids)
    strange = sorted({case_id for case_id, _ in outputs} - known)
    if strange:
        one = "1 id that is" if len(strange) == 1 else f"{len(strange)} ids that are"
        yield f"{shown} has {one} not in the dataset and not used: {listed(map(quoted, strange), 3)}."
    missing = [case_id for case_id in case_ids if any((case_id, n) not in outputs for n in range(repeats))]
    if missing:
        calls = sum((case_id, n) not in outputs for case_id in missing for n in range(repeats))
        named = listed(map(quoted, missing), 3)
        yield f"{shown} has no output for {calls} of {len(case_ids) * repeats} calls, which will be missing: {named}."


def _mistakes_in(row: Row) -> Iterator[Problem]:
    values = row.values
    case_id = values.get("id")
    if not isinstance(case_id, str) or not case_id:
        yield row.problem("id", "no id" if case_id is None else quoted(case_id), "expected the id of a case, as text")
    if values.get("output") is None:
        expected = f"expected the answer (columns: {', '.join(_RESERVED)}); leave out the row of a call without one"
        yield row.problem("output", "null" if "output" in values else "no output", expected)
    if not isinstance(values.get("model"), str | None):
        yield row.problem("model", quoted(values["model"]), "expected the model's id, as text")
    if _repeat(values.get("repeat")) is None:
        yield row.problem("repeat", quoted(values["repeat"]), f"expected a whole number from 0 to {MAX_REPEAT - 1}")


def _repeat(written: Any) -> int | None:
    """The number of a repeat, also where a format has only text; None for anything else."""
    if written is None or written == "":
        return 0
    if isinstance(written, str):
        return int(written) if written.isascii() and written.isdigit() and len(written) < 5 else None
    fits = isinstance(written, int) and not isinstance(written, bool) and 0 <= written < MAX_REPEAT
    return written if fits else None


def _text(output: Any) -> str:
    from snapdrift.suites.sandbox import to_json_text

    return output if isinstance(output, str) else to_json_text(output)
