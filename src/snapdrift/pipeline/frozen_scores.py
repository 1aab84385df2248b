"""Which scores of then count for kept answers, and which graders grade them again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from snapdrift.errors import UsageError
from snapdrift.model import CallKey, Case, Gate, Reason, Response, Score, Variant
from snapdrift.pipeline.suite_graders import graders_of
from snapdrift.store.archive_records import Archive, ArchivedAnswer, ArchivedGrader
from snapdrift.store.archives import grader_of

if TYPE_CHECKING:
    from snapdrift.graders.base import Grader
    from snapdrift.suites.resolved import Suite


@dataclass(frozen=True, slots=True)
class FrozenScores:
    """Scores of then that count, under the baseline's name.

    `reused` names the graders with judges among those whose scores they are, `regraded` those with judges that are
    asked again.
    """

    scores: tuple[Score, ...]
    reused: tuple[str, ...]
    regraded: tuple[str, ...]


def frozen_scores(
    suite: Suite,
    gate: Gate,
    archive: Archive,
    answers: Mapping[CallKey, ArchivedAnswer],
    cases: Sequence[Case],
    where: str,
) -> FrozenScores:
    """What counts of then. Raises `UsageError` for a metric of the gate that can neither be taken over nor graded."""
    scores: list[Score] = []
    reused, regraded = list[str](), list[str]()
    asked, hidden = _asked_metrics(gate), _hidden(archive)
    for grader in graders_of(suite):
        then = grader_of(archive.header, grader.name)
        same = then is not None and then.version == grader.version and not grader.compares
        lacking = hidden.to(grader)
        if not lacking and not (same and grader.judges):
            if grader.judges:
                regraded.append(grader.name)
            continue  # graded as any other answer
        if not same and _gates(grader, asked):
            raise UsageError(_cannot_grade(grader, then, where, lacking))
        applied = {case.id for case in cases if grader.applies(case)}
        found = {key: answer for key, answer in answers.items() if key.case_id in applied}
        scores += _of_grader(grader, found, then, where, lacking) if lacking else _gradeable(grader, found)
        if same and grader.judges:
            reused.append(grader.name)
    return FrozenScores(tuple(scores), tuple(reused), tuple(regraded))


@dataclass(frozen=True, slots=True)
class Hidden:
    """What privacy took out of kept answers, so that graders who look at it cannot grade them again."""

    answers: bool = False
    prompt: bool = False
    steps: bool = False

    def to(self, grader: Grader) -> str:
        """What the grader would look at and is not there, in words; empty where it can grade the answers."""
        if self.answers:
            return "texts"
        if self.prompt and grader.sees_prompt:
            return "prompt, which this grader's judge is shown"
        if self.steps and grader.sees_steps:
            return "results of tools or what was said between steps, which this grader may look at"
        return ""


def hidden_in(variant: Variant, responses: Iterable[Response], *, answers: bool) -> Hidden:
    """What is not there of these responses of a variant of then; `answers` says whether their texts are."""
    from snapdrift.reports.redaction import hides_steps

    return Hidden(not answers, not variant.prompt, answers and any(map(hides_steps, responses)))


def _hidden(archive: Archive) -> Hidden:
    responses = (answer.response for case in archive.cases for answer in case.answers)
    return hidden_in(archive.header.variant, responses, answers=archive.header.answers)


def _asked_metrics(gate: Gate) -> frozenset[str]:
    return frozenset(entry.metric for entry in gate.metrics)


def _gates(grader: Grader, asked: frozenset[str]) -> bool:
    return any(metric.name in asked for metric in grader.metrics)


def _cannot_grade(grader: Grader, then: ArchivedGrader | None, where: str, lacking: str) -> str:
    from snapdrift.reports.escaping import line

    what = (
        "which compares answers with each other"
        if grader.compares
        else f"which is {grader.version} now and was {line(then.version)} then"
        if then
        else "which did not grade them then"
    )
    return (
        f"{where} holds no {lacking}, and the gate asks for {grader.name}, {what}; expected the grader of then, or "
        "answers to grade: put the grader back, take its metrics out of this gate, or archive the run again where "
        "`privacy` lets that out"
    )


def _gradeable(grader: Grader, answers: Mapping[CallKey, ArchivedAnswer]) -> Iterator[Score]:
    """The verdicts of then on answers that are there: one that the judge failed to give is asked for again."""
    for key, answer in answers.items():
        found = {score.metric: score for score in answer.scores if score.value is not None}
        if answer.response.outcome.measured and all(metric.name in found for metric in grader.metrics):
            yield from (_score(key, metric.name, grader.version, found[metric.name]) for metric in grader.metrics)


def _of_grader(
    grader: Grader, answers: Mapping[CallKey, ArchivedAnswer], then: ArchivedGrader | None, where: str, lacking: str
) -> Iterator[Score]:
    """The scores of then; of an answer without one that cannot be graded again, an error that says so."""
    same = then is not None and then.version == grader.version and not grader.compares
    for key, answer in answers.items():
        if not answer.response.outcome.measured:
            continue
        found = {score.metric: score for score in answer.scores} if same else {}
        for metric in grader.metrics:
            score = found.get(metric.name)
            if score is None:
                why = f"{where} has no {lacking}, nor a score of this answer by {grader.version}"
                yield _score(key, metric.name, grader.version, None, why)
            else:
                yield _score(key, metric.name, grader.version, score)


def _score(key: CallKey, metric: str, version: str, then: Score | None, why: str = "") -> Score:
    if then is None:
        return Score(
            key.case_id, key.variant, key.repeat, metric, None, None, Reason.GRADER_ERROR, detail=why, version=version
        )
    return Score(
        case_id=key.case_id,
        variant=key.variant,
        repeat=key.repeat,
        metric=metric,
        value=then.value,
        passed=then.passed,
        reason=then.reason,
        detail=then.detail,
        extracted_by=then.extracted_by,
        evidence=then.evidence,
        version=version,
    )
