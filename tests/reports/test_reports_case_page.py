"""One case in a real Chromium: columns of any variants, how they are compared, repeats, judges, and what it took."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.reports.browsing import Open, Opened, open_in
from tests.reports.held import changed, held

from snapdrift.model import CallKey, Failure, FailureKind, Outcome, Response, Source, Step, ToolCall, Usage
from snapdrift.model import Reason as Why
from snapdrift.reports import RunData, build_view, write_reports
from snapdrift.reports.html import SCRIPTS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = pytest.mark.browser
MakeRun = Callable[..., Any]
Said = Mapping[tuple[str, str], Mapping[str, Any]]

INVOICE = '{"number": "A-1", "lines": [{"item": "lamp", "total": 1.10}, {"item": "rug", "total": 90}], "paid": true}'
INVOICES = {
    "august": INVOICE,
    "november": '```json\n{"paid": true, "number": "A-1", "lines": [{"item": "lamp", "total": 1.1}, '
    '{"item": "vase", "total": 30}, {"item": "rug", "total": 90}]}\n```',
    "alias": INVOICE,
}
CALLS = {
    "august": [("find", '{"order": "5521", "deep": true}'), ("refund", '{"sum": 1.10}'), ("close", "{}")],
    "november": [
        ("find", '{"deep": true, "order": "5521"}'),
        ("close", "{}"),
        ("refund", '{"sum": 11}'),
        ("mail", "{"),
    ],
}
VERDICT = '{"reason": "It says when <b>and</b> how.", "verdict": "good"}'
CHECKS = '{"c1": {"reason": "It is.", "verdict": "yes"}, "c2": {"reason": "No date.", "verdict": "no"}}'


def told(data: RunData, said: Said) -> RunData:
    """The run in which the answers to some (case, variant) have other fields."""
    answers = (
        replace(r, **said[r.call.case_id, r.call.variant]) if (r.call.case_id, r.call.variant) in said else r
        for r in held(data).responses
    )
    return changed(data, responses=tuple(answers))


def verdict_on(key: CallKey, grader: str, text: str, **more: Any) -> Response:
    return Response(
        replace(key, grader=grader), Outcome.OK, "gpt-4o-2024-11-20", text, returned_model="gpt-4o-2024-11-20",
        request_id="req_judge", usage=Usage(300, 0, 20), usd=0.00095, latency_ms=400, source=Source.SIMULATED, **more,
    )  # fmt: skip


def _calls(variant: str) -> dict[str, Any]:
    made = tuple(ToolCall(f"c{place}", *call) for place, call in enumerate(CALLS[variant]))
    return {"text": "", "tool_calls": made, "steps": (Step(0, "", made[:2]),)}


def compared_run(make_run: MakeRun) -> RunData:
    """Twelve cases: JSON that differs in the first, tool calls in the second, judges' verdicts on the third."""
    data: RunData = make_run(cases=12).build()
    said: dict[tuple[str, str], Mapping[str, Any]] = {
        ("billing-001", name): {"text": text} for name, text in INVOICES.items()
    }
    said |= {("delivery-002", name): _calls(name) for name in CALLS}
    august, november, alias = (CallKey("account-003", name, 0) for name in ("august", "november", "alias"))
    facts = {"items": [{"item": "It is polite.", "wished": "yes", "verdict": "yes"},
                       {"item": "It names a date.", "wished": "yes", "verdict": "no"}]}  # fmt: skip
    shared = {"verdict_of": str(august)}
    scores = tuple(
        replace(score, facts=facts)
        if (score.case_id, score.variant, score.metric) == ("account-003", "november", "tone")
        else replace(score, facts=shared)
        if (score.case_id, score.variant, score.metric) == ("account-003", "alias", "tone")
        else score
        for score in held(data).scores
    )
    assert alias.case_id == august.case_id
    judged = (
        verdict_on(august, "tone.1", VERDICT), verdict_on(august, "tone.2", "no JSON at all"),
        verdict_on(november, "tone", CHECKS),
    )  # fmt: skip
    priced = "$2.50 in, $10.00 out per 1,000,000 tokens of gpt-4o: a price list (2026-07-15)"
    return changed(told(data, said), scores=scores, judged=judged, price=lambda _: priced)


@pytest.fixture(scope="module")
def case_page(make_run: MakeRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reports(build_view(compared_run(make_run)), tmp_path_factory.mktemp("compared")).html


@pytest.fixture
def at(case_page: Path, context: BrowserContext) -> Callable[[str], Opened]:
    """Opens the page at a fragment."""
    return lambda fragment: open_in(context, case_page, fragment)


def shown_sides(opened: Opened) -> list[str]:
    return opened.page.locator(".answer > header select:not(.which) option:checked").all_inner_texts()


def add(opened: Opened, label: str) -> None:
    number = opened.page.locator(".answer").count()
    opened.page.locator("select.add").select_option(label=label)
    opened.wait(f"document.querySelectorAll('.answer').length === {number + 1}")


# ------------------------------------------------------------------------------------------------------------- columns


def test_a_third_variant_can_be_put_beside_two_and_taken_away_again(at: Callable[[str], Opened]) -> None:
    opened = at("#case=billing-001&left=august&right=november")
    assert shown_sides(opened) == ["august", "november"]
    assert opened.page.locator(".remove").count() == 0
    add(opened, "alias")
    assert "sides=august%2Cnovember%2Calias" in opened.page.url
    assert "Each is compared with august; alias is the same." in opened.text(".note")
    assert opened.page.locator(".pairwise", has_text="request id").locator("thead th").all_inner_texts() == [
        "august", "november", "alias",
    ]  # fmt: skip
    opened.press("j")
    opened.wait("document.querySelector('.case-head h3').textContent !== 'billing-001'")
    assert shown_sides(opened) == ["august", "november", "alias"]
    opened.page.locator(".remove").nth(1).click()
    opened.wait("document.querySelectorAll('.answer').length === 2")
    assert shown_sides(opened) == ["august", "alias"]
    opened.page.go_back()
    opened.wait("document.querySelectorAll('.answer').length === 3")
    assert opened.complaints == []


def test_columns_wrap_instead_of_growing_too_narrow_and_the_page_never_scrolls_sideways(
    at: Callable[[str], Opened],
) -> None:
    opened = at("#case=billing-001&sides=august,november,alias,august,%3Dexpected")
    assert shown_sides(opened)[3:] == ["august", "what was expected"]
    for width in (1400, 700, 390):
        opened.page.set_viewport_size({"width": width, "height": 900})
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
        narrowest = opened.page.locator(".answer").evaluate_all("all => Math.min(...all.map((one) => one.offsetWidth))")
        assert narrowest >= min(300, width - 60)
    assert opened.complaints == []


def test_an_address_of_columns_that_there_are_not_shows_two_that_there_are(at: Callable[[str], Opened]) -> None:
    opened = at("#case=billing-001")
    for sides in ("%2525,%E0%A4,nobody", "%3Dexpected", "," * 40, "__proto__,constructor"):
        opened.page.evaluate(f"location.hash = 'case=delivery-002&sides={sides}&repeat=-4,x,99&mode=constructor'")
        opened.wait("document.querySelector('.case-head h3').textContent === 'delivery-002'")
        assert len(shown_sides(opened)) == 2
        opened.page.evaluate("location.hash = 'case=billing-001'")
        opened.wait("document.querySelector('.case-head h3').textContent === 'billing-001'")
    assert opened.complaints == []


def test_an_answer_can_be_compared_with_what_was_expected(at: Callable[[str], Opened]) -> None:
    opened = at("#case=account-003&sides=%3Dexpected,august")
    assert opened.page.locator(".changed-paths li").all_inner_texts() == [
        'reply: only in august: "Sorry about that."',
    ]  # fmt: skip
    assert opened.text(".expectation footer") == "from the dataset"
    assert opened.page.locator(".pairwise", has_text="request id").locator("thead th").all_inner_texts() == ["august"]
    assert opened.complaints == []


# ---------------------------------------------------------------------------------------------------------------- modes


def test_json_is_compared_by_its_structure_also_inside_a_fence(at: Callable[[str], Opened]) -> None:
    opened = at("#case=billing-001")
    assert opened.page.locator(".changed-paths li").all_inner_texts() == [
        "lines[0].total: 1.10 → 1.1 (the same number, written otherwise)",
        "lines[1]: only in november: {2 members}",
    ]
    assert opened.text(".note") == (
        "The answer of november stands in a code fence: what is inside is compared. "
        "november: the same members in another order."
    )
    lines = [opened.page.locator(f".answer:nth-child({place}) .ln").count() for place in (1, 2)]
    assert lines == [18, 18]
    tops = "(all) => all.map((one) => Math.round(one.getBoundingClientRect().top))"
    left, right = (opened.page.locator(f".answer:nth-child({n}) .ln").evaluate_all(tops) for n in (1, 2))
    assert left == right
    spoken = opened.page.locator(".answer:nth-child(2) .spoken").all_text_contents()
    assert spoken == ["changed, at lines[0].total: "] + ["only here, at lines[1]: "] * 4
    assert opened.complaints == []


def test_d_goes_through_the_ways_to_compare_and_the_address_keeps_them(at: Callable[[str], Opened]) -> None:
    opened = at("#case=billing-001")
    pressed = "document.querySelector('.modes [aria-pressed=true]').textContent"
    for mode in ("words", "plain", "json"):
        opened.press("d")
        opened.wait(f"location.hash.includes('mode={mode}') && {pressed}.toLowerCase() === '{mode}'")
    opened.press("d")
    opened.wait("document.querySelectorAll('.answer pre mark').length > 0")
    assert opened.page.locator(".answer:nth-child(2) pre").text_content() == INVOICES["november"]
    opened.page.reload()
    opened.page.wait_for_selector(".modes")
    assert opened.text(".modes [aria-pressed=true]") == "words"
    opened.page.locator(".modes button", has_text="plain").click()
    opened.wait("document.querySelectorAll('.answer mark').length === 0")
    assert opened.page.evaluate("document.activeElement.textContent") == "plain"
    assert opened.complaints == []


def test_json_that_is_the_same_but_for_its_writing_is_compared_by_words(make_run: MakeRun, open_page: Open) -> None:
    texts = {"august": '{"a": 1}', "november": '```\n{"a":1}\n```'}
    data = told(make_run(cases=3).build(), {("billing-001", name): {"text": text} for name, text in texts.items()})
    opened = open_page(data, fragment="#case=billing-001&sides=august,november")
    assert opened.text(".modes [aria-pressed=true]") == "words"
    assert "As JSON they are the same" in opened.text(".note")
    assert opened.complaints == []


HOSTILE_JSON = json.dumps(
    {
        "__proto__": {"polluted": 1},
        "constructor": "</script><script>document.title='owned'</script>",
        "toString": "<img src=x onerror=\"document.title='owned'\">",
        "\u202eevil": "\u2028",
        "lone": "\ud800",
    }
)


def test_hostile_json_and_names_are_text_and_do_nothing(make_run: MakeRun, open_page: Open) -> None:
    said = {("billing-001", "august"): {"text": "{}"}, ("billing-001", "november"): {"text": HOSTILE_JSON}}
    opened = open_page(told(make_run(cases=3).build(), said), fragment="#case=billing-001&sides=august,november")
    paths = opened.page.locator(".changed-paths li").all_inner_texts()
    assert paths[0] == "__proto__: only in november: {1 member}"
    assert paths[1].startswith("constructor: only in november: \"</script><script>document.title='owned'")
    assert paths[3].startswith('["U+202Eevil"]: only in november:')
    assert opened.page.evaluate("({}).polluted === undefined")
    assert opened.page.title().startswith("ticket-triage")
    assert opened.complaints == []


def test_json_that_is_too_much_is_compared_by_words_or_not_at_all(make_run: MakeRun, open_page: Open) -> None:
    large, deep = json.dumps(list(range(5000))), "[" * 90 + "]" * 90
    texts = {
        "billing-001": (large, "too large"), "delivery-002": (deep, "nested too deep"),
        "account-003": ("[" * 100_000, "nested too deep"), "returns-004": (json.dumps(["x" * 5_000_000]), "too large"),
    }  # fmt: skip
    said: dict[tuple[str, str], Any] = {(case, "august"): {"text": "[1]"} for case in texts}
    said |= {(case, "november"): {"text": text} for case, (text, _) in texts.items()}
    opened = open_page(told(make_run(cases=4).build(), said), fragment="#case=returns-004")
    for case, (_, why) in texts.items():
        opened.page.evaluate(f"location.hash = 'case={case}&sides=august,november'")
        opened.wait(f"document.querySelector('.case-head h3').textContent === '{case}'")
        assert f"Not compared as JSON: the answer of november is {why}." in opened.text(".note")
        assert opened.page.locator(".modes button").all_inner_texts() == ["words", "plain"]
    assert opened.complaints == []


def test_long_stretches_of_the_same_are_left_out_until_they_are_wanted(make_run: MakeRun, open_page: Open) -> None:
    said = {("billing-001", name): {"text": json.dumps([*range(60), name])} for name in ("august", "november", "alias")}
    said |= {("delivery-002", "august"): {"text": json.dumps([*range(450)])}}
    said |= {("delivery-002", "november"): {"text": json.dumps([*range(1000, 1450)])}}
    opened = open_page(told(make_run(cases=3).build(), said), fragment="#case=billing-001&sides=august,november,alias")
    assert opened.text(".ln.fold button") == "⋯ 57 lines the same"
    opened.page.locator(".ln.fold button").click()
    opened.wait("document.querySelectorAll('.answer:first-child .ln').length === 63")
    assert "differs" not in "".join(opened.page.locator(".answer:first-child .spoken").all_text_contents())
    opened.page.evaluate("location.hash = 'case=delivery-002&sides=august,november'")
    opened.wait("document.querySelector('.case-head h3').textContent === 'delivery-002'")
    assert opened.text(".ln.fold button") == "⋯ 52 more lines"
    assert opened.text(".paths .key") == "450 places differ"
    assert opened.complaints == []


# -------------------------------------------------------------------------------------------- calls, repeats and judges


def test_tool_calls_are_aligned_and_their_arguments_compared(at: Callable[[str], Opened]) -> None:
    opened = at("#case=delivery-002&sides=august,november,alias")
    assert opened.text(".calls summary .preview").startswith("november: 2 same, 1 moved, 1 extra; alias: 3 missing")
    rows = [row.split("\t") for row in opened.page.locator(".calls tbody tr").all_inner_texts()]
    assert [row[0] for row in rows] == ["call 1", "call 2", "call 3", "extra call"]
    november = [row[2].strip() for row in rows]
    assert november[0].startswith("the same, written otherwise")
    assert november[1].startswith("moved, call 3 here, with other arguments")
    assert "sum: 1.10 → 11" in november[1]
    assert november[2] == "the same"
    assert "only here" in november[3]
    assert "its arguments are no JSON object" in november[3]
    assert [row[3].strip() for row in rows] == ["missing", "missing", "missing", "–"]
    assert opened.complaints == []


def test_repeats_are_counted_reachable_and_grouped_by_what_they_say(make_run: MakeRun, open_page: Open) -> None:
    opened = open_page(make_run(cases=12, repeats=3).build(), fragment="#case=billing-005")
    repeats = opened.page.locator(".pairwise", has_text="Repeats")
    queue = repeats.locator("tr", has_text="queue").locator("td").nth(1)
    assert queue.locator(".of").inner_text() == "passes 2 of 3"
    assert queue.locator(".dot").evaluate_all("all => all.map((one) => one.getAttribute('aria-label'))") == [
        "repeat 1: passes", "repeat 2: fails", "repeat 3: passes",
    ]  # fmt: skip
    answers = repeats.locator("tr", has_text="answers").locator("td").all_inner_texts()
    assert answers == ["all 3 are the same", "repeats 1 and 3 gave the same answer"]
    queue.locator(".dot").nth(1).click()
    opened.wait("location.hash.includes('repeat=0%2C1')")
    assert opened.page.locator(".answer .which option:checked").all_inner_texts() == ["repeat 1", "repeat 2"]
    assert opened.page.evaluate("document.activeElement.getAttribute('aria-label')") == "repeat 2: fails"
    opened.press("]")
    opened.wait("location.hash.includes('repeat=1') && !location.hash.includes('%2C1')")
    opened.press("[")
    opened.press("[")
    opened.wait("location.hash.includes('repeat=2')")
    assert opened.complaints == []


def test_a_variant_can_be_compared_with_itself_in_another_repeat(make_run: MakeRun, open_page: Open) -> None:
    data = make_run(cases=12, repeats=3).build()
    opened = open_page(data, fragment="#case=billing-005&sides=november,november&repeat=0,1")
    assert opened.page.locator(".changed-paths li").all_inner_texts() == ['queue: "billing" → "account"']
    heads = opened.page.locator(".pairwise", has_text="Scores").locator("thead th").all_inner_texts()
    assert heads == ["november, repeat 1", "november, repeat 2"]
    assert opened.complaints == []


def test_what_judges_wrote_is_folded_under_the_score_that_was_made_of_it(at: Callable[[str], Opened]) -> None:
    opened = at("#case=account-003&sides=august,november,alias")
    assert opened.page.locator(".judged > summary").all_inner_texts() == [
        "the judge's 2 answers", "the judge's answer", "the judge's 2 answers",
    ]  # fmt: skip
    for place in range(3):
        opened.page.locator(".judged > summary").nth(place).click()
    august, november, alias = opened.page.locator(".judged").all_inner_texts()
    assert "good: It says when <b>and</b> how." in august
    assert "no JSON at all" in august
    assert "gpt-4o-2024-11-20 · simulated · 300 in, 20 out tokens · $0.000950 · 400 ms" not in august
    assert "$0.000950" in august and "req_judge" in august  # noqa: PT018  two facts of one line
    assert [line for line in november.split("\n") if line.startswith(("It names", "✓", "✗"))] == [
        "✓ yes: It is.", "It names a date.", "✗ no: No date.",
    ]  # fmt: skip
    assert alias == august
    judges = opened.page.locator("tr", has_text="judges").last.locator("td").all_inner_texts()
    assert judges == [
        "2 answers, $0.001900, 600 in, 40 out tokens",
        "1 answer, $0.000950, 300 in, 20 out tokens",
        "2 asked about an equal answer",
    ]
    opened.press("j")
    opened.press("k")
    opened.wait("document.querySelectorAll('.judged[open]').length === 3")
    assert opened.complaints == []


def test_the_facts_of_a_call_are_told_and_its_request_id_is_copied(at: Callable[[str], Opened]) -> None:
    opened = at("#case=account-003&sides=august,alias")
    facts = opened.page.locator(".pairwise", has_text="request id")
    rows = {row.split("\t")[0]: row.split("\t")[1:] for row in facts.locator("tbody tr").all_inner_texts()}
    assert rows["returned model"] == ["gpt-4o-2024-08-06", "gpt-4o-2024-08-06 (asked for gpt-4o)"]
    assert rows["price"] == ["$2.50 in, $10.00 out per 1,000,000 tokens of gpt-4o: a price list (2026-07-15)"] * 2
    assert rows["finish reason"] == ["stop", "stop"]
    button = facts.locator("button").first
    button.click()
    opened.wait("[...document.querySelectorAll('.pairwise button')].some((one) => one.textContent === 'copied')")
    assert (
        opened.page.evaluate("() => navigator.clipboard.readText()") == rows["request id"][0].split("copy")[0].strip()
    )
    scores = " ".join(opened.page.locator(".pairwise", has_text="Scores").inner_text().split())
    assert ("valid ✓ passes ✓ passes" in scores, "passes passed" in scores) == (True, False)
    assert opened.complaints == []


def test_a_failed_call_beside_an_answer_is_said_and_not_compared(make_run: MakeRun, open_page: Open) -> None:
    failure = Failure(FailureKind.TIMEOUT, "no answer in 60 s", retryable=True)
    said = {("billing-001", "november"): {"outcome": Outcome.API_ERROR, "text": "", "failure": failure}}
    opened = open_page(told(make_run(cases=3).build(), said), fragment="#case=billing-001&sides=august,november,alias")
    assert opened.text(".answer:nth-child(2) .none") == "timeout: no answer in 60 s"
    assert opened.page.locator(".answer mark").count() == 0
    assert opened.complaints == []


# --------------------------------------------------------------------------------------------- the functions themselves


@pytest.fixture(scope="module")
def functions(chromium: Browser) -> Iterator[Callable[[str], Any]]:
    """Evaluates an expression that sees the functions of the comparing parts of the script."""
    folder = Path(str(write_reports.__code__.co_filename)).parent / "templates" / "js"
    parts = ("diff.js", "json_read.js", "json_diff.js", "call_diff.js")
    source = "const LONG = 20000, number = String;\n" + "\n".join((folder / name).read_text() for name in parts)
    page: Page = chromium.new_page()
    yield lambda expression: page.evaluate(f"() => {{ {source}\n return {expression}; }}")
    page.close()


@pytest.mark.parametrize(
    ("left", "right", "changes"),
    [
        ('{"a": 1, "b": 2}', '{"b": 2, "a": 1}', []),
        ('{"a": 1.10}', '{"a": 1.1}', ["a: 1.10 → 1.1 (the same number, written otherwise)"]),
        ("[100]", "[1e2]", ["[0]: 100 → 1e2 (the same number, written otherwise)"]),
        (
            '{"n": 12345678901234567890}',
            '{"n": 12345678901234567891}',
            ["n: 12345678901234567890 → 12345678901234567891"],
        ),
        ('{"a": 1, "a": 2}', '{"a": 1}', ["a (no. 2 of this name): only in L: 2"]),
        ('{"a": "1"}', '{"a": 1}', ['a: "1" → 1 (a text became a number)']),
        ('{"a": {"b": 1}}', '{"a": null}', ["a: {1 member} → null (an object became null)"]),
        ("[1, 2, 3]", "[1, 3]", ["[1]: only in L: 2"]),
        ("[1, 2, 3]", "[3, 1, 2]", ["[2]: moved to [0]: 3"]),
        (
            '[{"id": 1, "t": 5}, {"id": 2, "t": 6}]',
            '[{"id": 9, "t": 0}, {"id": 1, "t": 5}, {"id": 2, "t": 7}]',
            ["[0]: only in R: {2 members}", "[1 → 2].t: 6 → 7"],
        ),
        ('{"a b": 1, "é": 2}', '{"a b": 2, "é": 3}', ['["a b"]: 1 → 2', "é: 2 → 3"]),
        ("{}", "[]", ["the whole answer: {} → [] (an object became a list)"]),
        ('["\\u00e9"]', '["é"]', []),
        ("[NaN]", "[-Infinity]", ["[0]: NaN → -Infinity"]),
        (json.dumps([*range(200), *range(50)]), json.dumps([*range(1, 200), *range(50)]), ["[0]: only in L: 0"]),
    ],
)
def test_json_is_compared_path_by_path(
    functions: Callable[[str], Any], left: str, right: str, changes: list[str]
) -> None:
    read = f"jsonDiff(readJson({json.dumps(left)}).value, readJson({json.dumps(right)}).value)"
    assert functions(f"{read}.changes.map((one) => changeInWords(one, 'L', 'R'))") == changes


@pytest.mark.parametrize("text", ["[1,]", '{"a" 1}', "{'a': 1}", "[01]", '{"a": 1} and more', "", "```\n```", "plain"])
def test_what_is_no_json_is_not_read_as_it(functions: Callable[[str], Any], text: str) -> None:
    assert functions(f"readJson({json.dumps(text)})") == {"value": None, "fenced": False, "problem": ""}


@pytest.mark.parametrize(
    ("left", "right", "found", "extra"),
    [
        ("a:1 b:2", "a:1 b:2", [0, 1], []),
        ("a:1 b:2", "b:2", [None, 0], []),
        ("a:1 a:2", "a:2", [None, 0], []),
        ("a:1 b:2", "b:2 a:1", [1, 0], []),
        ("a:1 b:2", "b:3 a:1", [1, 0], []),
        ("a:1", "a:9 a:1", [1], [0]),
        ("a:1", "c:1", [None], [0]),
        ("", "a:1", [], [0]),
    ],
)
def test_calls_are_aligned_by_name_and_order(
    functions: Callable[[str], Any], left: str, right: str, found: list[int | None], extra: list[int]
) -> None:
    def calls(written: str) -> str:
        tools = [each.split(":") for each in written.split()]
        return f"callsOf({{ tools: {json.dumps(tools)} }})"

    aligned = functions(f"alignCalls({calls(left)}, {calls(right)})")
    assert [one and one["call"] for one in aligned["found"]] == found
    assert [call for calls in aligned["before"] for call in calls] == extra


def test_no_two_parts_of_the_script_give_one_name_to_two_things() -> None:
    folder = Path(str(write_reports.__code__.co_filename)).parent / "templates" / "js"
    names = [
        line.replace("async ", "").split()[1].split("(")[0]
        for part in SCRIPTS
        for line in (folder / part).read_text().splitlines()
        if line.startswith(("function ", "async function ", "const ", "let ", "class "))
    ]
    assert sorted(names) == sorted(set(names))


def test_a_score_names_its_reason_code_and_shows_all_of_a_long_detail(make_run: MakeRun, open_page: Open) -> None:
    data = make_run(cases=3).build()
    long = "word " * 1000
    scores = tuple(
        replace(score, detail=long, reason=Why.SCHEMA_VIOLATION, passed=False, value=0.0)
        if (score.case_id, score.metric) == ("billing-001", "valid")
        else score
        for score in held(data).scores
    )
    opened = open_page(changed(data, scores=scores), fragment="#case=billing-001")
    cell = opened.page.locator(".pairwise", has_text="Scores").locator("tr", has_text="valid").locator("td").first
    assert cell.locator(".code-of").inner_text() == "schema_violation"
    cell.locator("button").click()
    assert len(cell.locator(".under").inner_text()) > 4900
    assert opened.complaints == []
