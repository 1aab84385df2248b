"""The list of all runs: `reports/index.html` over the run files of a state folder, written when a command ends."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from snapdrift.errors import SnapdriftError, StoreError, UsageError
from snapdrift.gradings import Gradings
from snapdrift.model import DecisionWord, Source
from snapdrift.pipeline.concluding import asked_source
from snapdrift.pipeline.history import finished_run
from snapdrift.pipeline.options import Output, RunOptions
from snapdrift.pipeline.own_code import require_templates_allowed
from snapdrift.pipeline.run_cache import CachedRun, Stamp, cached, read_cache, write_cache
from snapdrift.pipeline.run_files import runs_dir
from snapdrift.store import RunState, StoredRun, open_run
from snapdrift.store.verdict_log import LoggedVerdict, read_verdicts

if TYPE_CHECKING:
    from snapdrift.conclusions import Evaluation
    from snapdrift.reports.runs_index import IndexData, IndexedRun
    from snapdrift.suites.workspace import Workspace
    from snapdrift.verdicts.history import FinishedRun

PAGE = "index.html"
LISTED = 200
"""How many runs of a suite are listed, the newest, and how many of those that feed lines are drawn."""
_TRIES = 3
_SAID = 400


def refresh_index(workspace: Workspace, options: RunOptions) -> Path | None:
    """Writes the list anew and gives its path, None where there is none to be written.

    With `--out` reports go elsewhere: then only a list that is there already is refreshed. A failure is a notice: what
    the command came to does not depend on it.
    """
    folder = _folder(workspace, options.output)
    directory = runs_dir(workspace, options)
    elsewhere = options.output.out_dir is not None and folder != options.output.out_dir
    if not directory.is_dir() or (elsewhere and not (folder / PAGE).is_file()):
        return None
    try:
        return write_index_of(directory, folder, workspace.root / "reports" / "templates")
    except (SnapdriftError, OSError) as error:
        options.notice(f"the list of all runs cannot be written: {error}")
        return None


def index_runs(options: RunOptions, cwd: Path) -> Path:
    """Writes the list of all runs and gives its path. Raises `UsageError` where the workspace has no runs."""
    from snapdrift.suites.workspace import find_workspace

    workspace = find_workspace(cwd)
    directory = runs_dir(workspace, options)
    require_templates_allowed(workspace, allowed=options.code)
    if not directory.is_dir():
        raise UsageError(f"{directory}: found no runs to list; make one with `snapdrift run SUITE`")
    try:
        return write_index_of(directory, _folder(workspace, options.output), workspace.root / "reports" / "templates")
    except OSError as error:
        raise StoreError(f"{error.filename}: the list of all runs cannot be written ({error.strerror})") from error


def write_index_of(directory: Path, folder: Path, templates: Path) -> Path:
    """Writes the list of a folder of runs into a folder of reports.

    Another command may end meanwhile, and write one that knows less or more: so it is looked whether anything changed,
    and then written again. Raises `ConfigError` for a template that cannot be rendered, `OSError`.
    """
    from snapdrift.reports.runs_build import build_index
    from snapdrift.reports.runs_html import write_index

    page = folder / PAGE
    for _ in range(_TRIES):
        there = look_at(directory, folder)
        view = build_index(read_runs(there), datetime.now(UTC))
        write_index(view, page, templates if templates.is_dir() else None)
        if look_at(directory, folder) == there:
            break
    return page


def _folder(workspace: Workspace, output: Output) -> Path:
    """Where the list is: beside the reports; where the run files are kept apart (the demo's), with them."""
    apart = output.state_dir is not None and output.out_dir is not None
    return output.out_dir if apart and output.out_dir else workspace.root / "reports"


# ------------------------------------------------------------------------------------------------------- what is there


@dataclass(frozen=True, slots=True)
class Found:
    """The run files of a folder with their stamps, newest first, and the addresses of the reports that exist."""

    directory: Path
    stamps: Mapping[str, Stamp]
    reports: Mapping[str, str] = field(default_factory=dict)


def look_at(directory: Path, folder: Path) -> Found:
    """What is there now of run files and of reports; equal as long as nothing changes."""
    stamps: dict[str, Stamp] = {}
    for path in sorted(directory.glob("*.db"), key=lambda one: one.name, reverse=True):
        try:
            found = path.stat()
        except OSError:  # deleted this moment
            continue
        stamps[path.name] = (found.st_mtime_ns, found.st_size)
    return Found(directory, stamps, _reports(folder))


def _reports(folder: Path) -> dict[str, str]:
    """By run the address of its report, relative to the list.

    It is in a folder named by the run; right in the suite's folder (a demo's) it is of the run that its verdict names.
    """
    found = {}
    for page in folder.glob(f"*/{PAGE}"):
        run_id = _run_of(page.parent / "verdict.json")
        if run_id:
            found[run_id] = _address(page, folder)
    for page in folder.glob(f"*/*/{PAGE}"):
        if not page.parent.is_symlink():
            found[page.parent.name] = _address(page, folder)
    return found


def _run_of(verdict: Path) -> str | None:
    try:
        told = json.loads(verdict.read_text(encoding="utf-8"))
        return str(told["run"]["id"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _address(page: Path, folder: Path) -> str:
    return "/".join(quote(part, safe="", errors="replace") for part in page.relative_to(folder).parts)


# ------------------------------------------------------------------------------------------------------------- reading


def read_runs(there: Found) -> IndexData:
    """The newest runs of each suite, and how many more there are."""
    from snapdrift.reports.runs_index import IndexData

    state_dir = there.directory.parent
    known = read_cache(state_dir)
    kept: dict[str, CachedRun] = {}
    fresh: dict[str, IndexedRun] = {}
    unreadable = []
    for name, stamp in there.stamps.items():
        if name in known and known[name].stamp == stamp:
            kept[name] = known[name]
            continue
        try:
            fresh[name], final = _read_file(there.directory / name)
        except StoreError:
            unreadable.append(name)
            continue
        if final:
            kept[name] = cached(stamp, fresh[name])
    if kept != known:
        write_cache(state_dir, kept)
    every = _deleted(there) | fresh
    of_suites = {name: run.suite for name, run in (kept | every).items()}
    feeding = {name: run.suite for name, run in kept.items() if run.feeds}
    feeding |= {name: run.suite for name, run in fresh.items() if run.finished}
    listed, unlisted = _newest(of_suites)
    rows = set(listed)
    drawn = [name for name in _newest(feeding)[0] if name not in rows]

    def records(names: list[str]) -> tuple[IndexedRun, ...]:
        found = (every[name] if name in every else _record(kept[name], there.directory / name) for name in names)
        return tuple(found)

    return IndexData(records(listed), there.reports, unlisted, tuple(unreadable), records(drawn))


def _newest(of_suites: Mapping[str, str]) -> tuple[list[str], dict[str, int]]:
    """The names that are listed, and by suite how many are not. Names sort as the starts of their runs do."""
    counts: Counter[str] = Counter()
    listed = []
    for name in sorted(of_suites, reverse=True):
        counts[of_suites[name]] += 1
        if counts[of_suites[name]] <= LISTED:
            listed.append(name)
    return listed, {suite: number - LISTED for suite, number in counts.items() if number > LISTED}


def _record(run: CachedRun, path: Path) -> IndexedRun:
    try:
        return run.run()
    except StoreError:
        return _read_file(path)[0]


def _read_file(path: Path) -> tuple[IndexedRun, bool]:
    """What the list needs of a run file, and whether it stays so: nobody is writing to it. Raises `StoreError`."""
    live = path.with_name(f"{path.name}-wal").exists()
    try:
        with open_run(path) as stored:
            return _indexed(stored), stored.state is RunState.FINISHED and not live
    except (LookupError, TypeError, ValueError, AttributeError) as error:  # a damaged file, or somebody else's
        raise StoreError(f"{path}: damaged ({error})") from error


def _indexed(stored: StoredRun) -> IndexedRun:
    from snapdrift.reports.labels import source_of
    from snapdrift.reports.runs_index import IndexedRun
    from snapdrift.reports.view import usd_of
    from snapdrift.verdicts.asides import stopped_sentence

    header = stored.header
    found = finished_run(stored, header)
    finished = None if isinstance(found, str) else found
    run = IndexedRun(
        run_id=header.run_id,
        suite=header.suite,
        gate=header.gate,
        started_at=header.started_at,
        attempt=header.attempt,
        models=tuple(dict.fromkeys(variant.model for variant in header.variants)),
        commit=header.git_commit or "",
        dirty=bool(header.git_dirty),
        partial=header.partial,
        sources=(asked_source(stored),),
    )
    evaluation = finished.evaluation if finished else _concluded(stored)
    if evaluation is None:
        return run
    decision, variants = evaluation.decision, evaluation.variants
    sources = dict.fromkeys(source_of(variant, asked_source(stored)) for variant in variants)
    return replace(
        run,
        decision=decision.word,
        said=decision.reasons[0][:_SAID] if decision.reasons else "",
        reasons=len(decision.reasons),
        sources=tuple(sources),
        usd=usd_of(variants),
        paid=any(source in (Source.OPENAI, Source.HOST) for source in sources),
        stopped_early=bool(evaluation.sequential and stopped_sentence(evaluation.sequential)),
        finished=_for_lines(finished),
    )


def _concluded(stored: StoredRun) -> Evaluation | None:
    """What was concluded of a run that is at its end; one that was taken up still has what it came to before."""
    return stored.evaluation if stored.state is RunState.FINISHED else None


def _for_lines(run: FinishedRun | None) -> FinishedRun | None:
    """The run without what lines are not made of; one that was not gated makes none."""
    if run is None or run.evaluation.decision.word is DecisionWord.NOT_GATED:
        return None
    evaluation = run.evaluation
    none: dict[str, Any] = dict.fromkeys(
        ("comparisons", "operational", "alias_moves", "parity", "controls", "attributions", "earlier"), ()
    )
    kept = replace(
        evaluation,
        **none,
        calibrations=(),
        reviews=(),
        sequential=None,
        gradings=Gradings(),
        metrics=tuple(replace(level, endings={}) for level in evaluation.metrics),
        decision=replace(evaluation.decision, reasons=(), warnings=(), would_miss={}),
    )
    return replace(run, evaluation=kept)


# ------------------------------------------------------------------------------------------------------------- deleted


def _deleted(there: Found) -> dict[str, IndexedRun]:
    """The runs that the log of verdicts names and whose files are gone, by the name of the file."""
    last = {f"{verdict.run_id}.db": verdict for verdict in read_verdicts(there.directory)}
    return {name: _logged(verdict) for name, verdict in last.items() if name not in there.stamps}


def _logged(verdict: LoggedVerdict) -> IndexedRun:
    from snapdrift.reports.runs_index import IndexedRun

    return IndexedRun(
        run_id=verdict.run_id,
        suite=verdict.suite,
        gate=verdict.gate,
        started_at=verdict.decided_at,
        attempt=verdict.attempt,
        decision=verdict.decision,
        commit=verdict.facets.get("commit", ""),
        partial=not verdict.question,
        deleted=True,
    )
