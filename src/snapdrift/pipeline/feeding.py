"""What the looks of a run are fed: final calls go into a buffer, whole units come out in the drawn order.

No waiting and no network: `looking` brings what comes back, and stores what came of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from snapdrift.errors import StoreError
from snapdrift.model import CallKey, CallResult, Case, Gate, Outcome, Response, Results, Score
from snapdrift.pipeline.accepting import without_accepted
from snapdrift.pipeline.grading import baselines_of, code_calls, scores_of
from snapdrift.pipeline.prepare import applicable_cases
from snapdrift.pipeline.sequences import Record, config_hash, planned_comparisons
from snapdrift.stats.case_order import CaseBuffer, Unit
from snapdrift.stats.sequential import LOOK_EVERY, StoppingRule, advance, resolved, restored

if TYPE_CHECKING:
    from snapdrift.graders.base import Grader
    from snapdrift.graders.needs import CodeCall
    from snapdrift.pipeline.grader_code import GraderCode
    from snapdrift.pipeline.judgements import Judgements
    from snapdrift.store import StoredRun
    from snapdrift.suites.resolved import Suite

_Calls = Mapping[str, Mapping[tuple[str, int], "_Settled"]]


@dataclass(frozen=True, slots=True)
class _Settled:
    """How a call ended for the looks: its scores, and the calls (its own, or a judge's) that left it without some."""

    outcome: Outcome
    scores: tuple[Score, ...] = ()
    lost: tuple[CallKey, ...] = ()


@dataclass(slots=True)
class _Judged:
    """An answer that waits for judges: the calls still to come, and those that gave no verdict.

    One that is compared with others waits for those answers too, of which nothing is asked before they are there.
    """

    response: Response
    waiting: set[CallKey]
    lost: tuple[CallKey, ...] = ()


class Feeding:
    """The looks of one run, as far as they have come.

    `state` is the wealth, `passed_over` the calls that had no value when their unit was fed, `resolved` whether a look
    has decided. While it is `patient` nothing is looked at, and a call that failed may still be answered. `changed`
    says that there is something worth storing; whoever stores it sets it back.
    """

    def __init__(
        self,
        stored: StoredRun,
        suite: Suite,
        gate: Gate,
        record: Record,
        order: Sequence[Unit],
        cases: Mapping[str, Case],
        code: GraderCode,
        judgements: Judgements,
    ) -> None:
        """Takes up the wealth of a run file. Raises `StoreError` where it is another configuration's."""
        self._judgements, self._suite, self._gate, self._cases = judgements, suite, gate, cases
        self._header = header = stored.header
        self._code = code
        self._rule = StoppingRule(round(gate.alpha, 12), record.share)
        self._planned = planned_comparisons(header.variants, suite.metrics, gate)
        gating = [one for one in self._planned if one.gating]
        sides = {name for one in gating for name in (one.pair.baseline, one.pair.candidate)}
        self._sides = sides or {variant.name for variant in header.variants}
        metrics = {one.metric for one in gating}
        graders = (g for g in suite.graders if any(metric.name in metrics for metric in g.metrics))
        self._graders = cast("tuple[Grader, ...]", tuple(graders))
        calls = {(name, repeat) for name in self._sides for repeat in range(header.planned_repeats)}
        try:
            self.state = restored(record.state, config_hash=config_hash(header), order_seed=header.seed)
            self._buffer: CaseBuffer[_Settled] = CaseBuffer(order, calls, done=self.state.units)
        except ValueError as error:
            raise StoreError(f"{stored.path}: the run cannot be looked at further: {error}") from error
        self._unit_of = {case: number for number, unit in enumerate(order) for case in unit}
        self._baselines = baselines_of(gate, self._graders, header.variants)
        self._judged: dict[CallKey, _Judged] = {}
        self._came: set[CallKey] = set()
        self._put: set[CallKey] = set()
        self.passed_over = record.passed_over
        self.patient = self.state.units < record.looks_from
        self.resolved = False
        self.changed = False

    def code_calls(self, response: Response) -> list[CodeCall]:
        """The functions of the workspace that are called about an answer, before it is taken in."""
        if not self._awaits(response.call) or not response.outcome.measured:
            return []
        return code_calls(self._judgements, self._graders, self._cases[response.call.case_id], response)

    def take_answer(self, response: Response, judges: Collection[CallKey]) -> None:
        """Takes in how an answer's call ended; `judges` are the calls that judges are asked now that it is there.

        They are about this answer, or about answers taken in before that are compared with it.
        """
        key, measured = response.call, response.outcome.measured
        if self._awaits(key) and measured:
            others = (replace(key, variant=name) for name in self._baselines.get(key.variant, ()))
            to_come = {other for other in others if other not in self._came and self._awaits(other)}
            self._judged[key] = _Judged(response, to_come)
            self._came.add(key)
        elif self._awaits(key) and not self.patient:
            self.pass_over(key)
        gating = {grader.name for grader in self._graders}
        for call in judges:
            judged = self._judged.get(replace(call, grader=""))
            if judged is not None and call.judge in gating:
                judged.waiting.add(call)
        if measured:
            self._settle_judged(key)
            self._no_longer_awaited(key)

    def take_verdict(self, call: CallKey, *, failed: bool) -> None:
        """Takes in that a judge's call has ended; it `failed` where it gave no verdict that can be read."""
        answer = replace(call, grader="")
        judged = self._judged.get(answer)
        if judged is None or call not in judged.waiting or (failed and self.patient):
            return
        judged.waiting.discard(call)
        judged.lost += (call,) if failed else ()
        self._settle_judged(answer)

    def pass_over(self, answer: CallKey) -> None:
        """An answer that does not come: its unit goes on without it."""
        if self._awaits(answer):
            self._settle(answer, _Settled(Outcome.API_ERROR, lost=(answer,)))
            self._no_longer_awaited(answer)

    def settle_all(self, until: int) -> None:
        """Passes over what came to no end in the units before `until`, so that all of them are fed."""
        while not self.resolved and self.state.units < until:
            for case_id, call in self._buffer.waiting_for:
                answer = CallKey(case_id, *cast("tuple[str, int]", call))
                if answer in self._judged:
                    judged = self._judged[answer]
                    judged.lost += tuple(sorted(call for call in judged.waiting if call.grader))
                    judged.waiting.clear()
                    self._settle_judged(answer)
                else:
                    self.pass_over(answer)

    def look(self) -> None:
        """Looks now, out of turn: a sample that may be topped up is looked at when it is over."""
        self.patient, self.changed = False, True
        self.resolved = self.resolved or resolved(self.state, self._rule, self.state.comparisons.keys())

    def _awaits(self, answer: CallKey) -> bool:
        """Whether a call belongs to a unit that is still to be fed, and has not been put yet."""
        number = self._unit_of.get(answer.case_id, -1)
        return (
            not self.resolved
            and answer.variant in self._sides
            and number >= self.state.units
            and (answer not in self._put)
        )

    def _no_longer_awaited(self, answer: CallKey) -> None:
        """Those that are compared with an answer no longer wait for it: it came, or it never will."""
        for candidate, baselines in self._baselines.items():
            other = replace(answer, variant=candidate)
            if answer.variant in baselines and other in self._judged:
                self._judged[other].waiting.discard(answer)
                self._settle_judged(other)

    def _settle_judged(self, answer: CallKey) -> None:
        """Puts an answer into the buffer unless it waits for something."""
        judged = self._judged.get(answer)
        if judged is None or judged.waiting:
            return
        del self._judged[answer]
        case = self._cases[answer.case_id]
        # A grader that lost a verdict has no score here, as it has none where what was passed over is left out.
        graders = [one for one in self._graders if all(call.judge != one.name for call in judged.lost)]
        scores = tuple(scores_of(self._judgements, graders, case, judged.response, self._code))
        self._settle(answer, _Settled(judged.response.outcome, scores, judged.lost))

    def _settle(self, answer: CallKey, settled: _Settled) -> None:
        """Puts a final call into the buffer and feeds the units that this releases, up to the look that decides."""
        self._put.add(answer)
        for unit in self._buffer.put(answer.case_id, (answer.variant, answer.repeat), settled):
            if not self.resolved:
                self._feed(cast("_Calls", unit))

    def _feed(self, unit: _Calls) -> None:
        differences = self._differences(unit)
        lost = tuple(key for calls in unit.values() for settled in calls.values() for key in settled.lost)
        self.passed_over = (*self.passed_over, *lost)
        if self.patient:
            self.state = self.state.fed([differences])
        else:
            progress = advance(self.state, [differences], self._rule, self.state.comparisons.keys())
            self.state, self.resolved = progress.state, progress.stopped
        self.changed |= bool(lost) or self.resolved or self.state.units % LOOK_EVERY == 0

    def _differences(self, unit: _Calls) -> dict[str, float | None]:
        """The unit's differences, by the very steps that conclusions are made by."""
        from snapdrift.verdicts.looks import unit_differences
        from snapdrift.verdicts.score_tables import build_score_tables

        cases = tuple(self._cases[case_id] for case_id in unit)
        settled = {CallKey(case_id, *call): one for case_id, calls in unit.items() for call, one in calls.items()}
        results = Results(
            cases=cases,
            variants=tuple(variant for variant in self._header.variants if variant.name in self._sides),
            repeats=self._header.planned_repeats,
            metrics=self._suite.metrics,
            calls={key: CallResult(one.outcome) for key, one in settled.items()},
            scores=tuple(score for one in settled.values() for score in one.scores),
            applicable=without_accepted(self._suite, self._gate, applicable_cases(self._suite, cases)),
        )
        (found,) = unit_differences(self._planned, build_score_tables(results, self._gate), [tuple(unit)])
        return found
