"""`init`: a workspace in a folder, new or not, and whether what is there then can be run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.errors import ConfigError, NoWorkspaceError, SnapdriftError, UsageError
from snapdrift.pipeline.options import RunOptions
from snapdrift.scaffold.choices import (
    Answers,
    Judge,
    Models,
    chosen_judge,
    chosen_models,
    without_price,
)
from snapdrift.scaffold.filling import (
    CONFIG,
    IGNORED,
    WORKFLOW,
    Plan,
    known_price,
    standin_lines,
    workflow_text,
    workspace_files,
)
from snapdrift.scaffold.kinds import Kind, chosen_kinds
from snapdrift.scaffold.writing import Fate, Written, add_lines, write_new

if TYPE_CHECKING:
    from snapdrift.openai_api.catalog import Catalog

_GITIGNORE_HEAD = "# snapdrift: what it keeps on this machine, and pages that it makes anew"


@dataclass(frozen=True, slots=True)
class Started:
    """What `init` did. `suites` are the paths of its suites, those that were there already too.

    `config` names the configuration; `config_lines` are what it lacks if it was there already, empty where nothing.
    `unpriced` are models without a known price, `warnings` what the catalogue says of the models, `mistakes` what
    `check` finds in the workspace as it now is.
    """

    root: Path
    plan: Plan
    written: tuple[Written, ...]
    suites: tuple[str, ...]
    config: str
    config_lines: str
    warnings: tuple[str, ...]
    mistakes: str


@dataclass(frozen=True, slots=True)
class Offer:
    """What `init` would take without being told more: what its questions offer."""

    models: Models
    judge: Judge | None
    kinds: tuple[Kind, ...]
    unpriced: tuple[str, ...]


def offered(folder: Path, answers: Answers) -> Offer:
    """What these answers come to, with our choices in their gaps. Raises `UsageError` and `ConfigError`."""
    catalog = catalog_of(folder)
    models = chosen_models(answers.models, catalog)
    kinds = chosen_kinds(answers.kinds)
    judge = chosen_judge(answers.judge, catalog, models) if any(kind.judged for kind in kinds) else None
    unpriced = tuple(name for name in without_price(models, judge, catalog) if name not in answers.prices)
    return Offer(models, judge, kinds, unpriced)


def start_workspace(folder: Path, answers: Answers, replace: Sequence[str] = ()) -> Started:
    """Writes a workspace into a folder, which is made where it is not there; no file is replaced but those named.

    The workflow goes to the root of the git repository that the folder is in, the only place where GitHub looks.
    Raises `UsageError` for a folder or file that cannot be written.
    """
    root = _made(folder)
    offer = offered(root, answers)
    plan = Plan(offer.models, offer.judge, offer.kinds, answers.prices, offer.unpriced)
    catalog = catalog_of(root)
    files = workspace_files(plan, _schema(), catalog)
    repository, prefix = _repository(root)
    hidden = _hidden_config(root)
    if hidden is not None:  # a snapdrift.toml would take the place of what pyproject.toml says
        del files[CONFIG]
    known = {*files, *([WORKFLOW] if answers.github is not False else [])}
    unknown = [name for name in replace if name not in known]
    if unknown:
        raise UsageError(f"--force: found {unknown[0]!r}; expected a file that init writes: {', '.join(sorted(known))}")
    written = list(write_new(root, files, frozenset(replace)))
    if answers.github is not False:
        flow = write_new(repository, {WORKFLOW: workflow_text(prefix)}, frozenset(replace))
        written += [Written(_shown(repository / one.path, root), one.fate, one.lines) for one in flow]
    written.append(add_lines(root / ".gitignore", ".gitignore", IGNORED, _GITIGNORE_HEAD))
    if hidden is not None:
        written.insert(0, Written(hidden, Fate.KEPT))
    own_config = any(one.path == CONFIG and one.fate is not Fate.KEPT for one in written)
    suites = tuple(kind.path for kind in plan.kinds)
    return Started(
        root,
        plan,
        tuple(written),
        suites,
        hidden or CONFIG,
        "" if own_config else _lacking(root, plan, in_project=hidden is not None),
        _warnings(plan, catalog),
        _mistakes(root, suites),
    )


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: no folder can be made here ({error.strerror}); name another") from None
    return folder.resolve()


def catalog_of(folder: Path) -> Catalog:
    """The catalogue with what a configuration of the folder, or of one above, says over it."""
    from snapdrift.openai_api.catalog import load_catalog
    from snapdrift.pipeline.prepare import workspace_catalog
    from snapdrift.suites.workspace import find_workspace

    try:
        return workspace_catalog(find_workspace(folder))
    except NoWorkspaceError:
        return load_catalog()


def _schema() -> str:
    import json

    from snapdrift.graders.families import all_families
    from snapdrift.graders.registry import Registry
    from snapdrift.suites.schema import suite_json_schema

    return json.dumps(suite_json_schema(Registry(all_families())), indent=2, ensure_ascii=False) + "\n"


def _repository(root: Path) -> tuple[Path, str]:
    """The root of the git repository that a folder is in, and the way from there to it; else the folder and nothing."""
    for folder in (root, *root.parents):
        if (folder / ".git").exists():
            inside = root.relative_to(folder).as_posix()
            return folder, "" if inside == "." else inside
    return root, ""


def _hidden_config(root: Path) -> str | None:
    """How to name a configuration in `pyproject.toml`, None where there is none or `snapdrift.toml` goes before it."""
    from snapdrift.suites.workspace import PROJECT_FILE, find_workspace

    if (root / CONFIG).exists() or not (root / PROJECT_FILE).is_file():
        return None
    try:
        found = find_workspace(root).root
    except NoWorkspaceError:
        return None
    import tomllib

    try:
        tool = tomllib.loads((root / PROJECT_FILE).read_text(encoding="utf-8")).get("tool", {})
    except (OSError, ValueError):
        return None
    return f"{PROJECT_FILE} ([tool.snapdrift])" if found == root and "snapdrift" in tool else None


def _lacking(root: Path, plan: Plan, *, in_project: bool) -> str:
    """The lines that a configuration which was there already lacks: the user's prices, the stand-in's suites."""
    from snapdrift.suites.workspace import find_workspace

    try:
        config = find_workspace(root).config
    except ConfigError:
        return ""
    prices = [known_price(*item) for item in plan.prices.items() if item[0] not in config.prices]
    kinds = tuple(kind for kind in plan.kinds if kind.suite not in config.standin.suites)
    lines = "\n".join([*prices, *([standin_lines(kinds)] if kinds else [])])
    return re.sub(r"^\[", "[tool.snapdrift.", lines, flags=re.MULTILINE) if in_project else lines


def _warnings(plan: Plan, catalog: Catalog) -> tuple[str, ...]:
    names = dict.fromkeys([plan.models.current, plan.models.candidate, *([plan.judge.model] if plan.judge else [])])
    said = [text for name in names for text in catalog.warnings(name)]
    return tuple(text for text in dict.fromkeys(said) if not text.startswith("The price of"))


def _mistakes(root: Path, suites: Sequence[str]) -> str:
    """What is wrong with the suites as they now are: a file that was left as it was may not fit them."""
    from snapdrift.pipeline.prepare import check_suites

    try:
        check_suites([root / path for path in suites], RunOptions(code=False))
    except SnapdriftError as error:
        return str(error)
    return ""


def _shown(path: Path, root: Path) -> str:
    import os

    return Path(os.path.relpath(path, root)).as_posix()
