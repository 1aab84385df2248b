"""What `init` is told, and what it chooses where nobody says: models that still answer, and a judge that stays."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from snapdrift.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from snapdrift.openai_api.catalog import Catalog
    from snapdrift.openai_api.facts import ModelInfo

SNAPSHOTS = ("gpt-4o-2024-08-06", "gpt-4o-2024-11-20")
"""The snapshots of GPT-4o that are compared where nobody says which."""
JUDGE_STAYS_DAYS = 180
"""A judge that is shut down sooner than this would have to be replaced, and calibrated anew, while it is still new."""
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,199}")
_PINNED = re.compile(r"^ft:.+|.+-\d{4}-\d{2}-\d{2}$|.+-\d{4}$")


@dataclass(frozen=True, slots=True)
class Answers:
    """What a user says, at the prompt or by options; None and empty: they leave it to us.

    `models` are the one in use and the one to compare it with; `prices` are USD per million tokens (input, output).
    """

    models: tuple[str, ...] = ()
    judge: str | None = None
    kinds: tuple[str, ...] = ()
    github: bool | None = None
    prices: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judge:
    """The model that judges. `pinned`: its name stands for one model; `reasons`: it takes no temperature.

    `stays` is False where no model of the catalogue stays for long, and this one is only the last to go.
    """

    model: str
    pinned: bool
    reasons: bool
    stays: bool


@dataclass(frozen=True, slots=True)
class Models:
    """The two sides of the comparison. With one model for both the prompt is what differs."""

    current: str
    candidate: str

    @property
    def same(self) -> bool:
        """Whether two prompts are compared, and not two models."""
        return self.current == self.candidate


def chosen_models(names: Sequence[str], catalog: Catalog) -> Models:
    """The models to compare: those that are named (one or two), else two snapshots of GPT-4o that still answer.

    Of an alias alone the snapshot that it stands for is the other side, of a snapshot the other one of GPT-4o; any
    other model is compared with itself under another prompt. Raises `UsageError` for what cannot be a model's name.
    """
    for name in names:
        require_model(name)
    if len(names) > 2:
        raise UsageError(f"--model: found {len(names)} models; expected the one in use and the one to compare it with")
    if len(names) == 2:
        return Models(names[0], names[1])
    alive = [name for name in SNAPSHOTS if catalog.retires_within(name, 0) is None]
    if not names:
        return Models(alive[0], alive[1]) if len(alive) == 2 else Models(*[_successor(catalog)] * 2)
    name = names[0]
    if catalog.is_alias(name):
        return Models(catalog.resolve_alias(name), name)
    others = [other for other in alive if other != name] if name in SNAPSHOTS else []
    return Models(name, others[0] if others else name)


def chosen_judge(name: str | None, catalog: Catalog, models: Models) -> Judge:
    """The judge: the one that is named, else a model of the catalogue that stays for half a year at least.

    One whose price is known goes before one whose is not, a pinned one before an alias, one that is not itself judged
    before one that is. Where none stays, the last to go.
    """
    if name is not None:
        require_model(name)
        return _judge(name, catalog)
    able = [info for info in catalog.models() if _can_judge(info, catalog)]
    staying = [info for info in able if catalog.retires_within(info.name, JUDGE_STAYS_DAYS) is None]
    if not staying:
        latest = max(able, key=lambda info: str(info.shutdown), default=None)
        return _judge(latest.name if latest is not None else models.current, catalog)

    def rank(info: ModelInfo) -> tuple[bool, bool, bool]:
        judged = info.name in (models.current, models.candidate)
        return (info.price is None, not _PINNED.match(info.name), judged)

    return _judge(min(staying, key=rank).name, catalog)


def without_price(models: Models, judge: Judge | None, catalog: Catalog) -> tuple[str, ...]:
    """The models that a live run cannot bound the cost of, each once."""
    names = dict.fromkeys([models.current, models.candidate, *([judge.model] if judge else [])])
    return tuple(name for name in names if catalog.price(name) is None)


def parse_price(text: str, option: str) -> tuple[float, float]:
    """A price such as `1.25/10`: USD per million tokens of input and of output. Raises `UsageError`."""
    match = re.fullmatch(r"\s*(\d{1,6}(?:\.\d{1,6})?)\s*/\s*(\d{1,6}(?:\.\d{1,6})?)\s*", text)
    if match is None:
        raise UsageError(f"{option}: found {text!r}; expected USD per million tokens, INPUT/OUTPUT, such as 2.50/10")
    return float(match[1]), float(match[2])


def require_model(name: str) -> None:
    """Raises `UsageError` for what can be no model's name: it goes into YAML and TOML as it is."""
    if not _MODEL.fullmatch(name):
        raise UsageError(f"--model: found {name[:80]!r}; expected a model's id, such as gpt-4o-2024-11-20")


def _judge(name: str, catalog: Catalog) -> Judge:
    info = catalog.get(name)
    reasons = info is not None and info.can("reasoning") is True
    stays = catalog.retires_within(name, JUDGE_STAYS_DAYS) is None
    return Judge(name, pinned=bool(_PINNED.match(name)), reasons=reasons, stays=stays)


def _can_judge(info: ModelInfo, catalog: Catalog) -> bool:
    gone = catalog.retires_within(info.name, 0) is not None
    own = info.name.startswith("ft:") or info.base != info.name
    return not gone and not own and info.can("json_schema") is not False


def _successor(catalog: Catalog) -> str:
    """What OpenAI names as the replacement of the snapshots, once they are gone; else the last of them."""
    for name in reversed(SNAPSHOTS):
        info = catalog.get(name)
        if info is not None and info.replacement is not None:
            return info.replacement
    return SNAPSHOTS[-1]
