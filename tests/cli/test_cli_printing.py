"""Results go to stdout, progress and notices to stderr, and quiet is quiet."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
from pathlib import Path

import pytest
from tests.conftest import clean_environment

from snapdrift.cli import live, printing
from snapdrift.cli.printing import Printer
from snapdrift.execution.batch_records import BatchProgress, PartProgress
from snapdrift.execution.records import Phase, Progress


def at(**changes: float | str | None) -> Progress:
    return Progress(**{"answered": 3, "failed": 0, "retried": 0, "in_flight": 2, "usd": 0.0, **changes})  # type: ignore[arg-type]


@pytest.fixture
def clock(monkeypatch):
    """A monotonic clock that the test moves; printing sees no terminal here."""
    now = [100.0]
    monkeypatch.setattr(live, "clock", lambda: now[0])
    monkeypatch.setattr(live, "TICK_S", None)
    return now


def test_without_a_terminal_progress_is_a_line_now_and_then_on_stderr(capsys, clock):
    with Printer() as printer:
        for _ in range(5):
            printer.progress(at())
        clock[0] += printing.PLAIN_INTERVAL_S
        printer.progress(at(answered=7))
        printer.progress(at(answered=8))
    said = capsys.readouterr()
    assert said.err == "7 answered, 2 in flight; 24 requests/min\n"
    assert said.out == ""


def test_progress_names_only_what_there_is(capsys, clock):
    with Printer() as printer:
        clock[0] += printing.PLAIN_INTERVAL_S
        printer.progress(at(failed=1, retried=4, usd=0.0123, paused_for=12.4, held_by="the limit"))
    expected = "3 answered, 1 failed, 4 tried again, 2 in flight; $0.0123 so far; waiting 12 s: the limit\n"
    assert capsys.readouterr().err == expected


def test_grading_has_a_line_of_its_own_also_after_batches(capsys, clock):
    with Printer() as printer:
        printer.batches(BatchProgress((PartProgress(1, "gpt-4o", "completed", 400, 400),), 400, 0))
        capsys.readouterr()
        printer.progress(at(answered=0, in_flight=0, suite="s", phase=Phase.GRADING, total=4_000))
        clock[0] += printing.PLAIN_INTERVAL_S
        printer.progress(at(answered=1_000, in_flight=0, suite="s", phase=Phase.GRADING, total=4_000))
    assert capsys.readouterr().err == "s: grading, 1,000 of 4,000; about 30 s left\n"


def test_without_quiet_the_printer_is_told_of_progress(clock):
    with Printer() as printer:
        assert printer.told == printer.progress


def test_quiet_shows_no_progress_but_every_notice(capsys, clock):
    with Printer(quiet=True) as printer:
        clock[0] += printing.PLAIN_INTERVAL_S
        assert printer.told is None
        printer.notice("a warning")
    said = capsys.readouterr()
    assert said.err == "a warning\n"
    assert said.out == ""


def test_a_log_says_how_fast_it_goes_what_it_cost_and_how_long_it_takes(capsys, clock):
    with Printer() as printer:
        printer.progress(at(answered=0, total=400, suite="s", budget_usd=1.0))
        clock[0] += printing.PLAIN_INTERVAL_S
        printer.progress(at(answered=100, tokens=20_000, usd=0.05, total=400, suite="s", budget_usd=1.0, reused=40))
    assert capsys.readouterr().err == (
        "s: 100 of 400 answered, 40 of them reused, 2 in flight; 360 requests/min, 120,000 tokens/min; "
        "$0.0500 of $1.00 so far; about 30 s left\n"
    )


def test_a_log_is_written_to_also_while_nothing_ends(monkeypatch):
    told = threading.Event()
    monkeypatch.setattr(live, "TICK_S", 0.01)
    monkeypatch.setattr(printing, "PLAIN_INTERVAL_S", 0.05)
    monkeypatch.setattr(Printer, "_say", staticmethod(lambda text: told.set() if "3 answered" in text else None))
    with Printer() as printer:
        printer.progress(at())
        assert told.wait(60), "no state came any more, and no line either"


def test_batches_are_told_of_once_only_they_are_waited_for(monkeypatch, clock, capsys):
    monkeypatch.setattr(live, "is_live", lambda: True)
    batches = BatchProgress((PartProgress(1, "gpt-4o", "in_progress", 50, 20),))
    with Printer() as printer:
        printer.progress(at(answered=1, total=2, in_flight=1))
        printer.batches(batches)
        assert "1/2" in printer._line._drawn
        clock[0] += 1
        printer.progress(at(answered=2, total=2, in_flight=1))
        assert printer._line._drawn == "batches: 1 in progress (20 of 50 done)"
        clock[0] += 1
        printer.progress(at(answered=1, total=9, phase=Phase.JUDGES))
        assert printer._line._drawn.startswith("judging 1/9")
    assert capsys.readouterr().err.endswith("\r\x1b[K")


def test_once_asking_has_ended_a_line_says_what_is_done_and_not_what_is_left(monkeypatch, clock, capsys):
    asked: dict[str, float | str | None] = {"answered": 0, "in_flight": 0, "suite": "s"}
    with Printer() as printer:
        printer.progress(at(**{**asked, "answered": 9, "total": 10}))
        clock[0] += printing.PLAIN_INTERVAL_S
        printer.progress(at(**asked, phase=Phase.GRADING))
    assert capsys.readouterr().err == "s: asking has ended; grading and comparing\n"
    assert live.live_line(at(**asked, usd=0.5, phase=Phase.GRADING), live.Rates(310), 60) == (
        "s  grading and comparing  $0.5000"
    )


def test_a_line_of_batches_that_says_nothing_new_is_printed_rarely(clock, capsys):
    batches = BatchProgress((PartProgress(1, "gpt-4o", "finalizing", 60, 60),))
    with Printer() as printer:
        for _ in range(int(printing.REPEATED_S / printing.PLAIN_INTERVAL_S) + 1):
            clock[0] += printing.PLAIN_INTERVAL_S
            printer.batches(batches)
    assert capsys.readouterr().err == "batches: 1 finalizing (60 of 60 done)\n" * 2


def test_rates_are_those_of_the_last_minute_and_begin_anew_with_the_judges():
    speed = live.Speed()
    for second in range(301):
        done = second * 10 if second < 200 else 2_000 + (second - 200)
        speed.take(at(answered=done, total=4_000, tokens=100 * done), float(second))
    rates = speed.rates(300.0)
    assert rates.requests == pytest.approx(60, rel=0.02)
    assert rates.tokens == pytest.approx(6_000, rel=0.02)
    assert rates.left_s == pytest.approx(1_900, rel=0.02)
    speed.take(at(answered=1, total=50, phase=Phase.JUDGES), 301.0)
    assert speed.rates(301.5) == live.Rates()


def test_a_pause_that_is_longer_than_the_rest_is_what_is_left():
    speed = live.Speed()
    speed.take(at(answered=0, total=20), 0.0)
    speed.take(at(answered=19, total=20, paused_for=90.0, held_by="the limit"), 10.0)
    assert speed.rates(10.0).left_s == 90.0


@pytest.mark.parametrize("width", [20, 31, 45, 60, 79, 100, 160])
def test_a_live_line_fits_and_gives_up_what_matters_least(width):
    state = at(
        answered=120,
        failed=2,
        retried=3,
        usd=0.5,
        total=400,
        suite="ticket-triage",
        held_by="the limit of 500",
        paused_for=9,
    )
    line = live.live_line(state, live.Rates(310, 45_000, 80), width)
    assert len(line) <= width
    assert "122/400" in line
    assert ("2 failed" in line) >= ("req/min" in line)
    assert ("waiting 9 s: the limit of 500" in line) is (width >= 60)
    assert "waiting 9 s" in line
    assert ("tok/min" in line) is (width >= 160)


@pytest.mark.parametrize(("seconds", "told"), [(0.2, "1 s"), (89, "89 s"), (90, "2 min"), (5_400, "1 h 30 min")])
def test_a_time_is_told_the_more_exactly_the_shorter_it_is(seconds, told):
    assert live.duration(seconds) == told


def test_where_the_encoding_has_no_blocks_the_bar_is_of_plain_characters():
    assert (live.bar_of("ascii"), live.bar_of("utf-8"), live.bar_of(None)) == ("#.", "█░", "#.")


SUITE = {
    "suite": "slow",
    "cases": [{"id": f"c{number}", "q": f"Question {number}?"} for number in range(40)],
    "prompt": {"input": "{{ q }}"},
    "variants": {"one": {"model": "gpt-4o-2024-08-06"}},
    "graders": [{"name": "long", "count": "words", "at_least": 0}],
    "gate": {"metrics": {"long": {"at_least": 0.0}}},
}


def in_a_terminal(columns: int, cwd: Path, *arguments: str) -> tuple[str, str]:
    """What a command writes to a terminal of so many columns, which is its stderr, and to stdout, which is a pipe."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "snapdrift", *arguments],
        cwd=cwd,
        env=clean_environment({"TERM": "xterm"}),
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    )
    os.close(theirs)
    seen = b""
    while chunk := _read(ours):
        seen += chunk
    out, _ = process.communicate(timeout=60)
    os.close(ours)
    return seen.decode(), out


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65_536)
    except OSError:  # the other end is closed
        return b""


def test_in_a_narrow_terminal_one_line_is_redrawn_in_place_and_gone_at_the_end(tmp_path):
    (tmp_path / "snapdrift.toml").write_text('[standin]\nlatency = "150"\n')
    (tmp_path / "evals").mkdir()
    (tmp_path / "evals" / "slow.yaml").write_text(json.dumps(SUITE))
    seen, out = in_a_terminal(40, tmp_path, "run", "evals/slow.yaml", "--standin", "--concurrency", "4")
    assert "slow" in out
    assert "\r" not in out
    live_part = seen[seen.index("\r") :]
    drawn = [text.split("\x1b[K")[0] for text in live_part.split("\r") if "/40" in text]
    assert len(drawn) >= 3, seen
    assert all(len(text) <= 39 and "\n" not in text for text in drawn)
    assert "40/40" in drawn[-1]
    assert live_part.rindex("\r\x1b[K") > live_part.rindex("40/40")


def test_a_stderr_that_nobody_reads_any_more_ends_no_run(monkeypatch, clock):
    class Gone:
        encoding = "utf-8"

        def isatty(self) -> bool:
            return False

        def write(self, _text: str) -> int:
            raise BrokenPipeError

        def flush(self) -> None:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Gone())
    with Printer() as printer:
        clock[0] += printing.PLAIN_INTERVAL_S
        printer.progress(at())
        printer.notice("a warning")
    assert clock[0] < printer._next_line  # it was to be printed
