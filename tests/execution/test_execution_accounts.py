"""Workers with keys of several accounts: each account's limits are its own. A real engine, and a clock that jumps."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from tests.execution.test_execution_engine import LoopClock, request_for, virtually
from tests.execution.test_execution_fleet import HOST, LocalWorker

from snapdrift.execution.authority import LocalAuthority
from snapdrift.execution.budget import Budget
from snapdrift.execution.engine import Engine
from snapdrift.execution.fleet import Fleet
from snapdrift.execution.limits import KnownLimits, RateLimits
from snapdrift.execution.pace import Held, Pace
from snapdrift.execution.pool import Lesson, Taking
from snapdrift.execution.ray import numbered_accounts
from snapdrift.execution.records import EngineReport, EngineSettings, Progress
from snapdrift.execution.turns import Ask
from snapdrift.model import (
    Answer,
    Failure,
    FailureKind,
    Outcome,
    Request,
    Response,
    ToldLimit,
    ToldLimits,
    Usage,
)
from snapdrift.openai_api.errors import AttemptFailed


def now() -> float:
    return asyncio.get_running_loop().time()


@dataclass
class Provider:
    """A host that counts by account, and says so in headers: `rpm` for each; `refuses` one of them once, at a time."""

    rpm: int = 3000
    refuses: int | None = None
    refused_at: float = 5.0
    retry_after: float = 20.0
    starts: dict[int, list[float]] = field(default_factory=dict)
    answers: Counter[int] = field(default_factory=Counter)
    room: dict[int, float] = field(default_factory=dict)
    filled_at: dict[int, float] = field(default_factory=dict)
    too_fast: int = 0

    def of(self, account: int) -> Ask:
        async def ask(_request: Request) -> Answer:
            self.starts.setdefault(account, []).append(now())
            await asyncio.sleep(0.2)
            if account == self.refuses and now() >= self.refused_at:
                self.refuses = None
                raise AttemptFailed(
                    Failure(
                        FailureKind.RATE_LIMIT, "too fast", retryable=True, status=429, retry_after=self.retry_after
                    )
                )
            burst = self.rpm / 60
            room = self.room.get(account, burst) + (now() - self.filled_at.get(account, 0.0)) * self.rpm / 60
            self.room[account], self.filled_at[account] = min(burst, room) - 1, now()
            self.too_fast += self.room[account] < 0
            left = max(0, int(self.room[account] * 60))
            told = ToldLimits(ToldLimit(self.rpm, min(left, self.rpm - 1), 60 / self.rpm))
            self.answers[account] += 1
            return Answer(Outcome.OK, "fine", "{}", "gpt-4o", usage=Usage(5, 0, 5), told=told)

        return ask

    def run(
        self,
        accounts: Sequence[int],
        count: int,
        *,
        known: RateLimits | None = None,
        progress: list[Progress] | None = None,
        lose: dict[int, float] | None = None,
        concurrency: int = 64,
    ) -> tuple[EngineReport, float]:
        """Asks so many requests, with a worker for each account that is named; returns how it ended, and when."""

        async def record(_response: Response, _request: Request) -> None:
            await asyncio.sleep(0)

        async def main() -> tuple[EngineReport, float]:
            workers = [
                LocalWorker(f"worker-{number}", self.of(account), lambda _: False, account)
                for number, account in enumerate(accounts)
            ]
            limits = KnownLimits({(HOST, "gpt-4o"): known} if known else {})
            budget, clock, rng = Budget(None), LoopClock(), random.Random(1)
            engine = Engine(
                Fleet(workers),
                record,
                lambda _model, _answer: None,
                lambda _request: None,
                EngineSettings(concurrency=concurrency),
                budget,
                clock,
                rng,
                None if progress is None else progress.append,
                authority=LocalAuthority(budget, Pace(limits, clock, rng)),
            )
            for number, after in (lose or {}).items():
                asyncio.get_running_loop().call_later(after, workers[number].lose)
            report = await engine.run([request_for(number) for number in range(count)])
            return report, now()

        return virtually(main())


def a_minute(provider: Provider, accounts: Sequence[int], known: RateLimits | None = None) -> float:
    """Requests that are answered a minute."""
    report, seconds = provider.run(accounts, 2000, known=known)
    assert (report.answered, report.failed) == (2000, 0)
    return 2000 / seconds * 60


def test_two_accounts_let_twice_as_many_requests_start_as_one_and_four_four_times_as_many():
    one, two, four = (a_minute(Provider(), range(number)) for number in (1, 2, 4))

    assert one == pytest.approx(3000, rel=0.03)
    assert two == pytest.approx(6000, rel=0.06)
    assert four == pytest.approx(12000, rel=0.1)


def test_workers_of_one_account_share_its_limits():
    assert a_minute(Provider(), [0, 0, 0]) == pytest.approx(3000, rel=0.03)


def test_no_account_is_asked_faster_than_it_allows():
    provider = Provider()
    provider.run([0, 1, 1], 2000)

    assert provider.too_fast == 0
    assert abs(provider.answers[0] - provider.answers[1]) < 150  # the account of one worker is used as that of two


def test_limits_of_the_configuration_hold_for_each_account():
    assert a_minute(Provider(), [0, 1], known=RateLimits(rpm=1500)) == pytest.approx(3000, rel=0.06)


def test_a_refusal_pauses_the_account_that_was_refused_and_no_other():
    provider = Provider(refuses=0)
    report, _ = provider.run([0, 1], 2500)

    assert (report.answered, report.failed) == (2500, 0)
    paused = max(pairwise(provider.starts[0]), key=lambda each: each[1] - each[0])
    assert paused[1] - paused[0] >= 19.5
    other = [at for at in provider.starts[1] if paused[0] < at < paused[1]]
    assert len(other) > 45 * (paused[1] - paused[0])


def test_an_hour_of_rest_for_one_account_has_its_requests_asked_under_the_other():
    provider = Provider(refuses=0, retry_after=3600.0)
    report, seconds = provider.run([0, 1], 2000)

    assert (report.answered, report.failed) == (2000, 0)
    assert max(provider.starts[0]) < 6
    assert seconds < 60


def test_an_hour_of_rest_for_the_only_account_fails_its_calls():
    report, _ = Provider(refuses=0, retry_after=3600.0).run([0, 0], 2000)

    assert report.failed > 0
    assert report.answered < 300


def test_a_run_waits_for_limits_only_where_no_account_has_room():
    told: list[Progress] = []
    Provider(refuses=0).run([0, 1], 2500, progress=told)
    assert max(one.paused_for for one in told) < 1.0

    alone: list[Progress] = []
    Provider(refuses=0).run([0], 500, progress=alone)
    assert max(one.paused_for for one in alone) > 15.0


def test_an_account_whose_workers_are_all_lost_leaves_its_requests_to_the_others():
    report, seconds = Provider(rpm=300).run([0, 1, 1], 300, lose={0: 2.0})

    assert (report.answered, report.failed) == (300, 0)
    assert seconds == pytest.approx(60, rel=0.1)


def test_cases_stay_with_their_worker_while_its_account_has_room():
    provider = Provider(rpm=100_000)
    provider.run([0, 1], 400, concurrency=4)
    assert 150 < provider.answers[0] < 250


def test_who_needs_a_paused_account_holds_up_nobody_who_does_not():
    async def main() -> tuple[bool, bool, Held | None]:
        clock = LoopClock()
        pace = Pace(KnownLimits({(HOST, "gpt-4o"): RateLimits(rpm=60)}), clock, random.Random(0))
        refused = Failure(FailureKind.RATE_LIMIT, "too fast", retryable=True, status=429, retry_after=30.0)
        pace.end(await pace.admit(HOST, "gpt-4o", Taking(), (0,)), Lesson(None, refused))
        needs_it = asyncio.ensure_future(pace.admit(HOST, "gpt-4o", Taking(), (0,)))
        await asyncio.sleep(1)
        other = [asyncio.ensure_future(pace.admit(HOST, "gpt-4o", Taking(), (0, 1))) for _ in range(3)]
        await asyncio.sleep(4)
        held = pace.held()
        waits, through = needs_it.done(), all(one.done() and one.result().account == 1 for one in other)
        await asyncio.sleep(30)
        assert needs_it.done()
        return waits, through, held

    waits, through, held = virtually(main())
    assert (waits, through) == (False, True)
    assert held is not None
    assert "asked to wait" in held.why


def test_accounts_are_numbers_that_tell_keys_of_a_host_apart():
    marks = [{"a": "x", "b": "y"}, {"a": "z", "b": "y"}, {"a": "x"}]

    assert numbered_accounts(marks) == [{"a": 0, "b": 0}, {"a": 1, "b": 0}, {"a": 0}]
