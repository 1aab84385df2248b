"""`Grader`, the base of all families, and `grade`, which applies one to one response.

A grader is a frozen model whose fields are its YAML arguments. A family says what it thinks of an extracted value
(`mark`); everything that is the same for all families (when it applies, outcomes, extraction, `not`, what may go
wrong) is done here once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, model_validator

from snapdrift.errors import SnapdriftError
from snapdrift.graders import expected
from snapdrift.graders.arguments import not_empty
from snapdrift.graders.extract import WHOLE_TEXT, Alternatives, Extraction, extract
from snapdrift.graders.marks import CannotGradeError, Mark, NotExtractedError
from snapdrift.graders.needs import NOTHING_SEEN, Got, Need, Seen
from snapdrift.graders.values import kept, scrubbed, shortened
from snapdrift.model import Case, MetricSpec, Outcome, Response, Score, ScoreKind, Variant, sha256
from snapdrift.suites.registry import Location

if TYPE_CHECKING:
    from snapdrift.suites.prompts import Template

DETAIL_LIMIT = 1_000
EVIDENCE_LIMIT = 20
RESERVED_NAMES = frozenset({"cost", "latency_p95", "output_tokens"})
"""Metrics that a gate knows without a grader."""


def _checked_name(name: str) -> str:
    if not name.strip() or name != name.strip() or "." in name or not name.isprintable():
        raise ValueError("a name without dots, control characters or blanks around it")
    if name in RESERVED_NAMES:
        raise ValueError(f"another name: {name!r} is a metric that every run has")
    return name


def _measured(outcome: Outcome) -> Outcome:
    if not outcome.measured:
        raise ValueError(f"a measured outcome: {', '.join(o.value for o in Outcome if o.measured)}")
    return outcome


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class When(BaseModel):
    """`{tag: x}` or `{tags: [x, y]}`: the cases that have one of the tags."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tag: str | None = None
    tags: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _names_tags_once(self) -> Self:
        if (self.tag is None) is not bool(self.tags):
            raise ValueError("either `tag: x` or `tags: [x, y]`")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The tags, however they were written."""
        return self.tags if self.tag is None else (self.tag,)


Accepts = Annotated[
    tuple[Annotated[Outcome, AfterValidator(_measured)], ...],
    AfterValidator(not_empty),
    BeforeValidator(_as_tuple, json_schema_input_type=list[Outcome]),
]


class Grader(BaseModel):
    """What all families share. A family sets the class variables, adds its arguments as fields and defines `mark`."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True)

    family: ClassVar[str]
    family_version: ClassVar[int] = 1
    """Raised whenever the same settings would score some answer differently than before."""
    kind: ClassVar[ScoreKind] = ScoreKind.PASS_FAIL
    unit: ClassVar[str] = "points"
    higher_is_better: ClassVar[bool] = True
    judged: ClassVar[bool] = False
    compares: ClassVar[bool] = False
    """Whether it compares an answer with those of the variant's baselines: then `Seen.others` has them."""
    reads_json: ClassVar[bool] = False
    """Whether text that a step other than `json` extracts is read as JSON before it is graded."""
    reads_text: ClassVar[bool] = True
    """Whether it grades what `extract` takes out of the answer's text."""
    templated: ClassVar[tuple[str, ...]] = ()
    """Attributes that may hold templates."""
    unscored: ClassVar[str] = "Nothing beyond what holds for every family."
    """A sentence for the reference: what this family counts as not extracted, and when it cannot grade."""
    examples: ClassVar[tuple[str, ...]] = ()
    """YAML for the reference, run by tests: an `answer`, what it takes to grade it, and a `grader` that it passes."""

    name: Annotated[str, AfterValidator(_checked_name)]
    extract: Alternatives = WHOLE_TEXT
    when: When | None = None
    negate: StrictBool = Field(default=False, alias="not")
    accepts: Accepts = (Outcome.OK,)

    @cached_property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """What the grader measures; the first metric bears the grader's name."""
        return (self._metric(self.name, self.kind),)

    def _metric(self, name: str, kind: ScoreKind, scale: tuple[float, float] = (0.0, 1.0)) -> MetricSpec:
        return MetricSpec(
            name,
            grader=self.name,
            kind=kind,
            unit=self.unit,
            scale=scale,
            higher_is_better=self.higher_is_better,
            judged=self.judged,
            pairwise=self.compares,
        )

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags that `when:` names."""
        return () if self.when is None else self.when.names

    def applies(self, case: Case) -> bool:
        """Whether the case is graded by it."""
        return self.when is None or any(tag in case.tags for tag in self.when.names)

    @cached_property
    def templates(self) -> Mapping[Location, Template]:
        """The templates in its arguments, by where they stand in the entry."""
        return {
            location: template
            for attribute in self.templated
            for location, template in expected.templates_in(self.argument(attribute), self._location(attribute))
        }

    def argument(self, attribute: str) -> Any:
        """An argument as plain JSON, as it stands in the entry."""
        return getattr(self, attribute)

    def _location(self, attribute: str) -> Location:
        alias = type(self).model_fields[attribute].alias
        return (alias or attribute,)

    def rendered(self, attribute: str, case: Case) -> Any:
        """An argument as it reads for one case. Raises `TemplateError`."""
        return expected.rendered(self.argument(attribute), self._location(attribute), self.templates, case.context())

    def resolved(self) -> dict[str, Any]:
        """The entry with defaults applied and files inlined; parsing it again gives an equal grader."""
        dumped = self.model_dump(mode="json", by_alias=True, exclude=None if self.reads_text else {"extract"})
        if self.when is None:
            del dumped["when"]
        else:
            dumped["when"] = self.when.model_dump(mode="json", exclude_defaults=True)
        return dumped

    @cached_property
    def version(self) -> str:
        """`family/version:settings-hash`. What the grader is called and which cases it sees is not part of it."""
        settings = {key: value for key, value in self.resolved().items() if key not in ("name", "when")}
        return f"{self.family}/{self.family_version}:{sha256(settings)[:12]}"

    def with_cases(self, cases: Sequence[Case]) -> Self:
        """The grader with what it takes from the dataset made explicit. Raises `ValueError` with a sentence."""
        del cases
        return self

    def check_case(self, case: Case) -> str | None:
        """What keeps the grader from ever grading this case (an expected number that is none), or None."""
        del case
        return None

    def value_in(self, response: Response) -> Extraction:
        """The value to be graded. Raises `NotExtractedError` or `CannotGradeError`."""
        text = response.text
        if not text and response.outcome is Outcome.REFUSED:
            text = response.refusal or ""
        return extract(self.extract, text, as_json=self.reads_json)

    def mark(self, case: Case, value: Any) -> Mark:
        """The family's judgement of an extracted value. May raise `NotExtractedError` or `CannotGradeError`."""
        raise TypeError(f"the family of {self.name} defines neither mark nor marks ({case.id}, {type(value)})")

    def marks(self, case: Case, value: Any) -> Mapping[str, Mark]:
        """The judgement by metric, for families that measure more than one thing."""
        return {self.name: self.mark(case, value)}

    @property
    def judges(self) -> tuple[Variant, ...]:
        """The models that it has asked, as something to call; most graders ask none."""
        return ()

    def needs(self, case: Case, response: Response, seen: Seen = NOTHING_SEEN) -> Mapping[str, Need]:
        """What it takes from outside to grade the response, by a name of the grader's own; most graders need nothing.

        Nothing is needed either where `grade` has the scores already: the grader does not apply, the outcome is not
        accepted, there is nothing to extract. A single need is named with the empty text.
        """
        del case, response, seen
        return {}

    def read(self, case: Case, response: Response, got: Got, seen: Seen = NOTHING_SEEN) -> tuple[Score, ...]:
        """The scores once it is known what came back: exactly one for each metric, as `grade` gives without a need."""
        del got, seen
        return grade(self, case, response)

    def grade(self, case: Case, response: Response) -> tuple[Score, ...]:
        """See `grade`."""
        return grade(self, case, response)


def grade(grader: Grader, case: Case, response: Response) -> tuple[Score, ...]:
    """The scores of one response: exactly one for each of the grader's metrics.

    None where the grader does not apply to the case or the call was not measured. Never raises for what an answer
    holds or a family does wrong: whatever keeps the grader from grading becomes a `grader_error` with a sentence.
    """
    if not grader.applies(case) or not response.outcome.measured:
        return ()
    if response.outcome not in grader.accepts:
        why = f"the call ended as {response.outcome.value}, the grader accepts {_listed(grader.accepts)}"
        return scores_of(grader, response, Mark.not_accepted(why))
    extraction: Extraction | None = None
    marks: Mapping[str, Mark] | Mark
    try:
        extraction = grader.value_in(response)
        marks = grader.marks(case, extraction.value)
    except NotExtractedError as error:
        marks = Mark.not_extracted(f"could not extract: {error}", error.reason)
    except (CannotGradeError, SnapdriftError) as error:
        marks = Mark.error(str(error))
    except Exception as error:  # noqa: BLE001  a defect in one family must not end a run that is paid for
        marks = Mark.error(f"the grader failed: {type(error).__name__}: {error}")
    return scores_of(grader, response, marks, extraction)


def scores_of(
    grader: Grader, response: Response, marks: Mapping[str, Mark] | Mark, extraction: Extraction | None = None
) -> tuple[Score, ...]:
    """One score for each metric; one mark stands for all of them. A metric without a mark is a grader error."""
    missing = Mark.error("the grader said nothing about this metric")
    extracted = None if extraction is None else kept(extraction.value)
    scores = []
    for metric in grader.metrics:
        mark = marks if isinstance(marks, Mark) else marks.get(metric.name, missing)
        mark = mark.inverted() if grader.negate else mark
        scores.append(
            Score(
                case_id=response.call.case_id,
                variant=response.call.variant,
                repeat=response.call.repeat,
                metric=metric.name,
                value=mark.value,
                passed=mark.passed,
                reason=mark.reason,
                detail=scrubbed(shortened(mark.detail, DETAIL_LIMIT)),
                extracted=extracted,
                extracted_by=None if extraction is None else extraction.alternative,
                evidence=tuple(scrubbed(shortened(line, DETAIL_LIMIT)) for line in mark.evidence[:EVIDENCE_LIMIT]),
                version=grader.version,
                facts=mark.facts,
            )
        )
    return tuple(scores)


def _listed(outcomes: Sequence[Outcome]) -> str:
    return ", ".join(outcome.value for outcome in outcomes)
