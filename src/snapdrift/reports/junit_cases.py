"""The test cases of `junit.xml` for cases that newly fail: red where their comparison breaks the gate, else skipped."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from snapdrift.reports.case_views import CaseGroup, CaseView, Change
from snapdrift.reports.escaping import shortened
from snapdrift.reports.excerpts import excerpts
from snapdrift.reports.view import View

LISTED = 1_000
"""How many newly failing cases get a test case of their own; the rest is counted in one more."""

WITHIN = "newly fails, within the gate"
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
        (case, change) for case in view.cases for change in case.changes if change.group is CaseGroup.NEWLY_FAILING
    ]
    found.sort(key=lambda pair: _key(pair[1]) not in broken)
    several = len({change.baseline for _, change in found}) > 1
    for case, change in found[:LISTED]:
        yield _failing(view, case, change, breaks=_key(change) in broken, several=several)
    if rest := found[LISTED:]:
        breaks = any(_key(change) in broken for _, change in rest)
        told = f"{len(rest)} more newly failing: they are in the report"
        yield Failing("newly_failing", f"{len(rest)} more", breaks, told, CaseGroup.NEWLY_FAILING.value)


def _failing(view: View, case: CaseView, change: Change, *, breaks: bool, several: bool) -> Failing:
    against = f" against {change.baseline}" if several else ""
    name = f"{shortened(case.case.id, _NAME)} [{change.metric}, {change.candidate}{against}]"
    message = change.reason if breaks else f"{WITHIN}: {change.reason}"
    text = "\n".join(f"{one.name}: {one.text}" for one in excerpts(view, case, [change]))
    return Failing(change.metric, name, breaks, message, change.reason, text)


def _key(change: Change) -> Compared:
    return change.metric, change.baseline, change.candidate
