"""The test cases of `junit.xml` for cases that newly fail: red where their comparison breaks the gate, else skipped."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from snapdrift.model import Severity
from snapdrift.reports.case_views import CaseGroup, CaseOutline, Change, MustPassStatus
from snapdrift.reports.escaping import shortened
from snapdrift.reports.excerpts import Excerpt, excerpts, with_texts
from snapdrift.reports.scales import without_mark
from snapdrift.reports.view import View

LISTED = 1_000
"""How many newly failing cases get a test case of their own; the rest is counted in one more."""

WITHIN = ", within the gate"
ACCEPTED = ", accepted"
BREAKS_ELSEWHERE = "; this comparison does not break the gate, the must-pass case does"
_NAME = 300

Compared = tuple[str, str, str]
"""Metric, baseline and candidate."""


@dataclass(frozen=True, slots=True)
class Failing:
    """A newly failing case through one comparison, or the count of those that are not listed.

    `breaks` is whether the comparison breaks the gate; `text` is what the suite lets out of the case's texts.
    """

    metric: str
    name: str
    breaks: bool
    message: str
    reason: str
    text: str = ""


def newly_failing(view: View, broken: Collection[Compared]) -> Iterator[Failing]:
    """One for each newly failing case of a comparison with a margin, those that break the gate (`broken`) first.

    No more than `LISTED` and one that counts the others, which breaks the gate where one of them does.
    """
    found = [
        (one, change)
        for one in view.cases.outlines
        for change in one.changes
        if change.group is CaseGroup.NEWLY_FAILING
    ]
    accepted = {
        (case, one.acceptance.metric, candidate): one.acceptance
        for one in view.acceptances
        for case, candidate in ((one.acceptance.case, name) for name in one.candidates)
    }
    red = {
        (one.case_id, one.variant)
        for one in view.must_pass
        if one.status is MustPassStatus.FAILED and one.severity is Severity.FAIL
    }

    def breaks(one: CaseOutline, change: Change) -> bool:
        return _key(change) in broken and (one.id, change.metric, change.candidate) not in accepted

    found.sort(key=lambda pair: not breaks(*pair))
    several = len({change.baseline for _, change in found}) > 1
    scales = without_mark(view.metrics)
    texts = with_texts(view, [one for one, _ in found[:LISTED]])
    for (one, case), (_, change) in zip(texts, found, strict=False):
        against = f" against {change.baseline}" if several else ""
        fine = accepted.get((one.id, change.metric, change.candidate))
        within = BREAKS_ELSEWHERE if (one.id, change.candidate) in red else WITHIN
        within = within if fine is None else f"{ACCEPTED} by {shortened(fine.by, _NAME)} until {fine.until}"
        moved = "is worse" if change.metric in scales else "newly fails"
        why = "" if breaks(one, change) else moved + within
        yield _failing(one.id, against, change, excerpts(case, [change]), why)
    if rest := found[LISTED:]:
        breaking = any(breaks(*pair) for pair in rest)
        told = f"{len(rest)} more newly failing: they are in the report"
        yield Failing("newly_failing", f"{len(rest)} more", breaking, told, CaseGroup.NEWLY_FAILING.value)


def _failing(case_id: str, against: str, change: Change, told: Sequence[Excerpt], within: str) -> Failing:
    """`within` says why it does not break the gate, empty where it does."""
    name = f"{shortened(case_id, _NAME)} [{change.metric}, {change.candidate}{against}]"
    message = f"{within}: {change.reason}" if within else change.reason
    text = "\n".join(f"{one.name}: {one.text}" for one in told)
    return Failing(change.metric, name, not within, message, change.reason, text)


def _key(change: Change) -> Compared:
    return change.metric, change.baseline, change.candidate
