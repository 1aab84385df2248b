"""No rendering holds what a suite's privacy rules take out, wherever in a run it stands."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

import pytest
from tests.reports.held import changed, held
from tests.reports.planted import ANSWER, COLUMNS, PROMPT, STOPPED, TOOL, WORDS, planted, word

from snapdrift.conclusions import Decision
from snapdrift.execution.budget import Refusal
from snapdrift.model import DecisionWord, Outcome
from snapdrift.privacy import Privacy
from snapdrift.reports import RunData, View, build_view, render_terminal, render_verdict
from snapdrift.reports.html import render_html
from snapdrift.reports.junit import render_junit
from snapdrift.reports.markdown import render_markdown
from snapdrift.reports.redaction import redacted
from snapdrift.verdicts.words import stop_sentence

EVERYTHING = (*ANSWER, *PROMPT, *WORDS, *COLUMNS, "expected", "tool_results")


@pytest.fixture(scope="module")
def run(make_run) -> RunData:
    return planted(make_run(cases=12).build())


def renderings(view: View) -> dict[str, str]:
    """Every rendering as text, the page with its chunks inflated."""
    page = render_html(view)
    chunks = re.findall(r'class="chunk"[^>]*>([^<]+)<', page)
    assert chunks
    inflated = [zlib.decompress(base64.b64decode(chunk)).decode() for chunk in chunks]
    return {
        "page": page + "".join(inflated),
        "terminal": render_terminal(view),
        "verdict": render_verdict(view),
        "junit": render_junit(view),
        "summary": render_markdown(view),
    }


def places_in(text: str) -> set[str]:
    return {place for place in EVERYTHING if word(place) in text}


def shown(data: RunData, rules: Privacy) -> set[str]:
    """The places whose words are anywhere in the view or its cases, which is all that renderings are made of."""
    view = build_view(redacted(data, rules, STOPPED))
    return places_in(repr((view, list(view.cases))))


def test_without_rules_every_word_is_there(run) -> None:
    assert shown(run, Privacy()) == set(EVERYTHING)
    texts = renderings(build_view(run))
    # What is in no page of today is not missed by it: how a call was asked for, and what was only graded by.
    assert places_in(texts["page"]) >= {
        *ANSWER,
        *PROMPT,
        "expected",
        "detail",
        "evidence",
        "extracted",
        "failure",
        "told",
    }


@pytest.mark.parametrize(
    ("rules", "gone"),
    [
        (Privacy(("answer",)), {*ANSWER, *WORDS}),
        (Privacy(("expected",)), {"expected", *WORDS}),
        (Privacy(("prompt",)), {*PROMPT, "result", "matched", *WORDS}),
        (Privacy(("context",)), {"context", *PROMPT, "result", "matched", *WORDS}),
        (Privacy(("tool_results",)), {"tool_results", *PROMPT, "result", "matched", *WORDS}),
        (Privacy(("answer", "context"), ("question",)), set(EVERYTHING) - {"question"}),
        (Privacy(("answer", "prompt"), ()), set(EVERYTHING)),
    ],
    ids=["answer", "expected", "prompt", "a column", "tool results", "the design's example", "everything"],
)
def test_what_is_redacted_is_nowhere_in_the_view_and_all_else_is(run, rules, gone) -> None:
    assert shown(run, rules) == set(EVERYTHING) - gone


def test_no_rendering_holds_what_is_redacted_and_the_page_has_what_is_kept(run) -> None:
    texts = renderings(build_view(redacted(run, Privacy(("answer", "context"), ("question",)), STOPPED)))
    found = {name: places_in(text) for name, text in texts.items()}
    assert found == {"page": {"question"}, "terminal": set(), "verdict": set(), "junit": set(), "summary": set()}
    assert STOPPED not in "".join(texts.values())


def test_the_words_of_a_host_that_ended_the_run_are_not_in_its_decision(run) -> None:
    shown = build_view(redacted(run, Privacy(("answer",)), STOPPED))
    assert STOPPED not in repr(shown)
    assert shown.decision.reasons[-1] == "asking ended early (redacted: host's words)"
    sentence = Decision(DecisionWord.INCOMPLETE, (stop_sentence(STOPPED),))
    told = build_view(
        redacted(replace(run, evaluation=replace(run.evaluation, decision=sentence)), Privacy(("answer",)), STOPPED)
    )
    assert told.decision.reasons == ("Asking ended early (redacted: host's words).",)
    given_up = "the deadline came before every call was asked (5 requests in flight given up)"
    own = f"{given_up}; {Refusal(1.0, 0.9, ' a day (2026-11-27, UTC)')}"
    late = replace(run, evaluation=replace(run.evaluation, decision=replace(run.evaluation.decision, reasons=(own,))))
    assert build_view(redacted(late, Privacy(("answer",)), own)).decision.reasons == (own,)


def test_why_the_shards_of_a_merged_run_ended_early_stays_unless_a_host_said_it(run) -> None:
    told = ("the deadline came before every call was asked", str(Refusal(1.0, 0.9)), str(Refusal(0.5, 0.4)))
    own = "; ".join(f"shard {number} of 3: {text}" for number, text in enumerate(told, 1))
    for stopped, shown in (
        (own, own),
        (f"{own}; shard 3 of 3: {STOPPED}", "asking ended early (redacted: host's words)"),
    ):
        decision = replace(run.evaluation.decision, reasons=(stopped,))
        short = replace(run, evaluation=replace(run.evaluation, decision=decision))
        assert build_view(redacted(short, Privacy(("answer",)), stopped)).decision.reasons == (shown,)


def test_outcomes_reasons_numbers_and_what_was_concluded_stay(run) -> None:
    before, after = build_view(run), build_view(redacted(run, Privacy(("answer",), ())))
    assert [(c.case.id, c.group, c.states, c.changes) for c in after.cases] == [
        (c.case.id, c.group, c.states, c.changes) for c in before.cases
    ]
    for one, other in zip(before.cases, after.cases, strict=True):
        for mine, yours in zip(one.answers, other.answers, strict=True):
            assert [(s.metric, s.value, s.passed, s.reason) for s in mine.scores] == [
                (s.metric, s.value, s.passed, s.reason) for s in yours.scores
            ]
            assert mine.outcome is yours.outcome
            if mine.response and yours.response:
                assert (mine.response.usage, mine.response.usd) == (yours.response.usage, yours.response.usd)
    assert after.comparisons == before.comparisons
    assert after.headline == before.headline


def test_texts_of_a_case_that_are_the_same_bear_the_same_letter_and_others_another(run) -> None:
    data = redacted(run, Privacy(("answer",)))
    said = {r.call.variant: r.text for r in held(data).responses if r.call.case_id == held(data).cases[0].id}
    assert said["august"] == said["alias"] != said["november"]
    assert re.fullmatch(r"redacted: answer [A-Z]", said["november"])


def test_a_length_is_told_of_long_texts_only_and_to_the_nearest_hundred(run) -> None:
    texts = {"short": "n" * 199, "long": "n" * 1234}
    for length, text in texts.items():
        longer = tuple(replace(r, text=text, refusal=None, outcome=Outcome.OK) for r in held(run).responses)
        told = held(redacted(changed(run, responses=longer), Privacy(("answer",)))).responses[-1].text
        assert told == "redacted: answer A" + (", about 1,200 characters" if length == "long" else "")


@dataclass(frozen=True, slots=True)
class LaterRunData(RunData):
    """A run with fields that redaction has never heard of."""

    remark: str = ""
    remarks: Mapping[str, str] = field(default_factory=dict)


def test_what_is_new_in_a_run_is_left_out_until_somebody_says_that_it_may_be_shown(run) -> None:
    known = {each.name: getattr(run, each.name) for each in fields(run)}
    later = LaterRunData(**known, remark="swordfish", remarks={"a": "swordfish"})
    assert "swordfish" not in repr(redacted(later, Privacy(("answer",))))
    assert "swordfish" in repr(redacted(later, Privacy()))


def test_redacting_twice_changes_nothing(run) -> None:
    for rules in (Privacy(("answer",), ("question",)), Privacy(("tool_results",))):
        once = redacted(run, rules, STOPPED)
        twice = redacted(once, rules, STOPPED)
        assert held(twice) == held(once)
        assert replace(twice, records=once.records) == once


def test_an_answer_that_looks_like_a_placeholder_is_redacted_too(run) -> None:
    told = "redacted: answer my word is swordfish"
    data = changed(run, responses=tuple(replace(r, text=told) for r in held(run).responses))
    assert "swordfish" not in repr(held(redacted(data, Privacy(("answer",)))).responses)


def test_tools_of_the_suite_keep_their_names_unless_the_prompt_is_redacted(run) -> None:
    def names(rules: Privacy) -> set[str]:
        data = redacted(run, rules)
        return {call.name for r in held(data).responses for call in r.tool_calls}

    assert TOOL in names(Privacy(("answer",)))
    assert TOOL not in names(Privacy(("answer", "prompt")))


def test_a_label_says_what_is_missing_wherever_the_run_is_told_of(run) -> None:
    view = build_view(redacted(run, Privacy(("answer",), ("question",))))
    word_of, meaning = view.labels[-1].word, view.labels[-1].meaning
    assert word_of == "redacted: answer, expected, context, tool_results"
    assert "rendered prompts are not shown" in meaning
    for name, text in renderings(view).items():
        assert "redacted: answer, expected, context" in " ".join(text.split()).replace("\\", ""), name
    assert json.loads(render_verdict(view))["labels"][-1]["word"] == word_of


def test_columns_with_hostile_names_and_many_of_them_are_told_harmlessly(run) -> None:
    names = {f"\u202ex{'y' * 99}{number}": "swordfish" for number in range(50)}
    data = changed(run, cases=tuple(replace(case, variables=names) for case in held(run).cases))
    label = build_view(redacted(data, Privacy(keep=()))).labels[-1]
    assert "\u202e" not in label.word + label.meaning
    assert label.word.endswith("and 48 more")
    assert "and 12 more; rendered prompts" in label.meaning


def test_what_comments_hold_is_as_the_suite_says(run) -> None:
    assert build_view(redacted(run, Privacy())).comment == "ids"
    assert build_view(redacted(run, Privacy(comment="text"))).comment == "text"
    assert build_view(redacted(run, Privacy(("answer",), comment="text"))).comment == "text"
