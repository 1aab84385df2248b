"""What a run file adds to the index of the cache: its answered requests, of models that are the same tomorrow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snapdrift.model import REQUEST_HASH_VERSION, CallKey, Source
from snapdrift.store import codec
from snapdrift.store.cache_answers import (
    OUTCOMES,
    Reusable,
    answer_key,
    asker_key,
    is_from,
    key_of,
    origin_key,
    reusable_of,
)
from snapdrift.store.reader import StoredRun, open_run

_FIELDS = (
    "SELECT c.case_id, c.variant, c.repeat, c.grader, c.id, q.step, q.hash,"
    # As one array: each call of json_extract reads the record anew.
    " json_extract(t.record, '$.requested_model', '$.returned_model', '$.source', '$.finished_at', '$.batched',"
    " '$.reused'), length(t.record) + length(t.raw), r.outcome"
)
_LAST = (
    # Of the last request of a call: how many of the earlier ones are reused, which its `reused` counts too.
    ", (SELECT coalesce(sum(json_extract(s.record, '$.reused.requests')), 0) FROM steps s WHERE s.call = c.id)"
    " FROM responses r JOIN responses t ON t.call = r.call JOIN calls c ON c.id = r.call"
    " JOIN requests q ON q.call = c.id WHERE q.step = (SELECT max(step) FROM requests WHERE call = c.id)"
)
_BEFORE = (
    ", 0 FROM steps t JOIN responses r ON r.call = t.call JOIN calls c ON c.id = t.call"
    " JOIN requests q ON q.call = c.id AND q.step = t.number"
)
_SOURCES = frozenset(source.value for source in Source)
_MEASURED = frozenset(outcome.value for outcome in OUTCOMES)


@dataclass(frozen=True, slots=True)
class Found:
    """An answered request of a run file: its key, who answered, its place there, and when it was received.

    `asker` and `origin` (`asker_key`, `origin_key`) tell who asked, and the answer from all others but its copies.
    """

    key: bytes
    place: str
    model: str
    call: int
    step: int
    batched: bool
    received_at: str
    bytes: int
    asker: int
    origin: int


def entries_of(path: Path) -> Iterator[Found]:
    """The requests of a run file whose answers may be reused, one by one. Raises `StoreError`, also on the way.

    None where the file does not say whose may, and where something was taken out of it.
    """
    with open_run(path) as run, run.at_one_moment():
        reusable = reusable_of(run)
        if reusable is None or run.header.redacted:
            return
        rows = (row for tables in (_LAST, _BEFORE) for row in run.rows(_FIELDS + tables))
        for row in rows:
            if row[9] in _MEASURED:
                yield from _found(run, reusable, path, row)


def _found(run: StoredRun, reusable: Reusable, path: Path, row: tuple[Any, ...]) -> Iterator[Found]:
    key, call, step, request_hash = CallKey(*row[:4]), row[4], row[5], row[6]
    requested, returned, source, received_at, batched, reused = codec.parse(row[7], str(path))
    pinned = reusable.of(key.variant, key.grader, requested) if isinstance(requested, str) else None
    if pinned is None:
        return
    named = returned is None or returned == requested or pinned.vouched
    known = source in _SOURCES and is_from(Source(source), pinned)
    typed = isinstance(received_at, str) and bool(received_at)
    if not (named and known and typed and request_hash.startswith(f"{REQUEST_HASH_VERSION}:")):
        return
    try:
        hashed = key_of(request_hash)
    except ValueError:
        return
    if pinned.made_up:
        request = run.request(key, step)
        if request is None:
            return
        hashed = answer_key(request, pinned)
    asker = asker_key(key.variant, key.case_id)
    origin = origin_key(_origin(reused, row[10], (path.stem, str(key), step)))
    yield Found(hashed, pinned.place, requested, call, step, bool(batched), received_at, row[8], asker, origin)


def _origin(reused: Any, earlier: int, own: tuple[str, str, int]) -> tuple[str, str, int]:
    """Where an answer is from: what its record says, unless that is about the `earlier` requests of its call alone."""
    requests = reused.get("requests", 1) if type(reused) is dict else None
    if type(requests) is not int or earlier >= requests:
        return own
    return str(reused.get("run")), str(reused.get("call")), own[2]


_TAKEN = (
    "SELECT c.case_id, c.variant, c.repeat, c.grader, t.number,"
    " json_extract(t.record, '$.reused.run'), json_extract(t.record, '$.reused.call') FROM"
    " (SELECT call, number, record FROM steps UNION ALL"
    " SELECT call, (SELECT count(*) FROM steps WHERE steps.call = responses.call), record FROM responses) t"
    " JOIN calls c ON c.id = t.call WHERE json_extract(t.record, '$.reused.run') IS NOT NULL"
)


def taken_of(run: StoredRun) -> Iterator[tuple[CallKey, int, tuple[str, str, int]]]:
    """What a run has taken of others: the call, the step, and what tells the answer from all others."""
    for row in run.rows(_TAKEN):
        yield CallKey(*row[:4]), row[4], (str(row[5]), str(row[6]), row[4])
