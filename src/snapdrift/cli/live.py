"""How far a run is, in words: one line that is redrawn in a terminal, and lines now and then elsewhere."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from snapdrift.cli.readable import readable
from snapdrift.execution.records import Phase, Progress

TICK_S: float | None = 1.0
"""How often a line is brought up to date while nothing ends. None: only when something does."""
REDRAW_S = 0.1
"""A line is not redrawn more often: nobody reads faster, and the run has better things to do."""
WINDOW_S = 60.0
"""Seconds that rates are those of."""
SAMPLE_S = 0.5
SETTLED_S = 3.0
"""Before that a rate says more about the start than about the run."""
_BAR = 12
GRADING = "grading and comparing"
"""What a run does once it asks nothing any more."""


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast a run goes: requests and tokens a minute, and the seconds that are left; None: not to be told yet."""

    requests: float | None = None
    tokens: float | None = None
    left_s: float | None = None


@dataclass(slots=True)
class Speed:
    """What a run did in the last minute, from the states that it told. Times are readings of the monotonic clock."""

    _samples: deque[tuple[float, Progress]] = field(default_factory=deque)
    _last: Progress | None = None

    def take(self, progress: Progress, now: float) -> None:
        """Takes in a state; another suite, or another phase, begins anew."""
        last = self._last
        if last is not None and (
            (last.suite, last.phase) != (progress.suite, progress.phase) or progress.done < last.done
        ):
            self._samples.clear()
        self._last = progress
        if not self._samples or now - self._samples[-1][0] >= SAMPLE_S:
            self._samples.append((now, progress))
        while len(self._samples) > 2 and now - self._samples[1][0] > WINDOW_S:
            self._samples.popleft()

    def rates(self, now: float) -> Rates:
        """The rates of the last minute, and what they make of the rest."""
        if self._last is None or not self._samples:
            return Rates()
        since, first = self._samples[0]
        seconds = now - since
        if seconds < SETTLED_S:
            return Rates()
        last = self._last
        requests = (last.requests - first.requests) / seconds * 60
        tokens = (last.tokens - first.tokens) / seconds * 60
        a_second = (last.done - first.done) / seconds
        left = None
        if last.total is not None and a_second > 0:
            left = max((last.total - last.done) / a_second, last.paused_for if last.total > last.done else 0.0)
        return Rates(requests, tokens, left)


def plain_line(progress: Progress, rates: Rates) -> str:
    """One line for logs: `s: 120 of 400 answered, 2 failed, 16 in flight; 310 requests/min; $0.01 so far`."""
    if progress.phase is Phase.GRADING:
        told = f"asking has ended; {GRADING}" if progress.total is None else "; ".join(_graded(progress, rates))
        return ": ".join(filter(None, (readable(progress.suite), told)))
    counts = [_counted(progress)]
    if progress.reused:
        counts.append(f"{progress.reused:,} of them reused")
    if progress.failed:
        counts.append(f"{progress.failed:,} failed")
    if progress.retried:
        counts.append(f"{progress.retried:,} tried again")
    counts.append(f"{progress.in_flight:,} in flight")
    parts = [", ".join(counts)]
    if rates.requests is not None:
        tokens = f", {rates.tokens:,.0f} tokens/min" if rates.tokens else ""
        parts.append(f"{rates.requests:,.0f} requests/min{tokens}")
    if progress.usd:
        parts.append(f"{_cost(progress)} so far")
    if progress.held_by:
        parts.append(_waiting(progress))
    if rates.left_s is not None and progress.total != progress.done:
        parts.append(f"about {duration(rates.left_s)} left")
    return f"{readable(progress.suite)}: {'; '.join(parts)}" if progress.suite else "; ".join(parts)


def _graded(progress: Progress, rates: Rates) -> list[str]:
    """How far a run is that asks nothing any more; where it takes long: `grading, 120 of 4,000`, `about 3 min left`."""
    if progress.total is None:
        return [GRADING]
    rest = rates.left_s if progress.done != progress.total else None
    told = [f"grading, {progress.answered:,} of {progress.total:,}"]
    return told if rest is None else [*told, f"about {duration(rest)} left"]


def live_line(progress: Progress, rates: Rates, width: int, *, bar: str = "█░") -> str:
    """The line for a terminal so many columns wide; what does not fit is left out, the least important first."""
    if progress.phase is Phase.GRADING:
        cost = _cost(progress) if progress.usd else None
        graded = (readable(progress.suite)[:40], *_graded(progress, rates), cost)
        return "  ".join(filter(None, graded))[: max(0, width)]
    asked = "judging " if progress.phase is Phase.JUDGES else ""
    share = None if not progress.total else min(1.0, progress.done / progress.total)
    count = f"{asked}{progress.done:,}" + (f"/{progress.total:,}" if progress.total is not None else " answered")
    left = None
    if rates.left_s is not None and progress.total != progress.done:
        left = f"{duration(rates.left_s)} left"
    pieces: list[tuple[int, str | None]] = [  # how soon each is left out (the highest first), in the order of the line
        (6, readable(progress.suite)[:40] or None),
        (0, count),
        (8, None if share is None else bar[0] * round(share * _BAR) + bar[1] * (_BAR - round(share * _BAR))),
        (5, None if share is None else f"{share:.0%}"),
        (2, f"{progress.failed:,} failed" if progress.failed else None),
        (1, _waiting(progress, width // 2) if progress.held_by else None),
        (3, left),
        (4, _cost(progress) if progress.usd else None),
        (7, None if rates.requests is None else f"{rates.requests:,.0f} req/min"),
        (9, None if not rates.tokens else f"{_short(rates.tokens)} tok/min"),
        (10, f"{progress.retried:,} tried again" if progress.retried else None),
        (11, f"{progress.in_flight:,} in flight"),
    ]
    shown = [(order, text) for order, text in pieces if text]
    while len(shown) > 1 and sum(len(text) + 2 for _, text in shown) - 2 > width:
        shown.remove(max(shown))
    return "  ".join(text for _, text in shown)[: max(0, width)]


def duration(seconds: float) -> str:
    """A time for people, the more exact the shorter it is: `45 s`, `12 min`, `3 h 10 min`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"


class LiveLine:
    """One line at the bottom of a terminal, redrawn in place: one write each time, never wider than the terminal."""

    def __init__(self) -> None:
        self._drawn = ""

    def draw(self, line: Callable[[int], str]) -> None:
        """Draws what `line` makes of the columns there are."""
        text = line(_columns())
        if text != self._drawn:
            self._write(f"\r{text}\x1b[K")
            self._drawn = text

    def clear(self) -> None:
        """Takes the line away."""
        if self._drawn:
            self._write("\r\x1b[K")
            self._drawn = ""

    @staticmethod
    def _write(text: str) -> None:
        with suppress(OSError, ValueError):  # nobody looks any more; the run goes on
            sys.stderr.write(text)
            sys.stderr.flush()


class Ticking:
    """Calls a function every second from a thread of its own, as long as it is not ended."""

    def __init__(self, tick: Callable[[], None]) -> None:
        self._tick = tick
        self._over = threading.Event()
        if TICK_S is not None:
            threading.Thread(target=self._run, args=(TICK_S,), name="progress", daemon=True).start()

    def _run(self, every_s: float) -> None:
        while not self._over.wait(every_s):
            self._tick()

    def end(self) -> None:
        """No call begins any more."""
        self._over.set()


def plain_pauses(first_s: float) -> Iterator[float]:
    """Seconds until the next line of a log: short at first, then longer, for a log of an hour should be readable."""
    yield from [first_s] * 6
    while True:
        yield 3 * first_s


def is_live() -> bool:
    """Whether stderr is a terminal on which a line can be redrawn."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def bar_of(encoding: str | None) -> str:
    """What a bar is drawn with: blocks where the encoding has them."""
    try:
        "█░".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return "#."
    return "█░"


def clock() -> float:
    """A reading of the monotonic clock, in seconds."""
    return time.monotonic()


def _columns() -> int:
    """The columns that a line may take; the last stays free, for some terminals wrap when it is written."""
    try:
        return max(20, os.get_terminal_size(sys.stderr.fileno()).columns - 1)
    except (OSError, ValueError, AttributeError):
        return 79


def _counted(progress: Progress) -> str:
    what = "judged" if progress.phase is Phase.JUDGES else "answered"
    return f"{progress.answered:,}{'' if progress.total is None else f' of {progress.total:,}'} {what}"


def _cost(progress: Progress) -> str:
    return f"${progress.usd:.4f}" + (f" of ${progress.budget_usd:.2f}" if progress.budget_usd is not None else "")


def _waiting(progress: Progress, width: int = 1_000) -> str:
    """What holds requests back: for how long where it is worth waiting for, and why, where that fits."""
    held = f"waiting {duration(progress.paused_for)}" if progress.paused_for >= 1 else "paced"
    whole = f"{held}: {readable(progress.held_by)}"
    return whole if len(whole) <= width else held


def _short(number: float) -> str:
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.0f}"
