"""A run of everything that a suite can ask (endpoints, batch, streams, images, tools, applications), as it is told."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from snapdrift.model import (
    Call,
    CallKey,
    Case,
    Endpoint,
    Gate,
    MetricGate,
    MetricSpec,
    Outcome,
    Pair,
    Reason,
    Request,
    Response,
    Score,
    ScoreKind,
    Source,
    Step,
    ToolCall,
    ToolResult,
    Usage,
    Variant,
)
from snapdrift.reports import View, build_view, render_terminal, run_data, verdict_document, write_reports
from snapdrift.reports.asked import read_prompt
from snapdrift.reports.html import render_html
from snapdrift.reports.markdown import render_markdown
from snapdrift.reports.thumbnails import ROOM, SIDE, Album
from snapdrift.store.header import RunHeader
from snapdrift.store.reader import open_run
from snapdrift.store.writer import RunWriter
from snapdrift.verdicts import RunFacts, evaluate

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Image = pytest.importorskip("PIL.Image", reason="the extra `vision` is not installed")

MODEL = "gpt-4o-2024-08-06"
VARIANTS = (
    Variant("responses", MODEL, Endpoint.RESPONSES, {"temperature": 0}, {"input": "{{ q }}"}),
    Variant("chat", MODEL, Endpoint.CHAT, {"temperature": 0}, {"input": "{{ q }}"}),
    Variant("batch", MODEL, Endpoint.RESPONSES, {"temperature": 0}, {"input": "{{ q }}"}, batch=True),
    Variant("streamed", MODEL, Endpoint.RESPONSES, {"temperature": 0}, {"input": "{{ q }}"}, stream=True),
    Variant("alias", "gpt-4o", Endpoint.RESPONSES, {"temperature": 0}, {"input": "{{ q }}"}),
    Variant("our-app", "python:app/answer.py:answer", Endpoint.PYTHON, {}, {}, target="app/answer.py:answer"),
    Variant("before", "outputs:answers.jsonl", Endpoint.OUTPUTS, {}, {}, target="answers.jsonl"),
)
METRICS = (MetricSpec("valid", "valid", ScoreKind.PASS_FAIL), MetricSpec("queue", "queue", ScoreKind.PASS_FAIL))
CASES = tuple(
    Case(f"parcel-{n:02d}", {"q": f"Where is parcel {n}?"}, {"queue": "delivery"}, ("photo",) if n < 3 else ())
    for n in range(12)
)
TOOL = {"name": "lookup_order", "description": "Finds an order.", "parameters": {"type": "object"}, "strict": True}
ENDS = {
    2: Outcome.REFUSED,
    3: Outcome.TRUNCATED,
    6: Outcome.TOOL_UNMATCHED,
    7: Outcome.STEP_LIMIT,
    8: Outcome.FILTERED,
    9: Outcome.API_ERROR,
}
FAULTS = {4: (Reason.INVALID_JSON, "not JSON: Expecting value"), 5: (Reason.SCHEMA_VIOLATION, "$.queue: not allowed")}
REMOTE = "https://pictures.example/parcel.png"


def png(colour: str, size: tuple[int, int] = (640, 400)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


def data_url(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


PARCEL, LABEL = png("tan"), png("lightsteelblue", (300, 500))


def body_of(variant: Variant, number: int) -> dict[str, Any]:
    chat, text = variant.endpoint is Endpoint.CHAT, CASES[number].variables["q"]
    urls = [data_url(PARCEL), REMOTE, data_url(LABEL)][: 3 if number == 0 else number]
    images = [
        {"type": "image_url", "image_url": {"url": url, "detail": "low"}}
        if chat
        else {"type": "input_image", "image_url": url, "detail": "low"}
        for url in urls
    ]
    pdf = {"filename": "invoice.pdf", "file_data": data_url(b"%PDF-1.4" * 400, "application/pdf")}
    file: dict[str, Any] = {"type": "file", "file": pdf} if chat else {"type": "input_file", **pdf}
    parts = [{"type": "text" if chat else "input_text", "text": text}, *images[:3]]
    parts += [file] if number == 0 else []
    tools = [{"type": "function", "function": TOOL}] if chat else [{"type": "function", **TOOL}]
    message = {"role": "user", "content": parts if len(parts) > 1 else text}
    return {"model": variant.model, "messages" if chat else "input": [message], "tools": tools}


STEPS = (
    Step(
        0,
        "Let me look that up.",
        (ToolCall("call_1", "lookup_order", '{"order": "5521"}'),),
        (ToolResult("call_1", "lookup_order", '{"status": "lost"}', "lookup_order[0]"),),
        returned_model=MODEL,
    ),
    Step(
        1,
        "",
        (ToolCall("call_2", "lookup_order", '{"order": "<b>5522</b>"}'),),
        (ToolResult("call_2", "lookup_order", "timeout", "lookup_order[1]", is_error=True),),
        returned_model=MODEL,
    ),
    Step(
        2, "It is lost. Anything else?", said=("Then send me another.",), said_by=("developer",), returned_model=MODEL
    ),
)


def response_of(variant: Variant, number: int) -> Response:
    key, over_http = CallKey(CASES[number].id, variant.name, 0), variant.endpoint.over_http
    outcome = ENDS.get(number, Outcome.OK) if variant.name == "alias" else Outcome.OK
    if variant.name == "our-app" and number == 1:
        outcome = Outcome.API_ERROR
    if outcome is Outcome.API_ERROR:
        return Response(key, outcome, variant.model)
    steps = STEPS if number in (1, 6, 7) and over_http else ()
    asked_last = (
        (ToolCall("call_3", "cancel", "{}"),) if outcome in (Outcome.TOOL_UNMATCHED, Outcome.STEP_LIMIT) else ()
    )
    wrong = variant.name == "streamed" and number == 10
    source = {Endpoint.PYTHON: Source.PYTHON, Endpoint.OUTPUTS: Source.OUTPUTS}.get(variant.endpoint, Source.OPENAI)
    text = {Outcome.OK: json.dumps({"queue": "returns" if wrong else "delivery"}), Outcome.TRUNCATED: '{"queue": "deli'}
    return Response(
        key,
        outcome,
        variant.model,
        text="a parcel" if variant.name == "alias" and number == 4 else text.get(outcome, ""),
        returned_model=MODEL if over_http else None,
        request_id=f"req_{number}" if over_http else None,
        usage=Usage(2048, 1024 if number % 2 else 0, 40) if over_http else None,
        usd=(0.0025 if variant.batch else 0.005) if over_http else None,
        latency_ms=1200.0 + 10 * number,
        refusal="I cannot help with that." if outcome is Outcome.REFUSED else None,
        tool_calls=(*(call for step in steps for call in step.tool_calls), *asked_last),
        source=source,
        finished_at="2026-11-22T14:04:10+00:00",
        first_token_ms=200.0 + 10 * number if variant.stream else None,
        batched=variant.batch,
        steps=steps,
        detail="the case has no result for cancel" if outcome is Outcome.TOOL_UNMATCHED else "",
    )


def scores_of(response: Response, number: int) -> Iterator[Score]:
    key = response.call
    if not response.outcome.measured:
        return
    for metric in METRICS:
        reason, detail = Reason.PASSED, ""
        if response.outcome is not Outcome.OK:
            reason = Reason.NOT_ACCEPTED
        elif key.variant == "alias" and number in FAULTS:
            reason, detail = FAULTS[number]
        elif metric.name == "queue" and "returns" in response.text:
            reason = Reason.WRONG
        passed = reason is Reason.PASSED
        yield Score(key.case_id, key.variant, 0, metric.name, float(passed), passed, reason, detail)


def write_run(path: Path) -> None:
    """The whole run as a file, evaluated as the pipeline does it."""
    names = {"photos/parcel.png": PARCEL, "photos/label.png": LABEL}
    header = RunHeader(
        run_id="20261122-140300-5d1e",
        suite="parcels",
        gate="default",
        started_at="2026-11-22T14:03:00+00:00",
        seed=7,
        attempt=1,
        identity="",
        suite_stored={"media": {name: hashlib.sha256(data).hexdigest() for name, data in names.items()}},
        suite_hash="1f3c" * 16,
        dataset_hash="9ab0" * 16,
        versions={"snapdrift": "0.1.0"},
        git_commit=None,
        git_dirty=None,
        catalog={},
        assumptions={},
        planned_repeats=1,
        partial=False,
        command="",
        variants=VARIANTS,
    )
    keys = [CallKey(case.id, variant.name, 0) for case in CASES for variant in VARIANTS]
    gate = Gate(
        "default",
        (Pair("responses", "chat"), Pair("responses", "alias"), Pair("responses", "our-app")),
        tuple(MetricGate(metric.name, 0.1) for metric in METRICS),
    )
    with RunWriter.create(path, header, CASES, [Call(key, place) for place, key in enumerate(keys)]) as writer:
        for number in range(len(CASES)):
            for variant in VARIANTS:
                if variant.name == "before" and number == 11:
                    continue
                response = response_of(variant, number)
                body = body_of(variant, number) if variant.endpoint.over_http else {}
                writer.record_now(response, Request(response.call, 0, variant.endpoint, "http://x", body, ""))
                writer.add_scores(list(scores_of(response, number)))
        with open_run(path) as stored:
            everywhere = {metric.name: frozenset(case.id for case in CASES) for metric in METRICS}
            writer.set_evaluation(evaluate(stored.results(METRICS, everywhere), gate, RunFacts(seed=7)))
        writer.finish("2026-11-22T14:05:31+00:00")


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> View:
    path = tmp_path_factory.mktemp("surface") / "run.db"
    write_run(path)
    with open_run(path) as stored:
        return build_view(run_data(stored, METRICS))


@pytest.fixture(scope="module")
def folder(view: View, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reports(view, tmp_path_factory.mktemp("report")).html


def variant_of(view: View, name: str) -> Any:
    return next(v for v in verdict_document(view)["variants"] if v["name"] == name)


# ------------------------------------------------------------------------------------------ the same, elsewhere


def test_every_rendering_says_whether_the_endpoints_agree(view: View) -> None:
    said = "Results on responses, chat, responses batch and responses stream differ: queue on 1 of 12 cases."

    assert [one["sentence"] for one in verdict_document(view)["parity"]] == [said]
    assert said in render_markdown(view)
    assert said in " ".join(render_terminal(view, width=200).split())
    assert said in render_html(view)


def test_the_summary_names_the_cases_on_which_endpoints_differ(view: View) -> None:
    assert "  - queue differs: `parcel-10`\n" in render_markdown(view)


def test_every_rendering_says_that_an_alias_and_its_snapshot_are_one_model(view: View) -> None:
    said = "are the same model, gpt-4o-2024-08-06: differences here should be noise"
    (control,) = verdict_document(view)["controls"]

    assert (control["alias"], control["snapshot"]) == ("alias", "responses")
    assert said in control["sentence"]
    for text in (render_markdown(view), render_terminal(view, width=400)):
        assert said in text.replace("`", "")
    assert said in re.sub("</?b[^>]*>", "", render_html(view))


def test_a_parity_group_changes_no_decision_and_is_no_warning(view: View) -> None:
    told = (*view.decision.reasons, *view.decision.warnings)

    assert not [text for text in told if "responses stream" in text]


# ------------------------------------------------------------------------------------------------------ money and speed


def test_first_token_and_speed_stand_where_a_variant_was_streamed(view: View) -> None:
    streamed, plain = variant_of(view, "streamed"), variant_of(view, "responses")

    assert streamed["first_token_ms"] == {"p50": 255.0, "p95": pytest.approx(304.5)}
    assert streamed["tokens_per_second"] == {"p50": 40.0}
    assert plain["first_token_ms"] == {"p50": None, "p95": None}
    assert "first token" in render_terminal(view, width=200)


def test_the_share_of_input_that_was_cached_is_told(view: View) -> None:
    assert variant_of(view, "chat")["cached_share"] == pytest.approx(0.25)
    assert "25.0% cached" in render_html(view)


def test_cost_is_told_apart_by_live_and_batch(view: View) -> None:
    assert variant_of(view, "batch")["batch_usd"] == pytest.approx(0.03)
    assert "Of $0.26, $0.23 went live and $0.0300 by the Batch API, at half the price." in render_html(view)


def test_an_application_is_not_priced_and_says_what_it_is(view: View) -> None:
    html = render_html(view)

    assert "our-app, before not priced" in html
    assert view.usd == pytest.approx(0.265)
    assert {label.word for label in view.labels} >= {"own program", "from a file"}
    assert "price unknown" not in html


def test_where_nothing_has_a_price_no_sum_is_told(view: View) -> None:
    alone = replace(view, variants=tuple(variant for variant in view.variants if not variant.priced))
    assert "<span>not priced</span>" in render_html(alone)


# ------------------------------------------------------------------------------------------------------ how calls ended


def test_refused_cut_off_and_unreadable_are_three_things(view: View) -> None:
    assert view.levels["queue", "alias"].endings == {
        "passed": 4, "schema_violation": 1, "invalid_json": 1, "refused": 1, "truncated": 1, "filtered": 1,
        "tool_unmatched": 1, "step_limit": 1, "api_error": 1,
    }  # fmt: skip
    assert view.levels["queue", "before"].endings == {"passed": 11, "missing": 1}


def test_the_endings_of_every_metric_and_variant_add_up_to_the_calls(view: View) -> None:
    assert {sum(level.endings.values()) for level in view.levels.values()} == {len(CASES)}


# ------------------------------------------------------------------------------------------------------------- pictures


def test_a_prompt_names_its_images_and_files_and_shows_the_local_ones(view: View) -> None:
    media = next(case for case in view.cases if case.case.id == "parcel-00").prompts["responses"].media

    assert [(m.kind, m.name, m.address) for m in media] == [
        ("image", "photos/parcel.png", ""),
        ("image", REMOTE, REMOTE),
        ("image", "photos/label.png", ""),
        ("file", "invoice.pdf", ""),
    ]
    assert [m.size.partition(",")[0] for m in media] == ["640 × 400", "", "300 × 500", "3 kB"]
    assert [bool(m.thumbnail) for m in media] == [True, False, True, False]


def test_both_endpoints_show_the_same_prompt(view: View) -> None:
    prompts = next(case for case in view.cases if case.case.id == "parcel-00").prompts

    assert prompts["chat"] == prompts["responses"]
    assert prompts["chat"].tools == json.dumps([{"type": "function", **TOOL}], indent=2)


def test_a_prompt_is_told_at_a_glance_by_what_the_user_says_last() -> None:
    turns = [("user", "First?"), ("assistant", "Yes."), ("user", "My parcel \n is late. " * 99), ("assistant", "Hm.")]
    asked = {"instructions": "Be brief.", "input": [{"role": role, "content": text} for role, text in turns]}
    bodies: list[dict[str, Any]] = [asked, {"input": "Only this."}]
    requests = [Request(CallKey("c", "v", 0), 0, Endpoint.RESPONSES, "", body, "") for body in bodies]
    assert [read_prompt(each, {}, Album()).said for each in requests] == [("My parcel is late. " * 99)[:240], ""]


def test_a_thumbnail_is_a_small_jpeg() -> None:
    thumbnail = Album().picture(data_url(png("red", (2000, 1000)))).thumbnail

    assert thumbnail is not None
    with Image.open(io.BytesIO(base64.b64decode(thumbnail.partition(",")[2]))) as image:
        assert (image.format, image.size) == ("JPEG", (SIDE, SIDE // 2))


def test_what_is_no_image_has_no_thumbnail_and_says_so() -> None:
    album = Album()

    for broken in (data_url(b"not an image"), "data:image/png;base64,***", data_url(PARCEL[:200])):
        picture = album.picture(broken)
        assert (picture.thumbnail, picture.note) == (None, "no thumbnail: the image cannot be read")


def test_thumbnails_end_where_the_room_of_a_page_does_and_one_image_counts_once() -> None:
    first = Album().picture(data_url(PARCEL)).thumbnail
    assert first is not None
    album = Album(room=len(first))

    assert album.picture(data_url(PARCEL)).thumbnail == first
    assert album.picture(data_url(PARCEL)).thumbnail == first
    assert album.picture(data_url(LABEL)).note == f"no thumbnail: the page has {ROOM / 1e6:.0f} MB of them already"


def test_without_pillow_the_page_says_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)

    assert "snapdrift[vision]" in Album().picture(data_url(PARCEL)).note


def test_the_policy_allows_the_pages_own_pictures_and_no_others(view: View) -> None:
    assert "img-src data:;" in render_html(view)


# ------------------------------------------------------------------------------------------------------- in the browser


@pytest.fixture
def page(chromium: Browser, folder: Path) -> Iterator[Callable[[str], Page]]:
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    complaints: list[str] = []

    def opened(fragment: str) -> Page:
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.append(request.url) if "example" in request.url else None)
        page.goto(folder.as_uri() + fragment)
        page.wait_for_selector("html[data-ready]")
        page.wait_for_selector(".rerun", state="attached")
        return page

    yield opened
    context.close()
    assert complaints == []


@pytest.mark.browser
def test_pictures_are_shown_and_an_address_stays_text(page: Callable[[str], Page]) -> None:
    opened = page("#case=parcel-00&left=responses&right=chat")

    assert opened.locator(".media img").evaluate_all("all => all.map((one) => one.naturalWidth)") == [160, 96]
    captions = opened.locator(".media figcaption").all_inner_texts()
    assert [caption.split("\n")[0] for caption in captions] == [
        "photos/parcel.png", REMOTE, "photos/label.png", "file invoice.pdf",
    ]  # fmt: skip
    assert opened.locator(".media a").count() == 0


@pytest.mark.browser
def test_the_steps_before_an_answer_are_told_in_order(page: Callable[[str], Page]) -> None:
    opened = page("#case=parcel-01&left=responses&right=chat")

    steps = opened.locator(".answer").first.locator(".trace li").all_inner_texts()
    assert [" | ".join(step.split("\n")) for step in steps] == [
        'Let me look that up. | calls lookup_order({"order": "5521"}) | lookup_order returns | {"status": "lost"}',
        'calls lookup_order({"order": "<b>5522</b>"}) | lookup_order fails with | timeout',
        "It is lost. Anything else? | developer | Then send me another.",
    ]
    assert "4 requests" in opened.locator(".answer footer").first.inner_text()


@pytest.mark.browser
def test_tool_definitions_are_folded_until_wanted(page: Callable[[str], Page]) -> None:
    opened = page("#case=parcel-02&left=responses&right=chat")

    assert not opened.locator(".tool-definitions pre").is_visible()
    opened.locator(".tool-definitions summary").click()
    assert '"strict": true' in opened.locator(".tool-definitions pre").inner_text()


@pytest.mark.browser
@pytest.mark.parametrize(
    ("key", "value", "case"),
    [
        ("why", "invalid_json", "parcel-04"),
        ("why", "schema_violation", "parcel-05"),
        ("outcome", "refused", "parcel-02"),
        ("outcome", "truncated", "parcel-03"),
        ("outcome", "tool_unmatched", "parcel-06"),
        ("outcome", "step_limit", "parcel-07"),
        ("outcome", "filtered", "parcel-08"),
        ("outcome", "missing", "parcel-11"),
    ],
)
def test_cases_are_found_by_how_their_calls_ended(page: Callable[[str], Page], key: str, value: str, case: str) -> None:
    opened = page(f"#{key}={value}")

    assert opened.locator(".row .name").all_inner_texts() == [case]
    assert opened.locator(f"#{key} option:checked").inner_text() != ""


@pytest.mark.browser
def test_how_a_variant_was_asked_stands_beside_its_answer(page: Callable[[str], Page]) -> None:
    opened = page("#case=parcel-10&left=batch&right=streamed")

    assert opened.locator(".answer header .way").all_inner_texts() == ["batch", "stream"]
    calls = opened.locator(".pairwise", has_text="request id").inner_text()
    assert "(by batch, half price)" in calls
    assert "300 ms" not in calls
    assert "0.30 s, then 40 tokens/s" in calls


@pytest.mark.browser
def test_a_case_on_which_endpoints_differ_opens_from_the_parity_table(page: Callable[[str], Page]) -> None:
    opened = page("")

    opened.locator(".parity td a", has_text="parcel-10").click()

    opened.wait_for_selector(".case-head h3 >> text=parcel-10")
    assert opened.locator(".answer select option:checked").all_inner_texts() == ["responses", "streamed"]


@pytest.mark.browser
def test_an_application_has_no_prompt_and_says_what_it_is(page: Callable[[str], Page]) -> None:
    opened = page("#case=parcel-02&left=responses&right=our-app")

    assert opened.locator(".prompt .key").inner_text().startswith("Prompt")
    assert opened.locator(".prompt h4").count() == 0
    assert opened.locator(".answer header .label").all_inner_texts() == ["own program"]
