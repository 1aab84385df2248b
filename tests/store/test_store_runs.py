from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from snapdrift.errors import StoreError
from snapdrift.store import RunState, RunWriter, find_run, list_runs, new_run_id

Create = Callable[[Path], RunWriter]
OLD, NEW, NEWEST = "20261120-100000-aaaa", "20261122-100000-bbbb", "20261122-110000-cccc"


@pytest.fixture
def runs_dir(tmp_path: Path, create: Create) -> Path:
    """A folder with three runs and a file that is none."""
    for run_id in (NEW, OLD, NEWEST):
        create(tmp_path / f"{run_id}.db").close()
    (tmp_path / "20261123-000000-dddd.db").write_text("not a database, but newer")
    return tmp_path


def test_a_run_id_is_its_start_in_utc_and_two_drawn_digits() -> None:
    now = datetime(2026, 11, 22, 15, 3, 5, 500_000, tzinfo=timezone(timedelta(hours=1)))
    assert new_run_id(now, random.Random(3)) == f"20261122-140305-80{random.Random(3).getrandbits(8):02x}"


def test_ids_of_runs_that_start_in_one_second_sort_as_they_start() -> None:
    second, rng = datetime(2026, 11, 22, 14, 3, 5, tzinfo=UTC), random.Random(3)
    ids = [new_run_id(second + timedelta(microseconds=n), rng) for n in range(0, 1_000_000, 10_000)]
    assert ids == sorted(ids)


def test_run_ids_of_one_moment_differ() -> None:
    now, rng = datetime(2026, 11, 22, tzinfo=UTC), random.Random(3)
    assert new_run_id(now, rng) != new_run_id(now, rng)


def test_runs_are_listed_newest_first_without_what_is_no_run(runs_dir: Path) -> None:
    assert [run.run_id for run in list_runs(runs_dir)] == [NEWEST, NEW, OLD]


def test_a_listed_run_says_what_it_is(runs_dir: Path) -> None:
    run = list_runs(runs_dir)[0]
    assert (run.suite, run.gate, run.state, run.identity, run.decision) == (
        "sums",
        "default",
        RunState.RUNNING,
        "identity",
        None,
    )


def test_a_folder_that_is_not_there_has_no_runs(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "none") == ()


@pytest.mark.parametrize(
    ("text", "run_id"), [("latest", NEWEST), (OLD, OLD), ("20261120", OLD), ("20261122-11", NEWEST)]
)
def test_a_run_is_found_by_latest_by_its_id_and_by_a_unique_beginning(runs_dir: Path, text: str, run_id: str) -> None:
    assert find_run(text, runs_dir) == runs_dir / f"{run_id}.db"


def test_a_run_is_found_by_its_path(runs_dir: Path, tmp_path: Path) -> None:
    path = runs_dir / f"{OLD}.db"
    assert find_run(str(path), tmp_path / "other") == path


def test_a_beginning_of_two_runs_is_an_error_that_lists_them(runs_dir: Path) -> None:
    with pytest.raises(StoreError, match=f"begins 2 runs: {NEWEST}, {NEW}; type more"):
        find_run("20261122", runs_dir)


def test_an_unknown_run_is_an_error_that_lists_what_there_is(runs_dir: Path) -> None:
    with pytest.raises(StoreError, match=rf"'nope' is neither .* has .*{NEWEST}, {NEW}, {OLD}"):
        find_run("nope", runs_dir)


def test_latest_of_no_runs_is_an_error_that_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no runs in .*snapdrift run"):
        find_run("latest", tmp_path)
