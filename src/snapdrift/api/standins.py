"""The stand-in for one's own code: a server on loopback that speaks the OpenAI protocol while it is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from snapdrift.api.settings import Files

KEY = "standin"
"""The key that the stand-in is asked with; it looks at none."""


@dataclass(frozen=True, slots=True)
class Standin:
    """A running stand-in. What it answers is simulated (or recorded) and measures no model; `label` says so."""

    base_url: str
    label: str = "simulated"
    api_key: str = KEY

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables by which OpenAI's SDK, and most that is built on it, asks the stand-in."""
        return {"OPENAI_BASE_URL": self.base_url, "OPENAI_API_KEY": self.api_key}

    def __str__(self) -> str:
        """The base URL, with `/v1`."""
        return self.base_url


@contextmanager
def start_standin(
    *,
    behaviour: str | None = None,
    recordings: Files = (),
    answers: Files = (),
    faults: str | None = None,
    seed: int = 0,
) -> Iterator[Standin]:
    """A context in which a stand-in runs: simulated answers of a behaviour, or recorded ones from files.

    `answers` are datasets whose expected values a behaviour answers with, `faults` those of `--faults`, `seed` is what
    simulated answers are drawn from. Raises `ConfigError`.
    """
    from snapdrift.standin.config import StandinConfig
    from snapdrift.standin.launch import StandinProcess

    recorded, keys = (_paths(files) for files in (recordings, answers))
    profile = {"recordings": recorded, "answers": keys, "behaviour": behaviour}
    config = StandinConfig.checked({"profiles": [profile], "faults": faults or "", "seed": seed})
    with StandinProcess(config) as process:
        yield Standin(process.base_url, "recorded" if recorded else "simulated")


def _paths(files: Files) -> tuple[Path, ...]:
    several = (files,) if isinstance(files, str | Path) else tuple(files)
    return tuple(Path(path).resolve() for path in several)
