"""Makes the cases of the view model: how each differs through each lens, and its answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from snapdrift.calibrations import HumanLabel
from snapdrift.conclusions import Comparison
from snapdrift.model import CallKey, Purpose, Reason, Response, Score
from snapdrift.reports.case_views import (
    BETTER,
    WON,
    AnswerView,
    CaseGroup,
    CaseOutline,
    CaseView,
    Change,
    Lens,
)
from snapdrift.reports.cases import LOST, WORSE, AnswerIndex, case_state, overall_group, reason_code
from snapdrift.reports.data import RunData
from snapdrift.reports.judging import replies_by_answer
from snapdrift.reports.records import CaseRecord


class CaseMaker:
    """Makes outlines and cases of a run's records, one by one."""

    def __init__(self, data: RunData, lenses: tuple[Lens, ...]) -> None:
        self._data = data
        self._lenses = lenses
        self._variants = tuple(variant.name for variant in data.variants)
        self._order = {metric.name: place for place, metric in enumerate(data.metrics)}
        self._graders = {metric.name: metric.grader for metric in data.metrics}
        self._labels: dict[CallKey, list[HumanLabel]] = defaultdict(list)
        for label in data.labels:
            self._labels[CallKey(label.case_id, label.variant, label.repeat)].append(label)
        movers = {(c.metric, c.baseline, c.candidate): _movers(c) for c in data.evaluation.comparisons}
        self._movers = [movers.get((lens.metric, lens.baseline or "", lens.candidate)) for lens in lenses]

    def outline(self, record: CaseRecord, place: int) -> CaseOutline:
        """The case at a place of the dataset, with a state for each lens."""
        index, case_id = self._index(record), record.case.id
        states = tuple(
            case_state(index, case_id, lens, movers) for lens, movers in zip(self._lenses, self._movers, strict=True)
        )
        compared = (state for state, lens in zip(states, self._lenses, strict=True) if lens.compared)
        outcomes = (outcome for variant in self._variants for outcome in index.outcomes(case_id, variant))
        group = overall_group(compared, outcomes)
        return CaseOutline(case_id, place, group, states, _changes(index, case_id, self._lenses, states))

    def answers(self, record: CaseRecord) -> tuple[AnswerView, ...]:
        """How each planned call about the case ended, with what the record has of it."""
        return tuple(self._answers(record))

    def cases(self, places: Sequence[int], outlines: Iterable[CaseOutline]) -> Iterator[CaseView]:
        """The cases at places of the dataset, of which these are the outlines."""
        for record, one in zip(self._data.records.read(places), outlines, strict=True):
            prompts = {name: record.prompts[name] for name in self._variants if name in record.prompts}
            yield CaseView(record.case, one.group, one.states, one.changes, self.answers(record), prompts)

    def _index(self, record: CaseRecord) -> AnswerIndex:
        scores: dict[tuple[str, str], dict[str, list[Score]]] = defaultdict(lambda: defaultdict(list))
        for score in record.scores:
            scores[score.case_id, score.variant][score.metric].append(score)
        data = self._data
        return AnswerIndex(self._variants, data.repeats, _responses(record), scores, data.unanswered)

    def _answers(self, record: CaseRecord) -> Iterator[AnswerView]:
        data, case_id = self._data, record.case.id
        responses, judged = _responses(record), replies_by_answer(record, self._graders)
        scores: dict[tuple[str, int], list[Score]] = defaultdict(list)
        for score in record.scores:
            scores[score.variant, score.repeat].append(score)
        unknown = len(self._order)
        for variant in self._variants:
            for repeat in range(data.repeats):
                key = CallKey(case_id, variant, repeat)
                response = responses.get(key)
                yield AnswerView(
                    variant,
                    repeat,
                    response.outcome if response else data.unanswered(case_id, variant),
                    response,
                    tuple(sorted(scores[variant, repeat], key=lambda s: self._order.get(s.metric, unknown))),
                    tuple(self._labels.get(key, ())),
                    tuple(judged.get(key, ())),
                    (data.price(response) if data.price is not None and response is not None else None) or "",
                )


def _responses(record: CaseRecord) -> Mapping[CallKey, Response]:
    return {r.call: r for r in record.responses if r.call.purpose is Purpose.ANSWER}


def _changes(
    index: AnswerIndex, case_id: str, lenses: tuple[Lens, ...], states: tuple[CaseGroup | None, ...]
) -> tuple[Change, ...]:
    changes = []
    for lens, state in zip(lenses, states, strict=True):
        if state in (CaseGroup.NEWLY_FAILING, CaseGroup.NEWLY_PASSING) and lens.compared and lens.baseline is not None:
            fails = state is CaseGroup.NEWLY_FAILING
            failing = lens.candidate if fails else lens.baseline
            preferred = (LOST if fails else WON) if lens.pairwise else None if lens.marked or fails else BETTER
            code = preferred or reason_code(index, case_id, failing, lens.metric)
            if not lens.marked and code == Reason.WRONG.value:
                code = WORSE
            changes.append(Change(lens.metric, lens.baseline, lens.candidate, state, code))
    return tuple(changes)


def _movers(c: Comparison) -> tuple[frozenset[str], frozenset[str]]:
    """The cases that newly fail and newly pass, those among them that are accepted: what was let pass is not hidden."""
    out = c.left_out
    accepted = ((), ()) if out is None else (out.newly_failing, out.newly_passing)
    return frozenset((*c.newly_failing, *accepted[0])), frozenset((*c.newly_passing, *accepted[1]))
