"""A folder that keeps the state of a workspace, as `state push` and `pull` see it."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from snapdrift.errors import StoreError
from snapdrift.store.own_files import open_own
from snapdrift.store.state_files import FOLDERS, kind_of, put


class Shelf(Protocol):
    """What a place holds while it is looked at: the size in bytes of each file by its path."""

    @property
    def files(self) -> Mapping[str, int]:
        """Files of the names that travel; nothing else is seen."""

    def fetch(self, path: str, target: Path) -> None:
        """Copies a file out of the place. Raises `StoreError`."""

    def replace(self, changed: Mapping[str, Path], removed: frozenset[str]) -> bool:
        """Puts files in, whole, and takes some out; False where somebody else changed the place in the meantime."""


class Place(Protocol):
    """Where state is pushed to and pulled from."""

    @property
    def name(self) -> str:
        """How messages call it."""

    @property
    def largest(self) -> int:
        """The most bytes that a file may have there."""

    def look(self, *, to_add: bool) -> AbstractContextManager[Shelf]:
        """A look at what is there; nothing where the place is not there yet. Only one `to_add` may make it."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder, maybe a mounted one; one process at a time looks at it."""

    path: Path
    largest: int = 4 * 2**30

    @property
    def name(self) -> str:
        """Its path."""
        return str(self.path)

    @contextmanager
    def look(self, *, to_add: bool) -> Iterator[FolderShelf]:
        """What is in it, locked. A name that was mistyped shall not become a folder by being looked at."""
        if not to_add and not self.path.exists():
            yield FolderShelf(self.path)
            return
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = open_own(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StoreError(f"{self.path}: cannot be used as a folder of state ({error})") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield FolderShelf(self.path)
        finally:
            os.close(lock)


class FolderShelf:
    """The files of a folder. Links are not followed: only regular files are seen."""

    def __init__(self, root: Path) -> None:
        self._root = root
        found = (path for place in (root, *(root / name for name in FOLDERS)) for path in _regular_files(place))
        self.files = {
            name: path.lstat().st_size
            for path in found
            if kind_of(name := path.relative_to(root).as_posix()) is not None
        }

    def fetch(self, path: str, target: Path) -> None:
        """Copies a file out of the folder."""
        try:
            descriptor = os.open(self._root / path, os.O_RDONLY | os.O_NOFOLLOW)
            with os.fdopen(descriptor, "rb") as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy, 2**20)
        except OSError as error:
            raise StoreError(f"{self._root / path}: cannot be read ({error})") from error

    def replace(self, changed: Mapping[str, Path], removed: frozenset[str]) -> bool:
        """Puts each file in under another name first, so that none is ever seen in part."""
        try:
            for path, source in changed.items():
                target = self._root / path
                if target.parent != self._root and target.parent.is_symlink():
                    raise StoreError(f"{target.parent}: found a link; expected a folder of its own: remove the link")
                target.parent.mkdir(exist_ok=True)
                draft = target.with_name(f".{target.name}.draft")
                draft.unlink(missing_ok=True)  # of a push that was killed, or a link that somebody put there
                with source.open("rb") as ours, draft.open("xb") as copy:
                    shutil.copyfileobj(ours, copy, 2**20)
                put(draft, target)
            for path in removed:
                (self._root / path).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{self._root}: cannot be written ({error})") from error
        return True


def _regular_files(folder: Path) -> Iterator[Path]:
    if folder.is_symlink() or not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if stat.S_ISREG(path.lstat().st_mode):
            yield path
