"""What judging a run's answers took: money by variant, and by judge the models that answered."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from snapdrift.model import JudgeModels, Response


class JudgeTally:
    """Adds up the responses of a run's judges."""

    def __init__(self, variants: Iterable[str]) -> None:
        self.usd = dict.fromkeys(variants, 0.0)
        self.batch_usd: dict[str, float] = defaultdict(float)
        self.reused: dict[str, int] = defaultdict(int)
        self._requested: dict[str, str] = {}
        self._returned: dict[str, Counter[str]] = defaultdict(Counter)
        self._sources: dict[str, set[str]] = defaultdict(set)

    def add(self, response: Response) -> None:
        """Counts one judge's response; the money is for the variant whose answer was judged."""
        key, usd = response.call, response.usd or 0.0
        self.usd[key.variant] = self.usd.get(key.variant, 0.0) + usd
        self.reused[key.variant] += response.reused is not None
        if response.batched:
            self.batch_usd[key.variant] += usd
        self._requested.setdefault(key.judge, response.requested_model)
        if response.outcome.measured:
            self._sources[key.judge].add(response.source.value)
            if response.returned_model is not None:
                self._returned[key.judge][response.returned_model] += 1

    @property
    def models(self) -> tuple[JudgeModels, ...]:
        """Which models judged, by judge, in the order in which judges first answered."""
        return tuple(
            JudgeModels(judge, requested, dict(self._returned[judge]), tuple(sorted(self._sources[judge])))
            for judge, requested in self._requested.items()
        )
