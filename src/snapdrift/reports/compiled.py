"""The bundled templates' compiled code, kept where Python keeps that of the package's own modules.

To compile the templates takes longer than to render them. Their code is kept in `__pycache__` beside them (or under
`sys.pycache_prefix`), where whoever can write could as well replace the modules' code; nowhere else, since code that is
loaded is code that is carried out. Templates of a workspace are compiled anew each time.
"""

from __future__ import annotations

import importlib.util
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import BytecodeCache, __version__

from snapdrift.reports.files import whole_file

if TYPE_CHECKING:
    from jinja2.bccache import Bucket

FOLDER = Path(__file__).parent / "templates"
"""Where the bundled templates are."""


class CompiledTemplates(BytecodeCache):
    """Loads and keeps the code of templates in `FOLDER`; Jinja itself compares what it was compiled of."""

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fills the bucket where code is kept of this very source."""
        path = _kept_at(bucket)
        if path is not None:
            with suppress(OSError, EOFError, ValueError, TypeError), path.open("rb") as file:
                bucket.load_bytecode(file)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keeps the code, where that can be."""
        path = _kept_at(bucket)
        if path is None or sys.dont_write_bytecode:
            return
        with suppress(OSError), whole_file(path) as draft, draft.open("wb") as file:
            bucket.write_bytecode(file)

    def get_cache_key(self, name: str, filename: str | None = None) -> str:
        """The template's name, which is in its code, and its file."""
        return f"{name}\n{filename or ''}"


def _kept_at(bucket: Bucket) -> Path | None:
    """Where the code of a template is kept; None for one that is not bundled."""
    name, _, filename = bucket.key.partition("\n")
    if not Path(filename).is_relative_to(FOLDER):
        return None
    name = name.removesuffix(".j2").replace("/", "-")
    return Path(importlib.util.cache_from_source(str(FOLDER / f"{name}.jinja-{__version__}.py")))
