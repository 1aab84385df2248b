"""Asking while looking: answers go in as they come, units are fed in the drawn order, and a look may end the asking.

`Looking.record` stands where the engine stores a response; `Looking.sample` and `Looking.extension` are what it asks,
one request at a time. `docs/design/early_stopping.md` has the rules.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from snapdrift.execution.plan import plan_units
from snapdrift.model import Call, CallKey, Case, Request, Response
from snapdrift.pipeline.feeding import Feeding
from snapdrift.pipeline.grading import baselines_of, judge_request, judgements_of
from snapdrift.pipeline.prepare import narrowed
from snapdrift.pipeline.sequences import (
    RECORD,
    Ending,
    Record,
    going_on,
    looks_of,
    order_of,
    record_of,
    rest_cases,
)
from snapdrift.pipeline.suite_graders import judges_of
from snapdrift.stats.case_order import Unit
from snapdrift.stats.sequential import LOOK_EVERY
from snapdrift.store import codec

if TYPE_CHECKING:
    from snapdrift.graders.base import Grader
    from snapdrift.graders.needs import JudgeQuestion
    from snapdrift.pipeline.stepping import PlannedCalls
    from snapdrift.pipeline.targets import Target
    from snapdrift.store import RunWriter, StoredRun
    from snapdrift.suites.resolved import Suite

PORTION = LOOK_EVERY
"""Units that a top-up draws at a time."""


class Looking:
    """The looks of one run while it is asked. `extend` goes on topping up a run whose allowance was spent.

    It is an iterator of requests that may have more to give after it had none: a judge's questions come of answers.
    """

    def __init__(
        self,
        writer: RunWriter,
        stored: StoredRun,
        suite: Suite,
        target: Target,
        calls: PlannedCalls,
        record: Record,
        *,
        extend: bool = False,
    ) -> None:
        self._writer, self._stored, self._target, self._calls = writer, stored, target, calls
        self._record = going_on(record) if extend else record
        self._header, self._order, self._judges = stored.header, order_of(stored), judges_of(suite)
        self._cases: dict[str, Case] = {**rest_cases(stored), **{case.id: case for case in stored.cases()}}
        self._answered = stored.answered_keys()
        self._failed = stored.failed_keys()
        self._batched = {variant.name for variant in self._header.variants if variant.batch}
        gate = narrowed(suite.gates[self._header.gate], self._header.variants)
        looks = looks_of(stored, gate)
        self._kept = frozenset[str]() if looks is None else looks.kept(tuple(self._cases.values()), gate.must_pass)
        self._positions = {call.key: call.position for call in stored.planned()}
        self._questions: deque[tuple[Call, JudgeQuestion]] = deque()
        self._asked: dict[CallKey, JudgeQuestion] = {}
        self._baselines = baselines_of(gate, self._judges, self._header.variants)
        self._taken: set[CallKey] = set()
        self._keys: Iterator[CallKey] = iter(())
        self._feeding: Feeding | None = None
        if not self.over:
            self._judgements = judgements_of(stored, self._judges, self._cases, self._baselines)
            self._feeding = Feeding(
                stored, suite, gate, self._record, self._order, self._cases, target.code, self._judgements
            )
            self._take_up(self._feeding)

    @property
    def over(self) -> bool:
        """Whether nothing more of the order is asked: a look has decided, all was asked, or the allowance is spent."""
        return self._record.ended is not None

    @property
    def has_questions(self) -> bool:
        """Whether judges' questions are left that no worker took."""
        return bool(self._questions)

    @property
    def needs_nothing(self) -> bool:
        """Whether a look has decided and every case that must pass was answered: then a lack of money is no lack."""
        if self._record.ended is not Ending.RESOLVED:
            return False
        kept = {key for key in self._stored.calls() if key.case_id in self._kept and not key.grader}
        return kept <= self._stored.answered_keys()

    # ------------------------------------------------------------------------------------------------ what comes in

    def _take_up(self, feeding: Feeding) -> None:
        """Feeds what an earlier process stored behind the last look that it stored."""
        planned: list[Call] = []
        for response in self._stored.responses():
            if not response.call.grader and response.outcome.measured:
                found, awaited = self._to_ask(response)
                planned += [call for call, _ in found]
                self._questions.extend(found)
                feeding.take_answer(response, awaited)
        self._writer.add_calls(planned)
        self._end_if_resolved(feeding)

    async def record(self, response: Response, request: Request) -> None:
        """Stores how a call ended, then looks where that completes what a look needs."""
        await self._writer.record(response, request)
        feeding = self._feeding
        if feeding is None or self.over:
            return
        if response.call.grader:
            self._take_verdict(feeding, response)
        else:
            await self._target.code.call_beside(feeding.code_calls(response))
            found, awaited = self._to_ask(response)
            # At once, so that no other worker's answer comes between finding what is open and saying so.
            feeding.take_answer(response, awaited)
            for call, _ in found if not feeding.resolved else ():
                await self._writer.plan_call(call)
            if not feeding.resolved:  # another worker's answer may have decided meanwhile
                self._questions.extend(found)
        self._end_if_resolved(feeding)
        if feeding.changed:
            await self.keep()

    def _to_ask(self, response: Response) -> tuple[list[tuple[Call, JudgeQuestion]], list[CallKey]]:
        """What judges are to be asked now that an answer is there, and the calls whose verdicts are waited for.

        They are about this answer, and about those taken in before that are compared with it.
        """
        if not response.outcome.measured:
            return [], []
        self._taken.add(response.call)
        ask, awaited = self._questions_about(response, self._judges)
        comparing = tuple(judge for judge in self._judges if judge.compares)
        for other in self._compared_with(response.call):
            more, due = self._questions_about(other, comparing)
            ask += more
            awaited += due
        self._asked.update((call.key, question) for call, question in ask)
        return ask, awaited

    def _questions_about(
        self, answer: Response, judges: tuple[Grader, ...]
    ) -> tuple[list[tuple[Call, JudgeQuestion]], list[CallKey]]:
        case = self._cases[answer.call.case_id]
        return self._judgements.to_ask(judges, case, answer, self._positions[answer.call])

    def _compared_with(self, baseline: CallKey) -> Iterator[Response]:
        """The answers taken in before whose baseline an answer is."""
        for name, baselines in self._baselines.items():
            key = replace(baseline, variant=name)
            if baseline.variant in baselines and key in self._taken:
                answer = self._stored.response(key)
                if answer is not None:
                    yield answer

    def _take_verdict(self, feeding: Feeding, response: Response) -> None:
        """Takes in a judge's reply for every answer that it is about; one that cannot be read is asked for again."""
        call = response.call
        grader = next(judge for judge in self._judges if judge.name == call.judge)
        if self._judgements.take_reply(grader, self._cases[call.case_id], response):
            answer = replace(call, grader="")
            self._questions.append((Call(call, self._positions[answer]), self._asked[call]))
            return
        self._asked.pop(call, None)
        settled = self._judgements.is_settled(call)
        for key in self._judgements.answered_by(call):
            feeding.take_verdict(key, failed=not settled)

    # ------------------------------------------------------------------------------------------------ what is kept

    async def keep(self) -> None:
        """Stores what the looks have seen so far."""
        if self._feeding is not None:
            self._feeding.changed = False
            state, lost = self._feeding.state.to_json(), self._feeding.passed_over
            self._record = replace(self._record, state=state, passed_over=lost)
        await self._writer.keep_meta(RECORD, codec.dumps(self._record))

    def _end_if_resolved(self, feeding: Feeding) -> None:
        if feeding.resolved:
            self._end(Ending.RESOLVED)

    def _end(self, ending: Ending, detail: str = "") -> None:
        if not self.over:
            self._record = replace(self._record, ended=ending, detail=detail)
            self._questions.clear()

    async def end_of_sample(self) -> None:
        """All of the sample has ended: what is open is passed over, and a run that may be topped up is looked at."""
        if self._feeding is not None and not self.over:
            self._feeding.settle_all(self._record.sample)
            if self._record.open_ended:
                self._feeding.look()
            self._end_if_resolved(self._feeding)
            if self._feeding.state.units == len(self._order):
                self._end(Ending.ALL)
        await self.keep()

    async def end_of_rest(self) -> None:
        """All that there is to draw has ended."""
        if self._feeding is not None and not self.over:
            self._feeding.settle_all(len(self._order))
            self._end_if_resolved(self._feeding)
            self._end(Ending.ALL)
        await self.keep()

    async def end_of_allowance(self, detail: str) -> None:
        """The money or the time for topping up is spent."""
        self._end(Ending.SPENT, detail)
        await self.keep()

    # ------------------------------------------------------------------------------------------------ what is asked

    def sample(self) -> Iterator[Request]:
        """What is asked first: the planned calls of the sample (or of all units) in the drawn order."""
        first = {case for unit in self._order[: self._record.sample] for case in unit}
        self._keys = iter([key for key in self._stored.calls() if not key.grader and key.case_id in first])
        return self

    def extension(self) -> Iterator[Request]:
        """What is asked next of a run that is topped up: portions of the rest, planned when their turn comes."""
        self._keys = self._extension_keys()
        return self

    def __iter__(self) -> Iterator[Request]:
        return self

    def __next__(self) -> Request:
        """A judge's question where there is one, so that looks come while asking goes on; else the next call."""
        if self._questions:
            call, question = self._questions.popleft()
            return judge_request(self._stored, call, question, self._target)
        for key in self._keys:
            if key in self._answered or key.variant in self._batched:
                continue
            if self.over and not self._is_asked_anyway(key):
                continue
            request = self._calls.request(key)
            if request is not None:
                return request
            if self._feeding is not None:  # nobody can answer it, so nobody waits for it
                self._feeding.pass_over(key)
                self._end_if_resolved(self._feeding)
        raise StopIteration

    def _is_asked_anyway(self, key: CallKey) -> bool:
        """After the end: what failed before, cases that must pass, and all of a run that asked everything."""
        return key in self._failed or key.case_id in self._kept or self._record.ended is Ending.ALL

    def _extension_keys(self) -> Iterator[CallKey]:
        for start in range(self._record.sample, len(self._order), PORTION):
            if self.over:
                return
            yield from self._plan_portion(start, self._order[start : start + PORTION])

    def _plan_portion(self, start: int, units: Sequence[Unit]) -> Iterable[CallKey]:
        """Adds the cases and calls of a portion to the plan; what is there already stays as it is."""
        header = self._header
        before = sum(len(unit) for unit in self._order[:start]) * header.planned_repeats * len(header.variants)
        calls = plan_units(units, header.variants, header.planned_repeats, header.seed, before)
        self._writer.add_cases(self._cases[case_id] for unit in units for case_id in unit)
        self._writer.add_calls(calls)
        self._positions.update((call.key, call.position) for call in calls)
        return [call.key for call in calls]


def open_looking(
    writer: RunWriter, stored: StoredRun, suite: Suite, target: Target, calls: PlannedCalls, *, extend: bool
) -> Looking | None:
    """The looks of a run, None for one of a fixed number of cases. Raises `StoreError`."""
    record = record_of(stored)
    return None if record is None else Looking(writer, stored, suite, target, calls, record, extend=extend)
