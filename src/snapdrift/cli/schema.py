"""`snapdrift schema`: the JSON Schema of suites."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def schema(
    builtin: Annotated[
        bool, typer.Option("--builtin", help="Without the grader families that installed packages register.")
    ] = False,
) -> None:
    """Print the JSON Schema that editors complete suites from.

    Examples:
      snapdrift schema > evals/suite.schema.json
      snapdrift schema --builtin > evals/suite.schema.json
    """
    from snapdrift.graders.families import all_families
    from snapdrift.graders.registry import Registry
    from snapdrift.suites.schema import suite_json_schema

    registry = Registry(all_families() if builtin else None)
    typer.echo(json.dumps(suite_json_schema(registry), indent=2, ensure_ascii=False))
