"""What the account has used, and the quota that it runs into."""

from __future__ import annotations

from snapdrift.standin.api_errors import quota_exceeded
from snapdrift.standin.config import Limits


class Account:
    """Counts answers and their dollars against the quota of the configuration."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._answers, self._usd = 0, 0.0

    def check(self) -> None:
        """Raises the API's 429 `insufficient_quota` once the quota is used up."""
        most, usd = self._limits.quota_requests, self._limits.quota_usd
        if (most is not None and self._answers >= most) or (usd is not None and self._usd >= usd):
            raise quota_exceeded()

    def charge(self, usd: float | None) -> None:
        """Counts an answer and what it cost (None: its price is not known)."""
        self._answers += 1
        self._usd += usd or 0.0
