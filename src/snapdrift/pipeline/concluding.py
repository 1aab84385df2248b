"""The steps that need no network: from what is stored to a decision and its pages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.errors import StoreError
from snapdrift.model import Evaluation
from snapdrift.pipeline.options import Output
from snapdrift.pipeline.prepare import applicable_cases, narrowed
from snapdrift.store import RunState, StoredRun, list_runs, open_run

if TYPE_CHECKING:
    from snapdrift.openai_api.catalog import Catalog
    from snapdrift.reports.view import View
    from snapdrift.reports.write import ReportPaths
    from snapdrift.store import RunWriter
    from snapdrift.suites.resolved import Suite
    from snapdrift.suites.workspace import Workspace

LATEST = "latest"
STOPPED = "stopped"


def load_stored_suite(stored: StoredRun, workspace: Workspace) -> tuple[Suite, Catalog]:
    """The suite and the facts about models as they were when the run was made."""
    from snapdrift.graders.registry import Registry
    from snapdrift.openai_api.catalog import load_catalog
    from snapdrift.suites.resolved import suite_from_stored

    suite = suite_from_stored(stored.suite, stored.cases(), Registry())
    overrides = {**workspace.config.catalog_overrides, **stored.header.catalog}
    return suite, load_catalog(overrides)


def evaluate_stored(stored: StoredRun, suite: Suite, earlier: Mapping[str, tuple[str, ...]]) -> Evaluation:
    """Compares and decides from the stored scores. `earlier` says which models each variant's answers named before.

    Raises `StoreError` when scores were made by graders of another version than the suite has.
    """
    from snapdrift.verdicts import RunFacts, evaluate

    header = stored.header
    _require_one_version(stored, suite)
    results = stored.results(suite.metrics, applicable_cases(suite, stored.cases()))
    facts = RunFacts(
        seed=header.seed,
        partial=header.partial,
        stopped_early=stored.meta(STOPPED) or None,
        previous_models=earlier,
    )
    return evaluate(results, narrowed(suite.gates[header.gate], header.variants), facts)


def conclude(writer: RunWriter, stored: StoredRun, suite: Suite, stopped: str) -> Evaluation:
    """Evaluates a run whose calls have ended and stores what was concluded; `stopped` says why it ended early."""
    writer.set_meta(STOPPED, stopped)
    evaluation = evaluate_stored(stored, suite, earlier_models(stored, stored.path.parent))
    writer.set_evaluation(evaluation)
    return evaluation


def earlier_models(stored: StoredRun, directory: Path) -> dict[str, tuple[str, ...]]:
    """Which models each variant's answers named when it was last asked the same of the same kind of source.

    Looked up for each variant by itself, in whole runs of the suite before this one.
    """
    header = stored.header
    wanted = {variant.name: variant for variant in header.variants}
    sources = _sources(stored)
    found: dict[str, tuple[str, ...]] = {}
    for run in list_runs(directory) if directory.is_dir() else ():
        if run.run_id >= header.run_id or run.suite != header.suite or run.partial or run.decision is None:
            continue
        with open_run(run.path) as other:
            evaluation = other.evaluation
        for then in evaluation.variants if evaluation else ():
            now = wanted.get(then.name)
            asked_the_same = now is not None and (then.model, then.endpoint) == (now.model, now.endpoint)
            if asked_the_same and then.resolved_models and set(then.sources) == sources.get(then.name):
                found.setdefault(then.name, tuple(then.resolved_models))
        if found.keys() >= wanted.keys():
            break
    return found


def _sources(stored: StoredRun) -> dict[str, set[str]]:
    """Where each variant's measured answers came from."""
    sources: dict[str, set[str]] = {}
    for response in stored.responses():
        if not response.call.grader and response.outcome.measured:
            sources.setdefault(response.call.variant, set()).add(response.source.value)
    return sources


def model_warnings(stored: StoredRun, catalog: Catalog) -> tuple[str, ...]:
    """What a reader should know about the run's models."""
    return tuple(dict.fromkeys(text for v in stored.header.variants for text in catalog.warnings(v.model)))


def require_finished(stored: StoredRun) -> None:
    """Raises `StoreError` for a run that is under way or was stopped: its conclusions are not of what it holds."""
    if stored.state is not RunState.FINISHED:
        run = stored.header.run_id
        raise StoreError(f"run {run} is not finished; go on with it: `snapdrift resume {run}`")


def write_run_reports(
    stored: StoredRun, suite: Suite, catalog: Catalog, workspace: Workspace, output: Output, part: str | None = None
) -> tuple[View, ReportPaths]:
    """Renders a concluded run: by default into `reports/<suite>/<run id>/`, to which `latest` then points.

    `part` tells the runs of one command apart: `--out`, `--junit` and `--summary` get it in. None: there is but one.
    """
    from snapdrift.reports import build_view, write_reports
    from snapdrift.reports.source import run_data

    view = build_view(run_data(stored, suite.metrics, model_warnings(stored, catalog)))
    out_dir = output.out_dir / (part or "") if output.out_dir else _own_folder(stored, suite, workspace)
    templates = workspace.root / "reports" / "templates"
    try:
        paths = write_reports(
            view,
            out_dir,
            _named(output.junit, part),
            _named(output.summary, part),
            templates if templates.is_dir() else None,
        )
        if output.out_dir is None:
            _point_latest(out_dir)
    except OSError as error:
        raise StoreError(f"the report cannot be written to {out_dir}: {error.strerror}; the run is stored") from error
    return view, paths


def _own_folder(stored: StoredRun, suite: Suite, workspace: Workspace) -> Path:
    return workspace.root / "reports" / suite.name / stored.header.run_id


def _named(path: Path | None, part: str | None) -> Path | None:
    """`junit.xml` of one run among several is `junit.<part>.xml`."""
    return path if path is None or part is None else path.with_name(f"{path.stem}.{part}{path.suffix}")


def _point_latest(out_dir: Path) -> None:
    link = out_dir.parent / LATEST
    draft = out_dir.parent / f".{LATEST}"
    draft.unlink(missing_ok=True)
    draft.symlink_to(out_dir.name, target_is_directory=True)
    draft.replace(link)


def _require_one_version(stored: StoredRun, suite: Suite) -> None:
    """Scores of other grader versions than the suite's are not compared with each other."""
    now = {metric.name: grader.version for grader in suite.graders for metric in grader.metrics}
    for score in stored.scores():
        if score.metric not in now or score.version != now[score.metric]:
            raise StoreError(
                f"{stored.path}: {score.metric} was scored by {score.version}, the suite now has "
                f"{now.get(score.metric, 'no such metric')}; grade the run again with `snapdrift grade`"
            )
