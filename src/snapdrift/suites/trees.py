"""What a suite asks of models, read from a git tree as from the workspace: prompts, requests, tools, and no more.

Of the suite's file there only the keys are read that say what is asked. Dataset, graders and gates are those of the
working tree, so what is wrong with them in an old commit, or unknown to this version, does not matter.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from snapdrift.errors import DocumentError, RepositoryError, SuiteError
from snapdrift.model import Case, canonical_json
from snapdrift.suites.document import Document, format_location, parse_document
from snapdrift.suites.loading import Loading
from snapdrift.suites.media import Media
from snapdrift.suites.registry import Location, ModelFacts
from snapdrift.suites.repair import read_form
from snapdrift.suites.repository import Commit, Repository
from snapdrift.suites.trials import prompt_compiles, tried_cases, try_prompts
from snapdrift.suites.variants import ResolvedVariant, resolve_variants
from snapdrift.suites.workspace import MAX_TEXT_BYTES, PathError, Workspace, decoded, require_plain

_ASKED = ("suite", "prompt", "prompts", "request", "variants", "models", "matrix", "stream", "max_steps")
"""The keys of a suite's file that say what is asked of whom."""
_APPLICATIONS = ("python", "outputs")
_LOOKED_THROUGH = 200
"""Files of a folder that are looked through for a suite that was renamed."""


@dataclass(frozen=True, slots=True)
class TracedWorkspace(Workspace):
    """The workspace, and which of its files were looked up (`seen`) and read (`texts`), by path from its root."""

    seen: dict[str, Path] = field(default_factory=dict, compare=False)
    texts: dict[str, str] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, workspace: Workspace) -> TracedWorkspace:
        """The same workspace, of which nothing has been read."""
        return cls(workspace.root, workspace.config)

    def resolve(self, text: str) -> Path:
        """As `Workspace.resolve`, noting the path."""
        found = Workspace.resolve(self, text)
        # A link may lead elsewhere than it did, and what it leads to may have changed.
        for path in (os.path.normpath(text), os.path.relpath(found, self.root)):
            self.seen[path] = found
        return found

    def read(self, text: str) -> str:
        """As `Workspace.read`, noting the text."""
        content = Workspace.read(self, text)
        self.texts[os.path.normpath(text)] = content
        return content


@dataclass(frozen=True, slots=True)
class TreeWorkspace(Workspace):
    """The workspace as it was at a commit, file by file out of git; nothing is written to disk.

    Its configuration is that of the working tree. `texts` are the files that were read, by path from the root.
    """

    repository: Repository
    commit: Commit
    texts: dict[str, str] = field(default_factory=dict, compare=False)

    def resolve(self, text: str) -> Path:
        """Raises `PathError`: a file of a tree has no path on disk."""
        raise PathError(f"{text} is in a git tree", "expected a file that is read as text")

    def read(self, text: str) -> str:
        """The text of a file as it was. Raises `PathError`."""
        require_plain(text)
        path = os.path.normpath(text)
        self.require_inside(Path(os.path.normpath(self.root / path)), text)
        try:
            identity = self.repository.entry(self.commit.id, path)
            if identity is None:
                raise PathError(f"no file {text} at {self.commit.short}", "expected what the suite names there")
            content = decoded(self.repository.read(identity, MAX_TEXT_BYTES), text)
        except RepositoryError as error:
            raise PathError(f"{text}: {error}", "expected a plain file in the tree") from None
        self.texts[path] = content
        return content


@dataclass(frozen=True, slots=True)
class Asked:
    """The variants that ask a model, and the texts that they are made of, by path.

    Of the suite's file (`path`) that is what it says of them, whatever else is written there. `others` are the names of
    the variants that ask no model.
    """

    path: str
    variants: Mapping[str, ResolvedVariant]
    others: frozenset[str]
    texts: Mapping[str, str]
    loading: Loading


def asked_now(source: str, path: str, workspace: Workspace, facts: ModelFacts | None) -> Asked:
    """What the suite asks in the working tree; it was loaded, so that there are no mistakes in it."""
    traced = TracedWorkspace.of(workspace)
    asked = _asked(parse_document(source, path), traced, facts)
    return replace(asked, texts={**traced.texts, **asked.texts})


def asked_then(
    name: str, path: str, workspace: Workspace, repository: Repository, commit: Commit, facts: ModelFacts | None
) -> Asked | None:
    """What the suite asked at a commit; None where it was not there yet.

    It is looked for at its path, then by its name among the files beside. Raises `SuiteError` with every mistake in
    what it asked, at `COMMIT:FILE:LINE:COLUMN`.
    """
    tree = TreeWorkspace(workspace.root, workspace.config, repository, commit)
    try:
        document = _suite_then(name, path, tree)
    except DocumentError as error:
        raise SuiteError([replace(one, file=f"{commit.short}:{one.file}") for one in error.problems]) from None
    if document is None:
        return None
    try:
        asked = _asked(document, tree, facts)
    except SuiteError as error:
        raise SuiteError([replace(one, file=f"{commit.short}:{one.file}") for one in error.problems]) from None
    return replace(asked, texts={**tree.texts, **asked.texts})


def try_then(asked: Asked, names: Sequence[str], cases: Sequence[Case], media: Media, facts: ModelFacts | None) -> None:
    """Renders the prompts of a tree for the cases of the working tree, as loading does with those of now.

    Raises `SuiteError` where one does not fit: then the same cases cannot be asked of both.
    """
    loading = asked.loading
    workspace = loading.workspace
    chosen = [asked.variants[name] for name in names]
    askable = [resolved for resolved in chosen if prompt_compiles(resolved, loading)]
    try_prompts(askable, tried_cases(cases), media, facts, loading)
    _raise(loading, workspace)


def _suite_then(name: str, path: str, tree: TreeWorkspace) -> Document | None:
    """The suite's file as it was: at its path, or renamed within its folder."""
    if _is_there(tree, path):
        return parse_document(tree.read(path), path)
    folder = os.path.dirname(path)  # noqa: PTH120  a path of a tree, not of this disk
    names = [one for one in tree.repository.files_beside(tree.commit.id, path) if one.endswith((".yaml", ".yml"))]
    for other in names[:_LOOKED_THROUGH]:
        renamed = f"{folder}/{other}" if folder else other
        try:
            document = parse_document(tree.read(renamed), renamed)
        except (DocumentError, PathError):
            continue  # no suite that could be this one
        finally:
            kept = tree.texts.pop(renamed, None)
        if isinstance(document.value, dict) and document.value.get("suite") == name and kept is not None:
            tree.texts[renamed] = kept
            return document
    return None


def _is_there(tree: TreeWorkspace, path: str) -> bool:
    try:
        return tree.repository.entry(tree.commit.id, path) is not None
    except RepositoryError as error:
        raise SuiteError([Document(path, None).problem((), str(error), "expected a plain file in the tree")]) from None


def _asked(document: Document, workspace: Workspace, facts: ModelFacts | None) -> Asked:
    if not isinstance(document.value, dict):
        raise SuiteError([document.problem((), "no mapping", "expected a suite")])
    value = {key: entry for key, entry in document.value.items() if key in _ASKED}
    loading = Loading(replace(document, value=value), workspace)
    entry = read_form(loading)
    variants = {} if entry is None else resolve_variants(entry, loading, facts)
    applications = dict(_applications(value))
    for problem in list(loading.problems):
        # What an application is made of is not looked at: it is not taken from a tree.
        if problem.path in {format_location((*place, kind)) for place in applications for kind in _APPLICATIONS}:
            del loading.problems[problem]
    _raise(loading, None)
    models = {name: found for name, found in variants.items() if found.variant.endpoint.over_http}
    others = frozenset(applications.values())
    return Asked(document.file, models, others, {document.file: canonical_json(value)}, loading)


def _applications(value: Mapping[str, Any]) -> Iterator[tuple[Location, str]]:
    """Where variants that ask no model are written, and their names."""
    matrix = value.get("matrix")
    held = (
        (("variants",), value.get("variants")),
        (("matrix", "model"), matrix.get("model") if isinstance(matrix, dict) else None),
    )
    for place, variants in held:
        for name, one in variants.items() if isinstance(variants, dict) else ():
            if isinstance(one, dict) and any(kind in one for kind in _APPLICATIONS):
                yield (*place, name), name


def _raise(loading: Loading, workspace: Workspace | None) -> None:
    """Raises what was noted; of a tree with the commit before each file, as git itself names it."""
    if not loading.problems:
        return
    where = f"{workspace.commit.short}:" if isinstance(workspace, TreeWorkspace) else ""
    raise SuiteError([replace(problem, file=f"{where}{problem.file}") for problem in loading.problems])
