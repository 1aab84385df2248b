"""Judges of a suite that was imported whose model is shut down soon: the suite says so, and that it takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from snapdrift.importers.made import Made, MadeSuite
from snapdrift.importers.notes import Notes
from snapdrift.suites.judges import RETIRING_DAYS
from snapdrift.suites.registry import ModelFacts


def with_retiring_judges(made: Made, facts: ModelFacts) -> Made:
    """The same suites, in which a judge that is about to be shut down is taken with `allow_retiring`, and noted.

    Without it such a suite could not be run; which model is to judge instead is for its owner to say.
    """
    return replace(made, suites=tuple(_suite(suite, made.notes, facts) for suite in made.suites))


def _suite(suite: MadeSuite, notes: Notes, facts: ModelFacts) -> MadeSuite:
    own = suite.notes or notes
    graders = [_allowed(grader, own, facts) for grader in suite.entry.get("graders", [])]
    notes.said |= own.said
    return replace(suite, entry={**suite.entry, "graders": graders})


def _allowed(value: Any, notes: Notes, facts: ModelFacts) -> Any:
    """A grader's entry, whatever it is made of, with its judges allowed."""
    if isinstance(value, list):
        return [_allowed(item, notes, facts) for item in value]
    if not isinstance(value, Mapping):
        return value
    made = {key: _allowed(item, notes, facts) for key, item in value.items()}
    judge = made.get("judge")
    if isinstance(judge, dict):
        retires = facts.retires_within(str(judge.get("model")), RETIRING_DAYS)
        if retires is not None:
            made["judge"] = {**judge, "allow_retiring": True}
            notes.changed(
                "", f"the judge {judge['model']}", f"{retires.rstrip('.')}; name a model that stays (--judge)"
            )
    return made
