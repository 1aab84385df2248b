"""What a gate says, with what it extends laid under it, and what its names can refer to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snapdrift.model import Case, MetricSpec
from snapdrift.suites.gate_entries import GateEntry, MetricEntry
from snapdrift.suites.loading import Loading
from snapdrift.suites.registry import Location, ParsedGrader
from snapdrift.suites.sampling import Sample
from snapdrift.suites.wording import did_you_mean, listed, quoted


@dataclass(frozen=True, slots=True)
class Known:
    """What gates can name: variants, graders (also those that could not be read) and cases; and the suite's sample."""

    variants: Sequence[str]
    graders: Sequence[ParsedGrader]
    unread_graders: frozenset[str]
    cases: Sequence[Case]
    sample: Sample | None

    @property
    def metrics(self) -> dict[str, MetricSpec]:
        """What the graders measure, by name."""
        return {metric.name: metric for grader in self.graders for metric in grader.metrics}


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a gate with the place where it is written, which may be in a gate that it extends."""

    value: Any
    location: Location


def gate_keys(name: str, places: Mapping[str, tuple[Location, GateEntry]], loading: Loading) -> dict[str, Key]:
    """The keys of a gate over those of what it extends; only `metrics` merges, metric by metric and key by key."""
    chain = [name]
    while (below := places[chain[-1]][1].extends) is not None:
        location = (*places[chain[-1]][0], "extends")
        if below not in places:
            expected = did_you_mean(below, places, f"expected one of {listed(places)}")
            loading.complain(location, f"no gate {quoted(below)}", expected)
            break
        if below in chain:
            loading.complain(location, f"a circle: {' extends '.join([*chain, below])}", "expected a chain that ends")
            break
        chain.append(below)
    made: dict[str, Key] = {}
    for link in reversed(chain):
        place, gate = places[link]
        written = gate.written()
        if "compare" in written:
            made.pop("baseline", None)
            made.pop("candidates", None)
        elif "baseline" in written or "candidates" in written:
            made.pop("compare", None)
        for key, value in written.items():
            if key == "metrics":
                _lay_metrics(made, value, (*place, key))
            else:
                made[key] = Key(value, (*place, key))
    return made


def _lay_metrics(made: dict[str, Key], metrics: Mapping[str, MetricEntry], location: Location) -> None:
    below: dict[str, dict[str, Key]] = made["metrics"].value if "metrics" in made else {}
    merged = {name: dict(keys) for name, keys in below.items()}
    for name, metric in metrics.items():
        keys = merged.setdefault(name, {})
        keys[""] = Key(None, (*location, name))
        for key in metric.model_fields_set:
            if getattr(metric, key) is not None:
                keys[key] = Key(getattr(metric, key), (*location, name, key))
    made["metrics"] = Key(merged, location)
