"""Calls and scores read from the file as they are asked for: the same as in memory, any number of times."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from snapdrift.errors import StoreError
from snapdrift.model import (
    Attempt,
    Call,
    CallKey,
    Failure,
    FailureKind,
    MetricSpec,
    Outcome,
    Reason,
    Score,
    ScoreKind,
)
from snapdrift.store import RunWriter, open_run, streams
from snapdrift.store.handing import SLICE

CUT = Failure(FailureKind.CONNECTION, "cut off", retryable=True)
RIGHT = MetricSpec("right", "right", ScoreKind.PASS_FAIL)


@pytest.fixture
def path(tmp_path: Path, create, calls, request_of, response_of) -> Path:
    """A run of eight calls: five answered, one failed, two missing; and a judge's call."""
    judge = CallKey("one", "a", 0, "helpful")
    with create(tmp_path / "run.db") as writer:
        for call in reversed(calls[:5]):
            writer.record_now(response_of(call.key, attempts=(Attempt(1, "", 1.0),)), request_of(call.key))
        failed = calls[5].key
        writer.record_now(response_of(failed, outcome=Outcome.API_ERROR, usd=None, failure=CUT), request_of(failed))
        writer.add_calls([Call(judge, 8)])
        writer.record_now(response_of(judge, usd=0.5), request_of(judge))
    return tmp_path / "run.db"


def score(case_id: str, variant: str, metric: str, **more) -> Score:
    return Score(case_id, variant, 0, metric, 1.0, True, Reason.PASSED, version="exact/1:x", **more)


def test_calls_are_the_same_each_time_whatever_a_slice_holds(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "SLICE", 3)
    with open_run(path) as run:
        in_memory, read = run.results([RIGHT], {}), run.streamed_results([RIGHT], {})
        assert list(read.calls.items()) == list(read.calls.items()) == list(in_memory.calls.items())
        assert list(read.calls) == list(in_memory.calls)
        assert len(read.calls) == len(in_memory.calls) == 8
        assert {key: read.calls[key] for key in in_memory.calls} == in_memory.calls
        with pytest.raises(KeyError):
            read.calls[CallKey("nobody", "a", 0)]
        assert (read.judge_usd, read.judges) == (in_memory.judge_usd, in_memory.judges)


def test_scores_are_told_apart_by_variant_metric_and_whether_they_have_facts(path: Path) -> None:
    scores = [score("one", "a", "right"), score("one", "b", "right", facts={"votes": 1}), score("one", "a", "other")]
    with RunWriter.open(path) as writer:
        writer.replace_scores(scores)
    with open_run(path) as run:
        read = run.streamed_results([RIGHT], {})
        assert list(read.scores) == scores
        assert list(read.scores_of("a")) == [scores[0], scores[2]]
        assert list(read.scores_of("a", "other")) == [scores[2]]
        assert list(read.scores_with_facts()) == [scores[1]]
        assert run.score_versions() == (("right", "exact/1:x"), ("other", "exact/1:x"))


def test_what_is_open_is_what_has_no_measured_answer_in_planned_order(path: Path) -> None:
    with open_run(path) as run:
        answered = run.answered_keys()
        still = [key for key in run.calls() if not key.grader and key not in answered]
        assert list(run.open_calls()) == still
        failed = {response.call for response in run.responses() if response.outcome is Outcome.API_ERROR}
        assert run.failed_keys() == failed
        assert len(failed) == 1
        assert run.counts().answered == len(answered)
        assert run.counts().planned == len(run.calls())


def test_a_score_that_is_no_score_is_damage_when_it_is_read(path: Path) -> None:
    with RunWriter.open(path) as writer:
        writer.replace_scores([score("one", "a", "right")])
    with sqlite3.connect(path) as connection:
        connection.execute("""UPDATE scores SET record = '{"value": "high", "passed": true, "reason": "passed"}'""")
    with open_run(path) as run, pytest.raises(StoreError, match="score right of one"):
        list(run.streamed_results([RIGHT], {}).scores)


def test_scores_that_break_off_leave_those_that_were_there(path: Path) -> None:
    def breaking():
        for number in range(SLICE + 1):
            yield score(f"c{number}", "a", "right")
        raise RuntimeError("the grader's process is gone")

    with RunWriter.open(path) as writer:
        writer.replace_scores([score("one", "a", "right")])
        with pytest.raises(RuntimeError, match="is gone"):
            writer.replace_scores(breaking())
    with open_run(path) as run:
        assert [one.case_id for one in run.scores()] == ["one"]
