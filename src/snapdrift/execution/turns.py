"""By whom an attempt is made, and under which account: settled before it is let start, for the account has the limits.

One process asks each host under one account. Workers elsewhere have keys of their own, which may be several accounts'.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from snapdrift.model import Answer, Failure, FailureKind, Request

OWN = 0
"""The account of whoever has one only. Accounts are told apart by numbers; whose they are nobody here knows."""
Ask = Callable[[Request], Awaitable[Answer]]
"""Makes one attempt; raises `AttemptFailed` for everything that is no answer."""
HELD_BACK = Failure(
    FailureKind.CONNECTION,
    "Not asked: a worker was lost with it, and the only one that is left is kept for other calls until they have ended",
    retryable=True,
)
"""Why a request is not asked before all others have ended."""


class Turn(Protocol):
    """One attempt that is about to be made; `over` is to be called once, whatever came of it."""

    @property
    def accounts(self) -> tuple[int, ...]:
        """Under which accounts it may be made, those first that are better; never empty."""

    def begin(self, account: int) -> bool:
        """Settles who makes it under an account; False where nobody can any more, who could a moment ago."""

    async def ask(self) -> Answer:
        """Makes the attempt, which was begun. Raises `AttemptFailed`."""

    def over(self) -> None:
        """Nothing more is made of this turn."""


class Turns(Protocol):
    """Who makes the attempts of a run."""

    def accounts(self, request: Request) -> tuple[int, ...]:
        """Under which accounts the host of a request is asked at all, at the moment."""

    def at_once(self, request: Request) -> Turn | None:
        """The turn of a request where nothing is to be waited for; None: `wait` for it."""

    async def wait(self, request: Request, *, last: bool) -> Turn | Failure:
        """The turn of a request, or why it is not to be asked: `HELD_BACK` unless all other calls have ended (`last`).

        Raises `IncompleteError` where nobody is left who could ask.
        """


@dataclass(frozen=True, slots=True)
class Here:
    """Attempts made by this process: each at once, under its one account."""

    make: Ask

    def accounts(self, request: Request) -> tuple[int, ...]:  # noqa: ARG002  of every host
        """The one that it has."""
        return (OWN,)

    def at_once(self, request: Request) -> Turn:
        """The turn, which always is at once."""
        return _OwnTurn(self.make, request)

    async def wait(self, request: Request, *, last: bool) -> Turn:  # noqa: ARG002  nobody is held back
        """As `at_once`."""
        return self.at_once(request)


@dataclass(frozen=True, slots=True)
class _OwnTurn:
    make: Ask
    request: Request

    @property
    def accounts(self) -> tuple[int, ...]:
        return (OWN,)

    def begin(self, account: int) -> bool:  # noqa: ARG002  it has one
        return True

    async def ask(self) -> Answer:
        return await self.make(self.request)

    def over(self) -> None:
        """There is nothing to give back."""
