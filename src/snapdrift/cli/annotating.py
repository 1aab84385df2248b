"""Annotations of a command: what it found, or what is wrong with its suites, told to GitHub beside the lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from snapdrift.cli.readable import readable
from snapdrift.errors import ConfigError, SnapdriftError, UsageError

if TYPE_CHECKING:
    from snapdrift.reports.annotations import Annotation
    from snapdrift.reports.view import View

AUTO, OFF = "auto", "off"


@dataclass
class Annotator:
    """Collects the annotations of one command. `root` is the workspace, `repository` what paths are told from."""

    wanted: bool
    root: Path
    repository: Path
    _told: list[Annotation] = field(default_factory=list)

    def views(self, views: Sequence[View]) -> None:
        """What runs came to, at the lines of their gates; suites as they are in the work tree."""
        if not self.wanted:
            return
        from snapdrift.reports.annotations import annotations_of
        from snapdrift.suites.gate_lines import GateLines, gate_lines

        for view in views:
            path = view.run.suite_path
            try:
                lines = gate_lines((self.root / path).read_text(encoding="utf-8"), path, view.run.gate)
            except (OSError, ValueError):  # another checkout's run: there is no line to show it at
                lines = GateLines("")
            self._told += annotations_of(view, lines)

    def warnings(self, file: str, texts: Sequence[str]) -> None:
        """What is to be known of a suite that is right, at its first line."""
        if self.wanted and texts:
            from snapdrift.reports.annotations import Annotation, Level

            self._told += [Annotation(Level.WARNING, text, "Snapdrift", file, 1) for text in texts]

    def notes(self, title: str, texts: Sequence[str]) -> None:
        """Warnings that no line of a file is to blame for."""
        if self.wanted and texts:
            from snapdrift.reports.annotations import Annotation, Level

            self._told += [Annotation(Level.WARNING, text, title) for text in texts]

    def errors(self, texts: Sequence[str]) -> None:
        """Errors that no line of a file is to blame for."""
        if self.wanted and texts:
            from snapdrift.reports.annotations import Annotation, Level

            self._told += [Annotation(Level.ERROR, text, "Snapdrift") for text in texts]

    def error(self, error: SnapdriftError) -> None:
        """What is wrong, each mistake at its place."""
        if self.wanted:
            from snapdrift.reports.annotations import annotations_of_error

            self._told += annotations_of_error(error)

    def text(self) -> str:
        """The workflow commands, a line each."""
        from snapdrift.reports.annotations import kept, workflow_command

        placed = (replace(one, file=self._from_repository(one.file)) for one in self._told)
        return "".join(f"{readable(workflow_command(one))}\n" for one in kept(placed))

    @property
    def empty(self) -> bool:
        """Whether there is nothing to tell."""
        return not self._told

    def _from_repository(self, file: str) -> str:
        """A path of the workspace as GitHub knows it: from the repository's root."""
        path = (self.root / file).resolve() if file else None
        return path.relative_to(self.repository).as_posix() if path and path.is_relative_to(self.repository) else file


@contextmanager
def annotating(where: str, env: Mapping[str, str], suites: Sequence[Path] = ()) -> Iterator[Annotator]:
    """Tells what the command under it found, and the error that ends it.

    `where` is `auto` (to stderr under GitHub Actions, else nowhere), `off`, or a file to add to.
    """
    if not where.strip():
        raise UsageError("--annotations: found nothing; expected auto, off or a file")
    actions = env.get("GITHUB_ACTIONS") == "true"
    wanted = actions if where == AUTO else where != OFF
    root = _root(suites) if wanted else Path.cwd()
    annotator = Annotator(wanted, root, Path(env.get("GITHUB_WORKSPACE") or _repository(root)).resolve())
    try:
        yield annotator
    except SnapdriftError as error:
        annotator.error(error)
        raise
    finally:
        if not annotator.empty:
            _write(where, annotator.text())


def _write(where: str, text: str) -> None:
    if where == AUTO:
        sys.stdout.flush()
        with suppress(OSError):
            typer.echo(text, err=True, nl=False)
        return
    try:
        with Path(where).open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError as error:
        # What was concluded stands, and is printed already: remarks that have no place change no exit code.
        typer.echo(f"--annotations {where}: cannot be written ({error.strerror})", err=True)


def _root(suites: Sequence[Path]) -> Path:
    """The workspace of the suites, or of this folder; this folder where there is none that can be read."""
    from snapdrift.suites.workspace import find_workspace

    try:
        return find_workspace(suites[0] if suites else Path.cwd()).root
    except (ConfigError, OSError):
        return Path.cwd()


def _repository(root: Path) -> Path:
    return next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), root)
