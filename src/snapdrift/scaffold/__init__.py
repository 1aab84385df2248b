"""The bundled workspace: the repository's own suites, which the wheel carries too."""

from __future__ import annotations

from pathlib import Path

from snapdrift.errors import ConfigError


def bundled_workspace() -> Path:
    """The folder with the bundled `evals/`, `datasets/` and `graders/`.

    In a wheel that is package data; in an editable installation it is the repository itself.
    """
    packaged = Path(__file__).parent / "workspace"
    repository = Path(__file__).parents[3]
    for root in (packaged, repository):
        if (root / "evals").is_dir() and (root / "snapdrift.toml").is_file():
            return root
    raise ConfigError("the bundled suites are missing from this installation; reinstall snapdrift")
