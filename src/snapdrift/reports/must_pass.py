"""The cases that must pass, on each variant that is judged by them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from snapdrift.conclusions import Evaluation
from snapdrift.model import Case, MetricSpec, Outcome, Reason, ScoreKind, Severity
from snapdrift.reports.case_views import AnswerView, MustPassStatus, MustPassView


def judged_variants(evaluation: Evaluation) -> dict[str, Severity]:
    """As `verdicts.limits.judged_variants`: the candidates that ran, or every variant where there are none."""
    return evaluation.gate.judged(summary.name for summary in evaluation.variants)


class MustPassChecks:
    """Finds how the cases that must pass did, one after the other."""

    def __init__(self, evaluation: Evaluation, metrics: Sequence[MetricSpec]) -> None:
        self._covers = evaluation.gate.must_pass.covers
        self._judged = judged_variants(evaluation)
        self._pass_fail = frozenset(metric.name for metric in metrics if metric.kind is ScoreKind.PASS_FAIL)

    def covers(self, case: Case) -> bool:
        """Whether a case must pass."""
        return self._covers(case)

    def of(self, case_id: str, answers: Sequence[AnswerView]) -> Iterator[MustPassView]:
        """How a case did on each judged variant; nothing where no call about it was needed: it was not asked."""
        if not all(answer.outcome is Outcome.NOT_NEEDED for answer in answers):
            for variant, severity in self._judged.items():
                own = [answer for answer in answers if answer.variant == variant]
                yield _checked(case_id, variant, severity, own, self._pass_fail)


def _checked(
    case_id: str, variant: str, severity: Severity, answers: Sequence[AnswerView], pass_fail: frozenset[str]
) -> MustPassView:
    scores = [(a, s) for a in answers for s in a.scores if s.metric in pass_fail]
    failures = dict.fromkeys(
        f"{s.metric}: {a.outcome.value if s.reason is Reason.NOT_ACCEPTED else s.reason.value}"
        for a, s in scores
        if s.passed is False
    )
    unmeasured = any(not a.outcome.measured for a in answers) or any(s.passed is None for _, s in scores)
    if failures:
        status = MustPassStatus.FAILED
    else:
        status = MustPassStatus.UNMEASURED if unmeasured or not scores else MustPassStatus.PASSED
    return MustPassView(case_id, variant, severity, status, tuple(failures))
