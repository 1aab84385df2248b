"""Scores as rows of a run file: what `codec` makes of them, written out for this one record, as there are a million.

The text of a record is, byte for byte, what `codec.text_of` makes of its fields without those that have a column and
without those that say nothing (`EMPTY`), which most scores have several of.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import groupby
from json.encoder import encode_basestring_ascii as _quoted  # what `json` itself writes texts with
from math import isfinite
from operator import itemgetter
from typing import Any

from snapdrift.keys import without_keys
from snapdrift.model import Reason, Score
from snapdrift.store import codec

ScoreRow = tuple[str, str, int, str, str]
"""Case, variant, repeat, metric and the rest as JSON."""
_CACHE_KIB = 24_576
_INSERT = (
    "INSERT INTO scores (case_id, variant, repeat, metric, record) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (case_id, variant, repeat, metric) DO UPDATE SET record = excluded.record"
)
_INSERT_PLACED = (
    # An answer has fewer than 2^20 scores.
    "INSERT INTO scores (id, case_id, variant, repeat, metric, record) VALUES"
    " ((SELECT position * 1048576 + ? FROM calls WHERE case_id = ? AND variant = ? AND repeat = ? AND grader = ''),"
    " ?, ?, ?, ?, ?)"
)
_COLUMNS = ("case_id", "variant", "repeat", "metric")
EMPTY: dict[str, Any] = {
    "detail": "",
    "extracted": None,
    "extracted_by": None,
    "evidence": [],
    "version": "",
    "facts": {},
}
"""What a field says that is left out: what `Score` takes for it when it is read."""
_PASSED = Reason.PASSED
_WORDS = {True: "true", False: "false"}
_REASONS = {reason: _quoted(reason.value) for reason in Reason}
_PASSED_HEAD = '{"value":1.0,"passed":true,"reason":"passed"'
_NOTHING = object()


def rows_of(scores: Iterable[Score]) -> Iterator[ScoreRow]:
    """The rows of scores, in their order."""
    last, extracted = _NOTHING, ""
    for score in scores:
        if score.extracted is not last:
            # The metrics of a grader keep the same object, which takes longest to write out.
            last = score.extracted
            extracted = codec.dumps(last)
        yield score.case_id, score.variant, score.repeat, score.metric, _record(score, extracted)


def put_rows(connection: sqlite3.Connection, rows: Iterable[ScoreRow]) -> None:
    """Stores rows inside a transaction; one for the same case, variant, repeat and metric replaces the earlier."""
    before = int(connection.execute("PRAGMA cache_size").fetchone()[0])
    # The index of a large run has to fit, or its pages are written and read again and again.
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    try:
        connection.executemany(_INSERT, ((*row[:4], without_keys(row[4])) for row in rows))
    finally:
        connection.execute(f"PRAGMA cache_size = {before}")


def put_placed(connection: sqlite3.Connection, rows: Iterable[ScoreRow]) -> None:
    """Stores the rows of answers, those of each together, in whatever order the answers come, inside a transaction.

    Their ids are by the place of the call in the plan, so that scores read back in the order of the plan.
    """
    for (case_id, variant, repeat), found in groupby(rows, key=itemgetter(0, 1, 2)):
        answer = (case_id, variant, repeat)
        connection.execute("DELETE FROM scores WHERE case_id = ? AND variant = ? AND repeat = ?", answer)
        clean = ((number, *answer, *row[:4], without_keys(row[4])) for number, row in enumerate(found))
        connection.executemany(_INSERT_PLACED, clean)


def _record(score: Score, extracted: str) -> str:
    """The record of a score, of which what was extracted is written out already."""
    value, passed, by, evidence, facts = score.value, score.passed, score.extracted_by, score.evidence, score.facts
    if not (
        value is not None
        and value.__class__ is float
        and isfinite(value)
        and (passed is True or passed is False)
        and score.reason.__class__ is Reason
        and score.detail.__class__ is str
        and (by is None or by.__class__ is int)
        and score.version.__class__ is str
        and evidence.__class__ is tuple
        and facts.__class__ is dict
    ):
        return _any_record(score)
    if passed and value == 1.0 and score.reason is _PASSED:
        text = _PASSED_HEAD
    else:
        text = f'{{"value":{value!r},"passed":{_WORDS[passed]},"reason":{_REASONS[score.reason]}'
    if score.detail:
        text += f',"detail":{_quoted(score.detail)}'
    if extracted != "null":
        text += f',"extracted":{extracted}'
    if by is not None:
        text += f',"extracted_by":{by}'
    if evidence:
        text += f',"evidence":{codec.dumps(evidence)}'
    if score.version:
        text += f',"version":{_quoted(score.version)}'
    return f'{text},"facts":{codec.dumps(facts)}}}' if facts else f"{text}}}"


def _any_record(score: Score) -> str:
    """The same the long way: a score without a value, or one with a field of another type than declared."""
    record = codec.to_json(score)
    for column in _COLUMNS:
        del record[column]
    return codec.text_of({name: value for name, value in record.items() if name not in EMPTY or value != EMPTY[name]})
