"""The index of the cache: which request is answered in which run file, and what becomes of it when files change."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from snapdrift.errors import NewerFormatError, StoreError
from snapdrift.execution.steps import step_of, with_steps
from snapdrift.model import CallKey, Outcome, Request, Response, Source, ToolCall, Usage
from snapdrift.store import RunWriter, codec, open_run
from snapdrift.store.cache import FORMAT, AnswerIndex
from snapdrift.store.cache_answers import (
    REUSABLE,
    Pinned,
    Reusable,
    alone,
    answer_key,
    as_reused,
    origin_key,
    origin_of,
    stored_answer,
)

URL = "https://api.openai.com/v1"
MODEL = "gpt-4o"  # what the run of these tests asks
PINNED = Pinned(URL)
OLD, NEW = "2026-11-20T10:00:00.000+00:00", "2026-11-22T10:00:00.000+00:00"
KEY = CallKey("one", "a", 0)

Create = Callable[[Path], RunWriter]


@pytest.fixture
def store(
    create: Create, request_of: Callable[[CallKey], Request], response_of: Callable[..., Response], tmp_path: Path
) -> Callable[..., Path]:
    """Makes a run file with answers to some calls, all of pinned models."""

    def make(run: str, *keys: CallKey, **changes: Any) -> Path:
        path = tmp_path / "runs" / f"{run}.db"
        facts = {"finished_at": NEW, **changes}
        with create(path) as writer:
            writer.set_meta(REUSABLE, codec.dumps(Reusable({"a": PINNED, "b": PINNED})))
            for key in keys:
                writer.record_now(response_of(key, **facts), request_of(key))
        return path

    return make


@pytest.fixture
def found(tmp_path: Path, request_of: Callable[[CallKey], Request]) -> Callable[..., list[str]]:
    """The runs in which an index that is brought up to date finds the answer to a call."""

    def find(key: CallKey = KEY, *, batched: bool = False, since: str = "", pinned: Pinned = PINNED) -> list[str]:
        with AnswerIndex.open(tmp_path / "cache.db") as index:
            index.take_in(tmp_path / "runs")
            asked = answer_key(request_of(key), pinned)
            return [one.run for one in index.find(pinned.place, MODEL, asked, batched=batched, since=since)]

    return find


def test_an_answer_is_found_by_its_request_in_the_newest_run_first(store: Any, found: Any) -> None:
    store("r1", KEY, finished_at=OLD)
    store("r2", KEY)

    assert found() == ["r2", "r1"]
    assert found(replace(KEY, repeat=1)) == []


def test_a_run_file_that_is_gone_or_changed_is_noticed(
    store: Any, found: Any, response_of: Any, request_of: Any
) -> None:
    first, other = store("r1", KEY), replace(KEY, repeat=1)
    assert found(other) == []
    with RunWriter.open(first) as writer:
        writer.record_now(response_of(other, finished_at=NEW), request_of(other))
    assert found(other) == ["r1"]

    first.unlink()
    assert found() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": Outcome.API_ERROR},
        {"source": Source.SIMULATED},
        {"source": Source.RECORDED},
        {"returned_model": "gpt-4o-2099-01-01"},
    ],
    ids=["an error", "simulated", "recorded", "of another model"],
)
def test_what_is_no_answer_of_the_model_is_not_in_the_index(store: Any, found: Any, changes: dict[str, Any]) -> None:
    store("r1", KEY, **changes)

    assert found() == []


@pytest.mark.parametrize("outcome", [Outcome.OK, Outcome.REFUSED, Outcome.TRUNCATED, Outcome.FILTERED])
def test_what_the_model_decided_is_in_the_index(store: Any, found: Any, outcome: Outcome) -> None:
    store("r1", KEY, outcome=outcome)

    assert found() == ["r1"]


def test_a_run_file_that_does_not_say_whose_answers_may_be_reused_adds_none(store: Any, found: Any) -> None:
    path = store("r1", KEY)
    with RunWriter.open(path) as writer:
        writer.set_meta(REUSABLE, codec.dumps(Reusable({"b": PINNED})))

    assert found() == []


def test_batches_serve_batches_and_an_age_leaves_out_what_is_older(store: Any, found: Any) -> None:
    store("r1", KEY, batched=True, finished_at=OLD)

    assert found() == []
    assert found(batched=True) == ["r1"]
    assert found(batched=True, since=NEW) == []


def test_another_place_has_other_answers(store: Any, found: Any) -> None:
    store("r1", KEY)

    assert found(pinned=Pinned("https://elsewhere.example/v1")) == []


def test_what_was_cleared_stays_away_also_where_its_run_file_changes(store: Any, found: Any, tmp_path: Path) -> None:
    first = store("r1", KEY, finished_at=OLD)
    store("r2", KEY)
    assert found() == ["r2", "r1"]
    with AnswerIndex.open(tmp_path / "cache.db") as index:
        assert index.clear(NEW, "gpt-4o-mini") == 0
        assert index.clear(NEW) == 1
    with RunWriter.open(first) as writer:
        writer.set_meta("anything", "new")

    assert found() == ["r2"]


def test_what_was_not_used_longest_goes_first(store: Any, found: Any, tmp_path: Path) -> None:
    other = replace(KEY, repeat=1)
    store("r1", KEY, other)
    assert found() == ["r1"]
    with AnswerIndex.open(tmp_path / "cache.db") as index:
        index.used([index.find(URL, MODEL, _key(KEY), batched=False)[0].id], "2027-01-01T00:00:00.000+00:00")
        assert index.shrink(index.size_bytes) == 0
        assert index.shrink(index.size_bytes * 0.9) == 1

    assert found() == ["r1"]
    assert found(other) == []


def _key(key: CallKey) -> bytes:
    from snapdrift.model import Endpoint

    body = {"model": "gpt-4o", "input": key.case_id, "temperature": 0}
    return answer_key(Request(key, 0, Endpoint.RESPONSES, URL, body, ""), PINNED)


def test_processes_that_index_at_once_find_everything_once(store: Any, found: Any, tmp_path: Path) -> None:
    for number in range(6):
        store(f"r{number}", KEY, replace(KEY, repeat=1))

    def index(_: int) -> None:
        with AnswerIndex.open(tmp_path / "cache.db") as opened:  # each with a connection of its own
            opened.take_in(tmp_path / "runs")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(index, range(4)))

    assert sorted(found()) == [f"r{number}" for number in range(6)]
    with AnswerIndex.open(tmp_path / "cache.db") as opened:
        assert [one.entries for one in opened.models()] == [12]


def test_an_index_of_an_older_format_is_made_anew_and_what_was_cleared_stays_away(
    store: Any, found: Any, tmp_path: Path
) -> None:
    store("r1", KEY, finished_at=OLD)
    store("r2", KEY, finished_at=NEW)
    path = tmp_path / "cache.db"
    AnswerIndex.open(path).close()
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "DROP INDEX entries_by_key; DROP TABLE entries; PRAGMA user_version = 1;"
            "CREATE TABLE entries (id INTEGER PRIMARY KEY, key BLOB NOT NULL, model INTEGER NOT NULL) STRICT;"
            "INSERT INTO entries VALUES (1, x'00', 1);"
        )
        connection.execute("INSERT INTO cleared VALUES ('', ?)", (NEW,))
    connection.close()

    assert found() == ["r2"]
    assert found() == ["r2"]


@pytest.mark.parametrize(
    "content", [b"no database at all, but longer than a header of one " * 4, b"SQLite format 3\0" + b"\1" * 200]
)
def test_a_file_that_is_no_index_is_an_error_that_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "cache.db").write_bytes(content)

    with pytest.raises(StoreError, match=r"cache\.db: damaged; delete it, it is made anew"):
        AnswerIndex.open(tmp_path / "cache.db")


def test_another_database_and_a_newer_format_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    AnswerIndex.open(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(NewerFormatError, match="cache format 99"):
        AnswerIndex.open(path)
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {FORMAT}")
        connection.execute("CREATE VIEW planted AS SELECT 1")
    connection.close()
    with pytest.raises(StoreError, match="damaged"):
        AnswerIndex.open(path)


def test_the_answer_to_the_last_request_of_a_call_is_what_it_was_before_the_sum(
    response_of: Callable[..., Response], request_of: Callable[[CallKey], Request]
) -> None:
    called = (ToolCall("1", "look_up", "{}"),)
    first = response_of(KEY, tool_calls=called, usage=Usage(10, 4, 5, 0), usd=0.25)
    last = response_of(KEY, tool_calls=called * 2, usage=Usage(30, 0, 7, 1), usd=0.5, latency_ms=None)
    whole = with_steps(last, (step_of(request_of(KEY), first),))

    assert alone(replace(whole, outcome=Outcome.TOOL_UNMATCHED, detail="unmatched")) == last


def test_of_a_call_of_which_one_answer_is_reused_the_others_are_not(
    response_of: Callable[..., Response], request_of: Callable[[CallKey], Request]
) -> None:
    reused = as_reused(request_of(KEY), response_of(KEY, finished_at=OLD), "r1")
    asked = response_of(KEY, usd=0.5)
    whole = with_steps(asked, (step_of(request_of(KEY), reused),))

    assert whole.reused is not None
    assert (whole.usd, whole.cost_usd, whole.latency_ms, whole.reused.requests) == (0.5, 0.75, None, 1)
    assert alone(whole).reused is None
    other_way_round = alone(with_steps(reused, (step_of(request_of(KEY), asked),)))
    assert reused.reused is not None
    assert other_way_round.reused == replace(reused.reused, latency_ms=None)


@pytest.mark.parametrize("reused", [(), (0,), (1,), (0, 1)], ids=str)
def test_the_index_knows_the_origin_of_each_answer_of_a_call_as_its_run_file_does(
    create: Create,
    response_of: Callable[..., Response],
    request_of: Callable[[CallKey], Request],
    tmp_path: Path,
    reused: tuple[int, ...],
) -> None:
    requests = [replace(request_of(KEY), step=number) for number in range(2)]
    asked = response_of(KEY, finished_at=OLD)
    first, last = (as_reused(one, asked, "r1") if one.step in reused else asked for one in requests)
    steps = (step_of(requests[0], first),)
    with create(tmp_path / "runs" / "r2.db") as writer:
        writer.set_meta(REUSABLE, codec.dumps(Reusable({"a": PINNED})))
        asyncio.run(writer.record_step(requests[0], first, ()))
        writer.record_now(with_steps(last, steps), requests[1])

    with AnswerIndex.open(tmp_path / "cache.db") as index, open_run(tmp_path / "runs" / "r2.db") as run:
        index.take_in(tmp_path / "runs")
        found = [index.find(URL, MODEL, answer_key(one, PINNED), batched=False) for one in requests]
        for step, entries in enumerate(found):
            (entry,) = entries
            stored = stored_answer(run, entry.call, entry.step)
            assert stored is not None
            assert entry.origin == origin_key(origin_of(stored[1], "r2", step))
            assert (stored[1].reused is not None) == (step in reused)


def test_an_index_that_another_process_keeps_locked_is_an_error_and_so_is_one_that_cannot_be_written(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("snapdrift.store.cache._BUSY_TIMEOUT_S", 0.01)
    store("r1", KEY)
    path = tmp_path / "cache.db"
    AnswerIndex.open(path).close()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with AnswerIndex.open(path) as index, pytest.raises(StoreError, match="another process keeps it locked"):
        index.take_in(tmp_path / "runs")
    holder.close()

    with pytest.raises(StoreError, match=r"cache\.db: .*(cannot be opened|permissions)"):
        AnswerIndex.open(path / "below" / "cache.db")
