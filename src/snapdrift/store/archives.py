"""Archive files: JSON lines in gzip, the same bytes for the same content, with a checksum and bounds.

A file that is read may be anybody's: its size is bounded before it is unpacked and while it is, and every value is read
by the type that it should have. `docs/design/archives.md` has the format.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import math
import os
import re
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import MISSING, fields
from functools import cache
from pathlib import Path
from typing import Any

from snapdrift.errors import StoreError
from snapdrift.keys import without_keys
from snapdrift.model import CallKey, Endpoint, Outcome, Reason, Response, Score, Source
from snapdrift.store import codec
from snapdrift.store.archive_records import Archive, ArchivedAnswer, ArchivedCase, ArchivedGrader, ArchiveHeader
from snapdrift.store.archive_texts import MAX_CASES, is_plain, misleading_in

FORMAT = "snapdrift.archive"
VERSION = 1
MAX_BYTES = 64 * 2**20
MAX_UNPACKED = 512 * 2**20
MAX_LINE = 16 * 2**20
MAX_REPEATS = 1_000
_HASH = re.compile(r"[0-9a-f]{64}")
_ENCODER = json.JSONEncoder(separators=(",", ":"), sort_keys=True, ensure_ascii=True, allow_nan=False)
_OF_RUN = ("call", "requested_model", "raw", "request_hash", "attempts", "reused")
"""What of a response belongs to its run, or stands in the header."""
_OF_SCORE = ("case_id", "variant", "repeat", "version", "extracted", "facts")
"""What of a score stands elsewhere, or is for summaries of its own run."""


def finished(header: ArchiveHeader, cases: tuple[ArchivedCase, ...]) -> Archive:
    """The archive of this content, with the digest of what a file of it holds."""
    return Archive(header, cases, _digest(_lines(header, cases))[1])


def write_archive(archive: Archive, path: Path) -> int:
    """Writes an archive file, whole or not at all; returns its size in bytes.

    A file that is there already stays if it holds the very same; another one is refused. Raises `StoreError`.
    """
    if misleading := misleading_in(archive.header):
        raise StoreError(f"{path}: the archive cannot be written: {misleading}; expected printable texts")
    content, digest = _digest(_lines(archive.header, archive.cases))
    packed = _packed(content + _line({"sha256": digest}))
    if len(packed) > MAX_BYTES or len(content) > MAX_UNPACKED:
        raise StoreError(
            f"{path}: the archive would have {len(packed) / 2**20:,.0f} MB; expected at most {MAX_BYTES // 2**20}: "
            "archive a sample of the cases, or fewer repeats"
        )
    try:
        if path.exists():
            if path.is_file() and path.stat().st_size == len(packed) and path.read_bytes() == packed:
                return len(packed)
            raise StoreError(f"{path}: there is another file already; name another with -o, or remove it")
        _write_whole(path, packed)
    except OSError as error:
        raise StoreError(f"{path}: the archive cannot be written ({error.strerror})") from None
    return len(packed)


def read_archive(path: Path, shown: str = "") -> Archive:
    """The archive in a file; `shown` is its name in messages.

    Raises `StoreError` for a file that is no archive, is damaged, too large, of a newer format, or says what none does.
    """
    name = shown or str(path)
    checksum, last = hashlib.sha256(), b""
    header: ArchiveHeader | None = None
    cases: dict[str, ArchivedCase] = {}
    for line in _unpacked(path, name):
        # The last line is of all others, and which is the last is known once there is no more.
        if last:
            checksum.update(last)
            if header is None:
                header = _header(last, name)
            else:
                _take(cases, _case(last, header, f"{name}: case {len(cases) + 1}"), name)
        last = line
    end = _object(last, f"{name}: the last line") if last else {}
    if header is None or not isinstance(end.get("sha256"), str):
        raise _damaged(name, "it ends before its checksum")
    if end["sha256"] != checksum.hexdigest():
        raise _damaged(name, "its checksum is not that of its content")
    if header.cases != len(cases):
        raise _damaged(name, f"it holds {len(cases)} cases and says {header.cases}")
    return Archive(header, tuple(cases.values()), checksum.hexdigest())


# -------------------------------------------------------------------------------------------------------------- writing


def _lines(header: ArchiveHeader, cases: tuple[ArchivedCase, ...]) -> Iterator[bytes]:
    yield _line({"format": f"{FORMAT}/{VERSION}", **codec.to_json(header)})
    for case in cases:
        answers = [_answer_json(answer) for answer in case.answers]
        yield _line({"id": case.id, "hash": case.hash, "answers": answers})


def _digest(lines: Iterator[bytes]) -> tuple[bytes, str]:
    content = b"".join(lines)
    return content, hashlib.sha256(content).hexdigest()


def _line(value: Any) -> bytes:
    return without_keys(_ENCODER.encode(value)).encode("ascii") + b"\n"


def _answer_json(answer: ArchivedAnswer) -> dict[str, Any]:
    response = {key: value for key, value in codec.to_json(answer.response).items() if key not in _OF_RUN}
    scores = [
        _told({key: value for key, value in codec.to_json(score).items() if key not in _OF_SCORE}, Score)
        for score in answer.scores
    ]
    told = {"repeat": answer.response.call.repeat, **_told(response, Response), "scores": scores}
    return told | ({"hmac": answer.hmac} if answer.hmac else {})


def _told(data: Mapping[str, Any], kind: Any) -> dict[str, Any]:
    """The fields of a record that say something: a default says nothing."""
    usual = _defaults(kind)
    return {key: value for key, value in data.items() if key not in usual or usual[key] != value}


@cache
def _defaults(kind: Any) -> dict[str, Any]:
    found = {}
    for each in fields(kind):
        if each.default is not MISSING:
            found[each.name] = codec.to_json(each.default)
        elif each.default_factory is not MISSING:
            found[each.name] = codec.to_json(each.default_factory())
    return found


def _packed(content: bytes) -> bytes:
    """Without a name and a time, so that the same content gives the same bytes."""
    into = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=into, mtime=0) as file:
        file.write(content)
    return into.getvalue()


def _write_whole(path: Path, packed: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(packed)
        Path(draft).chmod(0o644)
        Path(draft).replace(path)
    finally:
        with suppress(FileNotFoundError):
            Path(draft).unlink()


# -------------------------------------------------------------------------------------------------------------- reading


def _unpacked(path: Path, name: str) -> Iterator[bytes]:
    """The lines of the file, as many bytes as an archive may have."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise StoreError(f"{name}: larger than {MAX_BYTES // 2**20} MB; expected an archive")
        with gzip.open(path) as file:
            total = 0
            while line := file.readline(MAX_LINE + 1):
                total += len(line)
                if len(line) > MAX_LINE or total > MAX_UNPACKED:
                    raise StoreError(f"{name}: it unpacks to more than an archive may hold; expected an archive")
                yield line
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise StoreError(
            f"{name}: no archive, or damaged ({error}); expected what `snapdrift archive` writes"
        ) from None
    except OSError as error:
        raise StoreError(f"{name}: cannot be read ({error.strerror or error})") from None


def _damaged(name: str, what: str) -> StoreError:
    return StoreError(f"{name}: damaged, {what}; take it from where it was written, or archive the run again")


def _object(line: bytes, place: str) -> dict[str, Any]:
    try:
        value = json.loads(line, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise StoreError(f"{place}: no JSON; expected what `snapdrift archive` writes") from None
    if not isinstance(value, dict):
        raise StoreError(f"{place}: expected a JSON object, as `snapdrift archive` writes")
    return value


def _no_number(text: str) -> Any:
    raise ValueError(text)


def _header(line: bytes, name: str) -> ArchiveHeader:
    data = _object(line, name)
    written = str(data.get("format", ""))[:60]
    kind, _, version = written.partition("/")
    if kind != FORMAT or not version.isascii() or not version.isdigit():
        raise StoreError(f"{name}: no archive (its format is {written!r}); expected what `snapdrift archive` writes")
    if int(version) != VERSION:
        raise StoreError(f"{name}: written as {written} and this snapdrift reads {FORMAT}/{VERSION}; upgrade snapdrift")
    header = codec.from_json(ArchiveHeader, data, name)
    if misleading := misleading_in(header):
        raise _damaged(name, misleading)
    variant = header.variant.name
    if not variant.strip() or not variant.isprintable() or len(variant) > 100:
        raise _damaged(name, f"it names the variant {variant[:60]!r}")
    if header.variant.endpoint is Endpoint.ARCHIVE or not 1 <= header.repeats <= MAX_REPEATS:
        raise _damaged(name, "it says what no archive does of its variant or its repeats")
    if any(word not in list(Source) for word in header.sources):
        raise _damaged(name, "it names sources of answers that there are not")
    if not 0 <= header.measured <= header.planned:
        raise _damaged(name, f"it says that {header.measured} of {header.planned} calls were measured")
    return header


def _take(cases: dict[str, ArchivedCase], case: ArchivedCase, name: str) -> None:
    if case.id in cases or len(cases) >= MAX_CASES:
        raise _damaged(name, f"the case {case.id[:60]!r} is there twice, or there are too many")
    cases[case.id] = case


def _case(line: bytes, header: ArchiveHeader, place: str) -> ArchivedCase:
    data = _object(line, place)
    case_id, digest, answers = data.get("id"), data.get("hash"), data.get("answers")
    if not isinstance(case_id, str) or not case_id or not isinstance(answers, list):
        raise StoreError(f"{place}: expected a case: id, hash and answers")
    if not is_plain(case_id):
        raise StoreError(f"{place}: found the id {case_id[:60]!r}; expected printable characters on one line")
    if not isinstance(digest, str) or not _HASH.fullmatch(digest):
        raise StoreError(f"{place}: expected the hash of a case, 64 hexadecimal digits")
    read = tuple(_answer(answer, case_id, header, place) for answer in answers)
    if len({answer.response.call.repeat for answer in read}) < len(read):
        raise StoreError(f"{place}: found an answer twice; expected each repeat once")
    return ArchivedCase(case_id, digest, read)


def _answer(data: Any, case_id: str, header: ArchiveHeader, place: str) -> ArchivedAnswer:
    if not isinstance(data, dict) or type(data.get("repeat")) is not int or not 0 <= data["repeat"] < header.repeats:
        raise StoreError(f"{place}: expected answers with a `repeat` from 0 to {header.repeats - 1}")
    key = CallKey(case_id, header.variant.name, data["repeat"])
    own = {name: value for name, value in data.items() if name not in _OF_RUN}
    whole = {**own, "call": codec.to_json(key), "requested_model": header.variant.model}
    response = codec.from_json(Response, whole, place)
    if response.outcome is Outcome.NOT_NEEDED or not _sound(response):
        raise StoreError(f"{place}: found a time, a price or a count that no answer has")
    scores = data.get("scores", [])
    if not isinstance(scores, list):
        raise StoreError(f"{place}: expected the scores of an answer as a list")
    versions = {metric: grader.version for grader in header.graders for metric in grader.metrics}
    read = tuple(_score(score, key, versions, place) for score in scores)
    hmac = data.get("hmac", "")
    return ArchivedAnswer(response, read, hmac if isinstance(hmac, str) and _HASH.fullmatch(hmac) else "")


def _sound(response: Response) -> bool:
    amounts: list[float | None] = [response.usd, response.latency_ms, response.first_token_ms]
    for step in response.steps:
        amounts += [step.usd, step.latency_ms]
    for usage in (response.usage, *(step.usage for step in response.steps)):
        if usage is not None:
            amounts += [usage.input_tokens, usage.cached_tokens, usage.output_tokens, usage.reasoning_tokens]
    return all(amount is None or (math.isfinite(amount) and 0 <= amount < 1e15) for amount in amounts)


def _score(data: Any, key: CallKey, versions: Mapping[str, str], place: str) -> Score:
    if not isinstance(data, dict) or data.get("metric") not in versions:
        raise StoreError(f"{place}: found a score of a metric that no grader of the header has")
    own = {"case_id": key.case_id, "variant": key.variant, "repeat": key.repeat, "version": versions[data["metric"]]}
    told = {name: value for name, value in data.items() if name not in _OF_SCORE}
    score = codec.from_json(Score, {**told, **own}, place)
    graded = score.reason is not Reason.GRADER_ERROR
    if graded is (score.value is None) or graded is (score.passed is None):
        raise StoreError(f"{place}: found a score of {score.metric} without a value, or an error with one")
    if score.value is not None and not 0.0 <= score.value <= 1.0:  # NaN is outside, too
        raise StoreError(f"{place}: found the value {score.value} of {score.metric}; expected one from 0 to 1")
    return score


def grader_of(header: ArchiveHeader, name: str) -> ArchivedGrader | None:
    """The grader of then by that name."""
    return next((grader for grader in header.graders if grader.name == name), None)
