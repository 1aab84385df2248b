"""Named ways to answer. A behaviour is a profile of flaws with rates; the table below is data.

Nothing here was measured: the rates are chosen so that snapshots differ in the ways in which snapshots do differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from snapdrift.errors import ConfigError

Rate = Annotated[float, Field(ge=0.0, le=1.0)]


class Flaw(BaseModel):
    """How often something goes wrong: `rate` of the cases, or of those with one of the tags of the answer key.

    `field` names the field of the answer that is hit (top level); without it one is drawn for each case.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rate: Rate
    only_tags: tuple[str, ...] = ()
    field: str | None = None

    def applies(self, tags: frozenset[str]) -> bool:
        """Whether a case with these tags can be hit."""
        return not self.only_tags or not tags.isdisjoint(self.only_tags)


def _as_flaws(value: Any) -> Any:
    entries = value if isinstance(value, list | tuple) else [value]
    return tuple({"rate": entry} if isinstance(entry, int | float) else entry for entry in entries)


Flaws = Annotated[tuple[Flaw, ...], BeforeValidator(_as_flaws)]
"""A rate (`0.1`), a table (`{rate = 0.5, only_tags = ["long"]}`), or a list: the highest that applies counts."""


class Behaviour(BaseModel):
    """How a simulated model answers.

    - `extends`: another behaviour, whose settings hold where this one names none.
    - `answers`: whether the answer key is used (else anything well-formed is answered).
    - `template`: how a scalar or an object is said in plain text, `The answer is {expected}.` or `{expected.queue}`.
      What is expected stands in the answer key; a case that is not in it gets only a template without that.
    - `wrong`: answers another plausible value. `wrong_share_common` is the share of cases whose difficulty is common to
      all models: there two behaviours are wrong on the same cases, so pairs are positively correlated.
    - `flaky`: share of cases that are right or wrong by a coin toss in each repeat.
    - `fence`, `prose`: a code fence, or prose, around JSON. `drop_field`: a field is missing. `verbose`: says more.
      None of them breaks what the API guarantees: a strict schema holds, and `json_object` is JSON.
    - `refuse`: the API's refusal. `filter`: cut by the content filter. `truncate`: stops in the middle, incomplete.
    - `tool_argument`: calls the right function with a wrong argument (`field` names it). `tool_missing`: leaves a call
      out. `tool_invented`: calls a function that was not offered. `tool_not_json`: arguments that are broken JSON.
      `tool_as_text`: writes the call instead of making it. `tool_endless`: goes on calling. `tool_preamble`: says
      something before it calls. Names and JSON of strict functions cannot be got wrong.
    - `judge_fails`, `judge_fails_poor`: how often a judge's verdict is "fail", for an answer that looks fine and for
      one that looks short or refusing. `judge_flips`: how often one of several votes is turned round.
      one that looks short or refusing.
    - `judge_first`: how often a judge of two answers says "first" whatever they say. `judge_prefers`: how often else it
      prefers the longer of two that look fine; the others are ties.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str = ""
    extends: str | None = None
    answers: bool = True
    template: str | None = None
    compact: bool = False
    wrong: Flaws = ()
    wrong_share_common: Rate = 0.7
    flaky: Flaws = ()
    fence: Flaws = ()
    prose: Flaws = ()
    drop_field: Flaws = ()
    verbose: Flaws = ()
    refuse: Flaws = ()
    filter: Flaws = ()
    truncate: Flaws = ()
    tool_argument: Flaws = ()
    tool_missing: Flaws = ()
    tool_invented: Flaws = ()
    tool_not_json: Flaws = ()
    tool_as_text: Flaws = ()
    tool_endless: Flaws = ()
    tool_preamble: Flaws = ()
    judge_fails: Rate = 0.1
    judge_fails_poor: Rate = 0.7
    judge_flips: Rate = 0.05
    judge_first: Rate = 0.1
    judge_prefers: Rate = 0.5


BUILT_IN: Mapping[str, Behaviour] = {
    name: Behaviour.model_validate(settings)
    for name, settings in {
        "plausible": {"description": "anything well-formed; knows no right answers", "answers": False},
        "exact": {"description": "the answer key, word for word"},
        "august": {"description": "mostly right, clean JSON", "wrong": 0.04, "wrong_share_common": 0.8},
        "november": {
            "description": "as right as august, often in a code fence, and says more",
            "wrong": 0.04,
            "wrong_share_common": 0.8,
            "fence": 0.4,
            "verbose": 0.5,
        },
        "terse": {"description": "as right as august, as short as can be", "extends": "august", "compact": True},
        "careful": {"description": "wrong less often than august", "wrong": 0.01, "wrong_share_common": 0.8},
        "sloppy": {"description": "wrong more often than august", "wrong": 0.15, "wrong_share_common": 0.6},
        "drops_field": {"description": "leaves a field out now and then", "extends": "august", "drop_field": 0.1},
        "refuses": {"description": "refuses now and then", "extends": "august", "refuse": 0.08},
        "truncates": {"description": "stops in the middle now and then", "extends": "august", "truncate": 0.08},
        "chatty": {"description": "prose around its JSON", "extends": "august", "prose": 0.3, "verbose": 0.7},
        "flaky": {"description": "some cases differ between repeats", "extends": "august", "flaky": 0.2},
        "clumsy": {
            "description": "errs with functions: wrong arguments, missing and invented calls, broken JSON",
            "extends": "august",
            "tool_argument": 0.08,
            "tool_missing": 0.05,
            "tool_invented": 0.03,
            "tool_not_json": 0.03,
            "tool_as_text": 0.03,
        },
        "endless": {"description": "goes on calling functions", "extends": "august", "tool_endless": 1.0},
        "judge": {"description": "grades quoted answers by a simple rule", "answers": False},
    }.items()
}


def resolve_behaviours(custom: Mapping[str, Behaviour]) -> dict[str, Behaviour]:
    """Built-in and custom behaviours by name, `extends` applied. A custom one may replace a built-in.

    Raises `ConfigError` where `extends` names nothing or leads back to itself.
    """
    known = {**BUILT_IN, **custom}
    return {name: _resolve(name, known, ()) for name in known}


def _resolve(name: str, known: Mapping[str, Behaviour], seen: tuple[str, ...]) -> Behaviour:
    if name in seen:
        raise ConfigError(f"standin.behaviours.{seen[0]}: extends leads in a circle, {' -> '.join([*seen, name])}")
    if name not in known:
        raise ConfigError(f"standin.behaviours.{seen[-1]}.extends: found {name!r}; expected one of {_names(known)}")
    behaviour = known[name]
    if behaviour.extends is None:
        return behaviour
    if behaviour.extends == name and name in BUILT_IN:  # a custom one that refines the built-in of its name
        base = _resolve(name, BUILT_IN, ())
    else:
        base = _resolve(behaviour.extends, known, (*seen, name))
    own = {field: getattr(behaviour, field) for field in behaviour.model_fields_set}
    return base.model_copy(update={**own, "extends": None})


def unknown_behaviour(where: str, name: str, known: Mapping[str, Behaviour]) -> ConfigError:
    """The error for a behaviour that nobody defined."""
    return ConfigError(f"{where}: found behaviour {name!r}; expected one of {_names(known)}")


def _names(known: Mapping[str, Behaviour]) -> str:
    return ", ".join(sorted(known))
