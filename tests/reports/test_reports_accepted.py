"""The view model and the text renderings, whole, against files in `golden/` that somebody has read and accepted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest
from tests.reports.accepted import assert_accepted, plain, readable

from snapdrift.model import MustPass
from snapdrift.reports import RunData, View, build_view, render_terminal, render_verdict
from snapdrift.reports.junit import render_junit
from snapdrift.reports.markdown import render_markdown

MakeRun = Callable[..., Any]
RENDERERS: dict[str, Callable[[View], str]] = {
    "summary.md": render_markdown,
    "junit.xml": render_junit,
    "verdict.json": render_verdict,
    "terminal.txt": render_terminal,
}


@pytest.fixture(scope="module")
def usual_view(make_run: MakeRun) -> View:
    return build_view(make_run(cases=40).build(must_pass=MustPass(tags=("golden",))))


@pytest.mark.parametrize("name", RENDERERS)
def test_the_rendering_is_the_accepted_one(usual_view: View, name: str) -> None:
    assert_accepted(name, RENDERERS[name](usual_view))


def test_what_a_suite_lets_out_of_its_texts_is_the_accepted_rendering(usual_view: View) -> None:
    assert_accepted("summary_with_text.md", render_markdown(replace(usual_view, comment="text", report_url=URL)))


URL = "https://ci.example/runs/8f3a/report?file=index.html&raw=1"


def test_the_view_is_the_accepted_one(make_run: MakeRun) -> None:
    usual: RunData = make_run(cases=4).build()
    repeated: RunData = make_run(cases=2, repeats=2).build()
    uncompared = replace(usual, evaluation=replace(usual.evaluation, comparisons=(), attributions=(), operational=()))
    views = {"usual": usual, "repeated": repeated, "uncompared": uncompared}
    assert_accepted("view.json", readable({name: plain(build_view(data)) for name, data in views.items()}) + "\n")


def test_the_readable_form_has_every_field_and_is_json(usual_view: View) -> None:
    shown = json.loads(readable(plain(usual_view)))
    assert list(shown) == [field.name for field in fields(View)]
    assert shown == plain(usual_view)


def test_what_has_no_plain_form_is_not_left_out_of_it() -> None:
    with pytest.raises(TypeError, match="no plain form of object"):
        plain({"a": object()})
