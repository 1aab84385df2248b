"""The key `privacy` of a suite: its form, and its names against the columns of the dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from snapdrift.model import Case
from snapdrift.privacy import ALWAYS_SHOWN, ANSWER, EXPECTED, IDS, PARTS, PROMPT, Privacy, columns_of
from snapdrift.suites.shapes import Entry
from snapdrift.suites.wording import did_you_mean, listed, quoted

if TYPE_CHECKING:
    from snapdrift.suites.loading import Loading


class PrivacyEntry(Entry):
    """What reports and exported run files leave out."""

    redact: list[str] | None = None
    """Columns of the dataset by name, and the parts `answer` (all that a model wrote and what tools gave back),
    `expected` and `prompt`."""
    keep: list[str] | None = None
    """The columns that are shown: with it every other column is redacted, also one that is added later."""
    comment: Literal["ids", "text"] | None = None
    """What comments and JUnit hold of a case: ids and reason codes (default), or texts too, as far as they are kept."""


def resolve_privacy(entry: PrivacyEntry | None, cases: Sequence[Case], loading: Loading) -> Privacy:
    """The rules, with every name that means nothing noted; without cases (the dataset has mistakes) nothing is."""
    if entry is None:
        return Privacy()
    redact, keep = entry.redact or [], entry.keep or []
    if cases:
        columns = columns_of(cases)
        for index, name in enumerate(redact):
            _tell(loading, "redact", index, _wrong_redact(name, columns))
        for index, name in enumerate(keep):
            _tell(loading, "keep", index, _wrong_keep(name, columns))
    for index, name in enumerate(keep):
        if name in redact:
            _tell(loading, "keep", index, (f"{quoted(name)}, which `redact` names too", "expected it in one of them"))
    kept = None if entry.keep is None else tuple(keep)
    return Privacy(tuple(dict.fromkeys(redact)), kept, entry.comment or IDS)


def wrong_name(name: str, columns: Sequence[str]) -> str | None:
    """What is wrong with a name to redact, in one sentence; None where it is a part or a column."""
    told = _wrong_redact(name, columns)
    return None if told is None else "found {}; {}".format(*told)


def _tell(loading: Loading, key: str, index: int, told: tuple[str, str] | None) -> None:
    if told is not None:
        loading.complain(("privacy", key, index), *told)


def _wrong_redact(name: str, columns: Sequence[str]) -> tuple[str, str] | None:
    if name in ALWAYS_SHOWN:
        mend = "expected no personal data in it: cases are named, filtered and paired by ids, tags and clusters"
        return f"{quoted(name)}, which every report shows", mend
    if name in (ANSWER, PROMPT) and name in columns:
        mend = f"expected one of the two to be meant: give the column another name, as `{name}_text`, and name that"
        return f"{quoted(name)}, which is a part of every report and a column of the dataset", mend
    if name in PARTS or name in columns:
        return None
    return _unknown(name, (*PARTS, *columns))


def _wrong_keep(name: str, columns: Sequence[str]) -> tuple[str, str] | None:
    if name in columns or name == EXPECTED:
        return None
    if name in PARTS:
        return (
            f"{quoted(name)}, which is no column of the dataset",
            "leave it out: it is shown unless `redact` names it",
        )
    if name in ALWAYS_SHOWN:
        return f"{quoted(name)}, which every report shows", "leave it out"
    return _unknown(name, (EXPECTED, *columns))


def _unknown(name: str, known: Sequence[str]) -> tuple[str, str]:
    return f"{quoted(name)}, which is no column of the dataset", did_you_mean(
        name, known, f"expected one of {listed(known)}"
    )
