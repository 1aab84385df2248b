"""What a gate asks of each metric: margins, floors and limits."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping

from snapdrift.model import MetricGate, MetricSpec, ScoreKind, Severity
from snapdrift.suites.gate_keys import Key, Known
from snapdrift.suites.loading import Loading
from snapdrift.suites.wording import did_you_mean, listed, quoted

OPERATIONAL = ("cost", "latency_p95", "first_token_p95", "output_tokens")
"""Measures that every run has without a grader; for these more is worse."""
_OF_SCALE = re.compile(r"\s*(-?[0-9]*\.?[0-9]+)\s+of\s+([0-9]*\.?[0-9]+)\s*")


class MetricGates:
    """Reads `metrics`. `compares` says whether the gate has comparisons that a margin could be for."""

    def __init__(self, known: Known, loading: Loading, *, compares: bool) -> None:
        self._known = known
        self._loading = loading
        self._compares = compares

    def resolve(self, entries: Mapping[str, Mapping[str, Key]]) -> tuple[MetricGate, ...]:
        """What is asked of each metric; mistakes are noted."""
        return tuple(gate for name, keys in entries.items() for gate in self._metric(name, keys))

    def _metric(self, name: str, keys: Mapping[str, Key]) -> Iterator[MetricGate]:
        known = self._known.metrics
        if name in OPERATIONAL:
            yield from self._operational(name, keys)
        elif name in known:
            yield from self._graded(known[name], keys)
        elif name.split(".")[0] in self._known.unread_graders:
            if not any(isinstance(key.value, str) for key in (keys.get("margin"), keys.get("at_least")) if key):
                yield from self._graded(MetricSpec(name, name.split(".")[0], ScoreKind.GRADED), keys)
        else:
            every = [*known, *sorted(self._known.unread_graders), *OPERATIONAL]
            expected = did_you_mean(name, every, f"expected one of {listed(every, 40)}")
            self._loading.complain(keys[""].location, f"no metric {quoted(name)}", expected, key=True)

    def _operational(self, name: str, keys: Mapping[str, Key]) -> Iterator[MetricGate]:
        for wrong in ("margin", "at_least", "on"):
            if wrong in keys:
                expected = "expected max_increase: more is worse here"
                self._loading.complain(keys[wrong].location, f"{wrong} for {name}", expected)
        if "max_increase" not in keys:
            self._loading.complain(keys[""].location, "nothing asked of the metric", "expected max_increase")
            return
        if not self._compares:
            self._needs_comparison(keys["max_increase"], "max_increase")
        yield MetricGate(name, max_increase=keys["max_increase"].value, severity=_severity(keys))

    def _graded(self, spec: MetricSpec, keys: Mapping[str, Key]) -> Iterator[MetricGate]:
        if not spec.higher_is_better:
            self._refuse_of_less(spec, keys)
        if "max_increase" in keys:
            expected = f"expected margin or at_least; max_increase is for {listed(OPERATIONAL)}"
            self._loading.complain(keys["max_increase"].location, f"max_increase for {quoted(spec.name)}", expected)
        elif "margin" not in keys and "at_least" not in keys:
            self._loading.complain(keys[""].location, "nothing asked of the metric", "expected margin or at_least")
        margin = self._margin(keys["margin"], spec) if "margin" in keys else None
        if margin is not None and not self._compares:
            self._needs_comparison(keys["margin"], "margin")
        at_least = self._level(keys["at_least"], spec) if "at_least" in keys else None
        if spec.pairwise:
            self._preference(keys)
        on = keys["on"].value if "on" in keys else None
        yield MetricGate(spec.name, margin=margin, at_least=at_least, severity=_severity(keys), on=on)

    def _refuse_of_less(self, spec: MetricSpec, keys: Mapping[str, Key]) -> None:
        """A floor, or passes instead of values, would ask for more of what less is better of."""
        if "at_least" in keys:
            found = f"at_least for {quoted(spec.name)}"
            self._loading.complain(keys["at_least"].location, found, "expected margin: less of it is better")
        if "on" in keys and keys["on"].value == "passed":
            found = f"on: passed for {quoted(spec.name)}"
            self._loading.complain(keys["on"].location, found, "expected on: value, as less of it is better")

    def _preference(self, keys: Mapping[str, Key]) -> None:
        """A preference is one over a baseline, and nothing that passes or fails."""
        if "at_least" in keys and not self._compares:
            self._needs_comparison(keys["at_least"], "at_least of a pairwise metric")
        if "on" in keys and keys["on"].value == "passed":
            expected = "expected it left out: a preference is compared by its value"
            self._loading.complain(keys["on"].location, '"passed"', expected)

    def _needs_comparison(self, key: Key, name: str) -> None:
        self._loading.complain(
            key.location, f"{name} in a gate that compares nothing", "expected a baseline, or compare"
        )

    def _margin(self, key: Key, spec: MetricSpec) -> float | None:
        """A difference in score units: above 0, at most 1."""
        share = self._share(key, spec, lambda amount: amount / spec.reach)
        if share is not None and not 0 < share <= 1:
            hint = f"; {share:g} points are {share / 100:g}" if 1 < share <= 100 else ""
            self._loading.complain(key.location, quoted(key.value), f"expected a margin above 0 and at most 1{hint}")
            return None
        return share

    def _level(self, key: Key, spec: MetricSpec) -> float | None:
        """A place on the scale, in score units: from 0 to 1. A plain number is that, or a preference from -1 to 1."""
        low, high = spec.scale
        share = self._share(key, spec, lambda amount: (amount - low) / (high - low))
        if share is not None and spec.pairwise and not isinstance(key.value, str):
            share = (share - low) / (high - low)
        if share is not None and not 0 <= share <= 1:
            found = "a preference from -1 to 1" if spec.pairwise else "a share from 0 to 1"
            self._loading.complain(key.location, quoted(key.value), f"expected {found}")
            return None
        return share

    def _share(self, key: Key, spec: MetricSpec, from_scale: Callable[[float], float]) -> float | None:
        if not isinstance(key.value, str):
            return float(key.value)
        match = _OF_SCALE.fullmatch(key.value)
        low, high = spec.scale
        if match is None:
            self._loading.complain(key.location, quoted(key.value), 'expected a share such as 0.03, or "0.2 of 5"')
        elif not math.isclose(float(match[2]), high):
            scale = f"{quoted(spec.name)} is measured from {low:g} to {high:g}"
            self._loading.complain(key.location, quoted(key.value), f'expected "... of {high:g}": {scale}')
        else:
            return from_scale(float(match[1]))
        return None


def _severity(keys: Mapping[str, Key]) -> Severity:
    return Severity(keys["severity"].value or "fail") if "severity" in keys else Severity.FAIL
