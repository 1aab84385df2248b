"""`import`: suites made of other tools' files, written into a workspace and checked there."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.errors import NoWorkspaceError, SnapdriftError, UsageError
from snapdrift.pipeline.options import RunOptions

if TYPE_CHECKING:
    from snapdrift.importers.made import Made
    from snapdrift.importers.notes import Note
    from snapdrift.importers.outputs.suite import OutputsRequest
    from snapdrift.suites.workspace import Workspace

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How a file is imported.

    `out` is the folder that becomes a workspace; without it the workspace that `cwd` is in, or `cwd` itself. `strict`
    refuses a file of which something has no counterpart; `force` writes over files that are there. `judge` and `models`
    are who judges and who is asked where the file names nobody of OpenAI's; None and empty: whom `init` would take.
    """

    cwd: Path
    out: Path | None = None
    name: str | None = None
    judge: str | None = None
    models: Sequence[str] = ()
    strict: bool = False
    force: bool = False


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import wrote: `suites` and all `files` by path, what each suite holds, and what there is to be told.

    `problems` are mistakes that the suites still have, as sentences with their places; `hints` are further sentences;
    `asks` says whether running the first suite asks anybody.
    """

    source: str
    root: Path
    suites: tuple[str, ...]
    counts: tuple[str, ...]
    files: tuple[str, ...]
    left_out: tuple[Note, ...]
    changed: tuple[Note, ...]
    problems: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    asks: bool = True


def import_promptfoo(file: Path, options: ImportOptions) -> Imported:
    """Makes a suite of a promptfoo configuration. Raises `SnapdriftError` where there is nothing to be taken over."""
    from snapdrift.importers.promptfoo.suite import import_promptfoo as made_of

    root = _root(options)
    judge = _chosen(root, options)[0]
    return _written(made_of(_file(file), _known(root), judge, _suite_name(options)), root, options)


def import_openai_evals(
    file: Path, options: ImportOptions, evals: Sequence[str] = (), data: Path | None = None
) -> Imported:
    """Makes suites of a registry file of OpenAI's evals, or of what their hosted API exported.

    `evals` are the names of those that are wanted of a registry file, by default all; `data` is a file with the items
    (hosted) or samples, where the file only names them.
    """
    from snapdrift.importers.evals.suite import EvalsRequest, import_evals

    root = _root(options)
    request = EvalsRequest(_file(file), _known(root), *_chosen(root, options), _suite_name(options), tuple(evals), data)
    return _written(import_evals(request), root, options)


def import_outputs(request: OutputsRequest, options: ImportOptions, suite: Path | None = None) -> Imported:
    """Makes variants of answers obtained elsewhere: of a suite, or of one that is made of them."""
    from snapdrift.importers.outputs.suite import made_suite

    _file(request.file)
    if suite is None:
        root = _root(options)
        return _written(made_suite(request, _known(root)), root, options)
    from snapdrift.pipeline.importing_outputs import added_to_suite

    return added_to_suite(request, options, suite)


def _chosen(root: Path, options: ImportOptions) -> tuple[str, tuple[str, ...]]:
    """Who judges and who is asked where the file names nobody, by what the catalogue of the workspace says."""
    from snapdrift.pipeline.starting import catalog_of
    from snapdrift.scaffold.choices import chosen_judge, chosen_models

    catalog = catalog_of(root)
    offered = chosen_models((), catalog)
    judge = options.judge or chosen_judge(None, catalog, offered).model
    return judge, tuple(options.models) or tuple(dict.fromkeys((offered.current, offered.candidate)))


def _file(file: Path) -> Path:
    if not file.is_file():
        raise UsageError(f"found no file {file}; expected the path of the file to import")
    return file


def _suite_name(options: ImportOptions) -> str | None:
    """The name that was asked for, which names files too. Raises `UsageError`."""
    if options.name is not None and not _NAME.fullmatch(options.name):
        raise UsageError(f"--name: found {options.name!r}; expected letters, digits, `.`, `_` and `-` (it names files)")
    return options.name


def _root(options: ImportOptions) -> Path:
    from snapdrift.suites.workspace import find_workspace

    if options.out is not None:
        return options.out.resolve()
    try:
        return find_workspace(options.cwd).root
    except NoWorkspaceError:
        return options.cwd.resolve()


def _known(root: Path) -> Path | None:
    """The workspace's root, where there is one yet."""
    return root if root.is_dir() else None


def _written(made: Made, root: Path, options: ImportOptions) -> Imported:
    """Writes the files of an import and checks its suites."""
    from snapdrift.importers.made import SCHEMA_LINE
    from snapdrift.importers.notes import Kind
    from snapdrift.importers.retiring import with_retiring_judges
    from snapdrift.openai_api.catalog import load_catalog

    made = with_retiring_judges(made, load_catalog({}))
    left_out, changed = made.notes.of(Kind.LEFT_OUT), made.notes.of(Kind.CHANGED)
    require_all(made.source, left_out, options)
    files = made.files()
    if options.out is not None and not (root / "snapdrift.toml").exists():
        files["snapdrift.toml"] = "# The workspace: paths in suites are relative to this folder.\n"
    if not (root / "evals" / "suite.schema.json").is_file():
        files = {path: text.removeprefix(f"{SCHEMA_LINE}\n") for path, text in files.items()}
    write_files(root, files, force=options.force)
    suites = tuple(suite.path for suite in made.suites)
    problems = tuple(line for path in suites for line in check_made(root / path))
    return Imported(
        made.source,
        root,
        suites,
        tuple(suite.counts for suite in made.suites),
        tuple(files),
        left_out,
        changed,
        problems,
        asks=made.suites[0].asks,
    )


def require_all(source: str, left_out: Sequence[Note], options: ImportOptions) -> None:
    """Raises `UsageError` under `strict` where something was left out."""
    if options.strict and left_out:
        told = "\n".join(f"  {note}" for note in left_out)
        raise UsageError(f"{source}: {len(left_out)} left out, so that nothing is written (--strict):\n{told}")


def write_files(root: Path, files: dict[str, str], *, force: bool) -> None:
    """Writes files into a workspace, all or none: one that is there already is an error unless `force`."""
    from snapdrift.reports.files import Drafts

    taken = [path for path in files if (root / path).exists() and path != "snapdrift.toml"]
    if taken and not force:
        raise UsageError(f"{', '.join(taken)}: there already; --force writes over, --name gives another name")
    leading = [path for path in files if not (root / path).resolve().is_relative_to(root.resolve())]
    if leading:
        raise UsageError(f"{leading[0]} leads out of {root}; nothing is written there")
    try:
        with Drafts() as drafts:
            for path, text in files.items():
                drafts.begin(root / path).write_text(text, encoding="utf-8", errors="replace", newline="\n")
            drafts.place()
    except OSError as error:
        raise UsageError(f"{error.filename}: cannot be written ({error.strerror})") from None


def check_made(path: Path) -> list[str]:
    """The mistakes of a suite that was made, none where it is right."""
    return _problems(lambda: _prepared(path))


def _prepared(path: Path) -> None:
    from snapdrift.pipeline.prepare import check_suites

    list(check_suites([path], RunOptions()))


def _problems(check: Callable[[], None]) -> list[str]:
    try:
        check()
    except SnapdriftError as error:
        return str(error).splitlines()
    return []


def workspace_of(suite: Path) -> Workspace:
    """The workspace of a suite that is there."""
    from snapdrift.suites.workspace import find_workspace

    if not suite.is_file():
        raise UsageError(f"found no suite file {suite}; expected the path of a YAML file, usually in evals/")
    return find_workspace(suite)
