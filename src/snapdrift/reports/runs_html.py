"""Renders the list of all runs as one HTML page, as a run's report is one: no request, a strict policy, no markup."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from snapdrift.reports.escaping import visible
from snapdrift.reports.files import whole_file
from snapdrift.reports.html import render_page
from snapdrift.reports.runs_index import UNFINISHED, IndexView
from snapdrift.reports.sparkline import HEIGHT, WIDTH

TEMPLATE = "runs.html.j2"
STYLES = ("base.css", "sections.css", "runs.css", "media.css")


def render_index(view: IndexView, templates_dir: Path | None = None) -> str:
    """The page; raises `ConfigError` for a template of `templates_dir` that cannot be rendered."""
    context = {"view": spelled(view), "styles": STYLES, "unfinished": UNFINISHED, "width": WIDTH, "height": HEIGHT}
    return render_page(TEMPLATE, context, templates_dir)


def spelled(value: Any) -> Any:
    """A value with every text in it spelled out where its characters act instead of showing."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, tuple):
        return tuple(map(spelled, value))
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{entry.name: spelled(getattr(value, entry.name)) for entry in fields(value)})
    return value


def write_index(view: IndexView, path: Path, templates_dir: Path | None = None) -> None:
    """Writes the page, whole or not at all. Raises `ConfigError` as above, `OSError` with the path."""
    page = render_index(view, templates_dir)
    with whole_file(path) as draft:
        draft.write_text(page, encoding="utf-8", newline="\n")
