"""A page that a test has open in Chromium, with everything that it complained about or asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Page

SCREEN = {"width": 1400, "height": 900}


@dataclass
class Opened:
    """A page with everything that it complained about or asked for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def text(self, selector: str) -> str:
        return self.page.locator(selector).first.inner_text()

    def count_of(self, group: str) -> int:
        return int(self.text(f"[data-kind={group}] .count").replace(",", ""))

    @property
    def selected(self) -> str:
        return self.text(".case-head h3")

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)

    def wait(self, expression: str) -> None:
        """Waits until an expression holds. (Playwright's own wait evaluates strings: the policy forbids it.)"""
        self.page.evaluate(
            f"""() => new Promise((done, fail) => {{
                const end = performance.now() + 10000;
                const look = () => {{
                    if ({expression}) done();
                    else if (performance.now() > end) fail(new Error("it never held"));
                    else requestAnimationFrame(look);
                }};
                look();
            }})"""
        )


Open = Callable[..., Opened]


def open_in(context: BrowserContext, path: Path, fragment: str = "", **emulated: object) -> Opened:
    """Opens a report from disk and waits until its first case is drawn; `emulated` are media features."""
    opened = Opened(context.new_page())
    opened.page.set_default_timeout(15_000)
    opened.page.on("console", lambda message: opened.complaints.append(message.text))
    opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.page.on("request", lambda request: opened.requests.append(request.url))
    if emulated:
        opened.page.emulate_media(**emulated)  # type: ignore[arg-type]
    opened.page.goto(path.as_uri() + fragment)
    opened.page.wait_for_selector("html[data-ready]")
    opened.page.wait_for_selector(".rerun, .case > .none, .case > .elsewhere", state="attached")
    return opened
