"""How large a report is and how soon a reader can work in it: opens `index.html` from disk in a real Chromium.

    python benchmarks/report_open.py reports/SUITE/latest/index.html [...]

Prints for each file its size, requests and complaints, and milliseconds from navigation to the page's own `ready` mark
and to the first case shown after a key press: minimum, median and maximum of several fresh pages.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ARGUMENTS = "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync"


def open_once(browser: Browser, url: str) -> tuple[float, float, list[str], list[str]]:
    """Milliseconds to ready and to the first case, complaints, requests."""
    page = browser.new_page()
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    started = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.wait_for_selector("html[data-ready]")
    ready = time.perf_counter()
    page.keyboard.press("j")
    page.wait_for_selector(".case-head h3")
    shown = time.perf_counter()
    page.close()
    return (ready - started) * 1000, (shown - started) * 1000, complaints, requests


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS.split())
        print(f"Chromium {browser.version}, {os.cpu_count()} cores, {options.runs} fresh pages each")
        for path in options.files:
            opened = [open_once(browser, path.resolve().as_uri()) for _ in range(options.runs)]
            print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")
            print(f"  requests besides the page: {sum(len(requests) - 1 for *_, requests in opened)}")
            print(f"  complaints: {sum(len(complaints) for _, _, complaints, _ in opened)}")
            for name, column in (("ready", 0), ("first case", 1)):
                times = [float(run[column]) for run in opened]  # type: ignore[arg-type]
                figures = f"{min(times):.0f} / {statistics.median(times):.0f} / {max(times):.0f}"
                print(f"  {name}: {figures} ms (min / median / max)")
        browser.close()


if __name__ == "__main__":
    main()
