"""Items of hosted evals as cases, and the answers that an export holds for them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from snapdrift.importers.names import RESERVED_COLUMNS
from snapdrift.importers.notes import Notes, Place


@dataclass(slots=True)
class Item:
    """A case with the item's columns, and its answers by what made them."""

    row: dict[str, Any]
    answers: dict[str, tuple[str, str | None]] = field(default_factory=dict)


def items_of(runs: Sequence[Place], rows: Sequence[Place], notes: Notes) -> list[Item]:
    """The items of runs and of rows, each once, in the order in which they came; the same item has several answers."""
    found: dict[str, Item] = {}
    for run in runs:
        source = run.at("data_source", "source")
        kind = source.at("type").value
        if kind == "file_content":
            for place in source.at("content").each():
                _add(place, _called(run), found)
        elif kind == "file_id":
            notes.left_out(source, f"the items of {_called(run)}", "stand in a file at OpenAI; --data FILE names them")
        elif kind is not None:
            notes.left_out(
                source, f"the items of {_called(run)}", f"are asked of OpenAI ({kind}); --data FILE names them"
            )
    named = {run.value.get("id"): _called(run) for run in runs}
    for place in rows:
        _add(place, named.get(place.value.get("run_id"), "recorded"), found)
    _give_ids(list(found.values()))
    return list(found.values())


def _called(run: Place) -> str:
    return str(run.value.get("name") or run.value.get("model") or run.value.get("id") or "recorded")


def _add(place: Place, called: str, found: dict[str, Item]) -> None:
    value = place.value if isinstance(place.value, Mapping) else {}
    columns = value.get("datasource_item", value.get("item", value))
    if not isinstance(columns, Mapping) or not columns:
        return
    if isinstance(columns.get("item"), Mapping):  # an output item holds the whole row of the data source
        columns = columns["item"]
    key = json.dumps(columns, sort_keys=True, default=str)
    item = found.setdefault(key, Item({**columns}))
    sample = value.get("sample")
    if isinstance(sample, Mapping):
        text = _answer(sample)
        if text is not None:
            model = sample.get("model")
            item.answers.setdefault(called, (text, model if isinstance(model, str) else None))


def _answer(sample: Mapping[str, Any]) -> str | None:
    """The text of a sample: of an output item the last message, of a row its own text."""
    if isinstance(sample.get("output_text"), str):
        return str(sample["output_text"])
    output = sample.get("output")
    if isinstance(output, list) and output and isinstance(output[-1], Mapping):
        content = output[-1].get("content")
        return content if isinstance(content, str) else None
    return output if isinstance(output, str) else None


def _give_ids(items: Sequence[Item]) -> None:
    """Ids of the items' own where all have different ones, else numbers; other reserved names are changed."""
    own = [item.row.get("id") for item in items]
    usable = all(isinstance(one, str) and one.strip() == one and 0 < len(one) <= 100 for one in own)
    keep = usable and len(set(own)) == len(own)
    for number, item in enumerate(items, start=1):
        columns = {_renamed(name, keep=keep): value for name, value in item.row.items()}
        item.row = {"id": own[number - 1] if keep else f"item-{number:04d}", **columns}


def _renamed(name: str, *, keep: bool) -> str:
    if name == "expected" or (name == "id" and keep):
        return name
    if name == "messages":
        return name
    return f"item_{name}" if name in RESERVED_COLUMNS else name


def columns(items: Sequence[Item]) -> dict[str, str]:
    """How columns of the items are called as case variables, where not by their own name."""
    names = {name.removeprefix("item_"): name for item in items for name in item.row if name.startswith("item_")}
    return {name: called for name, called in names.items() if name in RESERVED_COLUMNS}


def recorded(items: Sequence[Item]) -> dict[str, list[dict[str, Any]]]:
    """Rows of a file of outputs, by what made the answers."""
    made: dict[str, list[dict[str, Any]]] = {}
    for item in items:
        for called, (text, model) in item.answers.items():
            row = {"id": item.row["id"], "output": text, **({"model": model} if model else {})}
            made.setdefault(called, []).append(row)
    return made
