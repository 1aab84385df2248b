"""The cases as the page carries them: a small index that is read at once, and chunks of details that are not.

The index is JSON in an inert script element. A chunk is the JSON of some cases' details, deflated (zlib format) and in
base64; the page inflates it with `DecompressionStream` when one of its cases is looked at or searched. Both hold the
cases in the view's order, changed ones first, so the first chunk serves the first look. The numbers that the list can
be sorted by are a chunk of their own, inflated when it first is.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snapdrift.reports.columns import numbers
from snapdrift.reports.embed_review import review_index, sheets_to_label
from snapdrift.reports.encoding import CaseEncoder, as_json
from snapdrift.reports.view import View

CHUNK_CHARACTERS = 256 * 1024


@dataclass(frozen=True, slots=True)
class Payload:
    """What one page embeds: index and thumbnails as JSON that is safe inside a script element, the rest in base64.

    `thumbnails` is an array of data URLs, apart from the chunks so that an image that many cases show is there once.
    `sheets` is one more chunk, "" where there is nothing to label blind.
    """

    index: str
    chunks: tuple[str, ...]
    thumbnails: str = "[]"
    numbers: str = ""
    sheets: str = ""

    @property
    def size(self) -> int:
        """Characters, which are bytes."""
        return (
            len(self.index) + sum(map(len, self.chunks)) + len(self.thumbnails) + len(self.numbers) + len(self.sheets)
        )


@dataclass(frozen=True, slots=True)
class Chunk:
    """The packed details of some cases: places `first` to `end` of the view, and the numbers of their thumbnails."""

    first: int
    end: int
    packed: str
    thumbnails: frozenset[int]


class Embedded:
    """A view's cases, made once for the one page that carries all of them, or for several that share them out."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._encoder = CaseEncoder(view)
        self._head = self._encoder.index(view) | review_index(view, self._encoder.metrics, self._encoder.variants)
        self._sheets = _pack(as_json(sheets_to_label(view, self._encoder.variants))) if view.sheets else ""
        self._entries = [self._encoder.entry(case) for case in view.cases]
        self.chunks = tuple(self._chunks())
        self._thumbnails = list(self._encoder.thumbnails)

    def _chunks(self) -> Iterator[Chunk]:
        group: list[str] = []
        size, first = 0, 0
        for place, case in enumerate(self._view.cases):
            group.append(as_json(self._encoder.details(case)))
            size += len(group[-1])
            if size >= CHUNK_CHARACTERS or place + 1 == len(self._view.cases):
                yield Chunk(first, place + 1, _pack("[" + ",".join(group) + "]"), frozenset(self._encoder.used))
                group, size, first = [], 0, place + 1
                self._encoder.used.clear()

    def payload(self, chunks: Sequence[Chunk], **more: Any) -> Payload:
        """What a page with the cases of consecutive `chunks` embeds; `more` is put into its index.

        Thumbnails keep their numbers: in the place of those of other pages is null.
        """
        first, end = (chunks[0].first, chunks[-1].end) if chunks else (0, 0)
        used = frozenset().union(*(chunk.thumbnails for chunk in chunks))
        pictures = [url if number in used else None for number, url in enumerate(self._thumbnails)] if used else []
        # Rows to label blind name cases of all of the run, whose answers only a page with all of them has.
        whole = end - first == len(self._entries)
        return Payload(
            self._index(
                first, end, [chunk.end - chunk.first for chunk in chunks], more if whole else _unlabelled(more)
            ),
            tuple(chunk.packed for chunk in chunks),
            _inert(as_json(pictures)),
            self._numbers(first, end),
            self._sheets if whole else "",
        )

    def overview(self, **more: Any) -> Payload:
        """What a page with the list of all cases and the details of none embeds; `more` is put into its index."""
        end = len(self._entries)
        return Payload(self._index(0, end, [], _unlabelled(more)), (), numbers=self._numbers(0, end))

    def _index(self, first: int, end: int, chunks: list[int], more: Mapping[str, Any]) -> str:
        head = self._head | {
            "must_pass": [place - first for place in self._head["must_pass"] if first <= place < end],
            "labelled": [[place - first, doubted] for place, doubted in self._head["labelled"] if first <= place < end],
        }
        return _inert(as_json({**head, "cases": self._entries[first:end], "chunks": chunks, **more}))

    def _numbers(self, first: int, end: int) -> str:
        return _pack(as_json(numbers(self._view.cases[first:end], self._encoder.variants, self._encoder.metrics)))


def _unlabelled(more: Mapping[str, Any]) -> dict[str, Any]:
    """What goes into the index of a page on which nothing can be labelled blind."""
    return {"sheets": [], **more}


def embed(view: View) -> Payload:
    """The payload of a view's one page."""
    embedded = Embedded(view)
    return embedded.payload(embedded.chunks)


def _inert(text: str) -> str:
    """JSON that cannot end or change the element it stands in: `<`, `>` and `&` only occur inside strings."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _pack(text: str) -> str:
    return base64.b64encode(zlib.compress(text.encode("ascii"), 9)).decode("ascii")
