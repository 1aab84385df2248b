"""That a report holds a few cases at a time, appears whole, and does not compile what it compiled before."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import jinja2
import pytest

from snapdrift.model import Case
from snapdrift.reports import RunData, build_view, results_parquet, write_reports
from snapdrift.reports.embed import embedded
from snapdrift.reports.files import Drafts
from snapdrift.reports.html import render_html, render_pages
from snapdrift.reports.pieces import Piece, Spool
from snapdrift.reports.records import CaseRecord, Records

MakeRun = Callable[..., Any]
ALIVE = {"now": 0, "most": 0}


class Counted(str):
    """An answer's text that counts how many of its kind there are."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        ALIVE["now"] += 1
        ALIVE["most"] = max(ALIVE["most"], ALIVE["now"])
        return super().__new__(cls, text)

    def __del__(self) -> None:
        ALIVE["now"] -= 1


class CountedRecords(Records):
    """Records whose texts are made when they are read, and the places that were read."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.places: list[int] = []

    def __len__(self) -> int:
        return len(self._records)

    def dataset(self) -> Iterator[Case]:
        return self._records.dataset()

    def read(self, places: Sequence[int]) -> Iterator[CaseRecord]:
        for place, record in zip(places, self._records.read(places), strict=True):
            self.places.append(place)
            yield replace(record, responses=tuple(replace(r, text=Counted(r.text)) for r in record.responses))

    def outcomes(self) -> Iterator[CaseRecord]:
        for record in self._records.outcomes():
            yield replace(record, responses=tuple(replace(r, text=Counted(r.text)) for r in record.responses))


def test_a_report_reads_each_case_once_more_and_holds_a_few_of_its_answers(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results_parquet, "CALLS", 10)
    data: RunData = make_run(cases=200).build()
    records = CountedRecords(data.records)
    ALIVE["now"] = ALIVE["most"] = 0
    write_reports(build_view(replace(data, records=records)), tmp_path)

    assert sorted(records.places) == list(range(200))
    assert 0 < ALIVE["most"] <= 30  # of 600


def test_what_waits_in_a_file_is_what_was_put_there(tmp_path: Path, make_run: MakeRun) -> None:
    with Spool(tmp_path) as spool:
        kept = [spool.put(str(number).encode() * 300_000) for number in range(20)]
        told = Piece.of("[") + kept[3] + Piece.of("ü") + kept[19] + Piece.of("]")

        assert told.text == "[" + "3" * 300_000 + "ü" + "19" * 300_000 + "]"
        assert told.size == len(told.text.encode())
        assert kept[0].text == "0" * 300_000


def test_a_page_that_is_written_in_pieces_is_the_page(make_run: MakeRun) -> None:
    view = build_view(make_run(cases=30).build())
    with Spool() as spool:
        (page,) = render_pages(view, embedded(view, spool))
        written = b"".join(page.content.blocks()).decode()
    shown = render_html(view)

    assert written == shown
    assert "slot-" not in shown


def test_drafts_take_their_places_together_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "first").write_text("before")

    with Drafts() as drafts:
        drafts.begin(tmp_path / "first").write_text("after")
        drafts.begin(tmp_path / "second").write_text("after")

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"first": "before"}

    with Drafts() as drafts:
        drafts.begin(tmp_path / "first").write_text("after")
        drafts.place()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"first": "after"}


def test_templates_are_compiled_once_and_those_of_a_workspace_each_time(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "templates"
    own.mkdir()
    text = '{% extends "snapdrift/index.html.j2" %}{% block style %}/* ours */{% endblock %}'
    (own / "index.html.j2").write_text(text)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "kept"))
    view = build_view(make_run(cases=3).build())
    first = render_html(view, own)
    compiled: list[str] = []
    compile_template = jinja2.Environment.compile

    def noted(environment: jinja2.Environment, source: Any, name: Any = None, *more: Any, **others: Any) -> Any:
        compiled.append(name)
        return compile_template(environment, source, name, *more, **others)

    monkeypatch.setattr(jinja2.Environment, "compile", noted)

    assert render_html(view, own) == first
    assert compiled == ["index.html.j2"]
    assert not any(b"ours" in path.read_bytes() for path in (tmp_path / "kept").rglob("*.pyc"))
