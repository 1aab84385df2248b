"""What a failing item says: the verdict, why, and the worst cases with both answers. Short; the report has it all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from snapdrift.reports.case_views import CaseGroup, CaseView, Change, MustPassStatus, MustPassView
from snapdrift.reports.escaping import shortened
from snapdrift.reports.excerpts import excerpts
from snapdrift.reports.scales import without_mark

if TYPE_CHECKING:
    from snapdrift.api import Run
    from snapdrift.reports.view import View

SHOWN = 3
"""Cases that are shown with their texts."""
_LOOKED_AT = 60
"""Newly failing cases among which the worst are looked for, in the dataset's order."""
_IDS = 10
_REASONS = 8
_EXCERPT = 240


def metric_text(run: Run, metric: str, candidate: str, sentences: Sequence[str], *, texts: bool) -> str:
    """A broken metric of a candidate; without `texts` its cases are named only."""
    view = run.view
    why = [
        f"why: {one.sentence}"
        for one in view.explanations
        if (one.row.comparison.metric, one.row.comparison.candidate) == (metric, candidate)
    ]
    worst = _worst(view, metric, candidate, texts=texts)
    return "\n".join([*_opening(run, sentences), *why, *worst, *_against(run), *_where(run)])


def must_pass_text(run: Run, rows: Sequence[MustPassView], *, texts: bool) -> str:
    """A must-pass case that did not pass, on each variant where it did not."""
    sentences = []
    for row in rows:
        codes = ", ".join(row.failures) or row.status.value
        sentences.append(f"{row.case_id} must pass on {row.variant}: {codes}")
    told: list[str] = []
    failed = [row for row in rows if row.status is MustPassStatus.FAILED]
    if texts and failed:
        place = next(one.place for one in run.view.cases.outlines if one.id == failed[0].case_id)
        case = run.view.cases[place]
        told += _case_lines(case, [_as_change(run.view, row) for row in failed], "")
    return "\n".join([*_opening(run, sentences), *told, *_where(run)])


def decision_text(run: Run) -> str:
    """The decision, with its reasons, and why calls got no answer."""
    view = run.view
    reasons = [reason for reason in view.reasons if reason != view.headline]
    told = [f"- {reason}" for reason in reasons[:_REASONS]]
    if len(reasons) > _REASONS:
        told.append(f"- and {len(reasons) - _REASONS} more")
    told += [f"unanswered: {failure}" for failure in view.failures[:_REASONS]]
    return "\n".join([*_opening(run, [f"{run.decision}: {view.headline}"]), *told, *_against(run), *_where(run)])


def _opening(run: Run, sentences: Sequence[str]) -> list[str]:
    labels = "".join(f" [{label}]" for label in run.labels)
    return [f"{sentences[0]}{labels}", *sentences[1:]]


def _against(run: Run) -> list[str]:
    """What it was compared with, where that is no variant that the suite's file has."""
    return [f"baseline: {sentence}" for sentence in run.compared_with]


def _where(run: Run) -> Iterator[str]:
    yield f"run {run.id} of {run.suite}" + ("" if run.report is None else f", report: {run.report}")


def _worst(view: View, metric: str, candidate: str, *, texts: bool) -> Iterator[str]:
    """The newly failing cases of a metric, those that lost most first; what is accepted has been looked at."""
    accepted = {
        case
        for row in view.comparisons
        if (row.comparison.metric, row.comparison.candidate) == (metric, candidate) and row.comparison.left_out
        for case in row.comparison.left_out.losses
    }
    found = [
        (one, [change])
        for one in view.cases.outlines
        for change in one.changes
        if (change.metric, change.candidate, change.group) == (metric, candidate, CaseGroup.NEWLY_FAILING)
        and one.id not in accepted
    ]
    if accepted:
        yield f"accepted, and left out: {_listed(sorted(accepted))}"
    if not found:
        return
    moved = "worse" if metric in without_mark(view.metrics) else "newly failing"
    if not texts:
        yield f"{moved} ({len(found)}): {_listed([one.id for one, _ in found])}"
        return
    looked_at = list(islice(found, _LOOKED_AT))
    cases = list(view.cases.pick(one.place for one, _ in looked_at))
    ranked = sorted(zip(cases, looked_at, strict=True), key=lambda pair: -_loss(pair[0], pair[1][1][0]))
    worst = ranked[:SHOWN]
    yield f"worst cases ({len(worst)} of {len(found)} {moved}):"
    for case, (_, changes) in worst:
        yield from _case_lines(case, changes, "  ")


def _listed(ids: Sequence[str]) -> str:
    return ", ".join(ids[:_IDS]) + (f" and {len(ids) - _IDS} more" if len(ids) > _IDS else "")


def _loss(case: CaseView, change: Change) -> float:
    """By how much the mean score of a case fell; the better way up or down is the same for all of a metric."""
    return abs(_mean(case, change.baseline, change.metric) - _mean(case, change.candidate, change.metric))


def _mean(case: CaseView, variant: str, metric: str) -> float:
    values = [
        score.value
        for answer in case.answers
        if answer.variant == variant
        for score in answer.scores
        if score.metric == metric and score.value is not None
    ]
    return sum(values) / len(values) if values else 0.0


def _case_lines(case: CaseView, changes: Sequence[Change], indent: str) -> Iterator[str]:
    yield f"{indent}{case.case.id} ({', '.join(dict.fromkeys(change.reason for change in changes))})"
    told = excerpts(case, changes)
    width = max((len(one.name) for one in told), default=0)
    for one in told:
        yield f"{indent}  {one.name + ':':<{width + 1}} {shortened(one.text, _EXCERPT)}"


def _as_change(view: View, row: MustPassView) -> Change:
    """A must-pass case that failed, told like one that newly fails: with the baseline's answer where there is one."""
    metric, _, reason = row.failures[0].partition(": ")
    pairs = view.evaluation.gate.pairs
    baseline = next((pair.baseline for pair in pairs if pair.candidate == row.variant), row.variant)
    return Change(metric, baseline, row.variant, CaseGroup.NEWLY_FAILING, reason)
