"""What the top of the page says below its headline, and the sections that one can go to from there."""

from __future__ import annotations

from dataclasses import dataclass

from snapdrift.model import Verdict
from snapdrift.reports.view import ExplanationView, View
from snapdrift.reports.words import interval_name

FIRST_REASONS, FIRST_NOTES = 4, 4
"""How many reasons and notes are shown at once; the rest is folded, and counted."""
_TELLS_WHY = (Verdict.REGRESSED, Verdict.IMPROVED)


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence that qualifies the run, with the word that says of which kind it is."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Top:
    """Below the headline: the gate's other reasons, why metrics moved, notes, and what stands in brackets there."""

    reasons: tuple[str, ...]
    whys: tuple[ExplanationView, ...]
    notes: tuple[Note, ...]
    interval: str


def top_of(view: View) -> Top:
    """What stands below the headline; what the headline says already is left out."""
    reasons = tuple(reason for reason in view.reasons if reason != view.headline)
    whys = tuple(one for one in view.explanations if one.row.comparison.verdict in _TELLS_WHY)
    notes = (
        *(Note("Unanswered", text) for text in view.failures),
        *(Note("Not graded", text) for text in view.ungraded),
        *(Note("Note", text) for text in view.notes),
    )
    bracketed = any("[" in text for text in (view.headline, *reasons, *(why.sentence for why in whys)))
    return Top(reasons, whys, notes, f"In brackets: {interval_name(view)}s." if bracketed else "")


def sections(view: View, *, endings: bool) -> tuple[tuple[str, str], ...]:
    """The sections of the page in their order, each as its id and title; `endings`: some call did not pass."""
    told = any(one.calibration.told for one in view.calibrations) or bool(view.reviews)
    asked = (
        ("comparisons", "Comparisons", view.comparisons),
        ("changes", "What changed", view.reference),
        ("accepted", "Accepted losses", view.acceptances),
        ("operations", "Cost and speed", view.operational),
        ("cases", "Cases", True),
        ("why-it-moved", "Why it moved", view.explanations),
        ("distributions", "Distributions", view.distributions),
        ("confusions", "Labels", view.confusions),
        ("variants", "Variants", True),
        ("calibration", "Judges", told),
        ("votes", "Votes", view.evaluation.gradings.votes),
        ("orders", "Preferences", view.orders),
        ("parity", "Endpoint parity", view.parity),
        ("controls", "Noise floor", view.controls),
        ("levels", "Levels", view.metrics),
        ("endings", "How calls ended", endings),
        ("provenance", "Provenance", True),
    )
    return tuple((name, title) for name, title, present in asked if present)
