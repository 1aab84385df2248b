"""`snapdrift schema`: the JSON Schema of suites."""

from __future__ import annotations

import json

import typer


def schema() -> None:
    """Print the JSON Schema that editors complete suites from.

    Example:
      snapdrift schema > evals/suite.schema.json
    """
    from snapdrift.graders.registry import Registry
    from snapdrift.suites.schema import suite_json_schema

    typer.echo(json.dumps(suite_json_schema(Registry()), indent=2, ensure_ascii=False))
