"""`snapdrift schema`: the JSON Schemas of suites and of accepted losses."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def schema(
    builtin: Annotated[
        bool, typer.Option("--builtin", help="Without the grader families that installed packages register.")
    ] = False,
    accepted: Annotated[
        bool, typer.Option("--accepted", help="That of evals/accepted.yaml, the accepted losses, instead.")
    ] = False,
) -> None:
    """Print the JSON Schema that editors complete suites from, or the list of accepted losses.

    Examples:
      snapdrift schema > evals/suite.schema.json
      snapdrift schema --builtin > evals/suite.schema.json
      snapdrift schema --accepted > evals/accepted.schema.json
    """
    if accepted:
        from snapdrift.suites.accepted import accepted_json_schema

        typer.echo(json.dumps(accepted_json_schema(), indent=2, ensure_ascii=False))
        return
    from snapdrift.graders.families import all_families
    from snapdrift.graders.registry import Registry
    from snapdrift.suites.schema import suite_json_schema

    registry = Registry(all_families() if builtin else None)
    typer.echo(json.dumps(suite_json_schema(registry), indent=2, ensure_ascii=False))
