"""What the list is made of, and how a large report is split into pages: nothing is lost, and nothing stays behind."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.reports.held import Carried, changed, embed, held

from snapdrift.errors import ConfigError
from snapdrift.model import Outcome
from snapdrift.reports import ReportPaths, RunData, View, build_view, write_reports
from snapdrift.reports.asked import MediaView, PromptView
from snapdrift.reports.case_pages import case_pages_of
from snapdrift.reports.case_views import CaseGroup
from snapdrift.reports.columns import Numbers, alike, passes
from snapdrift.reports.embed import embedded
from snapdrift.reports.pieces import Spool

MakeRun = Callable[..., Any]
VARIANTS = ("august", "november", "alias")
METRICS = ("valid", "queue", "tone")


def _elements(page: Path, pattern: str) -> list[str]:
    return re.findall(rf"<script [^>]*{pattern}[^>]*>(.*?)</script>", page.read_text(encoding="utf-8"), re.S)


def _index(page: Path) -> Any:
    return json.loads(_elements(page, 'id="index"')[0])


def _unpacked(packed: str) -> Any:
    return json.loads(zlib.decompress(base64.b64decode(packed)))


def _details(page: Path) -> list[Any]:
    return [detail for chunk in _elements(page, 'class="chunk"') for detail in _unpacked(chunk)]


@pytest.fixture(scope="module")
def large(make_run: MakeRun) -> View:
    return build_view(make_run(cases=400, answer_length=700).build())


@pytest.fixture(scope="module")
def split(large: View, tmp_path_factory: pytest.TempPathFactory) -> ReportPaths:
    return write_reports(large, tmp_path_factory.mktemp("split"), split_mb=0.2)


def test_pages_hold_every_case_once_in_the_order_of_the_one_page(large: View, split: ReportPaths) -> None:
    ids = [entry[0] for page in split.case_pages for entry in _index(page)["cases"]]
    assert ids == [entry[0] for entry in _index(split.html)["cases"]] == [case.case.id for case in large.cases]
    whole = [detail for chunk in embed(large).chunks for detail in _unpacked(chunk)]
    assert [detail for page in split.case_pages for detail in _details(page)] == whole
    assert _elements(split.html, 'class="chunk"') == []


def test_the_index_says_on_which_page_each_case_is_and_each_page_where_it_is(split: ReportPaths) -> None:
    listed = [file for file, _, _ in _index(split.html)["pages"]]
    assert listed == [f"cases/{page.name}" for page in split.case_pages]
    assert len(listed) > 2
    places = [_index(page)["page"] for page in split.case_pages]
    firsts = [first for _, first, _ in _index(split.html)["pages"]]
    assert [place["first"] for place in places] == firsts
    names = [page.name for page in split.case_pages]
    assert [place["next"] for place in places] == [*names[1:], None]
    assert [place["previous"] for place in places] == [None, *names[:-1]]


def test_a_page_of_cases_says_what_the_answers_are_and_what_was_concluded(large: View, split: ReportPaths) -> None:
    page = split.case_pages[1].read_text(encoding="utf-8")
    assert '<span class="label">simulated</span>' in page
    assert "regression, exit 1" in page
    assert page.count("Content-Security-Policy") == 1
    assert "</table>" not in page


def test_a_report_that_is_small_enough_is_one_file_and_takes_away_the_pages_of_a_larger_one(
    large: View, tmp_path: Path
) -> None:
    many = write_reports(large, tmp_path, split_mb=0.2).case_pages
    fewer = write_reports(large, tmp_path, split_mb=0.25).case_pages
    assert 1 < len(fewer) < len(many)
    assert sorted((tmp_path / "cases").iterdir()) == sorted(fewer)
    (tmp_path / "cases" / "notes.html").write_text("somebody's own")
    assert write_reports(large, tmp_path, split_mb=40).case_pages == ()
    assert [path.name for path in (tmp_path / "cases").iterdir()] == ["notes.html"]
    assert len(_details(tmp_path / "index.html")) == 400


def test_a_template_that_is_wrong_leaves_the_pages_that_were_there(large: View, tmp_path: Path) -> None:
    before = write_reports(large, tmp_path / "out", split_mb=0.2)
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "cases_page.html.j2").write_text("{{ nobody_knows_this }}")
    with pytest.raises(ConfigError, match=r"cases_page\.html\.j2: report template cannot be rendered"):
        write_reports(large, tmp_path / "out", templates, split_mb=0.2)
    assert all(page.exists() for page in before.case_pages)


def test_a_page_carries_the_pictures_of_its_own_cases_under_their_numbers(make_run: MakeRun) -> None:
    data: RunData = make_run(cases=400, answer_length=700).build()

    def prompt(case_id: str, _: str) -> PromptView:
        return PromptView(case_id, (MediaView("image", case_id, thumbnail=f"data:image/jpeg;base64,{case_id}"),))

    with Spool() as spool:
        cases = embedded(build_view(changed(data, prompt=prompt)), spool)
        carried = [Carried.of(payload) for _, payload in case_pages_of(cases, 300_000).pages()]
    for page in carried:
        pictures, entries = json.loads(page.thumbnails), json.loads(page.index)["cases"]
        details = (detail for chunk in page.chunks for detail in _unpacked(chunk))
        for entry, detail in zip(entries, details, strict=True):
            assert pictures[detail["prompts"][0]["media"][0][5]] == f"data:image/jpeg;base64,{entry[0]}"
        assert sum(picture is not None for picture in pictures) == len(entries)


def test_a_page_that_is_too_large_is_advised_to_be_split_and_a_split_one_is_not(split: ReportPaths) -> None:
    assert split.advice is None
    large = replace(split, case_pages=(), html_bytes=41_000_000)
    assert large.advice is not None
    assert "41 MB" in large.advice
    assert "--split 8" in large.advice
    assert replace(large, html_bytes=40_000_000).advice is None


def test_variants_with_the_same_answers_are_of_one_class(make_run: MakeRun) -> None:
    data: RunData = make_run(cases=12, repeats=2).build()
    same = {"august": ("a", "b"), "november": ("b", "a"), "alias": ("a", "a")}
    responses = [replace(r, text=same[r.call.variant][r.call.repeat]) for r in held(data).responses]
    failed = [replace(r, outcome=Outcome.API_ERROR) if r.call.case_id == "billing-005" and r.call.variant == "alias" else r for r in responses]  # fmt: skip  # noqa: E501
    view = build_view(changed(data, responses=tuple(failed)))
    classes = {case.case.id: alike(case, VARIANTS) for case in view.cases}
    assert classes.pop("billing-009") == "0-1"  # the candidate's calls of this case fail
    assert classes.pop("billing-005") == "00-"
    assert set(classes.values()) == {"001"}
    assert alike(view.cases[0], ("august", "november")) == ""


def test_more_than_ten_classes_are_told_apart(make_run: MakeRun) -> None:
    case = build_view(make_run(cases=1).build()).cases[0]
    template = case.answers[0]
    assert template.response is not None
    names = [f"variant {number}" for number in range(12)]
    answers = tuple(
        replace(template, variant=name, response=replace(template.response, text=name.replace("11", "0")))
        for name in names
    )
    assert alike(replace(case, answers=answers), names) == ["0", *map(str, range(1, 11)), "0"]


def test_passes_count_the_repeats_of_both_sides_where_they_disagree(make_run: MakeRun) -> None:
    view = build_view(make_run(cases=12, repeats=3).build())
    flaky = next(case for case in view.cases if case.group is CaseGroup.FLAKY)
    told = passes(flaky, view.lenses)
    lens = next(n for n, one in enumerate(view.lenses) if (one.metric, one.candidate) == ("queue", "november"))
    assert told == [[lens, [3, 3], [2, 3]]]


def test_the_numbers_to_sort_by_are_those_of_the_answers(make_run: MakeRun) -> None:
    view = build_view(make_run(cases=12, repeats=2).build())
    places = {name: place for place, name in enumerate(VARIANTS)}
    numbers = Numbers(places, {name: place for place, name in enumerate(METRICS)})
    for each in view.cases:
        numbers.add(each)
    columns = json.loads("".join(numbers.json(0, len(numbers))))
    case = next(place for place, one in enumerate(view.cases) if one.case.id == "delivery-002")
    responses = [a.response for a in view.cases[case].answers if a.variant == "november" and a.response is not None]
    assert columns["latency"][1][case] == round(max(r.latency_ms or 0 for r in responses))
    assert columns["usd"][1][case] == round(sum(r.usd or 0 for r in responses) * 1e6)
    assert columns["length"][1][case] == max(len(r.text) for r in responses)
    assert [columns["values"][3 + metric][case] for metric in (0, 1)] == [0, 0]
    failed = next(place for place, one in enumerate(view.cases) if one.case.id == "billing-009")
    assert [columns[key][1][failed] for key in ("latency", "usd")] == [None, None]
