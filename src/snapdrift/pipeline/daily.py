"""What is left of a suite's budget of today, as `plan` shows it and `run` asks before it starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from snapdrift.store.ledger import FILE_NAME, NANO, Ledger, Standing, utc_day


@dataclass(frozen=True, slots=True)
class DayLeft:
    """The limit of a day (UTC) in dollars and what counts against it.

    `held_usd` is leased by runs that are under way, `unsettled_usd` by some that were killed or left batches behind.
    """

    day: str
    limit_usd: float
    spent_usd: float
    held_usd: float
    unsettled_usd: float

    @property
    def left_usd(self) -> float:
        """What may still be spent."""
        return max(0.0, self.limit_usd - self.spent_usd - self.held_usd - self.unsettled_usd)

    def __str__(self) -> str:
        more = [f"${usd:,.4f} {what}" for usd, what in self._parts if usd]
        return f"${self.left_usd:,.4f} of ${self.limit_usd:g} on {self.day} (UTC)" + "".join(f", {x}" for x in more)

    @property
    def _parts(self) -> tuple[tuple[float, str], ...]:
        return (
            (self.spent_usd, "spent"),
            (self.held_usd, "held by runs under way"),
            (self.unsettled_usd, "unsettled since runs were cut off"),
        )


def day_left(state_dir: Path, suite: str, limit_usd: float | None) -> DayLeft | None:
    """What is left today, None without a limit. Makes no ledger where there is none. Raises `StoreError`."""
    if limit_usd is None:
        return None
    standing = Standing(utc_day())
    if (state_dir / FILE_NAME).is_file():
        with Ledger(state_dir) as ledger:
            standing = ledger.standing(suite)
    return DayLeft(standing.day, limit_usd, standing.spent / NANO, standing.held / NANO, standing.unsettled / NANO)
