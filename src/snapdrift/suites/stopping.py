"""What a run cannot be looked at with while it grows: checks of early stopping and topping up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from snapdrift.model import OUTSIDE, Case, Endpoint, Gate, OnInconclusive, Severity, Target, Variant
from snapdrift.suites.registry import Finding, ParsedGrader
from snapdrift.suites.sampling import Sample, draw
from snapdrift.suites.wording import listed, quoted

if TYPE_CHECKING:
    from snapdrift.suites.gates import ResolvedGate
    from snapdrift.suites.loading import Loading
    from snapdrift.suites.suite import SuiteFile


@dataclass(frozen=True, slots=True)
class Looked:
    """A gate and what would be looked at under it: the cases asked first, and those that a top-up may draw."""

    gate: Gate
    variants: Mapping[str, Variant]
    graders: Sequence[ParsedGrader]
    cases: Sequence[Case]
    rest: Sequence[Case] = ()


def rest_of(dataset: Sequence[Case], cases: Sequence[Case]) -> tuple[Case, ...]:
    """The cases of the dataset that are not among `cases`, in its order."""
    taken = {case.id for case in cases}
    return tuple(case for case in dataset if case.id not in taken)


def design_obstacles(looked: Looked) -> Iterator[Finding]:
    """Everything that keeps a gate's comparisons from being looked at while they grow."""
    gate = looked.gate
    pairs = [pair for pair in gate.pairs if pair.severity is Severity.FAIL]
    if not pairs or not any(entry.gates for entry in gate.metrics):
        expected = "expected a metric with a margin between variants of severity fail: nothing else could end the run"
        yield Finding((), f"the gate {gate.name}, which compares nothing with a margin", expected)
    # What a top-up draws is asked of every variant, compared or not.
    compared = (name for pair in gate.pairs for name in (pair.baseline, pair.candidate))
    sides = dict.fromkeys(looked.variants if looked.rest else compared)
    batched = [name for name in sides if name in looked.variants and looked.variants[name].batch]
    if batched:
        expected = "expected its answers one by one: a batch comes back as a whole; leave one of the two out"
        yield Finding((), f"`batch: true` of the variant {listed(batched)}", expected)
    if any(pair.baseline == OUTSIDE or _is_kept(looked.variants.get(pair.baseline)) for pair in gate.pairs):
        expected = "expected a fixed number of cases: kept answers are all there before the first is looked at"
        yield Finding((), "a baseline of kept answers (`run`, `archive`)", expected)
    if gate.target is Target.THESE_CASES:
        expected = "expected `cases_like_these`: of given cases, those seen say something of those to come"
        yield Finding((), "`target: these_cases`", expected)
    yield from _cluster_obstacles(looked)


def _is_kept(variant: Variant | None) -> bool:
    return variant is not None and variant.endpoint is Endpoint.ARCHIVE


def _cluster_obstacles(looked: Looked) -> Iterator[Finding]:
    """Clusters are fed as one value each, the mean of which is the mean over cases only where all are of one size."""
    if all(case.cluster is None for case in (*looked.cases, *looked.rest)):
        return
    cut = sorted(_members(looked.cases).keys() & _members(looked.rest).keys())
    if cut:
        yield Finding((), f"the cluster {quoted(cut[0])} cut by the sample", "expected a sample of whole clusters")
        return
    every = (*looked.cases, *looked.rest)
    gating = {entry.metric for entry in looked.gate.metrics if entry.gates}
    graders = [grader for grader in looked.graders if any(metric.name in gating for metric in grader.metrics)]
    groups = {"": every} | {f" under {g.name}": tuple(case for case in every if g.applies(case)) for g in graders}
    for where, cases in groups.items():
        sizes = _members(cases)
        if not sizes:
            continue
        small, large = (choose(sizes, key=lambda name: len(sizes[name])) for choose in (min, max))
        if len(sizes[small]) != len(sizes[large]):
            counted = f"{quoted(small)} has {_cases(len(sizes[small]))}, {quoted(large)} {_cases(len(sizes[large]))}"
            yield Finding((), f"clusters of unequal size{where}: {counted}", "expected clusters of one size")
            return


def _members(cases: Sequence[Case]) -> dict[str, list[str]]:
    members: dict[str, list[str]] = {}
    for case in cases:
        members.setdefault(case.id if case.cluster is None else case.cluster, []).append(case.id)
    return members


def _cases(number: int) -> str:
    return "1 case" if number == 1 else f"{number} cases"


def check_stopping(
    entry: SuiteFile,
    gates: Mapping[str, ResolvedGate],
    looked: Looked,
    loading: Loading,
) -> None:
    """Complains at `early_stop` and at each `inconclusive: extend` about what they cannot be combined with.

    `looked` has what all gates share; each is looked at with its own sample of the cases.
    """
    for resolved in gates.values():
        cases = _sampled(looked.cases, resolved.sample)
        if entry.early_stop:
            own = Looked(resolved.gate, looked.variants, looked.graders, cases)
            for finding in design_obstacles(own):
                loading.complain(("early_stop",), f"early_stop with {finding.found}", finding.expected, key=True)
        if resolved.gate.inconclusive is not OnInconclusive.EXTEND:
            continue
        rest = rest_of(looked.cases, cases)
        if not rest:
            found = f"extend in the gate {resolved.gate.name} without a sample smaller than the dataset"
            expected = "expected `sample` to leave some cases for the extension to draw"
            loading.complain(resolved.extends_at, found, expected)
            continue
        own = Looked(resolved.gate, looked.variants, looked.graders, cases, rest)
        for finding in design_obstacles(own):
            loading.complain(resolved.extends_at, f"extend with {finding.found}", finding.expected)


def _sampled(cases: Sequence[Case], sample: Sample | None) -> Sequence[Case]:
    return cases if sample is None else draw(cases, sample)
