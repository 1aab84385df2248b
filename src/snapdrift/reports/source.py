"""Reads from a run file what a report needs of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from snapdrift.errors import StoreError
from snapdrift.model import Case, MetricSpec, Response, Score, Source
from snapdrift.references import Reference
from snapdrift.reports.asked import PromptView, read_prompt
from snapdrift.reports.data import PriceOf, Provenance, RunData
from snapdrift.reports.records import CaseRecord, Records, shared_verdicts
from snapdrift.reports.thumbnails import Album

if TYPE_CHECKING:
    from snapdrift.store.reader import StoredRun
    from snapdrift.store.report_rows import PackedRequest, ReportRows

T = TypeVar("T")
_AT_ONCE = 16
"""Cases that are read together: of many, the answers of a few fit into memory however long they are."""
_FEW, _SHORT = 2_000, 8_000_000
"""Cases, and characters of all that is stored of them, up to which a run is small."""


def run_data(
    stored: StoredRun,
    metrics: Sequence[MetricSpec],
    warnings: Sequence[str] = (),
    asked: Source = Source.OPENAI,
    price: PriceOf | None = None,
) -> RunData:
    """The run as reports read it; raises `StoreError` when nothing was concluded from it yet.

    `metrics` are those of the suite's graders, `warnings` sentences about its models: both are parsed from the stored
    suite and catalogue by the caller, so that reports know neither, and `price` says what they were reckoned at.
    `asked` is the source of variants without answers.
    """
    header, evaluation = stored.header, stored.evaluation
    if evaluation is None:
        raise StoreError(
            f"{stored.path}: nothing was concluded from this run yet; "
            f"`snapdrift resume {header.run_id}` goes on with it"
        )
    return RunData(
        run=Provenance(
            run_id=header.run_id,
            suite=header.suite,
            gate=header.gate,
            started_at=header.started_at,
            finished_at=stored.finished_at,
            attempt_started_at=stored.attempt_started_at,
            description=str(stored.suite.get("description") or ""),
            suite_path=str(stored.suite.get("path") or ""),
            seed=header.seed,
            attempt=header.attempt,
            suite_hash=header.suite_hash,
            dataset_hash=header.dataset_hash,
            versions={name: str(version) for name, version in header.versions.items()},
            git_commit=header.git_commit,
            git_dirty=bool(header.git_dirty),
            partial=header.partial,
        ),
        records=StoredRecords(stored),
        variants=header.variants,
        metrics=tuple(metrics),
        evaluation=evaluation,
        repeats=header.planned_repeats,
        warnings=tuple(warnings),
        asked=asked,
        spared=stored.spared_cases(),
        price=price,
        reference=Reference.from_stored(stored.suite.get("reference")),
    )


class StoredRecords(Records):
    """The records of a run file, which is opened for each reading and may be closed by who opened it meanwhile.

    Those of a small run are read once and kept. Pictures of local images are made once, for the cases that are read
    first.
    """

    def __init__(self, stored: StoredRun) -> None:
        from snapdrift.store.report_rows import report_rows

        self._path: Path = stored.path
        self._variants = tuple(variant.name for variant in stored.header.variants)
        self._names = {str(digest): str(path) for path, digest in (stored.suite.get("media") or {}).items()}
        self._album = Album()
        with report_rows(self._path) as rows:
            self._positions = rows.positions()
            small = len(self._positions) <= _FEW and rows.characters() <= _SHORT
        self._kept: dict[int, CaseRecord] | None = {} if small else None

    def __len__(self) -> int:
        """How many cases there are."""
        return len(self._positions)

    def dataset(self) -> Iterator[Case]:
        """The cases alone, in the dataset's order."""
        from snapdrift.store.report_rows import report_rows

        with report_rows(self._path) as rows:
            for positions in _groups(self._positions):
                yield from rows.cases(positions)

    def outcomes(self) -> Iterator[CaseRecord]:
        """Each case with how its calls ended and its scores, in the dataset's order."""
        from snapdrift.store.report_rows import report_rows

        with report_rows(self._path) as rows:
            for places in _groups(range(len(self._positions))):
                yield from self._group(rows, places) if self._kept is not None else self._outcomes(rows, places)

    def read(self, places: Sequence[int]) -> Iterator[CaseRecord]:
        """Everything of the cases at these places, in this order."""
        from snapdrift.store.report_rows import report_rows

        with report_rows(self._path) as rows:
            for group in _groups(places):
                records = self._group(rows, group)
                packed = rows.first_requests([record.case.id for record in records])
                for record in records:
                    yield replace(record, prompts=self._prompts(rows, record.case.id, packed))

    def _outcomes(self, rows: ReportRows, places: Sequence[int]) -> list[CaseRecord]:
        cases = rows.cases([self._positions[place] for place in places])
        ids = [case.id for case in cases]
        answers, scores = _by_case(rows.answers(ids)), _scores_by_case(rows.scores(ids))
        return [CaseRecord(case, tuple(answers[case.id]), tuple(scores[case.id])) for case in cases]

    def _group(self, rows: ReportRows, places: Sequence[int]) -> list[CaseRecord]:
        """The whole records of a few cases, without prompts."""
        if self._kept is not None and self._kept.keys() >= set(places):
            return [self._kept[place] for place in places]
        cases = rows.cases([self._positions[place] for place in places])
        ids = [case.id for case in cases]
        responses, scores = _by_case(rows.responses(ids)), _scores_by_case(rows.scores(ids))
        records = [_record(rows, case, responses[case.id], tuple(scores[case.id])) for case in cases]
        if self._kept is not None:
            self._kept |= zip(places, records, strict=True)
        return records

    def _prompts(
        self, rows: ReportRows, case_id: str, packed: Mapping[tuple[str, str], PackedRequest]
    ) -> Mapping[str, PromptView]:
        """What variants were asked. An application and a file of outputs are given the case: there is no prompt."""
        found = {name: rows.unpacked(packed[case_id, name]) for name in self._variants if (case_id, name) in packed}
        return {
            variant: read_prompt(request, self._names, self._album)
            for variant, request in found.items()
            if request.endpoint.over_http
        }


def _record(rows: ReportRows, case: Case, responses: Sequence[Response], scores: tuple[Score, ...]) -> CaseRecord:
    judged = [response for response in responses if response.call.grader]
    for answer in shared_verdicts(scores, case.id):
        judged += rows.replies_about(answer)
    answers = tuple(response for response in responses if not response.call.grader)
    return CaseRecord(case, answers, scores, tuple(judged))


def _groups(values: Sequence[T]) -> Iterator[Sequence[T]]:
    return (values[first : first + _AT_ONCE] for first in range(0, len(values), _AT_ONCE))


def _by_case(responses: Iterator[Response]) -> defaultdict[str, list[Response]]:
    found: defaultdict[str, list[Response]] = defaultdict(list)
    for response in responses:
        found[response.call.case_id].append(response)
    return found


def _scores_by_case(scores: Iterator[Score]) -> defaultdict[str, list[Score]]:
    found: defaultdict[str, list[Score]] = defaultdict(list)
    for score in scores:
        found[score.case_id].append(score)
    return found
