"""`grade`, which applies a grader to one response: from what a family makes of an answer to its scores.

Everything that is the same for all families is done here once: when a grader applies, outcomes, extraction, `not`, and
what may go wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from snapdrift.errors import SnapdriftError
from snapdrift.graders.extract import Extraction
from snapdrift.graders.made_scores import made_score
from snapdrift.graders.marks import CannotGradeError, Mark, NotExtractedError
from snapdrift.graders.values import kept, scrubbed, shortened
from snapdrift.model import Case, Outcome, Response, Score

if TYPE_CHECKING:
    from snapdrift.graders.base import Grader

_UNMARKED = Mark.error("the grader said nothing about this metric")
DETAIL_LIMIT = 1_000
EVIDENCE_LIMIT = 20


def grade(grader: Grader, case: Case, response: Response) -> tuple[Score, ...]:
    """The scores of one response: exactly one for each of the grader's metrics.

    None where the grader does not apply to the case or the call was not measured. Never raises for what an answer
    holds or a family does wrong: whatever keeps the grader from grading becomes a `grader_error` with a sentence.
    """
    if not grader.applies(case) or not response.outcome.measured:
        return ()
    if response.outcome not in grader.accepts:
        return scores_of(grader, response, _with_facts(grader, case, not_accepted(grader, response)))
    extraction: Extraction | None = None
    marks: Mapping[str, Mark] | Mark
    try:
        extraction = grader.value_in(response)
        marks = grader.marks_of(case, response, extraction.value)
    except NotExtractedError as error:
        marks = _with_facts(grader, case, Mark.not_extracted(f"could not extract: {error}", error.reason))
    except (CannotGradeError, SnapdriftError) as error:
        marks = Mark.error(str(error))
    except Exception as error:  # noqa: BLE001  a defect in one family must not end a run that is paid for
        marks = Mark.error(f"the grader failed: {type(error).__name__}: {error}")
    return scores_of(grader, response, marks, extraction)


def _with_facts(grader: Grader, case: Case, mark: Mark) -> Mark:
    """The mark of an answer that held nothing to judge, with what is known of the case all the same."""
    try:
        return replace(mark, facts=grader.facts_of(case))
    except Exception:  # noqa: BLE001  facts are for a summary: without them the score is still what it is
        return mark


def scores_of(
    grader: Grader, response: Response, marks: Mapping[str, Mark] | Mark, extraction: Extraction | None = None
) -> tuple[Score, ...]:
    """One score for each metric; one mark stands for all of them. A metric without a mark is a grader error."""
    # The whole answer is not kept a second time: it stands in the response.
    extracted = None if extraction is None or extraction.value is response.text else kept(extraction.value)
    extracted_by = None if extraction is None else extraction.alternative
    call, version, negate = response.call, grader.version, grader.negate
    case_id, variant, repeat = call.case_id, call.variant, call.repeat
    of_all = marks if isinstance(marks, Mark) else None
    scores = []
    for name, higher_is_better in grader.scored_metrics:
        mark = of_all or cast("Mapping[str, Mark]", marks).get(name, _UNMARKED)
        mark = mark.inverted() if negate else mark
        mark = mark if higher_is_better else mark.at_worst_where_failed()
        scores.append(
            made_score(
                case_id,
                variant,
                repeat,
                name,
                mark.value,
                mark.passed,
                mark.reason,
                mark.detail and _told(mark.detail),
                extracted,
                extracted_by,
                mark.evidence and tuple(map(_told, mark.evidence[:EVIDENCE_LIMIT])),
                version,
                mark.facts,
            )
        )
    return tuple(scores)


def _told(text: str) -> str:
    """A sentence as a score keeps it."""
    return scrubbed(shortened(text, DETAIL_LIMIT))


def not_accepted(grader: Grader, response: Response) -> Mark:
    """What an outcome scores that the grader does not accept."""
    return Mark.not_accepted(
        f"the call ended as {response.outcome.value}, the grader accepts {_listed(grader.accepts)}"
    )


def _listed(outcomes: Sequence[Outcome]) -> str:
    return ", ".join(outcome.value for outcome in outcomes)
