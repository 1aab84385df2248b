"""The calls of a run as columns of numbers: what became of each, in planned order, read once for everything.

A call takes about 100 bytes here, and several times as much as a record.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from snapdrift.conclusions import ReusedAnswers
from snapdrift.model import CallResult, Outcome, Results, Reused, Source

OUTCOMES = tuple(Outcome)
SOURCES = tuple(Source)
_OUTCOME_CODES = {outcome: code for code, outcome in enumerate(OUTCOMES)}
_SOURCE_CODES = {source: code for code, source in enumerate(SOURCES)}
_MEASURED = np.array([outcome.measured for outcome in OUTCOMES])
_NAN = float("nan")

FloatColumn = NDArray[np.float64]
IntColumn = NDArray[np.int64]
CodeColumn = NDArray[np.int8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class CallColumns:
    """The planned answer calls of one variant, one entry each, in planned order.

    `cases` are places among the cases of the run, `repeats` numbers, `outcomes` and `sources` places in `OUTCOMES` and
    `SOURCES`. Times (milliseconds), dollars and tokens are NaN where they are not known. `models` are places in `named`
    (-1: no model is named), and `also` has the models that earlier requests of a call were answered as, by its place.
    `cost_usd` is what an answer costs whoever paid for it, `reused` what of the measured answers earlier runs received.
    """

    cases: IntColumn
    repeats: IntColumn
    outcomes: CodeColumn
    sources: CodeColumn
    requests: IntColumn
    batched: Mask
    models: IntColumn
    latency_ms: FloatColumn
    first_token_ms: FloatColumn
    usd: FloatColumn
    cost_usd: FloatColumn
    input_tokens: FloatColumn
    cached_tokens: FloatColumn
    output_tokens: FloatColumn
    reasoning_tokens: FloatColumn
    named: Sequence[str] = ()
    also: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    reused: ReusedAnswers | None = None

    @property
    def measured(self) -> Mask:
        """Which calls a model ended."""
        measured: Mask = _MEASURED[self.outcomes]
        return measured

    def ended(self, *ways: Outcome) -> Mask:
        """Which calls ended in one of these ways."""
        found: Mask = np.isin(self.outcomes, [_OUTCOME_CODES[way] for way in ways])
        return found


def call_columns(results: Results) -> dict[str, CallColumns]:
    """The columns of each variant; calls of judges are left out."""
    places = {case.id: place for place, case in enumerate(results.cases)}
    growing = {variant.name: _Growing() for variant in results.variants}
    for key, result in results.calls.items():
        if not key.grader:
            growing[key.variant].add(places[key.case_id], key.repeat, result)
    return {variant: columns.whole() for variant, columns in growing.items()}


class _Growing:
    """Columns of one variant that calls are still added to."""

    def __init__(self) -> None:
        self._places = {name: array("q") for name in ("cases", "repeats", "requests", "models")}
        self._codes = {name: array("b") for name in ("outcomes", "sources", "batched")}
        measures = ("latency_ms", "first_token_ms", "usd", "cost_usd")
        tokens = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")
        self._numbers = {name: array("d") for name in (*measures, *tokens)}
        self._named: dict[str, int] = {}
        self._also: dict[int, tuple[str, ...]] = {}
        self._reused = _ReusedTally()

    def add(self, case: int, repeat: int, call: CallResult) -> None:
        """A call of the case at that place."""
        places, codes, numbers, model = self._places, self._codes, self._numbers, call.returned_model
        if call.also_returned:
            self._also[len(places["cases"])] = call.also_returned
        places["cases"].append(case)
        places["repeats"].append(repeat)
        places["requests"].append(call.requests)
        places["models"].append(-1 if model is None else self._named.setdefault(model, len(self._named)))
        codes["outcomes"].append(_OUTCOME_CODES[call.outcome])
        codes["sources"].append(_SOURCE_CODES[call.source])
        codes["batched"].append(call.batched)
        numbers["latency_ms"].append(_NAN if call.latency_ms is None else call.latency_ms)
        numbers["first_token_ms"].append(_NAN if call.first_token_ms is None else call.first_token_ms)
        numbers["usd"].append(_NAN if call.usd is None else call.usd)
        cost = call.cost_usd
        numbers["cost_usd"].append(_NAN if cost is None else cost)
        if call.reused is not None and call.outcome.measured:
            self._reused.add(call.reused)
        usage = call.usage
        numbers["input_tokens"].append(_NAN if usage is None else usage.input_tokens)
        numbers["cached_tokens"].append(_NAN if usage is None else usage.cached_tokens)
        numbers["output_tokens"].append(_NAN if usage is None else usage.output_tokens)
        numbers["reasoning_tokens"].append(_NAN if usage is None else usage.reasoning_tokens)

    def whole(self) -> CallColumns:
        """All that was added."""
        places = {name: np.frombuffer(column, dtype=np.int64) for name, column in self._places.items()}
        codes = {name: np.frombuffer(column, dtype=np.int8) for name, column in self._codes.items()}
        numbers = {name: np.frombuffer(column, dtype=np.float64) for name, column in self._numbers.items()}
        return CallColumns(
            cases=places["cases"],
            repeats=places["repeats"],
            outcomes=codes["outcomes"],
            sources=codes["sources"],
            requests=places["requests"],
            batched=codes["batched"].astype(np.bool_),
            models=places["models"],
            latency_ms=numbers["latency_ms"],
            first_token_ms=numbers["first_token_ms"],
            usd=numbers["usd"],
            cost_usd=numbers["cost_usd"],
            input_tokens=numbers["input_tokens"],
            cached_tokens=numbers["cached_tokens"],
            output_tokens=numbers["output_tokens"],
            reasoning_tokens=numbers["reasoning_tokens"],
            named=tuple(self._named),
            also=self._also,
            reused=self._reused.whole(),
        )


class _ReusedTally:
    """What is told of reused answers, counted while they are gone through."""

    def __init__(self) -> None:
        self._calls = self._requests = 0
        self._oldest = self._newest = ""
        self._usd: float | None = 0.0
        self._runs: set[str] = set()

    def add(self, reused: Reused) -> None:
        """One more of them."""
        self._oldest = min(self._oldest or reused.received_at, reused.received_at)
        self._newest = max(self._newest, reused.received_at)
        self._calls += 1
        self._requests += reused.requests
        self._usd = None if self._usd is None or reused.usd is None else self._usd + reused.usd
        self._runs.add(reused.run)

    def whole(self) -> ReusedAnswers | None:
        """All of them together, None where nothing was reused."""
        if not self._calls:
            return None
        runs = tuple(sorted(self._runs))
        return ReusedAnswers(self._calls, self._requests, self._oldest, self._newest, self._usd, runs)
