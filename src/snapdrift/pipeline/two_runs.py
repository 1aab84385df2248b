"""Two runs that are compared with each other: which of their variants, which cases, and by which graders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.baselines import Unpaired
from snapdrift.errors import UsageError
from snapdrift.model import Endpoint, Gate, Severity, Variant
from snapdrift.pipeline.concluding import load_stored_suite, require_finished
from snapdrift.pipeline.frozen import names_one_of
from snapdrift.pipeline.frozen_words import counts_of
from snapdrift.pipeline.options import RunOptions
from snapdrift.pipeline.run_files import locate_run
from snapdrift.pipeline.sequences import record_of
from snapdrift.pipeline.strange_runs import taken_from
from snapdrift.pipeline.suite_graders import graders_of
from snapdrift.store import StoredRun, open_run

if TYPE_CHECKING:
    from snapdrift.graders.base import Grader
    from snapdrift.suites.resolved import Suite
    from snapdrift.suites.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Sides:
    """Whom `compare RUN RUN` compares: a variant of the earlier run, and which of the later run's. Empty: by name."""

    baseline: str | None = None
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """A finished run, and the suite that it was made of."""

    workspace: Workspace
    path: Path
    stored: StoredRun
    suite: Suite

    @property
    def id(self) -> str:
        """The run's id."""
        return self.stored.header.run_id

    @property
    def variants(self) -> dict[str, Variant]:
        """Those that it asked, by name."""
        return {variant.name: variant for variant in self.stored.header.variants}

    @property
    def gate(self) -> Gate:
        """The gate that it was made under."""
        return self.suite.gates[self.stored.header.gate]

    @property
    def versions(self) -> set[tuple[str, str]]:
        """By which version of its grader each metric was scored."""
        return set(self.stored.score_versions())


@dataclass(frozen=True, slots=True)
class TwoRuns:
    """What is compared: pairs of names as (earlier, later), cases, and by which graders.

    `chosen` says that somebody named the candidates: then all of them count as the gate's do.
    """

    then: ComparedRun
    now: ComparedRun
    pairs: tuple[tuple[str, str], ...]
    chosen: bool
    paired: frozenset[str]
    unpaired: Unpaired
    graders: tuple[Grader, ...]
    left_out: tuple[str, ...]

    @property
    def repeats(self) -> int:
        """How many repeats of a case both runs have."""
        return min(run.stored.header.planned_repeats for run in (self.then, self.now))

    @property
    def partial(self) -> bool:
        """Whether one of them is a partial run: what they come to together is not gated either."""
        return self.then.stored.header.partial or self.now.stored.header.partial

    def severity(self, candidate: str) -> Severity:
        """How gravely a variant of the later run is judged: as its gate does.

        One that this gate asks nothing of (its own baseline, say) turns nothing red, unless nobody else is compared.
        """
        judged = self.now.gate.judged(self.now.variants)
        if candidate in judged or self.chosen or judged.keys().isdisjoint(new for _, new in self.pairs):
            return judged.get(candidate, Severity.FAIL)
        return Severity.WARN

    def named(self, variant: str) -> str:
        """What a variant of the earlier run is called beside those of the later."""
        return f"{variant}@{self.then.id}"


@contextmanager
def opened_run(text: str, options: RunOptions, cwd: Path) -> Iterator[ComparedRun]:
    """A run that can be one side of a comparison. Raises `StoreError` and `UsageError` for one that cannot."""
    workspace, path = locate_run(text, options, cwd)
    with taken_from(path), open_run(path) as stored:
        require_finished(stored)
        run, header = stored.header.run_id, stored.header
        if header.redacted:
            raise UsageError(f"run {run} is an export, whose texts are gone; compare the run that it was made from")
        if header.shard is not None:
            raise UsageError(f"run {run} is {header.shard} of a whole; `snapdrift merge` the shards, and compare that")
        if record_of(stored) is not None:
            raise UsageError(
                f"run {run} was looked at while it grew, and what it was looked for decided which cases it has; "
                "expected a run of a fixed number of cases (without early stopping and `inconclusive: extend`)"
            )
        suite, _ = load_stored_suite(stored, workspace, code=options.code)
        yield ComparedRun(workspace, path, stored, suite)


def two_runs(then: ComparedRun, now: ComparedRun, sides: Sides) -> TwoRuns:
    """What of the two can be compared. Raises `UsageError` where that is nothing, or not what the gate breaks on."""
    if then.id == now.id:
        raise UsageError(f"found run {now.id} twice; expected an earlier run, then the one to judge")
    if then.stored.header.suite != now.stored.header.suite:
        raise UsageError(
            f"run {then.id} is of the suite {then.stored.header.suite}, run {now.id} of {now.stored.header.suite}; "
            "expected two runs of one suite"
        )
    pairs = _pairs(then, now, sides)
    paired, unpaired = _pairing(then, now)
    if not paired:
        raise UsageError(f"runs {then.id} and {now.id} asked no case alike: {counts_of(unpaired)}")
    graders, left_out = _graders(then, now)
    return TwoRuns(then, now, pairs, bool(sides.candidates), paired, unpaired, graders, left_out)


# ------------------------------------------------------------------------------------------------------- what is paired


def _pairs(then: ComparedRun, now: ComparedRun, sides: Sides) -> tuple[tuple[str, str], ...]:
    asked = [name for name, variant in now.variants.items() if variant.endpoint is not Endpoint.ARCHIVE]
    _require_variants(then, [sides.baseline] if sides.baseline else [], list(then.variants))
    _require_variants(now, sides.candidates, asked)
    if sides.baseline:
        gate = now.gate
        judged = [name for name in asked if name in gate.judged(asked)]
        return tuple((sides.baseline, name) for name in dict.fromkeys(sides.candidates or judged or asked))
    found = [name for name in asked if name in then.variants]
    lacking = [name for name in sides.candidates if name not in found]
    if lacking or not found:
        what = f"no variant {', '.join(lacking)}" if lacking else f"no variant of run {now.id} ({', '.join(asked)})"
        raise UsageError(
            f"run {then.id} has {what}; say with which of its variants to compare: --baseline "
            f"{' | '.join(then.variants)}"
        )
    return tuple((name, name) for name in dict.fromkeys(sides.candidates or found))


def _require_variants(run: ComparedRun, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise UsageError(f"run {run.id} has no variant {name!r} to compare; expected one of {', '.join(known)}")


def _pairing(then: ComparedRun, now: ComparedRun) -> tuple[frozenset[str], Unpaired]:
    """The cases that both asked alike, and those that are left out. What a partial run passed over is no news."""
    before = {case.id: case.hash for case in then.suite.cases}
    media = now.suite.media
    files = {path for path, digest in then.suite.media.items() if media.get(path, digest) != digest}
    paired, added, changed, ids = set[str](), [], [], set[str]()
    for case in now.suite.cases:
        ids.add(case.id)
        if case.id not in before:
            added.append(case.id)
        elif before[case.id] != case.hash or names_one_of(case, files):
            changed.append(case.id)
        else:
            paired.add(case.id)
    removed = () if now.stored.header.partial else tuple(case_id for case_id in before if case_id not in ids)
    return frozenset(paired), Unpaired(tuple(added), removed, tuple(changed))


def _graders(then: ComparedRun, now: ComparedRun) -> tuple[tuple[Grader, ...], tuple[str, ...]]:
    """The graders whose scores can be compared, and a sentence for each that is left out.

    Raises `UsageError` where the gate breaks on one of these.
    """
    gate = now.gate
    breaking = {entry.metric for entry in gate.metrics if entry.severity is Severity.FAIL}
    found = [(grader, _obstacle(grader, then, now)) for grader in graders_of(now.suite)]
    for grader, why in found:
        if why and not breaking.isdisjoint(metric.name for metric in grader.metrics):
            raise UsageError(f"the gate {gate.name} breaks on {grader.name}, which cannot be compared: {why}")
    told = tuple(f"{grader.name} is not compared: {why}" for grader, why in found if why)
    return tuple(grader for grader, why in found if not why), told


def _obstacle(grader: Grader, then: ComparedRun, now: ComparedRun) -> str:
    """Why the grader's scores of the two runs cannot be compared; empty where they can."""
    if grader.compares:
        return "it compares the answers of one run with each other"
    names = {metric.name for metric in grader.metrics}
    if names.isdisjoint(metric for metric, _ in then.versions):
        return f"run {then.id} has no scores by it; `snapdrift grade {then.id}` grades its answers again"
    others = sorted({version for metric, version in then.versions | now.versions if metric in names} - {grader.version})
    if others:
        return (
            f"it is {grader.version} in the suite of run {now.id} and scored as {', '.join(others)} too; "
            f"`snapdrift grade {then.id}` and `snapdrift grade {now.id}` grade both by the suite as it is now"
        )
    return ""
