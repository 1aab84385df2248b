"""Run files of other people: what does not fit together in one is the file's fault, and told as such."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from traceback import extract_tb

from snapdrift.errors import StoreError

_ODD = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError, AssertionError)
_SAID = 200
"""Characters of an error that are shown."""


@contextmanager
def taken_from(path: Path) -> Iterator[None]:
    """Raises `StoreError` for whatever a file makes go wrong whose parts contradict each other.

    The reader checks each record; that a score names a variant of the run, or a conclusion a metric, nobody has checked
    who made the file by hand. The message has the place in the program, for where a file is right the program is not.
    """
    try:
        yield
    except _ODD as error:
        at = extract_tb(error.__traceback__)[-1]
        place = f"{PurePath(at.filename).name}:{at.lineno}"
        said = f"{type(error).__name__}: {error}"[:_SAID]
        raise StoreError(
            f"{path}: damaged, its parts contradict each other ({said}, in {place}). If nobody changed the file, this "
            "is a defect in snapdrift: please report it with this line"
        ) from error
