"""Runs whose records are in memory: what they hold, and the same run with something else in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from itertools import chain
from typing import Any

from snapdrift.reports import RunData, View
from snapdrift.reports.embed import Payload, embedded
from snapdrift.reports.pieces import Spool
from snapdrift.reports.records import HeldRecords

_OF_RECORDS = {each.name for each in fields(HeldRecords)}


def held(data: RunData) -> HeldRecords:
    """Everything that the records of a run come to, case by case."""
    found = list(data.records.read(range(len(data.records))))

    def every(name: str) -> Iterable[Any]:
        return chain.from_iterable(getattr(record, name) for record in found)

    prompts = {(record.case.id, variant): prompt for record in found for variant, prompt in record.prompts.items()}
    return HeldRecords(
        cases=tuple(record.case for record in found),
        responses=tuple(every("responses")),
        scores=tuple(every("scores")),
        judged=tuple(dict.fromkeys(every("judged"))),
        prompt=(lambda *key: prompts.get(key)) if prompts else None,
        variants=data.variants,
    )


def changed(data: RunData, **values: Any) -> RunData:
    """The run with other values, of the run itself or of its records."""
    of_records = {name: values.pop(name) for name in _OF_RECORDS & values.keys() - {"variants"}}
    if "variants" in values:
        of_records["variants"] = values["variants"]
    return replace(data, records=replace(held(data), **of_records), **values)


@dataclass(frozen=True)
class Carried:
    """What a page carries, as texts."""

    index: str
    chunks: tuple[str, ...]
    thumbnails: str

    @classmethod
    def of(cls, payload: Payload) -> Carried:
        """What a payload holds while its spool is open."""
        return cls(payload.index.text, tuple(chunk.text for chunk in payload.chunks), payload.thumbnails.text)


def embed(view: View) -> Carried:
    """What a view's one page carries."""
    with Spool() as spool:
        cases = embedded(view, spool)
        return Carried.of(cases.payload(cases.chunks))
