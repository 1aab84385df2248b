"""What a judge is told: the rubric, from a YAML file under `graders/` or written in the suite."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationInfo, model_validator

from snapdrift.graders.arguments import Tolerance, one_or_more, plain_json
from snapdrift.graders.judge_settings import DEFAULT_REQUEST, Example, JudgeSettings, Sight
from snapdrift.graders.workspace_files import document_named

__all__ = ["Combine", "Example", "JudgeSettings", "Mode", "Rubric", "Sight", "loaded_rubric"]

PASS_FAIL_SCALE: Mapping[str, float] = {"fail": 0.0, "pass": 1.0}
PAIRWISE = "pairwise"
"""The mode of a rubric by which two answers are compared."""
LISTING_REQUEST: Mapping[str, Any] = {"temperature": 0, "max_output_tokens": 2000}
"""The same where one reply holds several verdicts, each with its reason."""
MOST_LEVELS = 101


def loaded_rubric(value: Any, info: ValidationInfo) -> Any:
    """The rubric of a file, or the value itself where it is written in the suite. Raises `ValueError`."""
    return document_named(value, info) if isinstance(value, str) else value


def _as_scale(value: Any) -> Any:
    """`pass_fail`, and whole numbers `{from, to}`, as labels with their scores."""
    if value == "pass_fail":
        return dict(PASS_FAIL_SCALE)
    if isinstance(value, dict) and value.keys() == {"from", "to"}:
        low, high = value["from"], value["to"]
        whole = all(isinstance(end, int) and not isinstance(end, bool) for end in (low, high))
        if not whole or not 0 <= low < high or high - low >= MOST_LEVELS:
            raise ValueError(f"whole numbers from 0 on, `from` below `to`, at most {MOST_LEVELS} levels")
        return {str(level): float(level) for level in range(low, high + 1)}
    return value


def _checked_scale(scale: dict[str, float]) -> dict[str, float]:
    if len(set(scale.values())) < 2:
        raise ValueError("`pass_fail`, or labels with at least two different scores")
    return scale


class Mode(StrEnum):
    """What a verdict by a rubric is."""

    SCORE = "score"
    LABEL = "label"
    CHECKLIST = "checklist"
    REFERENCE = "reference"


class Combine(StrEnum):
    """How the votes on a scale become one score."""

    MEDIAN = "median"
    MEAN = "mean"


YES, NO = "yes", "no"
CONSISTENT, OMITS, CONTRADICTS = "consistent", "omits", "contradicts"
_LISTING = {Mode.CHECKLIST: (YES, NO), Mode.REFERENCE: (CONSISTENT, OMITS, CONTRADICTS)}
_OF_MODE: Mapping[str, tuple[Mode, ...]] = {
    "scale": (Mode.SCORE,),
    "combine": (Mode.SCORE,),
    "pass_at": (Mode.SCORE, Mode.CHECKLIST, Mode.REFERENCE),
    "labels": (Mode.LABEL,),
    "pass_on": (Mode.LABEL,),
    "expect_no": (Mode.CHECKLIST,),
    "facts": (Mode.REFERENCE,),
}
"""Settings that only some modes have a use for."""


def _as_criteria(value: Any) -> Any:
    """Criteria as they may be written: a text, a list, or by name a text or a list."""
    value = plain_json(value)
    if isinstance(value, str):
        return [value]
    entries = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(entries, list) or not entries or not all(map(_is_criterion, entries)):
        raise ValueError("a text, a list of texts, or for a checklist texts or lists of them by name")
    if isinstance(value, list) and not all(isinstance(entry, str) for entry in value):
        raise ValueError("a list of texts")
    odd = next((key for key in value if not _is_name(key)), None) if isinstance(value, dict) else None
    if odd is not None:
        raise ValueError(f"names without dots, control characters or blanks around them, not {odd!r}: each is a metric")
    return value


def _is_name(key: str) -> bool:
    return bool(key) and key == key.strip() and "." not in key and key.isprintable()


def _is_criterion(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(item, str) and item.strip() for item in value)
    return isinstance(value, str) and bool(value.strip())


def _as_facts(value: Any) -> Any:
    value = plain_json([value] if isinstance(value, str) else value)
    if not isinstance(value, list) or not value or not all(isinstance(item, str) and item.strip() for item in value):
        raise ValueError("a text or a list of texts, or a template that yields them")
    return value


class Rubric(JudgeSettings):
    """Criteria, the model that judges by them, and what its verdict is.

    In the mode `score` a verdict is a label of `scale`, which maps each to its score on the rubric's own scale; the
    lowest becomes 0 and the highest 1. In the mode `label` it is one of `labels`, and passes where it is in `pass_on`.
    A `checklist` asks of each criterion whether it is true of the answer, a `reference` of each of the `facts` whether
    the answer agrees with it.
    """

    later: ClassVar[frozenset[str]] = JudgeSettings.later | {
        *("criteria", "mode", "combine", "labels", "pass_on", "expect_no", "facts"),
    }

    criteria: Annotated[
        Any,
        BeforeValidator(_as_criteria, json_schema_input_type=str | list[str] | dict[str, str | list[str]]),
    ] = Field(
        default_factory=list,
        description="What the judge goes by: a text or a list; for a checklist also texts, or lists of them, by name.",
    )
    mode: Mode = Field(default=Mode.SCORE, description="What a verdict is: score, label, checklist or reference.")
    scale: Annotated[
        dict[str, Tolerance],
        AfterValidator(_checked_scale),
        BeforeValidator(_as_scale, json_schema_input_type=str | dict[str, float]),
    ] = Field(
        default_factory=lambda: dict(PASS_FAIL_SCALE),
        description="`pass_fail`, whole numbers `{from: 1, to: 5}`, or labels with their scores.",
    )
    pass_at: Tolerance | None = Field(
        default=None,
        description="The least score that passes, on the scale; of a checklist or reference the least share in [0, 1].",
    )
    combine: Combine = Field(default=Combine.MEDIAN, description="How several votes on a scale become one score.")
    labels: tuple[Annotated[str, Field(min_length=1)], ...] = Field(default=(), description="What a verdict may be.")
    pass_on: Annotated[tuple[str, ...], BeforeValidator(one_or_more, json_schema_input_type=str | list[str])] = Field(
        default=(), description="The labels that pass."
    )
    expect_no: tuple[str, ...] = Field(
        default=("should_not",),
        description="Names of criteria that are as wished where they are not true of the answer.",
    )
    facts: Annotated[Any, BeforeValidator(_as_facts, json_schema_input_type=str | list[str])] = Field(
        default_factory=lambda: ["{{ expected }}"],
        description="What the expected answer says: a text, a list, or a template of them.",
    )

    @model_validator(mode="before")
    @classmethod
    def _judges_one_answer(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and value.get("mode") == PAIRWISE:
            raise ValueError("a rubric for single answers; one of `mode: pairwise` is named by `pairwise:`")
        return value

    @model_validator(mode="after")
    def _settings_are_of_the_mode(self) -> Self:
        for name in self.model_fields_set & _OF_MODE.keys():
            if self.mode not in _OF_MODE[name] and getattr(self, name) != _plain_or_own(type(self), name):
                raise ValueError(f"`{name}` only in mode {' or '.join(_OF_MODE[name])}; here the mode is {self.mode}")
        if self.mode is not Mode.REFERENCE and not self.criteria:
            raise ValueError("`criteria`, at least one")
        if self.mode is not Mode.CHECKLIST and isinstance(self.criteria, dict):
            raise ValueError("`mode: checklist` for criteria with names; else a text or a list")
        if self.mode is Mode.LABEL:
            self._check_labels()
        if self.mode in _LISTING and self.pass_at is not None and self.pass_at > 1:
            raise ValueError("`pass_at` as a share, from 0 to 1")
        strangers = set(self.expect_no) - {*self.criteria, "should_not"} if isinstance(self.criteria, dict) else ()
        if strangers:
            raise ValueError(f"`expect_no` with names of criteria, not {', '.join(sorted(strangers))}")
        self._check_wishes()
        if self.mode is Mode.SCORE and self.pass_at is not None and self.pass_at > self.ends[1]:
            raise ValueError(f"`pass_at` on the scale, which ends at {self.ends[1]:g}: nothing could pass")
        for number, example in enumerate(self.examples, 1):
            self._check_example(number, example)
        return self

    def _check_wishes(self) -> None:
        """A criterion whose name is nearly one of `expect_no` would count the wrong way round."""
        for name in self.expect_no if isinstance(self.criteria, dict) else ():
            close = difflib.get_close_matches(name, set(self.criteria), n=1, cutoff=0.8)
            if name not in self.criteria and close:
                raise ValueError(f"criteria named as in `expect_no`: {close[0]!r} is there, did you mean {name!r}?")

    def _check_labels(self) -> None:
        if len(set(self.labels)) < max(2, len(self.labels)):
            raise ValueError("`labels`, at least two and no two alike")
        if not self.pass_on or not set(self.pass_on) < set(self.labels):
            raise ValueError("`pass_on` with one or some of the `labels`, but not all")

    def _check_example(self, number: int, example: Example) -> None:
        verdicts = example.verdict
        given = list(verdicts.values()) if isinstance(verdicts, dict) else [verdicts]
        if isinstance(verdicts, dict) is not (self.mode in _LISTING):
            shape = "verdicts by criterion" if self.mode in _LISTING else "one verdict"
            raise ValueError(f"examples with {shape}; example {number} has another form")
        if not given or not all(isinstance(one, str) and one in self.verdicts for one in given):
            raise ValueError(f"examples with a verdict among {', '.join(self.verdicts)}; example {number} has another")

    @property
    def is_pass_fail(self) -> bool:
        """Whether a verdict says no more than that the answer passes or fails."""
        return self.mode is Mode.LABEL or self.levels == PASS_FAIL_SCALE

    @property
    def lists(self) -> bool:
        """Whether a reply holds several verdicts, one on each criterion or fact."""
        return self.mode in _LISTING

    @property
    def verdicts(self) -> tuple[str, ...]:
        """What a verdict may be, in the order in which the judge is told."""
        return _LISTING.get(self.mode) or tuple(self.levels)

    @property
    def levels(self) -> Mapping[str, float]:
        """The verdicts of a mode that has one an answer, each with its score on the rubric's own scale."""
        if self.mode is Mode.LABEL:
            return {label: float(label in self.pass_on) for label in self.labels}
        return self.scale

    @property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest score of the scale."""
        return min(self.levels.values()), max(self.levels.values())

    def value(self, label: str) -> float:
        """A label's score in [0, 1]."""
        low, high = self.ends
        return (self.levels[label] - low) / (high - low)

    def passes(self, label: str) -> bool:
        """Whether the label counts as passed."""
        return self.reaches(self.levels[label])

    def reaches(self, score: float) -> bool:
        """Whether a score on the rubric's own scale counts as passed."""
        return score >= (self.ends[1] if self.pass_at is None else self.pass_at)

    @property
    def defaults(self) -> Mapping[str, Any]:
        """Request settings where the rubric says nothing."""
        return LISTING_REQUEST if self.lists else DEFAULT_REQUEST


def _plain_or_own(model: type[BaseModel], name: str) -> Any:
    return model.model_fields[name].get_default(call_default_factory=True)
