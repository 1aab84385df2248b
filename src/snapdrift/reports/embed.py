"""The cases as the page carries them: a small index that is read at once, and chunks of details that are not.

The index is JSON in an inert script element. A chunk is the JSON of some cases' details, deflated (zlib format) and in
base64; the page inflates it with `DecompressionStream` when one of its cases is looked at or searched. Both hold the
cases in the view's order, changed ones first, so the first chunk serves the first look. The numbers that the list can
be sorted by are a chunk of their own, inflated when it first is.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snapdrift.reports.case_views import CaseView
from snapdrift.reports.columns import Numbers
from snapdrift.reports.embed_review import is_doubted, review_index, sheets_to_label
from snapdrift.reports.encoding import CaseEncoder, as_json
from snapdrift.reports.pieces import Piece, Spool
from snapdrift.reports.view import View

CHUNK_CHARACTERS = 256 * 1024
_LEVEL = 9
_NO_THUMBNAILS = Piece.of("[]")


@dataclass(frozen=True, slots=True)
class Payload:
    """What one page embeds: index and thumbnails as JSON that is safe inside a script element, the rest in base64.

    `thumbnails` is an array of data URLs, apart from the chunks so that an image that many cases show is there once.
    `sheets` is one more chunk, empty where there is nothing to label blind.
    """

    index: Piece
    chunks: tuple[Piece, ...]
    thumbnails: Piece
    numbers: Piece
    sheets: Piece

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(piece.size for piece in (self.index, *self.chunks, self.thumbnails, self.numbers, self.sheets))

    @property
    def has_images(self) -> bool:
        """Whether there are thumbnails."""
        return self.thumbnails.parts != _NO_THUMBNAILS.parts


@dataclass(frozen=True, slots=True)
class Chunk:
    """The packed details of some cases: places `first` to `end` of the view, and the numbers of their thumbnails.

    `entries` are those of the same cases in the index, with commas between.
    """

    first: int
    end: int
    packed: Piece
    entries: Piece
    thumbnails: frozenset[int]


class Embedder:
    """Takes the cases of a view in its order, and puts what a page needs of them into a spool."""

    def __init__(self, view: View, spool: Spool) -> None:
        self._view = view
        self._spool = spool
        self._encoder = CaseEncoder(view)
        self._numbers = Numbers(self._encoder.variants, self._encoder.metrics)
        self._labelled: list[list[int]] = []
        self._entries: list[str] = []
        self._details: list[str] = []
        self._characters = 0
        self._place = 0
        self._chunks: list[Chunk] = []

    def add(self, case: CaseView) -> None:
        """Takes the next case."""
        self._entries.append(as_json(self._encoder.entry(case)))
        self._details.append(as_json(self._encoder.details(case)))
        self._characters += len(self._details[-1])
        self._numbers.add(case)
        if any(answer.labels for answer in case.answers):
            self._labelled.append([self._place, int(is_doubted(case))])
        self._place += 1
        if self._characters >= CHUNK_CHARACTERS:
            self._end_chunk()

    def _end_chunk(self) -> None:
        packed = self._spool.put(_pack("[" + ",".join(self._details) + "]"))
        entries = self._spool.put(_inert(",".join(self._entries)).encode("ascii"))
        first = self._place - len(self._details)
        self._chunks.append(Chunk(first, self._place, packed, entries, frozenset(self._encoder.used)))
        self._entries, self._details, self._characters = [], [], 0
        self._encoder.used.clear()

    def end(self) -> Embedded:
        """All cases, when the last was taken."""
        if self._details:
            self._end_chunk()
        view, encoder = self._view, self._encoder
        head = encoder.index(view) | review_index(view, encoder.metrics, encoder.variants, self._labelled)
        head["known"] = self._numbers.known
        sheets = Piece((_pack(as_json(sheets_to_label(view, encoder.variants))),)) if view.sheets else Piece()
        return Embedded(tuple(self._chunks), head, self._numbers, sheets, tuple(encoder.thumbnails))


@dataclass(frozen=True)
class Embedded:
    """A view's cases, made once for the one page that carries all of them, or for several that share them out."""

    chunks: tuple[Chunk, ...]
    head: Mapping[str, Any]
    numbers: Numbers
    sheets: Piece
    thumbnails: tuple[str, ...]

    def payload(self, chunks: Sequence[Chunk], **more: Any) -> Payload:
        """What a page with the cases of consecutive `chunks` embeds; `more` is put into its index.

        Thumbnails keep their numbers: in the place of those of other pages is null.
        """
        first, end = (chunks[0].first, chunks[-1].end) if chunks else (0, 0)
        used = frozenset().union(*(chunk.thumbnails for chunk in chunks))
        pictures = [url if number in used else None for number, url in enumerate(self.thumbnails)] if used else []
        # Rows to label blind name cases of all of the run, whose answers only a page with all of them has.
        whole = end - first == len(self.numbers)
        return Payload(
            self._index(chunks, [chunk.end - chunk.first for chunk in chunks], more if whole else _unlabelled(more)),
            tuple(chunk.packed for chunk in chunks),
            Piece.of(_inert(as_json(pictures))),
            self._numbers(first, end),
            self.sheets if whole else Piece(),
        )

    def overview(self, **more: Any) -> Payload:
        """What a page with the list of all cases and the details of none embeds; `more` is put into its index."""
        index = self._index(self.chunks, [], _unlabelled(more))
        return Payload(index, (), _NO_THUMBNAILS, self._numbers(0, len(self.numbers)), Piece())

    def _index(self, listed: Sequence[Chunk], chunks: list[int], more: Mapping[str, Any]) -> Piece:
        first, end = (listed[0].first, listed[-1].end) if listed else (0, 0)
        head = {
            **self.head,
            "must_pass": [place - first for place in self.head["must_pass"] if first <= place < end],
            "labelled": [[place - first, doubted] for place, doubted in self.head["labelled"] if first <= place < end],
        }
        entries = [part for chunk in listed for part in (b",", *chunk.entries.parts)][1:]
        before = _inert(as_json(head))[:-1] + ',"cases":['
        after = "]," + _inert(as_json({"chunks": chunks, **more}))[1:]
        return Piece((before.encode("ascii"), *entries, after.encode("ascii")))

    def _numbers(self, first: int, end: int) -> Piece:
        return Piece((_packed(self.numbers.json(first, end)),))


def _unlabelled(more: Mapping[str, Any]) -> dict[str, Any]:
    """What goes into the index of a page on which nothing can be labelled blind."""
    return {"sheets": [], **more}


def embedded(view: View, spool: Spool) -> Embedded:
    """A view's cases, put into a spool."""
    embedder = Embedder(view, spool)
    for case in view.cases:
        embedder.add(case)
    return embedder.end()


def _inert(text: str) -> str:
    """JSON that cannot end or change the element it stands in: `<`, `>` and `&` only occur inside strings."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _pack(text: str) -> bytes:
    return _packed((text,))


def _packed(texts: Iterable[str]) -> bytes:
    packer = zlib.compressobj(_LEVEL)
    data = b"".join(packer.compress(text.encode("ascii")) for text in texts)
    return base64.b64encode(data + packer.flush())
