"""The arguments that every grader has, whatever its family: its name, the cases it is for, the outcomes it takes."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, model_validator

from snapdrift.graders.arguments import not_empty, one_or_more
from snapdrift.model import Outcome

RESERVED_NAMES = frozenset({"cost", "latency_p95", "first_token_p95", "output_tokens"})
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


Name = Annotated[str, AfterValidator(_checked_name)]
"""What a grader is called: a metric's name, without dots."""


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
    BeforeValidator(one_or_more, json_schema_input_type=list[Outcome]),
]
"""Outcomes that a grader takes, one or several; each is a measured one."""
