"""Results that take no run: suites of which nothing had to be asked."""

from __future__ import annotations

from dataclasses import dataclass

from snapdrift.exit_codes import ExitCode


@dataclass(frozen=True, slots=True)
class Unasked:
    """Why suites were not asked, in a sentence, and what a command ends with on account of it.

    `suite` and `gate` are of one suite that a command was to decide about; empty where `--changed` left suites out.
    Then `of_each` says the same of each of these by itself.
    """

    text: str
    suite: str = ""
    gate: str = ""
    exit_code: ExitCode = ExitCode.PASSED
    of_each: tuple[Unasked, ...] = ()

    @property
    def undecided(self) -> bool:
        """Whether something was to be decided and was not: then it is `not_gated` among the results."""
        return self.exit_code is ExitCode.NOT_GATED

    @property
    def each(self) -> tuple[Unasked, ...]:
        """A result for each suite."""
        return self.of_each or (self,)
