"""Logs of Inspect: JSON (`.json`) and its archive (`.eval`), by its documentation of log files.

An archive is a ZIP file with `header.json` and a file for each sample in `samples/`.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from snapdrift.importers.notes import Notes
from snapdrift.importers.outputs.bodies import NoAnswerError, answer_of, plain_text
from snapdrift.importers.outputs.record import Answer
from snapdrift.importers.sources import MAX_ROWS, SourceError
from snapdrift.suites.strict_json import loads_strictly

MAX_MEMBER = 16 * 2**20
"""Bytes of one file of an archive, unpacked."""
MAX_TOTAL = 256 * 2**20
"""Bytes of all of them."""


def is_log(value: Any) -> bool:
    """Whether a JSON value is such a log."""
    return isinstance(value, Mapping) and isinstance(value.get("eval"), Mapping) and "samples" in value


def answers(value: Mapping[str, Any], file: str, notes: Notes) -> Iterator[Answer]:
    """Each sample of a log as an answer; those without output are noted."""
    for number, sample in enumerate(value.get("samples") or ()):
        answer = _answer(sample, value["eval"], f"{file}: samples[{number}]", notes)
        if answer is not None:
            yield answer


def of_archive(path: Path, notes: Notes) -> Iterator[Answer]:
    """The same of an archive, of which one sample at a time is unpacked. Raises `SourceError`."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(
                name for name in archive.namelist() if name.startswith("samples/") and name.endswith(".json")
            )
            if len(names) > MAX_ROWS:
                raise SourceError(f"{path.name}: more than {MAX_ROWS:,} samples")
            left = [MAX_TOTAL]
            header = _member(archive, "header.json", path.name, left) if "header.json" in archive.namelist() else {}
            made_by = header.get("eval") if isinstance(header, Mapping) else None
            for name in names:
                sample = _member(archive, name, path.name, left)
                answer = _answer(sample, made_by or {}, f"{path.name}: {name}", notes)
                if answer is not None:
                    yield answer
    except (zipfile.BadZipFile, NotImplementedError, zlib.error, EOFError, RuntimeError) as error:
        raise SourceError(
            f"{path.name}: no archive that can be read ({error}); `inspect log dump` writes JSON"
        ) from None


def _member(archive: zipfile.ZipFile, name: str, file: str, left: list[int]) -> Any:
    with archive.open(name) as member:
        data = member.read(MAX_MEMBER + 1)
    left[0] -= len(data)
    if len(data) > MAX_MEMBER or left[0] < 0:
        raise SourceError(f"{file}: {name} is larger than what is read ({MAX_MEMBER // 2**20} MB each)")
    try:
        return loads_strictly(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{file}: {name} is not JSON: {error}") from None


def _answer(sample: Any, made_by: Mapping[str, Any], place: str, notes: Notes) -> Answer | None:
    if not isinstance(sample, Mapping):
        return None
    output = sample.get("output")
    body = output if isinstance(output, Mapping) else {}
    completion = body.get("completion")
    try:
        text = completion if isinstance(completion, str) and completion else answer_of(body)
    except NoAnswerError as error:
        notes.left_out(place, "a sample", str(error))
        return None
    if not body.get("choices") and not text:
        notes.left_out(place, "a sample", "has no output")
        return None
    epoch = sample.get("epoch")
    model = body.get("model") or made_by.get("model")
    target = sample.get("target")
    return Answer(
        place,
        text,
        case_id=None if sample.get("id") is None else str(sample["id"]),
        asked=_asked(sample.get("input")),
        model=model if isinstance(model, str) else None,
        expected=target if target not in ("", [], None) else None,
        repeat=epoch - 1 if isinstance(epoch, int) and epoch >= 1 else None,
    )


def _asked(value: Any) -> tuple[tuple[str, str], ...] | None:
    if isinstance(value, str):
        return (("user", value),)
    if not isinstance(value, list):
        return None
    messages = [item for item in value if isinstance(item, Mapping)]
    return tuple((str(item.get("role") or "user"), plain_text(item.get("content"))) for item in messages) or None
