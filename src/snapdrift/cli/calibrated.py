"""The texts of `calibrate`: what was drawn, what the labels held, and how judges and people compare."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from snapdrift.cli import tables

if TYPE_CHECKING:
    from snapdrift.calibrations import ArmAgreement, Share
    from snapdrift.pipeline import Calibrated, DrawnSheet
    from snapdrift.reports.view import View

FORMAT = "snapdrift.draw/1"
_COLUMNS = ("answers of", "P/P", "P/F", "F/P", "F/F", "agreement", "sensitivity", "specificity", "kappa")
_LEGEND = (
    "  P pass, F fail: the judge / people. Sensitivity and specificity are the judge's, with people taken as right."
)


def drawn(sheet: DrawnSheet) -> str:
    """What was drawn and what to do now; nothing of which variant gave which answer."""
    of = f"{sheet.metric}, {sheet.candidate} against {sheet.baseline}, seed {sheet.seed}"
    drawn_from = f"{sheet.pairs:,} pairs drawn at random from {sheet.eligible:,} ({of})"
    return tables.joined(
        [
            f"{sheet.sheet}: {sheet.rows:,} answers to label, of {drawn_from}",
            "Fill in `label` on each row by its criteria (true, false or a number of its scale), in this order and",
            "without looking at the run.",
            f"Then: snapdrift calibrate {sheet.run_id} --labels {sheet.sheet}",
        ]
    )


def drawn_json(sheet: DrawnSheet) -> str:
    """The same as JSON."""
    document = {
        "format": FORMAT,
        "run": sheet.run_id,
        "metric": sheet.metric,
        "baseline": sheet.baseline,
        "candidate": sheet.candidate,
        "seed": sheet.seed,
        "pairs": sheet.pairs,
        "eligible": sheet.eligible,
        "rows": sheet.rows,
        "sheet": str(sheet.sheet),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def taken(made: Calibrated) -> str:
    """What became of the rows of the label files."""
    t = made.taken
    parts = [f"{t.rows:,} rows: {t.added:,} new labels"]
    parts += [f"{t.replaced:,} in the place of earlier ones"] if t.replaced else []
    parts += [f"{t.unlabelled:,} rows not labelled yet"] if t.unlabelled else []
    parts += [f"{t.review:,} for review, which never count"] if t.review else []
    parts += [f"{t.undrawn:,} of answers that were not drawn, which do not count"] if t.undrawn else []
    lines = [", ".join(parts)]
    lines += [f"calibration: {path}" for path in made.records]
    return "\n".join(lines)


def table(view: View) -> str:
    """Judges against people, for each comparison of which answers are labelled; empty without any."""
    lines: list[str] = []
    for one in view.evaluation.calibrations:
        if one.arms and not one.of_run:
            lines.append(f"{one.metric}, {one.candidate} against {one.baseline}: {one.labelled:,} labelled pairs")
            lines.append(tables.table(_COLUMNS, set(range(1, len(_COLUMNS))), map(_row, one.arms)))
    return tables.joined([*lines, _LEGEND, ""]) if lines else ""


def _row(arm: ArmAgreement) -> list[str]:
    counts = (arm.true_pass, arm.false_pass, arm.false_fail, arm.true_fail)
    return [
        arm.variant,
        *(f"{count:,}" for count in counts),
        *(_share(share) for share in (arm.agreement, arm.sensitivity, arm.specificity)),
        _kappa(arm),
    ]


def _share(share: Share | None) -> str:
    return "-" if share is None else f"{share.value:.2f} [{share.ci[0]:.2f}, {share.ci[1]:.2f}]"


def _kappa(arm: ArmAgreement) -> str:
    if arm.kappa is None or arm.kappa_ci is None:
        return "-"
    return f"{arm.kappa:.2f} [{arm.kappa_ci[0]:.2f}, {arm.kappa_ci[1]:.2f}]"
