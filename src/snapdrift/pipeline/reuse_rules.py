"""The rules of the cache across runs: whose answers may serve later ones, and whether a run may take any."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from snapdrift.model import Gate, Variant, sha256
from snapdrift.pipeline.options import RunOptions
from snapdrift.pipeline.targets import Target
from snapdrift.store.cache_answers import STANDIN, Pinned, Reusable

if TYPE_CHECKING:
    from snapdrift.graders.base import Grader
    from snapdrift.openai_api.catalog import Catalog
    from snapdrift.suites.config import Config

CACHE = "cache"
"""The name in a run file's `meta` by which a run that began without the cache goes on without it."""
NEVER = "never"
TIMED = ("latency_p95", "first_token_p95")
"""Measures that are taken on answers of the run itself."""
_TIMED_FAMILIES = ("latency", "first_token")
_OWN_TOOLS = ("function", "custom")
_OF_OTHER_STATE = ("previous_response_id", "conversation", "prompt")


@dataclass(frozen=True, slots=True)
class Rules:
    """What the rules need to know of a suite and of where it is asked."""

    suite: str
    target: Target
    catalog: Catalog
    config: Config

    def pinned(self, variant: Variant) -> Pinned | str:
        """Where a variant's answers come from, if that is one model for good; else why they serve no later run."""
        if not variant.endpoint.over_http:
            return (
                f"`{variant.endpoint.value}` asks no model: an application is more than its file, a file is read again"
            )
        more = _depends_on_more(variant.request)
        if more:
            return more
        target = self.target
        if target.standin is not None:
            unsure = self._unsure(variant)
            place = sha256([target.standin, self.suite, variant.name])[:32]
            return unsure or Pinned(f"{STANDIN}:{place}", made_up=True)
        if not target.is_live(variant):
            return "a stand-in answers that this command did not start: it may be another one at the same address"
        vouched = variant.model in self._vouched
        return self._unsure(variant) or Pinned(target.place(variant), vouched=vouched)

    @property
    def _vouched(self) -> list[str]:
        return self.config.cache_table.pinned

    def _unsure(self, variant: Variant) -> str:
        """Why another model may answer to a name tomorrow; empty where it may not."""
        model = variant.model
        if model in self._vouched:
            return ""
        vouch = "name it under [cache] pinned in snapdrift.toml if it always stands for one model"
        if self.catalog.is_alias(model):
            return f"{model} is an alias, and aliases move: an answer of another run may be of another model"
        if model in self.config.deployments or self.target.host(variant).is_azure:
            return f"{model} is a deployment, which can be pointed at another model; {vouch}"
        if not self.catalog.is_snapshot(model):
            return (
                f"{model} is not known to be a snapshot (a dated name of the catalogue, or a fine-tune of one); {vouch}"
            )
        return ""

    def reusable(self, variants: Iterable[Variant], judges: Mapping[str, Iterable[Variant]]) -> Reusable:
        """Whose answers may serve later runs, of the variants and of the judges by the grader's name."""
        answers = {variant.name: found for variant in variants if isinstance(found := self.pinned(variant), Pinned)}
        of_judges: dict[str, dict[str, Pinned]] = {}
        for grader, asked in judges.items():
            for judge in asked:
                found = self.pinned(judge)
                if isinstance(found, Pinned):
                    of_judges.setdefault(grader, {})[judge.model] = found
        return Reusable(answers, of_judges)


def refusal(options: RunOptions, gate: Gate, config: Config, *, began_without: bool = False) -> str:
    """Why a run takes no answers of other runs at all; empty where it may."""
    if not options.cache:
        return "--no-cache asks everything anew"
    if options.fresh:
        return "--fresh asks everything anew"
    if gate.fresh:
        return f"the gate {gate.name} says `cache: never`"
    if config.cache == NEVER:
        return 'snapdrift.toml says `cache = "never"`'
    return "the run began without the cache" if began_without else ""


def timed_refusal(variant: Variant, gate: Gate, graders: Iterable[Grader]) -> str:
    """Why a variant is asked although an answer is there: its times are to be measured; empty where they are not."""
    grading = [grader.name for grader in graders if _grades_time(grader)]
    if grading:
        return f"{', '.join(grading)} grades latency, which is measured on answers of the run itself"
    limited = [one.metric for one in gate.metrics if one.metric in TIMED and one.max_increase is not None]
    if not limited or not any(variant.name in (pair.baseline, pair.candidate) for pair in gate.pairs):
        return ""
    return f"the gate {gate.name} limits {', '.join(limited)}, which is measured on answers of the run itself"


def _grades_time(grader: Grader) -> bool:
    parts: Mapping[object, Grader] = getattr(grader, "parts", {})  # of those that are made of others
    return grader.family in _TIMED_FAMILIES or any(map(_grades_time, parts.values()))


def _depends_on_more(request: Mapping[str, Any]) -> str:
    """Why an answer depends on more than the body of its request; empty where it does not."""
    for name in _OF_OTHER_STATE:
        if request.get(name):
            return f"`{name}` makes the answer depend on what the provider keeps, not only on the request"
    tools = request.get("tools") or ()
    run_there = [
        str(tool.get("type")) for tool in tools if isinstance(tool, Mapping) and tool.get("type") not in _OWN_TOOLS
    ]
    return f"the tool {run_there[0]} is carried out by the provider: its results change" if run_there else ""
