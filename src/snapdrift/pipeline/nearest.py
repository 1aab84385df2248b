"""The stored request that differs least from one that would be asked, and in what: for `snapdrift cache explain`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from snapdrift.errors import StoreError
from snapdrift.execution.responses import requested_model
from snapdrift.model import CallKey, Request, Response
from snapdrift.pipeline.json_differences import Difference, differences
from snapdrift.store import open_run
from snapdrift.store.cache_answers import Pinned, is_from, reusable_of

_RUNS = 20
"""Run files that are searched, the newest first."""
_CALLS = 40
"""Calls of one run that are compared."""
_OF_CASE = "SELECT case_id, variant, repeat, grader FROM calls WHERE grader = '' AND case_id = ? LIMIT ?"
_OF_MODEL = (
    "SELECT c.case_id, c.variant, c.repeat, c.grader FROM calls c JOIN responses r ON r.call = c.id"
    " WHERE c.grader = '' AND json_extract(r.record, '$.requested_model') = ? LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Nearest:
    """A stored request beside the one that would be asked: its run, call and when it was answered.

    `differences` are the places that differ; where there are none, `why` is what keeps its answer from being reused.
    """

    run: str
    call: str
    received_at: str
    differences: tuple[Difference, ...]
    why: str = ""


def nearest_request(request: Request, pinned: Pinned, runs_dir: Path, *, batched: bool, since: str) -> Nearest | None:
    """The request of the newest runs that differs in the fewest places, None where there is none.

    Those about the same case first, else those of the same model. Run files that cannot be read are passed over.
    """
    paths = sorted(runs_dir.glob("*.db"), key=lambda path: path.name, reverse=True)[:_RUNS]
    for query, value in ((_OF_CASE, request.call.case_id), (_OF_MODEL, requested_model(request))):
        found = [near for path in paths for near in _of_run(path, query, value, request, pinned, batched, since)]
        if found:
            # Of equals the variant's own, then the newest: runs are searched from there.
            own = f"{request.call.variant}/"
            return min(found, key=lambda near: (len(near.differences), not near.call.startswith(own)))
    return None


def _of_run(
    path: Path,
    query: str,
    value: str,
    request: Request,
    pinned: Pinned,
    batched: bool,  # noqa: FBT001
    since: str,
) -> Iterator[Nearest]:
    try:
        with open_run(path) as run:
            reusable = reusable_of(run)
            for row in list(run.rows(query, (value, _CALLS))):
                key = CallKey(*row)
                stored, response = run.request(key), run.response(key)
                if stored is None or response is None:
                    continue
                place = None if reusable is None else reusable.of(key.variant, "", response.requested_model)
                found = tuple(_differing(request, stored, pinned, place))
                why = "" if found else _why_not(response, pinned, place, batched=batched, since=since)
                yield Nearest(path.stem, str(key), response.finished_at, found, why)
    except StoreError:
        return


def _differing(now: Request, then: Request, pinned: Pinned, place: Pinned | None) -> Iterator[Difference]:
    one, other = dict(now.hash_inputs), dict(then.hash_inputs)
    if pinned.made_up:
        # A stand-in has another port each time; what matters is what it answers from.
        del one["base_url"], other["base_url"]
        if place is not None and place != pinned:
            what = "where it is asked"
            told = "a stand-in with other settings, or for another suite or variant" if place.made_up else place.place
            yield Difference(what, "the stand-in as it is now", told)
    elif place is not None and place.made_up:
        yield Difference("where it is asked", pinned.place, "a stand-in")
        del one["base_url"], other["base_url"]
    yield from differences(one, other)


def _why_not(response: Response, pinned: Pinned, place: Pinned | None, *, batched: bool, since: str) -> str:
    if not response.outcome.measured:
        return f"it ended as {response.outcome.value}: errors are never reused"
    if place is None:
        return "that run does not say that its answers may be reused (an alias then, or an older version)"
    if not is_from(response.source, pinned):
        return f"its answer is {response.source.value}"
    if response.batched is not batched:
        return "it came by the Batch API" if response.batched else "it did not come by the Batch API"
    if response.returned_model not in (None, response.requested_model) and not pinned.vouched:
        return f"it was answered as {response.returned_model}, so the name is no snapshot's"
    if response.finished_at < since:
        return "it is older than the gate's `cache: {max_age: ...}`"
    return "it was cleared from the cache, or had to go for others (`[cache] max_mb`)"
