"""An archive of one variant of a stored run: what is kept, what privacy takes out, and what is not archived at all."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from snapdrift.errors import UsageError
from snapdrift.model import CallKey, Endpoint, Outcome, Response, Score, Source, Variant, sha256
from snapdrift.pipeline.concluding import require_finished, require_one_version
from snapdrift.pipeline.suite_graders import graders_of
from snapdrift.privacy import PROMPT
from snapdrift.store.archive_records import Archive, ArchivedAnswer, ArchivedCase, ArchivedGrader, ArchiveHeader
from snapdrift.store.archives import finished
from snapdrift.suites.datasets import dataset_hash

if TYPE_CHECKING:
    from snapdrift.reports.redaction import Redactor
    from snapdrift.store import StoredRun
    from snapdrift.suites.resolved import Suite

LONGEST = 1_000
"""Characters of what a person says about an archive."""
_NAME = 300
SIMULATED = "its answers are simulated: the stand-in made them up"
"""Why a run of the stand-in is no baseline for others."""


@dataclass(frozen=True, slots=True)
class ArchiveWords:
    """What a person says about an archive: why it is made and by whom; `force` archives what is usually refused.

    `salt` is the secret under which answers that are left out are hashed; empty: they are not.
    """

    why: str = ""
    by: str = ""
    force: bool = False
    salt: str = ""


def archive_of(stored: StoredRun, suite: Suite, variant: Variant, words: ArchiveWords) -> Archive:
    """The archive of a variant's answers in a finished run. Raises `UsageError` for what is refused, `StoreError`."""
    require_finished(stored)
    require_one_version(stored, suite)
    forced = reasons_against(stored, variant)
    if forced and not words.force:
        raise UsageError(_refusal(stored, variant, forced))
    redactor = _redactor(stored, suite)
    cases = tuple(_cases(stored, suite, variant, redactor, words.salt))
    return finished(_header(stored, suite, variant, cases, redactor, forced, words), cases)


def variant_of(stored: StoredRun, name: str | None) -> Variant:
    """The variant of a run that is meant: the one of that name, else its only one, or its gate's only baseline.

    Raises `UsageError` where that is not one, or has no answers of its own.
    """
    variants = {variant.name: variant for variant in stored.header.variants}
    run = stored.header.run_id
    if name is None:
        evaluation = stored.evaluation
        pairs = () if evaluation is None else evaluation.gate.pairs
        baselines = list(dict.fromkeys(pair.baseline for pair in pairs if pair.baseline in variants))
        candidates = list(variants) if len(variants) == 1 else baselines
        if len(candidates) != 1:
            known = ", ".join(variants)
            raise UsageError(f"run {run} has no single baseline; say which of its variants is meant: {known}")
        name = candidates[0]
    if name not in variants:
        raise UsageError(f"run {run} has no variant {name!r}; expected one of {', '.join(variants)}")
    if variants[name].endpoint is Endpoint.ARCHIVE:
        raise UsageError(f"{name} of run {run} is kept answers already; use {variants[name].target} itself")
    return variants[name]


def reasons_against(stored: StoredRun, variant: Variant) -> tuple[str, ...]:
    """Why a run should not be a baseline for others; empty where nothing speaks against it."""
    header = stored.header
    if header.redacted:
        raise UsageError(f"run {header.run_id} is an export, whose texts are gone; archive the run it was made from")
    found = []
    if header.shard is not None:
        found.append(f"it is {header.shard}; merge the shards first")
    elif header.partial and dataset_hash(stored.cases()) != header.dataset_hash:
        found.append("it is partial: only some cases were asked")
    planned = [key for key in stored.calls() if key.variant == variant.name and not key.grader]
    measured = stored.answered_keys()
    lacking = sum(key not in measured for key in planned)
    if lacking:
        found.append(f"it is incomplete: {lacking:,} of {len(planned):,} calls of {variant.name} have no answer")
    sources = {asked.source for asked in stored.asked_models() if asked.variant == variant.name and not asked.grader}
    if Source.SIMULATED in sources:
        found.append(SIMULATED)
    if header.git_dirty:
        found.append("it was made with uncommitted changes, so nobody can see of what")
    return tuple(found)


def _refusal(stored: StoredRun, variant: Variant, reasons: tuple[str, ...]) -> str:
    told, run = "\n".join(f"  {reason}" for reason in reasons), stored.header.run_id
    return (
        f"run {run} is no baseline for others ({variant.name}):\n{told}\n`snapdrift archive {run} --variant "
        f"{variant.name} --force` keeps its answers all the same; the archive and every report that uses it say so"
    )


def _redactor(stored: StoredRun, suite: Suite) -> Redactor:
    from snapdrift.reports.redaction import Redactor

    return Redactor.of(suite.privacy, stored.cases(), stored.header.variants)


def _cases(stored: StoredRun, suite: Suite, variant: Variant, redactor: Redactor, salt: str) -> Iterator[ArchivedCase]:
    planned: dict[str, list[CallKey]] = defaultdict(list)
    for key in stored.calls():
        if key.variant == variant.name and not key.grader:
            planned[key.case_id].append(key)
    judged = {metric.name for grader in graders_of(suite) if grader.judges for metric in grader.metrics}
    scores: dict[CallKey, list[Score]] = defaultdict(list)
    for score in stored.scores():
        if score.variant == variant.name:
            scores[CallKey(score.case_id, score.variant, score.repeat)].append(_kept_score(score, judged, redactor))
    for case in stored.each_case():
        if planned[case.id]:
            keys = sorted(planned[case.id])
            answers = (_answer(stored, key, variant, tuple(scores[key]), redactor, salt) for key in keys)
            yield ArchivedCase(case.id, case.hash, tuple(answers))


def _answer(
    stored: StoredRun, key: CallKey, variant: Variant, scores: tuple[Score, ...], redactor: Redactor, salt: str
) -> ArchivedAnswer:
    response = stored.response(key)
    if response is None:
        return ArchivedAnswer(Response(key, Outcome.MISSING, variant.model))
    if response.reused is not None:  # what an earlier run was answered is archived as what it was then
        then = response.reused
        response = replace(response, finished_at=then.received_at, usd=then.usd, latency_ms=then.latency_ms)
    if not redactor.redaction:
        return ArchivedAnswer(response, scores)
    if redactor.answers:
        said = response.said
        tag = hmac.new(salt.encode(), said.encode("utf-8", "surrogatepass"), hashlib.sha256) if salt else None
        return ArchivedAnswer(_without_texts(response), scores, "" if tag is None else tag.hexdigest())
    return ArchivedAnswer(redactor.response(response), scores)


def _without_texts(response: Response) -> Response:
    """How a call ended and what it took, and nothing that a model, a tool or a host said."""
    return replace(
        response, text="", raw="", refusal=None, tool_calls=(), steps=(), detail="", failure=None, request_id=None
    )


def _kept_score(score: Score, judged: set[str], redactor: Redactor) -> Score:
    """A score without what is found again by grading; of a judge, which is not asked again, with what it said."""
    bare = redactor.score(score) if redactor.redaction else score
    if score.metric in judged:
        return replace(bare, extracted=None, facts={})
    return replace(bare, extracted=None, evidence=(), facts={}, detail="")


def _header(
    stored: StoredRun,
    suite: Suite,
    variant: Variant,
    cases: tuple[ArchivedCase, ...],
    redactor: Redactor,
    forced: tuple[str, ...],
    words: ArchiveWords,
) -> ArchiveHeader:
    header = stored.header
    answers = [answer.response for case in cases for answer in case.answers]
    measured = [response for response in answers if response.outcome.measured]
    times = sorted(response.finished_at for response in measured if response.finished_at)
    hidden = suite.privacy.hides_part(PROMPT)
    return ArchiveHeader(
        suite=header.suite,
        variant=_bare(variant) if hidden else variant,
        prompt_hash=prompt_hash(variant),
        run=header.run_id,
        gate=header.gate,
        started_at=header.started_at,
        finished_at=stored.finished_at or "",
        first_at=times[0] if times else header.started_at,
        last_at=times[-1] if times else header.started_at,
        models=_counted(response.returned_model for response in measured),
        sources=_counted(response.source.value for response in measured),
        repeats=max((response.call.repeat for response in answers), default=0) + 1,
        cases=len(cases),
        planned=len(answers),
        measured=len(measured),
        graders=tuple(_grader(grader.name, suite) for grader in suite.graders),
        suite_hash=header.suite_hash,
        dataset_hash=header.dataset_hash,
        versions={name: str(version) for name, version in header.versions.items()},
        media={} if redactor.redaction.prompt else dict(suite.media),
        git_commit=header.git_commit,
        git_dirty=header.git_dirty,
        answers=not redactor.answers,
        left_out=redactor.redaction.names,
        forced=forced,
        why=_said(words.why, "--why"),
        by=_said(words.by, "--by"),
    )


def prompt_hash(variant: Variant) -> str:
    """What tells whether two variants ask alike: the hex SHA-256 of prompt and settings."""
    return sha256([dict(variant.prompt), dict(variant.request)])


def _bare(variant: Variant) -> Variant:
    return replace(variant, prompt={}, request={key: v for key, v in variant.request.items() if key != "tools"})


def _grader(name: str, suite: Suite) -> ArchivedGrader:
    grader = next(grader for grader in graders_of(suite) if grader.name == name)
    judges = tuple(dict.fromkeys(judge.model for judge in grader.judges))
    return ArchivedGrader(name, grader.version, tuple(metric.name for metric in grader.metrics), judges)


def _counted(words: Iterator[str | None]) -> Mapping[str, int]:
    """How often each is there; what a host calls its model may be anything."""
    from snapdrift.reports.escaping import line, shortened

    return dict(sorted(Counter(shortened(line(word), _NAME) for word in words if word is not None).items()))


def _said(text: str, option: str) -> str:
    if len(text) > LONGEST or not text.isprintable():
        raise UsageError(f"{option}: found {len(text):,} characters; expected one line of at most {LONGEST:,}")
    return text.strip()
