"""What a view says of all cases together: found in one pass over them, of which counts and outlines stay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from snapdrift.reports.build_cases import CaseMaker
from snapdrift.reports.case_list import CaseList
from snapdrift.reports.case_views import CaseOutline, Lens, MustPassView
from snapdrift.reports.data import RunData
from snapdrift.reports.distributions import DistributionTally, DistributionView
from snapdrift.reports.failures import FailureTally, GraderErrorTally
from snapdrift.reports.must_pass import MustPassChecks


@dataclass(frozen=True, slots=True)
class Survey:
    """The cases, and what was counted over them: as in `View`; `cause` is why most unanswered calls are so."""

    cases: CaseList
    must_pass: tuple[MustPassView, ...]
    failures: tuple[str, ...]
    ungraded: tuple[str, ...]
    cause: str
    distributions: tuple[DistributionView, ...]


def survey(data: RunData, lenses: tuple[Lens, ...]) -> Survey:
    """Goes through the run's cases once."""
    maker, checks = CaseMaker(data, lenses), MustPassChecks(data.evaluation, data.metrics)
    failures, ungraded, spread = FailureTally(), GraderErrorTally(), DistributionTally()
    must_pass: list[MustPassView] = []

    def outlines() -> Iterator[CaseOutline]:
        for place, record in enumerate(data.records.outcomes()):
            for response in record.responses:
                failures.add(response)
                spread.add(response)
            ungraded.add(record.scores)
            if checks.covers(record.case):
                must_pass.extend(checks.of(record.case.id, maker.answers(record)))
            yield maker.outline(record, place)

    cases = CaseList(outlines(), maker.cases)
    return Survey(
        cases=cases,
        must_pass=tuple(must_pass),
        failures=failures.sentences(),
        ungraded=ungraded.sentences(),
        cause=failures.cause(),
        distributions=spread.views(data.evaluation.variants),
    )
