"""Whether a file is what a commit has: told by its bytes, so that no filter which a repository configures is run."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

LINK = "120000"
POINTER_BYTES = 1024
"""The most that a pointer of Git LFS has, by its specification (github.com/git-lfs/git-lfs, docs/spec.md)."""
_POINTER = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\n(?:.*\n)*?oid sha256:([0-9a-f]{64})\n")
_SHA1 = 40


def is_as_it_was(file: Path, mode: str, identity: str, small_blob: Callable[[], bytes | None]) -> bool:
    """Whether a file is the blob `identity` of a tree, which has it with `mode`.

    A checkout may have written its line ends as CRLF, or what a pointer of Git LFS stands for: both count as the same.
    `small_blob` reads the blob where it has at most `POINTER_BYTES`.
    """
    try:
        if file.is_symlink() or mode == LINK:
            return file.is_symlink() and mode == LINK and _identity(os.fsencode(file.readlink()), identity) == identity
        data = file.read_bytes()
    except OSError:
        return False
    if _identity(data, identity) == identity:
        return True
    if b"\0" not in data and _identity(data.replace(b"\r\n", b"\n"), identity) == identity:
        return True
    pointer = _POINTER.match(small_blob() or b"")
    return pointer is not None and hashlib.sha256(data).hexdigest().encode() == pointer[1]


def _identity(data: bytes, like: str) -> str:
    """The id that git gives a blob, by the hash that `like` was made with."""
    hashed = hashlib.sha1(usedforsecurity=False) if len(like) == _SHA1 else hashlib.sha256()
    hashed.update(b"blob %d\0" % len(data))
    hashed.update(data)
    return hashed.hexdigest()
