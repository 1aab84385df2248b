"""The upper keys of a YAML file and the first rows of a dataset, read within bounds: for completion, nothing else."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

MOST_BYTES = 2**20
MOST_ROWS = 2_000


def outline(path: Path, depth: int) -> dict[str, Any]:
    """The keys of a mapping so many levels deep; text is kept, what lies deeper is None, items of lists have numbers.

    Made from the events of the parser, one after another: nothing is nested as deep as the file may be, no alias is
    followed. Empty where the file holds no mapping, or is larger than a megabyte; a file that breaks off gives what
    came before.
    """
    import yaml

    with path.open("rb") as file:
        text = file.read(MOST_BYTES + 1)
    if len(text) > MOST_BYTES:
        return {}
    root: dict[str, Any] = {}
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _build(yaml.parse(text, Loader=loader), root, depth)
    except yaml.YAMLError:
        return root
    return root


def rows_of(suite: Mapping[str, Any], root: Path) -> Iterator[Mapping[str, Any]]:
    """The first rows of a suite's dataset: inline cases, JSONL (.gz) or CSV inside the workspace; else none."""
    inline = suite.get("cases")
    if isinstance(inline, dict):
        yield from (row for row in inline.values() if isinstance(row, dict))
    path = _inside(suite.get("dataset"), root)
    if path is None:
        return
    lines = io.StringIO(_head(path))
    if path.suffix == ".csv":
        yield from itertools.islice(csv.DictReader(lines), MOST_ROWS)
        return
    for line in itertools.islice(lines, MOST_ROWS):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict):
            yield row


def tags_of(row: Mapping[str, Any]) -> Iterable[str]:
    """The tags of a row: a list, or a text with commas."""
    tags = row.get("tags")
    if isinstance(tags, str):
        return [tag.strip() for tag in tags.split(",") if tag.strip()]
    listed = tags.values() if isinstance(tags, dict) else tags
    return [tag for tag in listed or () if isinstance(tag, str)]


def _build(events: Iterable[Any], root: dict[str, Any], depth: int) -> None:
    """Fills the outline from the parser's events; `open_` has the mapping or list of each level, None: too deep."""
    import yaml

    open_: list[dict[str, Any] | None] = []
    keys: list[str | None] = []
    is_list: list[bool] = []

    def put(value: Any) -> None:
        """Puts a value at its place; a text where a key is due is that key."""
        if not open_ or open_[-1] is None:
            return
        if is_list[-1]:
            open_[-1][str(len(open_[-1]))] = value
        elif keys[-1] is None:
            keys[-1] = value if isinstance(value, str) else ""
        else:
            open_[-1][keys[-1]] = value
            keys[-1] = None

    for event in events:
        if isinstance(event, yaml.CollectionStartEvent):
            inside: dict[str, Any] | None = root if not open_ else {} if len(open_) < depth else None
            if open_:
                put(inside)
            open_.append(inside)
            keys.append(None)
            is_list.append(isinstance(event, yaml.SequenceStartEvent))
        elif isinstance(event, yaml.CollectionEndEvent):
            open_.pop()
            keys.pop()
            is_list.pop()
        elif isinstance(event, yaml.ScalarEvent):
            put(event.value)
        elif isinstance(event, yaml.AliasEvent):
            put(None)


def _inside(text: Any, root: Path) -> Path | None:
    """The file that a suite names as its dataset; None for one outside the workspace, a hidden one, and for none."""
    if not isinstance(text, str) or any(part.startswith(".") for part in Path(text).parts):
        return None
    path = (root / text).resolve()
    return path if path.is_relative_to(root.resolve()) and path.is_file() else None


def _head(path: Path) -> str:
    """The beginning of a text file, unpacked where it is packed."""
    if path.suffix == ".gz":
        with gzip.open(path) as packed:
            return packed.read(MOST_BYTES).decode("utf-8", "replace")
    with path.open("rb") as file:
        return file.read(MOST_BYTES).decode("utf-8", "replace")
