"""What a report reads of a run file, a few cases at a time."""

from __future__ import annotations

import gc
import sqlite3
from pathlib import Path

import pytest

from snapdrift.errors import StoreError
from snapdrift.store.report_rows import report_rows


@pytest.fixture
def path(tmp_path: Path, create, calls, request_of, response_of) -> Path:
    with create(tmp_path / "run.db") as writer:
        for call in calls:
            writer.record_now(response_of(call.key), request_of(call.key))
    return tmp_path / "run.db"


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_rows_that_nobody_reads_to_their_end_say_nothing_after_the_file_is_closed(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("UPDATE responses SET record = '[]' WHERE call = 2")
    connection.close()

    with pytest.raises(StoreError, match=r"response .*: found .*, expected a Response"), report_rows(path) as rows:
        list(rows.responses(["one", "two"]))
    gc.collect()
