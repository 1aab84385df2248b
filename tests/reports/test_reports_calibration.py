"""What every rendering says of a judge that was measured against people, and of one that was not."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from snapdrift.calibrations import ArmAgreement, JudgeCalibration, JudgeStatus, ReviewTally, Share
from snapdrift.reports import View, build_view, render_terminal, render_verdict
from snapdrift.reports.html import render_html
from snapdrift.reports.junit import render_junit
from snapdrift.reports.markdown import render_markdown

HOSTILE = "<img src=x onerror=alert(1)>"


def calibration(
    candidate: str = "november", status: JudgeStatus = JudgeStatus.CALIBRATED, **more: Any
) -> JudgeCalibration:
    arm = ArmAgreement(
        variant=candidate,
        true_pass=60,
        false_pass=5,
        false_fail=2,
        true_fail=20,
        agreement=Share(80, 87, (0.85, 0.96)),
        sensitivity=Share(60, 62, (0.90, 0.99)),
        specificity=None,
        kappa=0.71,
        kappa_ci=(0.55, 0.87),
        judge_mean=0.7,
        human_mean=0.72,
    )
    fields = {
        "version": "judge/1:aaaa", "drawn": 100, "labelled": 87, "arms": (arm,), "bias": 0.02, "bias_ci": (-0.01, 0.05),
        "bias_p": 0.2, "method": "ppi_paired", "difference": -0.03, "ci": (-0.06, 0.0), "alone_difference": -0.01,
        "alone_ci": (-0.02, 0.0), "alone_verdict": "no_worse", **more,
    }  # fmt: skip
    return JudgeCalibration("tone", "august", candidate, status, **fields)


@pytest.fixture
def view(make_run) -> Any:
    """The view of a run with these calibrations; `tone` is its judged metric."""

    def make(*calibrations: JudgeCalibration, reviews: tuple[ReviewTally, ...] = ()) -> View:
        data = make_run().build()
        evaluation = replace(data.evaluation, calibrations=calibrations, reviews=reviews)
        return build_view(replace(data, evaluation=evaluation))

    return make


def renderings(view: View) -> dict[str, str]:
    return {
        "page": render_html(view),
        "terminal": " ".join(render_terminal(view).split()),
        "summary": render_markdown(view),
        "verdict": render_verdict(view),
    }


def test_every_rendering_says_that_a_judge_is_calibrated_and_what_people_found(view) -> None:
    said = renderings(view(calibration(), calibration("alias")))

    for name, text in said.items():
        assert "calibrated judge" in text, name
        assert "uncalibrated" not in text, name
        assert "labelled 87 of 100 pairs" in text, name
        assert "ppi" in text, name
    assert '<td class="num">0.71</td>' in said["page"]
    assert '<meta charset="utf-8">' in said["page"]


def test_a_metric_whose_judge_is_known_in_one_comparison_only_bears_both_labels(view) -> None:
    shown = view(calibration(), calibration("alias", JudgeStatus.UNCALIBRATED, arms=(), drawn=0))

    assert [label.word for label in shown.labels][-2:] == ["uncalibrated judge", "calibrated judge"]
    assert shown.judge_label("tone", "august", "november") == "calibrated judge"
    assert shown.judge_label("tone", "august", "alias") == "uncalibrated judge"
    assert shown.judge_label("tone") == "uncalibrated judge"


def test_the_bias_that_was_found_on_another_candidate_is_shown_with_its_run(view) -> None:
    other = calibration(
        status=JudgeStatus.OTHER_CANDIDATE, of_run="run-7", of_baseline="august", of_candidate="october", margin=0.05,
        inside_margin=False, capped="the judge's bias is not shown to be inside the margin",
    )  # fmt: skip
    for name, text in renderings(view(other)).items():
        for part in ("judge calibrated on another candidate", "run-7", "not shown to be inside the margin"):
            assert part in text, (name, part)


def test_an_uncalibrated_judge_of_which_nothing_else_is_known_has_its_label_and_no_section(view) -> None:
    blank = calibration(status=JudgeStatus.UNCALIBRATED, arms=(), drawn=0, labelled=0)
    said = renderings(view(blank))

    assert 'id="calibration"' not in said["page"]
    assert "judge: " not in said["terminal"]
    assert "uncalibrated judge" in said["summary"]
    assert json.loads(said["verdict"])["calibrations"][0]["status"] == "uncalibrated"


def test_the_reason_why_labels_do_not_count_is_told(view) -> None:
    short = calibration(
        status=JudgeStatus.UNCALIBRATED, reason="20 of 100 pairs are labelled; it takes 50", notes=("3 rows",)
    )

    for name, text in renderings(view(short)).items():
        assert "20 of 100 pairs are labelled" in text, name
        assert "3 rows" in text, name


def test_labels_for_review_are_shown_with_the_cases_that_they_doubt(view) -> None:
    said = renderings(view(reviews=(ReviewTally("tone", "november", 12, ("billing-001",)),)))

    assert "12 labels for review on tone of" in said["page"]
    assert "12 labels for review on tone of `november` (never counted)" in said["terminal"]
    assert json.loads(said["verdict"])["reviews"] == [
        {"metric": "tone", "variant": "november", "labels": 12, "disagreeing": ["billing-001"]}
    ]


def test_names_and_models_in_a_calibration_are_shown_as_they_are(view) -> None:
    page = render_html(view(calibration(status=JudgeStatus.UNCALIBRATED, reason=HOSTILE, notes=(HOSTILE,))))

    assert HOSTILE not in page
    assert "&lt;img src=x" in page


def test_junit_stays_well_formed_and_names_the_label(view) -> None:
    xml = render_junit(view(calibration(), calibration("alias")))

    assert 'name="labels" value="simulated, calibrated judge"' in xml
