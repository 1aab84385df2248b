from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snapdrift.conclusions import Decision, Evaluation
from snapdrift.errors import NewerFormatError, StoreError
from snapdrift.model import (
    Attempt,
    Call,
    CallKey,
    Case,
    DecisionWord,
    Failure,
    FailureKind,
    Gate,
    MetricSpec,
    Outcome,
    Reason,
    Request,
    Response,
    Score,
    ScoreKind,
)
from snapdrift.store import FORMAT, SPARED, RunHeader, RunState, RunWriter, open_run
from snapdrift.store.format import LARGEST_VALUE, compress, decompress

Create = Callable[[Path], RunWriter]
RequestOf = Callable[[CallKey], Request]
ResponseOf = Callable[..., Response]
Calls = tuple[Call, ...]

CUT = Failure(FailureKind.CONNECTION, "cut", retryable=True, may_have_run=True)
EXACT = MetricSpec("exact", "exact", ScoreKind.PASS_FAIL)
EVALUATION = Evaluation(Gate("default"), (), (), (), (), (), Decision(DecisionWord.PASSED))


@pytest.fixture
def path(tmp_path: Path, create: Create, calls: Calls, request_of: RequestOf, response_of: ResponseOf) -> Path:
    """A run of eight calls: five answered, one failed, two missing; and a judge's call."""
    judge = CallKey("one", "a", 0, "helpful")
    with create(tmp_path / "run.db") as writer:
        for call in reversed(calls[:5]):
            writer.record_now(response_of(call.key), request_of(call.key))
        failed = calls[5].key
        attempts = (Attempt(1, "", 1.0, CUT), Attempt(2, "", 1.0, CUT))
        response = response_of(failed, outcome=Outcome.API_ERROR, usd=None, failure=CUT, attempts=attempts)
        writer.record_now(response, request_of(failed))
        writer.add_calls([Call(judge, 8)])
        writer.record_now(response_of(judge, usd=0.5), request_of(judge))
        writer.add_scores([Score("one", "a", 0, "exact", 1.0, passed=True, reason=Reason.PASSED, extracted=["2"])])
    return writer.path


def change(path: Path, statement: str, *parameters: object) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(statement, parameters)
    connection.close()


def test_the_header_reads_back_as_it_was_written(path: Path, make_header: Callable[..., RunHeader]) -> None:
    with open_run(path) as run:
        assert run.header == make_header(run_id="run")


def test_items_are_given_on_while_their_cases_are_read_a_few_at_a_time(tmp_path: Path, create: Create) -> None:
    cases = [Case(f"c{n}", {"n": n}) for n in range(50)]
    with create(tmp_path / "many.db") as writer:
        writer.add_cases(cases)
    asked = [f"c{n * 7 % 50}" for n in range(120)]
    with open_run(tmp_path / "many.db") as run:
        known = run.known_cases()
        found = [(case_id, known[case_id]) for case_id in known.ahead(iter(asked), str)]
        assert found == [(case_id, cases[int(case_id[1:])]) for case_id in asked]
        with pytest.raises(StoreError, match="damaged, it has calls of case gone and no such case"):
            [known[case_id] for case_id in known.ahead(["c1", "gone"], str)]


def test_cases_read_back_in_the_order_of_the_dataset(path: Path, cases: tuple[Case, ...]) -> None:
    with open_run(path) as run:
        assert run.cases() == cases


def test_calls_read_back_in_planned_order_with_the_judges_behind(path: Path, calls: Calls) -> None:
    with open_run(path) as run:
        assert run.planned() == (*calls, Call(CallKey("one", "a", 0, "helpful"), 8))


def test_responses_come_in_planned_order_whatever_order_they_were_recorded_in(path: Path) -> None:
    with open_run(path) as run:
        keys = [response.call for response in run.responses()]
        assert keys == [key for key in run.calls() if key in keys]


def test_calls_that_failed_or_are_missing_do_not_count_as_answered(path: Path, calls: Calls) -> None:
    with open_run(path) as run:
        assert {key for key in run.answered_keys() if not key.grader} == {call.key for call in calls[:5]}


def test_nothing_is_there_of_a_call_that_was_not_asked(path: Path, calls: Calls) -> None:
    with open_run(path) as run:
        assert (run.response(calls[7].key), run.request(calls[7].key)) == (None, None)


def test_a_run_that_was_not_evaluated_has_no_evaluation(path: Path) -> None:
    with open_run(path) as run:
        assert (run.evaluation, run.finished_at, run.state) == (None, None, RunState.RUNNING)


def test_the_evaluation_reads_back_as_it_was_set(path: Path) -> None:
    with RunWriter.open(path) as writer:
        writer.set_evaluation(EVALUATION)
    with open_run(path) as run:
        assert run.evaluation == EVALUATION


def test_results_have_every_planned_answer_call_and_no_judges(path: Path, calls: Calls) -> None:
    with open_run(path) as run:
        results = run.results([EXACT], {"exact": frozenset({"one"})})
    outcomes = [results.calls[call.key].outcome for call in calls]
    assert outcomes == [Outcome.OK] * 5 + [Outcome.API_ERROR] + [Outcome.MISSING] * 2
    assert len(results.calls) == 8


def test_results_count_the_requests_of_a_call_and_none_of_a_missing_one(
    path: Path, calls: Calls, request_of: RequestOf, response_of: ResponseOf
) -> None:
    asked = calls[6].key
    with RunWriter.open(path) as writer:
        writer.record_now(response_of(asked, attempts=(Attempt(1, "", 1.0),)), request_of(asked))
    with open_run(path) as run:
        results = run.results([EXACT], {})
    assert (results.calls[asked].requests, results.calls[calls[7].key].requests) == (1, 0)


def test_results_keep_what_judging_cost_apart(path: Path) -> None:
    with open_run(path) as run:
        assert run.results([EXACT], {}).judge_usd == {"a": 0.5, "b": 0.0}


def test_spending_counts_unknown_fates_at_their_worst_case(path: Path) -> None:
    with open_run(path) as run:
        assert run.spent_usd(lambda _: 2.0) == pytest.approx(5 * 0.25 + 0.5 + 2 * 2.0)


def test_what_a_replaced_answer_cost_stays_spent(
    path: Path, calls: Calls, request_of: RequestOf, response_of: ResponseOf
) -> None:
    with open_run(path) as run:
        before = run.spent_usd(lambda _: 2.0)
    key = calls[0].key
    with RunWriter.open(path) as writer:
        for _ in range(2):
            writer.record_now(response_of(key), request_of(key))
    with open_run(path) as run:
        assert run.spent_usd(lambda _: 2.0) == pytest.approx(before + 2 * 0.25)


def test_frames_have_a_row_for_each_planned_call(path: Path) -> None:
    with open_run(path) as run:
        frames = run.frames()
    assert frames.calls["outcome"].value_counts().to_dict() == {"ok": 6, "missing": 2, "api_error": 1}
    assert frames.scores[["metric", "passed"]].to_numpy().tolist() == [["exact", True]]


def test_reading_leaves_no_file_behind_and_changes_none(path: Path) -> None:
    before = path.read_bytes()
    with open_run(path) as run:
        list(run.responses())
    assert (path.read_bytes(), [file.name for file in path.parent.iterdir()]) == (before, ["run.db"])


def test_a_copy_made_while_the_writer_lived_is_read_without_its_log(
    tmp_path: Path, path: Path, calls: Calls, request_of: RequestOf, response_of: ResponseOf
) -> None:
    copy = tmp_path / "elsewhere" / "copy.db"
    copy.parent.mkdir()
    with RunWriter.open(path) as writer:
        writer.record_now(response_of(calls[6].key), request_of(calls[6].key))
        shutil.copy(path, copy)
    with open_run(copy) as run:
        assert len(run.calls()) == 9
    assert [file.name for file in copy.parent.iterdir()] == ["copy.db"]


def test_a_copy_with_its_log_is_read_with_what_is_in_the_log_and_both_stay_as_they_are(
    tmp_path: Path, path: Path, calls: Calls, request_of: RequestOf, response_of: ResponseOf
) -> None:
    copy = tmp_path / "elsewhere" / "copy.db"
    log = copy.with_name("copy.db-wal")
    copy.parent.mkdir()
    with RunWriter.open(path) as writer:
        writer.record_now(response_of(calls[6].key), request_of(calls[6].key))
        shutil.copy(path, copy)
        shutil.copy(path.with_name(f"{path.name}-wal"), log)
    before = (copy.read_bytes(), log.read_bytes())

    with open_run(copy) as run:
        assert run.response(calls[6].key) is not None

    assert (copy.read_bytes(), log.read_bytes()) == before
    assert {file.name for file in copy.parent.iterdir()} == {"copy.db", "copy.db-wal", "copy.db-shm"}


def test_a_writer_can_work_while_a_reader_is_in_the_middle(
    path: Path, calls: Calls, request_of: RequestOf, response_of: ResponseOf
) -> None:
    with RunWriter.open(path) as writer, open_run(path) as run:
        responses = run.responses()
        next(responses)
        writer.record_now(response_of(calls[6].key), request_of(calls[6].key))
        assert len(list(responses)) == 6


# ---------------------------------------------------------------------------------------------------- files of others


def test_a_file_that_is_not_there_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no such run file"):
        open_run(tmp_path / "none.db")


def test_a_newer_format_is_an_error_with_both_numbers_and_the_mend(path: Path) -> None:
    change(path, f"PRAGMA user_version = {FORMAT + 1}")
    with pytest.raises(NewerFormatError, match=f"run format {FORMAT + 1}.*up to format {FORMAT}; upgrade snapdrift"):
        open_run(path)


def test_another_programs_database_is_no_run_file(tmp_path: Path) -> None:
    change(tmp_path / "other.db", "CREATE TABLE t (x)")
    with pytest.raises(StoreError, match="not a Snapdrift run file"):
        open_run(tmp_path / "other.db")


def test_a_view_in_the_place_of_a_table_is_refused(path: Path) -> None:
    change(path, "DROP TABLE scores")
    change(path, "CREATE VIEW scores AS SELECT 1 AS id")
    with pytest.raises(StoreError, match="its tables are not those"):
        open_run(path)


def test_a_trigger_is_refused(path: Path) -> None:
    change(path, "CREATE TRIGGER t AFTER INSERT ON scores BEGIN DELETE FROM responses; END")
    with pytest.raises(StoreError, match="its tables are not those"):
        RunWriter.open(path)


def test_a_refused_file_leaves_no_lock_behind(path: Path) -> None:
    change(path, "PRAGMA application_id = 1")
    with pytest.raises(StoreError, match="not a Snapdrift run file"):
        RunWriter.open(path)
    assert [file.name for file in path.parent.iterdir()] == ["run.db"]


def test_a_record_that_is_none_is_an_error_that_names_the_response(path: Path) -> None:
    change(path, "UPDATE responses SET record = '[]'")
    with open_run(path) as run, pytest.raises(StoreError, match=r"response .*: found .*, expected a Response"):
        list(run.responses())


def test_a_packed_text_that_would_fill_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snapdrift.store.format.LARGEST_VALUE", 1000)
    with pytest.raises(StoreError, match="over 1000 bytes"):
        decompress(compress("x" * 1001))
    assert LARGEST_VALUE > 1000


@given(st.text(st.characters(exclude_categories=())))
def test_packed_text_unpacks_to_itself(text: str) -> None:
    assert decompress(compress(text)) == text


@pytest.mark.parametrize("length", [8191, 8192, 8193, 200_000])
def test_a_text_unpacks_to_itself_however_long_it_is(length: int) -> None:
    text = "".join(str(n * n) for n in range(length))[:length]
    assert decompress(compress(text)) == text


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_file_is_read_or_refused_but_never_crashes(path: Path, data: st.DataObject) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 30))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    damaged = path.with_name("damaged.db")
    damaged.write_bytes(content[: data.draw(st.sampled_from([len(content), len(content) // 2, 50]))])
    assert _reads_or_refuses(damaged) in ("read", "refused")


def _reads_or_refuses(path: Path) -> str:
    """Which of the two happened; any other error comes out and fails the test."""
    try:
        with open_run(path) as run:
            list(run.responses())
            run.results([EXACT], {})
    except StoreError:
        return "refused"
    return "read"


def test_what_a_stopped_run_did_not_need_is_told_from_what_is_missing(path: Path) -> None:
    with RunWriter.open(path) as writer:
        writer.set_meta(SPARED, json.dumps(["two"]))
    with open_run(path) as run:
        results = run.results([EXACT], {"exact": frozenset({"one", "two"})})
        frames = run.frames()

    missing, unneeded = Outcome.MISSING, Outcome.NOT_NEEDED
    unanswered = {key: r.outcome for key, r in results.calls.items() if r.outcome in (missing, unneeded)}
    tabled = frames.calls[frames.calls.outcome.isin([missing, unneeded])]

    assert len(unanswered) == len(tabled) == 2
    assert unanswered == {key: unneeded if key.case_id == "two" else missing for key in unanswered}
    assert sorted(tabled.outcome) == sorted(unanswered.values())


def test_a_list_of_spared_cases_that_is_none_is_damage(path: Path) -> None:
    with RunWriter.open(path) as writer:
        writer.set_meta(SPARED, '{"two": 1}')
    with open_run(path) as run, pytest.raises(StoreError, match="spared"):
        run.spared_cases()
