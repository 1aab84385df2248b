"""A loaded suite under one of its gates: which cases and variants are asked, what of, and what that can see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.errors import UsageError
from snapdrift.model import Case, Endpoint, Gate, Target, Variant
from snapdrift.pipeline.accepting import require_bounded
from snapdrift.pipeline.judge_records import (
    calibration_notes,
    known_records,
    records_dir,
    require_calibratable_metrics,
)
from snapdrift.pipeline.options import RunOptions, Selection
from snapdrift.pipeline.prepare import DEFAULT_GATE, Prepared, applicable_cases, narrowed
from snapdrift.pipeline.sight import sight

if TYPE_CHECKING:
    from snapdrift.openai_api.catalog import Catalog
    from snapdrift.pipeline.failed import FailedCases
    from snapdrift.pipeline.frozen import Based
    from snapdrift.suites.resolved import Suite
    from snapdrift.suites.workspace import Workspace


def under_gate(workspace: Workspace, suite: Suite, catalog: Catalog, options: RunOptions) -> Prepared:
    """What is to be run of a loaded suite under the gate that the options name."""
    from snapdrift.pipeline.references import refer
    from snapdrift.pipeline.sequences import design_of, require_design

    referred = refer(suite, _gate(suite, options.gate), workspace, catalog, options)
    suite, gate = referred.suite, referred.gate
    require_calibratable_metrics(suite, gate)
    again = None
    if options.selection.failed:
        from snapdrift.pipeline.failed import failed_cases

        again = failed_cases(options.selection.failed, suite, options.selection.variants, _runs_dir(workspace, options))
        options.notice(f"{suite.path}: --failed: {again.sentence()}")
    cases = _cases(suite, gate, options.selection, again)
    based = _based(suite, gate, cases, workspace, catalog, options)
    if based is not None:
        suite, gate = replace(based.suite, warnings=(*suite.warnings, *based.notes)), based.gate
    variants = _variants(suite, options.selection, referred.asked)
    partial = options.selection.picks_cases or referred.stray or _drops_baseline(gate, variants)
    gate = narrowed(gate, variants)
    repeats = options.selection.repeats or suite.repeats_for(gate.name)
    if gate.target is Target.THESE_CASES and gate.pairs and repeats < 2 and not partial:
        raise UsageError(
            f"{suite.path}: --repeats: found {repeats}; expected 2 or more, because the suite claims something of "
            "these_cases, which rests on what a model varies between the answers to one case"
        )
    if partial and options.early_stop:
        raise UsageError(f"{suite.path}: --early-stop: found a part of the suite; expected all of it: nothing is gated")
    if not partial:
        require_design(suite, gate, cases, variants, "--early-stop" if options.early_stop else f"gate {gate.name}")
    design = design_of(suite, gate, cases, partial=partial)
    known = calibration_notes(suite, gate, known_records(suite, records_dir(workspace, options)))
    idle = referred.idle
    one = Prepared(workspace, suite, catalog, gate, cases, variants, repeats, partial, (), known, design, idle, based)
    if suite.accepted and not partial:
        require_bounded(suite, gate, applicable_cases(suite, suite.cases))
    if partial:
        return one
    rule = None if design is None else design.rule
    return replace(one, sufficiency=sight(suite, gate, one.askable, repeats, rule, one.frozen))


def _based(
    suite: Suite, gate: Gate, cases: Sequence[Case], workspace: Workspace, catalog: Catalog, options: RunOptions
) -> Based | None:
    """The baseline of a gate that names kept answers, looked up; None of any other."""
    if gate.outside is None:
        return None
    from snapdrift.pipeline.frozen import look_up

    return look_up(suite, gate, cases, workspace, catalog, options)


def _drops_baseline(gate: Gate, variants: Sequence[Variant]) -> bool:
    """Whether the variants leave out a side without which the gate has nothing to say."""
    names = {variant.name for variant in variants}
    missing = any(pair.baseline not in names for pair in gate.pairs)
    return missing or (bool(gate.pairs) and not narrowed(gate, variants).pairs)


def _gate(suite: Suite, name: str | None) -> Gate:
    if name is None and len(suite.gates) == 1:
        return next(iter(suite.gates.values()))
    wanted = name or DEFAULT_GATE
    if wanted not in suite.gates:
        known = ", ".join(suite.gates)
        mend = "" if name is None else f", or `{wanted}: {{extends: {next(iter(suite.gates))}}}` under its gates"
        raise UsageError(f"{suite.path}: found no gate {wanted!r}; expected --gate with one of {known}{mend}")
    return suite.gates[wanted]


def _runs_dir(workspace: Workspace, options: RunOptions) -> Path:
    return (options.output.state_dir or workspace.state_dir) / "runs"


def _cases(suite: Suite, gate: Gate, selection: Selection, again: FailedCases | None) -> Sequence[Case]:
    if selection.whole:
        return suite.cases
    cases = suite.cases_for(gate.name) if selection.sample is None else _sampled(suite, gate, selection.sample)
    unknown = sorted(set(selection.cases) - {case.id for case in suite.cases})
    if unknown:
        known = f"the suite's {len(suite.cases)}"
        raise UsageError(f"{suite.path}: --case: found no case {', '.join(unknown)}; expected ids of {known}")
    known_tags = {tag for case in suite.cases for tag in case.tags}
    unknown = sorted(set(selection.tags) - known_tags)
    if unknown:
        have = ", ".join(sorted(known_tags)) or "none"
        raise UsageError(f"{suite.path}: --tag: found no case tagged {', '.join(unknown)}; expected one of: {have}")
    if again is not None:
        cases = tuple(case for case in suite.cases if case.id in again.ids)
    if selection.cases:
        picked = suite.cases if again is None else cases
        cases = tuple(case for case in picked if case.id in selection.cases)
    if selection.tags:
        cases = tuple(case for case in cases if set(selection.tags) & set(case.tags))
    if not cases:
        used = {"--failed": selection.failed, "--case": selection.cases, "--tag": selection.tags}
        names = " and ".join(name for name, given in used.items() if given)
        raise UsageError(f"{suite.path}: {names}: the filter matches no case; expected at least one")
    return cases


def _sampled(suite: Suite, gate: Gate, number: int) -> tuple[Case, ...]:
    """As many cases as the command line says, drawn the way that the suite draws its sample."""
    from snapdrift.suites.sampling import Sample, draw

    declared = suite.gate_samples.get(gate.name, suite.sample)
    sample = Sample(number, suite.seed) if declared is None else replace(declared, n=number)
    try:
        return draw(suite.cases, sample)
    except UsageError as error:
        raise UsageError(f"{suite.path}: --sample: {error}") from None


def _variants(suite: Suite, selection: Selection, asked: Sequence[str] | None) -> tuple[Variant, ...]:
    """Those to be asked: as selected, else `asked`, else all."""
    unknown = sorted(set(selection.variants) - set(suite.variants))
    if unknown:
        known = ", ".join(suite.variants)
        raise UsageError(f"{suite.path}: --variant: found no variant {', '.join(unknown)}; expected one of {known}")
    wanted = selection.variants if asked is None else asked
    # Kept answers cost nothing, so that a gate whose baseline they are stays one whatever is asked beside them.
    kept = Endpoint.ARCHIVE
    return tuple(v for name, v in suite.variants.items() if not wanted or name in wanted or v.endpoint is kept)
