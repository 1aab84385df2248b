"""What the runs of a state folder say together: levels over time, moves of the alias, flaky cases, the noise floor.

Pure functions and plain records; `History` is what terminal, JSON, CSV and pages render. Nothing in it decides: a claim
over time is made by `watch`, whose error rate holds however often it is looked at. What needs scores of single cases is
in `repeated`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from snapdrift.conclusions import Evaluation, LedgerEntry, MetricSummary, VariantSummary
from snapdrift.model import DecisionWord, Outcome, Reason, Source
from snapdrift.stats.history import segments
from snapdrift.stats.intervals import normal_quantile

_REALITY = (Source.SIMULATED, Source.RECORDED, Source.OUTPUTS, Source.PYTHON, Source.HOST, Source.OPENAI)
"""From the least to the most real, as reports label them: a series is named by the least real of its answers."""

_UNMEASURED = (Reason.GRADER_ERROR.value, Outcome.OK.value, Outcome.API_ERROR.value, Outcome.MISSING.value)
"""How calls end that have no score; `ok` is an answer that nothing graded."""

_ROUNDING = 1e-12

# ------------------------------------------------------------------------------------------------------ what goes in


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A whole run that was concluded, as far as history reads it.

    `cases` is a digest of the dataset and of the cases that were asked of it; `asked` one of everything by which two
    runs are the same thing asked twice (the suite's hash, cases, repeats); `versions` are the graders' by metric.
    """

    run_id: str
    suite: str
    gate: str
    started_at: str
    attempt: int
    repeats: int
    cases: str
    asked: str
    suite_hash: str
    versions: Mapping[str, str]
    evaluation: Evaluation

    @property
    def two_sided(self) -> float:
        """The confidence of the intervals of its levels; never so little that nothing could be divided by it."""
        return max(0.5, 1 - 2 * self.evaluation.gate.alpha)


# ----------------------------------------------------------------------------------------------------- what comes out


@dataclass(frozen=True, slots=True)
class Point:
    """The level of a metric in one run: `mean` over `n` cases, with the interval of the run's gate.

    `resolved` are the models that answered, `changed` says what was other than in the run before it (`cases` and
    `graders` begin a new series, and are named at its first point; `suite` is any other change of the suite).
    """

    run_id: str
    started_at: str
    n: int
    mean: float
    low: float
    high: float
    resolved: tuple[str, ...]
    decision: DecisionWord
    attempt: int = 1
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """Where a series seems to have moved: the first run of the new level. For display, it claims nothing."""

    run_id: str
    started_at: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Series:
    """One metric of one variant over time: one gate, one set of cases, one grader version, one kind of answers.

    `source` is where the answers came from, so that simulated ones never stand beside measured ones. `reused` counts
    the runs that are left out because they rest on the very answers of an earlier point.
    """

    suite: str
    gate: str
    variant: str
    metric: str
    model: str
    source: Source
    points: tuple[Point, ...]
    steps: tuple[Step, ...] = ()
    reused: int = 0


@dataclass(frozen=True, slots=True)
class Move:
    """An alias (of a variant, or of a judge) that was answered by other models than in the run before."""

    suite: str
    variant: str
    judge: str
    requested: str
    source: Source
    run_id: str
    started_at: str
    before: tuple[str, ...]
    now: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FlakyCase:
    """A case that both passed and failed when the same model was asked the same: `passes` of `asked`."""

    suite: str
    gate: str
    variant: str
    metric: str
    source: Source
    case_id: str
    passes: int
    asked: int
    low: float
    high: float
    runs: int


@dataclass(frozen=True, slots=True)
class Noise:
    """The A/A noise floor of a metric: how far two runs of the same thing are apart.

    `floor` is the difference that they exceed, either way, with probability 1 - confidence. `comparisons` are pairs
    that share no run: an alias beside its snapshot in one run, or one snapshot asked twice. `excess` says that runs
    differ by more than their cases explain.
    """

    suite: str
    gate: str
    metric: str
    source: Source
    comparisons: int
    cases: int
    mean: float
    discordance: float
    low: float
    high: float
    floor: float
    confidence: float
    excess: bool


@dataclass(frozen=True, slots=True)
class History:
    """Everything that is known over time of some suites; `runs` were read, `left_out` says why others were not."""

    runs: int
    series: tuple[Series, ...]
    moves: tuple[Move, ...] = ()
    flaky: tuple[FlakyCase, ...] = ()
    noise: tuple[Noise, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)


def measured_levels(evaluation: Evaluation) -> tuple[MetricSummary, ...]:
    """The levels of which as much was measured as the gate asks for; one over the few cases that came is no level."""
    coverage = {one.name: one.coverage for one in evaluation.variants}
    asked = evaluation.gate.coverage - _ROUNDING
    return tuple(
        level
        for level in evaluation.metrics
        if coverage.get(level.variant, 0.0) >= asked and _measured_share(level) >= asked
    )


def _measured_share(level: MetricSummary) -> float:
    """The share of the planned calls that have a score; 1 in a run file that does not say how they ended."""
    planned = sum(level.endings.values())
    return 1.0 - sum(level.endings.get(ending, 0) for ending in _UNMEASURED) / planned if planned else 1.0


def build_series(runs: Iterable[FinishedRun]) -> tuple[Series, ...]:
    """The series of the runs, each with its steps; runs are put in the order of their start."""
    lines: dict[tuple[str, ...], _Line] = {}
    newest: dict[tuple[str, ...], tuple[str, ...]] = {}
    for run in sorted(runs, key=lambda one: (one.started_at, one.run_id)):
        variants = {one.name: one for one in run.evaluation.variants}
        for level in run.evaluation.metrics:
            variant = variants[level.variant]
            source = source_of_variant(variant)
            if source is None or level.mean is None or level.ci is None:
                continue
            whole = (run.suite, run.gate, variant.name, variant.model, level.metric, source.value)
            key = (*whole, run.cases, run.versions.get(level.metric, ""))
            line = lines.setdefault(key, _Line(variant, source, run, level.metric))
            before = newest.get(whole)
            newest[whole] = key
            line.add(run, variant, level, () if before is None or line.points else _began(before, key))
    return tuple(line.series() for line in lines.values())


def find_moves(runs: Iterable[FinishedRun]) -> tuple[Move, ...]:
    """Where an alias was answered by other models than the last time that the same kind of source was asked."""
    last: dict[tuple[str, ...], tuple[str, ...]] = {}
    moves = []
    for run in sorted(runs, key=lambda one: (one.started_at, one.run_id)):
        ways = {one.name: (one.endpoint.value, one.host or "") for one in run.evaluation.variants}
        for entry in run.evaluation.ledger:
            source = _source_of(entry)
            if source is None or not entry.returned:
                continue
            who = (run.suite, entry.variant, entry.judge, entry.requested, source.value, *ways.get(entry.variant, ()))
            now = tuple(sorted(entry.returned))
            before = last.get(who)
            last[who] = now
            if before is not None and before != now:
                who_moved = (run.suite, entry.variant, entry.judge, entry.requested, source)
                moves.append(Move(*who_moved, run.run_id, run.started_at, before, now))
    return tuple(moves)


def source_of_variant(summary: VariantSummary) -> Source | None:
    """The source of a variant's answers; of several, the least real. None without an answer."""
    return next((source for source in _REALITY if summary.sources.get(source.value)), None)


def digest_of_draw(run: FinishedRun, variant: str) -> str | None:
    """Which answers a variant rests on, None in a run that does not say."""
    return next((draw.digest for draw in run.evaluation.draws if draw.variant == variant), None)


@dataclass(slots=True)
class _Line:
    """A series that is being put together."""

    variant: VariantSummary
    source: Source
    first: FinishedRun
    metric: str
    points: list[Point] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    draws: set[str] = field(default_factory=set)
    suite_hash: str = ""
    reused: int = 0

    def add(self, run: FinishedRun, variant: VariantSummary, level: MetricSummary, began: tuple[str, ...]) -> None:
        digest = digest_of_draw(run, variant.name)
        if digest is not None and digest in self.draws:
            self.reused += 1
            return
        if digest is not None:
            self.draws.add(digest)
        assert level.mean is not None  # noqa: S101  such levels are no points
        assert level.ci is not None  # noqa: S101
        edited = ("suite",) if self.points and run.suite_hash != self.suite_hash else ()
        self.suite_hash = run.suite_hash
        resolved = tuple(sorted(variant.resolved_models))
        moved = ("model",) if self.points and resolved != self.points[-1].resolved else ()
        self.points.append(
            Point(
                run_id=run.run_id,
                started_at=run.started_at,
                n=level.n,
                mean=level.mean,
                low=level.ci[0],
                high=level.ci[1],
                resolved=resolved,
                decision=run.evaluation.decision.word,
                attempt=run.attempt,
                changed=(*began, *edited, *moved),
            )
        )
        self.errors.append((level.ci[1] - level.ci[0]) / (2 * normal_quantile(run.two_sided)))

    def series(self) -> Series:
        return Series(
            suite=self.first.suite,
            gate=self.first.gate,
            variant=self.variant.name,
            metric=self.metric,
            model=self.variant.model,
            source=self.source,
            points=tuple(self.points),
            steps=_steps(self.points, self.errors),
            reused=self.reused,
        )


def _steps(points: Sequence[Point], errors: Sequence[float]) -> tuple[Step, ...]:
    if len(points) < 2:
        return ()
    noise = sorted(errors)[len(errors) // 2]
    parts = segments([point.mean for point in points], weights=[point.n for point in points], noise=noise)
    return tuple(
        Step(points[after.start].run_id, points[after.start].started_at, before.level, after.level)
        for before, after in pairwise(parts)
    )


def _began(before: tuple[str, ...], key: tuple[str, ...]) -> tuple[str, ...]:
    """Why a run begins a new series: what of cases and graders is other than in the run before it."""
    return tuple(
        name for name, then, now in zip(("cases", "graders"), before[-2:], key[-2:], strict=True) if then != now
    )


def _source_of(entry: LedgerEntry) -> Source | None:
    return next((source for source in _REALITY if source.value in entry.sources), None)
