"""Puts kept answers into the run file before anything is asked: as answers that an earlier run received."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from snapdrift.baselines import BaselineKind, KeptAnswers
from snapdrift.errors import UsageError
from snapdrift.model import CallKey, Case, ClientRequestId, Endpoint, Request, Response, Reused, Variant
from snapdrift.openai_api.requests import build_request
from snapdrift.pipeline.grading import run_label
from snapdrift.pipeline.kept_scores import baseline_of
from snapdrift.pipeline.kept_sources import archive_at, archive_of_run
from snapdrift.pipeline.options import RunOptions
from snapdrift.store.archive_records import Archive
from snapdrift.store.inserts import put_response
from snapdrift.suites.media import Media
from snapdrift.suites.prompts import render

if TYPE_CHECKING:
    from snapdrift.store import RunWriter, StoredRun
    from snapdrift.suites.resolved import Suite
    from snapdrift.suites.workspace import Workspace

ADDRESS = "archive:"
"""What stands where other requests have their host's URL."""


def seed_baseline(
    writer: RunWriter, stored: StoredRun, suite: Suite, workspace: Workspace, options: RunOptions
) -> None:
    """Stores the kept answers that a run is compared with, in one transaction; nothing where they are there.

    Raises `UsageError` where they are no longer those that the run was planned with.
    """
    facts = baseline_of(stored)
    if facts is None or facts.kept is None:
        return
    wanted = {key for key in stored.open_calls() if key.variant == facts.name and stored.response(key) is None}
    if not wanted:
        return
    kept = facts.kept
    if facts.kind is BaselineKind.RUN:
        archive = archive_of_run(kept.where, kept.variant, workspace, options)
    else:
        archive = archive_at(workspace, kept.where)
    if archive.digest != kept.digest:
        raise UsageError(
            f"{kept.where} holds other answers than when the run was planned; put them back, or run the suite anew "
            "(--fresh)"
        )
    rows = list(_rows(archive, kept, facts.name, wanted, stored, Media(workspace, suite.media)))

    def work(connection: sqlite3.Connection) -> None:
        for response, request in rows:
            put_response(connection, response, request)

    writer.apply_now(work)


def _rows(
    archive: Archive, kept: KeptAnswers, name: str, wanted: set[CallKey], stored: StoredRun, media: Media
) -> Iterator[tuple[Response, Request]]:
    cases, label, then = stored.known_cases(), run_label(stored), archive.header.variant
    for case in archive.cases:
        for answer in case.answers:
            call = replace(answer.response.call, variant=name)
            if call in wanted:
                request = _request(call, then, cases[case.id], label, kept.where, media)
                yield _as_of_then(answer.response, call, request, kept), request


def _as_of_then(response: Response, call: CallKey, request: Request, kept: KeptAnswers) -> Response:
    """The answer as this run's: it costs nothing, what it cost stays beside it, and its times are those of then."""
    if not response.outcome.measured:
        return replace(response, call=call, usd=0.0, request_hash=request.hash)
    original = str(replace(call, variant=kept.variant))
    requests = 1 + len(response.steps)
    then = Reused(kept.run, original, response.finished_at, response.usd, response.latency_ms, requests)
    steps = tuple(replace(step, usd=0.0) for step in response.steps)
    return replace(response, call=call, usd=0.0, steps=steps, request_hash=request.hash, reused=then)


def _request(call: CallKey, then: Variant, case: Case, label: str, where: str, media: Media) -> Request:
    """What was asked then, rendered anew, for judges who are shown it; else what says where the answer is from."""
    if then.endpoint.over_http and then.prompt:
        try:
            return build_request(call, then, render(then.prompt, case, media), label, ADDRESS)
        except Exception:  # noqa: BLE001, S110  an archive may say anything of its prompt, and is an answer all the same
            pass
    body = {"model": then.model, Endpoint.ARCHIVE.value: where, "id": case.id}
    request_id = str(ClientRequestId(label, call.case_id, call.variant, call.repeat, 0))
    return Request(call, 0, Endpoint.ARCHIVE, ADDRESS, body, request_id)
