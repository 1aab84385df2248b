"""axe-core over a page that a test has open: what it finds against WCAG 2.2 AA and its own best practices.

The engine is the file that the package `axe-playwright-python` carries. It is evaluated through the browser's protocol,
which the page's policy does not govern, so that the page is looked at as it is: with its policy active.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


def violations(page: Page, *, within: str | None = None) -> list[str]:
    """What axe-core finds, one line a finding: how grave, which rule, where, and why. Empty where it finds nothing.

    `within` is a selector of the part that is looked at, the whole page by default.
    """
    source = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
    session = page.context.new_cdp_session(page)
    session.send("Runtime.evaluate", {"expression": f"{source}; undefined"})
    options: dict[str, Any] = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]}
    found = page.evaluate("([part, options]) => axe.run(part ?? document, options)", [within, options])
    session.detach()
    return [_line(rule, node) for rule in found["violations"] for node in rule["nodes"]]


def _line(rule: dict[str, Any], node: dict[str, Any]) -> str:
    checks = [*node["any"], *node["all"], *node["none"]]
    why = "; ".join(check["message"] for check in checks) or rule["help"]
    return f"{rule['impact']}: {rule['id']} at {' '.join(map(str, node['target']))}: {why}"
