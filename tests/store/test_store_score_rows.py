"""Rows of scores: written out as the codec would, and handed from process to process whole or not at all."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift import keys
from snapdrift.errors import StoreError
from snapdrift.model import Reason, Score
from snapdrift.store import RunWriter, codec, open_run
from snapdrift.store.score_frames import (
    END,
    ROWS,
    WorkerFailedError,
    packed,
    portions,
    read_frame,
    unpacked,
    write_frame,
)
from snapdrift.store.score_rows import rows_of

texts = st.text(st.characters(exclude_categories=()), max_size=12)
numbers = st.floats() | st.sampled_from([0.0, -0.0, 1.0, 1e-300, 0.1 + 0.2])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
scores = st.builds(
    Score,
    case_id=texts,
    metric=texts,
    value=st.none() | numbers,
    passed=st.none() | st.booleans(),
    detail=texts,
    extracted=values,
    extracted_by=st.none() | st.integers(0, 3),
    evidence=st.lists(texts, max_size=3).map(tuple),
    version=texts,
    facts=st.dictionaries(texts, values, max_size=2),
)
PASSED = Score(
    "one", "a", 0, "exact", 1.0, True, Reason.PASSED, extracted={"n": [1]}, extracted_by=0, version="exact/1"
)


def written_out(score: Score) -> str:
    record = codec.to_json(score)
    for column in ("case_id", "variant", "repeat", "metric"):
        del record[column]
    empty: dict[str, Any] = {"detail": "", "extracted": None, "extracted_by": None, "evidence": []}
    empty |= {"version": "", "facts": {}}
    return codec.text_of({name: value for name, value in record.items() if name not in empty or value != empty[name]})


@given(st.lists(scores, max_size=4))
def test_a_record_is_byte_for_byte_what_the_codec_writes(some: list[Score]) -> None:
    assert list(rows_of(some)) == [(s.case_id, s.variant, s.repeat, s.metric, written_out(s)) for s in some]


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"value": 1},
        {"value": True, "passed": 1},
        {"value": None, "passed": None, "reason": Reason.GRADER_ERROR},
        {"value": float("nan")},
        {"value": -0.0, "passed": False, "reason": Reason.WRONG, "detail": 'half a pair \ud83d and a \x00 "quoted"'},
        {"passed": False},
        {"reason": "passed"},
        {"extracted": date(2025, 1, 31)},
        {"extracted": "x" * 2_000},
        {"extracted_by": True},
        {"evidence": ["a list", 3]},
        {"facts": {1: (date(2025, 1, 31), {"b", "a"})}},
        {"version": None},
        {"evidence": None, "facts": None},
    ],
    ids=lambda changed: " and ".join(changed) or "nothing",
)
def test_a_field_of_an_unusual_kind_is_written_as_the_codec_writes_it(changed: dict[str, Any]) -> None:
    score = replace(PASSED, **changed)
    assert [row[4] for row in rows_of([score])] == [written_out(score)]


def test_what_was_extracted_is_written_out_for_each_score_that_has_another() -> None:
    one, other = replace(PASSED, extracted=[1]), replace(PASSED, extracted=[True])
    assert [json.loads(row[4])["extracted"] for row in rows_of([one, other, one])] == [[1], [True], [1]]


@given(st.lists(scores, max_size=6))
def test_rows_arrive_as_they_were_sent(some: list[Score]) -> None:
    rows = list(rows_of(some))
    assert list(unpacked(packed(rows))) == rows


def test_a_frame_that_is_cut_off_anywhere_is_seen_to_be() -> None:
    stream = io.BytesIO()
    write_frame(stream, ROWS, packed(rows_of([PASSED])))
    whole = stream.getvalue()

    assert list(unpacked(read_frame(io.BytesIO(whole), ROWS))) == list(rows_of([PASSED]))
    for length in range(len(whole)):
        with pytest.raises(WorkerFailedError):
            read_frame(io.BytesIO(whole[:length]), ROWS)


@pytest.mark.parametrize("sent", [b"E\0\0\0\0", b"R\xff\xff\xff\xff", b"Hello from a grader\n"])
def test_what_is_no_frame_or_another_one_is_refused(sent: bytes) -> None:
    with pytest.raises(WorkerFailedError):
        read_frame(io.BytesIO(sent), ROWS)


@pytest.mark.parametrize(
    "content",
    [
        b"\xff",
        b"[",
        b"7",
        b'["c", "a", 0]',
        b'["c", "a", 0, 2]\n"m"\n{}',
        b'["c", "a", 0, "x"]',
        b'["c", "a", 0, 1]\nm\n{}',
    ],
)
def test_scores_that_cannot_be_read_are_refused(content: bytes) -> None:
    with pytest.raises(WorkerFailedError, match="cannot be read"):
        list(unpacked(content))


def test_an_empty_frame_has_no_rows() -> None:
    stream = io.BytesIO()
    write_frame(stream, END)
    assert list(unpacked(read_frame(io.BytesIO(stream.getvalue()), END))) == []


@given(st.lists(st.integers(), max_size=30), st.integers(1, 9))
def test_portions_are_all_of_it_in_order(ids: list[int], size: int) -> None:
    cut = portions(ids, size)
    assert [one for portion in cut for one in portion] == ids
    assert all(0 < len(portion) <= size for portion in cut)


def test_rows_that_end_in_an_error_leave_the_scores_that_were_there(tmp_path: Path, create: Any) -> None:
    def ending() -> Any:
        yield from rows_of([replace(PASSED, metric="new")])
        raise WorkerFailedError("it ended")

    with create(tmp_path / "run.db") as writer:
        writer.add_scores([PASSED])
        with pytest.raises(WorkerFailedError, match="it ended"):
            writer.replace_score_rows(ending())
    with open_run(writer.path) as run:
        assert run.scores() == (PASSED,)


def test_rows_take_the_place_of_all_scores(tmp_path: Path, create: Any) -> None:
    new = replace(PASSED, metric="new")
    with create(tmp_path / "run.db") as writer:
        writer.add_scores([PASSED])
        writer.replace_score_rows(rows_of([new]))
    with open_run(writer.path) as run:
        assert run.scores() == (new,)


def test_rows_that_came_for_a_transaction_that_was_undone_are_not_half_stored(tmp_path: Path, create: Any) -> None:
    def ended(writer: RunWriter) -> str:
        rows = rows_of([replace(PASSED, metric="new"), replace(PASSED, case_id="\ud800")])  # no text that is stored
        with pytest.raises(StoreError) as error:
            writer.replace_score_rows(rows)
        return str(error.value)

    with create(tmp_path / "run.db") as writer:
        writer.add_scores([PASSED])
        assert "run.db" in ended(writer)
    with open_run(writer.path) as run:
        assert run.scores() == (PASSED,)


def test_a_key_that_a_grader_quotes_is_in_no_stored_score_whichever_way_it_was_graded(tmp_path: Path, create) -> None:
    key = "planted-in-a-score-0123456789"
    keys.know(key)
    quoting = replace(PASSED, detail=f"the key is {key}")
    ways = {
        "replaced": lambda writer: writer.replace_scores([quoting]),
        "beside": lambda writer: writer.add_score_rows(rows_of([quoting])),
        "completed": lambda writer: writer.complete_scores([quoting], "grading"),
    }
    for name, stores in ways.items():
        with create(tmp_path / f"{name}.db") as writer:
            stores(writer)
        with open_run(tmp_path / f"{name}.db") as run:
            assert [score.detail for score in run.scores()] == ["the key is [key]"], name
