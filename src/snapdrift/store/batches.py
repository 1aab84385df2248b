"""What was submitted by the Batch API: parts, and which calls are in them, durable before anything is sent."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from snapdrift.errors import StoreError
from snapdrift.model import CallKey, Endpoint, Request, Response
from snapdrift.store import codec
from snapdrift.store.inserts import call_id, put_request, put_response
from snapdrift.store.reader import StoredRun
from snapdrift.store.writer import RunWriter


class PartState(StrEnum):
    """What is known to have happened to a part. What a process did last before it was killed may be one step more."""

    FILLING = "filling"
    PLANNED = "planned"
    UPLOADED = "uploaded"
    CREATED = "created"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Part:
    """One input file and its batch: requests for one model on one endpoint of one host.

    `word` was drawn for this submission: with it the batch's metadata names it. `planned_at` is Unix time,
    `submitted_at` ISO 8601. `refusals` counts how often the provider's queue had no room for it.
    """

    number: int
    word: str
    base_url: str
    model: str
    endpoint: Endpoint
    planned_at: int
    state: PartState = PartState.FILLING
    file_id: str | None = None
    batch_id: str | None = None
    status: str = ""
    submitted_at: str = ""
    refusals: int = 0

    @property
    def name(self) -> str:
        """What the provider is told that it is: `3-5f2c...`."""
        return f"{self.number}-{self.word}"

    @property
    def queue(self) -> tuple[str, str]:
        """Whose limit of enqueued tokens it counts against: host and model."""
        return self.base_url, self.model


@dataclass(frozen=True, slots=True)
class PartCall:
    """A call in a part: the name of its line and the line's length, estimated input tokens, worst case in dollars."""

    custom_id: str
    key: CallKey
    bytes: int
    tokens: int
    worst_usd: float


@dataclass(frozen=True, slots=True)
class PartSize:
    """What of a part has not ended: calls, bytes, estimated input tokens, worst case in dollars."""

    calls: int
    bytes: int
    tokens: int
    worst_usd: float


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call of a part ended, and the request that was made for it."""

    custom_id: str
    response: Response
    request: Request


class BatchJournal:
    """The batches of a run file. Every method returns once what it was given is durable; raises `StoreError`."""

    def __init__(self, writer: RunWriter) -> None:
        self._writer = writer

    async def parts(self) -> tuple[Part, ...]:
        """All parts, in order."""
        return await self._writer.apply(_read_parts)

    async def open_part(self, word: str, base_url: str, model: str, endpoint: Endpoint, planned_at: int) -> Part:
        """A new part, empty, behind the others."""

        def work(connection: sqlite3.Connection) -> Part:
            (last,) = connection.execute("SELECT coalesce(max(number), 0) FROM batches").fetchone()
            part = Part(last + 1, word, base_url, model, endpoint, planned_at)
            _put_part(connection, part)
            return part

        return await self._writer.apply(work)

    async def put(self, part: Part) -> Part:
        """Stores what is known of a part now."""
        await self._writer.apply(lambda connection: _put_part(connection, part))
        return part

    async def add(self, part: Part, entries: Sequence[tuple[PartCall, Request]]) -> None:
        """Adds calls to a part, with their requests exactly as they will be sent."""

        def work(connection: sqlite3.Connection) -> None:
            for entry, request in entries:
                call = call_id(connection, entry.key)
                put_request(connection, call, request)
                row = (part.number, call, entry.custom_id, entry.bytes, entry.tokens, entry.worst_usd)
                connection.execute("INSERT INTO batch_calls VALUES (?, ?, ?, ?, ?, ?, 0)", row)

        await self._writer.apply(work)

    async def size(self, part: Part) -> PartSize:
        """What of a part has not ended."""
        return await self._writer.apply(lambda connection: _size(connection, part))

    async def open_calls(self, part: Part) -> tuple[PartCall, ...]:
        """The calls of a part that have not ended, in the order of its file."""
        return await self._writer.apply(lambda connection: _open_calls(connection, part))

    async def has(self, part: Part, custom_id: str) -> bool:
        """Whether a part has a line of that name, ended or not."""
        query = "SELECT 1 FROM batch_calls WHERE part = ? AND custom_id = ?"
        return await self._writer.apply(
            lambda connection: connection.execute(query, (part.number, custom_id)).fetchone() is not None
        )

    async def record(self, part: Part, endings: Sequence[Ending]) -> None:
        """Stores how calls of a part ended, in one step with that they did."""

        def work(connection: sqlite3.Connection) -> None:
            for ending in endings:
                put_response(connection, ending.response, ending.request)
                connection.execute(
                    "UPDATE batch_calls SET ended = 1 WHERE part = ? AND custom_id = ?", (part.number, ending.custom_id)
                )

        await self._writer.apply(work)

    async def cut(self, part: Part, first: int) -> None:
        """Takes all but the `first` calls out of a part, as if they had never been in one."""
        await self._writer.apply(lambda connection: _cut(connection, part, first))

    async def split(self, part: Part, firsts: Iterable[int], words: Sequence[str]) -> tuple[Part, ...]:
        """Moves calls of a part into new parts: `firsts` are the places (above 0) at which one begins."""
        places = tuple(firsts)

        def work(connection: sqlite3.Connection) -> tuple[Part, ...]:
            rows = [row for (row,) in connection.execute(f"SELECT rowid {_OF_PART}", (part.number,))]
            made = []
            for place, end, word in zip(places, (*places[1:], len(rows)), words, strict=True):
                (last,) = connection.execute("SELECT max(number) FROM batches").fetchone()
                new = Part(last + 1, word, part.base_url, part.model, part.endpoint, part.planned_at, PartState.PLANNED)
                _put_part(connection, new)
                moved = [(new.number, row) for row in rows[place:end]]
                connection.executemany("UPDATE batch_calls SET part = ? WHERE rowid = ?", moved)
                made.append(new)
            return tuple(made)

        return await self._writer.apply(work)

    async def submitted_keys(self) -> frozenset[CallKey]:
        """Every call that is or was in a part: none of them is submitted again by itself."""
        return await self._writer.apply(lambda connection: _keys(connection, _KEYS))

    async def open_keys(self) -> frozenset[CallKey]:
        """The calls that have not ended in one of their parts."""
        return await self._writer.apply(lambda connection: _keys(connection, f"{_KEYS} WHERE b.ended = 0"))


def copy_batches(connection: sqlite3.Connection, stored: StoredRun) -> None:
    """Adds the batches of another run file behind those there are, inside a transaction: what went is not sent again.

    Raises `StoreError` for what is no batch, or of no planned call.
    """
    (last,) = connection.execute("SELECT coalesce(max(number), 0) FROM batches").fetchone()
    numbers = {}
    for offset, record in enumerate(stored.batch_parts(), start=1):
        part = codec.loads(Part, record, f"{stored.path}: batch part {offset}")
        numbers[part.number] = last + offset
        _put_part(connection, replace(part, number=last + offset))
    for key, (number, *rest) in stored.batch_calls():
        if number not in numbers:
            raise StoreError(f"{stored.path}: damaged, a call is in batch part {number}, which is not there")
        row = (numbers[number], call_id(connection, key), *rest)
        connection.execute("INSERT INTO batch_calls VALUES (?, ?, ?, ?, ?, ?, ?)", row)


_KEYS = "SELECT DISTINCT c.case_id, c.variant, c.repeat, c.grader FROM batch_calls b JOIN calls c ON c.id = b.call"
_OF_PART = "FROM batch_calls WHERE part = ? AND ended = 0 ORDER BY rowid"


def _read_parts(connection: sqlite3.Connection) -> tuple[Part, ...]:
    rows = connection.execute("SELECT number, record FROM batches ORDER BY number").fetchall()
    return tuple(codec.loads(Part, record, f"batch part {number}") for number, record in rows)


def _put_part(connection: sqlite3.Connection, part: Part) -> None:
    row = (part.number, part.state.value, codec.dumps(part))
    connection.execute(
        "INSERT INTO batches (number, state, record) VALUES (?, ?, ?)"
        " ON CONFLICT (number) DO UPDATE SET state = excluded.state, record = excluded.record",
        row,
    )


def _size(connection: sqlite3.Connection, part: Part) -> PartSize:
    query = (
        "SELECT count(*), coalesce(sum(bytes), 0), coalesce(sum(tokens), 0), total(worst_usd) FROM batch_calls"
        " WHERE part = ? AND ended = 0"
    )
    return PartSize(*connection.execute(query, (part.number,)).fetchone())


def _open_calls(connection: sqlite3.Connection, part: Part) -> tuple[PartCall, ...]:
    query = (
        "SELECT b.custom_id, c.case_id, c.variant, c.repeat, c.grader, b.bytes, b.tokens, b.worst_usd"
        " FROM batch_calls b JOIN calls c ON c.id = b.call WHERE b.part = ? AND b.ended = 0 ORDER BY b.rowid"
    )
    rows = connection.execute(query, (part.number,)).fetchall()
    return tuple(PartCall(row[0], CallKey(*row[1:5]), *row[5:]) for row in rows)


def _cut(connection: sqlite3.Connection, part: Part, first: int) -> None:
    rows = connection.execute(f"SELECT rowid {_OF_PART}", (part.number,)).fetchall()
    connection.executemany("DELETE FROM batch_calls WHERE rowid = ?", rows[first:])


def _keys(connection: sqlite3.Connection, query: str) -> frozenset[CallKey]:
    return frozenset(CallKey(*row) for row in connection.execute(query))
