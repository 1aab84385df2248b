"""What commands print: results to stdout, progress and notices to stderr."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

import typer

from snapdrift.cli import live
from snapdrift.cli.readable import readable
from snapdrift.execution.records import Phase
from snapdrift.exit_codes import ExitCode

if TYPE_CHECKING:
    from snapdrift.execution.batch_records import BatchProgress, PartProgress
    from snapdrift.execution.engine import Progress
    from snapdrift.pipeline import RunOutcome
    from snapdrift.reports.view import View
    from snapdrift.unasked import Unasked

PLAIN_INTERVAL_S = 10.0
"""How often a line of progress is printed where there is no terminal to redraw."""
REPEATED_S = 600.0
"""How often a line of batches that says nothing new is printed all the same: a log shows that somebody looks."""
WIDTH = 100


class Printer:
    """Prints one command's progress and results. A context manager: a live line is taken away at the end.

    What is on stderr is also brought up to date while nothing ends, by a thread: hence the lock.
    """

    def __init__(self, *, quiet: bool = False, json: bool = False) -> None:
        self._quiet = quiet
        self._json = json
        self._line = live.LiveLine()
        self._speed = live.Speed()
        self._state: Progress | None = None
        self._batches: BatchProgress | None = None
        self._ticking: live.Ticking | None = None
        self._lock = threading.RLock()
        self._pauses = live.plain_pauses(PLAIN_INTERVAL_S)
        self._next_line = live.clock() + next(self._pauses)
        self._next_draw = 0.0
        self._statuses: tuple[tuple[int, str], ...] = ()
        self._said_batches = "", 0.0
        self._unasked: list[Unasked] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_status()

    def notice(self, text: str) -> None:
        """A sentence that a person should see whatever the result is."""
        with self._lock:
            self._line.clear()
            self._say(readable(text))

    def settled(self, result: Unasked) -> None:
        """A result that took no run; where the results are JSON it is a notice, and among them if it decides."""
        self._unasked.append(result)
        if self._json:
            self.notice(result.text)
        else:
            self.text(readable(result.text))

    @property
    def unasked_codes(self) -> list[ExitCode]:
        """What the results that took no run end the command with."""
        return [one.exit_code for one in self._unasked]

    @property
    def told(self) -> Callable[[Progress], None] | None:
        """What is to be told how far the run is; None where nothing is printed of it, so that nobody reckons it."""
        return None if self._quiet else self.progress

    def progress(self, progress: Progress) -> None:
        """How far the run is: redrawn in a terminal, a line now and then elsewhere."""
        with self._lock:
            self._state = progress
            self._speed.take(progress, live.clock())
            if self._ticking is None:
                self._ticking = live.Ticking(self._tell)
            self._tell()

    def _tell(self) -> None:
        """Tells the last state, if it is time to."""
        with self._lock:
            now, state = live.clock(), self._state
            if state is None:
                return
            if live.is_live():
                if now >= self._next_draw or state.done == state.total:
                    self._next_draw = now + live.REDRAW_S
                    self._draw()
            elif now >= self._next_line:
                self._next_line = now + next(self._pauses)
                batches = self._batches_that_are_left()
                if batches is not None:
                    self._say_batches(batches)
                else:
                    self._say(live.plain_line(state, self._speed.rates(now)))

    def _draw(self) -> None:
        """Draws the live line."""
        state, batches = self._state, self._batches_that_are_left()
        if batches is not None:
            self._line.draw(lambda width: _batches_line(batches)[:width])
        elif state is not None:
            rates, bar = self._speed.rates(live.clock()), live.bar_of(sys.stderr.encoding)
            self._line.draw(lambda width: live.live_line(state, rates, width, bar=bar))

    def _batches_that_are_left(self) -> BatchProgress | None:
        """The batches, where only they are waited for: calls that are asked one by one are told of first."""
        state = self._state
        if state is not None and state.phase is Phase.GRADING:
            return None
        return self._batches if state is None or state.in_flight == 0 or state.done == state.total else None

    def batches(self, progress: BatchProgress) -> None:
        """Where batches are: redrawn in a terminal, elsewhere a line when one goes on and now and then."""
        if self._quiet or not progress.parts:
            return
        statuses = tuple((part.number, part.status) for part in progress.parts)
        went_on, self._statuses = statuses != self._statuses, statuses
        with self._lock:
            self._batches = progress
            if live.is_live():
                self._draw()
            elif went_on or live.clock() >= self._next_line:
                self._next_line = live.clock() + PLAIN_INTERVAL_S
                self._say_batches(progress)

    def _say_batches(self, progress: BatchProgress) -> None:
        """A line where it says something new: batches take hours, and most looks find them as they were."""
        said, now = _batches_line(progress), live.clock()
        if self._said_batches[0] != said or now - self._said_batches[1] >= REPEATED_S:
            self._said_batches = said, now
            self._say(said)

    @staticmethod
    def _say(text: str) -> None:
        """Prints to stderr. A reader that went away, or a full disk behind it, ends no run that is being paid for."""
        with suppress(OSError):
            typer.echo(text, err=True)

    def text(self, text: str) -> None:
        """A result that is text already."""
        self._end_status()
        typer.echo(text)

    def outcomes(self, outcomes: Sequence[RunOutcome]) -> None:
        """What runs came to, and where their pages are."""
        for outcome in outcomes:
            if outcome.reports.advice:
                self.notice(outcome.reports.advice)
        if self._json:
            self._document([outcome.view for outcome in outcomes])
            return
        for outcome in outcomes:
            self.view(outcome.view)
            attempt = f" (attempt {outcome.attempt})" if outcome.attempt > 1 else ""
            typer.echo(f"report: {outcome.reports.html}")
            typer.echo(f"run: {outcome.run_id}{attempt}")
            if outcome.shard:
                typer.echo(str(outcome.shard))
            if outcome.exit_code is ExitCode.INCOMPLETE:
                typer.echo(f"go on: {outcome.go_on or f'snapdrift resume {outcome.run_id}'}")
            if not self._quiet:
                typer.echo("")
        if not self._quiet and outcomes and outcomes[-1].index:
            typer.echo(f"all runs: {outcomes[-1].index}")
        from snapdrift.model import DecisionWord

        undecided = [one for one in self._unasked if one.undecided]
        if outcomes and len(outcomes) + len(undecided) > 1:
            for one in undecided:
                typer.echo(f"{int(one.exit_code)}  {DecisionWord.NOT_GATED.value:<13} {one.suite}")
            for outcome in outcomes:
                typer.echo(f"{int(outcome.exit_code)}  {outcome.evaluation.decision.word.value:<13} {outcome.suite}")

    def view(self, view: View) -> None:
        """What a run came to."""
        if self._json:
            self._document([view])
            return
        self._end_status()
        from snapdrift.reports import render_line, render_terminal

        if self._quiet:
            typer.echo(render_line(view))
        else:
            typer.echo(render_terminal(view, width=_width(), color=_colour()), nl=False)

    def _document(self, views: Sequence[View]) -> None:
        """One JSON text, whatever the number of runs."""
        from snapdrift.reports import render_verdicts

        self._end_status()
        typer.echo(render_verdicts(views, self._unasked), nl=False)

    def _end_status(self) -> None:
        """Takes the live line away; nothing is told of the run until its next state."""
        with self._lock:
            if self._ticking is not None:
                self._ticking.end()
                self._ticking = None
            self._state = self._batches = None
            self._line.clear()


def _batches_line(progress: BatchProgress) -> str:
    """`batches: 2 in progress (120 of 400 done), 1 planned (50 calls); 100 answered, 2 failed`."""
    by_status: dict[str, list[PartProgress]] = {}
    for part in progress.parts:
        by_status.setdefault(part.status or "created", []).append(part)
    told = []
    for status, parts in by_status.items():
        calls, done = sum(part.calls for part in parts), sum(part.completed + part.failed for part in parts)
        many = f"{done} of {calls} done" if done else f"{calls} calls"
        told.append(f"{len(parts)} {status.replace('_', ' ')} ({many})")
    ended = f"; {progress.answered} answered" if progress.answered else ""
    failed = f", {progress.failed} failed" if progress.failed else ""
    return f"batches: {', '.join(told)}{ended}{failed}"


def _width() -> int:
    import shutil

    return max(80, shutil.get_terminal_size((WIDTH, 24)).columns)


def _colour() -> bool:
    import os

    return sys.stdout.isatty() and "NO_COLOR" not in os.environ
