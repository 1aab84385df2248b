"""A judge against a scripted person, end to end: draw, label, calibrate, and what later commands make of it.

The person knows the truth, and the judge flatters the variant that errs (`tests/judged.py`).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.judged import NOVEMBER, judged_workspace, of_answer, read, truth, write

from snapdrift.pipeline.concluding import load_stored_suite
from snapdrift.pipeline.labelling import stored_records
from snapdrift.pipeline.offering import label_levels, offered_sheets
from snapdrift.reports.blind import BlindRow, BlindSheet
from snapdrift.store import open_run
from snapdrift.suites.workspace import find_workspace


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory, snapdrift: Callable[..., Any]) -> Path:
    """A workspace in which the suite was run once. Tests work on copies of it."""
    root = judged_workspace(tmp_path_factory.mktemp("judged") / "workspace")
    done = snapdrift("run", "evals/capitals.yaml", "--standin", "--quiet", cwd=root)
    assert done.returncode == 0, done.stdout + done.stderr
    return root


@pytest.fixture
def root(judged: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(judged, tmp_path / "workspace", symlinks=True))


def verdict(root: Path) -> Any:
    return json.loads((root / "reports" / "capitals" / "latest" / "verdict.json").read_text())


@pytest.fixture
def draw(root: Path, snapdrift) -> Callable[..., list[dict[str, Any]]]:
    """Draws so many pairs and gives the rows of the sheet."""

    def make(pairs: int, *options: str, name: str = "sheet.jsonl") -> list[dict[str, Any]]:
        done = snapdrift("calibrate", "latest", "--draw", str(pairs), "-o", name, *options, cwd=root)
        assert done.returncode == 0, done.stderr
        return read(root / name)

    return make


@pytest.fixture
def label(root: Path, snapdrift) -> Callable[..., Any]:
    """Gives labels to the run."""

    def give(rows: list[dict[str, Any]], *options: str, name: str = "labels.jsonl") -> Any:
        write(root / name, rows)
        return snapdrift("calibrate", "latest", "--labels", name, *options, cwd=root)

    return give


def filled(rows: list[dict[str, Any]], **more: Any) -> list[dict[str, Any]]:
    return [{**row, "label": truth(row), **more} for row in rows]


# ------------------------------------------------------------------------------------------------------- the whole way


def test_labels_unmask_a_judge_that_flatters_the_candidate(root, draw, label) -> None:
    before = verdict(root)
    assert before["comparisons"][0]["verdict"] == "improved"
    assert [entry["word"] for entry in before["labels"]] == ["simulated", "recorded", "uncalibrated judge"][1:]

    done = label(filled(draw(60)))
    after = verdict(root)
    (comparison,), (calibration,) = after["comparisons"], after["calibrations"]

    assert done.returncode == 1, done.stderr
    assert (comparison["verdict"], comparison["method"]) == ("regressed", "ppi_paired")
    assert comparison["ci"][1] < 0
    assert calibration["status"] == "calibrated"
    assert (calibration["labelled"], calibration["drawn"]) == (60, 60)
    assert (calibration["alone_verdict"], calibration["simulated"]) == ("improved", True)
    assert calibration["bias"] > 0.3
    assert [entry["word"] for entry in after["labels"]] == ["recorded", "calibrated judge"]
    assert "judge: right, `november` against `august`: calibrated judge" in " ".join(done.stdout.split())
    assert "The judge's verdicts are simulated." in calibration["sentence"]
    assert "right, november against august: 60 labelled pairs" in done.stdout
    assert "sensitivity" in done.stdout
    page = (root / "reports" / "capitals" / "latest" / "index.html").read_text()
    assert "calibrated judge</span>" in page
    assert "uncalibrated judge" not in page
    assert "calibrated judge" in (root / "reports" / "capitals" / "latest" / "summary.md").read_text()


def test_compare_report_grade_and_the_same_run_again_keep_the_labels(root, draw, label, snapdrift) -> None:
    label(filled(draw(60)))
    decided = verdict(root)["comparisons"]

    assert json.loads(snapdrift("compare", "latest", "--json", cwd=root).stdout)["comparisons"] == decided
    for command in (("report", "latest"), ("grade", "latest"), ("run", "evals/capitals.yaml", "--standin")):
        done = snapdrift(*command, cwd=root)
        assert done.returncode == (0 if command[0] == "report" else 1), done.stderr
        assert verdict(root)["comparisons"] == decided


def test_json_is_the_verdict_and_the_code_is_the_decisions(root, draw, label) -> None:
    done = label(filled(draw(60)), "--json")

    assert done.returncode == json.loads(done.stdout)["decision"]["exit_code"] == 1


SCALE = """\
      scale: {bad: 1, ok: 3, good: 5}
    not: NEGATED
"""


@pytest.mark.parametrize("negated", [False, True], ids=["as it is", "turned round"])
def test_a_scale_is_labelled_in_the_rubrics_numbers_and_named_answers_in_the_metrics(
    judged, tmp_path, snapdrift, negated
) -> None:
    root = tmp_path / "workspace"
    shutil.copytree(judged, root, ignore=shutil.ignore_patterns(".snapdrift", "reports"))
    rows = read(root / "datasets" / "capitals.jsonl")[10:30]
    write(root / "datasets" / "capitals.jsonl", rows)
    edit(root, "gate:\n", SCALE + "gate:\n")
    edit(root, "NEGATED", str(negated).lower())
    edit(root, "max_blind: 0.25", "max_blind: 0.6")
    assert snapdrift("run", "evals/capitals.yaml", "--standin", "--quiet", cwd=root).returncode in (0, 1)
    snapdrift("calibrate", "latest", "--draw", "20", "-o", "sheet.jsonl", cwd=root)
    sheet, (offered, levels) = read(root / "sheet.jsonl"), offered_of(root)
    assert offered.choices == tuple(
        (word, 6.0 - number if negated else number) for word, number in (("bad (1)", 1), ("ok (3)", 3), ("good (5)", 5))
    )
    assert levels == {"right": ((1.0, False), (3.0, negated), (5.0, True))}
    assert sheet[0]["scale"] == {"bad": 1, "ok": 3, "good": 5}
    labels = [{**row, "label": 5 if truth(row) else 3} for row in sheet]
    write(root / "labels.jsonl", [*labels[1:], {**labels[0], "label": 4}])
    refused = snapdrift("calibrate", "latest", "--labels", "labels.jsonl", cwd=root)
    write(root / "labels.jsonl", labels)
    taken = snapdrift("calibrate", "latest", "--labels", "labels.jsonl", cwd=root)
    (calibration,) = verdict(root)["calibrations"]
    named = [of_answer(row, label=6 - row["label"] if negated else row["label"]) for row in labels]
    write(root / "named.jsonl", named)
    again = snapdrift("calibrate", "latest", "--labels", "named.jsonl", cwd=root)

    assert "label: 4; expected one of the scale's scores: 1, 3, 5" in refused.stderr
    assert "40 new labels" in taken.stderr
    assert calibration["method"] == "human_only"
    assert calibration["difference"] == pytest.approx(0.25 if negated else -0.25)  # 10 of 20 fall by half the scale
    assert calibration["weights"] == "quadratic"
    assert "40 rows: 0 new labels" in again.stderr
    assert "in the place" not in again.stderr


# ------------------------------------------------------------------------------------------------------------ the sheet


def test_a_sheet_tells_neither_variant_nor_verdict_nor_case(root, draw) -> None:
    rows = draw(20)

    assert {tuple(row) for row in rows} == {
        ("item", "run", "metric", "question", "text", "criteria", "scale", "answer", "label")
    }
    assert len(rows) == 40
    assert not any(word in json.dumps(rows) for word in ("august", "november", "gpt-4o", "baseline", "candidate"))
    assert {row["label"] for row in rows} == {None}
    assert len({row["item"] for row in rows}) == 40


def test_the_two_answers_of_a_case_are_both_drawn_and_seldom_side_by_side(draw) -> None:
    questions = [row["question"] for row in draw(40)]

    assert all(questions.count(question) == 2 for question in questions)
    assert sum(map(str.__eq__, questions, questions[1:])) < 12


def test_the_same_run_and_seed_draw_the_same_and_more_holds_what_was_drawn(root, draw) -> None:
    few, again, more = draw(20), draw(20, name="again.jsonl"), draw(30, name="more.jsonl")

    assert few == again
    assert {row["item"] for row in few} < {row["item"] for row in more}


def test_a_sheet_of_another_seed_is_refused_for_a_sample_that_was_begun(root, draw, snapdrift) -> None:
    draw(20)
    done = snapdrift("calibrate", "latest", "--draw", "20", "--seed", "8", "-o", "other.jsonl", cwd=root)

    assert done.returncode == 2
    assert "--seed: found 8, the draw of this comparison was begun with 0" in done.stderr
    assert not (root / "other.jsonl").exists()


def test_another_seed_draws_another_sample(root, draw, snapdrift, judged, tmp_path) -> None:
    other = Path(shutil.copytree(judged, tmp_path / "other", symlinks=True))
    snapdrift("calibrate", "latest", "--draw", "20", "--seed", "8", "-o", "sheet.jsonl", cwd=other)

    assert {row["question"] for row in draw(20)} != {row["question"] for row in read(other / "sheet.jsonl")}


def test_identical_answers_of_both_sides_are_one_row_and_two_labels(root, draw, label) -> None:
    write_answers_alike(root)
    rows = draw(10)
    done = label(filled(rows))

    assert len(rows) == 10
    assert "10 rows: 20 new labels" in done.stderr


def write_answers_alike(root: Path) -> None:
    """Gives the candidate the baseline's answers, as the run file has them."""
    import sqlite3

    (path,) = (root / ".snapdrift" / "runs").glob("*.db")
    with sqlite3.connect(path) as connection:
        rows = connection.execute(
            "SELECT b.id, r.record FROM calls a JOIN calls b ON a.case_id = b.case_id AND a.grader = b.grader"
            " AND a.grader = '' AND a.variant = 'august' AND b.variant = 'november' JOIN responses r ON r.call = a.id"
        ).fetchall()
        connection.executemany(
            "UPDATE responses SET record = ? WHERE call = ?", [(record, call) for call, record in rows]
        )
    connection.close()


def test_a_sheet_half_way_holds_only_whole_pairs_and_says_how_many(root, draw, label) -> None:
    rows = draw(60)
    done = label(filled(rows[:80]) + rows[80:])
    (calibration,) = verdict(root)["calibrations"]

    assert "40 rows not labelled yet" in done.stderr
    assert calibration["labelled"] == 40
    assert calibration["status"] == "uncalibrated"
    assert "40 of 60 pairs that were drawn are labelled on both sides; it takes 50" in calibration["reason"]
    assert calibration["notes"] == []
    assert verdict(root)["comparisons"][0]["verdict"] == "improved"


def test_gaps_in_a_sheet_are_told_and_the_rest_of_it_is_written_on_demand(root, draw, label) -> None:
    rows = draw(60)
    label(filled(rows[:30] + rows[33:]))
    (calibration,) = verdict(root)["calibrations"]

    assert calibration["skipped"] == 3
    assert "3 rows were passed over in the sheet" in calibration["notes"][0]
    assert {row["item"] for row in draw(60, name="rest.jsonl")} == {row["item"] for row in rows[30:33]}


def test_a_draw_that_is_enlarged_after_labels_says_so(root, draw, label) -> None:
    label(filled(draw(50)))
    label(filled(draw(60, name="more.jsonl")))
    (calibration,) = verdict(root)["calibrations"]

    assert calibration["labelled"] == 60
    assert "enlarged after a part of it had been labelled" in calibration["notes"][0]


# ------------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "either --draw N -o FILE"),
        (("--draw", "5"), "no -o FILE"),
        (("--draw", "5", "-o", "taken.jsonl"), "already there"),
        (("--draw", "5", "-o", "nowhere/sheet.jsonl"), "no folder nowhere"),
        (("--draw", "63", "-o", "s.jsonl"), "found 63, expected at most 62"),
        (("--draw", "5", "-o", "s.jsonl", "--metric", "left"), "expected one of right"),
        (("--draw", "5", "-o", "s.jsonl", "--pair", "a:b"), "expected one of august:november"),
        (("--draw", "5", "-o", "s.jsonl", "--labels", "taken.jsonl"), "either --draw N -o FILE"),
        (("--draw", "5", "-o", "s.jsonl", "--junit", "j.xml"), "--junit: found without --labels"),
        (("--labels", "taken.jsonl", "--seed", "1"), "--seed: found without --draw"),
        (("--labels", "taken.jsonl"), "no labels; expected at least one row"),
        (("--labels", "missing.jsonl"), "cannot be read"),
        (("--labels", "labels.csv"), "expected .jsonl"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_was_expected(judged, snapdrift, arguments, said) -> None:
    (judged / "taken.jsonl").write_text("")
    done = snapdrift("calibrate", "latest", *arguments, cwd=judged)

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (judged / "s.jsonl").exists()


MISTAKES: tuple[tuple[dict[str, Any], str], ...] = (
    ({"run": "another"}, 'run: "another"; expected 2'),
    ({"metric": "rigth"}, 'metric: "rigth"; did you mean "right"?'),
    ({"case": "c999"}, 'case: "c999"; expected the id of a case'),
    ({"variant": "novembre"}, 'variant: "novembre"; did you mean "november"?'),
    ({"repeat": 5}, "answer: no answer to case"),
    ({"answer": "0" * 64}, "answer: 000000000000..., but the answer to case"),
    ({"label": 1}, "label: 1; expected true (pass) or false (fail)"),
)
FORMS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"label": "pass"}, 'label: "pass"; expected true, false, or a number'),
    ({"label": None}, "label: null; expected true, false, or a number"),
    ({"answer": "beef"}, 'answer: "beef"; expected the SHA-256'),
    ({"purpose": "calibrate"}, 'purpose: "calibrate"; did you mean "calibration"?'),
    ({"verdict": True}, 'verdict: unknown key; did you mean "metric"?'),
    ({"ratter": "ada"}, 'ratter: unknown key; did you mean "rater"?'),
    ({"rater": 5}, "rater: 5; expected text"),
    ({"repeat": True}, "repeat: true; expected a whole number"),
)


@pytest.mark.parametrize("mistakes", [MISTAKES, FORMS], ids=["of other answers", "not of the form"])
def test_every_row_that_is_not_a_label_of_an_answer_of_the_run_is_told_at_its_line(draw, root, label, mistakes) -> None:
    good = of_answer(draw(5)[0])
    done = label([good, *({**good, **change} for change, _ in mistakes)])
    told = [line.removeprefix("labels.jsonl:") for line in done.stderr.splitlines()]

    assert done.returncode == 2
    assert len(told) == len(mistakes)
    for number, (line, (_, said)) in enumerate(zip(told, mistakes, strict=True), start=2):
        assert line.startswith(f"{number}:1: {said}"), line
    assert verdict(root)["calibrations"][0]["drawn"] == 0


def test_a_sheets_row_of_no_draw_or_of_an_answer_that_changed_is_refused(root, draw, label) -> None:
    rows = filled(draw(5))
    unknown, other = {**rows[0], "item": "beef"}, {**rows[1], "answer": "0" * 64}
    done = label([unknown, other])

    assert done.returncode == 2
    assert 'labels.jsonl:1:1: item: "beef"; expected an item of a sheet' in done.stderr
    assert "labels.jsonl:2:1: answer: 000000000000..." in done.stderr
    assert "august" not in done.stderr
    assert "november" not in done.stderr


def test_two_labels_of_one_answer_are_an_error_but_for_two_raters(root, draw, label) -> None:
    rows = filled(draw(60))
    against = {**rows[3], "label": not rows[3]["label"]}
    refused = label([*rows, against])
    told = label([*({**row, "rater": "ada"} for row in rows), {**against, "rater": "ben"}, rows[3] | {"rater": "ada"}])
    (calibration,) = verdict(root)["calibrations"]

    assert refused.returncode == 2
    assert "labels.jsonl:121:1: label: " in refused.stderr
    assert (
        "another label of the same answer; expected one label of an answer; it is first at labels.jsonl:4"
        in refused.stderr
    )
    assert told.returncode == 1, told.stderr
    assert calibration["raters"] == 2
    assert sum(arm["agreement"]["n"] for arm in calibration["arms"]) == 119


def test_a_later_label_takes_the_place_of_an_earlier_one(root, draw, label) -> None:
    rows = filled(draw(60))
    label([{**rows[0], "label": not rows[0]["label"]}, *rows[1:]])
    done = label(rows[:1])

    assert "1 rows: 0 new labels, 1 in the place of earlier ones" in done.stderr


def test_labels_that_name_their_answer_count_like_those_of_a_sheet_where_it_was_drawn(root, draw, label) -> None:
    rows = draw(60)
    by_name = label([of_answer(row) for row in rows])

    assert by_name.returncode == 1
    assert verdict(root)["calibrations"][0]["labelled"] == 60


def test_answers_that_were_picked_by_hand_and_labels_for_review_are_kept_and_do_not_count(root, draw, label) -> None:
    rows = draw(60)
    drawn, left = rows[:40], [of_answer(row) for row in rows[40:]]
    done = label([*(of_answer(row, purpose="review") for row in drawn), *left])
    document = verdict(root)

    assert "40 for review, which never count" in done.stderr
    assert document["calibrations"][0]["labelled"] == 40
    assert sum(tally["labels"] for tally in document["reviews"]) == 40
    assert "labels: " in done.stdout


def test_calibration_labels_of_answers_that_nobody_drew_are_told(root, draw, label) -> None:
    """A pair of which one answer is labelled is not reached, so nothing of it counts."""
    forget_draws(root, rows := draw(60))
    done = label([row for row in map(of_answer, rows) if row["variant"] == "november"])

    assert done.returncode == 0
    assert "60 of answers that were not drawn, which do not count" in done.stderr
    assert verdict(root)["calibrations"][0]["status"] == "uncalibrated"


def forget_draws(root: Path, rows: list[dict[str, Any]]) -> None:
    """Takes the draws out of the run file: what was drawn is only in the rows of the sheet now."""
    import sqlite3

    with sqlite3.connect(root / ".snapdrift" / "runs" / f"{rows[0]['run']}.db") as connection:
        connection.execute("DELETE FROM meta WHERE key = 'labelling'")
    connection.close()


def test_labels_in_the_order_of_the_draw_begin_it_and_go_on_with_it(root, draw, label) -> None:
    """As a report offers them: the first pairs, and more after what was concluded of them."""
    forget_draws(root, rows := draw(60))
    named = [of_answer(row) for row in rows]
    part = label(named[:40])
    first = verdict(root)["calibrations"][0]
    label(named[40:])
    (calibration,) = verdict(root)["calibrations"]

    assert "40 rows: 40 new labels\n" in part.stderr + "\n"
    assert (first["drawn"], first["labelled"], first["skipped"], first["notes"]) == (20, 20, 0, [])
    assert (calibration["drawn"], calibration["labelled"], calibration["status"]) == (60, 60, "calibrated")
    assert "enlarged after a part of it had been labelled" in calibration["notes"][0]
    assert verdict(root)["comparisons"][0]["method"] == "ppi_paired"


def test_rows_that_were_passed_over_in_the_order_are_counted_and_what_the_page_does_not_offer_is_not_reached(
    root, draw, label, monkeypatch
) -> None:
    monkeypatch.setattr("snapdrift.pipeline.offering.OFFERED", 20)
    forget_draws(root, rows := draw(60))
    named = [of_answer(row) for row in rows]
    done = label([*named[:4], *named[10:40], *named[100:]])
    (calibration,) = verdict(root)["calibrations"]

    assert calibration["drawn"] == 20
    assert calibration["skipped"] == 6
    assert "6 rows were passed over" in calibration["notes"][0]
    assert "20 of answers that were not drawn, which do not count" in done.stderr


def test_the_report_offers_what_a_sheet_holds_in_its_order_and_no_answer_twice(root, draw, label) -> None:
    rows = draw(62)
    offered = offered_rows(root)
    label(filled(rows[:30]))
    left = offered_rows(root)

    assert [row.answer for row in offered] == [row["answer"] for row in rows]
    assert [(row.question, row.criteria) for row in offered] == [
        (row["question"], tuple(row["criteria"])) for row in rows
    ]
    assert {row.text for row in offered} == {None}
    assert [row.answer for row in left] == [row["answer"] for row in rows[30:]]


def offered_rows(root: Path) -> tuple[BlindRow, ...]:
    sheet, levels = offered_of(root)
    assert sheet.choices == (("pass", True), ("fail", False))
    assert levels == {}
    return sheet.rows


def offered_of(root: Path) -> tuple[BlindSheet, dict[str, Any]]:
    """The one sheet that the run's page offers, and the numbers of graded metrics."""
    (path,) = (root / ".snapdrift" / "runs").glob("*.db")
    with open_run(path) as stored:
        suite, _ = load_stored_suite(stored, find_workspace(root))
        assert stored.evaluation is not None
        (sheet,) = offered_sheets(stored, suite, stored.score_versions(), stored.evaluation)
        return sheet, label_levels(suite)


def test_a_part_of_a_suite_is_not_calibrated_with(root, snapdrift) -> None:
    snapdrift("run", "evals/capitals.yaml", "--standin", "--case", "c1", "--quiet", cwd=root)
    done = snapdrift("calibrate", "latest", "--draw", "1", "-o", "s.jsonl", cwd=root)

    assert done.returncode == 2
    assert "picked by hand" in done.stderr


# ---------------------------------------------------------------------------------------- another judge, other answers


def edit(root: Path, old: str, new: str) -> None:
    path = root / "evals" / "capitals.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_changed_rubric_ends_the_calibration_and_asks_for_a_draw_of_other_pairs(root, draw, label, snapdrift) -> None:
    first = draw(50)
    label(filled(first))
    edit(root, "It names", "It clearly names")
    done = snapdrift("grade", "latest", "--standin", cwd=root)
    (calibration,) = verdict(root)["calibrations"]

    assert done.returncode == 0, done.stderr
    assert calibration["status"] == "uncalibrated"
    assert calibration["reason"].startswith("the calibration is of another version of the judge (judge/1:")
    assert verdict(root)["comparisons"][0]["method"] == "mcnemar_exact"
    again = draw(12, name="again.jsonl")
    assert not {row["question"] for row in first} & {row["question"] for row in again}
    short = snapdrift("calibrate", "latest", "--draw", "13", "-o", "more.jsonl", cwd=root)
    assert "at most 12" in short.stderr
    assert "50 were drawn for an earlier version of the judge" in short.stderr


REQUIRED = "suite: capitals\nrequire_calibration: true\n"


def test_a_run_of_other_answers_is_calibrated_on_another_candidate(root, draw, label, snapdrift) -> None:
    """And where calibration is required, a bias that reaches out of the margin is told before the run and caps it."""
    label(filled(draw(60)))
    recordings = root / "datasets" / "recordings.jsonl"
    write(recordings, [row | {"output": row["output"].replace("capital", "city")} for row in read(recordings)])
    edit(root, "suite: capitals\n", REQUIRED)
    for command in ("check", "plan"):
        said = snapdrift(command, "evals/capitals.yaml", cwd=root).stdout
        assert "right (calibration is required): calibrated on another candidate" in said
        assert "not shown to be inside the margin of 10.0 points" in said
    done = snapdrift("run", "evals/capitals.yaml", "--standin", cwd=root)
    document = verdict(root)
    (calibration,) = document["calibrations"]

    assert done.returncode == 4, done.stderr
    assert "not shown to be inside the margin" in done.stderr
    assert "judge calibrated on another candidate, on `november` against `august` (run" in " ".join(done.stdout.split())
    assert calibration["status"] == "calibrated_on_another_candidate"
    assert calibration["bias_ci"][0] > 0.1
    assert calibration["inside_margin"] is False
    assert calibration["alone_verdict"] == "improved"
    assert document["comparisons"][0]["verdict"] == "inconclusive"
    assert document["labels"][-1]["word"] == "judge calibrated on another candidate"
    assert "at most inconclusive: the judge's bias is not shown to be inside" in document["decision"]["reasons"][0]


def test_without_any_record_a_required_calibration_is_missing_until_there_are_own_labels(
    root, draw, label, snapdrift
) -> None:
    edit(root, "suite: capitals\n", REQUIRED)
    assert "its judge was never calibrated" in snapdrift("check", "evals/capitals.yaml", cwd=root).stdout
    plan = json.loads(snapdrift("plan", "evals/capitals.yaml", "--json", cwd=root).stdout)
    assert "never calibrated" in plan["suites"][0]["calibration"][0]
    assert snapdrift("grade", "latest", cwd=root).returncode == 4
    assert label(filled(draw(60))).returncode == 1
    assert verdict(root)["comparisons"][0]["verdict"] == "regressed"


def test_a_calibration_that_was_pushed_decides_on_the_next_machine_as_it_did_here(
    root, draw, label, snapdrift, tmp_path
) -> None:
    label(filled(draw(60)))
    edit(root, "suite: capitals\n", REQUIRED)
    elsewhere, shelf = tmp_path / "elsewhere", str(tmp_path / "shelf")
    shutil.copytree(root, elsewhere, symlinks=True, ignore=shutil.ignore_patterns(".snapdrift", "reports"))
    pushed = snapdrift("state", "push", "--to", shelf, cwd=root)
    pulled = snapdrift("state", "pull", "--from", shelf, cwd=elsewhere)
    assert "calibrations/capitals.right.json" in pushed.stdout
    assert "calibrations/capitals.right.json" in pulled.stdout

    here, there = (snapdrift("check", "evals/capitals.yaml", cwd=one).stdout for one in (root, elsewhere))
    assert "right (calibration is required): calibrated on another candidate" in there
    assert there == here
    for command in ("push", "pull"):
        assert snapdrift("state", command, "--to", shelf, cwd=elsewhere).stdout == f"{shelf}: nothing new\n"


def test_the_record_says_what_was_measured_and_holds_no_answer(root, draw, label) -> None:
    rows = filled(draw(60))
    label(rows)
    path = root / ".snapdrift" / "calibrations" / "capitals.right.json"
    record = json.loads(path.read_text())
    (made,) = record["calibrations"]

    assert record["format"] == "snapdrift.calibration/1"
    assert made["version"].startswith("judge/1:")
    assert made["judge_models"] == [NOVEMBER]
    assert (made["baseline"], made["candidate"], made["labelled"], made["simulated"]) == (
        "august",
        "november",
        60,
        True,
    )
    assert made["of_run"] == rows[0]["run"]
    (run,) = (root / ".snapdrift" / "runs").glob("*.db")
    with open_run(run) as stored:  # for the run's other candidates
        assert [one.of_run for one in stored_records(stored)] == [rows[0]["run"]]
    assert not any(row["answer"] in path.read_text() or row["text"] in path.read_text() for row in rows)


@pytest.mark.parametrize(
    "text", ["{", '{"format": "snapdrift.calibration/9"}', '{"format": "snapdrift.calibration/1"}']
)
def test_a_record_that_cannot_be_read_is_told_and_is_no_calibration(root, snapdrift, text) -> None:
    edit(root, "suite: capitals\n", REQUIRED)
    path = root / ".snapdrift" / "calibrations" / "capitals.right.json"
    path.parent.mkdir()
    path.write_text(text)
    done = snapdrift("check", "evals/capitals.yaml", cwd=root)

    assert done.returncode == 0
    assert "capitals.right.json" in done.stdout
    assert "it counts as no calibration" in done.stdout
    assert "never calibrated" in done.stdout


def test_the_same_run_file_gives_the_same_verdict_whatever_is_calibrated_later(root, draw, label, snapdrift) -> None:
    edit(root, "suite: capitals\n", REQUIRED)
    snapdrift("grade", "latest", cwd=root)
    (path,) = (root / ".snapdrift" / "runs").glob("*.db")
    shutil.copy(path, root / "kept.db")
    label(filled(draw(60)))

    kept = snapdrift("compare", "kept.db", "--json", cwd=root)
    assert kept.returncode == 4
    assert json.loads(kept.stdout)["calibrations"][0]["status"] == "uncalibrated"


def test_a_suite_without_a_judge_has_nothing_to_require_or_to_draw(workspace, snapdrift) -> None:
    root = workspace(cases=20, max_blind=0.6)
    snapdrift("run", "evals/capitals.yaml", "--recordings", "datasets/recordings.jsonl", "--quiet", cwd=root)
    drawn = snapdrift("calibrate", "latest", "--draw", "5", "-o", "s.jsonl", cwd=root)
    edit(root, "suite: capitals\n", REQUIRED)
    checked = snapdrift("check", "evals/capitals.yaml", cwd=root)

    assert (drawn.returncode, checked.returncode) == (2, 2)
    assert "no grader of the suite is a judge" in drawn.stderr
    assert "evals/capitals.yaml:2:1: require_calibration: no judge among the graders" in checked.stderr
