"""Samples as written in a suite or a gate, checked against the dataset."""

from __future__ import annotations

from collections.abc import Sequence

from snapdrift.model import Case
from snapdrift.suites.gate_entries import SampleEntry
from snapdrift.suites.loading import Loading
from snapdrift.suites.registry import Location
from snapdrift.suites.sampling import Sample, stratum_of
from snapdrift.suites.wording import quoted


def resolve_sample(
    written: SampleEntry | int, location: Location, cases: Sequence[Case], loading: Loading
) -> Sample | None:
    """A sample as written; None, with the mistake noted, when the dataset cannot give it."""
    if isinstance(written, int):
        return fitting_sample(Sample(written), location, cases, loading)
    sample = Sample(written.n, written.seed or 0, written.stratify)
    if sample.stratify is not None and cases:
        missing = [case.id for case in cases if not _has_stratum(case, sample.stratify)]
        if missing:
            found = f"no {sample.stratify} in {len(missing)} of {len(cases)} cases, first in {quoted(missing[0])}"
            loading.complain((*location, "stratify"), found, "expected a column that every case has")
            return None
    return fitting_sample(sample, (*location, "n"), cases, loading)


def _has_stratum(case: Case, path: str) -> bool:
    try:
        stratum_of(case, path)
    except KeyError:
        return False
    return True


def fitting_sample(sample: Sample, location: Location, cases: Sequence[Case], loading: Loading) -> Sample | None:
    """The sample; None, with the mistake noted, when the dataset is smaller."""
    if cases and sample.n > len(cases):
        loading.complain(location, f"a sample of {sample.n} cases", f"expected at most {len(cases)}, the whole dataset")
        return None
    return sample
