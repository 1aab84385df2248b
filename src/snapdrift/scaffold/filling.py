"""What `init` writes, as values: the text of each file, made of the templates and of what was chosen."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.scaffold import bundled_workspace
from snapdrift.scaffold.choices import Judge, Models
from snapdrift.scaffold.kinds import Kind, cases_of

if TYPE_CHECKING:
    from snapdrift.openai_api.catalog import Catalog

TEMPLATES = Path(__file__).parent / "templates"
SCHEMA = "evals/suite.schema.json"
RUBRIC = "graders/helpfulness.yaml"
CONFIG = "snapdrift.toml"
WORKFLOW = ".github/workflows/snapdrift.yml"
IGNORED = (".snapdrift/", "reports/*", "!reports/templates/")
"""What git should not see: the state of this machine, and pages that are made anew, but not templates of them."""
_PLACE = re.compile(r"<<(\w+)>>")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")
REASONING_REQUEST = "{temperature: null, max_output_tokens: 2000}"
"""A model that reasons takes no temperature, and thinks within the cap."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be written: models, the kinds of task, and prices of models by name where the user knows them.

    `judge` None: no suite has one.
    """

    models: Models
    judge: Judge | None
    kinds: tuple[Kind, ...]
    prices: Mapping[str, tuple[float, float]]
    unpriced: tuple[str, ...]


def workspace_files(plan: Plan, schema: str, catalog: Catalog) -> dict[str, str]:
    """The text of each file by its path in the workspace, in the order in which a reader would open them."""
    bundled = bundled_workspace()
    files = {CONFIG: config_text(plan)}
    for kind in plan.kinds:
        files[kind.path] = _filled(f"{kind.name}.yaml", variants=_variants(kind, plan.models, catalog))
    for kind in plan.kinds:
        files[f"datasets/{kind.dataset}"] = cases_of(kind, bundled)
    for kind in plan.kinds:
        for name in kind.copied:
            files[f"graders/{name}"] = (bundled / "graders" / name).read_text(encoding="utf-8")
    if plan.judge is not None:
        files[RUBRIC] = _filled(
            "rubric.yaml", judge=_judge_lines(plan.judge, priced=plan.judge.model not in plan.unpriced)
        )
    files[SCHEMA] = schema
    return files


def config_text(plan: Plan) -> str:
    """The text of `snapdrift.toml`."""
    standin = "".join((TEMPLATES / f"{kind.name}.toml").read_text(encoding="utf-8") for kind in plan.kinds)
    return _filled("snapdrift.toml", prices=_price_lines(plan)) + standin


def known_price(model: str, price: tuple[float, float]) -> str:
    """The table of a price that the user knows."""
    head = f"[prices.{json.dumps(model)}]                # USD per 1,000,000 tokens"
    return f"{head}\ninput = {price[0]}\noutput = {price[1]}\n"


def standin_lines(kinds: tuple[Kind, ...]) -> str:
    """What a `snapdrift.toml` that is there already lacks, for the stand-in to answer these suites."""
    return "".join((TEMPLATES / f"{kind.name}.toml").read_text(encoding="utf-8") for kind in kinds).strip() + "\n"


def workflow_text(folder: str) -> str:
    """The text of the workflow for a workspace in a folder of the repository; empty: its root."""
    defaults = f"\n    defaults:\n      run: {{working-directory: {json.dumps(folder)}}}" if folder else ""
    return _filled("workflow.yml", defaults=defaults, prefix=f"{folder}/" if folder else "")


def _filled(name: str, **values: str) -> str:
    """A template with its places (`<<name>>`) filled."""
    return _PLACE.sub(lambda place: values[place[1]], (TEMPLATES / name).read_text(encoding="utf-8"))


def _variants(kind: Kind, models: Models, catalog: Catalog) -> str:
    current = [f"  current:   {{{_asked(models.current, catalog)}}}"]
    if not models.same:
        return "\n".join([*current, f"  candidate: {{{_asked(models.candidate, catalog)}}}"])
    prompt = (TEMPLATES / f"{kind.name}.prompt").read_text(encoding="utf-8")
    request = [f"    request: {REASONING_REQUEST}"] if _reasons(models.candidate, catalog) else []
    written = [f"        {line}".rstrip() for line in prompt.splitlines()]
    head = ["  candidate:", f"    model: {_yaml(models.candidate)}", *request]
    return "\n".join([*current, *head, "    prompt:", "      instructions: |", *written])


def _asked(model: str, catalog: Catalog) -> str:
    request = f", request: {REASONING_REQUEST}" if _reasons(model, catalog) else ""
    return f"model: {_yaml(model)}{request}"


def _reasons(model: str, catalog: Catalog) -> bool:
    info = catalog.get(model)
    return info is not None and info.can("reasoning") is True


def _judge_lines(judge: Judge, *, priced: bool) -> str:
    lines = [f"model: {_yaml(judge.model)}"]
    if not priced:
        lines += [
            f"# No price of it is known. A live run needs one: fill in [prices.{json.dumps(judge.model)}] in {CONFIG}."
        ]
    if not judge.pinned:
        lines += [
            "# No dated snapshot of it is known. Name one here as soon as there is: a judge that changes moves scores."
        ]
        lines += ["allow_alias: true"]
    if not judge.stays:
        lines += ["# It is shut down within half a year (`snapdrift models`); name one here that stays."]
        lines += ["allow_retiring: true"]
    if judge.reasons:
        lines += [f"request: {REASONING_REQUEST}    # it reasons, within the cap"]
    return "\n".join(lines)


def _price_lines(plan: Plan) -> str:
    """Tables of prices: those that the user knows, and as comments those that nobody does."""
    missing = [
        f"\n# No price of {model} is known, and a live run within a budget needs it: fill it in from OpenAI's list.\n"
        f"# [prices.{json.dumps(model)}]              # USD per 1,000,000 tokens\n# input = ...\n# output = ...\n"
        for model in plan.unpriced
    ]
    return "".join([*(f"\n{known_price(model, price)}" for model, price in plan.prices.items()), *missing])


def _yaml(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else json.dumps(text)
