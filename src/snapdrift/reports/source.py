"""Reads from a run file what a report needs of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from snapdrift.errors import StoreError
from snapdrift.model import CallKey, MetricSpec, Request, Source
from snapdrift.reports.view import PromptText, Provenance, RunData

if TYPE_CHECKING:
    from snapdrift.store.reader import StoredRun


def run_data(
    stored: StoredRun, metrics: Sequence[MetricSpec], warnings: Sequence[str] = (), asked: Source = Source.OPENAI
) -> RunData:
    """The run as reports read it; raises `StoreError` when nothing was concluded from it yet.

    `metrics` are those of the suite's graders, `warnings` sentences about its models: both are parsed from the stored
    suite and catalogue by the caller, so that reports know neither. `asked` is the source of variants without answers.
    """
    header, evaluation = stored.header, stored.evaluation
    if evaluation is None:
        raise StoreError(
            f"{stored.path}: nothing was concluded from this run yet; "
            f"`snapdrift resume {header.run_id}` goes on with it"
        )
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
        responses=tuple(response for response in stored.responses() if not response.call.grader),
        scores=stored.scores(),
        evaluation=evaluation,
        repeats=header.planned_repeats,
        warnings=tuple(warnings),
        prompt=_prompts(stored),
        asked=asked,
    )


def _prompts(stored: StoredRun) -> PromptText:
    def prompt(case_id: str, variant: str) -> str | None:
        request = stored.request(CallKey(case_id, variant, 0))
        return None if request is None else prompt_text(request)

    return prompt


def prompt_text(request: Request) -> str:
    """What a request asks, for a person: instructions and messages under their roles; a lone message is bare."""
    body = request.body
    turns = [("instructions", body["instructions"])] if body.get("instructions") else []
    messages = body.get("messages", body.get("input", ()))
    if isinstance(messages, str):
        turns.append(("user", messages))
    elif isinstance(messages, Sequence):
        turns += [
            (str(m.get("role", m.get("type", ""))), m.get("content", m)) for m in messages if isinstance(m, Mapping)
        ]
    if len(turns) == 1 and turns[0][0] == "user":
        return _content_text(turns[0][1])
    return "\n\n".join(f"[{role}]\n{_content_text(content)}" for role, content in turns)


def _content_text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, Sequence):
        return "\n".join(_part_text(part) for part in content)
    return str(content)


def _part_text(part: Any) -> str:
    if isinstance(part, Mapping) and isinstance(part.get("text"), str):
        return str(part["text"])
    return f"[{part.get('type', 'part')}]" if isinstance(part, Mapping) else str(part)
