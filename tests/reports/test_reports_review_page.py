"""Review in the page: marks, comments and accepted cases, what is exported of them, and labelling without a sight."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.judged import judged_workspace, truth
from tests.reports.accessibility import violations
from tests.reports.browsing import Open, Opened, open_in
from tests.reports.held import held

from snapdrift.model import MustPass
from snapdrift.reports import build_view, write_reports
from snapdrift.reports.case_views import CaseGroup
from snapdrift.suites.labels import LabelRow, read_labels

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Dialog

pytestmark = pytest.mark.browser

REFERENCE = (Path(__file__).parents[2] / "docs" / "reference.md").read_text()
HOSTILE = (
    "plain",
    "lone \ud800 surrogate \udfff",
    "line\u2028separator, \u202ebidi, \x85 and \x7f",
    "<script>alert(1)</script> </script> {{ 7*7 }}",
    "astral \U0001f600 and \u00e9, \u20ac",
    "x" * 70_000,
)


def exported(opened: Opened, button: str, name: str = "Ada") -> str:
    """The text of what a button of the dialog downloads."""
    if not opened.page.locator("#review-files").is_visible():
        opened.page.locator("#review-open").click()
    if not opened.page.locator("#rater").input_value():
        opened.page.fill("#rater", name)
    with opened.page.expect_download() as download:
        opened.page.locator(button).click()
    return Path(download.value.path()).read_text(encoding="utf-8")


def rows_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def listed(opened: Opened) -> list[str]:
    return list(opened.page.locator(".row .name").all_inner_texts())


def right_mark(opened: Opened) -> str:
    return opened.page.locator(".marking").nth(1).inner_text()


# ---------------------------------------------------------------------------------------------------------------- marks


def test_answers_are_marked_by_keys_and_kept_counted_filtered_and_undone(open_page: Open) -> None:
    opened = open_page()
    first = opened.selected
    assert opened.text("#review-count") == "nothing marked yet"
    opened.press("r")
    assert "the grader says that it fails" in right_mark(opened)
    opened.press("Shift+R")
    assert "as the grader says" in opened.page.locator(".marking").nth(0).inner_text()
    assert opened.text("#review-count") == "2 marked, not exported since"
    assert opened.page.locator("#review-said").inner_text() == "valid: right, as the grader says"
    opened.press("u")
    opened.press("c")
    opened.page.keyboard.type("the fence is fine")
    opened.press("Enter")
    opened.press("j")
    opened.wait(f"document.querySelector('.case-head h3').textContent !== {json.dumps(first)}")
    second = opened.selected
    opened.press("w")
    opened.press("a")
    opened.page.wait_for_selector(".why")
    opened.page.keyboard.type("known for long")
    opened.press("Escape")

    again = open_in(opened.page.context, Path(opened.page.url.removeprefix("file://").split("#")[0]))
    assert again.text("#review-count") == "2 marked, 1 accepted, not exported since"
    assert again.page.locator(".marking").nth(1).locator(".comment").input_value() == "the fence is fine"
    for wanted, ids in (("marked", [first, second]), ("disagree", [first]), ("accepted", [second])):
        again.page.select_option("#review", wanted)
        assert listed(again) == ids, wanted
        assert f"review={wanted}" in again.page.url
    again.page.select_option("#review", "unmarked")
    assert not {first, second} & set(listed(again))
    again.page.locator("#clear").click()
    again.page.locator(".row", has_text=second).click()
    again.press("a")
    again.wait("!document.querySelector('.why')")
    assert again.text("#review-count") == "2 marked, not exported since"
    again.press("u")
    again.page.wait_for_selector(".why")
    assert again.page.locator(".why").input_value() == "known for long"
    assert opened.complaints == again.complaints == []


def test_the_metric_in_view_is_marked_and_a_scale_by_its_numbers_only(open_page: Open) -> None:
    opened = open_page(fragment="#metric=tone&case=delivery-002")
    opened.press("r")
    assert "as the grader says" in right_mark(opened)
    opened.press("w")
    assert opened.page.locator("#review-said").inner_text() == "say how much on the scale"
    field = opened.page.locator(".marking").nth(1).locator("input.on-scale")
    assert field.input_value() == "5"
    field.fill("7")
    field.press("Enter")
    assert opened.page.locator("#review-said").inner_text() == "tone is a number from 1 to 5"
    field.fill("2.5")
    field.press("Enter")
    assert "the grader says that it passes (" in right_mark(opened)
    opened.page.locator(".mark-by select").select_option(label="queue")
    opened.page.locator(".marking").nth(1).get_by_role("button", name="wrong").click()
    labels = {row["metric"]: row["label"] for row in rows_of(exported(opened, "#save-labels"))}

    assert labels == {"tone": 2.5, "queue": False}
    assert opened.complaints == []


def test_a_page_that_may_not_keep_anything_says_so_and_warns_before_it_is_left(
    context: BrowserContext, usual_page: Path
) -> None:
    context.add_init_script("Storage.prototype.setItem = () => { throw new Error('refused'); };")
    opened = open_in(context, usual_page)
    warned: list[str] = []

    def leave(dialog: Dialog) -> None:
        warned.append(dialog.type)
        dialog.accept()

    opened.press("r")
    assert "this browser keeps nothing: export before you leave" in opened.text("#review-count")
    opened.page.on("dialog", leave)
    opened.page.locator("#review-count").click()  # a page that nobody touched is never asked for
    opened.page.reload()
    opened.page.wait_for_selector("html[data-ready]")

    assert warned == ["beforeunload"]
    assert opened.text("#review-count") == "nothing marked yet"
    assert opened.complaints == []


# ------------------------------------------------------------------------------------------------------ out of the page


def test_rows_know_their_answer_by_the_hash_that_the_run_has_whatever_its_text(
    open_page: Open, make_run: Callable[..., Any], tmp_path: Path
) -> None:
    data = make_run(cases=8, texts=HOSTILE).build()
    opened = open_page(data)
    for case in held(data).cases[: len(HOSTILE)]:
        opened.page.evaluate(f"location.hash = {json.dumps('#case=' + case.id)}")
        opened.wait(f"document.querySelector('.case-head h3')?.textContent === {json.dumps(case.id)}")
        opened.press("w")
    text = exported(opened, "#save-labels")
    path = tmp_path / "labels.jsonl"
    path.write_text(text, encoding="utf-8")
    hashes = {response.call.case_id: response.answer_hash for response in held(data).responses
              if response.call.variant == "november"}  # fmt: skip

    entries = [entry for written in read_labels(path, "labels.jsonl") if isinstance(entry := written.entry, LabelRow)]
    assert {entry.case: entry.answer for entry in entries} == {
        case.id: hashes[case.id] for case in held(data).cases[: len(HOSTILE)]
    }
    assert {(entry.run, entry.rater, entry.label) for entry in entries} == {(data.run.run_id, "Ada", False)}
    assert all(entry.labelled_at.endswith("+00:00") for entry in entries)
    assert opened.text("#exported") == "downloaded"
    assert opened.text("#review-count") == "6 marked, exported"
    assert opened.complaints == []


def test_accepted_cases_are_yaml_whatever_they_are_called_and_must_pass_cases_are_not_to_be_accepted(
    open_page: Open, make_run: Callable[..., Any]
) -> None:
    odd = "odd: \"id\" #\x7f\x85\u2028 'x' \\ - {a}"
    data = make_run(cases=20, ids=("one", odd)).build(must_pass=MustPass(cases=("billing-017",)))
    opened = open_page(data)
    opened.wait("document.querySelectorAll('.row').length > 2")
    assert opened.page.locator(".case-head h3").inner_text().startswith("odd:")
    opened.press("a")
    opened.page.wait_for_selector(".why")
    why = "yes: *all* & 'more' \U0001f600 \u2029 \x9f"
    opened.page.locator(".why").fill(why)
    opened.press("Escape")
    opened.page.locator(".row", has_text="billing-017").click()
    opened.wait("document.querySelector('.case-head h3').textContent === 'billing-017'")
    assert "must pass: not to be accepted" in opened.text(".case-head")
    opened.press("a")
    assert opened.page.locator("#review-said").inner_text() == "this case cannot be accepted"
    entries = yaml.safe_load(exported(opened, "#save-accepted"))
    opened.page.fill("#until", "2031-01-02")
    later = yaml.safe_load(exported(opened, "#save-accepted"))

    assert [(entry["suite"], entry["case"], entry["metric"], entry["why"], entry["by"]) for entry in entries] == [
        ("ticket-triage", odd, metric, why, "Ada") for metric in ("valid", "queue")
    ]
    (documented,) = yaml.safe_load(REFERENCE.partition("```yml accepted\n")[2].partition("```")[0])
    assert all(list(entry) == list(documented) for entry in entries)
    assert all(isinstance(entry["until"], date) for entry in entries)
    (digest,) = {entry["hash"] for entry in entries}
    assert next(case.hash for case in data.records.dataset() if case.id == odd).startswith(digest)
    assert len(digest) == 12
    assert {entry["until"] for entry in later} == {date(2031, 1, 2)}
    assert opened.complaints == []


def test_a_comment_without_a_mark_stays_and_is_told_and_nothing_leaves_without_a_name(open_page: Open) -> None:
    opened = open_page()
    opened.press("w")
    opened.press("Shift+C")
    opened.page.keyboard.type("hm")
    opened.press("Escape")
    opened.page.locator("#review-open").click()
    assert (
        opened.text("#labels-told") == "1 row; 1 comment stays in this browser: a row needs a mark beside its comment"
    )
    opened.page.locator("#copy-labels").click()
    assert opened.text("#exported") == "first say who marked: your name goes into every row"
    opened.page.keyboard.type("Ada")
    opened.page.locator("#copy-labels").click()
    opened.wait("document.getElementById('exported').textContent === 'copied'")
    (row,) = rows_of(opened.page.evaluate("navigator.clipboard.readText()"))

    assert (row["rater"], row["label"], row["comment"]) == ("Ada", False, "")
    assert opened.text("#review-count") == "1 marked, 1 only commented, exported"
    assert opened.complaints == []


# ------------------------------------------------------------------------------------------------------- into the page


MISTAKES: tuple[tuple[dict[str, Any], str], ...] = (
    ({"run": "another"}, 'run: "another"; expected 2026'),
    ({"case": "c999"}, 'case: "c999"; expected the id of a case of the run'),
    ({"variant": "novembre"}, 'variant: "novembre"; expected one of august, november, alias'),
    ({"metric": "rigth"}, 'metric: "rigth"; expected one of valid, queue, tone'),
    ({"repeat": 5}, "answer: no answer to case"),
    ({"repeat": "0"}, 'repeat: "0"; expected a whole number'),
    ({"answer": "0" * 64}, "answer: 000000000000…; expected "),
    ({"answer": "beef"}, 'answer: "beef"; expected the SHA-256'),
    ({"label": 1}, "label: 1; expected true (right) or false (wrong)"),
    ({"label": None}, "label: null; expected true"),
    ({"purpose": "look"}, 'purpose: "look"; expected review or calibration'),
    ({"verdict": True}, '"verdict": unknown key; expected run, case'),
    ({"rater": 5}, "rater: 5; expected text"),
    ({"item": "beef"}, "item: a row of a sheet"),
)


def test_rows_are_imported_whole_or_not_at_all_and_every_mistake_is_told_at_its_line(
    open_page: Open, context: BrowserContext, usual_page: Path, tmp_path: Path
) -> None:
    opened = open_page()
    opened.press("w")
    opened.press("j")
    opened.press("r")
    good, other = rows_of(exported(opened, "#save-labels"))
    lines = [good, *({**good, **change} for change, _ in MISTAKES), {**good, "label": True}]
    bad = tmp_path / "bad.jsonl"
    bad.write_text("".join(json.dumps(row) + "\n" for row in lines) + "{\n")
    opened.page.set_input_files("#import-file", bad)
    opened.wait("document.querySelectorAll('#review-problems li').length > 0")
    told = opened.page.locator("#review-problems li").all_inner_texts()

    assert len(told) == len(MISTAKES) + 2
    for number, (line, (_, said)) in enumerate(zip(told, MISTAKES, strict=False), start=2):
        assert line.startswith(f"line {number}: {said}"), line
    assert told[-2].endswith("another label of the same answer; expected one label of an answer, it is first at line 1")
    assert "expected a JSON object on one line" in told[-1]
    assert opened.text("#imported") == "nothing was taken"
    assert opened.text("#review-count") == "2 marked, exported"

    opened.page.fill(
        "#import-text", "\n".join(map(json.dumps, ({**good, "label": True}, {**other, "rater": "Ben", "label": False})))
    )
    opened.page.locator("#import-take").click()
    opened.wait("document.getElementById('imported').textContent !== 'nothing was taken'")
    assert opened.text("#imported") == "2 rows taken, 1 in the place of earlier ones"
    assert not opened.page.locator("#review-problems li").count()
    assert opened.text("#review-count") == "3 marked, not exported since"
    opened.press("Escape")
    assert "Ben: queue wrong" in right_mark(opened)
    assert opened.complaints == []


# --------------------------------------------------------------------------------------------------------- real runs


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory, snapdrift_process: Callable[..., Any]) -> Path:
    """A workspace with a real run of the stand-in, whose judge flatters the candidate."""
    root = judged_workspace(tmp_path_factory.mktemp("reviewed") / "workspace")
    # A process of its own: Chromium's driver has the event loop of this one.
    done = snapdrift_process("run", "evals/capitals.yaml", "--standin", "--quiet", cwd=root)
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture
def root(judged: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(judged, tmp_path / "workspace", symlinks=True))


def page_of(root: Path) -> Path:
    return (root / "reports" / "capitals" / "latest" / "index.html").resolve()


def test_marks_of_a_real_run_go_into_it_and_the_next_page_tells_who_said_what(
    root: Path, context: BrowserContext, snapdrift: Callable[..., Any]
) -> None:
    opened = open_in(context, page_of(root))
    case = opened.selected
    opened.press("w")
    opened.press("c")
    opened.page.keyboard.type("<b>no</b> capital")
    opened.press("Escape")
    (root / "labels.jsonl").write_text(exported(opened, "#save-labels"))
    done = snapdrift("calibrate", "latest", "--labels", "labels.jsonl", cwd=root)
    context.clear_cookies()
    opened.page.evaluate("localStorage.clear()")
    later = open_in(context, page_of(root), f"#case={case}")

    assert "1 rows: 1 new labels, 1 for review, which never count" in done.stderr
    assert later.text("#review-count") == "nothing marked yet"
    assert "Ada: right wrong – <b>no</b> capital" in right_mark(later)
    later.page.select_option("#review", "marked")
    assert listed(later) == [case]
    assert opened.complaints == later.complaints == []


def test_answers_are_labelled_blind_by_the_keyboard_and_decide_the_comparison(
    root: Path, context: BrowserContext, snapdrift: Callable[..., Any]
) -> None:
    opened = open_in(context, page_of(root))
    opened.page.locator("#review-open").click()
    opened.page.locator("[data-sheet='0']").click()
    opened.page.wait_for_selector("#labelling[open] .choices")
    assert violations(opened.page, within="#labelling") == []
    seen = []
    for number in range(110):
        dialog = opened.page.locator("#labelling")
        seen.append(dialog.evaluate("(element) => element.outerHTML"))
        row = {
            "text": dialog.locator("[aria-label=Answer] pre").inner_text(),
            "criteria": [dialog.locator("[aria-label=Criteria] li").inner_text()],
        }
        opened.press("s" if number == 3 else "1" if truth(row) else "2")
        opened.wait(f"document.getElementById('labelling-told').textContent.startsWith('{number + 2} of 124')")
    told = opened.text("#labelling-told")
    opened.press("Escape")
    opened.wait("!document.querySelector('dialog[open]')")
    assert opened.page.locator("#labelling-body").inner_html() == ""
    assert opened.text("#review-count") == "109 labelled blind, not exported since"
    text = exported(opened, "#save-labels")
    (root / "blind.jsonl").write_text(text)
    done = snapdrift("calibrate", "latest", "--labels", "blind.jsonl", cwd=root)
    verdict = json.loads((page_of(root).parent / "verdict.json").read_text())
    (comparison,), (calibration,) = verdict["comparisons"], verdict["calibrations"]

    everything = "\n".join(seen)
    for hidden in (
        "august",
        "november",
        "gpt-4o",
        "baseline",
        "candidate",
        "passes",
        "fails",
        *(f"c{n}<" for n in range(62)),
        *(f'"c{n}"' for n in range(62)),
    ):
        assert hidden not in everything, hidden
    assert "1 rows passed over" in told
    assert {row["purpose"] for row in rows_of(text)} == {"calibration"}
    assert done.returncode == 1, done.stderr
    assert (comparison["verdict"], calibration["status"]) == ("regressed", "calibrated")
    assert comparison["method"] in ("ppi_paired", "human_only")
    assert calibration["labelled"] >= 50
    assert calibration["skipped"] == 1
    assert opened.complaints == []


def test_labelling_goes_on_where_it_was_left_and_takes_a_label_back(root: Path, context: BrowserContext) -> None:
    opened = open_in(context, page_of(root))
    opened.page.locator("#review-open").click()
    opened.page.locator("[data-sheet='0']").click()
    opened.page.wait_for_selector("#labelling[open] .choices")
    for key, place in (("1", 2), ("2", 3), ("u", 2)):
        opened.press(key)
        opened.wait(f"document.getElementById('labelling-told').textContent.startsWith('{place} of ')")
    assert opened.page.locator(".choices [aria-pressed=true]").inner_text() == "2 fail"
    opened.press("1")
    opened.wait("document.getElementById('labelling-told').textContent.startsWith('3 of ')")
    again = open_in(context, page_of(root))
    again.page.locator("#review-open").click()
    again.page.locator("[data-sheet='0']").click()
    again.page.wait_for_selector("#labelling[open] .choices")

    assert again.text("#labelling-told").startswith("3 of 124; ")
    again.press("Escape")
    again.wait("!document.querySelector('dialog[open]')")
    assert [row["label"] for row in rows_of(exported(again, "#save-labels"))] == [True, True]
    assert opened.complaints == again.complaints == []


def test_the_dialog_of_files_can_be_used_by_everybody(open_page: Open) -> None:
    opened = open_page()
    opened.press("w")
    opened.page.locator("#review-open").click()
    assert violations(opened.page, within="#review-files") == []
    assert opened.complaints == []


def test_the_pages_of_a_split_report_are_reviewed_as_one(
    make_run: Callable[..., Any], tmp_path: Path, context: BrowserContext
) -> None:
    view = build_view(make_run(cases=400, answer_length=700).build())
    paths = write_reports(view, tmp_path, split_mb=0.2)
    failing = [case.case.id for case in view.cases if case.group is CaseGroup.NEWLY_FAILING]
    first, last = open_in(context, paths.case_pages[0]), open_in(context, paths.case_pages[-1])
    assert first.selected == failing[0]
    first.press("w")
    first.press("a")
    first.page.wait_for_selector(".why")
    last.press("r")
    kept = rows_of(exported(last, "#save-labels"))
    accepted = yaml.safe_load(exported(last, "#save-accepted"))
    assert [(row["case"], row["label"]) for row in kept] == [(failing[0], False), (last.selected, True)]
    assert {entry["case"] for entry in accepted} == {failing[0]}
    # Rows of all pages are taken on each of them and by the list of all cases, if their form is right.
    for page in (paths.case_pages[-1], paths.html):
        other = open_in(context, page)
        other.page.evaluate("localStorage.clear()")
        other.page.reload()
        other.page.wait_for_selector("html[data-ready]")
        other.page.locator("#review-open").click()
        other.page.fill("#import-text", "".join(f"{json.dumps(row)}\n" for row in kept))
        other.page.locator("#import-take").click()
        other.wait("document.getElementById('imported').textContent !== ''")
        assert other.text("#imported") == "2 rows taken"
        other.page.fill("#import-text", json.dumps(kept[0] | {"label": "no"}))
        other.page.locator("#import-take").click()
        other.wait("document.getElementById('imported').textContent === 'nothing was taken'")
        assert other.complaints == []
    assert first.complaints == last.complaints == []
