"""Text that is put together when it is written: parts of it wait in a file, so that memory does not hold them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from snapdrift.closable import Closable

_HELD = 4 * 2**20
"""Bytes that a spool holds in memory before it takes a file."""
_BLOCK = 2**18


@dataclass(frozen=True, slots=True)
class Span:
    """A part that waits in a file: from where, and how many bytes."""

    file: IO[bytes]
    start: int
    length: int

    def blocks(self) -> Iterator[bytes]:
        """The bytes, some at a time."""
        place, end = self.start, self.start + self.length
        while place < end:
            self.file.seek(place)
            block = self.file.read(min(_BLOCK, end - place))
            if not block:
                raise OSError(None, "a temporary file was cut off while the report was made")
            place += len(block)
            yield block


@dataclass(frozen=True, slots=True)
class Piece:
    """UTF-8 text in parts."""

    parts: tuple[bytes | Span, ...] = ()

    @classmethod
    def of(cls, text: str) -> Piece:
        """A text that is held."""
        return cls((text.encode("utf-8"),))

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(len(part) if isinstance(part, bytes) else part.length for part in self.parts)

    @property
    def text(self) -> str:
        """All of it, held."""
        return b"".join(self.blocks()).decode("utf-8")

    def blocks(self) -> Iterator[bytes]:
        """The bytes, some at a time."""
        for part in self.parts:
            if isinstance(part, bytes):
                yield part
            else:
                yield from part.blocks()

    def __add__(self, other: Piece) -> Piece:
        """One after the other."""
        return Piece(self.parts + other.parts)


class Spool(Closable):
    """Keeps parts of a text until they are written: a few in memory, many in a file without a name."""

    def __init__(self, folder: Path | None = None) -> None:
        """`folder` is where the file would be, by default that of the system, which may be memory."""
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(_HELD, dir=None if folder is None else str(folder))  # noqa: SIM115  closed by `close`
        self._end = 0

    def put(self, data: bytes) -> Piece:
        """Keeps some bytes, and gives what stands for them."""
        self._file.seek(self._end)
        self._file.write(data)
        start, self._end = self._end, self._end + len(data)
        return Piece((Span(self._file, start, len(data)),))

    def close(self) -> None:
        """Lets go of everything that was kept."""
        self._file.close()
