"""`export`: a run file to give away, without what the suite's privacy rules take out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snapdrift.errors import UsageError
from snapdrift.model import Case, Request, Response, Variant, sha256
from snapdrift.pipeline.concluding import STOPPED, require_finished
from snapdrift.pipeline.kept_scores import BASELINE
from snapdrift.pipeline.options import RunOptions
from snapdrift.pipeline.reruns import REACHED
from snapdrift.pipeline.run_files import locate_run
from snapdrift.privacy import PROMPT, Privacy, columns_of
from snapdrift.references import Reference
from snapdrift.store import SPARED, RunHeader, StoredRun, codec, open_run
from snapdrift.store.exports import Records, write_copy, write_records
from snapdrift.store.format import ATTEMPT_STARTED
from snapdrift.suites.privacy import wrong_name

if TYPE_CHECKING:
    from snapdrift.reports.redaction import Redactor

_KEPT = ("state", "finished_at", ATTEMPT_STARTED, REACHED, SPARED, BASELINE)
"""What an export says of the run as a whole beside its header and its conclusions: what reports read, and no more."""


@dataclass(frozen=True, slots=True)
class Exported:
    """Where an export is, and what was taken out of it (nothing: it is a whole copy)."""

    run_id: str
    path: Path
    redacted: tuple[str, ...]


def export_run(text: str, out: Path, redact: Sequence[str], options: RunOptions, cwd: Path) -> Exported:
    """Writes a finished run to another file, redacted by the rules that it was made under and `redact` besides.

    Without rules it is a whole copy. Raises `StoreError` for a run that is under way and a file that is there already,
    `UsageError` for a name that means nothing.
    """
    _, path = locate_run(text, options, cwd)
    return write_export(path, out, redact)


def write_export(path: Path, out: Path, redact: Sequence[str] = (), *, whole: bool = False) -> Exported:
    """The same of a run file that is known; with `whole` it is a copy whatever the rules."""
    from snapdrift.reports.redaction import Redactor

    with open_run(path) as stored, stored.at_one_moment():
        require_finished(stored)
        cases, header = stored.cases(), stored.header
        rules = rules_of(stored, cases, redact)
        redactor = Redactor.of(rules, cases, header.variants, stored.meta(STOPPED) or "")
        names = () if whole else redactor.redaction.names
        if names:
            write_records(_records(stored, cases, rules, redactor), out)
    if not names:
        with open_run(path) as stored:
            write_copy(stored, out)
    return Exported(header.run_id, out, names)


def taken_out_of(stored: StoredRun) -> tuple[str, ...]:
    """What an export of a run would take out by the rules that it was made under, as a run names it; () of none."""
    from snapdrift.reports.redaction import Redactor

    cases = stored.cases()
    return Redactor.of(rules_of(stored, cases, ()), cases, stored.header.variants, "").redaction.names


def rules_of(stored: StoredRun, cases: Sequence[Case], redact: Sequence[str]) -> Privacy:
    """The rules of the stored suite, made stricter. Raises `UsageError` for a name that means nothing."""
    columns = columns_of(cases)
    for name in redact:
        told = wrong_name(name, columns)
        if told is not None:
            raise UsageError(f"--redact: {told}")
    rules = Privacy.from_stored(stored.suite.get("privacy"))
    return replace(rules, redact=tuple(dict.fromkeys([*rules.redact, *redact])))


def _records(stored: StoredRun, cases: Sequence[Case], rules: Privacy, redactor: Redactor) -> Records:
    meta = {key: text for key in _KEPT if (text := stored.meta(key)) is not None}
    evaluation = stored.evaluation
    if evaluation is not None:
        meta["evaluation"] = codec.dumps(redactor.evaluation(evaluation))
    return Records(
        header=_header(stored.header, rules, redactor),
        meta=meta,
        cases=map(redactor.case, cases),
        calls=stored.planned(),
        requests=_requests(stored, redactor),
        responses=_responses(stored, redactor),
        scores=map(redactor.score, stored.scores()),
    )


def _responses(stored: StoredRun, redactor: Redactor) -> Iterator[Response]:
    """Case by case, as the plan has the repeats of a case far apart: the texts of one case at a time are in memory."""
    for case_id in stored.case_ids():
        yield from map(redactor.response, stored.answers_about(case_id))
        redactor.forget(case_id)
    for reply in stored.replies():
        yield redactor.judgement(reply)
        redactor.forget(reply.call.case_id)


def _requests(stored: StoredRun, redactor: Redactor) -> Iterator[Request]:
    """The first request of each answer, where prompts are shown; later ones hold answers, and judges' hold all."""
    if redactor.redaction.prompt:
        return
    for call in stored.calls():
        request = None if call.grader else stored.request(call)
        if request is not None and request.endpoint.over_http:
            yield request


def _header(header: RunHeader, rules: Privacy, redactor: Redactor) -> RunHeader:
    """The header with its suite redacted, and marked.

    Its identity is another one: no run takes up the answers of an export.
    """
    names, hidden = redactor.redaction.names, rules.hides_part(PROMPT)
    suite = {
        **header.suite_stored,
        "source": "",  # it may hold the cases themselves
        "privacy": rules.to_stored(),
        "media": {} if redactor.redaction.prompt else header.suite_stored.get("media", {}),
    }
    reference = Reference.from_stored(header.suite_stored.get("reference"))
    if hidden and reference is not None:
        suite["reference"] = reference.without_texts().to_stored()
    if hidden:
        suite["variants"] = [_without_prompt(variant) for variant in suite["variants"]]
    variants = tuple(map(_bare, header.variants)) if hidden else header.variants
    identity = sha256([header.identity, *names])
    return replace(header, suite_stored=suite, variants=variants, redacted=names, identity=identity)


def _bare(variant: Variant) -> Variant:
    return replace(variant, prompt={}, request=_without_tools(variant.request))


def _without_prompt(variant: Mapping[str, Any]) -> dict[str, Any]:
    return {**variant, "prompt": {}, "request": _without_tools(variant["request"])}


def _without_tools(request: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in request.items() if key != "tools"}
