"""Judges of a suite that was imported: with what their models ask for, and those that are shut down soon told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from snapdrift.importers.made import Made, MadeSuite
from snapdrift.importers.notes import Notes
from snapdrift.model import Endpoint
from snapdrift.suites.judges import RETIRING_DAYS
from snapdrift.suites.registry import ModelFacts

_PINNED = re.compile(r"^ft:.+|-\d{4}-\d{2}-\d{2}$|-\d{4}$")
_REASONING_REQUEST = {"temperature": None, "max_output_tokens": 2000}
"""A judge that reasons takes no temperature, and thinks within the cap."""


def with_retiring_judges(made: Made, facts: ModelFacts) -> Made:
    """The same suites, in which a judge that is about to be shut down is taken with `allow_retiring`, and noted.

    So is one without a snapshot (`allow_alias`), and one that reasons is asked as such models are. Without it such a
    suite could not be run; which model is to judge instead is for its owner to say.
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
        judge = made["judge"] = _runnable(judge, facts)
        retires = facts.retires_within(str(judge.get("model")), RETIRING_DAYS)
        if retires is not None:
            made["judge"] = {**judge, "allow_retiring": True}
            notes.changed(
                "", f"the judge {judge['model']}", f"{retires.rstrip('.')}; name a model that stays (--judge)"
            )
    return made


def _runnable(judge: Mapping[str, Any], facts: ModelFacts) -> dict[str, Any]:
    model, made = str(judge.get("model")), dict(judge)
    if not _PINNED.search(model):
        made["allow_alias"] = True
    if facts.reasons(model, Endpoint(made.get("endpoint", "responses"))):
        made["request"] = {**_REASONING_REQUEST, **made.get("request", {})}
    return made
