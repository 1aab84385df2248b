"""How a run's time and money are shared: between answers, their judges, and making the report of them.

Without shares the answers would take all there is, and what was paid for would be neither judged nor reported in time.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.store import list_runs, open_run

if TYPE_CHECKING:
    from snapdrift.pipeline.planning import SuitePlan
    from snapdrift.store import StoredRun

FINISHING = "finishing"
"""Under this name a run file keeps how long grading, concluding and rendering took."""
JUDGES = "judge_share"
"""Under this name a run file keeps which part of its money and time is expected to be the judges'."""

FINISHING_S = 5.0
FINISHING_S_A_CALL = 0.004
"""What finishing is taken to need where no earlier run tells: a little, and so much for each call."""
_MARGIN = 1.5
_MOST_OF_THE_TIME = 0.5
_MOST_GRACE_S = 30.0
_GRACE_PART = 0.2
_LOOKED_AT = 20


@dataclass(frozen=True, slots=True)
class JudgeShare:
    """The judges' part of what a run is expected to cost and to take, each from 0 to 1."""

    usd: float = 0.0
    seconds: float = 0.0

    def to_json(self) -> str:
        """As a run file keeps it."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, stored: StoredRun) -> JudgeShare:
        """The share that the run file keeps; none where it keeps none, or nothing sensible."""
        try:
            found = json.loads(stored.meta(JUDGES) or "{}")
            return cls(*(min(1.0, max(0.0, float(found.get(name, 0.0)))) for name in ("usd", "seconds")))
        except (ValueError, TypeError, AttributeError):
            return cls()


def judge_share(plan: SuitePlan) -> JudgeShare:
    """What the plan of a suite comes to; judges and answers whose price is not known are taken to cost alike."""
    answers = [part.usd for part in plan.variants]
    judges = [part.usd for part in plan.judges]
    known = [*answers, *judges]
    calls = [float(part.calls) for part in plan.variants], [float(part.estimate.requests) for part in plan.judges]
    if any(usd is None for usd in known):
        return JudgeShare(_part(calls[1], calls[0]), _part(calls[1], calls[0]))
    usd = _part([usd or 0.0 for usd in judges], [usd or 0.0 for usd in answers])
    return JudgeShare(usd, _part(calls[1], calls[0]))


def _part(some: list[float], others: list[float]) -> float:
    whole = sum(some) + sum(others)
    return sum(some) / whole if whole > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Window:
    """When nothing is started any more, and when nothing is waited for: readings of the monotonic clock, or None."""

    starts_until: float | None = None
    waits_until: float | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """The windows of the answers and of the judges."""

    answers: Window = Window()
    judges: Window = Window()


def schedule(ends_at: float | None, finishing_s: float, judges: float, now: float) -> Schedule:
    """Shares the time from `now` to the deadline `ends_at`; None: there is no deadline.

    First goes what finishing needs, at most half of the time; of the rest `judges` (0 to 1) is theirs. In each window
    the last fifth, at most 30 s, is for what is in flight: it is waited for, and given up when the window ends.
    """
    if ends_at is None:
        return Schedule()
    left = max(0.0, ends_at - now)
    end = now + left - min(finishing_s, _MOST_OF_THE_TIME * left)
    answers_end = now + (end - now) * (1.0 - judges)
    return Schedule(_window(now, answers_end), _window(answers_end, end))


def _window(begins: float, ends: float) -> Window:
    return Window(ends - min(_MOST_GRACE_S, _GRACE_PART * (ends - begins)), ends)


def finishing_seconds(runs_dir: Path, suite: str, calls: int) -> float:
    """How long grading, concluding and rendering so many calls will take: as in the suite's last run, with a margin."""
    for run in list_runs(runs_dir)[:_LOOKED_AT] if runs_dir.is_dir() else ():
        if run.suite != suite or run.partial:
            continue
        with open_run(run.path) as stored:
            took = _took(stored)
        if took is not None and took[1] > 0:
            return FINISHING_S + _MARGIN * took[0] * max(1.0, calls / took[1])
    return FINISHING_S + FINISHING_S_A_CALL * calls


def _took(stored: StoredRun) -> tuple[float, int] | None:
    """Seconds that finishing took, and for how many calls; None where the file does not say."""
    try:
        found = json.loads(stored.meta(FINISHING) or "null")
    except (ValueError, RecursionError):
        return None
    match found:
        case [float(seconds), int(calls)] if 0 <= seconds < 86_400:
            return seconds, calls
    return None


def finishing_record(began: float, calls: int) -> str:
    """What a run file keeps of how long finishing took since `began`, a reading of the monotonic clock."""
    return json.dumps([round(time.monotonic() - began, 3), calls])
