"""`latency`, `first_token`, `cost`, `output_tokens`, `finish_reason`, `cached_share`: what a call took, by a bound.

They grade the call, not its text, so every measured outcome is accepted unless the entry says otherwise.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, Strict

from snapdrift.graders.arguments import not_empty, one_or_more
from snapdrift.graders.base import Grader
from snapdrift.graders.extract import Extraction
from snapdrift.graders.marks import CannotGradeError, Mark
from snapdrift.graders.shared_arguments import Accepts
from snapdrift.graders.values import quoted
from snapdrift.model import MOST_USD, Case, Endpoint, MetricSpec, Outcome, Response, ScoreKind, Variant

_EVERY_OUTCOME = tuple(outcome for outcome in Outcome if outcome.measured)
Bound = Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False)]
Dollars = Annotated[float, Strict(), Field(gt=0, le=MOST_USD, allow_inf_nan=False)]
Share = Annotated[float, Strict(), Field(ge=0, le=1)]


class OfCall(Grader):
    """What the families share: the figure comes from the call, and one that is not known cannot be graded."""

    reads_text: ClassVar[bool] = False

    accepts: Accepts = _EVERY_OUTCOME

    def figure(self, response: Response) -> Any:
        """The figure of a call. Raises `CannotGradeError` where it is not known."""
        raise TypeError(f"the family of {self.name} defines no figure ({response.call})")

    def value_in(self, response: Response) -> Extraction:
        """The figure, as what was extracted."""
        return Extraction(self.figure(response), 0)


def _at_most(found: str, bound: str, *, passed: bool) -> Mark:
    return Mark.of(passed, f"{found}, {'within' if passed else 'over'} {bound}")


def _seconds(milliseconds: float) -> float:
    return round(milliseconds / 1000.0, 6)


def _timed(response: Response) -> None:
    if response.batched:
        raise CannotGradeError("the answer came by the Batch API, whose times say nothing of the model")


class Latency(OfCall):
    """Passes when the call took at most so many seconds, from its first request to the end of its last answer.

    What a stand-in or a file of answers took says nothing about a provider.
    """

    family: ClassVar[str] = "latency"
    unscored: ClassVar[str] = (
        "It is a grader error when the call has no latency of its own: an answer of the Batch API, or one recorded "
        "elsewhere."
    )
    examples: ClassVar[tuple[str, ...]] = (
        """\
answer: It ships on Monday.
response: {latency_ms: 840}
grader: {name: quick, latency: 2.5}
""",
    )

    latency: Bound = Field(description="Seconds that the call may take.")

    def misfit(self, variant: Variant) -> str | None:
        """An answer by batch, or from a file, has no latency."""
        if variant.batch or variant.endpoint is Endpoint.OUTPUTS:
            return f"answers {'by batch' if variant.batch else 'from a file'} have no latency"
        return None

    def figure(self, response: Response) -> float:
        """Seconds. Raises `CannotGradeError`."""
        _timed(response)
        if response.latency_ms is None:
            raise CannotGradeError("the call has no latency")
        return _seconds(response.latency_ms)

    def mark(self, case: Case, value: Any) -> Mark:
        """Compares with the bound."""
        del case
        return _at_most(f"{value:.2f} s", f"{self.latency:g} s", passed=value <= self.latency)


class FirstToken(OfCall):
    """Passes when the first piece of the answer came within so many seconds; needs `stream: true`."""

    family: ClassVar[str] = "first_token"
    unscored: ClassVar[str] = "It is a grader error when the answer was not streamed, or came by the Batch API."
    examples: ClassVar[tuple[str, ...]] = (
        """\
answer: It ships on Monday.
response: {latency_ms: 840, first_token_ms: 210}
grader: {name: prompt, first_token: 0.5}
""",
    )

    first_token: Bound = Field(description="Seconds until the first piece of the answer.")

    def misfit(self, variant: Variant) -> str | None:
        """Only a stream has a first piece."""
        return None if variant.stream else "its answers are not streamed (`stream: true`)"

    def figure(self, response: Response) -> float:
        """Seconds. Raises `CannotGradeError`."""
        _timed(response)
        if response.first_token_ms is None:
            raise CannotGradeError("the time to the first token is not known: the answer was not streamed")
        return _seconds(response.first_token_ms)

    def mark(self, case: Case, value: Any) -> Mark:
        """Compares with the bound."""
        del case
        return _at_most(f"{value:.2f} s", f"{self.first_token:g} s", passed=value <= self.first_token)


class Cost(OfCall):
    """Passes when the call cost at most so many US dollars, all its requests together, without judges."""

    family: ClassVar[str] = "cost"
    default_name: ClassVar[str] = "within_cost"
    unscored: ClassVar[str] = "It is a grader error when the price of the call is not known."
    examples: ClassVar[tuple[str, ...]] = (
        """\
answer: It ships on Monday.
response: {usd: 0.0004}
grader: {name: cheap, cost: 0.001}
""",
    )

    cost: Dollars = Field(description="US dollars that the call may cost.")

    def figure(self, response: Response) -> float:
        """Dollars. Raises `CannotGradeError`."""
        if response.cost_usd is None:
            raise CannotGradeError("what the call cost is not known: its model has no price, or it reports no tokens")
        return response.cost_usd

    def mark(self, case: Case, value: Any) -> Mark:
        """Compares with the bound."""
        del case
        return _at_most(f"${value:.4g}", f"${self.cost:.4g}", passed=value <= self.cost)


class OutputTokens(OfCall):
    """Passes when the model wrote at most so many tokens, reasoning among them, in all requests of the call."""

    family: ClassVar[str] = "output_tokens"
    default_name: ClassVar[str] = "within_output_tokens"
    unscored: ClassVar[str] = "It is a grader error when the call reports no tokens."
    examples: ClassVar[tuple[str, ...]] = (
        """\
answer: It ships on Monday.
response: {usage: {input_tokens: 40, output_tokens: 6}}
grader: {name: short, output_tokens: 50}
""",
    )

    output_tokens: Annotated[int, Strict(), Field(gt=0)] = Field(description="Tokens that the model may write.")

    def figure(self, response: Response) -> int:
        """Tokens. Raises `CannotGradeError`."""
        if response.usage is None:
            raise CannotGradeError("the call reports no tokens")
        return response.usage.output_tokens

    def mark(self, case: Case, value: Any) -> Mark:
        """Compares with the bound."""
        del case
        return _at_most(f"{value:,} tokens", f"{self.output_tokens:,}", passed=value <= self.output_tokens)


class FinishReason(OfCall):
    """Passes when the answer ended for one of the reasons, in the words of the endpoint that was asked.

    Chat Completions says `stop`, `length`, `tool_calls`, `content_filter`; Responses `completed`,
    `max_output_tokens`, `content_filter`.
    """

    family: ClassVar[str] = "finish_reason"
    unscored: ClassVar[str] = "It is a grader error when the answer says no reason, as those of an application."
    examples: ClassVar[tuple[str, ...]] = (
        """\
answer: It ships on Monday.
response: {finish_reason: completed}
grader: {name: ended, finish_reason: [completed, stop]}
""",
    )

    finish_reason: Annotated[
        tuple[Annotated[str, Field(min_length=1)], ...],
        AfterValidator(not_empty),
        BeforeValidator(one_or_more, json_schema_input_type=str | list[str]),
    ] = Field(description="A reason, or a list of which it must be one.")

    def figure(self, response: Response) -> str:
        """The reason. Raises `CannotGradeError`."""
        if response.finish_reason is None:
            raise CannotGradeError("the answer does not say why it ended")
        return response.finish_reason

    def mark(self, case: Case, value: Any) -> Mark:
        """Looks the reason up."""
        del case
        if value in self.finish_reason:
            return Mark.of(passed=True)
        wanted = " or ".join(map(quoted, self.finish_reason))
        return Mark.of(passed=False, detail=f"expected {wanted}, found {quoted(value)}")


class CachedShare(OfCall):
    """How much of the input came from the provider's prompt cache: a pass/fail metric by a bound, else graded.

    With `cached_share: graded` the value is the share itself, and any cached token passes.
    """

    family: ClassVar[str] = "cached_share"
    unscored: ClassVar[str] = "It is a grader error when the call reports no input tokens."
    examples: ClassVar[tuple[str, ...]] = (
        """\
answer: It ships on Monday.
response: {usage: {input_tokens: 2000, cached_tokens: 1920, output_tokens: 6}}
grader: {name: cached, cached_share: 0.8}
""",
    )

    cached_share: Share | Literal["graded"] = Field(
        description="The least share of input tokens that come from the cache, or `graded` for the share itself."
    )

    @cached_property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """Pass/fail with a bound, graded without one."""
        kind = ScoreKind.GRADED if self.cached_share == "graded" else ScoreKind.PASS_FAIL
        return (self._metric(self.name, kind),)

    def figure(self, response: Response) -> float:
        """The share, in [0, 1]. Raises `CannotGradeError`."""
        usage = response.usage
        if usage is None or usage.input_tokens <= 0:
            raise CannotGradeError("the call reports no input tokens")
        return min(1.0, usage.cached_tokens / usage.input_tokens)

    def mark(self, case: Case, value: Any) -> Mark:
        """Compares with the bound, or gives the share."""
        del case
        found = f"{value:.1%} of the input was cached"
        if self.cached_share == "graded":
            return Mark.graded(value, passed=value > 0, detail=found)
        passed = value >= self.cached_share
        return Mark.of(passed, f"{found}, {'at least' if passed else 'under'} {self.cached_share:.1%}")
