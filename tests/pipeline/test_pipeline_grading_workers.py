"""Large runs graded by several processes: the same scores, or those that were there before."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from snapdrift.graders.registry import Registry
from snapdrift.model import Call, CallKey, Case, Endpoint, Gate, Outcome, Request, Response
from snapdrift.pipeline import grading_beside as grading_beside_module
from snapdrift.pipeline import grading_workers
from snapdrift.pipeline.grader_code import GraderCode
from snapdrift.pipeline.grading import grade_answers
from snapdrift.pipeline.grading_beside import GRADED_BY, grading_beside
from snapdrift.pipeline.grading_workers import started_workers, store_scores, store_scores_of_workers, workers_for
from snapdrift.pipeline.options import RunOptions, TargetOptions
from snapdrift.pipeline.running import run_suites
from snapdrift.pipeline.sharding import with_share_of_budget
from snapdrift.store import RunHeader, RunWriter, open_run
from snapdrift.store.inserts import put_response
from snapdrift.store.score_frames import WorkerFailedError
from snapdrift.suites.resolved import Suite, suite_from_stored

NOTHING = GraderCode()
GRADERS: tuple[dict[str, Any], ...] = (
    {"name": "queue", "exact": "{{ expected.queue }}", "extract": {"json": "queue", "mode": "fenced"}},
    {"name": "valid", "schema": {"type": "object", "properties": {"total": {"type": "number"}}}},
    {"name": "fields", "json_equal": "{{ expected }}", "fields": {"queue": "casefold", "total": {"number": 0.1}}},
    {"name": "kind", "choice": ["billing", "sales"], "expected": "{{ expected.queue }}", "extract": {"json": "queue"}},
    {"name": "some", "when": {"tag": "even"}, "any": [{"contains": "sales"}, {"contains": "billing"}]},
    {"name": "fast", "latency": 1.0},
)
ANSWERS = (
    '{"queue": "billing", "total": 1.5}',
    '{"queue": "Sales \\ud800", "total": "three \\u0000"}',
    '```json\n{"queue": "billing", "total": 1e400}\n```',
    "half a pair \ud83d",
    '{"queue": ' * 200,
    '{"queue": NaN}',
    "",
    "x" * 100_000,
)

# A family that a package brings; in a worker, and about one case, it does what is put in.
FAMILY = '''\
import os, signal, sys, time
from typing import Any, ClassVar
from pydantic import Field
from snapdrift.graders.base import Grader
from snapdrift.graders.marks import Mark

WORKS = getattr(sys.modules["__main__"].__spec__, "name", "") == "snapdrift.graders.worker"

class Brought(Grader):
    """Passes when the answer holds a text."""
    family: ClassVar[str] = "brought"
    brought: str = Field(description="The text.")

    def mark(self, case: Any, value: Any) -> Mark:
        if WORKS and case.id == "c100":
            {does}
        return Mark.of(self.brought in value)
'''


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., tuple[Path, Suite]]:
    """Makes a run file of `cases` cases and two variants, with every kind of answer, and its suite."""

    def make(cases: int = 150, *more: dict[str, Any]) -> tuple[Path, Suite]:
        rows = tuple(
            Case(f"c{number}", expected={"queue": "billing", "total": number}, tags=("even",) * (number % 2 == 0))
            for number in range(cases)
        )
        registry = Registry()
        parsed = [registry.parse(entry, default_extract=None, read=str, cases=rows) for entry in (*GRADERS, *more)]
        suite = Suite("many", "", "evals/many.yaml", "", rows, "0", {}, tuple(parsed), {"default": Gate("default", ())})
        suite = suite_from_stored(json.loads(json.dumps(suite.to_stored())), rows, registry)
        keys = [CallKey(case.id, variant, 0) for case in rows for variant in ("august", "november")]
        path = tmp_path / "run.db"
        calls = [Call(key, len(keys) - number) for number, key in enumerate(keys)]
        with RunWriter.create(path, _header(suite), rows, calls) as writer:
            asyncio.run(writer.apply(lambda connection: _put(connection, keys)))
        return path, suite

    return make


def _put(connection: Any, keys: list[CallKey]) -> None:
    for number, key in enumerate(keys):
        outcome = (Outcome.OK, Outcome.OK, Outcome.OK, Outcome.REFUSED, Outcome.API_ERROR)[number % 5]
        text = ANSWERS[number % len(ANSWERS)]
        response = Response(key, outcome, "gpt-4o-2024-08-06", text=text, latency_ms=900.0 + number, refusal="No.")
        put_response(connection, response, Request(key, 0, Endpoint.RESPONSES, "http://x/v1", {}, "x"))


def _header(suite: Suite) -> RunHeader:
    return RunHeader(
        run_id="run", suite=suite.name, gate="default", started_at="", seed=0, attempt=1, identity="x",
        suite_stored=suite.to_stored(), suite_hash="x", dataset_hash="0", versions={}, git_commit=None, git_dirty=None,
        catalog={}, assumptions={}, planned_repeats=1, partial=False, command="", variants=(),
    )  # fmt: skip


@pytest.fixture
def brought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Installs a package with a family that does something in a worker, on the path of this process alone."""
    monkeypatch.setattr(sys, "path", sys.path[:])

    def install(does: str) -> None:
        folder = tmp_path / "bringing-1.0"
        information = folder / "bringing-1.0.dist-info"
        information.mkdir(parents=True)
        (folder / "bringing_graders.py").write_text(FAMILY.replace("{does}", does))
        (information / "METADATA").write_text("Metadata-Version: 2.1\nName: bringing\nVersion: 1.0\n")
        (information / "entry_points.txt").write_text("[snapdrift.graders]\nbrought = bringing_graders:Brought\n")
        sys.path.append(str(folder))

    yield install
    sys.modules.pop("bringing_graders", None)


def stored_rows(path: Path) -> list[tuple[Any, ...]]:
    with open_run(path) as stored:
        return list(stored._rows("SELECT * FROM scores ORDER BY id"))


def graded_here(path: Path, suite: Suite) -> list[tuple[Any, ...]]:
    with RunWriter.open(path) as writer, open_run(path) as stored:
        writer.replace_scores(grade_answers(stored, suite, NOTHING))
    return stored_rows(path)


@pytest.mark.parametrize("count", [1, 3])
def test_several_processes_store_byte_for_byte_what_one_does(made, count):
    path, suite = made()
    alone = graded_here(path, suite)

    with RunWriter.open(path) as writer, open_run(path) as stored:
        writer.replace_scores([])
        times = store_scores_of_workers(writer, stored, count)

    assert len(alone) > 1_500
    assert stored_rows(path) == alone
    assert len(times) == count
    assert all(one.grading_s > 0 for one in times)


def test_a_family_of_an_installed_package_grades_in_a_worker_and_may_print(made, brought):
    brought("print('to standard output'); os.write(1, b'more of it')")
    path, suite = made(150, {"brought": "billing"})
    alone = graded_here(path, suite)

    with RunWriter.open(path) as writer, open_run(path) as stored:
        writer.replace_scores([])
        store_scores_of_workers(writer, stored, 2)

    assert stored_rows(path) == alone


@pytest.mark.parametrize("does", ["os.kill(os.getpid(), signal.SIGKILL)", "os._exit(0)"])
def test_a_worker_that_is_killed_or_ends_leaves_the_scores_that_were_there(made, brought, does):
    brought(does)
    path, suite = made(150, {"brought": "billing"})
    before = graded_here(path, suite)[:7]

    with RunWriter.open(path) as writer, open_run(path) as stored:
        writer.replace_scores(stored.scores()[:7])
        with pytest.raises(WorkerFailedError, match="it ended"):
            store_scores_of_workers(writer, stored, 2)

    assert stored_rows(path) == before


def test_where_a_worker_fails_one_process_grades_all_and_says_so(made, brought, monkeypatch):
    monkeypatch.setattr(grading_workers, "FEWEST_ANSWERS", 1)
    monkeypatch.setattr(grading_workers, "_cores", lambda: 2)
    brought("os.kill(os.getpid(), signal.SIGKILL)")
    path, suite = made(150, {"brought": "billing"})
    alone = graded_here(path, suite)
    told: list[str] = []

    with RunWriter.open(path) as writer, open_run(path) as stored:
        writer.replace_scores([])
        store_scores(writer, stored, suite, NOTHING, told.append)

    assert stored_rows(path) == alone
    assert len(told) == 1
    assert "grading goes on in one process" in told[0]


def test_a_large_run_is_graded_by_several_processes(made, brought, monkeypatch, tmp_path):
    monkeypatch.setattr(grading_workers, "FEWEST_ANSWERS", 300)
    monkeypatch.setattr(grading_workers, "_cores", lambda: 2)
    brought(f"open({str(tmp_path / 'a worker was here')!r}, 'w').close()")
    path, suite = made(150, {"brought": "billing"})
    told: list[str] = []

    with RunWriter.open(path) as writer, open_run(path) as stored:
        store_scores(writer, stored, suite, NOTHING, told.append)

    assert (tmp_path / "a worker was here").exists()
    assert told == []
    assert stored_rows(path) == graded_here(path, suite)


def test_workers_end_with_whatever_ends_the_grading(made):
    path, _ = made(2)
    with open_run(path) as stored:
        with pytest.raises(KeyboardInterrupt), started_workers(stored, 2) as workers:
            raise KeyboardInterrupt
        assert [worker.returncode for worker in workers] == [-signal.SIGKILL] * 2


SCRIPT = """\
import sys
from snapdrift.pipeline.grading_workers import store_scores_of_workers
from snapdrift.store import RunWriter, open_run
with RunWriter.open(sys.argv[1]) as writer, open_run(writer.path) as stored:
    store_scores_of_workers(writer, stored, 2)
"""


def test_ctrl_c_ends_the_workers_and_leaves_the_scores_that_were_there(made, brought, tmp_path):
    note = tmp_path / "pid"
    brought(f"open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(600)")
    path, suite = made(150, {"brought": "billing"})
    before = graded_here(path, suite)
    script = SCRIPT.replace("sys.argv[1]", f"__import__('pathlib').Path({str(path)!r})")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    process = subprocess.Popen([sys.executable, "-c", script], env=environment, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not (note.exists() and note.read_text()):
        assert process.poll() is None, "it ended before its worker slept"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)

    assert b"KeyboardInterrupt" in said
    with pytest.raises(ProcessLookupError):
        os.kill(int(note.read_text()), 0)
    assert stored_rows(path) == before


# ------------------------------------------------------------------------------------------- when one process grades


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grading_workers, "FEWEST_ANSWERS", 300)
    monkeypatch.setattr(grading_workers, "_cores", lambda: 2)


def test_a_run_of_many_answers_is_worth_a_worker_for_each_core(made, two_cores, monkeypatch):
    path, suite = made(150)
    with open_run(path) as stored:
        assert workers_for(stored, suite) == 2
        monkeypatch.setattr(grading_workers, "_cores", lambda: 64)
        assert workers_for(stored, suite) == grading_workers.MOST_WORKERS


def test_fewer_answers_are_graded_by_this_process(made, two_cores):
    path, suite = made(149)
    with open_run(path) as stored:
        assert workers_for(stored, suite) == 1


def test_a_suite_that_is_not_the_one_in_the_run_file_is_graded_by_this_process(made, two_cores):
    path, suite = made(150)
    with open_run(path) as stored:
        assert workers_for(stored, replace(suite, graders=suite.graders[:1])) == 1
        assert workers_for(stored, replace(suite, dataset_hash="that of other cases")) == 1


def test_a_shard_is_graded_by_several_processes_whatever_its_part_of_the_budget(made, two_cores):
    path, suite = made(150)
    part = with_share_of_budget(replace(suite, budget_usd=1.0), "default", 1, 4)
    assert part.gates["default"].budget_usd == 0.25
    with open_run(path) as stored:
        assert workers_for(stored, part) == 2


def test_a_judge_is_not_read_by_workers(made, two_cores):
    judge = {"name": "kind", "judge": {"criteria": ["It is kind."], "model": "gpt-4o-2024-11-20"}}
    path, suite = made(150, {**judge, "name": "polite"})
    with open_run(path) as stored:
        assert workers_for(stored, suite) == 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system lets nobody choose cores")
def test_on_one_core_there_are_no_workers(made, monkeypatch):
    monkeypatch.setattr(grading_workers, "FEWEST_ANSWERS", 1)
    path, suite = made(2)
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        with open_run(path) as stored:
            assert workers_for(stored, suite) == 1
    finally:
        os.sched_setaffinity(0, before)


# ------------------------------------------------------------------------------- while answers are still waited for


@pytest.fixture
def beside_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of any size is graded beside its asking."""
    monkeypatch.setattr(grading_beside_module, "FEWEST_TO_ASK", 0)
    monkeypatch.setattr(grading_workers, "_cores", lambda: 2)


def without_ids(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [row[1:] for row in rows]


def test_answers_graded_as_they_come_read_back_in_the_order_of_the_plan(made, beside_at_once):
    path, suite = made()
    alone = graded_here(path, suite)

    with RunWriter.open(path) as writer, open_run(path) as stored:
        with grading_beside(writer, stored, suite, pytest.fail) as beside:
            assert beside is not None
            for response in list(stored.responses())[:40:-1]:
                beside.take(response)
            beside.close()
            graded = len({(row[1], row[2]) for row in stored._rows("SELECT * FROM scores")})
        store_scores(writer, stored, suite, NOTHING, pytest.fail)
        marker = stored.meta(GRADED_BY)

    assert graded > 150
    assert without_ids(stored_rows(path)) == without_ids(alone)
    assert marker == ""


def test_where_the_process_beside_dies_the_rest_is_graded_when_all_are_there(made, beside_at_once, brought):
    brought("os.kill(os.getpid(), signal.SIGKILL)")
    path, suite = made(150, {"brought": "billing"})
    alone = graded_here(path, suite)
    told: list[str] = []

    with RunWriter.open(path) as writer, open_run(path) as stored:
        with grading_beside(writer, stored, suite, told.append) as beside:
            assert beside is not None
            for response in stored.responses():
                beside.take(response)
            beside.close()
        store_scores(writer, stored, suite, NOTHING, told.append)

    assert without_ids(stored_rows(path)) == without_ids(alone)
    assert "graded them failed" in told[0]


def test_scores_that_another_suite_or_program_made_are_not_gone_on_with(made, beside_at_once):
    path, suite = made(20)
    graded_here(path, suite)

    with RunWriter.open(path) as writer, open_run(path) as stored:
        writer.set_meta(GRADED_BY, "another")
        with grading_beside(writer, stored, suite, pytest.fail) as beside:
            assert beside is not None
            beside.close()
        left = stored.scores()

    assert left == ()


def test_an_interrupted_run_keeps_the_scores_that_its_own_suite_made(made, beside_at_once):
    path, suite = made(20)
    with RunWriter.open(path) as writer, open_run(path) as stored:
        with grading_beside(writer, stored, suite, pytest.fail) as beside:
            assert beside is not None
            for response in stored.responses():
                beside.take(response)
            beside.close()
        before = stored.scores()
        with grading_beside(writer, stored, suite, pytest.fail) as beside:
            assert beside is not None
            beside.close()
        after = stored.scores()

    assert before
    assert after == before


def test_what_was_graded_singly_is_replaced_as_a_whole_when_another_suite_grades(made):
    path, suite = made(20)
    alone = graded_here(path, suite)
    with RunWriter.open(path) as writer, open_run(path) as stored:
        writer.begin_scores(GRADED_BY, "another")
        store_scores(writer, stored, suite, NOTHING, pytest.fail)
        marker = stored.meta(GRADED_BY)

    assert stored_rows(path) == alone
    assert marker == ""


def test_a_run_is_concluded_alike_whether_graded_beside_or_at_the_end(workspace, monkeypatch):
    root = workspace(wrong={"gpt-4o-2024-11-20": 12})
    options = RunOptions(
        target=TargetOptions(standin=True, recordings=(root / "datasets" / "recordings.jsonl",)), fresh=True
    )
    found = []
    for fewest in (10**9, 0):
        monkeypatch.setattr(grading_beside_module, "FEWEST_TO_ASK", fewest)
        monkeypatch.setattr(grading_workers, "_cores", lambda: 2)
        (outcome,) = run_suites([root / "evals" / "capitals.yaml"], options)
        with open_run(outcome.run_path) as stored:
            found.append((outcome.evaluation.comparisons, outcome.evaluation.metrics, stored.scores()))

    assert len(found[0][2]) == 120
    assert found[0] == found[1]
