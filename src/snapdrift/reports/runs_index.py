"""The view model of the list of all runs: what `reports/index.html` says of the runs of a state folder.

`runs_build.build_index` makes an `IndexView` of `IndexData`. Nothing is escaped here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from snapdrift.model import DecisionWord, Source
from snapdrift.reports.sparkline import Sparkline
from snapdrift.verdicts.history import FinishedRun

UNFINISHED = "unfinished"
"""What stands in the place of a decision where there is none yet."""

# ------------------------------------------------------------------------------------------------------ what goes in


@dataclass(frozen=True, slots=True)
class IndexedRun:
    """What the list knows of one run. `started_at` is ISO 8601 in UTC; of a deleted run it is when it was decided.

    `decision` is None where nothing was concluded. `sources` are those of its variants' answers, `said` the first of
    the decision's reasons and `reasons` how many there are. `paid` says whether anybody was paid for an answer, `usd`
    is None where a price is not known. `finished` is what lines are made of, None where the run feeds none.
    """

    run_id: str
    suite: str
    gate: str
    started_at: str
    attempt: int = 1
    decision: DecisionWord | None = None
    said: str = ""
    reasons: int = 0
    models: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    commit: str = ""
    dirty: bool = False
    usd: float | None = None
    paid: bool = False
    partial: bool = False
    stopped_early: bool = False
    deleted: bool = False
    finished: FinishedRun | None = None


@dataclass(frozen=True, slots=True)
class IndexData:
    """The runs that are listed, how many more there are by suite, and the run files that could not be read.

    `drawn` are further runs, which only lines are made of: where many partial ones came since, say.

    `reports` has by run the address of its report, relative to the list; only of reports that exist.
    """

    runs: tuple[IndexedRun, ...]
    reports: Mapping[str, str] = field(default_factory=dict)
    unlisted: Mapping[str, int] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()
    drawn: tuple[IndexedRun, ...] = ()


# ----------------------------------------------------------------------------------------------------- what comes out


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as it is listed: `decision` is a decision's word or `UNFINISHED`, `badge` it in words with the exit code.

    `report` is the address of its report, None where there is none. `more` counts the reasons besides `said`.
    """

    run_id: str
    suite: str
    gate: str
    when: str
    started_at: str
    decision: str
    badge: str
    said: str
    more: int
    labels: tuple[str, ...]
    models: tuple[str, ...]
    commit: str
    cost: str
    attempt: int
    report: str | None


@dataclass(frozen=True, slots=True)
class LevelRow:
    """One run in the table behind a line; `told` is what was other than before, in words."""

    run_id: str
    when: str
    level: str
    interval: str
    n: int
    models: tuple[str, ...]
    told: tuple[str, ...]
    report: str | None


@dataclass(frozen=True, slots=True)
class MetricLine:
    """A metric of a variant from run to run. `role` is baseline or candidate (empty: neither), `label` whose answers.

    `described` is the drawing in words; `shown` of the `total` runs are drawn, `rows` has these, newest first.
    """

    gate: str
    metric: str
    variant: str
    model: str
    role: str
    label: str
    level: str
    interval: str
    n: int
    drawing: Sparkline
    described: str
    shown: int
    total: int
    rows: tuple[LevelRow, ...]


@dataclass(frozen=True, slots=True)
class SuiteIndex:
    """A suite: its runs, newest first, its lines, those that ended (of other cases or graders), and moved aliases."""

    suite: str
    rows: tuple[RunRow, ...]
    unlisted: int
    lines: tuple[MetricLine, ...]
    ended: tuple[MetricLine, ...]
    moves: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IndexView:
    """Everything that the list of runs shows. `decisions` are those that occur, as `(word, in words)`."""

    written_at: str
    suites: tuple[SuiteIndex, ...]
    decisions: tuple[tuple[str, str], ...]
    unreadable: tuple[str, ...]

    @property
    def listed(self) -> int:
        """How many runs have a row."""
        return sum(len(suite.rows) for suite in self.suites)
