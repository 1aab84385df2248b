from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.reports.held import held

from snapdrift.errors import StoreError
from snapdrift.model import Call, CallKey, Endpoint, Request
from snapdrift.reports import RunData, build_view, render_terminal, render_verdict, run_data
from snapdrift.reports.asked import PromptView, read_prompt
from snapdrift.reports.html import render_html
from snapdrift.reports.thumbnails import Album
from snapdrift.store.header import RunHeader
from snapdrift.store.reader import StoredRun, open_run
from snapdrift.store.writer import RunWriter

MakeRun = Callable[..., Any]


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
    calls = [Call(response.call, place) for place, response in enumerate(held(data).responses)]
    with RunWriter.create(path, header, held(data).cases, calls) as writer:
        for response in held(data).responses:
            body = {"instructions": "Answer only with the JSON asked for.", "input": response.call.case_id}
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


@pytest.mark.parametrize("render", [render_verdict, render_terminal])
def test_a_stored_run_gives_the_same_report_as_the_run_itself(
    make_run: MakeRun, stored: StoredRun, render: Callable[..., str]
) -> None:
    data: RunData = make_run(cases=12).build()
    assert render(build_view(run_data(stored, data.metrics, data.warnings))) == render(build_view(data))


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
