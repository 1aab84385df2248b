"""Shares the cases of a large report out among pages beside the index: which page has which, and how to get about.

A page that is opened from disk cannot read another file, so the only way to keep answers out of the index is to put
them on pages of their own, each whole, and to go there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from snapdrift.reports.embed import Chunk, Embedded, Payload

INDEX = "index.html"
FOLDER = "cases"
"""Where the pages of cases are, beside the index. Files named by a number and `.html` in it are the report's own."""

MEGABYTE = 1_000_000
_ROOM = 150_000
"""Bytes of a page that are not cases: style, script and markup. A page is filled up to the rest."""


@dataclass(frozen=True, slots=True)
class CasePages:
    """Which chunks each page of cases has; all cases are in the view's order."""

    embedded: Embedded
    chunks: tuple[tuple[Chunk, ...], ...]

    @property
    def names(self) -> list[str]:
        """The pages' files, beside the index."""
        return [f"{FOLDER}/{number:04d}.html" for number in range(1, len(self.chunks) + 1)]

    @property
    def overview(self) -> Payload:
        """The index's payload: all cases as the list knows them, and `[file, first case, number of cases]` a page."""
        pages = [[name, c[0].first, c[-1].end - c[0].first] for name, c in zip(self.names, self.chunks, strict=True)]
        return self.embedded.overview(pages=pages)

    def pages(self) -> Iterator[tuple[str, Payload]]:
        """Each page's file and payload. Its index says where it is: `page`, with its neighbours' files or null."""
        all_cases = self.chunks[-1][-1].end
        for place, (name, chunks) in enumerate(zip(self.names, self.chunks, strict=True)):
            page: dict[str, Any] = {
                "number": place + 1,
                "of": len(self.chunks),
                "first": chunks[0].first,
                "all": all_cases,
                "previous": _beside(self.names, place - 1),
                "next": _beside(self.names, place + 1),
            }
            yield name, self.embedded.payload(chunks, page=page)


def _beside(names: Sequence[str], place: int) -> str | None:
    return names[place].removeprefix(f"{FOLDER}/") if 0 <= place < len(names) else None


def case_pages_of(embedded: Embedded, size: float) -> CasePages:
    """Pages of about `size` bytes at most, each with one chunk at least."""
    pages: list[list[Chunk]] = []
    filled = size
    for chunk in embedded.chunks:
        if filled + chunk.packed.size > size:
            pages.append([])
            filled = _ROOM
        pages[-1].append(chunk)
        filled += chunk.packed.size
    return CasePages(embedded, tuple(map(tuple, pages)))
