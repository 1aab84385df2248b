"""What the text renderings say, and that they agree with each other and with the gate."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from tests.reports.held import changed, held
from tests.reports.hostile import HOSTILE

from snapdrift.acceptances import Acceptance
from snapdrift.conclusions import Decision, Operational
from snapdrift.model import (
    CallKey,
    DecisionWord,
    Failure,
    FailureKind,
    MustPass,
    OnInconclusive,
    Outcome,
    Policy,
    Reason,
    Response,
    Score,
    Severity,
    Source,
    Verdict,
)
from snapdrift.reports import (
    RunData,
    View,
    build_view,
    render_terminal,
    render_verdict,
    render_verdicts,
    verdict_document,
)
from snapdrift.reports.escaping import markdown, markdown_code, visible
from snapdrift.reports.failures import FailureTally, GraderErrorTally
from snapdrift.reports.figures import difference_interval, p_value, percent, seconds, signed, typeset, usd
from snapdrift.reports.html import render_html
from snapdrift.reports.junit import comparison_sentence, render_junit
from snapdrift.reports.junit_cases import BREAKS_ELSEWHERE, WITHIN
from snapdrift.reports.markdown import LIMIT, render_markdown
from snapdrift.reports.words import Compared, change_sentence, disagreement_sentence
from snapdrift.verdicts.words import p_text

MakeRun = Callable[..., Any]


def hostile_view(make_run: MakeRun) -> View:
    """A view with hostile text wherever a suite, a dataset or a model can put some."""
    data: RunData = make_run(cases=len(HOSTILE) * 3, ids=HOSTILE, texts=HOSTILE).build()
    ugly = " ".join(HOSTILE)
    decision = replace(data.evaluation.decision, reasons=(ugly,), warnings=tuple(HOSTILE[:3]))
    run = replace(data.run, suite=HOSTILE[0], gate=HOSTILE[4], run_id=HOSTILE[1])
    accepted = tuple(Acceptance(text, "valid", text, text, "2027-02-20") for text in HOSTILE)
    evaluation = replace(data.evaluation, decision=decision, acceptances=accepted)
    return build_view(replace(data, run=run, evaluation=evaluation, warnings=tuple(HOSTILE)))


@pytest.mark.parametrize("render", [render_markdown, render_junit, render_terminal, render_verdict])
def test_nothing_that_acts_on_a_terminal_or_turns_text_around_gets_out(
    make_run: MakeRun, render: Callable[[View], str]
) -> None:
    text = render(hostile_view(make_run))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", text)


def test_the_page_shows_hostile_acceptances_as_text(make_run: MakeRun) -> None:
    page = render_html(hostile_view(make_run))
    section = page[page.index('id="accepted-title"') : page.index("What speaks for a candidate is claimed")]
    assert section.count("<td>2027-02-20</td>") == len(HOSTILE)
    assert not re.search("<(?!/?(?:h2|span|div|table|thead|tbody|tr|th|td|a|b|p)[ >])", section)
    assert not re.search("[\u2028-\u202e\u2066-\u2069]", section)


def test_the_summary_of_a_huge_run_still_fits_a_comment(make_run: MakeRun) -> None:
    ids = ["[" * 500 + str(number) for number in range(1500)]
    assert len(render_markdown(build_view(make_run(cases=1500, ids=ids).build()))) < LIMIT


def test_the_summary_counts_the_cases_that_it_does_not_list(make_run: MakeRun) -> None:
    view = build_view(make_run(cases=1500).build())
    block = render_markdown(view).split("<details>")[1]
    more = int(re.findall(r"and (\d+) more, in the report", block)[0])
    assert block.count("\n- `") + more == sum(case.group.rank == 0 for case in view.cases)


def two_runs(make_run: MakeRun, **more: Any) -> list[View]:
    data: RunData = make_run(**more).build()
    return [build_view(data), build_view(replace(data, run=replace(data.run, suite="another suite")))]


def test_junit_of_several_runs_has_a_test_suite_for_each_and_counts_them_all(make_run: MakeRun) -> None:
    views = two_runs(make_run)
    root = ET.fromstring(render_junit(*views))  # noqa: S314
    suites = root.findall("testsuite")
    assert [suite.get("name") for suite in suites] == ["ticket-triage (default)", "another suite (default)"]
    assert int(root.get("tests", "")) == sum(int(suite.get("tests", "")) for suite in suites)
    assert int(root.get("failures", "")) == len(root.findall("testsuite/testcase/failure"))


@pytest.mark.parametrize("runs", [2, 40])
def test_the_summary_of_several_huge_runs_has_a_section_for_each_and_fits(make_run: MakeRun, runs: int) -> None:
    ids = ["[" * 500 + str(number) for number in range(200)]
    summary = render_markdown(*[build_view(make_run(cases=200, ids=ids).build())] * runs)
    assert len(summary) < LIMIT
    assert summary.count("### ticket-triage: ") == runs
    assert summary.count("<details>") == summary.count("</details>")


def test_json_is_one_document_of_one_run_and_an_array_of_several(make_run: MakeRun) -> None:
    views = two_runs(make_run)
    assert json.loads(render_verdicts(views[:1])) == verdict_document(views[0])
    assert json.loads(render_verdicts(views)) == [verdict_document(view) for view in views]


def test_a_newly_passing_case_does_not_carry_its_old_failure_as_its_state(make_run: MakeRun) -> None:
    block = render_markdown(build_view(make_run(cases=40).build())).split("newly passing</summary>")[1]
    assert "(was wrong)" in block
    assert "(wrong)" not in block


@pytest.mark.parametrize("p", [0.00003, 0.00005, 0.00009, 0.0401, 1.0])
def test_a_p_value_reads_the_same_in_junit_in_sentences_and_in_tables(make_run: MakeRun, p: float) -> None:
    data: RunData = make_run().build()
    compared = tuple(replace(c, p_adjusted=p, gating=True) for c in data.evaluation.comparisons)
    view = build_view(replace(data, evaluation=replace(data.evaluation, comparisons=compared)))
    assert f"Holm-adjusted {p_text(p)}," in comparison_sentence(view.comparisons[0])
    assert p_text(p) in (f"p {p_value(p)}", f"p = {p_value(p)}")


def unanswered(data: RunData, names: set[str], asked: Source) -> RunData:
    """The run with no answers of the variants `names`, which was asked of `asked`."""
    variants = tuple(replace(v, sources={}) if v.name in names else v for v in data.evaluation.variants)
    return replace(data, asked=asked, evaluation=replace(data.evaluation, variants=variants))


@pytest.mark.parametrize("render", [render_markdown, render_junit, render_terminal, render_verdict, render_html])
def test_a_stand_in_that_never_answered_is_labelled(make_run: MakeRun, render: Callable[[View], str]) -> None:
    data = unanswered(make_run().build(), {"august", "november", "alias"}, Source.SIMULATED)
    view = build_view(data)
    assert view.labels[0].meaning == "august, november, alias: asked a stand-in, which gave no answer."
    assert {v.source for v in view.variants} == {Source.SIMULATED}
    assert not view.paid
    assert "simulated" in render(view)


def test_a_variant_without_answers_is_labelled_beside_one_with_made_up_ones(make_run: MakeRun) -> None:
    view = build_view(unanswered(make_run().build(), {"november"}, Source.SIMULATED))
    assert [v.label for v in view.variants] == ["simulated"] * 3
    [label] = [label for label in view.labels if label.word == "simulated"]
    assert label.meaning.startswith("Answers of august, alias are made up by the stand-in")
    assert label.meaning.endswith("november: asked a stand-in, which gave no answer.")


@pytest.mark.parametrize("asked", [Source.OPENAI, Source.HOST])
def test_a_host_that_never_answered_is_the_source_and_bears_no_label(make_run: MakeRun, asked: Source) -> None:
    view = build_view(unanswered(make_run().build(), {"august", "november", "alias"}, asked))
    assert {v["source"] for v in verdict_document(view)["variants"]} == {asked.value}
    assert "simulated" not in [label.word for label in view.labels]


def test_junit_is_red_when_the_gate_is(make_run: MakeRun) -> None:
    root = ET.fromstring(render_junit(build_view(make_run(cases=140).build())))  # noqa: S314
    failed = {(t.get("classname"), t.get("name")) for t in root.iter("testcase") if t.find("failure") is not None}
    assert ("ticket-triage.valid", "november against august") in failed
    assert ("ticket-triage.gate", "decision") in failed


@pytest.mark.parametrize(
    ("word", "tag"),
    [
        (DecisionWord.REGRESSION, "failure"),
        (DecisionWord.INCONCLUSIVE, "failure"),
        (DecisionWord.INCOMPLETE, "error"),
        (DecisionWord.NOT_GATED, "skipped"),
    ],
)
def test_junit_shows_every_decision_that_is_not_a_pass(make_run: MakeRun, word: DecisionWord, tag: str) -> None:
    data: RunData = make_run().build()
    evaluation = replace(data.evaluation, decision=Decision(word, ("because.",)))
    root = ET.fromstring(render_junit(build_view(replace(data, evaluation=evaluation))))  # noqa: S314
    decision = next(t for t in root.iter("testcase") if t.get("name") == "decision")
    assert [child.tag for child in decision] == [tag]


def test_junit_of_a_pass_is_green(make_run: MakeRun) -> None:
    data: RunData = make_run().build()
    alike = tuple(replace(c, verdict=Verdict.NO_WORSE) for c in data.evaluation.comparisons)
    gate = replace(data.evaluation.gate, metrics=())
    evaluation = replace(data.evaluation, decision=Decision(DecisionWord.PASSED), comparisons=alike, gate=gate)
    root = ET.fromstring(render_junit(build_view(replace(data, evaluation=evaluation))))  # noqa: S314
    assert (root.get("failures"), root.get("errors")) == ("0", "0")
    assert {test.get("message", "").partition(":")[0] for test in root.iter("skipped")} == {f"newly fails{WITHIN}"}


@pytest.mark.parametrize(
    ("gate", "red"),
    [
        ({"policy": Policy.CATCH}, False),
        ({"policy": Policy.CATCH, "inconclusive": OnInconclusive.FAIL}, True),
        ({"policy": Policy.PROVE}, True),
    ],
)
def test_junit_shows_an_inconclusive_metric_as_the_gate_takes_it(
    make_run: MakeRun, gate: dict[str, Any], *, red: bool
) -> None:
    data: RunData = make_run().build(**gate)
    unsure = tuple(replace(c, verdict=Verdict.INCONCLUSIVE) for c in data.evaluation.comparisons)
    view = build_view(replace(data, evaluation=replace(data.evaluation, comparisons=unsure)))
    root = ET.fromstring(render_junit(view))  # noqa: S314
    test = next(t for t in root.iter("testcase") if t.get("classname") == "ticket-triage.queue")
    assert (test.find("failure") is not None) is red


def test_junit_has_a_test_case_for_an_increase_over_its_limit(make_run: MakeRun) -> None:
    data: RunData = make_run().build()
    cost = Operational("cost", "august", "november", 1.0, 1.5, 1.5, 0.2, Severity.FAIL)
    view = build_view(replace(data, evaluation=replace(data.evaluation, operational=(cost,))))
    root = ET.fromstring(render_junit(view))  # noqa: S314
    test = next(t for t in root.iter("testcase") if t.get("classname") == "ticket-triage.cost")
    assert test.find("failure") is not None


def dearer(**tests: Any) -> Operational:
    """A cost that rose by 24% where 20% are allowed."""
    shown = {"tested_ratio": 1.24, "interval": (1.18, None), "quantity": "mean", "n": 30, "p_more": 0.001, **tests}
    return Operational("cost", "august", "november", 1.0, 1.24, 1.24, 0.2, Severity.FAIL, **shown)


@pytest.mark.parametrize(
    ("tests", "said"),
    [
        ({"p_over": 0.03}, "over it, shown"),
        ({"p_over": 0.3}, "over it as observed; an increase is shown, not one over the limit"),
        ({"p_more": 0.3, "p_over": 0.6}, "over it as observed, not shown: it may be chance"),
    ],
)
def test_every_rendering_says_whether_an_increase_over_its_limit_is_shown(
    make_run: MakeRun, tests: dict[str, Any], said: str
) -> None:
    data: RunData = make_run().build()
    view = build_view(replace(data, evaluation=replace(data.evaluation, operational=(dearer(**tests),))))
    row = f"cost +24% [+18%, open], limit +20%: {said}"
    assert row in " ".join(render_terminal(view).split())
    assert row in render_markdown(view).replace("\\", "")
    assert f"limit +20%: {said}" in render_junit(view)
    assert f"limit +20%: {said}" in render_html(view)
    (entry,) = verdict_document(view)["operational"]
    assert entry["sentence"].endswith(f"limit +20%: {said}.")
    assert (entry["interval"], entry["standing"][:4]) == ([1.18, None], "over")


def test_a_run_that_compares_nothing_has_no_operational_lines(make_run: MakeRun) -> None:
    data: RunData = make_run().build()
    view = build_view(replace(data, evaluation=replace(data.evaluation, operational=())))
    assert "Cost, latency and length" not in render_html(view)
    assert "latency +" not in render_terminal(view)


def test_junit_has_a_test_case_for_each_must_pass_case(make_run: MakeRun) -> None:
    view = build_view(make_run(cases=12).build(must_pass=MustPass(cases=("delivery-002", "billing-009"))))
    root = ET.fromstring(render_junit(view))  # noqa: S314
    tests = [t for t in root.iter("testcase") if t.get("classname") == "ticket-triage.must_pass"]
    assert {t.get("name"): [child.tag for child in t] for t in tests} == {
        "delivery-002 on november": ["failure"],
        "delivery-002 on alias": [],
        "billing-009 on november": ["error"],
        "billing-009 on alias": [],
    }


def test_junit_calls_no_newly_failing_case_within_the_gate_that_breaks_it_as_a_must_pass_case(
    make_run: MakeRun,
) -> None:
    view = build_view(make_run(cases=12).build(must_pass=MustPass(cases=("delivery-002",))))
    root = ET.fromstring(render_junit(view))  # noqa: S314
    skipped = {t.get("name", ""): t.find("skipped") for t in root.iter("testcase") if t.find("skipped") is not None}
    told = {name: str(found.get("message")) for name, found in skipped.items() if found is not None}
    golden = [text for name, text in told.items() if name.startswith("delivery-002 ")]
    assert golden
    assert all(text.startswith(f"newly fails{BREAKS_ELSEWHERE}: ") for text in golden)
    assert any(text.startswith(f"newly fails{WITHIN}: ") for text in told.values())


def test_an_interval_that_seems_to_disagree_is_explained_by_what_makes_it_so(make_run: MakeRun) -> None:
    one = make_run().build().evaluation.comparisons[0]
    shown = replace(one, ci=(-0.4, 0.005), verdict=Verdict.REGRESSED, method="sign_flip_exact")
    unclear = replace(one, ci=(-0.4, -0.005), verdict=Verdict.INCONCLUSIVE, gating=True, confidence=0.95)
    adjusted = replace(unclear, p_value=0.02, p_adjusted=0.08, metric="b")
    assert disagreement_sentence([replace(shown, metric="a"), adjusted]) == (
        "Interval and verdict seem to disagree on a of november: the interval is another method than the test "
        "(sign_flip_exact), and wider; on b of november: the p-value is adjusted for how many comparisons gate, the "
        "interval is not. The verdict decides; an interval is for reading."
    )
    strict = replace(unclear, p_value=0.06, p_adjusted=0.08, method="mcnemar_exact")
    assert "the test (mcnemar_exact) is another method than the interval, and stricter" in disagreement_sentence(
        [strict]
    )


def test_a_run_that_is_short_of_answers_opens_with_why(make_run: MakeRun) -> None:
    data: RunData = make_run(cases=12).build()
    gone = Failure(FailureKind.MODEL_NOT_FOUND, "no such model", retryable=False, status=404, code="x")
    unanswered = [replace(r, failure=gone) if r.outcome is Outcome.API_ERROR else r for r in held(data).responses]
    short = Decision(DecisionWord.INCOMPLETE, ("`november` was measured on 91.7%.",))
    evaluation = replace(data.evaluation, decision=short)
    view = build_view(changed(data, responses=tuple(unanswered), evaluation=evaluation))
    assert view.headline == "1 call of `november` got no answer (model_not_found)."
    assert verdict_document(view)["headline"] == view.headline
    assert view.reasons == short.reasons


def test_verdict_json_has_the_fields_that_are_promised(make_run: MakeRun) -> None:
    document = verdict_document(build_view(make_run().build()))
    assert document["format"] == "snapdrift.verdict/1"
    assert set(document) >= {"format", "run", "variants", "metrics", "comparisons", "decision"}
    assert set(document["run"]) >= {"id", "suite", "gate", "started_at", "finished_at", "seed", "attempt"}
    assert set(document["variants"][0]) >= {
        "name", "model", "endpoint", "resolved_models", "planned", "requests", "source", "outcomes", "coverage",
        "tokens", "usd", "judge_usd", "latency_ms",
    }  # fmt: skip
    assert set(document["metrics"][0]) >= {"variant", "metric", "n", "mean", "ci", "unextracted", "grader_errors"}
    assert set(document["comparisons"][0]) >= {
        "metric", "baseline", "candidate", "severity", "n", "table", "difference", "ci", "p_value", "p_two_sided",
        "p_adjusted", "method", "margin", "confidence", "verdict", "detectable_difference", "cases_to_resolve",
    }  # fmt: skip
    assert set(document["decision"]) == {"word", "exit_code", "reasons", "warnings", "would_miss"}


def test_verdict_json_has_a_null_table_where_scores_are_graded(make_run: MakeRun) -> None:
    document = verdict_document(build_view(make_run().build()))
    assert {c["metric"] for c in document["comparisons"] if c["table"] is None} == {"tone"}


def test_verdict_json_survives_a_round_trip(make_run: MakeRun) -> None:
    view = hostile_view(make_run)
    assert json.loads(render_verdict(view))["run"]["suite"] == view.run.suite


def test_the_terminal_summary_keeps_its_width(make_run: MakeRun) -> None:
    text = render_terminal(build_view(make_run().build()), width=80)
    assert max(map(len, text.splitlines())) <= 80


def test_the_terminal_folds_no_interval_and_has_no_column_for_one_candidate(make_run: MakeRun) -> None:
    data: RunData = make_run(cases=40).build()
    november = tuple(c for c in data.evaluation.comparisons if c.candidate == "november")
    alone = build_view(replace(data, evaluation=replace(data.evaluation, comparisons=november)))
    for view in (alone, build_view(data)):
        text = render_terminal(view, width=80)
        for row in view.comparisons:
            assert difference_interval(row.metric, row.comparison.ci) in text
        assert (re.search("^metric +candidate", text, re.MULTILINE) is None) is (view is alone)
    assert "\nnovember against august\n" in render_terminal(alone, width=80)


def test_the_terminal_summary_has_styles_only_when_asked(make_run: MakeRun) -> None:
    view = build_view(make_run().build())
    assert ("\x1b[" in render_terminal(view), "\x1b[" in render_terminal(view, color=True)) == (False, True)


def test_the_terminal_shows_markup_as_it_is(make_run: MakeRun) -> None:
    data: RunData = make_run().build()
    view = build_view(replace(data, run=replace(data.run, suite="[bold]suite[/bold]")))
    assert "[bold]suite[/bold]" in render_terminal(view)


@given(st.text())
def test_visible_text_is_its_own_visible_text(text: str) -> None:
    assert visible(visible(text)) == visible(text)


@given(st.text(alphabet=st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zs", "Zl", "Zp"))).filter(bool))
def test_markdown_text_reads_as_the_text_itself(text: str) -> None:
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse("x " + markdown(text))
    inline = [token for token in tokens if token.type == "inline"]
    assert len(inline) == 1
    assert "".join(c.content for c in inline[0].children or ()).replace("\u2060", "") == f"x {text}"


@given(st.text(alphabet="`a b", min_size=1).map(lambda text: " ".join(text.split())).filter(bool))
def test_markdown_code_reads_as_the_text_itself(text: str) -> None:
    tokens = MarkdownIt("commonmark").parse("x " + markdown_code(text))
    codes = [c.content for t in tokens for c in t.children or () if c.type == "code_inline"]
    assert codes == [text]


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0%"), (1.0, "100%"), (0.9999, "99.9%"), (0.00001, "0.1%"), (0.5, "50.0%"), (None, "–")]
)
def test_a_share_never_rounds_up_to_all_or_down_to_none(share: float | None, text: str) -> None:
    assert percent(share) == text


def test_a_difference_that_rounds_to_nothing_has_no_sign() -> None:
    assert [signed(-0.01), signed(0.04), signed(-4.1)] == ["0.0", "0.0", "−4.1"]


def test_amounts_have_their_units() -> None:
    assert [usd(0.0042), usd(1234.5), usd(None), seconds(640.4), seconds(99), seconds(12_345)] == [
        "$0.0042", "$1,234.50", "price unknown", "0.64 s", "99 ms", "12.3 s",
    ]  # fmt: skip


def test_names_keep_their_hyphens_when_a_sentence_is_set() -> None:
    assert (
        typeset("`a -1` fell by -2.0 [-3.0, -1.0] in gpt-4o-2024") == "`a -1` fell by −2.0 [−3.0, −1.0] in gpt-4o-2024"
    )


@pytest.mark.parametrize(
    ("reasons", "passing", "sentence"),
    [
        ([], 0, "No case newly fails or newly passes."),
        ([], 1, "No case newly fails, 1 newly passes."),
        (["wrong"], 0, "1 case newly fails, none newly passes."),
        (["wrong", "wrong"], 1, "2 cases newly fail, 1 newly passes; all of the 2 are wrong answers."),
        (
            ["wrong", "refused"],
            2,
            "2 cases newly fail, 2 newly pass; of the 2, 1 is a wrong answer, 1 ended without an answer.",
        ),
    ],
)
def test_the_change_sentence_counts_truly(reasons: list[str], passing: int, sentence: str) -> None:
    assert change_sentence(None, reasons, passing) == sentence


@pytest.mark.parametrize(
    ("causes", "why"),
    [
        (["content"], "; the failing one is content"),
        (["code_fence"], "; the failing one is format (code fence)"),
        (["content"] * 3, "; all of the 3 are content"),
        (["code_fence", "prose", "code_fence"], "; all of the 3 are format (code fence 2, text around the JSON 1)"),
        (["refused", "truncated"], "; all of the 2 gave no answer (refused 1, truncated 1)"),
        (["content"] * 3 + ["refused"] * 2, "; mostly content: 3 of the 5, 2 gave no answer (refused)"),
        (
            ["refused", "refused", "prose"],
            "; mostly without an answer: 2 of the 3 (refused), 1 is format (text around the JSON)",
        ),
        (
            ["content", "refused", "prose"],
            "; of the 3, 1 is content, 1 is format (text around the JSON), 1 gave no answer (refused)",
        ),
        (["code_fence", "code_fence", "content"], "; mostly format: 2 of the 3 (code fence), 1 is content"),
        (["content", "content", "prose"], "; mostly content: 2 of the 3, 1 is format (text around the JSON)"),
        (["content", "prose"], "; half content: 1 of the 2, 1 is format (text around the JSON)"),
        (["content", None], "; all of the 2 are wrong answers"),
    ],
)
def test_the_change_sentence_says_what_is_form_where_that_is_known_of_every_case(
    causes: list[str | None], why: str
) -> None:
    assert change_sentence(None, ["wrong"] * len(causes), 0, causes).endswith(f"none newly passes{why}.")


@pytest.mark.parametrize(
    ("compared", "failing", "sentence"),
    [
        (Compared(40, 0, 0), 0, "No case newly fails or newly passes."),
        (
            Compared(1, 0, 55),
            0,
            "Of 1 case measured on both sides, none newly fails or newly passes; 55 could not be compared.",
        ),
        (Compared(0, 0, 56), 0, "No case was measured on both sides; 56 could not be compared."),
        (
            Compared(9, 2, 1),
            1,
            "1 case newly fails, none newly passes; 1 could not be compared; 2 only on some metrics.",
        ),
    ],
)
def test_the_change_sentence_says_how_many_cases_could_not_be_compared(
    compared: Compared, failing: int, sentence: str
) -> None:
    assert change_sentence(None, ["wrong"] * failing, 0, compared=compared) == sentence


def test_calls_that_went_wrong_are_told_by_how() -> None:
    told = change_sentence(None, ["invalid_arguments", "tool_call_as_text", "tool_call_as_text", "truncated"], 0)
    assert told.endswith(
        "; of the 4, 1 calls a tool with invalid arguments, 2 write a tool call as text, 1 ended without an answer."
    )


def failed(variant: str, case_id: str, message: str, kind: FailureKind = FailureKind.BAD_REQUEST) -> Response:
    failure = Failure(kind, message, retryable=False, status=400, code="x")
    return Response(CallKey(case_id, variant, 0), Outcome.API_ERROR, "gpt-4o", failure=failure)


def failure_sentences(responses: Iterable[Response]) -> tuple[str, ...]:
    tally = FailureTally()
    for response in responses:
        tally.add(response)
    return tally.sentences()


def test_calls_without_an_answer_say_why_by_kind_and_the_most_frequent_first() -> None:
    told = failure_sentences(
        [
            failed("august", "b", "No such file: b"),
            failed("november", "a", "No such file: a."),
            failed("august", "c", "It timed out", FailureKind.TIMEOUT),
            Response(CallKey("d", "august", 0), Outcome.OK, "gpt-4o"),
        ]
    )
    assert told == (
        "2 calls of 2 variants, the first on case `a`: No such file: a.",
        "1 call of `august` on case `c`: It timed out.",
    )


def test_no_more_than_three_kinds_of_failures_are_told() -> None:
    kinds = (FailureKind.BAD_REQUEST, FailureKind.TIMEOUT, FailureKind.SERVER, FailureKind.QUOTA)
    told = failure_sentences(failed("august", str(place), "why", kind) for place, kind in enumerate(kinds))
    assert told[3:] == ("1 call for other reasons.",)


def ungraded(metric: str, case_id: str, why: str, reason: Reason = Reason.GRADER_ERROR) -> Score:
    return Score(case_id, "august", 0, metric, None, None, reason, detail=why)


def test_answers_that_could_not_be_graded_say_why_by_grader_and_the_most_frequent_first() -> None:
    tally = GraderErrorTally()
    tally.add(
        [
            ungraded("tone", "c", "no\n verdict"),
            ungraded("own", "b", "boom (graders/own.py:9)."),
            ungraded("own", "a", "boom (graders/own.py:9)."),
            ungraded("own.part", "a", "boom (graders/own.py:9)."),
            Score("d", "august", 0, "own", 1.0, passed=True, reason=Reason.PASSED),
        ]
    )
    assert tally.sentences() == (
        "`own` on 2 answers, the first of `august` on case `a`: boom (graders/own.py:9).",
        "`tone` on 1 answer, the first of `august` on case `c`: no verdict.",
    )
