"""What is known of batches is in the run file before anything is sent."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from snapdrift.errors import StoreError
from snapdrift.model import CallKey, Endpoint, Outcome, Request, Response
from snapdrift.store import RunWriter, open_run
from snapdrift.store.batches import BatchJournal, Ending, Part, PartCall, PartState

URL = "http://127.0.0.1:9/v1"


def request(key: CallKey) -> Request:
    return Request(key, 0, Endpoint.CHAT, URL, {"model": "gpt-4o", "messages": []}, f"id of {key}")


def entry(key: CallKey) -> tuple[PartCall, Request]:
    return PartCall(f"id of {key}", key, 100, 10, 0.5), request(key)


@pytest.fixture
def journal(tmp_path, create):
    """A journal, the path of its run file, and the keys of its calls."""
    path = tmp_path / "20261122-140305-8f3a.db"
    writer = create(path)
    with open_run(path) as stored:
        keys = stored.calls()
    yield BatchJournal(writer), path, keys
    writer.close()


async def filled(journal: BatchJournal, keys: Any) -> Part:
    part = await journal.open_part("w0rd", URL, "gpt-4o", Endpoint.CHAT, 1_700_000_000)
    await journal.add(part, [entry(key) for key in keys])
    return await journal.put(replace(part, state=PartState.PLANNED))


def test_a_part_and_its_requests_are_there_for_another_process(journal):
    book, path, keys = journal
    part = asyncio.run(filled(book, keys[:3]))
    with open_run(path) as stored:
        assert stored.request(keys[0]) == request(keys[0])
        assert stored.response(keys[0]) is None
        assert not stored.answered_keys()
    assert asyncio.run(book.parts()) == (part,)
    assert part.name == "1-w0rd"
    assert [call.key for call in asyncio.run(book.open_calls(part))] == list(keys[:3])
    size = asyncio.run(book.size(part))
    assert (size.calls, size.bytes, size.tokens, size.worst_usd) == (3, 300, 30, 1.5)


def test_what_happened_to_a_part_survives_its_writer(journal):
    book, path, keys = journal
    part = asyncio.run(filled(book, keys[:1]))
    created = replace(part, state=PartState.CREATED, file_id="file-1", batch_id="batch_1", status="in_progress")
    asyncio.run(book.put(created))
    book._writer.close()
    with RunWriter.open(path) as writer:
        assert asyncio.run(BatchJournal(writer).parts()) == (created,)


def test_a_response_is_stored_in_one_step_with_that_its_call_ended(journal):
    book, path, keys = journal
    part = asyncio.run(filled(book, keys[:2]))
    response = Response(keys[0], Outcome.OK, "gpt-4o", text="Yes", batched=True)
    asyncio.run(book.record(part, [Ending(f"id of {keys[0]}", response, request(keys[0]))]))
    with open_run(path) as stored:
        assert stored.response(keys[0]) == response
    assert [call.key for call in asyncio.run(book.open_calls(part))] == [keys[1]]
    assert asyncio.run(book.open_keys()) == {keys[1]}
    assert asyncio.run(book.submitted_keys()) == set(keys[:2])
    assert asyncio.run(book.has(part, f"id of {keys[0]}"))
    assert not asyncio.run(book.has(part, "nobody's"))


def test_an_ending_of_a_call_that_is_not_planned_stores_nothing(journal):
    book, _, keys = journal
    part = asyncio.run(filled(book, keys[:1]))
    stranger = CallKey("nowhere", "nobody", 0)
    endings = [Ending(f"id of {key}", Response(key, Outcome.OK, "gpt-4o"), request(key)) for key in (keys[0], stranger)]
    with pytest.raises(StoreError):
        asyncio.run(book.record(part, endings))
    assert asyncio.run(book.size(part)).calls == 1


def test_a_part_can_be_cut_and_what_was_cut_off_was_never_in_one(journal):
    book, _, keys = journal
    part = asyncio.run(filled(book, keys[:4]))
    asyncio.run(book.cut(part, 1))
    assert asyncio.run(book.submitted_keys()) == {keys[0]}


def test_a_part_can_be_split_into_planned_ones_of_the_same_queue(journal):
    book, _, keys = journal
    part = asyncio.run(filled(book, keys[:4]))
    made = asyncio.run(book.split(part, [1, 3], ["a", "b"]))
    assert [one.name for one in made] == ["2-a", "3-b"]
    assert {(one.queue, one.state) for one in made} == {(part.queue, PartState.PLANNED)}
    calls = [[call.key for call in asyncio.run(book.open_calls(one))] for one in (part, *made)]
    assert calls == [[keys[0]], list(keys[1:3]), [keys[3]]]


def test_a_call_is_in_a_part_once(journal):
    book, _, keys = journal
    part = asyncio.run(filled(book, keys[:1]))
    with pytest.raises(StoreError):
        asyncio.run(book.add(part, [entry(keys[0])]))
