"""Reads from a run file what a report needs of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from snapdrift.errors import StoreError
from snapdrift.model import CallKey, MetricSpec, Response, Source
from snapdrift.reports.asked import PromptView, read_prompt
from snapdrift.reports.data import PriceOf, PromptOf, Provenance, RunData
from snapdrift.reports.thumbnails import Album

if TYPE_CHECKING:
    from snapdrift.store.reader import StoredRun


def run_data(
    stored: StoredRun,
    metrics: Sequence[MetricSpec],
    warnings: Sequence[str] = (),
    asked: Source = Source.OPENAI,
    price: PriceOf | None = None,
) -> RunData:
    """The run as reports read it; raises `StoreError` when nothing was concluded from it yet.

    `metrics` are those of the suite's graders, `warnings` sentences about its models: both are parsed from the stored
    suite and catalogue by the caller, so that reports know neither, and `price` says what they were reckoned at.
    `asked` is the source of variants without answers.
    """
    header, evaluation = stored.header, stored.evaluation
    if evaluation is None:
        raise StoreError(
            f"{stored.path}: nothing was concluded from this run yet; "
            f"`snapdrift resume {header.run_id}` goes on with it"
        )
    answers, judged = _responses(stored)
    return RunData(
        run=Provenance(
            run_id=header.run_id,
            suite=header.suite,
            gate=header.gate,
            started_at=header.started_at,
            finished_at=stored.finished_at,
            description=str(stored.suite.get("description") or ""),
            suite_path=str(stored.suite.get("path") or ""),
            seed=header.seed,
            attempt=header.attempt,
            suite_hash=header.suite_hash,
            dataset_hash=header.dataset_hash,
            versions={name: str(version) for name, version in header.versions.items()},
            git_commit=header.git_commit,
            git_dirty=bool(header.git_dirty),
            partial=header.partial,
        ),
        cases=stored.cases(),
        variants=header.variants,
        metrics=tuple(metrics),
        responses=answers,
        scores=stored.scores(),
        evaluation=evaluation,
        repeats=header.planned_repeats,
        warnings=tuple(warnings),
        prompt=_prompts(stored),
        asked=asked,
        spared=stored.spared_cases(),
        price=price,
        judged=judged,
    )


def _responses(stored: StoredRun) -> tuple[tuple[Response, ...], tuple[Response, ...]]:
    """The answers, and the responses of judges: of these no body, which nothing reads."""
    answers: list[Response] = []
    judged: list[Response] = []
    for response in stored.responses():
        if response.call.grader:
            judged.append(replace(response, raw=""))
        else:
            answers.append(response)
    return tuple(answers), tuple(judged)


def _prompts(stored: StoredRun) -> PromptOf:
    album = Album()
    names = {str(digest): str(path) for path, digest in (stored.suite.get("media") or {}).items()}

    def prompt(case_id: str, variant: str) -> PromptView | None:
        request = stored.request(CallKey(case_id, variant, 0))
        # An application and a file of outputs are given the case: there is no prompt to show.
        return read_prompt(request, names, album) if request is not None and request.endpoint.over_http else None

    return prompt
