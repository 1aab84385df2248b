"""`archive`: keeps a variant's answers in one file, of a run that there is or of one that is made for it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.errors import IncompleteError, UsageError
from snapdrift.model import OUTSIDE
from snapdrift.pipeline.archiving import ArchiveWords, archive_of, reasons_against, variant_of
from snapdrift.pipeline.concluding import load_stored_suite
from snapdrift.pipeline.options import RunOptions, RunOutcome
from snapdrift.pipeline.prepare import DEFAULT_GATE, workspace_catalog
from snapdrift.pipeline.run_files import locate_run
from snapdrift.pipeline.running import run_suites
from snapdrift.store import open_run
from snapdrift.store.archive_records import Archive
from snapdrift.store.archives import read_archive, write_archive

if TYPE_CHECKING:
    from snapdrift.suites.resolved import Suite

FOLDER = Path("evals") / "archives"
"""Where archives are written that nobody named: they are committed beside the suites that compare with them."""


@dataclass(frozen=True, slots=True)
class ArchiveRequest:
    """What is to be archived and where: `variant` None is the run's baseline, `out` None a name made of both."""

    words: ArchiveWords
    variant: str | None = None
    out: Path | None = None


@dataclass(frozen=True, slots=True)
class Archived:
    """An archive that was written: where it is, how a suite names it, how large in bytes, and what is in it."""

    path: Path
    named: str
    size: int
    archive: Archive


def archive_run(text: str, request: ArchiveRequest, options: RunOptions, cwd: Path) -> Archived:
    """Archives a variant of a stored run. Raises `SnapdriftError` for what is refused and what cannot be written."""
    workspace, path = locate_run(text, options, cwd)
    with open_run(path) as stored:
        variant = variant_of(stored, request.variant)
        suite, _ = load_stored_suite(stored, workspace, code=options.code)
        archive = archive_of(stored, suite, variant, request.words)
    out = request.out or workspace.own_folder(*FOLDER.parts) / _file_name(archive)
    size, root = write_archive(archive, out), workspace.root.resolve()
    inside = out.resolve().is_relative_to(root)
    return Archived(out, out.resolve().relative_to(root).as_posix() if inside else str(out), size, archive)


def archive_suite(path: Path, request: ArchiveRequest, options: RunOptions, cwd: Path) -> Archived:
    """Asks one variant of a suite every case of its dataset, and archives the answers.

    It is a run of that variant alone, which takes up an interrupted one. Raises `IncompleteError` where answers are
    missing in the end: what came stays, and the same command goes on.
    """
    suite = _load(path, options)
    name = request.variant or _baseline(suite, options.gate)
    if name not in suite.variants:
        raise UsageError(f"{suite.path}: found no variant {name!r}; expected one of {', '.join(suite.variants)}")
    if suite.early_stop:
        options.notice(f"{suite.path}: every case is asked; `early_stop` is for runs that compare")
    selection = replace(options.selection, variants=(name,), whole=True)
    (outcome,) = run_suites([path], replace(options, selection=selection))
    _require_complete(outcome, request)
    return archive_run(str(outcome.run_path), replace(request, variant=name), options, cwd)


def show_archive(path: Path) -> Archive:
    """What is in an archive file. Raises `StoreError`."""
    return read_archive(path)


def _load(path: Path, options: RunOptions) -> Suite:
    from snapdrift.graders.registry import Registry
    from snapdrift.pipeline.own_code import refusal
    from snapdrift.suites.loader import load_suite
    from snapdrift.suites.workspace import find_workspace

    if not path.is_file():
        raise UsageError(f"found no suite file {path}; expected the path of a YAML file, usually in evals/")
    workspace = find_workspace(path)
    registry = Registry(refusal=refusal(workspace, allowed=options.code))
    return load_suite(path, workspace, registry, workspace_catalog(workspace))


def _baseline(suite: Suite, gate: str | None) -> str:
    """The variant that the gate compares the others with."""
    name = gate or (DEFAULT_GATE if len(suite.gates) != 1 else next(iter(suite.gates)))
    if name not in suite.gates:
        raise UsageError(f"{suite.path}: found no gate {name!r}; expected --gate with one of {', '.join(suite.gates)}")
    found = list(dict.fromkeys(pair.baseline for pair in suite.gates[name].pairs if pair.baseline != OUTSIDE))
    if len(found) != 1:
        known = ", ".join(suite.variants)
        raise UsageError(f"{suite.path}: gate {name} has no single variant as its baseline; say --variant, of {known}")
    return found[0]


def _require_complete(outcome: RunOutcome, request: ArchiveRequest) -> None:
    """An archive with gaps is not written without being asked for; the run is there to go on with."""
    if request.words.force:
        return
    with open_run(outcome.run_path) as stored:
        variant = variant_of(stored, request.variant)
        lacking = [reason for reason in reasons_against(stored, variant) if reason.startswith("it is incomplete")]
    if lacking:
        reasons = "; ".join(outcome.view.failures) or "asking ended early"
        raise IncompleteError(
            f"run {outcome.run_id} is not archived: {lacking[0].removeprefix('it is incomplete: ')} ({reasons}). "
            "The same command goes on with it; --force archives what there is"
        )


def _file_name(archive: Archive) -> str:
    """`triage-august-2026-11-22.jsonl.gz`: of suite, variant and the day of the last answer."""
    header = archive.header
    day = header.last_at[:10] if re.fullmatch(r"\d{4}-\d\d-\d\d", header.last_at[:10]) else "undated"
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{header.suite}-{header.variant.name}").strip("-.")[:120]
    return f"{plain}-{day}.jsonl.gz"
