"""Batches from submission to collection, against the stand-in over real sockets, with a run file on disk."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from snapdrift.execution.records import StopReason
from snapdrift.model import Endpoint, Failure, FailureKind, Outcome, Source, Variant
from snapdrift.openai_api.batches import BatchClient
from snapdrift.openai_api.errors import AttemptFailed
from snapdrift.store import RunWriter, open_run
from snapdrift.store.batches import BatchJournal

MODEL = "gpt-4o-2024-11-20"


class Killed(BaseException):
    """The process ends here: nothing of ours runs any more."""


def killed_at(method: str, *, after: bool) -> type[BatchClient]:
    """A client whose process is killed right before, or right after, the host did something."""

    class Client(BatchClient):
        pass

    async def fatal(self: BatchClient, *arguments: Any, **named: Any) -> Any:
        if after:
            await getattr(BatchClient, method)(self, *arguments, **named)
        raise Killed

    async def breaking(self: BatchClient, chunks: Any) -> Any:
        async for line in BatchClient._lines(self, chunks):
            yield line
            raise Killed

    setattr(Client, method, breaking if method == "_lines" else fatal)
    return Client


def failures(bench: Any) -> list[Failure]:
    return [response.failure for response in bench.responses() if response.failure is not None]


def test_every_call_is_answered_once_and_labelled_as_batched(bench):
    run = bench(cases=8)
    report = run.run()
    assert (report.stopped, report.answered, report.failed, report.missing) == (None, 8, 0, 0)
    assert report.complete
    responses = run.responses()
    assert {response.outcome for response in responses} == {Outcome.OK}
    assert {(response.batched, response.latency_ms) for response in responses} == {(True, None)}
    assert {response.source for response in responses} == {Source.SIMULATED}
    assert {response.usd for response in responses} == {0.001}
    assert {response.usage is not None and bool(response.attempts) for response in responses} == {True}
    assert set(run.submitted().values()) == {1}


def test_the_budget_is_charged_what_the_answers_cost(bench):
    run = bench(cases=8)
    run.run(limit_usd=1.0)
    assert run.budget.spent_usd == pytest.approx(0.008)
    assert run.budget.in_flight_usd == 0


def test_each_model_and_endpoint_gets_a_batch_of_its_own_and_variants_share_it(bench):
    variants = (
        Variant("november", MODEL, Endpoint.RESPONSES, {}, {}, batch=True),
        Variant("also", MODEL, Endpoint.RESPONSES, {"temperature": 0}, {}, batch=True),
        Variant("chat", MODEL, Endpoint.CHAT, {}, {}, batch=True),
        Variant("mini", "gpt-4o-mini", Endpoint.RESPONSES, {}, {}, batch=True),
    )
    run = bench(cases=3, variants=variants)
    run.run()
    assert run.outcomes() == {"ok": 12}
    assert sorted(event["requests"] for event in run.events("batch") if event["status"] == "completed") == [3, 3, 6]


def test_parts_are_split_by_requests_by_bytes_and_by_tokens(bench):
    run = bench(cases=7)
    run.run(max_requests=3)
    sizes = [event["requests"] for event in run.events("batch") if event["status"] == "completed"]
    assert sorted(sizes) == [1, 3, 3]


@pytest.mark.parametrize("settings", [{"max_bytes": 600}, {"enqueued_tokens": {"*": 16}}])
def test_parts_are_split_by_their_size(bench, settings):
    run = bench(cases=6)
    report = run.run(**settings)
    assert report.answered == 6
    assert len(run.created()) > 1
    assert set(run.submitted().values()) == {1}


def test_run_and_part_are_in_the_metadata_and_in_the_name_of_the_file(bench):
    run = bench(cases=2, batches={"fates": [{"stuck": True}]})
    run.run(wait=False)
    batch = next(iter(run.sdk().batches.list()))
    assert batch.metadata is not None
    assert batch.metadata["snapdrift_run"] == "20261122-140305-8f3a"
    assert run.sdk().files.retrieve(batch.input_file_id).filename == (
        f"snapdrift-20261122-140305-8f3a-{batch.metadata['snapdrift_part']}.jsonl"
    )


def test_input_files_are_deleted_once_everything_is_stored(bench):
    run = bench(cases=2)
    run.run()
    assert [file.purpose for file in run.sdk().files.list()] == ["batch_output"]


def test_looks_grow_rarer_from_5_seconds_to_a_minute(bench):
    run = bench(cases=1, batches={"poll_after_ms": None, "fates": [{"stuck": True}]})
    report = run.run(deadline=600.0)
    assert report.stopped is StopReason.DEADLINE
    assert run.clock.waits[:4] == pytest.approx([5.0, 7.5, 11.25, 16.875])
    assert max(run.clock.waits) == pytest.approx(60.0)


def test_the_host_says_when_to_look_again(bench):
    run = bench(cases=1, batches={"poll_after_ms": 1500})
    run.run()
    assert set(run.clock.waits) == {1.5}


def test_at_the_deadline_batches_stay_with_the_provider_and_are_collected_later(bench):
    run = bench(cases=4, batches={"poll_after_ms": 60_000})
    report = run.run(deadline=1.0)
    assert (report.stopped, report.under_way, report.batches) == (StopReason.DEADLINE, 4, 1)
    assert not run.responses()
    run.clock.seconds = 0.0
    assert run.run().answered == 4
    assert set(run.submitted().values()) == {1}


def test_ctrl_c_leaves_batches_with_the_provider(bench):
    run = bench(cases=4)
    report = run.run(cancel=lambda: True)
    assert (report.stopped, report.under_way) == (StopReason.CANCELLED, 4)
    assert run.budget.in_flight_usd == pytest.approx(0.04)
    assert run.run().answered == 4
    assert len(run.created()) == 1


def test_without_waiting_everything_is_submitted_and_collected_bit_by_bit(bench):
    run = bench(cases=5)
    first = run.run(wait=False, max_requests=2)
    assert (first.stopped, first.under_way, first.batches, first.unsent) == (StopReason.LEFT, 5, 3, 0)
    reports = [run.run(wait=False) for _ in range(3)]
    assert [report.under_way for report in reports] == [5, 5, 0]
    assert run.outcomes() == {"ok": 5}
    assert set(run.submitted().values()) == {1}


# ---------------------------------------------------------------------------------------------------- killed on the way


@pytest.mark.parametrize(
    ("method", "after"),
    [("upload", False), ("upload", True), ("create", False), ("create", True), ("retrieve", False), ("_lines", False)],
)
def test_a_process_that_ends_anywhere_submits_no_call_twice_and_loses_none(bench, method, after):
    run = bench(cases=6)
    with pytest.raises(Killed):
        run.run(client=killed_at(method, after=after))
    run.run()
    assert run.outcomes() == {"ok": 6}
    assert set(run.submitted().values()) == {1}
    assert len(run.created()) == 1
    uploads = [event for event in run.events("file") if event["purpose"] == "batch"]
    assert len(uploads) == 1


def test_a_process_that_ends_while_it_plans_sends_every_call_once(bench, monkeypatch):
    run = bench(cases=6)

    async def torn(*_: Any) -> Any:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(BatchJournal, "put", torn)
        with pytest.raises(Killed):
            run.run(max_requests=4)
    assert run.run(max_requests=4).answered == 6
    assert set(run.submitted().values()) == {1}


def test_a_download_that_breaks_off_is_begun_again_and_asks_nothing_again(bench):
    run = bench(cases=150)

    class Breaking(BatchClient):
        async def _lines(self, chunks: Any) -> Any:
            number = 0
            async for line in super()._lines(chunks):
                number += 1
                if number == 100 and not breaks:
                    breaks.append(number)
                    raise AttemptFailed(Failure(FailureKind.CONNECTION, "broke", retryable=True, may_have_run=True))
                yield line

    breaks: list[int] = []
    report = run.run(client=Breaking)
    assert (report.answered, breaks) == (150, [100])
    assert set(run.submitted().values()) == {1}
    assert not run.notices


# ------------------------------------------------------------------------------------------------- creation in the dark


@pytest.mark.parametrize("fate", ["reset", "bad_gateway"])
def test_a_batch_of_whose_creation_nothing_was_heard_is_found_and_not_created_again(bench, fate):
    run = bench(cases=3, batches={"fates": [{"created": fate}]})
    assert run.run().answered == 3
    assert len(run.created()) == 1


def test_a_host_that_refuses_the_upload_gives_every_call_its_words(bench):
    class Refusing(BatchClient):
        async def upload(self, *_: Any) -> str:
            raise AttemptFailed(Failure(FailureKind.BAD_REQUEST, "no batches here", retryable=False, status=404))

    run = bench(cases=3)
    assert run.run(client=Refusing).failed == 3
    assert {failure.message for failure in failures(run)} == {"no batches here"}
    assert {response.usd for response in run.responses()} == {0.0}


def test_a_run_file_of_somebody_else_deletes_no_file_of_ours(bench):
    class Refusing(BatchClient):
        async def create(self, *_: Any) -> Any:
            raise AttemptFailed(Failure(FailureKind.BAD_REQUEST, "no", retryable=False, status=400))

    async def point_at(file_id: str) -> None:
        with RunWriter.open(run.path) as writer:
            (part,) = await BatchJournal(writer).parts()
            await BatchJournal(writer).put(replace(part, file_id=file_id))

    run = bench(cases=2)
    with pytest.raises(Killed):
        run.run(client=killed_at("create", after=False))
    with run.sdk() as client:
        ours = client.files.create(file=("ours.jsonl", b"{}\n"), purpose="batch")
        asyncio.run(point_at(ours.id))
        assert run.run(client=Refusing).failed == 2
        assert client.files.retrieve(ours.id) == ours


def test_a_refused_key_stops_the_loop_and_keeps_the_part(bench):
    run = bench(cases=3, key="right")
    report = run.run()
    assert (report.stopped, report.unsent) == (StopReason.AUTHENTICATION, 3)
    assert not run.responses()


def test_a_batch_that_the_host_does_not_know_is_not_concluded_from(bench):
    run = bench(cases=3)
    run.run(wait=False)
    unknown = Failure(FailureKind.BAD_REQUEST, "No batch found", retryable=False, status=404)

    class Elsewhere(BatchClient):
        async def retrieve(self, *_: Any) -> Any:
            raise AttemptFailed(unknown)

    report = run.run(client=Elsewhere)
    assert (report.stopped, report.under_way) == (StopReason.PROVIDER_DOWN, 3)
    assert "cannot be looked up" in report.detail
    assert run.run().answered == 3


# ------------------------------------------------------------------------------------------------------- what came back


def test_what_finished_in_an_expired_batch_is_kept_and_the_rest_failed(bench):
    run = bench(cases=5, batches={"fates": [{"ends": "expired", "answered": 2}]})
    report = run.run()
    assert (report.answered, report.failed, report.missing) == (2, 3, 0)
    assert {failure.kind for failure in failures(run)} == {FailureKind.EXPIRED}
    assert run.budget.spent_usd == pytest.approx(0.002)
    assert run.run().answered == 0, "nothing is submitted again by itself"
    assert len(run.created()) == 1


def test_what_is_missing_is_submitted_again_on_demand_and_once(bench):
    run = bench(cases=5, batches={"fates": [{"ends": "expired", "answered": 2}, {"ends": "expired", "answered": 1}]})
    run.run()
    first = run.run(retry_missing=True)
    assert (first.answered, first.failed) == (1, 2)
    assert run.run(retry_missing=True).answered == 2
    assert run.outcomes() == {"ok": 5}
    assert sorted(run.submitted().values()) == [1, 1, 2, 3, 3]


def test_a_run_may_submit_again_what_it_finds_missing(bench):
    run = bench(cases=5, batches={"fates": [{"ends": "expired", "answered": 2}]})
    report = run.run(retry_missing=True)
    assert report.answered == 5
    assert run.outcomes() == {"ok": 5}
    assert sorted(run.submitted().values()) == [1, 1, 2, 2, 2]


def test_a_cancelled_batch_keeps_what_was_answered(bench):
    run = bench(cases=4, batches={"fates": [{"stuck": True, "answered": 1}]})
    run.run(wait=False)
    run.run(wait=False)
    with run.sdk() as client:
        client.batches.cancel(next(iter(run.created())))
    run.run()
    assert run.outcomes() == {"ok": 1, "api_error": 3}
    assert {failure.kind for failure in failures(run)} == {FailureKind.CANCELLED}


@pytest.mark.parametrize("empty", [False, True])
def test_a_batch_with_only_an_error_file_fails_each_call_as_it_fails_live(bench, empty):
    gone = (Variant("gone", "gpt-4o-2024-05-13", Endpoint.CHAT, {}, {}, batch=True),)
    run = bench(cases=3, variants=gone, today="2026-11-22", batches={"empty_ids": empty})
    report = run.run()
    assert (report.answered, report.failed) == (0, 3)
    assert {(failure.kind, failure.status) for failure in failures(run)} == {(FailureKind.MODEL_NOT_FOUND, 404)}
    assert run.budget.spent_usd == 0


def test_http_errors_of_lines_are_classified_like_live_ones(bench):
    run = bench(cases=3, faults="first=500")
    run.run()
    assert {(failure.kind, failure.status, failure.retryable) for failure in failures(run)} == {
        (FailureKind.SERVER, 500, True)
    }
    assert run.run(retry_missing=True).answered == 3
    assert [len(response.attempts) for response in run.responses()] == [2, 2, 2]


def test_lines_without_a_response_are_failures_and_lines_that_are_not_there_are_missing(bench):
    run = bench(cases=6, batches={"fates": [{"no_response": 2, "lost": 1}]})
    report = run.run(limit_usd=1.0)
    assert (report.answered, report.failed, report.missing) == (3, 2, 1)
    assert run.outcomes() == {"ok": 3, "api_error": 2, "missing": 1}
    assert run.budget.spent_usd == pytest.approx(3 * 0.001 + 0.01), "nobody knows whether it was billed"


def test_odd_lines_are_told_and_ignored(bench):
    run = bench(cases=8, batches={"fates": [{"twice": 2, "strange": 1, "broken": 1}]})
    report = run.run()
    assert (report.answered, report.missing) == (7, 1)
    assert len(run.notices) == 1
    assert "1 cannot be read, 2 came twice, 1 belong to no call" in run.notices[0]


def test_a_line_with_a_body_that_is_no_answer_is_malformed(bench):
    run = bench(cases=2)
    run.run(wait=False)

    class Odd(BatchClient):
        async def _lines(self, chunks: Any) -> Any:
            async for line in super()._lines(chunks):
                entry = json.loads(line or b"")
                entry["response"]["body"] = "oops"
                yield json.dumps(entry).encode()

    assert run.run(client=Odd, limit_usd=1.0).failed == 2
    assert {failure.kind for failure in failures(run)} == {FailureKind.MALFORMED}
    assert run.budget.spent_usd == pytest.approx(0.02)


def test_an_output_file_that_is_gone_makes_its_calls_missing(bench):
    run = bench(cases=3)
    while not any(event["status"] == "completed" for event in run.events("batch")):
        run.run(wait=False, client=killed_quietly("content"))
    with run.sdk() as client:
        for file in client.files.list():
            client.files.delete(file.id)
    assert run.run().missing == 3
    assert run.outcomes() == {"missing": 3}


def killed_quietly(method: str) -> type[BatchClient]:
    """A client that cannot reach the host for one thing."""

    class Client(BatchClient):
        pass

    def down(self: BatchClient, *arguments: Any, **named: Any) -> Any:
        raise AttemptFailed(Failure(FailureKind.CONNECTION, "down", retryable=True))

    setattr(Client, method, down)
    return Client


@pytest.mark.parametrize("code", ["invalid_json_line", "model_not_found", "something_new"])
def test_a_batch_that_fails_as_a_whole_says_so_for_every_call(bench, code):
    run = bench(cases=3, batches={"fates": [{"fails_with": code}]})
    assert run.run().failed == 3
    assert all(code in failure.message for failure in failures(run))
    assert run.budget.spent_usd == 0


def test_a_batch_without_quota_stops_the_run_and_its_calls_stay_unasked(bench):
    run = bench(cases=3, batches={"fates": [{"fails_with": "billing_hard_limit_reached"}]})
    assert run.run().stopped is StopReason.QUOTA
    assert not run.responses()
    assert run.run().answered == 3


# ------------------------------------------------------------------------------------------------- queue, money, memory


def test_a_queue_limit_that_only_the_host_knows_is_learned_and_parts_go_one_after_another(bench):
    run = bench(cases=8, batches={"enqueued_tokens": 40})
    report = run.run()
    assert report.answered == 8
    completed = [event for event in run.events("batch") if event["status"] == "completed"]
    failed = [event for event in run.events("batch") if event["status"] == "failed"]
    assert len(completed) >= 2
    assert len(failed) == 1
    in_progress = 0
    for event in run.events("batch"):
        in_progress += {"in_progress": 1, "completed": -1}.get(event["status"], 0)
        assert in_progress <= 1


def test_a_queue_limit_that_is_configured_is_never_overrun(bench):
    run = bench(cases=8, batches={"enqueued_tokens": 40})
    report = run.run(enqueued_tokens={MODEL: 40})
    assert report.answered == 8
    assert not [event for event in run.events("batch") if event["status"] == "failed"]


def test_a_queue_that_others_fill_is_waited_for(bench):
    run = bench(cases=1, batches={"fates": [{"fails_with": "token_limit_exceeded"}] * 2})
    assert run.run().answered == 1
    assert run.clock.seconds >= 120.0


def test_a_call_that_never_fits_the_queue_fails_with_the_reason(bench):
    run = bench(cases=1, batches={"enqueued_tokens": 1})
    assert run.run().failed == 1
    assert "token_limit_exceeded" in failures(run)[0].message


def test_a_part_is_cut_to_what_the_budget_allows_and_the_rest_follows_when_the_cost_is_known(bench):
    run = bench(cases=8)
    report = run.run(limit_usd=0.05)
    assert report.answered == 8
    assert run.budget.spent_usd == pytest.approx(0.008)
    sizes = [event["requests"] for event in run.events("batch") if event["status"] == "completed"]
    assert sizes[0] == 5
    assert set(run.submitted().values()) == {1}


def test_a_budget_that_is_used_up_stops_the_run_and_leaves_the_rest_unasked(bench):
    run = bench(cases=8)
    report = run.run(limit_usd=0.012)
    assert report.stopped is StopReason.BUDGET
    assert "the budget of $0.012 is used up" in report.detail
    assert run.budget.spent_usd <= 0.012
    assert run.run().answered == 8 - report.answered
    assert set(run.submitted().values()) == {1}


def test_what_an_earlier_process_sent_counts_against_the_budget(bench):
    run = bench(cases=4, batches={"fates": [{"stuck": True}]})
    run.run(wait=False, limit_usd=0.05)
    run.run(wait=False, limit_usd=0.05)
    assert run.budget.in_flight_usd == pytest.approx(0.04)


def test_progress_says_where_each_part_is(bench):
    run = bench(cases=4)
    run.run(max_requests=2)
    seen = [part.status for told in run.progress for part in told.parts]
    assert {"validating", "in_progress", "finalizing"} <= set(seen)
    assert run.progress[-1].answered == 4


def test_the_custom_ids_are_the_request_ids_of_the_calls(bench):
    run = bench(cases=2)
    run.run()
    with open_run(run.path) as stored:
        expected = Counter(request.client_request_id for key in stored.calls() if (request := stored.request(key)))
    assert run.submitted() == expected
