"""`Grader`, the base of all families: a frozen model whose fields are its YAML arguments.

A family says what it thinks of an extracted value (`mark`), and overrides what else is particular to it; `scoring.py`
does what is the same for all of them. The class is long because it is the whole list of what a family may say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from snapdrift.graders import expected
from snapdrift.graders.extract import WHOLE_TEXT, Alternatives, Extraction, extract
from snapdrift.graders.marks import Mark
from snapdrift.graders.needs import NOTHING_SEEN, CodeFile, Got, Need, Seen
from snapdrift.graders.scoring import grade
from snapdrift.graders.shared_arguments import Accepts, Name, When
from snapdrift.graders.values import copied
from snapdrift.model import Case, MetricSpec, Outcome, Response, Score, ScoreKind, Variant, sha256
from snapdrift.suites.registry import JudgeAt, Location

if TYPE_CHECKING:
    from snapdrift.suites.prompts import Template


class Grader(BaseModel):
    """What all families share. A family sets the class variables, adds its arguments as fields and defines `mark`."""

    # A validator is made when a suite first uses the family: of thirty families it uses a few.
    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True, defer_build=True
    )

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
    composed: ClassVar[bool] = False
    """Whether it is made of other graders, which take the `extract` that stands beside them."""
    default_name: ClassVar[str] = ""
    """What it is called where the entry does not say; empty: as its family is."""
    distribution: ClassVar[str] = ""
    """The package that registered the family, with its version; empty for families of this program."""
    judges_values: ClassVar[bool] = False
    """Whether a family with a `value_in` of its own judges a value alone too, so that fields can be compared by it."""
    templated: ClassVar[tuple[str, ...]] = ()
    """Attributes that may hold templates."""
    unscored: ClassVar[str] = "Nothing beyond what holds for every family."
    """A sentence for the reference: what this family counts as not extracted, and when it cannot grade."""
    examples: ClassVar[tuple[str, ...]] = ()
    """YAML for the reference, run by tests: an `answer`, what it takes to grade it, and a `grader` that it passes."""

    name: Name = Field(description="The metric's name, without dots.")
    extract: Alternatives = Field(default=WHOLE_TEXT, description="What of the answer is graded.")
    when: When | None = Field(default=None, description="Only cases with one of these tags.")
    negate: StrictBool = Field(default=False, alias="not", description="Turns the judgement round.")
    accepts: Accepts = Field(
        default=(Outcome.OK,), description="Outcomes that are graded; any other that was measured scores 0."
    )

    @cached_property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """What the grader measures; the first metric bears the grader's name."""
        return (self._metric(self.name, self.kind),)

    @cached_property
    def scored_metrics(self) -> tuple[tuple[str, bool], ...]:
        """The metrics by name, and whether more of each is better: what each score asks for."""
        return tuple((metric.name, metric.higher_is_better) for metric in self.metrics)

    @cached_property
    def less_is_better(self) -> frozenset[str]:
        """The metrics of which less is better."""
        return frozenset(metric.name for metric in self.metrics if not metric.higher_is_better)

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
        """An argument as it reads for one case, for the caller to keep. Raises `TemplateError`."""
        last = self._last_rendered.get(attribute)
        if last is not None and last[0] is case:
            return copied(last[1])
        location = self._location(attribute)
        value = expected.rendered(self.argument(attribute), location, self.templates, case.context())
        self._last_rendered[attribute] = case, value
        return copied(value)

    @cached_property
    def _last_rendered(self) -> dict[str, tuple[Case, Any]]:
        """Each argument as it read for the last case: the answers of all variants to a case are graded in a row."""
        return {}

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
        settings = self.versioned()
        if self.distribution:
            settings["distribution"] = self.distribution
        return f"{self.family}/{self.family_version}:{sha256(settings)[:12]}"

    def versioned(self) -> dict[str, Any]:
        """The settings that the version covers."""
        return {key: value for key, value in self.resolved().items() if key not in ("name", "when")}

    def with_cases(self, cases: Sequence[Case]) -> Self:
        """The grader with what it takes from the dataset made explicit. Raises `ValueError` with a sentence."""
        del cases
        return self

    def check_case(self, case: Case) -> str | None:
        """What keeps the grader from ever grading this case (an expected number that is none), or None."""
        del case
        return None

    def misfit(self, variant: Variant) -> str | None:
        """What about a variant keeps the grader from ever grading its answers, as a clause; None where nothing does."""
        del variant
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

    def marks_of(self, case: Case, response: Response, value: Any) -> Mapping[str, Mark]:
        """The judgement by metric, for families that look at more of the response than what they extract of it."""
        del response
        return self.marks(case, value)

    def facts_of(self, case: Case) -> Mapping[str, Any]:
        """What its scores of the case keep even where the answer held nothing to judge."""
        del case
        return {}

    def tools_named(self, case: Case) -> tuple[str, ...]:
        """The tools that it expects or forbids for a case, as far as that can be told: a check that there are such."""
        del case
        return ()

    @property
    def judges_at(self) -> Mapping[Location, JudgeAt]:
        """The models that it has asked, by where the entry has their settings; most graders ask none."""
        return {}

    @property
    def judges(self) -> tuple[Variant, ...]:
        """The models that it has asked, as something to call."""
        return tuple(judge.variant for judge in self.judges_at.values())

    @property
    def code(self) -> Mapping[Location, CodeFile]:
        """The functions of the workspace that it has called, by where the entry names them."""
        return {}

    def for_planning(self) -> Self:
        """The grader as it asks judges about every answer, whatever that holds: what a plan counts by."""
        return self.model_copy(update={"extract": WHOLE_TEXT})

    @property
    def calibratable(self) -> bool:
        """Whether people can label an answer as its judge does (`snapdrift calibrate`)."""
        return False

    @cached_property
    def grades_alone(self) -> bool:
        """Whether the answer and its case are all it takes: it asks nobody, runs nothing, looks at nothing else."""
        return not (self.judges_at or self.judges or self.code or self.sees_prompt or self.compares)

    @property
    def sees_prompt(self) -> bool:
        """Whether it looks at the conversation that was asked (`Seen.conversation`)."""
        return False

    @property
    def sees_steps(self) -> bool:
        """Whether it may look at what tools gave back or what was said between the steps of an answer.

        A function gets the whole response, and what a family of a package looks at nobody here knows.
        """
        return bool(self.code) or bool(self.distribution)

    def notes(self) -> tuple[str, ...]:
        """Sentences that a person should read about its settings, though nothing is wrong with them."""
        return ()

    def settles(self, case: Case, reply: Response) -> bool:
        """Whether a judge's reply, which was measured, can be read as what it was asked for; else it is asked again."""
        del case, reply
        return True

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
