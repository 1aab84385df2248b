"""The ledger of what is spent each day: shared by processes, counted in full where one of them died."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from snapdrift.errors import StoreError
from snapdrift.store.ledger import LARGEST, NANO, Closing, Entry, Ledger, Standing, is_alive, me

TODAY = "2026-11-27"


def ledger_of(folder: Path, day: str = TODAY) -> Ledger:
    return Ledger(folder, lambda: day)


def asked(nano: int, day: str = TODAY, suite: str = "s", run: str = "r") -> Entry:
    return Entry(day, suite, run, nano)


def test_a_lease_takes_what_is_wanted_and_where_that_is_too_much_what_is_left(tmp_path: Path) -> None:
    with ledger_of(tmp_path) as ledger:
        owner = me()
        drawn = [ledger.draw(owner, asked(10), limit=100, want=60), ledger.draw(owner, asked(10), limit=100, want=60)]
        refused = ledger.draw(owner, asked(1), limit=100, want=60)
    assert drawn == [60, 40]
    assert refused == Standing(TODAY, spent=0, held=100, unsettled=0)


def test_what_was_spent_stands_in_the_place_of_the_lease_and_the_rest_is_free_again(tmp_path: Path) -> None:
    with ledger_of(tmp_path) as ledger:
        owner = me()
        ledger.draw(owner, asked(80), limit=100, want=80)
        ledger.settle("s", "r", [Closing(owner, TODAY, spent=30)])
        assert ledger.standing("s") == Standing(TODAY, spent=30)


def test_suites_and_days_have_their_own_sums(tmp_path: Path) -> None:
    with ledger_of(tmp_path, "2026-11-26") as yesterday:
        yesterday.draw(me(), asked(80, "2026-11-26"), limit=100, want=80)
    with ledger_of(tmp_path) as ledger:
        ledger.draw(me(), asked(50, suite="other"), limit=100, want=50)
        assert ledger.standing("s").counted == 0


def test_a_clock_that_is_set_back_finds_no_fresh_budget(tmp_path: Path) -> None:
    with ledger_of(tmp_path) as ledger:
        ledger.draw(me(), asked(80), limit=100, want=80)
    with ledger_of(tmp_path, "2026-11-26") as set_back:
        assert isinstance(set_back.draw(me(), asked(30, "2026-11-26"), limit=100, want=30), Standing)


DIES = """\
import os, sys
from pathlib import Path
from snapdrift.store.ledger import LARGEST, Entry, Ledger, me
owner = me()
Ledger(Path(sys.argv[1]), lambda: "2026-11-27").draw(owner, Entry("2026-11-27", "s", "r", 70), limit=100, want=70)
print(owner, flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def killed(tmp_path: Path) -> str:
    """The owner of a lease of 70 whose process was killed."""
    done = subprocess.run([sys.executable, "-c", DIES, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    return done.stdout.strip()


def test_the_lease_of_a_killed_process_counts_in_full_for_the_day(tmp_path: Path, killed: str) -> None:
    with ledger_of(tmp_path) as ledger:
        assert not is_alive(killed)
        assert ledger.standing("s") == Standing(TODAY, unsettled=70)
        assert isinstance(ledger.draw(me(), asked(40), limit=100, want=40), Standing)


def test_who_goes_on_with_a_run_takes_over_what_its_dead_process_had_leased(tmp_path: Path, killed: str) -> None:
    with ledger_of(tmp_path) as ledger:
        heir = me()
        assert ledger.take_over(heir, "another run") == ()
        assert ledger.take_over(heir, "r") == (asked(70),)
        assert ledger.standing("s") == Standing(TODAY, held=70)


def test_a_process_is_told_from_a_later_one_of_the_same_id() -> None:
    pid, _, nonce = me().split(":")
    assert is_alive(me())
    assert not is_alive(f"{pid}:1:{nonce}")
    assert not is_alive("left:r")


def test_what_another_ledger_says_only_ever_adds(tmp_path: Path) -> None:
    with ledger_of(tmp_path / "here") as here:
        here.force(me(), asked(40))
        told = [asked(30), asked(20, run="elsewhere")]
        assert [here.merge(told), here.merge(told)] == [1, 0]
        assert here.entries() == (asked(20, run="elsewhere"), asked(40))
        assert here.standing("s").counted == 60


def test_no_sum_is_too_large_to_be_counted(tmp_path: Path) -> None:
    with Ledger(tmp_path, lambda: "2026-11-27") as ledger:
        for run in ("a", "b", "c"):
            ledger.merge([Entry("2026-11-27", "s", run, LARGEST)])
            ledger.force(f"1:{run}", Entry("2026-11-27", "s", run, LARGEST))
            ledger.force(f"1:{run}", Entry("2026-11-27", "s", run, 2 * LARGEST))
        assert ledger.standing("s").counted == 6 * LARGEST
        assert [entry.nano for entry in ledger.entries()] == [LARGEST] * 3
        ledger.give_back("1:a", Entry("2026-11-27", "s", "a", 3 * LARGEST), 0)
        assert ledger.standing("s").counted == 5 * LARGEST


def test_a_file_that_is_no_ledger_is_refused_and_not_counted_as_empty(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError, match=r"ledger\.db: .* move it away to count anew"):
        Ledger(tmp_path)
    (tmp_path / "ledger.db").unlink()
    other = sqlite3.connect(tmp_path / "ledger.db")
    other.execute("CREATE TABLE notes (text)")
    other.close()
    with pytest.raises(StoreError, match="not a ledger of this version"):
        Ledger(tmp_path)


SPENDS = """\
import asyncio, random, sys
from pathlib import Path
from snapdrift.execution.budget import Budget
from snapdrift.execution.daily import DayShare
from snapdrift.store.ledger import LARGEST, NANO, Ledger

async def spend(budget, rng, spent=0.0):
    while (reservation := await budget.reserve(0.01)) is not None:
        await asyncio.sleep(0)
        spent += budget.settle(reservation, rng.choice([0.001, 0.004, 0.01, None]))
    return spent

async def main(share, rng):
    budget = Budget(None, day=share)
    first = budget.settle(await budget.reserve(0.01), 0.004)
    print("ready", flush=True)
    sys.stdin.readline()
    return first + sum(await asyncio.gather(*(spend(budget, rng) for _ in range(8))))

with Ledger(Path(sys.argv[1]), lambda: "2026-11-27") as ledger:
    share = DayShare(ledger, "s", sys.argv[2], NANO)
    print(round(asyncio.run(main(share, random.Random(sys.argv[2]))), 9))
    share.close()
"""


def test_two_processes_at_once_spend_the_day_and_never_more(tmp_path: Path) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", SPENDS, str(tmp_path), run],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for run in ("r1", "r2")
    ]
    assert [process.stdout.readline() for process in started if process.stdout] == ["ready\n"] * 2
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    spent = [float(process.communicate(timeout=400)[0]) for process in started]
    with ledger_of(tmp_path) as ledger:
        standing = ledger.standing("s")
    assert min(spent) >= 0.004
    assert 0.97 < sum(spent) <= 1.0
    assert standing.spent == round(sum(spent) * NANO)
    assert standing.held == standing.unsettled == 0
