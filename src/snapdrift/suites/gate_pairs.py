"""Which variants a gate compares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from snapdrift.model import OUTSIDE, OutsideBaseline, Pair, Severity
from snapdrift.references import baseline_name, is_ref
from snapdrift.suites.gate_entries import Baseline, PairEntry
from snapdrift.suites.gate_keys import Key, Known
from snapdrift.suites.loading import Loading
from snapdrift.suites.registry import Location
from snapdrift.suites.wording import did_you_mean, listed, quoted


class Pairing:
    """Reads `baseline` with `candidates`, or `compare`."""

    def __init__(self, keys: Mapping[str, Key], known: Known, loading: Loading) -> None:
        self._keys = keys
        self._known = known
        self._loading = loading

    @property
    def compares(self) -> bool:
        """Whether the gate means to compare, be it with mistakes."""
        return "compare" in self._keys or "baseline" in self._keys

    @property
    def ref(self) -> str | None:
        """The git tree that the baselines are from, None where they are not from one."""
        baseline = self._keys.get("baseline")
        return None if baseline is None or "compare" in self._keys else baseline.value.ref

    def outside(self) -> OutsideBaseline | None:
        """The baseline that is kept answers, or is to fall back on some; None where the gate names neither."""
        key = self._keys.get("baseline")
        if key is None:
            return None
        form: Baseline = key.value
        fallback = None if form.fallback is None else form.fallback.archive
        if form.run is None and form.archive is None and fallback is None:
            return None
        kind = "run" if form.run is not None else "archive" if form.archive is not None else "fallback"
        place = self._loading.document.problem((*key.location, kind), "", "")
        at = f"{place.file}:{place.line}:{place.column}: {place.path}"
        return OutsideBaseline(form.run, form.archive, form.of, fallback, at)

    def pairs(self) -> tuple[Pair, ...]:
        """The comparisons, each once; mistakes are noted."""
        return tuple(dict.fromkeys(self._pairs()))

    def _pairs(self) -> Iterator[Pair]:
        compare, baseline, candidates = (self._keys.get(key) for key in ("compare", "baseline", "candidates"))
        if compare is not None:
            if baseline is not None or candidates is not None:
                self._loading.complain(
                    compare.location, "compare beside baseline or candidates", "expected one way to pair"
                )
            yield from self._listed_pairs(compare)
        elif baseline is not None:
            yield from self._baseline_pairs(baseline, candidates)
        elif candidates is not None:
            self._loading.complain(
                candidates.location, "candidates without a baseline", "expected baseline: {variant: ...}"
            )

    def _listed_pairs(self, compare: Key) -> Iterator[Pair]:
        pairs: list[PairEntry] = compare.value
        for index, pair in enumerate(pairs):
            place = (*compare.location, index)
            known = self._is_variant(pair.from_, (*place, "from")) & self._is_variant(pair.to, (*place, "to"))
            if known and pair.from_ == pair.to:
                self._loading.complain((*place, "to"), f"{quoted(pair.to)} against itself", "expected two variants")
            elif known:
                yield Pair(pair.from_, pair.to, Severity(pair.severity or "fail"))

    def _baseline_pairs(self, baseline: Key, candidates: Key | None) -> Iterator[Pair]:
        form: Baseline = baseline.value
        if form.ref is not None:
            yield from self._tree_pairs(form.ref, baseline, candidates)
            return
        name_of_it = OUTSIDE if form.variant is None else form.variant
        if form.variant is not None and not self._is_variant(form.variant, (*baseline.location, "variant")):
            return
        if candidates is None:
            others = [name for name in self._known.variants if name != form.variant]
            if not others:
                self._loading.complain(baseline.location, "a baseline and nothing else", "expected a second variant")
            yield from (Pair(name_of_it, name) for name in others)
            return
        if not candidates.value:
            self._loading.complain(
                candidates.location, "no candidates", "expected at least one, or no such key for all"
            )
        for index, name in enumerate(candidates.value):
            place = (*candidates.location, index)
            if name == form.variant:
                self._loading.complain(place, f"the baseline {quoted(name)} as a candidate", "expected another variant")
            elif name in candidates.value[:index]:
                self._loading.complain(place, f"{quoted(name)} again", "expected each candidate once")
            elif self._is_variant(name, place):
                yield Pair(name_of_it, name)

    def _tree_pairs(self, ref: str, baseline: Key, candidates: Key | None) -> Iterator[Pair]:
        """Each candidate against what it was in a git tree, which is read only when the gate is used."""
        if not is_ref(ref):
            expected = "expected merge-base, or a branch, a tag or a commit"
            self._loading.complain((*baseline.location, "ref"), quoted(ref), expected)
            return
        if candidates is None:
            yield from (Pair(baseline_name(name, ref), name) for name in self._known.variants)
            return
        if not candidates.value:
            expected = "expected at least one, or no such key for all"
            self._loading.complain(candidates.location, "no candidates", expected)
        for index, name in enumerate(candidates.value):
            place = (*candidates.location, index)
            if name in candidates.value[:index]:
                self._loading.complain(place, f"{quoted(name)} again", "expected each candidate once")
            elif self._is_variant(name, place):
                yield Pair(baseline_name(name, ref), name)

    def _is_variant(self, name: str, location: Location) -> bool:
        if name in self._known.variants:
            return True
        if not self._known.variants:
            return False  # that there are none is told where they would be
        expected = did_you_mean(name, self._known.variants, f"expected one of {listed(self._known.variants)}")
        self._loading.complain(location, f"no variant {quoted(name)}", expected)
        return False
