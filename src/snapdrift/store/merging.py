"""Makes one run file of the files of its shards: a new one, of records that were read from them and checked.

Shards come from other machines. They are opened for reading only, and nothing is copied as it stands: what cannot be
read as the record that it should be is not in the new file, and neither is a table or text that nobody asked for.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from traceback import clear_frames

from snapdrift.errors import StoreError
from snapdrift.model import Call, CallKey, Response, Score
from snapdrift.store.batches import copy_batches
from snapdrift.store.format import SUPERSEDED_USD
from snapdrift.store.inserts import put_response, put_step
from snapdrift.store.reader import StoredRun
from snapdrift.store.streams import sliced
from snapdrift.store.writer import RunWriter


def copy_shards(writer: RunWriter, shards: Sequence[StoredRun], positions: Mapping[CallKey, int]) -> None:
    """Copies everything that the shards hold into a new file that has the cases and the answers' calls planned.

    `positions` has the place of each of these calls, and no shard is an export. Raises `StoreError` for what does not
    belong to one of them.
    """
    try:
        _copy_all(writer, shards, positions)
    except BaseException as error:
        # What was read when it failed hangs on these frames, and must be let go of before its file is closed.
        clear_frames(error.__traceback__)
        raise


def _copy_all(writer: RunWriter, shards: Sequence[StoredRun], positions: Mapping[CallKey, int]) -> None:
    """A slice is read, and then stored, at a time: memory does not grow with the run."""
    superseded = 0.0
    for shard in shards:
        superseded += shard.superseded_usd()
        _copy_calls(writer, shard, positions)
        for portion in sliced(shard.stored_steps()):
            _copy_steps(writer, shard, portion)
        for responses in sliced(shard.responses()):
            _copy_responses(writer, shard, responses)
        writer.apply_now(partial(copy_batches, stored=shard))
        for scores in sliced(_own_scores(shard, positions)):
            writer.add_scores(scores)
    if superseded:
        writer.set_meta(SUPERSEDED_USD, repr(superseded))


def _copy_calls(writer: RunWriter, shard: StoredRun, positions: Mapping[CallKey, int]) -> None:
    """Adds the calls of judges, each at the place of the answer that it is about."""
    judged = []
    for key in shard.calls():
        answer = CallKey(key.case_id, key.variant, key.repeat)
        if answer not in positions:
            raise StoreError(f"{shard.path}: found the call {key}, which is not of the shard's cases")
        if key.grader:
            judged.append(Call(key, positions[answer]))
    writer.add_calls(judged)


def _copy_steps(writer: RunWriter, shard: StoredRun, portion: Sequence[tuple[int, Response]]) -> None:
    """Stores answered requests of calls; what they were followed by is known of a call that has not ended."""
    rows = []
    for number, response in portion:
        request = shard.request(response.call, number)
        if request is None:
            raise StoreError(f"{shard.path}: damaged, request {number} of {response.call} is missing")
        begun = shard.begun(response.call)
        rows.append((request, response, () if begun is None else begun.steps[:number]))

    def work(connection: sqlite3.Connection) -> None:
        for row in rows:
            put_step(connection, *row)

    writer.apply_now(work)


def _copy_responses(writer: RunWriter, shard: StoredRun, responses: Sequence[Response]) -> None:
    rows = []
    for response in responses:
        request = shard.request(response.call, len(response.steps)) or shard.request(response.call)
        if request is None:
            raise StoreError(f"{shard.path}: damaged, the request of {response.call} is missing")
        rows.append((response, request))

    def work(connection: sqlite3.Connection) -> None:
        for row in rows:
            put_response(connection, *row)

    writer.apply_now(work)


def _own_scores(shard: StoredRun, positions: Mapping[CallKey, int]) -> Iterator[Score]:
    for score in shard.scores():
        if CallKey(score.case_id, score.variant, score.repeat) not in positions:
            raise StoreError(f"{shard.path}: found a score of case {score.case_id}, which is not of the shard's cases")
        yield score
