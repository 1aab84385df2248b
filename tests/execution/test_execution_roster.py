"""The roster of workers: who is kept for what, and that nothing stays kept."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from snapdrift.execution.roster import Roster, Work

SUSPECT = Work("c1/a", "c1")


def with_suspect(workers: int, *suspects: Work) -> Roster:
    """So many workers, and one more that was lost with these."""
    roster = Roster([f"w{number}" for number in range(workers + 1)])
    lost = f"w{workers}"
    for work in suspects:
        roster.begin(lost, work)
    for work in suspects:
        roster.lose(lost, work)
    return roster


def kept(roster: Roster, work: Work, *, last: bool = True) -> asyncio.Task[str | None]:
    return asyncio.ensure_future(roster.keep(work, str.encode, last=last))


def test_a_worker_is_kept_once_it_does_nothing_else_and_takes_nothing_else():
    async def main() -> None:
        roster, other = with_suspect(2, SUSPECT), Work("c2/a", "c2")
        roster.begin("w0", other)
        roster.begin("w1", other)
        keeping = kept(roster, SUSPECT)
        await asyncio.sleep(0.01)
        assert not keeping.done()
        assert roster.open() == ["w0"]
        assert not roster.begin("w1", Work("c3/a", "c3"))
        roster.end("w1", other, cleared=True)
        assert await keeping == "w1"
        assert roster.begin("w1", SUSPECT)

    asyncio.run(main())


def test_who_waits_for_a_worker_no_more_leaves_none_kept():
    async def main() -> None:
        roster, other = with_suspect(2, SUSPECT), Work("c2/a", "c2")
        roster.begin("w0", other)
        roster.begin("w1", other)
        keeping = kept(roster, SUSPECT)
        await asyncio.sleep(0.01)
        keeping.cancel()
        await asyncio.wait({keeping})
        assert roster.open() == ["w0", "w1"]

    asyncio.run(main())


def test_of_a_case_one_call_at_a_time_is_alone_and_half_of_the_workers_go_on():
    async def main() -> None:
        works = [SUSPECT, Work("c1/b", "c1"), *(Work(f"c{number}/a", f"c{number}") for number in range(2, 6))]
        roster = with_suspect(4, *works)
        tasks = [kept(roster, work) for work in works]
        await asyncio.sleep(0.01)
        assert [task.done() for task in tasks] == [True, False, True, False, False, False]
        assert len(roster.open()) == 2
        for task in tasks:
            task.cancel()

    asyncio.run(main())


def test_a_case_is_suspect_until_what_was_lost_of_it_has_come_to_an_end():
    roster = with_suspect(2, SUSPECT)
    assert roster.is_suspect(Work("c1/b", "c1"))
    assert not roster.begin("w0", Work("c1/b", "c1"))

    roster.end("w0", SUSPECT, cleared=False)
    assert roster.is_suspect(SUSPECT)
    roster.end("w0", SUSPECT, cleared=True)
    assert not roster.is_suspect(SUSPECT)


def test_the_last_worker_is_kept_for_no_suspect_while_there_is_other_work():
    async def main() -> tuple[str | None, str | None]:
        roster = with_suspect(1, SUSPECT)
        return await kept(roster, SUSPECT, last=False), await kept(roster, SUSPECT)

    assert asyncio.run(main()) == (None, "w0")


def test_who_waits_in_one_thread_is_woken_by_another():
    roster, other = with_suspect(1, SUSPECT), Work("c2/a", "c2")
    roster.begin("w0", other)

    async def main() -> str | None:
        keeping = kept(roster, SUSPECT)
        await asyncio.sleep(0.01)
        with ThreadPoolExecutor(1) as thread:
            thread.submit(roster.end, "w0", other, cleared=True).result()
        return await asyncio.wait_for(keeping, 5)

    assert asyncio.run(main()) == "w0"
