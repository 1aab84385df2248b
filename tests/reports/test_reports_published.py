"""What leaves the house: hostile and private text in the text renderings, links, and the shape that CI systems read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest
from markdown_it import MarkdownIt
from tests.reports.held import changed, held
from tests.reports.hostile import HOSTILE, HUGE

from snapdrift.conclusions import Decision
from snapdrift.model import Case, DecisionWord, Verdict
from snapdrift.reports import RunData, View, build_view, render_terminal, render_verdict
from snapdrift.reports.asked import PromptView
from snapdrift.reports.case_list import CaseList
from snapdrift.reports.case_views import CaseGroup
from snapdrift.reports.escaping import line, markdown_link, shortened
from snapdrift.reports.junit import render_junit
from snapdrift.reports.junit_cases import LISTED, WITHIN
from snapdrift.reports.markdown import LIMIT, render_markdown

MakeRun = Callable[..., Any]
URL = "https://ci.example/a_b/(1)?x=1&copy;=2&y=<z>`|]#i"
EACH = 5
"""One in five cases of the made runs newly fails: so many cases have the same text, for one of them to be told."""

ACTING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)
LINKED_BY_GITHUB = re.compile(
    r"(?i)@\w|#\d|\bGH-\d|\b[0-9a-f]{7,40}\b|\b(?:https?|ftp)://|\bwww\.|:[a-z0-9][a-z0-9_+-]*:"
)  # fmt: skip
ELEMENTS = {
    "h3", "p", "strong", "em", "br", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "code", "details",
    "summary", "sub", "a",
}  # fmt: skip


@pytest.fixture(scope="module")
def hostile(make_run: MakeRun) -> View:
    """A view with hostile text wherever a suite, a dataset, a model or a grader can put some, texts let out."""
    texts = [text for text in HOSTILE for _ in range(EACH)]
    ids = [f"{text} {place % EACH}" for place, text in enumerate(texts)]
    data: RunData = make_run(cases=len(texts), ids=ids, texts=texts).build()
    cases = tuple(with_text(case, text) for case, text in zip(held(data).cases, texts, strict=True))
    of_case = dict(zip(ids, texts, strict=True))
    scores = tuple(replace(s, detail=of_case[s.case_id], evidence=(of_case[s.case_id],)) for s in held(data).scores)
    decision = replace(data.evaluation.decision, reasons=(*HOSTILE, HUGE), warnings=tuple(HOSTILE))
    run = replace(data.run, suite=HOSTILE[0], gate=HOSTILE[4], run_id=HOSTILE[1])
    evaluation = replace(data.evaluation, decision=decision)
    data = changed(data, run=run, cases=cases, scores=scores, evaluation=evaluation, warnings=tuple(HOSTILE))
    return replace(build_view(replace(data, comment="text")), report_url=URL)


def with_text(case: Case, text: str) -> Case:
    return replace(case, variables={"ticket": text, text: [text]}, expected={"queue": text}, tags=(text,))


class Rendered(HTMLParser):
    """Markdown as a site renders it: its elements, its addresses, and its text outside code."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.addresses: list[str] = []
        self.prose = ""
        self._code = 0
        self.feed(MarkdownIt("gfm-like", {"linkify": False}).render(markdown))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]
        self._code += tag == "code"

    def handle_endtag(self, tag: str) -> None:
        self._code -= tag == "code"

    def handle_data(self, data: str) -> None:
        self.prose += "\0" if self._code else data


def test_hostile_text_makes_no_element_and_no_link_of_its_own_in_markdown(hostile: View) -> None:
    shown = Rendered(render_markdown(hostile))
    assert shown.elements <= ELEMENTS
    assert [unquote(address) for address in shown.addresses] == [URL]
    assert LINKED_BY_GITHUB.findall(shown.prose) == []


def test_hostile_names_make_no_element_and_no_link_in_the_tables_of_markdown(hostile: View) -> None:
    row = hostile.comparisons[0]
    named = tuple(
        replace(row, comparison=replace(row.comparison, metric=text, candidate=text, baseline=text)) for text in HOSTILE
    )
    shown = Rendered(render_markdown(replace(hostile, comparisons=named)))
    assert shown.elements <= ELEMENTS
    assert len(shown.addresses) == 1
    assert LINKED_BY_GITHUB.findall(shown.prose) == []


def test_hostile_ids_and_texts_are_read_back_from_junit_as_they_show(hostile: View) -> None:
    root = ET.fromstring(render_junit(hostile))  # noqa: S314
    failing = [case for case in hostile.cases if any(c.group is CaseGroup.NEWLY_FAILING for c in case.changes)]
    names = {(test.get("name") or "").rpartition(" [")[0] for test in root.iter("testcase")}
    told = " ".join(line(text) for test in root.iter("testcase") for text in test.itertext())
    assert {line(shortened(case.case.id, 300)) for case in failing} <= names
    assert len(failing) >= len(HOSTILE)
    assert [text for text in HOSTILE if line(text)[:100] not in told] == []


@pytest.mark.parametrize("render", [render_markdown, render_junit, render_terminal, render_verdict])
def test_nothing_that_acts_gets_out(hostile: View, render: Callable[[View], str]) -> None:
    text = render(replace(hostile, reasons=tuple(HOSTILE)))
    assert ACTING.findall(text) == []


def test_five_megabytes_of_text_fit_a_comment_and_a_junit_file(make_run: MakeRun) -> None:
    data: RunData = make_run(cases=10, texts=[HUGE] * 10).build()
    scores = tuple(replace(score, detail=HUGE) for score in held(data).scores)
    decision = replace(data.evaluation.decision, reasons=(HUGE,))
    evaluation = replace(data.evaluation, decision=decision)
    cases = tuple(with_text(case, HUGE) for case in held(data).cases)
    view = build_view(changed(data, cases=cases, scores=scores, evaluation=evaluation, comment="text"))
    summary = render_markdown(view)
    assert len(summary) < LIMIT
    assert summary.count("<details>") == summary.count("</details>")
    assert Rendered(summary).elements <= ELEMENTS
    assert len(render_junit(view)) < 1_000_000


# ------------------------------------------------------------------------------------------------------------- privacy


SECRET = "SECRET"


@pytest.fixture(scope="module")
def secretive(make_run: MakeRun) -> RunData:
    """A run with a secret in everything that is text of a customer's: ids, tags and reason codes are not."""
    data: RunData = make_run(texts=[f"{SECRET} answer"] * 30).build()
    scores = tuple(
        replace(s, detail=f"{SECRET} detail", extracted=SECRET, evidence=(SECRET,), facts={"said": SECRET})
        for s in held(data).scores
    )
    cases = tuple(
        replace(c, variables={"ticket": f"{SECRET} ticket"}, expected=f"{SECRET} expected") for c in held(data).cases
    )
    return changed(data, scores=scores, cases=cases, prompt=lambda *_: PromptView(f"{SECRET} prompt"))


@pytest.mark.parametrize("render", [render_markdown, render_junit, render_terminal, render_verdict])
def test_no_text_of_a_case_is_in_any_rendering_but_the_page(secretive: RunData, render: Callable[[View], str]) -> None:
    assert SECRET not in render(replace(build_view(secretive), report_url=URL))


def test_what_a_suite_lets_out_is_in_the_summary_and_in_junit_only(secretive: RunData) -> None:
    view = build_view(replace(secretive, comment="text"))
    for text in (render_markdown(view), render_junit(view)):
        for what in ("ticket", "expected", "answer", "detail"):
            assert f"{SECRET} {what}" in text
    assert SECRET not in render_terminal(view) + render_verdict(view)


def test_cases_that_did_not_change_are_not_told_with_their_texts(secretive: RunData) -> None:
    view = build_view(replace(secretive, comment="text"))
    same = next(case.case.id for case in view.cases if case.group is CaseGroup.UNCHANGED)
    only = [replace(c, variables={"ticket": "UNTOLD"}) if c.id == same else c for c in held(secretive).cases]
    text = render_markdown(build_view(changed(secretive, cases=tuple(only), comment="text")))
    assert "UNTOLD" not in text


# ---------------------------------------------------------------------------------------------------------------- links


def test_the_summary_and_junit_lead_to_the_page(make_run: MakeRun) -> None:
    view = build_view(make_run(cases=6).build())
    assert "Report: `index.html`" in render_markdown(view)
    assert "report" not in properties(render_junit(view))
    linked = replace(view, report_url="https://ci.example/1")
    assert "[Open the report](<https://ci.example/1>)" in render_markdown(linked)
    assert properties(render_junit(linked))["report"] == "https://ci.example/1"


def properties(xml: str) -> dict[str, str]:
    return {one.get("name", ""): one.get("value", "") for one in ET.fromstring(xml).iter("property")}  # noqa: S314


@pytest.mark.parametrize("url", ["https://x.example/)](y)", "https://x.example/a b>c", "https://[::1]:80/?a=1&lt;b"])
def test_an_address_cannot_end_its_link(url: str) -> None:
    shown = Rendered(markdown_link("Open", url))
    assert len(shown.addresses) == 1
    assert shown.prose == "Open\n"


# ----------------------------------------------------------------------------------------------- what CI systems read


SHAPE = {
    "testsuites": ({"name", "tests", "failures", "errors", "skipped", "time"}, {"testsuite"}),
    "testsuite": ({"name", "tests", "failures", "errors", "skipped", "time", "timestamp"}, {"properties", "testcase"}),
    "properties": (set(), {"property"}),
    "property": ({"name", "value"}, set()),
    "testcase": ({"classname", "name"}, {"failure", "error", "skipped", "system-out"}),
    "failure": ({"type", "message"}, set()),
    "error": ({"type", "message"}, set()),
    "skipped": ({"type", "message"}, set()),
    "system-out": (set(), set()),
}
"""Elements with the attributes and children that readers of JUnit's XML (Jenkins' and GitLab's) have in common."""
NEEDED = {"testsuite": {"name", "tests"}, "testcase": {"classname", "name"}, "property": {"name", "value"}}


def misshapen(element: ET.Element) -> Iterator[str]:
    """What is not as CI systems read it: unknown elements and attributes, missing names, wrong counts."""
    attributes, children = SHAPE[element.tag]
    if not set(element.attrib) <= attributes or not NEEDED.get(element.tag, set()) <= set(element.attrib):
        yield f"{element.tag} has {sorted(element.attrib)}"
    if not {child.tag for child in element} <= children:
        yield f"{element.tag} holds {sorted({child.tag for child in element})}"
    if element.tag in ("testsuite", "testsuites"):
        found = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}
        yield from (f"{key} of {element.tag}" for key, tag in found.items() if element.get(key) != count(element, tag))
    if element.tag == "testcase" and sum(child.tag != "system-out" for child in element) > 1:
        yield "a test case with several results"
    for child in element:
        yield from misshapen(child)


def count(element: ET.Element, tag: str) -> str:
    return str(sum(1 for _ in element.iter(tag)))


def test_junit_has_the_shape_that_ci_systems_read(hostile: View) -> None:
    root = ET.fromstring(render_junit(hostile, hostile))  # noqa: S314
    assert list(misshapen(root)) == []


def test_test_cases_have_names_of_their_own(make_run: MakeRun) -> None:
    root = ET.fromstring(render_junit(build_view(make_run(cases=140).build())))  # noqa: S314
    names = [(test.get("classname"), test.get("name")) for test in root.iter("testcase")]
    assert len(set(names)) == len(names)


def test_a_newly_failing_case_is_red_where_its_comparison_breaks_the_gate_and_skipped_elsewhere(
    make_run: MakeRun,
) -> None:
    view = build_view(make_run(cases=40).build())
    verdicts = {row.comparison.metric: row.comparison.verdict for row in view.comparisons[::2]}
    assert (verdicts["valid"], verdicts["queue"]) == (Verdict.REGRESSED, Verdict.INCONCLUSIVE)
    root = ET.fromstring(render_junit(view))  # noqa: S314
    found = {test.get("name"): [(r.tag, r.get("message")) for r in test] for test in root.iter("testcase")}
    assert found["delivery-002 [valid, november]"] == [("failure", "unextracted")]
    assert found["delivery-002 [queue, november]"] == [("skipped", f"newly fails{WITHIN}: unextracted")]


@pytest.mark.parametrize("word", list(DecisionWord))
def test_junit_is_red_exactly_when_the_gate_is(make_run: MakeRun, word: DecisionWord) -> None:
    data: RunData = make_run(cases=40).build()
    evaluation = replace(data.evaluation, decision=Decision(word, ("because.",)))
    root = ET.fromstring(render_junit(build_view(replace(data, evaluation=evaluation))))  # noqa: S314
    red = (root.get("failures"), root.get("errors")) != ("0", "0")
    assert red is (word in (DecisionWord.REGRESSION, DecisionWord.INCONCLUSIVE, DecisionWord.INCOMPLETE))


def test_more_newly_failing_cases_than_are_listed_are_counted_in_one(make_run: MakeRun) -> None:
    view = build_view(make_run(cases=6).build())
    case = next(case for case in view.cases.outlines if case.group is CaseGroup.NEWLY_FAILING)
    many = tuple(replace(case, id=f"c-{n}") for n in range(LISTED + 7))
    listed = CaseList(many, lambda *_: iter(()))
    root = ET.fromstring(render_junit(replace(view, cases=listed)))  # noqa: S314
    failing = sum(len(one.changes) for one in many)
    (rest,) = (test for test in root.iter("testcase") if (test.get("classname") or "").endswith(".newly_failing"))
    assert rest.get("name") == f"{failing - LISTED} more"
    assert sum((test.get("name") or "").startswith("c-") for test in root.iter("testcase")) == LISTED


def test_a_suite_takes_as_long_as_its_run_and_no_time_is_made_up(make_run: MakeRun) -> None:
    view = build_view(make_run(cases=6).build())
    running = replace(view, run=replace(view.run, finished_at=None))
    times = [ET.fromstring(render_junit(one)).find("testsuite").get("time") for one in (view, running)]  # type: ignore[union-attr]  # noqa: S314
    assert times == ["151.000", None]


def test_a_suite_takes_as_long_as_the_attempt_that_took_its_run_up(make_run: MakeRun) -> None:
    view = build_view(make_run(cases=6).build())
    began = "2030-01-02T00:00:00+00:00"
    taken_up = replace(view.run, attempt_started_at=began, finished_at="2030-01-02T00:00:07+00:00")
    suite = ET.fromstring(render_junit(replace(view, run=taken_up))).find("testsuite")  # noqa: S314
    assert suite is not None
    assert (suite.get("time"), suite.get("timestamp")) == ("7.000", began)


# -------------------------------------------------------------------------------------------------------------- words


def test_the_terminal_counts_the_notes_that_it_does_not_tell(make_run: MakeRun) -> None:
    view = replace(build_view(make_run(cases=6).build()), notes=tuple(f"note {n}." for n in range(9)))
    text = render_terminal(view)
    assert "note: note 5." in text
    assert "note 6." not in text
    assert "and 3 more notes in the report" in text


def test_metrics_without_a_margin_are_named_where_cases_newly_fail_on_them(make_run: MakeRun) -> None:
    data: RunData = make_run(cases=40).build()
    asked = tuple(
        replace(c, margin=None, gating=False) if c.metric == "queue" else c for c in data.evaluation.comparisons
    )
    view = build_view(replace(data, evaluation=replace(data.evaluation, comparisons=asked, attributions=())))
    november, alias = (sentence for _, sentence in view.change_sentences)
    assert november.startswith("november: 8 cases newly fail, none newly passes on metrics with a margin")
    assert november.endswith("; on metrics without a margin: 9 newly fail on queue.")
    assert alias == "alias: no case newly fails or newly passes on metrics with a margin."
    terminal, summary = render_terminal(view, width=200), render_markdown(view)
    assert summary.count("(no margin asked)") == 2
    assert terminal.count(" *\n") + terminal.count(" * (") == 2
    assert terminal.count("* no margin is asked") == 1
    for text in (terminal, summary):
        assert text.count("(warns only)") == 2


@pytest.mark.parametrize("render", [render_terminal, render_markdown])
def test_what_the_intervals_are_is_said_once(make_run: MakeRun, render: Callable[[View], str]) -> None:
    assert render(build_view(make_run(cases=6).build())).count("Intervals are 90% intervals (1 − 2α)") == 1
