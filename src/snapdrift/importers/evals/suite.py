"""`import openai-evals`: which of the two kinds a file is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from snapdrift.importers.made import Made


@dataclass(frozen=True, slots=True)
class EvalsRequest:
    """What is imported, and what the file itself may not say: models, a judge, the file with the items."""

    file: Path
    workspace_root: Path | None
    judge: str
    models: tuple[str, ...]
    name: str | None = None
    evals: tuple[str, ...] = ()
    data: Path | None = None


def import_evals(request: EvalsRequest) -> Made:
    """The suites of a registry file (`.yaml`) or of an export of the hosted API (`.json`, `.jsonl`)."""
    if request.file.suffix.lower() in (".yaml", ".yml"):
        from snapdrift.importers.evals.registry import import_registry

        return import_registry(request)
    from snapdrift.importers.evals.hosted import import_hosted

    return import_hosted(request)
