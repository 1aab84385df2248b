"""From files and options to what is to be run: everything that can be wrong before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snapdrift.errors import ConfigError, InsufficientError, Problem, SeveralErrors, SnapdriftError, UsageError
from snapdrift.exit_codes import ExitCode
from snapdrift.model import Case, Gate, Source, Variant
from snapdrift.pipeline.accepting import suites_only, with_acceptances
from snapdrift.pipeline.changes import Untouched, left_out, require_touched
from snapdrift.pipeline.options import RunOptions
from snapdrift.pipeline.shutdowns import shutdowns_last
from snapdrift.unasked import Unasked

if TYPE_CHECKING:
    from snapdrift.conclusions import Sufficiency
    from snapdrift.openai_api.catalog import Catalog
    from snapdrift.pipeline.frozen import Based, Frozen
    from snapdrift.pipeline.sequences import Design
    from snapdrift.suites.resolved import Suite
    from snapdrift.suites.workspace import Workspace

DEFAULT_GATE = "default"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A suite with what of it is to be run. `partial` runs are not gated; `gate` has only pairs that are run.

    `calibration` says for a suite that requires it what is known of its judges; `design` how it is looked at while it
    grows, None for a fixed number of cases. `idle` says why nothing need be asked, empty where something has to be;
    `based` is the baseline, where the gate names kept answers; `loaded` is the suite before its gate added a baseline.
    """

    workspace: Workspace
    suite: Suite
    catalog: Catalog
    gate: Gate
    cases: Sequence[Case]
    variants: tuple[Variant, ...]
    repeats: int
    partial: bool
    sufficiency: tuple[Sufficiency, ...]
    calibration: tuple[str, ...] = ()
    design: Design | None = None
    idle: str = ""
    based: Based | None = None
    loaded: Suite | None = None

    @property
    def frozen(self) -> Frozen | None:
        """The kept answers that candidates are compared with; None where the baseline is asked."""
        return None if self.based is None else self.based.frozen

    @property
    def asked(self) -> tuple[Variant, ...]:
        """The variants whose answers are not there yet."""
        frozen = self.frozen
        return self.variants if frozen is None else tuple(v for v in self.variants if v.name != frozen.variant.name)

    @property
    def judges_real_answers_of_then(self) -> bool:
        """Whether judges are asked about kept answers that somebody else than a stand-in gave."""
        facts = None if self.based is None else self.based.facts
        kept = None if facts is None else facts.kept
        return kept is not None and bool(kept.regraded) and any(not Source(word).made_up for word in kept.sources)

    @property
    def askable(self) -> Sequence[Case]:
        """Every case that may be asked: those planned, and those that a top-up may draw."""
        return self.cases if self.design is None else (*self.cases, *self.design.rest)


def workspace_catalog(workspace: Workspace) -> Catalog:
    """The catalogue with the workspace's figures over it. Raises `ConfigError` with file, line and column."""
    from snapdrift.openai_api.catalog import OverrideError, load_catalog
    from snapdrift.suites.workspace import config_problem

    config = workspace.config
    try:
        return load_catalog(config.catalog_overrides)
    except OverrideError as error:
        problems = []
        for mistake in error.mistakes:
            _, model, *inside = mistake.location
            # `[prices.NAME]` is read as `[models.NAME.price]`: it is named the way that it was written.
            of_price = inside[:1] == ["price"] and not _in(config.models, (model, *inside))
            place = ("prices", model, *inside[1:]) if of_price and model in config.prices else mistake.location
            problems.append(config_problem(workspace.root, place, mistake.found, mistake.expected))
        raise ConfigError("\n".join(map(str, sorted(problems)))) from None


def _in(table: Any, keys: Sequence[Any]) -> bool:
    return not keys or (isinstance(table, Mapping) and keys[0] in table and _in(table[keys[0]], keys[1:]))


def applicable_cases(suite: Suite, cases: Iterable[Case]) -> Mapping[str, frozenset[str]]:
    """For each metric the ids of the cases that it applies to; metrics with the same share one set of them."""
    found: list[set[str]] = [set() for _ in suite.graders]
    for case in cases:
        for ids, grader in zip(found, suite.graders, strict=True):
            if grader.applies(case):
                ids.add(case.id)
    alike: dict[frozenset[str], frozenset[str]] = {}
    sets = [alike.setdefault(ids, ids) for ids in map(frozenset, found)]
    return {metric.name: ids for grader, ids in zip(suite.graders, sets, strict=True) for metric in grader.metrics}


def prepare(path: Path, options: RunOptions) -> Prepared:
    """Loads a suite and picks what is to be run of it. Raises `SnapdriftError` for everything that is wrong.

    With `options.changed`, raises `Untouched` for a suite that nothing touched.
    """
    from snapdrift.graders.registry import Registry
    from snapdrift.pipeline.own_code import refusal, require_code_allowed
    from snapdrift.pipeline.under_gate import under_gate
    from snapdrift.suites.loader import load_suite
    from snapdrift.suites.trees import TracedWorkspace
    from snapdrift.suites.workspace import find_workspace

    if path.is_dir():
        raise UsageError(f"{path}: found a folder; expected suite files, {path}/*.yaml")
    if not path.is_file():
        raise UsageError(f"found no suite file {path}; expected the path of a YAML file, usually in evals/")
    workspace = TracedWorkspace.of(find_workspace(path))
    catalog = workspace_catalog(workspace)
    suite = load_suite(path, workspace, Registry(refusal=refusal(workspace, allowed=options.code)), catalog)
    suite = with_acceptances(suite, workspace)
    if options.changed is not None:
        require_touched(suite, workspace, options)
    if options.output.out_dir is None:
        workspace.own_folder("reports", suite.name)
    require_code_allowed(suite, suite.cases, workspace, allowed=options.code)
    suite = replace(suite, early_stop=suite.early_stop or options.early_stop)
    suite = with_warnings(suite, catalog)
    one = under_gate(workspace, suite, catalog, options)
    return replace(one, suite=with_shutdowns_last(one.suite, catalog), loaded=suite)


def with_warnings(suite: Suite, catalog: Catalog) -> Suite:
    """The suite with what is to be known of its judges, and of graders that cannot grade, among its warnings."""
    told = (*suite.warnings, *judges_warnings(suite, catalog), *misfit_warnings(suite))
    return replace(suite, warnings=tuple(dict.fromkeys(told)))


def with_shutdowns_last(suite: Suite, catalog: Catalog) -> Suite:
    """The suite with what is said of shutdowns behind its other warnings."""
    return replace(suite, warnings=shutdowns_last(suite.warnings, suite, suite.variants.values(), catalog))


def judges_warnings(suite: Suite, catalog: Catalog) -> list[str]:
    """What is to be known about judges: what is with their models, settings that say little, judging one's own.

    Not when they are shut down: that is said of all models of a suite together.
    """
    from snapdrift.pipeline.suite_graders import judges_of

    under_test: dict[str, list[str]] = {}
    for variant in suite.variants.values():
        if variant.endpoint.over_http:
            under_test.setdefault(catalog.resolve_alias(variant.model), []).append(variant.name)
    notes: list[str] = []
    told: dict[str, dict[str, None]] = {}
    for grader in judges_of(suite):
        notes += grader.notes()
        for judge in grader.judges:
            gone = catalog.shutdown_sentences({judge.model: ()})
            for text in (text for text in catalog.warnings(judge.model) if text not in gone):
                told.setdefault(text, {})[grader.name] = None
            own = under_test.get(catalog.resolve_alias(judge.model))
            if own:
                text = (
                    f"{judge.model} judges its own answers ({', '.join(own)}): models favour what they wrote "
                    "themselves; another family judges more fairly."
                )
                told.setdefault(text, {})[grader.name] = None
    # What is to be said of several judges is said once.
    about = [f"judge{'s' if len(names) > 1 else ''} {', '.join(names)}: {text}" for text, names in told.items()]
    return list(dict.fromkeys([*notes, *about]))


def misfit_warnings(suite: Suite) -> list[str]:
    """Graders that cannot grade a variant's answers, whatever they are: every score would be a grader error."""
    from snapdrift.pipeline.suite_graders import graders_of

    pairs = [(grader, variant) for grader in graders_of(suite) for variant in suite.variants.values()]
    found = [(grader.name, variant.name, grader.misfit(variant)) for grader, variant in pairs]
    return [f"grader {name} cannot grade variant {variant}: {clause}" for name, variant, clause in found if clause]


def prepare_all(paths: Sequence[Path], options: RunOptions) -> tuple[Prepared, ...]:
    """Every suite of a command; raises one error with the mistakes of all: nothing is sent before all are right.

    With `options.changed` only those that something touched, which may be none. Raises `UsageError` when there are no
    suites, when two have one name, and when they are of several workspaces.
    """
    each = prepare_each(paths, options)
    require_none(each.errors)
    require_together(each.prepared)
    return each.prepared


@dataclass(frozen=True, slots=True)
class PreparedEach:
    """The suites of a command that are right, and what is wrong with each of the others."""

    prepared: tuple[Prepared, ...]
    errors: tuple[SnapdriftError, ...]


def prepare_each(paths: Sequence[Path], options: RunOptions) -> PreparedEach:
    """Every suite of a command by itself; those that nothing touched are told where none is wrong.

    Raises `UsageError` when there are no suites.
    """
    paths = suites_only(paths)
    if not paths:
        raise UsageError("no suites: expected at least one YAML file, such as evals/*.yaml")
    prepared: list[Prepared] = []
    errors: list[SnapdriftError] = []
    untouched: list[Untouched] = []
    for path in paths:
        try:
            prepared.append(prepare(path, options))
        except Untouched as one:
            untouched.append(one)
        except SnapdriftError as error:
            errors.append(error)
    if untouched and not errors:
        options.settled(left_out(untouched))
    return PreparedEach(tuple(prepared), tuple(errors))


def require_none(errors: Sequence[SnapdriftError]) -> None:
    """Raises the error, or one with all of them."""
    if errors:
        raise errors[0] if len(errors) == 1 else SeveralErrors(errors)


def require_together(prepared: Sequence[Prepared]) -> None:
    """Raises `UsageError` for suites that one command cannot have together."""
    names = [one.suite.name for one in prepared]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"found two suites named {', '.join(twice)}; expected a name of its own for each")
    if len({one.workspace.root for one in prepared}) > 1:
        raise UsageError("found suites of several workspaces in one command; run those of each workspace apart")


@dataclass(frozen=True, slots=True)
class ToRun:
    """The suites of a command that have to be asked; `settled` says why the others need not be."""

    prepared: tuple[Prepared, ...]
    settled: tuple[Unasked, ...]


def to_be_run(paths: Sequence[Path], options: RunOptions) -> ToRun:
    """Every suite of a command as `prepare_all` has it, apart from those that need not be asked, which are told."""
    settled: list[Unasked] = []
    prepared = prepare_all(paths, replace(options, settled=settled.append))
    settled += [_unasked(one, options) for one in prepared if one.idle]
    for result in settled:
        options.settled(result)
    return ToRun(tuple(one for one in prepared if not one.idle), tuple(settled))


def _unasked(one: Prepared, options: RunOptions) -> Unasked:
    """A suite that is what it was. Who runs only what changed has nothing against that; elsewhere nothing was shown."""
    suite, gate = one.suite.name, one.gate.name
    if options.changed is not None:
        return Unasked(one.idle, suite, gate)
    how = "add `at_least` or `must_pass`, or run what changed alone (--changed REF)"
    return Unasked(f"{one.idle}: not gated; {how}", suite, gate, ExitCode.NOT_GATED)


def narrowed(gate: Gate, variants: Sequence[Variant]) -> Gate:
    """The gate with only those comparisons whose variants are run."""
    names = {variant.name for variant in variants}
    return replace(gate, pairs=tuple(pair for pair in gate.pairs if {pair.baseline, pair.candidate} <= names))


def check_suites(paths: Sequence[Path], options: RunOptions) -> tuple[Prepared, ...]:
    """Validates suites as `run` would before it sends anything. Raises `SnapdriftError` with every mistake."""
    prepared = prepare_all(paths, options)
    for one in prepared:
        require_sufficient(one)
    return prepared


def require_sufficient(prepared: Prepared) -> None:
    """Raises `InsufficientError` when the gate could never tell, before anything is sent."""
    require_enough(prepared.suite, prepared.gate, prepared.sufficiency)


def require_enough(suite: Suite, gate: Gate, found: Sequence[Sufficiency]) -> None:
    """Raises `InsufficientError` with a line for each comparison by which the gate could never tell."""
    short = [entry for entry in found if not entry.enough]
    if short:
        from snapdrift.suites.gate_lines import gate_lines

        lines = gate_lines(suite.source, suite.path, gate.name)
        problems = []
        for entry in short:
            at = lines.metric(entry.metric)
            expected = f"gate {gate.name} could never tell: {entry.detail}"
            problems.append(Problem(suite.path, at.line, at.column, "", "", expected))
        where = f"{suite.path}:{lines.gate.line}:{lines.gate.column}"
        told = [
            f"  {one.file}:{one.line}:{one.column}: {entry.detail}" for one, entry in zip(problems, short, strict=True)
        ]
        raise InsufficientError("\n".join([f"{where}: gate {gate.name} could never tell:", *told]), problems)
