"""Recorded outputs: found by model, last user text and repeat.

A recordings file is JSONL (or `.jsonl.gz`) of `{"model", "input", "output", "repeat"?, "judge"?}`; other keys are
ignored. Rows without `repeat` are numbered from 0 in the order in which they stand. `judge` is what a judge said of the
output.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snapdrift.errors import ConfigError
from snapdrift.standin.draws import digest
from snapdrift.standin.recorded_judgements import Judgements

MAX_BYTES = 256 * 2**20
"""The largest file of recordings, after decompression: as for datasets."""


def read_json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number (from 1) and object of every line that is not blank; raises `ConfigError`."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
            for number, line in _bounded_lines(lines, path):
                row = json.loads(line.decode("utf-8"))
                if not isinstance(row, dict):
                    raise ConfigError(f"{path}:{number}: found {type(row).__name__}; expected a JSON object")
                yield number, row
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ConfigError(f"{path}: not gzip ({error}); expected a complete gzip file") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror or error}); expected a JSONL file") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not JSONL ({error}); expected one JSON object a line") from error


def _bounded_lines(lines: io.BufferedIOBase, path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank with their numbers; raises `ConfigError` before they would fill the memory."""
    left, number = MAX_BYTES, 0
    while line := lines.readline(left + 1):
        number, left = number + 1, left - len(line)
        if left < 0:
            raise ConfigError(f"{path}: found more than {MAX_BYTES // 2**20} MB; expected a smaller file of recordings")
        if line.strip():
            yield number, line


@dataclass(frozen=True, slots=True)
class Miss:
    """Why no recording was found, in words."""

    known: str


class Recordings:
    """The rows of several files, indexed. Text is compared without the white space around it."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._outputs: dict[tuple[str, bytes], dict[int, str]] = {}
        self._arrivals: Counter[tuple[str, bytes]] = Counter()
        self.judgements = Judgements()
        for path in paths:
            for number, row in read_json_lines(path):
                self._add(path, number, row)
        self.models = frozenset(model for model, _ in self._outputs)

    def __bool__(self) -> bool:
        return bool(self._outputs)

    def __len__(self) -> int:
        return sum(map(len, self._outputs.values()))

    def _add(self, path: Path, number: int, row: dict[str, Any]) -> None:
        model, text, output = row.get("model"), row.get("input"), row.get("output")
        if not (isinstance(model, str) and isinstance(text, str) and isinstance(output, str)):
            raise ConfigError(f'{path}:{number}: expected text for each of "model", "input" and "output"')
        outputs = self._outputs.setdefault((model, digest(text.strip())), {})
        repeat = row.get("repeat")
        if repeat is None:
            repeat = max(outputs, default=-1) + 1
        if not isinstance(repeat, int) or isinstance(repeat, bool) or repeat < 0:
            raise ConfigError(f'{path}:{number}: found "repeat": {repeat!r}; expected a whole number from 0')
        if outputs.setdefault(repeat, output) != output:
            raise ConfigError(
                f"{path}:{number}: a second, different output for model {model!r}, the same input and repeat {repeat}; "
                "number the repeats from 0"
            )
        judge = row.get("judge")
        if judge is not None and not isinstance(judge, dict):
            raise ConfigError(f'{path}:{number}: found "judge": {type(judge).__name__}; expected an object')
        if judge:
            self.judgements.add(output, judge)

    def find(self, models: Sequence[str], text: str, repeat: int | None) -> str | Miss:
        """The output for the first of the models (an alias, then its snapshot) that has one, or why there is none.

        `repeat` None means that the caller did not say: the n-th arrival then gets the n-th repeat, from the start
        again after the last.
        """
        key_of_text = digest(text.strip())
        for model in models:
            key = (model, key_of_text)
            outputs = self._outputs.get(key)
            if outputs is None:
                continue
            if repeat is None:
                arrival = self._arrivals[key]
                self._arrivals[key] += 1
                return outputs[sorted(outputs)[arrival % len(outputs)]]
            if repeat in outputs:
                return outputs[repeat]
            return Miss(f"repeat {repeat} was asked, recorded are {', '.join(map(str, sorted(outputs)))}")
        return Miss(f"recorded models are {', '.join(sorted(self.models)) or 'none'}")
