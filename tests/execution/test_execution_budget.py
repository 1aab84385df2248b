from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.execution.budget import Budget, Reservation

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
