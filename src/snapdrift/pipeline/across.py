"""Two runs side by side: the same variant then and now, paired by the cases that both asked.

This is for looking, not for gating: nothing is decided, nothing is stored, and no verdict enters the history.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from snapdrift.errors import UsageError
from snapdrift.model import CallKey, Gate, MustPass, Pair, Results
from snapdrift.pipeline.concluding import load_stored_suite
from snapdrift.pipeline.prepare import applicable_cases
from snapdrift.pipeline.strange_runs import taken_from
from snapdrift.store import StoredRun, open_run

if TYPE_CHECKING:
    from snapdrift.conclusions import Comparison
    from snapdrift.model import MetricSpec
    from snapdrift.pipeline.reading import ReadRun
    from snapdrift.suites.resolved import Suite


@dataclass(frozen=True, slots=True)
class Across:
    """What two runs say of each other. Variants are named `VARIANT@RUN`.

    `added` and `removed` are the ids of cases that only the later and only the earlier run asked, `changed` of those
    that ask or expect something else now; none of them is compared. `regraded` are metrics whose grader changed: their
    scores are not compared either. `repeats` is how many repeats of each case both have.
    """

    comparisons: tuple[Comparison, ...]
    metrics: tuple[MetricSpec, ...]
    paired: int
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    regraded: tuple[str, ...]
    repeats: int


@dataclass(frozen=True, slots=True)
class _Side:
    run_id: str
    stored: StoredRun
    suite: Suite
    versions: Mapping[str, str]

    @classmethod
    def of(cls, read: ReadRun, stored: StoredRun) -> _Side:
        suite, _ = load_stored_suite(stored, read.workspace, code=False)
        return cls(stored.header.run_id, stored, suite, dict(stored.score_versions()))

    def named(self, variant: str) -> str:
        return f"{variant}@{self.run_id}"

    def results(self, cases: Sequence[str], metrics: Sequence[MetricSpec], repeats: int, variants: set[str]) -> Results:
        """The part of the run that is compared, its variants renamed."""
        kept, names = frozenset(cases), frozenset(metric.name for metric in metrics)
        found = self.stored.results(metrics, applicable_cases(self.suite, self.suite.cases))

        def compared(case_id: str, variant: str, repeat: int) -> bool:
            return case_id in kept and variant in variants and repeat < repeats

        return replace(
            found,
            cases=tuple(case for case in found.cases if case.id in kept),
            variants=tuple(replace(v, name=self.named(v.name)) for v in found.variants if v.name in variants),
            repeats=repeats,
            calls={
                CallKey(key.case_id, self.named(key.variant), key.repeat): call
                for key, call in found.calls.items()
                if compared(key.case_id, key.variant, key.repeat)
            },
            scores=tuple(
                replace(score, variant=self.named(score.variant))
                for score in found.scores
                if score.metric in names and compared(score.case_id, score.variant, score.repeat)
            ),
        )


def compare_runs(earlier: ReadRun, later: ReadRun, pairs: Sequence[tuple[str, str]] | None) -> Across:
    """Compares variants of the earlier run with those of the later, `pairs` of names; None: each with its namesake.

    Margins, confidence and how a metric is read are those of the later run's gate. Raises `UsageError` where there is
    nothing to compare, `StoreError` for a damaged file.
    """
    with (
        taken_from(earlier.path),
        open_run(earlier.path) as before,
        taken_from(later.path),
        open_run(later.path) as now,
    ):
        sides = _Side.of(earlier, before), _Side.of(later, now)
        return _compared(sides, _pairs(sides, pairs))


def _compared(sides: tuple[_Side, _Side], pairs: Sequence[tuple[str, str]]) -> Across:
    from snapdrift.verdicts.call_columns import call_columns
    from snapdrift.verdicts.comparing import compare
    from snapdrift.verdicts.planned import plan_comparisons
    from snapdrift.verdicts.score_tables import as_compared, build_score_tables

    before, now = sides
    then = {case.id: case.hash for case in before.suite.cases}
    cases = {case.id: case.hash for case in now.suite.cases}
    shared = [case_id for case_id in cases if case_id in then]
    paired = [case_id for case_id in shared if cases[case_id] == then[case_id]]
    if not paired:
        raise UsageError(f"runs {before.run_id} and {now.run_id} asked no case alike; expected runs of one dataset")
    specs = [metric for metric in now.suite.metrics if not metric.pairwise and metric.name in before.versions]
    same = [metric for metric in specs if before.versions[metric.name] == now.versions.get(metric.name)]
    repeats = min(side.stored.header.planned_repeats for side in sides)
    gate = _gate(now, same, [Pair(before.named(old), now.named(new)) for old, new in pairs])
    metrics = as_compared(tuple(same), gate)
    one = before.results(paired, metrics, repeats, {old for old, _ in pairs})
    other = now.results(paired, metrics, repeats, {new for _, new in pairs})
    results = replace(
        other,
        variants=(*one.variants, *other.variants),
        calls={**one.calls, **other.calls},
        scores=(*one.scores, *other.scores),
    )
    tables = build_score_tables(results, gate, call_columns(results))
    planned = plan_comparisons(results, gate, partial=True)
    return Across(
        comparisons=compare(planned, tables, gate, now.suite.seed),
        metrics=metrics,
        paired=len(paired),
        added=_without(cases, then),
        removed=_without(then, cases),
        changed=tuple(case_id for case_id in shared if cases[case_id] != then[case_id]),
        regraded=tuple(metric.name for metric in specs if metric not in same),
        repeats=repeats,
    )


def _pairs(sides: tuple[_Side, _Side], wanted: Sequence[tuple[str, str]] | None) -> Sequence[tuple[str, str]]:
    have = [[variant.name for variant in side.stored.header.variants] for side in sides]
    if wanted is None:
        wanted = [(name, name) for name in have[1] if name in have[0]]
        if not wanted:
            raise UsageError(
                f"the runs have no variant of one name ({', '.join(have[0])}; {', '.join(have[1])}); "
                "say which to compare: pairs=[(OLD, NEW)]"
            )
    for pair in wanted:
        for side, names, name in zip(sides, have, pair, strict=True):
            if name not in names:
                raise UsageError(f"run {side.run_id} has no variant {name!r}; expected one of {', '.join(names)}")
    return wanted


def _gate(side: _Side, metrics: Sequence[MetricSpec], pairs: Sequence[Pair]) -> Gate:
    """The later run's gate over other pairs, with what it says of metrics that are compared."""
    gate, names = side.suite.gates[side.stored.header.gate], {metric.name for metric in metrics}
    entries = tuple(entry for entry in gate.metrics if entry.metric in names)
    return replace(gate, pairs=tuple(pairs), metrics=entries, must_pass=MustPass())


def _without(ids: Iterable[str], others: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(case_id for case_id in ids if case_id not in others)
