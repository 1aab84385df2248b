"""Makes the pictures of the report for a person to look at: real pages of the bundled suites, from the stand-in.

    python docs/screenshots.py [FOLDER]        (nox -s screenshots)

Each state is a row of `STATES`. The size and the scale of a picture are fixed, its colours are reduced to a palette.
What the stand-in answers is the same every time; run ids, dates and latencies are those of the run.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from PIL import Image

from snapdrift import pipeline
from snapdrift.scaffold import bundled_workspace

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FOLDER = Path(__file__).parents[1] / "reports" / "example"
COLOURS = 128
"""How many colours a picture keeps: a page has few, and text stays as sharp with them."""


def _as_it_opens(_: Page) -> None:
    """The page from its top."""


def _at_the_case(page: Page) -> None:
    page.locator("#case").scroll_into_view_if_needed()
    page.evaluate("document.getElementById('cases').scrollIntoView()")


def _on_paper(page: Page) -> None:
    page.emulate_media(media="print")


@dataclass(frozen=True, slots=True)
class State:
    """A picture: of which suite, at which address of its page, how large, and what is done before it is taken."""

    name: str
    suite: str
    address: str = ""
    size: tuple[int, int] = (1280, 900)
    scheme: Literal["light", "dark"] = "light"
    before: Callable[[Page], None] = _as_it_opens


STATES = (
    State("top", "ticket-triage"),
    State("case", "ticket-triage", "#case=ticket-002&sides=august,chat", before=_at_the_case),
    State("dark", "sentiment", "#distributions", scheme="dark"),
    State("phone", "ticket-triage", size=(390, 844)),
    State("printed", "ticket-triage", size=(688, 1001), before=_on_paper),
)


def main(folder: Path) -> None:
    """Writes `NAME.png` of every state into `folder`, over those that are there."""
    from playwright.sync_api import sync_playwright

    executable = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not executable:
        sys.exit("no Chromium found: install it (Debian: apt-get install chromium) or set CHROMIUM to its path")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        # Before the browser: its driver keeps an event loop running, in which no run can start one of its own.
        pages = _pages(dict.fromkeys(state.suite for state in STATES), Path(scratch))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
            for state in STATES:
                _take(browser, state, pages[state.suite], folder / f"{state.name}.png")
            browser.close()


def _pages(suites: Iterable[str], scratch: Path) -> dict[str, Path]:
    """Runs the suites on the stand-in and gives the page of each."""
    options = pipeline.RunOptions(
        target=pipeline.TargetOptions(standin=True),
        output=pipeline.Output(out_dir=scratch / "reports", state_dir=scratch / ".snapdrift"),
        fresh=True,
    )
    files = [bundled_workspace() / "evals" / f"{name}.yaml" for name in suites]
    outcomes = pipeline.run_suites(files, options)
    return {outcome.suite: outcome.reports.html for outcome in outcomes}


def _take(browser: Browser, state: State, path: Path, target: Path) -> None:
    width, height = state.size
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=state.scheme)
    page = context.new_page()
    page.goto(path.as_uri() + state.address)
    page.wait_for_selector("html[data-ready]")
    page.wait_for_selector(".rerun, .case > .none", state="attached")
    state.before(page)
    page.screenshot(path=target)
    context.close()
    with Image.open(target) as picture:
        reduced = picture.convert("RGB").quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    reduced.save(target, optimize=True)
    sys.stdout.write(f"{target.name}: {width} x {height}, {target.stat().st_size / 1000:.0f} kB\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
