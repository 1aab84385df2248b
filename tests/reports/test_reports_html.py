from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from tests.reports.held import changed, embed, held

from snapdrift import reports
from snapdrift.errors import ConfigError
from snapdrift.model import Source
from snapdrift.reports import RunData, build_view, write_junit_and_summary, write_reports
from snapdrift.reports.html import named, render_html

REFERENCE = Path(__file__).parents[2] / "docs" / "reference.md"
TEMPLATES = Path(reports.__file__).parent / "templates"
MakeRun = Callable[..., Any]


class _Page(HTMLParser):
    """Every element with its attributes, and the text of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[str, dict[str, str | None], str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements and self.cdata_elem:
            self.raw.append((*self.elements[-1], data))


def _page(make_run: MakeRun, **options: Any) -> _Page:
    return _Page(render_html(build_view(make_run(**options).build())))


def _policy(page: _Page) -> str:
    return next(a["content"] or "" for tag, a in page.elements if tag == "meta" and "http-equiv" in a)


def test_the_policy_allows_nothing_by_default(make_run: MakeRun) -> None:
    policy = _policy(_page(make_run))
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy


@pytest.mark.parametrize("kind", ["script", "style"])
def test_the_policy_has_the_hash_of_what_is_inline(make_run: MakeRun, kind: str) -> None:
    page = _page(make_run)
    texts = [text for tag, attributes, text in page.raw if tag == kind and "type" not in attributes]
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts]
    assert re.findall(rf"{kind}-src ([^;]*);", _policy(page)) == [" ".join(f"'sha256-{d}'" for d in digests)]


def test_no_element_has_a_handler_a_style_or_an_address_outside_the_page(make_run: MakeRun) -> None:
    for tag, attributes in _page(make_run).elements:
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "src", "srcset")], tag
        assert (attributes.get("href") or "#").startswith("#")


def test_the_policy_stands_before_anything_it_governs(make_run: MakeRun) -> None:
    tags = [(tag, "http-equiv" in attributes) for tag, attributes in _page(make_run).elements]
    first_governed = next(place for place, (tag, _) in enumerate(tags) if tag in ("script", "style", "link"))
    assert tags.index(("meta", True)) < first_governed


def test_the_page_does_not_say_where_it_was_made(make_run: MakeRun, tmp_path: Path) -> None:
    paths = write_reports(build_view(make_run().build()), tmp_path / "out")
    assert str(tmp_path) not in paths.html.read_text(encoding="utf-8")


def test_ids_and_names_are_escaped(make_run: MakeRun) -> None:
    data: RunData = make_run(cases=40).build()
    evil = "</title><script>alert(1)</script>"
    view = build_view(replace(data, run=replace(data.run, suite=evil, description=evil), warnings=(evil, f"`{evil}`")))
    page = _Page(render_html(view))
    assert len([1 for tag, attributes in page.elements if tag == "script" and "type" not in attributes]) == 1


def test_an_answer_cannot_end_the_element_that_carries_it(make_run: MakeRun) -> None:
    payload = embed(build_view(make_run(ids=["</script><script>alert(1)</script>", "<!--"]).build()))
    assert "<" not in payload.index


def test_what_is_embedded_is_what_was_answered(make_run: MakeRun) -> None:
    texts = ["</script>", "\ud800", "\u2028", "x" * 1_000_000]
    view = build_view(make_run(texts=texts).build())
    payload = embed(view)
    details = [d for chunk in payload.chunks for d in json.loads(zlib.decompress(base64.b64decode(chunk)))]
    ids = [entry[0] for entry in json.loads(payload.index)["cases"]]
    answers = {
        case_id: answer["text"]
        for case_id, detail in zip(ids, details, strict=True)
        for answer in detail["answers"]
        if answer["variant"] == 1 and "text" in answer
    }
    order = [case.case.id for case in view.cases]
    given = {r.call.case_id: r.text for c in view.cases for r in [a.response for a in c.answers if a.response] if r.call.variant == "november" and r.text}  # fmt: skip  # noqa: E501
    assert (ids, answers) == (order, given)


def test_big_numbers_and_numbers_that_are_none_are_embedded_as_text(make_run: MakeRun) -> None:
    data: RunData = make_run(cases=40).build()
    cases = (replace(held(data).cases[0], expected={"n": 2**70, "x": float("nan")}), *held(data).cases[1:])
    view = build_view(changed(data, cases=cases))
    texts = [zlib.decompress(base64.b64decode(chunk)).decode() for chunk in embed(view).chunks]
    assert any(str(2**70) in text for text in texts)
    assert all(json.loads(text, parse_constant=pytest.fail) for text in texts)


def test_chunks_hold_every_case_once(make_run: MakeRun) -> None:
    payload = embed(build_view(make_run(cases=700, answer_length=700).build()))
    assert len(payload.chunks) > 1
    assert sum(json.loads(payload.index)["chunks"]) == 700


def test_the_page_of_1319_cases_and_three_variants_is_under_6_mb(make_run: MakeRun, tmp_path: Path) -> None:
    view = build_view(make_run(cases=1319, answer_length=700).build())
    assert write_reports(view, tmp_path).html.stat().st_size < 6_000_000


def test_a_run_without_comparisons_has_a_page(make_run: MakeRun) -> None:
    data: RunData = make_run().build()
    evaluation = replace(data.evaluation, gate=replace(data.evaluation.gate, pairs=()), comparisons=(), operational=())
    page = render_html(build_view(replace(data, evaluation=evaluation)))
    assert 'class="forest"' not in page


def test_a_run_in_which_nothing_was_answered_has_a_page(make_run: MakeRun) -> None:
    data: RunData = make_run().build()
    nothing = replace(
        data.evaluation.variants[0], resolved_models={}, outcomes={"missing": 30}, usd=None, latency_p50=None,
        latency_p95=None, coverage=0.0, sources={},
    )  # fmt: skip
    comparisons = tuple(
        replace(c, difference=None, ci=None, baseline_mean=None, candidate_mean=None, p_value=None, n=0, table=None)
        for c in data.evaluation.comparisons
    )
    evaluation = replace(
        data.evaluation, variants=(nothing, *data.evaluation.variants[1:]), comparisons=comparisons, metrics=()
    )
    page = render_html(build_view(changed(data, evaluation=evaluation, responses=(), scores=())))
    assert "no answer" in page


def test_a_workspace_template_can_replace_one_block(make_run: MakeRun, tmp_path: Path) -> None:
    (tmp_path / "index.html.j2").write_text(
        '{% extends "snapdrift/index.html.j2" %}{% block provenance %}<p>ours: {{ run.suite }}</p>{% endblock %}'
    )
    page = render_html(build_view(make_run().build()), tmp_path)
    assert "<p>ours: ticket-triage</p>" in page
    assert 'id="provenance-title"' not in page
    assert 'id="comparisons-title"' in page


def test_the_template_of_the_reference_and_its_names_of_blocks_are_right(make_run: MakeRun, tmp_path: Path) -> None:
    section = REFERENCE.read_text(encoding="utf-8").partition("### Your own pages")[2].partition("\n### ")[0]
    example = section.partition("```jinja reports/templates/index.html.j2\n")[2].partition("```")[0]
    (tmp_path / "index.html.j2").write_text(example)
    page = render_html(build_view(make_run().build()), tmp_path)
    assert "<p>The owner of ticket-triage is the triage team.</p>" in page
    assert 'id="provenance-title"' in page
    blocks = {
        block
        for name in ("index", "cases_page", "runs")
        for block in re.findall(r"\{% block (\w+)", (TEMPLATES / f"{name}.html.j2").read_text(encoding="utf-8"))
    }
    told = section.partition("Blocks are")[2].partition("Templates see")[0]
    assert set(re.findall(r"`(\w+)`", told)) == blocks - {"sections"}


def test_a_style_added_by_a_workspace_template_is_allowed_by_the_policy(make_run: MakeRun, tmp_path: Path) -> None:
    (tmp_path / "index.html.j2").write_text(
        '{% extends "snapdrift/index.html.j2" %}{% block style %}h1 { color: teal; }{% endblock %}'
    )
    page = _Page(render_html(build_view(make_run().build()), tmp_path))
    text = next(text for tag, _, text in page.raw if tag == "style")
    assert "h1 { color: teal; }" in text
    assert base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() in _policy(page)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{% block %}", "index.html.j2:1"),
        ("{{ nothing.here }}", "nothing"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{% filter inline_script %}</script>{% endfilter %}", "must not"),
    ],
)
def test_a_template_that_cannot_be_rendered_says_where(
    make_run: MakeRun, tmp_path: Path, template: str, said: str
) -> None:
    (tmp_path / "index.html.j2").write_text(template)
    with pytest.raises(ConfigError, match=re.escape(said)):
        render_html(build_view(make_run().build()), tmp_path)


def test_reports_are_written_whole_and_nothing_else_is_left(make_run: MakeRun, tmp_path: Path) -> None:
    write_reports(build_view(make_run().build()), tmp_path / "new" / "folder")
    names = sorted(path.name for path in (tmp_path / "new" / "folder").iterdir())
    assert names == ["index.html", "junit.xml", "results.csv", "results.parquet", "summary.md", "verdict.json"]


def test_junit_and_summary_of_one_run_are_those_of_its_folder(make_run: MakeRun, tmp_path: Path) -> None:
    view = build_view(make_run().build())
    paths = write_reports(view, tmp_path / "out")
    write_junit_and_summary([view], tmp_path / "ci" / "j.xml", tmp_path / "s.md")
    assert (tmp_path / "ci" / "j.xml").read_text() == paths.junit.read_text()
    assert (tmp_path / "s.md").read_text() == paths.summary.read_text()


def test_when_rendering_fails_the_earlier_reports_stay(make_run: MakeRun, tmp_path: Path) -> None:
    view = build_view(make_run().build())
    paths = write_reports(view, tmp_path / "out")
    before = paths.verdict.read_bytes()
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "index.html.j2").write_text("{% broken")
    with pytest.raises(ConfigError):
        write_reports(view, tmp_path / "out", templates_dir=templates)
    assert paths.verdict.read_bytes() == before


def test_when_a_file_cannot_be_replaced_no_draft_is_left(make_run: MakeRun, tmp_path: Path) -> None:
    (tmp_path / "index.html").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_reports(build_view(make_run().build()), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"index.html"}


def test_what_cannot_be_written_is_named_and_not_its_draft(make_run: MakeRun, tmp_path: Path) -> None:
    (tmp_path / "junit.xml").mkdir()
    with pytest.raises(OSError, match="directory") as caught:
        write_junit_and_summary([build_view(make_run().build())], tmp_path / "junit.xml", None)
    assert caught.value.filename == str(tmp_path / "junit.xml")


def test_the_page_gives_a_failed_call_the_source_of_its_variant(make_run: MakeRun) -> None:
    data: RunData = make_run(cases=12).build()
    responses = tuple(r if r.outcome.measured else replace(r, source=Source.OPENAI) for r in held(data).responses)
    chunks = embed(build_view(changed(data, responses=responses))).chunks
    sources = {m for c in chunks for m in re.findall(rb'"source":"(\w+)"', zlib.decompress(base64.b64decode(c)))}
    assert sources == {b"simulated"}


@pytest.mark.parametrize(("more_is_better", "edge"), [(True, "down to −"), (False, "up to +")])
def test_the_margin_of_a_comparison_lies_on_the_side_that_is_worse(
    more_is_better: bool, edge: str, make_run: MakeRun
) -> None:
    view = build_view(make_run().build())
    rows = tuple(replace(row, metric=replace(row.metric, higher_is_better=more_is_better)) for row in view.comparisons)
    page = render_html(replace(view, comparisons=rows))
    assert f"<title>margin: {edge}" in page


def test_an_option_in_a_sentence_is_not_broken_and_nothing_else_becomes_markup() -> None:
    told = named("`--no-cache` and --fresh of `a--b` -- <b>--</b>; --no-cache asks")
    option = '<span class="option">{}</span>'.format
    assert str(told) == (
        f'<b class="name">{option("--no-cache")}</b> and {option("--fresh")} of <b class="name">a--b</b> -- '
        f"&lt;b&gt;--&lt;/b&gt;; {option('--no-cache')} asks"
    )
