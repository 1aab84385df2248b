"""The folders of a workspace that commands write into: no link in them may lead what is written to elsewhere.

Whoever can commit a link decides what it leads to, and a fork's author can. So what lies in these folders stays there,
and they stay in the workspace, unless `snapdrift.toml`, which is trusted, declares another place.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from snapdrift.errors import ConfigError

REPORTS = "reports"
_TEMPLATES = "templates"
"""Below the reports, and only read: what may be linked there is a question of `--no-code`."""
_DEEP = 2
"""Folders below the reports that are made by suite and run; files are put into their place whole, as new ones."""


def require_own_folders(root: Path, state: Path, roots: Iterable[Path]) -> None:
    """Raises `ConfigError` for a link that leads out of the state folder or the reports, or one of these that does.

    `root` is the workspace's folder, resolved, `state` its state folder as the configuration names it, and `roots` are
    the further folders that it declares, resolved.
    """
    allowed = [root, *roots]
    reports = root / REPORTS
    for folder in (state, reports):
        if folder.is_symlink() and not _is_inside(folder.resolve(), allowed):
            key = "as `state`" if folder == state else "under `roots`"
            raise _leading_out(root, folder, f"a folder of the workspace, or declare where it leads {key}")
    kept = state.resolve()
    for link in _links(kept, None):
        if not _is_inside(link.resolve(), [kept]):
            raise _leading_out(root, link, f"what is in {_shown(root, state)}/ to stay there: remove the link")
    there = reports.resolve()
    for link in _links(there, _DEEP):
        is_read_only = link.is_relative_to(there / _TEMPLATES)
        if not is_read_only and not _is_inside(link.resolve(), [there, *roots]):
            raise _leading_out(root, link, f"what is in {REPORTS}/ to stay there: remove the link")


def _links(folder: Path, deep: int | None) -> Iterator[Path]:
    """Every link in a folder, down to so many folders below it; all the way where `deep` is None."""
    try:
        with os.scandir(folder) as entries:
            found = [(entry.path, entry.is_symlink(), entry.is_dir(follow_symlinks=False)) for entry in entries]
    except OSError:  # not there yet, or not to be read: whoever writes says so
        return
    for path, is_link, is_folder in found:
        if is_link:
            yield Path(path)
        elif is_folder and deep != 0:
            yield from _links(Path(path), None if deep is None else deep - 1)


def _is_inside(path: Path, folders: Iterable[Path]) -> bool:
    """Whether a resolved path is in one of the folders, and there in nothing hidden: not in `.git`."""
    for folder in folders:
        if path.is_relative_to(folder):
            return not any(part.startswith(".") for part in path.relative_to(folder).parts)
    return False


def _leading_out(root: Path, link: Path, expected: str) -> ConfigError:
    return ConfigError(f"{_shown(root, link)} is a link that leads to {link.resolve()}; expected {expected}")


def _shown(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
