"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A draft to write to, which takes the place of `path` when the block ends, and is gone when it fails.

    The folder is made. Raises `OSError` with `path` where it cannot be written: nobody asked for the draft.
    """
    with Drafts() as drafts:
        draft = drafts.begin(path)
        with named(path):
            yield draft
        drafts.place()


class Drafts:
    """Files that take their places together, once all of them are written; in the order in which they were begun.

    Drafts that did not are gone when the block ends. Methods raise `OSError` with the path that cannot be written.
    """

    def __init__(self) -> None:
        self._drafts: dict[Path, Path] = {}
        self._removed: list[Path] = []

    def begin(self, path: Path) -> Path:
        """A draft of a file; the folder is made."""
        with named(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            os.close(handle)
            self._drafts[path] = Path(name)
        return self._drafts[path]

    def discard(self, path: Path) -> None:
        """Gives a draft up."""
        self._drafts.pop(path).unlink(missing_ok=True)

    def removes(self, path: Path) -> None:
        """Says that a file, where there is one, goes when the drafts take their places."""
        self._removed.append(path)

    def place(self) -> None:
        """Puts every draft in its place."""
        for path in list(self._drafts):
            with named(path):
                self._drafts[path].chmod(0o644)  # mkstemp's 0600 would keep a CI's artefact step from reading it
                self._drafts[path].replace(path)
                del self._drafts[path]
        for path in self._removed:
            with named(path):
                path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for path in list(self._drafts):
            self.discard(path)


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Makes an `OSError` one of this path."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
