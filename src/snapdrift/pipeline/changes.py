"""`--changed REF`: of the suites of a command, those whose files are not as they were when this branch left REF.

A suite's files are those that loading it looked up: the suite, prompts, dataset, schemas, tools, graders, images, files
of outputs and of Python code. To these come the Python modules of the workspace that its code imports, what the
stand-in answers from, and the workspace's configuration. Nothing is guessed from names of files.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.errors import ConfigError, DocumentError, RepositoryError, UsageError
from snapdrift.pipeline.options import RunOptions
from snapdrift.references import is_ref
from snapdrift.suites.workspace import MAX_TEXT_BYTES, PathError, decoded, read_text
from snapdrift.unasked import Unasked

if TYPE_CHECKING:
    from snapdrift.suites.repository import Commit, Repository
    from snapdrift.suites.resolved import Suite
    from snapdrift.suites.trees import TracedWorkspace
    from snapdrift.suites.workspace import Workspace

MOST_MODULES = 2_000
"""Files of Python code that imports are followed through; those beyond are not looked at."""
_NAMED = 8


class Untouched(Exception):  # noqa: N818  no error: a suite that need not be run
    """Nothing that a suite is made of changed since the tree that is named."""

    def __init__(self, path: str, since: str, suite: str) -> None:
        super().__init__(path)
        self.path = path
        self.suite = suite
        self.since = since


def left_out(suites: Sequence[Untouched]) -> Unasked:
    """The result that suites are left out, for nothing touched them."""
    each = tuple(Unasked(_untouched_sentence([one]), one.suite) for one in suites)
    return Unasked(_untouched_sentence(suites), of_each=each)


def _untouched_sentence(suites: Sequence[Untouched]) -> str:
    """Which suites are left out, and since when nothing touched them."""
    many = "1 suite" if len(suites) == 1 else f"{len(suites)} suites"
    return f"{many} not affected by what changed since {suites[0].since}: {', '.join(one.path for one in suites)}"


def require_touched(suite: Suite, workspace: TracedWorkspace, options: RunOptions) -> None:
    """Tells which files make the suite one to run. Raises `Untouched` where none does, `UsageError` without a tree."""
    from snapdrift.suites.repository import Repository

    ref = options.changed or ""
    if not is_ref(ref):
        raise UsageError(f"--changed: found {ref!r}; expected merge-base, or a branch, a tag or a commit")
    try:
        repository = Repository.around(workspace.root, options.env)
        base = repository.merge_base(ref)
        files = _touched(_files_of(suite, workspace, options), repository, base)
        touched = (*files, *_acceptances(suite, workspace, repository, base))
    except RepositoryError as error:
        raise UsageError(f"--changed: {error}") from None
    since = f"the merge base with {base.taken} ({base.short})"
    if not touched:
        raise Untouched(suite.path, since, suite.name)
    more = f" and {len(touched) - _NAMED} more" if len(touched) > _NAMED else ""
    options.notice(f"{suite.path}: affected since {since}: {', '.join(touched[:_NAMED])}{more}")


def _touched(files: Iterable[str], repository: Repository, base: Commit) -> Iterator[str]:
    """Those of the files that are not as they were; of what git does not track nobody knows what it was."""
    paths = sorted(set(files))
    changed, tracked = repository.changed_since(base.id, paths), repository.tracked(paths)
    for path in paths:
        if path in changed:
            yield path
        elif path not in tracked:
            yield f"{path} (not in git)"


def _files_of(suite: Suite, workspace: TracedWorkspace, options: RunOptions) -> Iterator[str]:
    from snapdrift.suites.accepted import ACCEPTED_FILE

    yield suite.path
    yield from (path for path in workspace.seen if path != ACCEPTED_FILE)  # read for every suite, and about few
    for gate in suite.gates.values():
        if gate.outside is not None:
            yield from filter(None, (gate.outside.archive, gate.outside.fallback))
    yield from _configuration(workspace)
    for path in (*_standin_files(suite, workspace), *options.target.recordings):
        yield os.path.relpath(path.resolve(), workspace.root)
    modules = _imported([path for path in workspace.seen.values() if path.suffix == ".py"], workspace)
    yield from (os.path.relpath(module, workspace.root) for module in modules)


def _acceptances(suite: Suite, workspace: Workspace, repository: Repository, base: Commit) -> Iterator[str]:
    """The file of acceptances, where what it says of the suite is not what it said: entries come, and are taken out."""
    from snapdrift.suites.accepted import ACCEPTED_FILE, entries_about

    path = workspace.root / ACCEPTED_FILE
    try:
        identity = repository.entry(base.id, ACCEPTED_FILE)
        before = "" if identity is None else decoded(repository.read(identity, MAX_TEXT_BYTES), ACCEPTED_FILE)
        after = read_text(path, ACCEPTED_FILE) if path.is_file() else ""
        if entries_about(suite.name, before) != entries_about(suite.name, after):
            yield ACCEPTED_FILE
    except (RepositoryError, PathError, DocumentError):  # what it was cannot be read, so that nobody knows
        yield ACCEPTED_FILE


def _configuration(workspace: Workspace) -> Iterator[str]:
    from snapdrift.suites.workspace import CONFIG_FILE, PROJECT_FILE

    for name in (CONFIG_FILE, PROJECT_FILE):
        if (workspace.root / name).is_file():
            yield name
            return


def _standin_files(suite: Suite, workspace: Workspace) -> Iterator[Path]:
    """What the stand-in answers the suite from: recordings and the key of right answers."""
    from snapdrift.standin.config import StandinConfig

    with suppress(ConfigError):  # told when a stand-in is started
        config = StandinConfig.from_settings(workspace.config.standin.model_dump(), root=workspace.root)
        profile = config.profile_for(f"{suite.name}-")
        yield from (*profile.recordings, *profile.answers)


def _imported(files: Iterable[Path], workspace: Workspace) -> frozenset[Path]:
    """The files of the workspace that these import, directly or through others; the packages they are in, too."""
    found: set[Path] = set()
    waiting = list(files)
    while waiting and len(found) < MOST_MODULES:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        waiting += [module for module in _imports_of(path, workspace.root) if module not in found]
    return frozenset(found)


def _imports_of(path: Path, root: Path) -> Iterator[Path]:
    """The modules of the workspace that a file's import statements name, wherever they stand in it."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    package = path.parent
    while (package / "__init__.py").is_file():
        yield package / "__init__.py"
        package = package.parent
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield from _modules(name.name.split("."), (root, package), root)
        elif isinstance(node, ast.ImportFrom):
            names = (node.module or "").split(".") if node.module else []
            folders: tuple[Path, ...] = (root, package)
            if node.level:
                folders = (path.parent.joinpath(*[".."] * (node.level - 1)).resolve(),)
            yield from _modules(names, folders, root)
            for alias in node.names:  # `from app import rules`: a name may be a module
                yield from _modules([*names, alias.name], folders, root)


def _modules(names: Sequence[str], folders: Iterable[Path], root: Path) -> Iterator[Path]:
    """The files that a dotted name stands for below the folders, packages on the way included."""
    for folder in folders:
        for length in range(1, len(names) + 1):
            place = folder.joinpath(*names[:length])
            for candidate in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
                if candidate.is_file() and candidate.resolve().is_relative_to(root):
                    yield candidate.resolve()
