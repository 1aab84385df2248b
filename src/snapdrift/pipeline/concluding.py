"""The steps that need no network: from what is stored to a decision and its pages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.conclusions import Evaluation
from snapdrift.errors import ConfigError, StoreError
from snapdrift.model import CallKey, Case, Endpoint, Source
from snapdrift.pipeline.kept_scores import baseline_of
from snapdrift.pipeline.labelling import judging_facts, labels_that_hold
from snapdrift.pipeline.options import Output
from snapdrift.pipeline.own_code import refusal
from snapdrift.pipeline.prepare import applicable_cases, judges_warnings, narrowed
from snapdrift.pipeline.reruns import REACHED, remembered
from snapdrift.pipeline.sequences import looks_of, record_of, spared_cases
from snapdrift.pipeline.shutdowns import shutdowns_last
from snapdrift.pipeline.spending import stored_notes
from snapdrift.pipeline.targets import STANDIN
from snapdrift.store import SPARED, RunState, StoredRun, codec, list_runs, open_run
from snapdrift.store.header import require_file_names
from snapdrift.store.verdict_log import append_verdict
from snapdrift.suites.case_list import CaseList
from snapdrift.suites.registry import InvalidEntryError

if TYPE_CHECKING:
    from snapdrift.openai_api.catalog import Catalog
    from snapdrift.reports.data import RunData
    from snapdrift.reports.view import View
    from snapdrift.reports.write import ReportPaths
    from snapdrift.store import RunWriter
    from snapdrift.suites.resolved import Suite
    from snapdrift.suites.workspace import Workspace
    from snapdrift.unasked import Unasked

LATEST = "latest"
STOPPED = "stopped"


def load_stored_suite(stored: StoredRun, workspace: Workspace, *, code: bool = True) -> tuple[Suite, Catalog]:
    """The suite and the facts about models as they were when the run was made.

    Raises `StoreError` for a grader that cannot be made any more (the package that brought its family is gone), and for
    a name that folders cannot have: the run file may be anybody's. Without `code` no package that brings a family is
    imported.
    """
    from snapdrift.graders.registry import Registry
    from snapdrift.openai_api.catalog import load_catalog
    from snapdrift.suites.resolved import suite_from_stored

    cases = CaseList(stored.each_case())
    # What is expected was taken out of an exported run: nothing there tells whether graders fit the cases.
    fitting: Sequence[Case] = () if stored.header.redacted else cases
    registry = Registry(refusal=refusal(workspace, allowed=code))
    try:
        suite = replace(suite_from_stored(stored.suite, fitting, registry), cases=cases)
    except InvalidEntryError as error:
        raise StoreError(
            f"{stored.path}: found a grader that this installation cannot make ({error}); a family that a package "
            "brings takes that package"
        ) from None
    require_file_names(stored.path, suite=suite.name)
    overrides = {**workspace.config.catalog_overrides, **stored.header.catalog}
    return suite, load_catalog(overrides)


@dataclass(frozen=True, slots=True)
class EarlierModels:
    """Which models answered when the same was last asked of the same kind of source: by variant, and by judge."""

    variants: Mapping[str, tuple[str, ...]]
    judges: Mapping[str, tuple[str, ...]]


def evaluate_stored(stored: StoredRun, suite: Suite, earlier: EarlierModels) -> Evaluation:
    """Compares, decides and explains from the stored scores and answers. `earlier` says which models answered before.

    Raises `StoreError` when scores were made by graders of another version than the suite has.
    """
    from snapdrift.pipeline.rereading import tolerant_reading
    from snapdrift.verdicts import RunFacts, evaluate

    header = stored.header
    gate = narrowed(suite.gates[header.gate], header.variants)
    results = stored.streamed_results(suite.metrics, applicable_cases(suite, stored.each_case()))
    require_one_version(stored, suite)
    facts = RunFacts(
        seed=header.seed,
        partial=header.partial,
        stopped_early=stored.meta(STOPPED) or None,
        previous_models=earlier.variants,
        previous_judges=earlier.judges,
        judging=judging_facts(stored, suite),
        looks=looks_of(stored, gate),
        spending_notes=stored_notes(stored),
        acceptances=suite.accepted,
    )
    return evaluate(results, gate, facts, tolerant_reading(stored, suite))


def conclude(writer: RunWriter, stored: StoredRun, suite: Suite, stopped: str) -> Evaluation:
    """Evaluates a run whose calls have ended and stores what was concluded; `stopped` says why it ended early."""
    now = datetime.now(UTC)
    writer.set_meta(STOPPED, stopped)
    if record_of(stored) is not None:
        gate = narrowed(suite.gates[stored.header.gate], stored.header.variants)
        writer.set_meta(SPARED, codec.dumps(spared_cases(stored, gate)))
    evaluation = evaluate_stored(stored, suite, earlier_models(stored, stored.path.parent))
    kept = remembered(evaluation, stored, now)
    writer.set_evaluation(kept.evaluation)
    append_verdict(stored.path.parent, kept.verdict)
    return kept.evaluation


def earlier_models(stored: StoredRun, directory: Path) -> EarlierModels:
    """Which models answered each variant and each judge when it was last asked the same of the same kind of source.

    Looked up for each by itself, in whole runs of the suite before this one; the first run has nothing before it.
    """
    wanted = _asked_of(stored)
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for evaluation in _evaluations_before(stored, directory):
        hosts = {variant.name: (variant.endpoint, variant.host) for variant in evaluation.variants}
        for then in evaluation.ledger:
            who = (then.variant, then.judge)
            asked = _Asked(then.requested, frozenset(then.sources), hosts.get(then.variant))
            if then.returned and wanted.get(who) == asked:
                found.setdefault(who, tuple(then.returned))
        if found.keys() >= wanted.keys():
            break
    return EarlierModels(
        variants={variant: models for (variant, judge), models in found.items() if not judge},
        judges={judge: models for (_, judge), models in found.items() if judge},
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """Two runs' answers name comparable models where these are equal. `way` is endpoint and host, None of a judge."""

    requested: str
    sources: frozenset[str]
    way: tuple[Endpoint, str | None] | None


def _asked_of(stored: StoredRun) -> dict[tuple[str, str], _Asked]:
    """What was asked, by (variant, "") and ("", judge), of those that answered over HTTP: no other has an alias."""
    requested: dict[tuple[str, str], str] = {}
    sources: dict[tuple[str, str], set[str]] = {}
    ways = {v.name: (v.endpoint, v.host) for v in stored.header.variants if v.endpoint.over_http}
    for asked in stored.asked_models():
        if asked.grader or asked.variant in ways:
            who = ("", CallKey("", "", 0, asked.grader).judge) if asked.grader else (asked.variant, "")
            requested.setdefault(who, asked.requested)
            sources.setdefault(who, set()).add(asked.source.value)
    return {who: _Asked(requested[who], frozenset(sources[who]), ways.get(who[0])) for who in requested}


def _evaluations_before(stored: StoredRun, directory: Path) -> Iterator[Evaluation]:
    """What was concluded from the suite's whole runs before this one, newest first."""
    header = stored.header
    for run in list_runs(directory) if directory.is_dir() else ():
        if run.run_id >= header.run_id or run.suite != header.suite or run.partial or run.decision is None:
            continue
        with open_run(run.path) as other:
            evaluation = other.evaluation
        if evaluation is not None:
            yield evaluation


def model_warnings(stored: StoredRun, suite: Suite, catalog: Catalog) -> tuple[str, ...]:
    """What a reader should know about the run's models, judges' among them."""
    variants = stored.header.variants
    models = (variant.model for variant in variants if variant.endpoint.over_http)
    found = [text for model in models for text in catalog.warnings(model)]
    return shutdowns_last((*found, *judges_warnings(suite, catalog)), suite, variants, catalog)


def require_finished(stored: StoredRun) -> None:
    """Raises `StoreError` for a run that is under way or was stopped: its conclusions are not of what it holds."""
    if stored.state is not RunState.FINISHED:
        run = stored.header.run_id
        raise StoreError(f"run {run} is not finished; go on with it: `snapdrift resume {run}`")


def stored_data(stored: StoredRun, suite: Suite, catalog: Catalog, evaluation: Evaluation | None = None) -> RunData:
    """The run as reports may show it: without what the suite's privacy rules take out. Its cases are read when needed.

    With an `evaluation`, as concluded from again. Raises `StoreError` when nothing was concluded from it yet, and when
    its scores are of several versions.
    """
    from snapdrift.pipeline.offering import label_levels, offered_sheets
    from snapdrift.pipeline.pricing import price_sentences
    from snapdrift.reports.redaction import redacted
    from snapdrift.reports.source import run_data

    warnings, price = model_warnings(stored, suite, catalog), price_sentences(catalog)
    data = run_data(stored, suite.metrics, warnings, asked_source(stored), price)
    versions = stored.score_versions()
    _require_unmixed(stored, versions)
    data = data if evaluation is None else replace(data, evaluation=evaluation)
    data = replace(
        data,
        labels=labels_that_hold(stored),
        label_levels=label_levels(suite),
        baseline=baseline_of(stored),
        # An export has no words left that anybody could label.
        sheets=() if stored.header.redacted else offered_sheets(stored, suite, versions, data.evaluation),
    )
    return redacted(data, suite.privacy, stored.meta(STOPPED) or "")


def asked_source(stored: StoredRun) -> Source:
    """Whom the run asked, which is all that is known of a variant without answers.

    Where a stand-in and a model were asked, it is the model: nothing that may have been paid for is called made up.
    """
    from snapdrift.openai_api.hosts import is_openai_host

    reached = json.loads(stored.meta(REACHED) or "[]")
    endpoints = {variant.endpoint for variant in stored.header.variants}
    if not reached and endpoints and not any(endpoint.over_http for endpoint in endpoints):
        return Source.PYTHON if Endpoint.PYTHON in endpoints else Source.OUTPUTS
    if reached == [STANDIN]:
        return Source.SIMULATED
    urls = [url for url in reached if url != STANDIN]
    return Source.HOST if urls and not any(map(is_openai_host, urls)) else Source.OPENAI


def write_run_reports(
    stored: StoredRun, suite: Suite, catalog: Catalog, workspace: Workspace, output: Output, part: str | None = None
) -> tuple[View, ReportPaths]:
    """Renders a concluded run: by default into `reports/<suite>/<run id>/`, to which `latest` then points.

    `part` tells the runs of one command apart: `--out` gets it in. None: there is but one. The view says where the page
    is for a reader elsewhere: by its path from the workspace. Raises `StoreError` and
    `ConfigError`, which say what was concluded before they say why it cannot be written.
    """
    from snapdrift.reports import build_view, write_reports

    view = replace(build_view(stored_data(stored, suite, catalog)), report_url=output.report_url or "")
    out_dir = output.out_dir / (part or "") if output.out_dir else _own_folder(stored, suite, workspace)
    templates = workspace.root / "reports" / "templates"
    with _telling([view], out_dir):
        paths = write_reports(view, out_dir, templates if templates.is_dir() else None, output.split_mb)
    if output.out_dir is None:
        _point_latest(out_dir)
    return replace(view, report_path=_from_root(paths.html, workspace)), paths


def write_ci_files(views: Sequence[View], output: Output, settled: Sequence[Unasked] = ()) -> None:
    """Writes what `--junit`, `--summary` and `--verdict` ask for: one file each, with all runs of the command in it.

    `settled` are the results that took no run.

    Raises `StoreError`, which says what was concluded before it says why it cannot be written.
    """
    from snapdrift.reports import write_junit_and_summary

    with _telling(views, output.junit or output.summary or output.verdict):
        write_junit_and_summary(views, output.junit, output.summary, output.verdict, settled=settled)


@contextmanager
def _telling(views: Sequence[View], where: Path | None) -> Iterator[None]:
    """What was concluded is told even where it cannot be written: the run is over, and may have cost money."""
    from snapdrift.reports import render_line

    concluded = "\n".join(map(render_line, views))
    runs = " ".join(view.run.run_id for view in views)
    try:
        yield
    except OSError as error:
        path = error.filename or where
        raise StoreError(
            f"{concluded}\nthe report cannot be written to {path}: {error.strerror}; "
            f"what was concluded is stored: `snapdrift report {runs}`"
        ) from error
    except ConfigError as error:
        raise ConfigError(f"{concluded}\n{error}") from error


def _own_folder(stored: StoredRun, suite: Suite, workspace: Workspace) -> Path:
    from snapdrift.reports.case_pages import FOLDER

    # Down to the folder of case pages: of a suite called `templates` nobody else has looked.
    return workspace.own_folder("reports", suite.name, stored.header.run_id, FOLDER).parent


def _from_root(path: Path, workspace: Workspace) -> str:
    """The path from the workspace's folder, or as it was asked for where it is elsewhere."""
    root = workspace.root.resolve()
    return str(path.resolve().relative_to(root)) if path.resolve().is_relative_to(root) else str(path)


def _point_latest(out_dir: Path) -> None:
    """A convenience: where no link can be made (a folder of that name, a file system without links) there is none."""
    link = out_dir.parent / LATEST
    draft = out_dir.parent / f".{LATEST}"
    with suppress(OSError):
        draft.unlink(missing_ok=True)
        draft.symlink_to(out_dir.name, target_is_directory=True)
        try:
            draft.replace(link)
        except OSError:
            draft.unlink()


def _require_unmixed(stored: StoredRun, found: Sequence[tuple[str, str]]) -> None:
    """A run is reported as it was concluded, maybe by an older version, but by one: the page compares its scores."""
    versions: dict[str, str] = {}
    for metric, version in found:
        if versions.setdefault(metric, version) != version:
            raise StoreError(
                f"{stored.path}: {metric} was scored by {versions[metric]} and by {version}; scores of different "
                f"versions are not compared: grade the run again with `snapdrift grade {stored.header.run_id}`"
            )


def require_one_version(stored: StoredRun, suite: Suite) -> None:
    """Raises `StoreError` for stored scores of other grader versions than the suite's: they are not compared."""
    now = {metric.name: grader.version for grader in suite.graders for metric in grader.metrics}
    for metric, version in stored.score_versions():
        if version != now.get(metric):
            raise StoreError(
                f"{stored.path}: {metric} was scored by {version or 'a grader without a version'}, the suite now has "
                f"{now.get(metric, 'no such metric')}; scores of different versions are not compared: grade the run "
                f"again with `snapdrift grade {stored.header.run_id}`"
            )
