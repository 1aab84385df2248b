from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from snapdrift.errors import RunBusyError, StoreError
from snapdrift.model import Call, CallKey, Case, Outcome, Reason, Request, Response, Score
from snapdrift.store import RunHeader, RunState, RunWriter, open_run
from snapdrift.store.committer import _Job
from snapdrift.store.inserts import put_meta
from snapdrift.store.lock import RunLock

Create = Callable[[Path], RunWriter]
RequestOf = Callable[[CallKey], Request]
ResponseOf = Callable[..., Response]
Calls = tuple[Call, ...]


def score(value: float, metric: str = "exact") -> Score:
    return Score("one", "a", 0, metric, value, value > 0, Reason.PASSED if value else Reason.WRONG)


async def recorded(writer: RunWriter, response: Response, request: Request) -> None:
    await writer.record(response, request)


def test_what_was_recorded_is_there_for_a_reader_beside_the_writer(
    tmp_path: Path, create: Create, calls: Calls, request_of: RequestOf, response_of: ResponseOf
) -> None:
    key = calls[0].key
    with create(tmp_path / "run.db") as writer:
        asyncio.run(recorded(writer, response_of(key), request_of(key)))
        with open_run(writer.path) as run:
            assert run.response(key) == response_of(key)


def test_the_request_is_stored_as_it_was_sent(
    tmp_path: Path, create: Create, calls: Calls, request_of: RequestOf, response_of: ResponseOf
) -> None:
    key = calls[0].key
    with create(tmp_path / "run.db") as writer:
        writer.record_now(response_of(key), request_of(key))
    with open_run(writer.path) as run:
        assert run.request(key) == request_of(key)


def test_many_that_wait_share_commits(
    tmp_path: Path, create: Create, request_of: RequestOf, response_of: ResponseOf
) -> None:
    keys = [CallKey(f"case-{number}", "a", 0) for number in range(500)]

    async def record_all(writer: RunWriter) -> None:
        await asyncio.gather(*(writer.record(response_of(key), request_of(key)) for key in keys))

    with create(tmp_path / "run.db") as writer:
        writer.add_calls(Call(key, 100 + number) for number, key in enumerate(keys))
        before = writer.transactions
        asyncio.run(record_all(writer))
        assert writer.transactions - before < 50


def test_a_bad_record_fails_alone_in_its_group(
    tmp_path: Path, create: Create, calls: Calls, request_of: RequestOf, response_of: ResponseOf
) -> None:
    stranger = CallKey("not planned", "a", 0)
    keys = [calls[0].key, stranger, calls[1].key]

    async def record_all(writer: RunWriter) -> list[str]:
        records = (writer.record(response_of(key), request_of(key)) for key in keys)
        return [type(result).__name__ for result in await asyncio.gather(*records, return_exceptions=True)]

    with create(tmp_path / "run.db") as writer:
        assert asyncio.run(record_all(writer)) == ["NoneType", "StoreError", "NoneType"]


def test_a_cancelled_wait_does_not_undo_the_record(
    tmp_path: Path, create: Create, calls: Calls, request_of: RequestOf, response_of: ResponseOf
) -> None:
    key = calls[0].key

    async def cancelled(writer: RunWriter) -> None:
        waiting = asyncio.ensure_future(writer.record(response_of(key), request_of(key)))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    with create(tmp_path / "run.db") as writer:
        asyncio.run(cancelled(writer))
    with open_run(writer.path) as run:
        assert run.answered_keys() == {key}


def test_a_later_ending_of_a_call_replaces_the_earlier(
    tmp_path: Path, create: Create, calls: Calls, request_of: RequestOf, response_of: ResponseOf
) -> None:
    key = calls[0].key
    with create(tmp_path / "run.db") as writer:
        writer.record_now(response_of(key, outcome=Outcome.API_ERROR), request_of(key))
        writer.record_now(response_of(key), request_of(key))
    with open_run(writer.path) as run:
        assert [response.outcome for response in run.responses()] == [Outcome.OK]


def test_text_that_is_no_unicode_is_stored_as_the_model_wrote_it(
    tmp_path: Path, create: Create, calls: Calls, request_of: RequestOf, response_of: ResponseOf
) -> None:
    key, odd = calls[0].key, "half a pair \ud83d and a \x00"
    with create(tmp_path / "run.db") as writer:
        writer.record_now(response_of(key, text=odd, raw=odd), request_of(key))
    with open_run(writer.path) as run:
        assert run.response(key) == response_of(key, text=odd, raw=odd)


def test_a_score_for_the_same_metric_replaces_the_earlier(tmp_path: Path, create: Create) -> None:
    with create(tmp_path / "run.db") as writer:
        writer.add_scores([score(0.0), score(1.0, "other")])
        writer.add_scores([score(1.0)])
    with open_run(writer.path) as run:
        assert run.scores() == (score(1.0), score(1.0, "other"))


def test_replacing_scores_leaves_none_of_the_old(tmp_path: Path, create: Create) -> None:
    with create(tmp_path / "run.db") as writer:
        writer.add_scores([score(0.0), score(1.0, "other")])
        writer.replace_scores([score(1.0)])
    with open_run(writer.path) as run:
        assert run.scores() == (score(1.0),)


def test_a_finished_run_says_when(tmp_path: Path, create: Create) -> None:
    with create(tmp_path / "run.db") as writer:
        writer.finish("2026-11-22T15:00:00+00:00")
    with open_run(writer.path) as run:
        assert (run.state, run.finished_at) == (RunState.FINISHED, "2026-11-22T15:00:00+00:00")


def test_a_closed_run_is_one_file(tmp_path: Path, create: Create) -> None:
    with create(tmp_path / "run.db"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["run.db"]


def test_a_writer_can_go_on_where_another_stopped(
    tmp_path: Path, create: Create, calls: Calls, request_of: RequestOf, response_of: ResponseOf
) -> None:
    keys = [call.key for call in calls[:2]]
    with create(tmp_path / "run.db") as writer:
        writer.record_now(response_of(keys[0]), request_of(keys[0]))
    with RunWriter.open(writer.path) as again:
        again.record_now(response_of(keys[1]), request_of(keys[1]))
    with open_run(writer.path) as run:
        assert run.answered_keys() == set(keys)


def test_a_run_is_created_once(tmp_path: Path, create: Create) -> None:
    create(tmp_path / "run.db").close()
    with pytest.raises(StoreError, match="already there"):
        create(tmp_path / "run.db")


def test_a_plan_that_cannot_be_stored_leaves_no_run_behind(
    tmp_path: Path, make_header: Callable[..., RunHeader], cases: tuple[Case, ...]
) -> None:
    def broken() -> list[Call]:
        raise ValueError("no plan")

    with pytest.raises(ValueError, match="no plan"):
        RunWriter.create(tmp_path / "run.db", make_header(), cases, (call for call in broken()))
    assert list(tmp_path.iterdir()) == []


def test_a_second_writer_is_refused_with_the_process_that_writes(tmp_path: Path, create: Create) -> None:
    with create(tmp_path / "run.db") as writer, pytest.raises(RunBusyError, match=f"process {os.getpid()} is working"):
        RunWriter.open(writer.path)


def test_a_folder_that_cannot_be_made_is_a_store_error(tmp_path: Path, create: Create) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file"):
        create(tmp_path / "file" / "run.db")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_a_store_error(tmp_path: Path, create: Create) -> None:
    (tmp_path / "runs").mkdir(mode=0o500)
    with pytest.raises(StoreError, match="permissions"):
        create(tmp_path / "runs" / "run.db")


def test_a_full_disk_is_a_store_error_for_each_who_waits(
    tmp_path: Path, create: Create, calls: Calls, request_of: RequestOf, response_of: ResponseOf
) -> None:
    keys = [call.key for call in calls[:3]]

    async def record_all(writer: RunWriter) -> list[str]:
        big = os.urandom(200_000).hex()
        records = (writer.record(response_of(key, raw=big), request_of(key)) for key in keys)
        return [str(result) for result in await asyncio.gather(*records, return_exceptions=True)]

    def fill(connection: sqlite3.Connection) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")

    with create(tmp_path / "run.db") as writer:
        writer._do(fill)  # a disk that is full, as SQLite reports it
        assert [("the disk is full" in text) for text in asyncio.run(record_all(writer))] == [True] * 3


def test_a_lock_of_somebody_else_is_waited_for_once_and_not_once_for_each_who_waits(
    tmp_path: Path, create: Create
) -> None:
    with create(tmp_path / "run.db") as writer, closing(sqlite3.connect(tmp_path / "run.db")) as other:
        begun: list[str] = []
        writer._connection.set_trace_callback(begun.append)
        writer._connection.execute("PRAGMA busy_timeout = 0")
        other.execute("BEGIN IMMEDIATE")
        group = [_Job(lambda connection: put_meta(connection, [("key", "value")])) for _ in range(3)]
        writer._committer._commit(group)
        told = [str(job.done.exception()) for job in group]
    assert [("another process keeps it locked" in said) for said in told] == [True] * 3
    assert begun.count("BEGIN IMMEDIATE") == 1


def test_drafts_of_dead_processes_are_taken_away_and_those_of_living_ones_stay(tmp_path: Path, create: Create) -> None:
    for name in ("dead.draft", "dead.draft-journal", "alive.draft"):
        (tmp_path / name).write_bytes(b"")
    lock = RunLock.take(tmp_path / "alive.db")
    create(tmp_path / "run.db").close()
    lock.release()
    assert [path.name for path in tmp_path.glob("*.draft*")] == ["alive.draft"]


def test_what_a_killed_merge_left_is_taken_away_and_what_one_is_making_stays(tmp_path: Path, create: Create) -> None:
    for name in ("dead.merging", "dead.merging-wal", "dead.merging-shm", "dead.merging-journal"):
        (tmp_path / name).write_bytes(b"")
    with create(tmp_path / "alive.merging") as merging:
        create(tmp_path / "run.db").close()
        assert {path.stem for path in tmp_path.glob("*.merging*")} == {"alive"}
        merging.close(become=tmp_path / "alive.db")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alive.db", "run.db"]


def test_a_closed_writer_takes_nothing(tmp_path: Path, create: Create) -> None:
    writer = create(tmp_path / "run.db")
    writer.close()
    with pytest.raises(StoreError, match="closed"):
        writer.set_state("finished")


CHILD = textwrap.dedent(
    """
    import asyncio, itertools, sys
    from pathlib import Path
    from snapdrift.model import CallKey, Endpoint, Outcome, Request, Response
    from snapdrift.store import RunWriter, open_run

    path = Path(sys.argv[1])
    writer = RunWriter.open(path)
    with open_run(path) as run:
        answered = run.answered_keys()
        keys = iter([key for key in run.calls() if key not in answered])

    async def work():
        for key in keys:
            body = {"model": "gpt-4o", "input": key.case_id}
            request = Request(key, 0, Endpoint.RESPONSES, "https://api.openai.com/v1", body, "run/0/0")
            response = Response(key, Outcome.OK, "gpt-4o", text="x" * 500, raw="y" * 500)
            await writer.record(response, request)
            sys.stdout.write(key.case_id + "\\n")
            sys.stdout.flush()

    async def main():
        await asyncio.gather(*(work() for _ in range(8)))

    asyncio.run(main())
    """
)


def _killed_after(lines: int, path: Path) -> set[str]:
    """Starts a process that records, kills it once it reported so many records, and returns all that it reported."""
    with subprocess.Popen([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        seen = [child.stdout.readline() for _ in range(lines)]
        child.kill()
        seen += child.stdout.readlines()
    return {line.strip() for line in seen if line.endswith("\n")}


def test_no_record_that_was_awaited_is_lost_when_the_process_is_killed(
    tmp_path: Path, make_header: Callable[..., RunHeader]
) -> None:
    path, rng = tmp_path / "run.db", random.Random(20261122)
    calls = [Call(CallKey(f"case-{number}", "a", 0), number) for number in range(20_000)]
    RunWriter.create(path, make_header(), [], calls).close()
    reported: set[str] = set()
    for _ in range(5):
        reported |= _killed_after(rng.randrange(1, 400), path)
        with open_run(path) as run:
            stored = {key.case_id for key in run.answered_keys()}
        assert reported <= stored
    assert len(stored) - len(reported) <= 5 * 8
