"""Results go to stdout, progress and notices to stderr, and quiet is quiet."""

from __future__ import annotations

import sys
import time

import pytest

from snapdrift.cli import printing
from snapdrift.cli.printing import Printer
from snapdrift.execution.engine import Progress


def at(**changes: float | str) -> Progress:
    return Progress(**{"answered": 3, "failed": 0, "retried": 0, "in_flight": 2, "usd": 0.0, **changes})  # type: ignore[arg-type]


@pytest.fixture
def clock(monkeypatch):
    """A monotonic clock that the test moves; printing sees no terminal here."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_without_a_terminal_progress_is_a_line_now_and_then_on_stderr(capsys, clock):
    with Printer() as printer:
        for _ in range(5):
            printer.progress(at())
        clock[0] += printing.PLAIN_INTERVAL_S
        printer.progress(at(answered=7))
        printer.progress(at(answered=8))
    said = capsys.readouterr()
    assert said.err == "7 answered, 2 in flight\n"
    assert said.out == ""


def test_progress_names_only_what_there_is(capsys, clock):
    with Printer() as printer:
        clock[0] += printing.PLAIN_INTERVAL_S
        printer.progress(at(failed=1, retried=4, usd=0.0123, paused_for=12.4, held_by="the limit"))
    expected = "3 answered, 1 failed, 4 tried again, 2 in flight, $0.0123, held back for 12 s: the limit\n"
    assert capsys.readouterr().err == expected


def test_quiet_shows_no_progress_but_every_notice(capsys, clock):
    with Printer(quiet=True) as printer:
        clock[0] += printing.PLAIN_INTERVAL_S
        printer.progress(at())
        printer.notice("a warning")
    said = capsys.readouterr()
    assert said.err == "a warning\n"
    assert said.out == ""


def test_in_a_terminal_the_live_line_is_gone_at_the_end(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    printer = Printer()
    with printer:
        printer.progress(at())
        assert printer._status is not None
    assert printer._status is None


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
