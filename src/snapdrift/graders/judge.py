"""`judge`: another model grades the answer by a rubric.

The grader asks nobody itself: `needs` says what to ask, `read` makes scores of what came back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from snapdrift.errors import SnapdriftError
from snapdrift.graders.ballots import Ballot, UnreadableVerdictError, read_ballot, verdict_format
from snapdrift.graders.base import Grader
from snapdrift.graders.judge_items import Item, grouped, items_of
from snapdrift.graders.judge_marks import marks_of
from snapdrift.graders.judge_settings import scoring_settings
from snapdrift.graders.judge_words import instructions
from snapdrift.graders.marks import CannotGradeError, Mark, NotExtractedError
from snapdrift.graders.needs import NOTHING_SEEN, Got, JudgeQuestion, Need, Seen
from snapdrift.graders.rubric import Mode, Rubric, Sight, loaded_rubric
from snapdrift.graders.scoring import grade, scores_of
from snapdrift.graders.showing import material_of
from snapdrift.graders.values import quoted, scrubbed
from snapdrift.model import Case, Conversation, MetricSpec, Response, Score, ScoreKind, Variant
from snapdrift.suites.registry import JudgeAt, Location


class JudgeGrader(Grader):
    """A model's verdict by a rubric, as Structured Output with a reason before it.

    The rubric says what a verdict is: a score on a scale, a label, a yes or no to each criterion of a checklist, or
    whether the answer agrees with each fact of an expected one. `name.contradictions` of the latter passes where no
    fact is contradicted, and a criterion of a checklist counts as wished: `no` to one of `expect_no` is a pass. A
    verdict that did not come, was refused or cannot be read is a grader error, never a fail and never a pass.
    """

    family: ClassVar[str] = "judge"
    judged: ClassVar[bool] = True
    templated: ClassVar[tuple[str, ...]] = ("judge",)
    unscored: ClassVar[str] = (
        "The judge is asked only about answers that are accepted and hold what `extract` wants. No readable verdict "
        "from more than half of the votes, or a tie between them, is a grader error."
    )
    examples: ClassVar[tuple[str, ...]] = (
        """\
answer: I am sorry about the delay; I have refunded the shipping.
ticket: My parcel is two weeks late.
verdict: '{"reason": "It apologises and refunds.", "verdict": "good"}'
grader:
  name: helpful
  judge:                                 # or a file: judge: graders/helpfulness.yaml
    criteria: [It apologises., It offers something.]
    question: "{{ ticket }}"             # without it and with sees: [question, ...] the conversation that was asked
    model: gpt-4o-2024-11-20             # an alias is refused unless allow_alias: true
    scale: {poor: 1, fair: 3, good: 5}   # default pass_fail; or {from: 1, to: 5}
    pass_at: 3                           # default: the highest score
    request: {max_output_tokens: 300}    # over {temperature: 0, max_output_tokens: 500}; null sends nothing
""",
        """\
answer: No idea, ask somebody else.
verdicts:
  - '{"reason": "It turns the customer away.", "verdict": "dismissive"}'
  - '{"reason": "It is short.", "verdict": "neutral"}'
  - '{"reason": "Nobody is helped.", "verdict": "dismissive"}'
grader:
  name: tone
  judge:
    mode: label
    criteria: The tone that a customer would hear in the reply.
    labels: [friendly, neutral, dismissive]
    pass_on: [friendly, neutral]
    votes: 3                             # the majority counts; a tie is unscored
    request: {temperature: 1}
    model: gpt-4o-2024-11-20
passes: false
""",
        """\
answer: You would not pull the lever, since the five are dead already.
criteria: {should: [It says that the five are dead., It says not to pull the lever.], should_not: [It pulls the lever.]}
verdict: >-
  {"c1": {"reason": "It does.", "verdict": "yes"}, "c2": {"reason": "It does.", "verdict": "yes"},
  "c3": {"reason": "It does not.", "verdict": "no"}}
grader:
  name: notices
  judge:
    mode: checklist                      # metrics notices, notices.should and notices.should_not
    criteria: {should: "{{ criteria.should }}", should_not: "{{ criteria.should_not }}"}
    model: gpt-4o-2024-11-20
""",
        """\
answer: Paris has been the capital since 987.
expected: [Paris is the capital of France., It lies on the Seine.]
verdict: >-
  {"c1": {"reason": "It says so.", "verdict": "consistent"}, "c2": {"reason": "Nothing is said.", "verdict": "omits"}}
grader:
  name: facts
  judge:
    mode: reference                      # metrics facts and facts.contradictions
    facts: "{{ expected }}"
    pass_at: 0.5                         # at least half of the facts; default all
    model: gpt-4o-2024-11-20
""",
    )

    judge: Annotated[Rubric, BeforeValidator(loaded_rubric, json_schema_input_type=str | Rubric)] = Field(
        description="A rubric file under graders/, or the rubric itself."
    )

    @cached_property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """The grader's own metric, and for a checklist or a reference those of its parts."""
        rubric = self.judge
        if rubric.mode is Mode.REFERENCE:
            parts: Mapping[str, ScoreKind] = {"contradictions": ScoreKind.PASS_FAIL}
        elif rubric.mode is Mode.CHECKLIST and isinstance(rubric.criteria, dict):
            parts = {
                name: ScoreKind.GRADED if grouped(written) else ScoreKind.PASS_FAIL
                for name, written in rubric.criteria.items()
            }
        elif not rubric.lists and rubric.is_pass_fail:
            return (self._metric(self.name, ScoreKind.PASS_FAIL),)
        else:
            parts = {}
        head = self._metric(self.name, ScoreKind.GRADED, (0.0, 1.0) if rubric.lists else rubric.ends)
        head = replace(head, has_pass_mark=rubric.lists or rubric.pass_at is not None)
        return (head, *(self._metric(f"{self.name}.{part}", kind) for part, kind in parts.items()))

    def versioned(self) -> dict[str, Any]:
        """The settings that can change a score."""
        return scoring_settings(super().versioned(), "judge")

    def argument(self, attribute: str) -> Any:
        """The parts of the rubric that may hold templates."""
        rubric: Rubric = getattr(self, attribute)
        criteria = rubric.criteria if isinstance(rubric.criteria, dict) else list(rubric.criteria)
        told = {"criteria": criteria, "question": rubric.question, "context": rubric.context}
        return {**told, "facts": list(rubric.facts)} if rubric.mode is Mode.REFERENCE else told

    @property
    def judges_at(self) -> Mapping[Location, JudgeAt]:
        """The one model that is asked."""
        sees_images = Sight.IMAGES in self.judge.shown
        return {("judge",): JudgeAt(self._variant(1), self.judge.allow_retiring, sees_images)}

    @property
    def sees_prompt(self) -> bool:
        """Whether the rubric shows the judge the conversation, or its images."""
        asked = Sight.QUESTION in self.judge.shown and self.judge.question is None
        return asked or Sight.IMAGES in self.judge.shown

    @property
    def sees_steps(self) -> bool:
        """Whether the rubric shows the judge the tools' results, or a conversation that went on between the steps."""
        asked = Sight.QUESTION in self.judge.shown and self.judge.question is None
        return asked or Sight.TOOLS in self.judge.shown

    @property
    def calibratable(self) -> bool:
        """Whether people can label an answer as the judge does: by one verdict."""
        return not self.judge.lists

    def notes(self) -> tuple[str, ...]:
        """What a person should know of the settings."""
        votes, found = self.judge.votes, []
        if votes > 1 and self.judge.settings.get("temperature") == 0:
            found.append(
                f"judge {self.name}: {votes} votes at temperature 0 are nearly the same vote again; set "
                "`request: {temperature: 1}` in the rubric so that they can differ."
            )
        if votes % 2 == 0 and (self.judge.lists or self.judge.is_pass_fail):
            found.append(
                f"judge {self.name}: {votes} votes can be a tie, which leaves the answer unscored; an odd number of "
                "votes on two verdicts cannot."
            )
        return tuple(found)

    def check_case(self, case: Case) -> str | None:
        """A list that is empty for a case, or longer than a schema may be, judges nothing."""
        if not self.judge.lists:
            return None
        try:
            self._items(self.rendered("judge", case))
        except CannotGradeError as error:
            return str(error)
        return None

    def needs(self, case: Case, response: Response, seen: Seen = NOTHING_SEEN) -> Mapping[str, Need]:
        """The question about the response, once for each vote."""
        question = self._question(case, response, seen)
        return {} if question is None else dict.fromkeys(self._vote_names(), question)

    def _vote_names(self) -> tuple[str, ...]:
        votes = self.judge.votes
        return ("",) if votes == 1 else tuple(str(number) for number in range(1, votes + 1))

    def _question(self, case: Case, response: Response, seen: Seen) -> JudgeQuestion | None:
        if not self.applies(case) or response.outcome not in self.accepts:
            return None
        try:
            answer = self.value_in(response).value
            told: Mapping[str, Any] = self.rendered("judge", case)
            items = self._items(told)
            material = material_of(self.judge, told, answer, response, seen)
        except (NotExtractedError, CannotGradeError, SnapdriftError):
            return None
        rules = instructions(self.judge, told, items, images=bool(material.images))
        return JudgeQuestion(self._variant(len(items)), Conversation(scrubbed(rules), (material.message,)))

    def _items(self, told: Mapping[str, Any]) -> tuple[Item, ...]:
        """What of the case the judge gives a verdict on, one by one; nothing where the verdict is of the answer."""
        return items_of(self.judge, told) if self.judge.lists else ()

    @property
    def variant(self) -> Variant:
        """The judge as something to call."""
        return self._variant(1)

    def _variant(self, items: int) -> Variant:
        form = verdict_format(self.judge.verdicts, items if self.judge.lists else None)
        return self.judge.variant(self.name, form)

    def marks(self, case: Case, value: Any) -> Mapping[str, Mark]:
        """Without a verdict there is nothing to say."""
        self._items(self.rendered("judge", case))
        raise CannotGradeError(f"the judge was not asked about {quoted(value)}")

    def settles(self, case: Case, reply: Response) -> bool:
        """Whether a judge's reply can be read; else it is asked again."""
        try:
            self._ballot(case, reply)
        except (UnreadableVerdictError, CannotGradeError, SnapdriftError):
            return False
        return True

    def _ballot(self, case: Case, reply: Response) -> Ballot:
        items = len(self._items(self.rendered("judge", case))) if self.judge.lists else None
        return read_ballot(reply, self.judge.verdicts, items)

    def read(self, case: Case, response: Response, got: Got, seen: Seen = NOTHING_SEEN) -> tuple[Score, ...]:
        """The scores that the judge's verdicts give, as many as `grade` would."""
        replies = [reply for name in self._vote_names() if isinstance(reply := got.get(name), Response)]
        if not replies or not self.needs(case, response, seen):
            return self._unasked(case, response, seen)
        marks = self._marks(case, replies)
        return scores_of(self, response, marks, self.value_in(response))

    def _unasked(self, case: Case, response: Response, seen: Seen) -> tuple[Score, ...]:
        """The scores without any verdict; what the judge was to see may be the reason."""
        scores = grade(self, case, response)
        if self.sees_prompt and self.applies(case) and response.outcome in self.accepts:
            try:
                answer = self.value_in(response)
                material_of(self.judge, self.rendered("judge", case), answer.value, response, seen)
            except CannotGradeError as error:
                return scores_of(self, response, Mark.error(str(error)))
            except (NotExtractedError, SnapdriftError):
                pass
        return scores

    def _marks(self, case: Case, replies: list[Response]) -> Mapping[str, Mark] | Mark:
        votes = self.judge.votes
        ballots: list[Ballot] = []
        unread: list[str] = []
        for reply in replies:
            try:
                ballots.append(self._ballot(case, reply))
            except UnreadableVerdictError as error:
                unread.append(str(error))
        if 2 * len(ballots) <= votes:
            came = "" if votes == 1 else f"{len(ballots)} of {votes} votes came, no majority of them: "
            return Mark.error(came + (unread[0] if unread else "the others were not asked"))
        items = self._items(self.rendered("judge", case))
        return marks_of(self.judge, self.name, items, ballots)
