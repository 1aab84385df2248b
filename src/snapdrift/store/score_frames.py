"""How a process that grades hands rows of scores to the one that stores them: frames on its standard output.

A frame is its kind (one byte), its length (four, big-endian) and so many bytes. The answers of a run come in portions,
a frame of rows for each; the last frame says that all were sent. So whatever is cut off is seen to be.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import BinaryIO

from snapdrift.errors import SnapdriftError
from snapdrift.store.score_rows import ScoreRow

ROWS, END = b"R", b"E"
LONGEST_FRAME = 2**30
"""Bytes: a portion of answers has at most a few million."""
_HEAD = struct.Struct(">cI")


class WorkerFailedError(SnapdriftError):
    """A process that grades ended early, or sent what is no frame."""


def portions(ids: list[int], size: int) -> list[list[int]]:
    """The answers of a run in portions, by which they are graded in turn."""
    return [ids[start : start + size] for start in range(0, len(ids), size)]


def write_frame(stream: BinaryIO, kind: bytes, payload: bytes = b"") -> None:
    """Sends a frame."""
    stream.write(_HEAD.pack(kind, len(payload)) + payload)
    stream.flush()


def read_frame(stream: BinaryIO, kind: bytes) -> bytes:
    """The content of the next frame, which must be of this kind. Raises `WorkerFailedError`."""
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size:
        raise WorkerFailedError("it ended before all was sent")
    found, length = _HEAD.unpack(head)
    if found != kind or length > LONGEST_FRAME:
        raise WorkerFailedError(f"it sent {head!r}, which is not the beginning of the frame that was due")
    payload = stream.read(length)
    if len(payload) < length:
        raise WorkerFailedError("it ended in the middle of a frame")
    return payload


def packed(rows: Iterable[ScoreRow]) -> bytes:
    """Rows as text: a line for each answer and how many scores it has, then a metric and a record for each.

    The records, which are most of it, are ASCII JSON already, without line breaks.
    """
    lines: list[str] = []
    metrics: dict[str, str] = {}
    for answer, scores in groupby(rows, key=itemgetter(0, 1, 2)):
        own: list[str] = []
        for _, _, _, metric, record in scores:
            if metric not in metrics:
                metrics[metric] = json.dumps(metric)
            own += (metrics[metric], record)
        lines += (json.dumps([*answer, len(own) // 2]), *own)
    return "\n".join(lines).encode("ascii")


def unpacked(payload: bytes) -> Iterator[ScoreRow]:
    """The rows that were `packed`. Raises `WorkerFailedError`."""
    metrics: dict[str, str] = {}
    try:
        lines = iter(payload.decode("ascii").split("\n") if payload else ())
        for head in lines:
            case_id, variant, repeat, count = json.loads(head)
            for _ in range(count):
                written, record = next(lines), next(lines)
                if written not in metrics:
                    metrics[written] = json.loads(written)
                yield case_id, variant, repeat, metrics[written], record
    except (ValueError, TypeError, StopIteration, RuntimeError) as error:
        raise WorkerFailedError(f"it sent scores that cannot be read ({error})") from error
