"""Calls of several requests on the disk, large data URLs kept once, and what all of it counts against a budget."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.errors import StoreError
from snapdrift.model import (
    Attempt,
    Call,
    CallKey,
    Failure,
    FailureKind,
    Outcome,
    Request,
    Response,
    Step,
    ToolCall,
    ToolResult,
)
from snapdrift.store import FORMAT, RunWriter, open_run
from snapdrift.store.bodies import LARGE, pack, unpack

Create = Callable[[Path], RunWriter]
RequestOf = Callable[[CallKey], Request]
ResponseOf = Callable[..., Response]
Calls = tuple[Call, ...]

CUT = Failure(FailureKind.CONNECTION, "cut", retryable=True, may_have_run=True)
IMAGE = "data:image/png;base64," + "iVBORw0KGgo" * 1000


def step(number: int, usd: float | None = 0.25) -> Step:
    call = ToolCall("call_1", "lookup", "{}")
    return Step(number, tool_calls=(call,), results=(ToolResult("call_1", "lookup", "shipped", "entry 1"),), usd=usd)


def at_step(request: Request, number: int) -> Request:
    return replace(request, step=number, body={**request.body, "step": number})


def record_step(writer: RunWriter, request: Request, response: Response, *steps: Step) -> None:
    asyncio.run(writer.record_step(request, response, steps))


@pytest.fixture
def begun(
    tmp_path: Path, create: Create, calls: Calls, request_of: RequestOf, response_of: ResponseOf
) -> tuple[Path, CallKey]:
    """A run of which the first call was cut off after two answered requests."""
    key = calls[0].key
    with create(tmp_path / "run.db") as writer:
        record_step(writer, at_step(request_of(key), 0), response_of(key, text="", raw="first"))
        record_step(writer, at_step(request_of(key), 1), response_of(key, raw="second"), step(0))
    return writer.path, key


# ---------------------------------------------------------------------------------------------------------------- steps


def test_a_call_that_was_cut_off_can_be_taken_up_after_its_last_answer(
    begun: tuple[Path, CallKey], request_of: RequestOf
) -> None:
    path, key = begun
    with open_run(path) as run:
        found = run.begun(key)
        assert key not in run.answered_keys()
    assert found is not None
    assert found.request == at_step(request_of(key), 1)
    assert (found.response.raw, found.steps) == ("second", (step(0),))


def test_nothing_is_begun_of_a_call_that_was_not_asked(begun: tuple[Path, CallKey], calls: Calls) -> None:
    with open_run(begun[0]) as run:
        assert run.begun(calls[1].key) is None


def test_an_ended_call_keeps_the_answers_of_its_earlier_requests_and_every_request(
    begun: tuple[Path, CallKey], request_of: RequestOf, response_of: ResponseOf
) -> None:
    path, key = begun
    whole = response_of(key, raw="second", steps=(step(0),), usd=0.5)
    with RunWriter.open(path) as writer:
        writer.record_now(whole, at_step(request_of(key), 1))
    with open_run(path) as run:
        assert run.response(key) == whole
        assert [answer.raw for answer in run.step_answers(key)] == ["first"]
        assert [run.request(key, number) for number in (0, 1)] == [at_step(request_of(key), n) for n in (0, 1)]


def test_each_request_of_a_call_is_spent_once_before_and_after_the_call_ends(
    begun: tuple[Path, CallKey], request_of: RequestOf, response_of: ResponseOf
) -> None:
    path, key = begun
    with open_run(path) as run:
        assert run.spent_usd(lambda _: 2.0) == pytest.approx(0.5)
    with RunWriter.open(path) as writer:
        record_step(writer, at_step(request_of(key), 2), response_of(key), step(0), step(1))
        steps = (step(0), step(1))
        writer.record_now(response_of(key, steps=steps, usd=0.75), at_step(request_of(key), 2))
    with open_run(path) as run:
        assert run.spent_usd(lambda _: 2.0) == pytest.approx(0.75)


def test_a_call_that_failed_in_a_later_step_and_went_on_is_spent_once(
    begun: tuple[Path, CallKey], request_of: RequestOf, response_of: ResponseOf
) -> None:
    path, key = begun
    steps = (step(0), step(1))
    last = at_step(request_of(key), 2)
    attempts = (Attempt(1, "", 1.0), Attempt(2, "", 1.0), Attempt(3, "", 1.0, CUT))
    failed = response_of(key, outcome=Outcome.API_ERROR, usd=None, failure=CUT, steps=steps, attempts=attempts)
    with RunWriter.open(path) as writer:
        writer.record_now(failed, last)
    with open_run(path) as run:
        assert run.spent_usd(lambda _: 2.0) == pytest.approx(0.5 + 2.0)
        assert run.begun(key) is not None
    with RunWriter.open(path) as writer:
        record_step(writer, last, response_of(key, attempts=attempts), *steps)
        writer.record_now(response_of(key, steps=steps, usd=0.75, attempts=attempts), last)
    with open_run(path) as run:
        assert run.spent_usd(lambda _: 2.0) == pytest.approx(0.75 + 2.0)


def test_attempts_of_unknown_fate_of_a_call_that_was_cut_off_count_at_their_worst(
    begun: tuple[Path, CallKey], request_of: RequestOf, response_of: ResponseOf
) -> None:
    path, key = begun
    attempts = (Attempt(1, "", 1.0, CUT), Attempt(2, "", 1.0))
    with RunWriter.open(path) as writer:
        record_step(writer, at_step(request_of(key), 2), response_of(key, attempts=attempts), step(0), step(1))
    with open_run(path) as run:
        assert run.spent_usd(lambda _: 2.0) == pytest.approx(3 * 0.25 + 2.0)


def test_a_call_that_was_cut_off_is_missing_with_what_it_cost(begun: tuple[Path, CallKey]) -> None:
    path, key = begun
    with open_run(path) as run:
        found = run.results([], {}).calls[key]
    assert (found.outcome, found.requests, found.usd) == (Outcome.MISSING, 2, 0.5)


def test_frames_count_the_answered_requests_of_a_call(
    begun: tuple[Path, CallKey], calls: Calls, request_of: RequestOf, response_of: ResponseOf
) -> None:
    path, key = begun
    other = calls[1].key
    with RunWriter.open(path) as writer:
        writer.record_now(response_of(key, steps=(step(0),)), at_step(request_of(key), 1))
        writer.record_now(response_of(other, first_token_ms=12.5), request_of(other))
    with open_run(path) as run:
        rows = run.frames().calls.to_dict("records")
    found = {(row["case_id"], row["variant"], row["repeat"]): (row["steps"], row["first_token_ms"]) for row in rows}
    assert found[key.case_id, key.variant, key.repeat][0] == 2
    assert found[other.case_id, other.variant, other.repeat] == (1, 12.5)


# ---------------------------------------------------------------------------------------------------------- large texts


def test_an_image_that_many_requests_hold_is_stored_once_and_read_back_exactly(
    tmp_path: Path, create: Create, calls: Calls, request_of: RequestOf, response_of: ResponseOf
) -> None:
    requests = [
        replace(request_of(call.key), body={"input": [{"image_url": IMAGE}, {"nested": [IMAGE]}]}) for call in calls
    ]
    with create(tmp_path / "run.db") as writer:
        for call, request in zip(calls, requests, strict=True):
            writer.record_now(response_of(call.key), request)
    with open_run(writer.path) as run:
        assert [run.request(call.key) for call in calls] == requests
        assert [run.request(call.key).hash for call in calls] == [request.hash for request in requests]  # type: ignore[union-attr]
    with sqlite3.connect(writer.path) as connection:
        assert connection.execute("SELECT count(*) FROM blobs").fetchone() == (1,)
        assert connection.execute("SELECT max(length(body)) FROM requests").fetchone()[0] < LARGE
    connection.close()


TEXTS = st.text(max_size=5) | st.sampled_from(["data:" + "x" * LARGE, "data:" + "y" * LARGE, "z" * (LARGE + 1)])
BODIES = st.dictionaries(
    st.text(max_size=3),
    st.recursive(
        st.none() | st.booleans() | st.integers() | TEXTS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


@given(BODIES)
def test_every_body_is_read_back_as_it_was(body: dict[str, Any]) -> None:
    packed = pack(body)
    assert unpack(packed.text, packed.large.__getitem__, "body") == body
    assert all(text not in packed.text for text in packed.large.values())


def test_a_changed_image_is_an_error_that_says_what_is_damaged(
    tmp_path: Path, create: Create, calls: Calls, request_of: RequestOf, response_of: ResponseOf
) -> None:
    key = calls[0].key
    with create(tmp_path / "run.db") as writer:
        writer.record_now(response_of(key), replace(request_of(key), body={"image_url": IMAGE}))
    change(writer.path, "DELETE FROM blobs")
    with open_run(writer.path) as run, pytest.raises(StoreError, match="an image or document of a request is missing"):
        run.request(key)


@pytest.mark.parametrize(
    "stored", ["[]", "{}", '{"body": {}}', '{"body": {}, "large": [[["a"], "b"]]}', '{"body": [], "large": []}']
)
def test_a_stored_body_of_another_form_is_refused(stored: str) -> None:
    with pytest.raises(StoreError, match="expected"):
        unpack(stored, lambda _: "text", "body")


# --------------------------------------------------------------------------------------------------------------- format


def test_an_older_format_is_an_error_that_says_to_run_again(begun: tuple[Path, CallKey]) -> None:
    change(begun[0], f"PRAGMA user_version = {FORMAT - 1}")
    with pytest.raises(
        StoreError, match=f"run format {FORMAT - 1}, this Snapdrift reads format {FORMAT}; run the suite"
    ):
        open_run(begun[0])


def change(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(statement)
    connection.close()
