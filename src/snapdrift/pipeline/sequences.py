"""Runs that are looked at while they grow: what they are planned as, and what their files keep of the looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from snapdrift.errors import StoreError, UsageError
from snapdrift.model import CallKey, Case, Gate, MetricSpec, OnInconclusive, Results, Variant, sha256
from snapdrift.stats.case_order import Unit, drawn_order
from snapdrift.store import codec
from snapdrift.suites.stopping import Looked, design_obstacles, rest_of

if TYPE_CHECKING:
    from snapdrift.stats.sequential import StoppingRule
    from snapdrift.store import RunHeader, StoredRun
    from snapdrift.suites.resolved import Suite
    from snapdrift.verdicts.looks import Looks
    from snapdrift.verdicts.planned import PlannedComparison

ORDER = "order"
RECORD = "looks"
REST = "rest"
"""Under these names a run file keeps the drawn order, what the looks saw, and the cases that a top-up may draw."""
OPTIONAL_STOPPING = (
    "its number of cases was fixed in advance, and looking again at a fixed test is optional stopping, which makes 20 "
    "to 24 false alarms in 100 instead of 5; declare `inconclusive: extend` in the gate before the run"
)


class Ending(StrEnum):
    """Why nothing more of the order is asked."""

    RESOLVED = "resolved"
    ALL = "all"
    SPENT = "spent"


@dataclass(frozen=True, slots=True)
class Design:
    """What a run is planned as that is looked at while it grows.

    `order` has the units of the sample, then those of the `rest` that a top-up may draw; the first look comes no
    earlier than after `looks_from` units.
    """

    rule: StoppingRule
    order: tuple[Unit, ...]
    sample: int
    looks_from: int
    rest: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """What a run file keeps of the looks.

    `share` of alpha is theirs; `state` is the wealth as `SequentialState` has it; `passed_over` are the calls without
    a value when their unit was fed; `ended` is None while the order is gone on with, and `detail` says why where money
    or time ended it.
    """

    share: float
    sample: int
    looks_from: int
    state: dict[str, Any]
    passed_over: tuple[CallKey, ...] = ()
    ended: Ending | None = None
    detail: str = ""

    @property
    def fed(self) -> int:
        """How many units were looked at. Raises `StoreError` where the file does not say."""
        units = self.state.get("units")
        if type(units) is not int or units < 0:
            raise StoreError(f"the run file says that {units!r} units were looked at")
        return units

    @property
    def open_ended(self) -> bool:
        """Whether the number of units was open: the run could be topped up."""
        return self.share == 1


def design_of(suite: Suite, gate: Gate, cases: Sequence[Case], *, partial: bool) -> Design | None:
    """What the cases are planned as under the gate; None for a fixed number of cases, and for a partial run."""
    if partial or _compares_nothing_yet(gate) or not (suite.early_stop or gate.inconclusive is OnInconclusive.EXTEND):
        return None  # before statistics are loaded, which nothing else may want
    from snapdrift.verdicts.looks import stopping_rule

    rule = stopping_rule(gate, early_stop=suite.early_stop)
    if rule is None:
        return None
    rest = rest_of(suite.cases, cases) if gate.inconclusive is OnInconclusive.EXTEND else ()
    sample = drawn_order(_clusters(cases), suite.seed)
    looks_from = 0 if suite.early_stop else len(sample)
    return Design(rule, (*sample, *drawn_order(_clusters(rest), suite.seed)), len(sample), looks_from, rest)


def _compares_nothing_yet(gate: Gate) -> bool:
    """Whether the git tree of its baselines has none: then there is nothing to look at, and that is no mistake."""
    return gate.ref is not None and not gate.pairs


def _clusters(cases: Sequence[Case]) -> dict[str, str]:
    return {case.id: case.id if case.cluster is None else case.cluster for case in cases}


def require_design(suite: Suite, gate: Gate, cases: Sequence[Case], variants: Sequence[Variant], asked: str) -> None:
    """Raises `UsageError` for what a run under the gate cannot be looked at with; `asked` says what wants it."""
    extends = gate.inconclusive is OnInconclusive.EXTEND
    if _compares_nothing_yet(gate) or not (suite.early_stop or extends):
        return
    rest = rest_of(suite.cases, cases) if extends else ()
    if extends and not rest:
        raise UsageError(
            f"{suite.path}: --sample {len(cases)}: found the whole dataset under a gate with `inconclusive: extend`; "
            "expected some cases to be left for the extension to draw"
        )
    looked = Looked(gate, {variant.name: variant for variant in variants}, suite.graders, cases, rest)
    for finding in design_obstacles(looked):
        raise UsageError(f"{suite.path}: {asked}: found {finding.found}; {finding.expected}")


def meta_of(design: Design, header: RunHeader, suite: Suite, gate: Gate) -> dict[str, str]:
    """What a new run file keeps of the design, by name."""
    from snapdrift.stats.sequential import SequentialState
    from snapdrift.verdicts.looks import margins_of

    margins = margins_of(planned_comparisons(header.variants, suite.metrics, gate))
    state = SequentialState.start(config_hash(header), header.seed, margins)
    record = Record(design.rule.share, design.sample, design.looks_from, state.to_json())
    return {
        ORDER: codec.dumps(design.order),
        RECORD: codec.dumps(record),
        **({REST: codec.dumps(design.rest)} if design.rest else {}),
    }


def config_hash(header: RunHeader) -> str:
    """The configuration that wealth is won with."""
    variants = [variant.name for variant in header.variants]
    return sha256([header.suite_hash, header.gate, header.planned_repeats, variants])


def planned_comparisons(
    variants: Sequence[Variant], metrics: Sequence[MetricSpec], gate: Gate
) -> tuple[PlannedComparison, ...]:
    """The comparisons that a gate makes of these variants and metrics."""
    from snapdrift.verdicts.planned import plan_comparisons

    return plan_comparisons(Results((), tuple(variants), 1, tuple(metrics), {}, (), {}), gate, partial=False)


def record_of(stored: StoredRun) -> Record | None:
    """What the file keeps of the looks; None for a run of a fixed number of cases. Raises `StoreError`."""
    text = stored.meta(RECORD)
    if text is None:
        return None
    record = codec.loads(Record, text, f"{stored.path}: {RECORD}")
    if not 0 < record.share <= 1:
        raise StoreError(f"{stored.path}: damaged, it says that the looks had {record.share} of alpha")
    return record


def order_of(stored: StoredRun) -> tuple[Unit, ...]:
    """The drawn order of a run that is looked at. Raises `StoreError`."""
    return codec.loads(tuple[Unit, ...], stored.meta(ORDER) or "", f"{stored.path}: {ORDER}")


def rest_cases(stored: StoredRun) -> Mapping[str, Case]:
    """The cases that a top-up may draw, by id, those among them that it has drawn."""
    text = stored.meta(REST)
    cases = () if text is None else codec.loads(tuple[Case, ...], text, f"{stored.path}: {REST}")
    return {case.id: case for case in cases}


def looks_of(stored: StoredRun, gate: Gate) -> Looks | None:
    """What the looks of a stored run saw, under the confidence of the gate; None for a fixed number of cases."""
    from snapdrift.stats.sequential import StoppingRule
    from snapdrift.verdicts.looks import Looks

    record = record_of(stored)
    if record is None:
        return None
    order, known = order_of(stored), {case.id for case in stored.cases()}
    if record.fed > len(order) or not known.issuperset(case for unit in order[: record.fed] for case in unit):
        raise StoreError(f"{stored.path}: damaged, the looks saw cases that are not in it")
    return Looks(
        rule=StoppingRule(round(gate.alpha, 12), record.share),
        order=order,
        fed=record.fed,
        planned=len(order),
        sample=record.sample,
        stopped=record.ended is Ending.RESOLVED and record.fed < len(order),
        passed_over=frozenset(record.passed_over),
        spent=record.detail if record.ended is Ending.SPENT else "",
    )


def spared_cases(stored: StoredRun, gate: Gate) -> tuple[str, ...]:
    """The cases whose calls are not needed unless they were made: beyond a stop, or beyond what was paid for."""
    record, looks = record_of(stored), looks_of(stored, gate)
    if record is None or looks is None or record.ended not in (Ending.RESOLVED, Ending.SPENT):
        return ()
    kept = looks.kept(stored.cases(), gate.must_pass)
    return tuple(case for unit in looks.order[looks.end :] for case in unit if case not in kept)


def require_extendable(stored: StoredRun) -> None:
    """Raises `UsageError`, with the reason, for a run that may not be topped up."""
    record, run = record_of(stored), stored.header.run_id
    if record is None or not record.open_ended:
        raise UsageError(f"--extend: run {run} cannot be topped up: {OPTIONAL_STOPPING}")
    if record.ended is Ending.RESOLVED:
        raise UsageError(f"--extend: run {run} is settled after {record.fed} units; there is nothing to top up for")
    if record.ended is Ending.ALL:
        raise UsageError(f"--extend: run {run} has asked the whole dataset; there is nothing left to draw")
    if record.state.get("config_hash") != config_hash(stored.header):
        raise UsageError(
            f"--extend: run {run} was graded with another suite than it was asked with; its wealth goes on only under "
            "the configuration that it was won with. Run the suite anew"
        )


def going_on(record: Record) -> Record:
    """The record of a run that is topped up further."""
    return replace(record, ended=None, detail="")
