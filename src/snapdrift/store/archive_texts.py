"""The texts of an archive that are printed: an archive may be anybody's, and what it says ends up in logs."""

from __future__ import annotations

from datetime import datetime

from snapdrift.store.archive_records import ArchiveHeader

MAX_CASES = 200_000
MAX_TEXT = 1_000
"""Characters of a text; ids and names are shorter where they are made."""
MAX_LISTED = 1_000
"""Graders, models or reasons that a header lists."""


def misleading_in(header: ArchiveHeader) -> str:
    """What of a header would add lines of its own where commands and reports print it; empty where nothing does."""
    counted = (header.models, header.sources, header.versions, header.graders, header.left_out, header.forced)
    if any(len(found) > MAX_LISTED for found in counted) or len(header.media) > MAX_CASES:
        return f"it lists more than {MAX_LISTED:,} models, graders or reasons"
    graders = (word for g in header.graders for word in (g.name, g.version, *g.metrics, *g.judges))
    texts = (header.suite, header.run, header.gate, header.prompt_hash, header.suite_hash, header.dataset_hash)
    said = (header.variant.model, header.variant.host, header.git_commit, header.why, header.by)
    listed = (*header.models, *header.versions, *header.versions.values(), *header.left_out, *header.forced)
    for text in (*texts, *said, *listed, *graders):
        if text is not None and not is_plain(text):
            return f"it says {text[:60]!r}, which is no text of one line"
    for text in (header.started_at, header.finished_at, header.first_at, header.last_at):
        if text and not _is_time(text):
            return f"it says {text[:60]!r} as a time"
    return ""


def is_plain(text: str) -> bool:
    """Whether a text, such as the id of a case, is on one line, printable and of a length that somebody reads."""
    return len(text) <= MAX_TEXT and text.isprintable()


def _is_time(text: str) -> bool:
    try:
        return len(text) <= 40 and datetime.fromisoformat(text) is not None
    except ValueError:
        return False
