from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.reports.held import changed, held

from snapdrift.errors import StoreError
from snapdrift.model import Call, CallKey, Endpoint, Request
from snapdrift.privacy import Privacy
from snapdrift.reports import RunData, build_view, render_terminal, render_verdict, run_data, source
from snapdrift.reports.asked import PromptView, read_prompt
from snapdrift.reports.html import render_html
from snapdrift.reports.junit import render_junit
from snapdrift.reports.redaction import redacted
from snapdrift.reports.results import render_csv
from snapdrift.reports.thumbnails import Album
from snapdrift.store.header import RunHeader
from snapdrift.store.reader import StoredRun, open_run
from snapdrift.store.writer import RunWriter

MakeRun = Callable[..., Any]
INSTRUCTIONS = "Answer only with the JSON asked for."


def _write(path: Path, data: RunData, *, concluded: bool) -> None:
    run = data.run
    header = RunHeader(
        run_id=run.run_id,
        suite=run.suite,
        gate=run.gate,
        started_at=run.started_at,
        seed=run.seed,
        attempt=run.attempt,
        identity="",
        suite_stored={"description": run.description, "path": run.suite_path},
        suite_hash=run.suite_hash,
        dataset_hash=run.dataset_hash,
        versions=dict(run.versions),
        git_commit=run.git_commit,
        git_dirty=run.git_dirty,
        catalog={},
        assumptions={},
        planned_repeats=data.repeats,
        partial=run.partial,
        command="",
        variants=data.variants,
    )
    answers = (*held(data).responses, *held(data).judged)
    calls = [Call(response.call, place) for place, response in enumerate(answers)]
    with RunWriter.create(path, header, held(data).cases, calls) as writer:
        for response in answers:
            body = {"instructions": INSTRUCTIONS, "input": response.call.case_id}
            writer.record_now(response, Request(response.call, 0, Endpoint.RESPONSES, "http://x", body, ""))
        writer.add_scores(held(data).scores)
        if concluded:
            writer.set_evaluation(data.evaluation)
        writer.finish(run.finished_at or "")


@pytest.fixture
def stored(make_run: MakeRun, tmp_path: Path) -> Iterator[StoredRun]:
    _write(tmp_path / "run.db", make_run(cases=12).build(), concluded=True)
    with open_run(tmp_path / "run.db") as run:
        yield run


@pytest.mark.parametrize("kept", [True, False], ids=["small", "large"])
def test_a_stored_run_gives_the_same_reports_as_the_run_itself_also_when_its_file_was_closed(
    make_run: MakeRun, stored: StoredRun, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    if not kept:
        monkeypatch.setattr(source, "_FEW", 0)
    data: RunData = make_run(cases=12).build()
    data = replace(data, run=replace(data.run, attempt_started_at=stored.attempt_started_at))
    data = changed(
        data, prompt=lambda case, _: PromptView(f"[instructions]\n{INSTRUCTIONS}\n\n[user]\n{case}", said=case)
    )
    view, expected = build_view(run_data(stored, data.metrics, data.warnings)), build_view(data)
    stored.close()
    for render in (render_html, render_csv, render_junit, render_verdict, render_terminal):
        assert render(view) == render(expected), render.__name__


def test_a_reply_about_an_equal_answer_to_another_case_is_read_with_the_case_that_shares_it(
    make_run: MakeRun, tmp_path: Path
) -> None:
    data: RunData = make_run(cases=40).build()
    (first, *_, last) = (response.call for response in held(data).responses if response.call.variant == "august")
    asked = replace(held(data).responses[0], call=replace(first, grader="tone"), text="good")
    scores = tuple(
        replace(s, facts={"verdict_of": str(first)}) if (s.case_id, s.metric) == (last.case_id, "tone") else s
        for s in held(data).scores
    )
    _write(tmp_path / "run.db", changed(data, judged=(asked,), scores=scores), concluded=True)
    with open_run(tmp_path / "run.db") as run:
        cases = build_view(run_data(run, data.metrics)).cases
    sharing = next(case for case in cases if case.case.id == last.case_id)

    assert [reply.text for answer in sharing.answers for reply in answer.judged] == ["good"] * 3


def test_a_stored_run_whose_answers_are_redacted_gives_none_of_them_out(make_run: MakeRun, stored: StoredRun) -> None:
    data: RunData = make_run(cases=12).build()
    view = build_view(redacted(run_data(stored, data.metrics), Privacy(("answer",))))
    shown = {answer.response.text for case in view.cases for answer in case.answers if answer.response is not None}

    assert shown <= {"", "redacted: answer A", "redacted: answer B", "redacted: answer C"}
    assert len(shown) > 1


def test_a_stored_run_renders_with_the_prompts_that_were_sent(make_run: MakeRun, stored: StoredRun) -> None:
    view = build_view(run_data(stored, make_run().build().metrics))
    assert view.cases[0].prompts["august"].text == (
        f"[instructions]\nAnswer only with the JSON asked for.\n\n[user]\n{view.cases[0].case.id}"
    )
    assert "<h1>" in render_html(view)


def test_a_run_from_which_nothing_was_concluded_says_how_to_go_on(make_run: MakeRun, tmp_path: Path) -> None:
    _write(tmp_path / "run.db", make_run(cases=12).build(), concluded=False)
    with open_run(tmp_path / "run.db") as run, pytest.raises(StoreError, match="snapdrift resume"):
        run_data(run, ())


def read(body: dict[str, Any], names: dict[str, str] | None = None, album: Album | None = None) -> PromptView:
    request = Request(CallKey("a", "b", 0), 0, Endpoint.RESPONSES, "http://x", body, "")
    return read_prompt(request, names or {}, album or Album())


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"input": "just this"}, "just this"),
        ({"instructions": "be brief", "input": "hello"}, "[instructions]\nbe brief\n\n[user]\nhello"),
        ({"input": [{"role": "user", "content": [{"type": "input_text", "text": "hello"}]}]}, "hello"),
        (
            {"messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hello"}]},
            "[system]\nbe brief\n\n[user]\nhello",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_text", "text": "see"}, {"type": "input_audio"}]}]},
            "see\n[input_audio]",
        ),
        (
            {"messages": [{"role": "assistant", "content": None}, {"role": "user", "content": "and?"}]},
            "[assistant]\n\n\n[user]\nand?",
        ),
    ],
)
def test_a_prompt_reads_as_text(body: dict[str, Any], text: str) -> None:
    assert read(body).text == text
