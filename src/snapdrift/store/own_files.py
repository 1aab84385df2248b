"""Files that are written to under a name which others know beforehand: a link of that name is not followed.

Whoever can put a link into a folder would otherwise choose which file of ours is written to. Files that take their
place whole, under a name of their own until then, need no such care.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from snapdrift.errors import StoreError


def open_own(path: Path, flags: int, mode: int = 0o666) -> int:
    """`os.open`, but of no link. Raises `StoreError` for one, `OSError` for all else."""
    try:
        return os.open(path, flags | os.O_NOFOLLOW, mode)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _linked(path) from None
        raise


def require_own(path: Path) -> None:
    """Raises `StoreError` for a link: for files that SQLite opens, which follows them."""
    if path.is_symlink():
        raise _linked(path)


def _linked(path: Path) -> StoreError:
    return StoreError(f"{path}: found a link; expected a file of its own: remove the link")
