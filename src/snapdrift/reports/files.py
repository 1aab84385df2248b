"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A draft to write to, which takes the place of `path` when the block ends, and is gone when it fails.

    The folder is made. Raises `OSError` with `path` where it cannot be written: nobody asked for the draft.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _draft_of(path) as draft:
            yield draft
            draft.chmod(0o644)  # mkstemp's 0600 would keep a CI's artefact step from reading it
            draft.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def _draft_of(path: Path) -> Iterator[Path]:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    draft = Path(name)
    try:
        yield draft
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
