from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.execution import daily
from snapdrift.execution.authority import Grant, LocalAuthority, Need
from snapdrift.execution.budget import Budget, Reservation
from snapdrift.execution.daily import DayShare
from snapdrift.store.ledger import NANO, Entry, Ledger, Standing

dollars = st.floats(0, 10, allow_nan=False)


async def reserved(budget: Budget, worst: float) -> Reservation:
    reservation = await asyncio.wait_for(budget.reserve(worst), 5)
    assert reservation is not None
    return reservation


@given(
    dollars,
    st.lists(st.tuples(dollars, st.one_of(st.none(), st.floats(0, 1))), max_size=20),
    st.integers(1, 6),
    st.integers(),
)
def test_spending_never_exceeds_the_limit_while_costs_stay_under_their_worst_case(
    limit: float, costs: list[tuple[float, float | None]], workers: int, seed: int
) -> None:
    budget, rng, supply = Budget(limit), random.Random(seed), iter(costs)
    highest = 0.0

    async def worker() -> None:
        nonlocal highest
        for worst, share in supply:
            reservation = await budget.reserve(worst)
            if reservation is None:
                continue
            highest = max(highest, budget.spent_usd + budget.in_flight_usd)
            for _ in range(rng.randrange(4)):
                await asyncio.sleep(0)
            budget.settle(reservation, None if share is None else worst * share)

    async def all_workers() -> None:
        await asyncio.wait_for(asyncio.gather(*(worker() for _ in range(workers))), 10)

    asyncio.run(all_workers())
    assert max(highest, budget.spent_usd) <= limit + 1e-9 * (len(costs) + 1)


def test_an_unknown_cost_is_charged_at_its_worst_case() -> None:
    async def scenario() -> float:
        budget = Budget(1.0)
        budget.settle(await reserved(budget, 0.4), None)
        return budget.spent_usd

    assert asyncio.run(scenario()) == 0.4


def test_a_known_cost_gives_back_what_was_reserved_beyond_it() -> None:
    async def scenario() -> tuple[float, float]:
        budget = Budget(1.0)
        budget.settle(await reserved(budget, 0.4), 0.1)
        return budget.spent_usd, budget.in_flight_usd

    assert asyncio.run(scenario()) == (0.1, 0.0)


def test_a_request_that_does_not_fit_waits_for_what_is_in_flight() -> None:
    async def scenario() -> bool:
        budget = Budget(1.0)
        first = await reserved(budget, 0.8)
        second = asyncio.ensure_future(budget.reserve(0.8))
        await asyncio.sleep(0)
        waited = not second.done()
        budget.settle(first, 0.1)
        return waited and await second is not None

    assert asyncio.run(scenario())


def test_a_request_that_will_never_fit_is_turned_away() -> None:
    async def scenario() -> Reservation | None:
        budget = Budget(1.0)
        budget.settle(await reserved(budget, 0.8), 0.8)
        return await budget.reserve(0.3)

    assert asyncio.run(scenario()) is None


def test_tenths_add_up_exactly() -> None:
    async def scenario() -> int:
        budget = Budget(1.0)
        for _ in range(10):
            budget.settle(await reserved(budget, 0.1), 0.1)
        return int(await budget.reserve(0.1) is not None)

    assert asyncio.run(scenario()) == 0


def test_what_an_earlier_process_spent_counts() -> None:
    assert asyncio.run(Budget(1.0, spent_usd=0.9).reserve(0.2)) is None


def test_a_reservation_is_settled_once() -> None:
    async def scenario() -> float:
        budget = Budget(1.0)
        reservation = await reserved(budget, 0.4)
        budget.settle(reservation, 0.1)
        budget.settle(reservation, None)
        return budget.spent_usd

    assert asyncio.run(scenario()) == 0.1


def test_a_bill_over_the_worst_case_is_counted_as_it_is() -> None:
    async def scenario() -> float:
        budget = Budget(1.0)
        budget.settle(await reserved(budget, 0.4), 1.5)
        return budget.spent_usd

    assert asyncio.run(scenario()) == 1.5


def test_without_a_limit_everything_fits() -> None:
    assert asyncio.run(Budget(None).reserve(1e6)) is not None


@pytest.mark.parametrize("amount", [-1.0, float("nan"), float("inf")])
def test_an_amount_that_is_none_is_refused(amount: float) -> None:
    with pytest.raises(ValueError, match="no amount of dollars"):
        asyncio.run(Budget(1.0).reserve(amount))


def test_shares_of_a_reservation_are_settled_one_by_one():
    async def settle() -> None:
        budget = Budget(1.0)
        reservation = await budget.reserve(0.9)
        assert reservation is not None
        budget.settle_share(reservation, 0.3, 0.1)
        assert budget.spent_usd == pytest.approx(0.1)
        assert budget.in_flight_usd == pytest.approx(0.6)
        budget.settle_share(reservation, 0.3, None)
        assert budget.spent_usd == pytest.approx(0.4)
        budget.settle_share(reservation, 0.9, None)
        assert budget.spent_usd == pytest.approx(0.7), "a share is never more than what is left"
        budget.settle(reservation, 0.0)
        assert budget.spent_usd == pytest.approx(0.7)
        assert budget.in_flight_usd == 0.0
        budget.settle_share(reservation, 0.3, None)
        assert budget.spent_usd == pytest.approx(0.7)

    asyncio.run(settle())


def test_what_is_under_way_is_held_whether_it_fits_or_not():
    budget = Budget(1.0)
    reservation = budget.under_way(3.0)
    assert budget.in_flight_usd == 3.0
    assert not budget.fits(0.0)
    budget.settle(reservation, 0.5)
    assert budget.fits(0.5)
    assert not budget.fits(0.500000001)


def test_everything_fits_where_there_is_no_limit():
    assert Budget(None).fits(1e9)


def test_nobody_waits_for_what_this_process_will_not_settle() -> None:
    async def scenario() -> None:
        budget = Budget(1.0)
        left = await reserved(budget, 0.8)
        waiting = asyncio.create_task(budget.reserve(0.5))
        await asyncio.sleep(0)
        budget.leave(left)
        assert await asyncio.wait_for(waiting, 5) is None
        assert (budget.spent_usd, budget.in_flight_usd) == (0.0, 0.8)
        assert not budget.fits(0.5)
        budget.settle(await reserved(budget, 0.1), 0.1)

    asyncio.run(scenario())


def test_a_batch_that_is_left_with_the_provider_keeps_nobody_waiting(bench: Callable[..., Any]) -> None:
    run = bench(cases=4, batches={"fates": [{"stuck": True}]})
    report = run.run(wait=False, limit_usd=0.05)
    assert report.under_way == 4
    assert asyncio.run(asyncio.wait_for(run.budget.reserve(0.04), 5)) is None
    assert run.budget.in_flight_usd == pytest.approx(0.04)


def test_an_authority_marks_more_than_is_in_flight_before_it_is_and_seldom() -> None:
    async def scenario() -> tuple[list[float], list[float]]:
        marks: list[float] = []
        held: list[float] = []

        async def mark(usd: float) -> None:
            marks.append(usd)

        authority = LocalAuthority(Budget(None), mark=mark)
        for number in range(1, 101):
            grant = await authority.admit(Need("u", "m", 0.25))
            held.append(0.25 * number)
            assert isinstance(grant, Grant)
            assert marks[-1] >= held[-1]
        return marks, held

    marks, _ = asyncio.run(scenario())
    assert marks == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]


def test_what_is_kept_for_later_is_out_of_reach_until_it_is_let_go() -> None:
    async def scenario() -> tuple[bool, str, bool]:
        budget = Budget(1.0)
        budget.keep_for_later(0.4)
        refused = await budget.reserve(0.7) is None
        said = str(budget.refusal)
        budget.keep_for_later(0.0)
        return refused, said, await budget.reserve(0.7) is not None

    assert asyncio.run(scenario()) == (
        *(True, "the budget of $1, $0.4000 of it kept for judges is used up: $0.0000 is spent"),
        True,
    )


# ------------------------------------------------------------------------------------------------- of a day


def share_of(folder: Path, run: str = "r", limit: float = 1.0) -> DayShare:
    return DayShare(Ledger(folder, lambda: "2026-11-27"), "s", run, round(limit * NANO))


def test_a_run_that_finds_the_day_used_up_says_of_which_day_and_what_holds_it(tmp_path: Path) -> None:
    async def scenario() -> str:
        share_of(tmp_path, "killed").ledger.force("0:0:0", Entry("2026-11-27", "s", "killed", NANO // 2))
        budget = Budget(5.0, day=share_of(tmp_path))
        assert await budget.reserve(0.6) is None
        return str(budget.refusal)

    said = "the budget of $1 a day (2026-11-27, UTC, $0.5000 of it unsettled) is used up: $0.5000 is spent"
    assert asyncio.run(scenario()) == said


def test_a_run_waits_for_what_another_holds_and_may_give_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daily, "_LOOK_EVERY_S", 0.001)

    async def scenario() -> Reservation | None:
        other, mine = share_of(tmp_path, "other"), Budget(None, day=share_of(tmp_path))
        held = Budget(None, day=other)
        reservation = await reserved(held, 0.9)
        waiting = asyncio.ensure_future(mine.reserve(0.5))
        await asyncio.wait({waiting}, timeout=0.1)
        assert not waiting.done()
        held.settle(reservation, 0.1)
        other.close()
        return await asyncio.wait_for(waiting, 10)

    assert asyncio.run(scenario()) is not None


def test_a_batch_that_is_left_counts_on_its_day_until_who_goes_on_with_the_run_settles_it(tmp_path: Path) -> None:
    async def leave() -> None:
        share = share_of(tmp_path)
        budget = Budget(None, day=share)
        budget.leave(await reserved(budget, 0.8))
        budget.settle(await reserved(budget, 0.1), 0.05)
        share.close()

    asyncio.run(leave())
    with Ledger(tmp_path, lambda: "2026-11-27") as ledger:
        assert ledger.standing("s") == Standing("2026-11-27", spent=NANO // 20, unsettled=NANO * 8 // 10)
    tomorrow = Ledger(tmp_path, lambda: "2026-11-28")
    share = DayShare(tomorrow, "s", "r", NANO)
    budget = Budget(None, day=share)
    budget.settle(budget.under_way(0.8), 0.3)
    share.close()
    with Ledger(tmp_path, lambda: "2026-11-27") as ledger:
        assert ledger.standing("s") == Standing("2026-11-27", spent=NANO * 35 // 100)


def test_a_bill_beyond_the_worst_case_counts_against_the_day_at_once(tmp_path: Path) -> None:
    async def scenario() -> tuple[Standing, int]:
        share = share_of(tmp_path)
        budget = Budget(None, day=share)
        budget.settle(await reserved(budget, 0.01), 1.75)
        return share_of(tmp_path).ledger.standing("s"), share.exceeded()

    standing, exceeded = asyncio.run(scenario())
    assert standing.counted >= 1.75 * NANO
    assert exceeded == 0.75 * NANO


def test_leases_are_few_beside_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draws = []
    drawn = Ledger.draw

    def draw(ledger: Ledger, *arguments: Any) -> Any:
        draws.append(arguments)
        return drawn(ledger, *arguments)

    monkeypatch.setattr(Ledger, "draw", draw)

    async def scenario() -> None:
        budget = Budget(None, day=share_of(tmp_path, limit=20.0))
        for _ in range(1000):
            budget.settle(await reserved(budget, 0.004), 0.001)

    asyncio.run(scenario())
    assert len(draws) < 15
