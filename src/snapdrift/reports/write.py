"""Writes a run's reports: each file appears whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from snapdrift.reports.case_pages import FOLDER, INDEX, MEGABYTE
from snapdrift.reports.embed import Embedded, Embedder
from snapdrift.reports.files import Drafts, named, whole_file
from snapdrift.reports.html import Page, render_pages
from snapdrift.reports.junit import junit_pieces
from snapdrift.reports.markdown import render_markdown
from snapdrift.reports.pieces import Spool
from snapdrift.reports.results_files import ResultsWriter
from snapdrift.reports.verdict_json import render_verdicts, verdict_pieces
from snapdrift.reports.view import View
from snapdrift.unasked import Unasked

LARGE_MB = 40.0
"""Beyond this size a page is advised to be split,"""
SPLIT_MB = 8.0
"""into pages of this size."""


@dataclass(frozen=True, slots=True)
class ReportPaths:
    """Where the reports of a run are."""

    html: Path
    verdict: Path
    junit: Path
    summary: Path
    case_pages: tuple[Path, ...] = ()
    html_bytes: int = 0

    @property
    def advice(self) -> str | None:
        """What to do about a page that is too large to open well, None where nothing need be done."""
        size = self.html_bytes / MEGABYTE
        if size <= LARGE_MB or self.case_pages:
            return None
        return (
            f"{self.html} has {size:.0f} MB, which a browser may be slow to open: "
            f"`--split {SPLIT_MB:g}` puts the answers on pages of {SPLIT_MB:g} MB beside it"
        )


def write_reports(
    view: View, out_dir: Path, templates_dir: Path | None = None, split_mb: float | None = None
) -> ReportPaths:
    """Writes `index.html`, `verdict.json`, `junit.xml`, `summary.md`, `results.csv` and `results.parquet`.

    With `split_mb`, pages in `cases/` too.
    Those come where `index.html` would be larger than so many megabytes. What an earlier report left in `cases/` is
    taken away. The cases are read once, and no file takes its place before everything but such pages is written as a
    draft. Folders are made. Raises `ConfigError`
    for a template of `templates_dir` that cannot be rendered, `OSError` with the path that cannot be written.
    """
    paths = ReportPaths(
        html=out_dir / INDEX,
        verdict=out_dir / "verdict.json",
        junit=out_dir / "junit.xml",
        summary=out_dir / "summary.md",
    )
    with Drafts() as drafts, _spool_beside(out_dir) as spool:
        cases = _read_once(view, spool, ResultsWriter(view, out_dir, drafts))
        pages = render_pages(view, cases, templates_dir, split_mb)
        first = next(pages)
        texts = {
            paths.junit: junit_pieces(view),
            paths.summary: [render_markdown(view)],
            paths.verdict: verdict_pieces(view),  # last: who waits for it finds the others there
        }
        for path, text in texts.items():
            _write(drafts.begin(path), path, (piece.encode("utf-8") for piece in text))
        written = [_written(page, out_dir) for page in chain([first], pages)]
        drafts.place()
    case_pages = tuple(path for path in written if path != paths.html)
    _remove_others(out_dir / FOLDER, case_pages)
    return replace(paths, case_pages=case_pages, html_bytes=paths.html.stat().st_size)


def _spool_beside(folder: Path) -> Spool:
    """A spool whose file is where the report will be: what the system has for temporary files may be memory."""
    with named(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return Spool(folder)


def _read_once(view: View, spool: Spool, results: ResultsWriter) -> Embedded:
    """Goes through the cases, which are read meanwhile, and puts each where it is needed."""
    embedder = Embedder(view, spool)
    try:
        for case in view.cases:
            embedder.add(case)
            results.add(case)
        results.end()
    finally:
        results.close()
    return embedder.end()


def _written(page: Page, out_dir: Path) -> Path:
    path = out_dir / page.name
    with whole_file(path) as draft:
        _write(draft, path, page.content.blocks())
    return path


def _write(draft: Path, path: Path, blocks: Iterable[bytes]) -> None:
    with named(path), draft.open("wb") as file:
        file.writelines(blocks)


def _remove_others(folder: Path, pages: Sequence[Path]) -> None:
    """Takes away pages of cases that are not of this report."""
    for path in folder.glob("*.html"):
        if path.stem.isdecimal() and path not in pages:
            path.unlink()
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def write_junit_and_summary(
    views: Sequence[View],
    junit: Path | None,
    summary: Path | None,
    verdict: Path | None = None,
    *,
    settled: Sequence[Unasked] = (),
) -> None:
    """Writes the runs of one command into one JUnit file, one summary and one JSON text, where these are wanted.

    All have the results in `settled` too that took no run: the summary every sentence, the others what is undecided.
    Folders are made. Raises `OSError` with the path that cannot be written.
    """
    if junit is not None:
        _write_whole(junit, junit_pieces(*views, unasked=settled))
    if summary is not None:
        _write_whole(summary, [render_markdown(*views, settled=[one.text for one in settled])])
    if verdict is not None:
        _write_whole(verdict, [render_verdicts(views, settled)])


def _write_whole(path: Path, texts: Iterable[str]) -> None:
    with whole_file(path) as draft:
        _write(draft, path, (text.encode("utf-8") for text in texts))
