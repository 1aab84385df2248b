"""How large a report is, how long it takes to make, and how soon and how smoothly a reader can work in it.

    python benchmarks/report_size.py                          # 2,000 cases x 3 variants, and 20,000 x 4
    python benchmarks/report_size.py --shape 500x2 --opens 3 --split 4
    python benchmarks/report_size.py --page reports/SUITE/latest/index.html

The runs are made up: answers are 150 to 300 characters of running prose (Python's own help texts, at random places); in
a third of the cases the variants answer alike, else they differ in some words. Each answer has a request id, usage, a
price and a latency; there are three metrics, one of them graded with a sentence for each score.

Prints what making the page takes (seconds, of which the process computed so many, and the memory that Python held at
most), its size, and of several fresh pages in Chromium, opened from disk: milliseconds from navigation to the page's
own `ready` mark and to the first case; from each change of a filter or the order until the list is drawn and a frame is
due; from typing a search (its pause of 120 ms included) until every answer is looked through; complaints and requests.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pydoc_data.topics import topics

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from snapdrift.model import (
    CallKey,
    CallResult,
    Case,
    Endpoint,
    Gate,
    MetricGate,
    MetricSpec,
    Outcome,
    Pair,
    Reason,
    Response,
    Results,
    Score,
    ScoreKind,
    Source,
    Usage,
    Variant,
)
from snapdrift.reports import Provenance, RunData, build_view, write_reports
from snapdrift.reports.asked import PromptView
from snapdrift.reports.html import render_html
from snapdrift.reports.records import HeldRecords
from snapdrift.verdicts import RunFacts, evaluate

ARGUMENTS = "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync"
METRICS = (
    MetricSpec("valid", "valid", ScoreKind.PASS_FAIL),
    MetricSpec("queue", "queue", ScoreKind.PASS_FAIL),
    MetricSpec("tone", "tone", ScoreKind.GRADED, scale=(1.0, 5.0), judged=True),
)
LIMITS = {(2_000, 3): "limits: 8 MB, ready in 2 s", (20_000, 4): "limits: 40 MB, ready in 5 s, a filter in 200 ms"}
FILTERS = ("metric", "variant", "outcome", "why", "cause", "tag", "differs", "sort")
PROSE = re.sub(r"\s+", " ", " ".join(text for _, text in sorted(topics.items()))).encode("ascii", "ignore").decode()


@dataclass
class Figures:
    """Milliseconds of one fresh page, by what was waited for."""

    times: dict[str, float]
    complaints: int
    requests: int


def made_up_run(cases: int, variants: int) -> RunData:
    """A run of this shape, concluded as any other."""
    draw = random.Random(20_261_126)
    names = ["august", "november", "alias", "mini", *(f"other-{n}" for n in range(variants))][:variants]
    asked = tuple(Variant(name, f"gpt-4o-{name}", Endpoint.RESPONSES, {}, {}) for name in names)
    rows = tuple(_case(draw, number) for number in range(cases))
    responses: list[Response] = []
    scores: list[Score] = []
    for case in rows:
        said = _prose(draw, draw.randrange(150, 300))
        alike = draw.random() < 1 / 3
        for variant in asked:
            response = _response(draw, case, variant, said if alike else _reworded(draw, said))
            responses.append(response)
            scores += _scores(draw, response, worse=variant.name == "november")
    gate = Gate(
        "default", tuple(Pair(names[0], name) for name in names[1:]),
        (MetricGate("valid", 0.03), MetricGate("queue", 0.03), MetricGate("tone", 0.05)),
    )  # fmt: skip
    calls = {r.call: CallResult(r.outcome, r.returned_model, r.latency_ms, r.usage, r.usd, r.source) for r in responses}
    prompts = {case.id: str(case.variables["ticket"]) for case in rows}

    def prompt(case_id: str, _: str) -> PromptView:
        return PromptView(f"[instructions]\nAnswer the customer.\n\n[user]\n{prompts[case_id]}")

    everywhere = frozenset(case.id for case in rows)
    results = Results(rows, asked, 1, METRICS, calls, tuple(scores), {m.name: everywhere for m in METRICS})
    return RunData(
        run=Provenance("20261126-140300-8f3a", "made-up", "default", "2026-11-26T14:03:00+00:00"),
        records=HeldRecords(rows, tuple(responses), tuple(scores), prompt=prompt, variants=asked),
        variants=asked,
        metrics=METRICS,
        evaluation=evaluate(results, gate, RunFacts(seed=7)),
        asked=Source.SIMULATED,
    )


def _case(draw: random.Random, number: int) -> Case:
    tags = tuple(tag for tag in ("golden", "reply", "refund", "german", "long") if draw.random() < 0.2)
    ticket = _prose(draw, draw.randrange(80, 240))
    return Case(f"ticket-{number + 1:05d}", {"ticket": ticket}, {"queue": "billing"}, tags)


def _prose(draw: random.Random, length: int) -> str:
    start = PROSE.index(" ", draw.randrange(len(PROSE) - length - 100)) + 1
    return PROSE[start : start + length]


def _reworded(draw: random.Random, text: str) -> str:
    words = text.split(" ")
    for _ in range(draw.randrange(1, 8)):
        words[draw.randrange(len(words))] = _prose(draw, 24).split(" ")[0]
    return " ".join(words)


def _response(draw: random.Random, case: Case, variant: Variant, text: str) -> Response:
    key = CallKey(case.id, variant.name, 0)
    if draw.random() < 0.002:
        return Response(key, Outcome.API_ERROR, variant.model, source=Source.SIMULATED)
    return Response(
        key,
        Outcome.OK,
        variant.model,
        text=text,
        returned_model=variant.model,
        request_id=f"req_{draw.getrandbits(128):032x}",
        usage=Usage(150 + draw.randrange(90), 128, 38 + draw.randrange(40)),
        usd=0.0006 + draw.random() / 10_000,
        latency_ms=700 + draw.expovariate(1 / 500),
        finish_reason="stop",
        source=Source.SIMULATED,
        finished_at=f"2026-11-26T14:{draw.randrange(60):02d}:{draw.randrange(60):02d}+00:00",
    )


def _scores(draw: random.Random, response: Response, *, worse: bool) -> list[Score]:
    if not response.outcome.measured:
        return []
    at = (response.call.case_id, response.call.variant, response.call.repeat)
    valid = draw.random() > (0.04 if worse else 0.01)
    queue = valid and draw.random() > (0.14 if worse else 0.09)
    level = draw.choice((0.5, 0.75, 1.0))
    form, content = ("", Reason.PASSED), ("", Reason.PASSED)
    if not valid:
        form = ("not JSON as asked: one code fence around the answer", Reason.UNEXTRACTED)
    if not queue:
        content = ("expected billing, found account", Reason.WRONG)
    tone, passed = _prose(draw, 60), level > 0
    return [
        Score(*at, "valid", float(valid), valid, form[1], form[0]),
        Score(*at, "queue", float(queue), queue, content[1], content[0], "billing", 0),
        Score(*at, "tone", level, passed, Reason.PASSED, tone, evidence=(response.text[20:60],)),
    ]


def gigabytes_held() -> float:
    """The most memory that this process has held so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Prints how long something took, and how much of that this process computed."""
    started, computed = time.perf_counter(), time.process_time()
    yield
    took, of_which = time.perf_counter() - started, time.process_time() - computed
    print(f"  {what}: {took:.1f} s ({of_which:.1f} s computing); {gigabytes_held():.2f} GB held at most")


def make_page(cases: int, variants: int, folder: Path, split: float | None) -> Path:
    """Makes a run and its page, and prints what that takes."""
    print(f"\n{cases:,} cases x {variants} variants; {LIMITS.get((cases, variants), 'no limits set for this shape')}")
    with timed("the run made and concluded"):
        data = made_up_run(cases, variants)
    lengths = [len(r.text) for record in data.records.outcomes() for r in record.responses]
    characters = statistics.mean(lengths)
    print(f"  {len(lengths):,} answers of {characters:.0f} characters on average")
    with timed("build_view"):
        view = build_view(data)
    with timed("render_html"):
        render_html(view)
    with timed("write_reports"):
        paths = write_reports(view, folder, split_mb=split)
    for page in paths.case_pages:
        print(f"  {page.relative_to(folder)}: {page.stat().st_size / 1e6:.2f} MB")
    return paths.html


def until(page: Page, change: str, holds: str) -> float:
    """Milliseconds in the page from a change until something holds, looked for at every frame."""
    milliseconds: float = page.evaluate(
        f"""() => new Promise((done) => {{
            const started = performance.now();
            {change}
            const look = () => {holds} ? done(performance.now() - started) : requestAnimationFrame(look);
            requestAnimationFrame(look);
        }})"""
    )
    return milliseconds


def _choose(field: str, value: str) -> str:
    return f"""
        const field = document.getElementById('{field}');
        if (field.type === 'checkbox') field.checked = {"true" if value else "false"}; else field.value = {value!r};
        field.dispatchEvent(new Event('change', {{bubbles: true}}));"""


SETTLED = "document.getElementById('rows').dataset.settled === 'true'"


def filter_times(page: Page) -> Iterator[tuple[str, float]]:
    """Milliseconds from each change of a filter until the list is drawn."""
    values_of = "(each) => each.type === 'checkbox' ? ['on'] : [...each.options].map((one) => one.value).slice(1)"
    for name in FILTERS:
        field = page.locator(f"#{name}")
        if field.count() and field.is_visible():
            for value in field.evaluate(values_of)[:6]:
                yield f"{name} {value}", until(page, _choose(name, value), SETTLED)
            yield f"{name} off", until(page, _choose(name, ""), SETTLED)


def search_time(page: Page, query: str) -> float:
    """Milliseconds from typing a search until every answer has been looked through."""
    typed = f"""
        const q = document.getElementById('q');
        q.value = {query!r};
        q.dispatchEvent(new Event('input'));
        document.getElementById('rows').dataset.settled = 'typed';"""
    return until(page, typed, SETTLED)


TEN_STEPS = """
    for (let n = 0; n < 10; n += 1)
        document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'j', bubbles: true}));
"""


def computed_by(measured: CDPSession) -> float:
    """Milliseconds for which the page's own thread has had the processor."""
    values = {each["name"]: each["value"] for each in measured.send("Performance.getMetrics")["metrics"]}
    return float(values["TaskDuration"]) * 1000


def open_once(browser: Browser, url: str) -> Figures:
    """What a fresh page takes."""
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.set_default_timeout(120_000)
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    times: dict[str, float] = {}
    measured = page.context.new_cdp_session(page)
    measured.send("Performance.enable", {"timeDomain": "threadTicks"})
    started = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.wait_for_selector("html[data-ready]", state="attached")
    times["ready"] = (time.perf_counter() - started) * 1000
    page.wait_for_selector(".case-head h3")
    times["first case"] = (time.perf_counter() - started) * 1000
    times["of which the page's own thread computed"] = computed_by(measured)
    times["j, ten times"] = until(page, TEN_STEPS, "true")
    most = 0.0
    computed = computed_by(measured)
    for name, milliseconds in filter_times(page):
        times[name] = milliseconds
        computed, before = computed_by(measured), computed
        most = max(most, computed - before)
    times["the most that the page's own thread computed for one of these"] = most
    times["search, first time"] = search_time(page, "certainly not in there")
    times["search, again"] = search_time(page, "function")
    times["regular expression"] = search_time(page, r"/\bclass(es)? \w+ing\b/")
    page.close()
    return Figures(times, len(complaints), len([url for url in requests if not url.startswith("blob:")]) - 1)


def measure_page(browser: Browser, path: Path, opens: int) -> None:
    """Opens a page several times, and prints what a reader waits for."""
    opened = [open_once(browser, path.resolve().as_uri()) for _ in range(opens)]
    print(f"  {path.name}: {path.stat().st_size / 1e6:.2f} MB")
    print(f"  complaints: {sum(each.complaints for each in opened)}, requests: {sum(each.requests for each in opened)}")
    for name in opened[0].times:
        times = [each.times[name] for each in opened]
        print(f"  {name}: {min(times):.0f} / {statistics.median(times):.0f} / {max(times):.0f} ms")


def shape(text: str) -> tuple[int, int]:
    cases, variants = text.split("x")
    return int(cases), int(variants)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", type=shape, action="append", help="CASESxVARIANTS; repeatable")
    parser.add_argument("--page", type=Path, action="append", help="a page that is there already; repeatable")
    parser.add_argument("--opens", type=int, default=5, help="fresh pages for each figure")
    parser.add_argument("--split", type=float, help="case pages beyond so many megabytes")
    options = parser.parse_args()
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as temporary:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or shutil.which("chromium"), args=ARGUMENTS.split()
        )
        print(f"Chromium {browser.version}, {os.cpu_count()} cores, Python {sys.version.split()[0]}")
        print(f"times: minimum / median / maximum of {options.opens} fresh pages")
        for page in options.page or ():
            print(f"\n{page}")
            measure_page(browser, page, options.opens)
        for cases, variants in options.shape or (() if options.page else LIMITS):
            folder = Path(temporary) / f"{cases}x{variants}"
            measure_page(browser, make_page(cases, variants, folder, options.split), options.opens)
        browser.close()


if __name__ == "__main__":
    main()
