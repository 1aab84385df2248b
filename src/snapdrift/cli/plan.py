"""`snapdrift plan`: what a run would ask, cost and be able to show."""

from __future__ import annotations

from typing import Annotated, cast

import typer

from snapdrift.cli import options as o


def plan(
    suites: o.SuitePaths,
    gate: o.GateName = None,
    variant: o.Variants = None,
    sample: o.SampleSize = None,
    repeats: o.Repeats = None,
    concurrency: o.Concurrency = None,
    no_cache: o.NoCache = False,
    no_code: o.NoCode = False,
    annotations: o.Annotations = "auto",
    baseline_ref: o.BaselineRef = None,
    changed: o.Changed = None,
    tier: Annotated[
        int | None,
        typer.Option(
            "--tier", min=1, max=5, help="The account's usage tier, whose limits bound the time.", metavar="N"
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the plans as JSON.")] = False,
) -> None:
    """Plan suites: calls, tokens, cost and time per variant, and the smallest drop each gate can see.

    Nothing is sent. Cost is shown as asked live, with prompt caching, by the Batch API, and at most.

    Examples:
      snapdrift plan evals/*.yaml
      snapdrift plan evals/sentiment.yaml --sample 100 --repeats 3 --tier 2
      snapdrift plan evals/*.yaml --baseline-ref main
    """
    from snapdrift import pipeline
    from snapdrift.cli import planned
    from snapdrift.cli.annotating import annotating
    from snapdrift.openai_api.facts import UsageTier

    selection = pipeline.Selection(variants=tuple(variant or ()), sample=sample, repeats=repeats)
    options = pipeline.RunOptions(
        gate=gate,
        selection=selection,
        limits=pipeline.Limits(concurrency=concurrency),
        code=not no_code,
        cache=not no_cache,
        env=o.environment(),
        baseline_ref=baseline_ref,
        changed=changed,
        notice=o.tell,
        settled=lambda one: (o.tell if json else typer.echo)(one.text),
    )
    with annotating(annotations, o.environment(), suites):
        plans = pipeline.plan_suites(suites, options, cast("UsageTier | None", tier))
    if json:
        typer.echo(planned.planned_json(plans), nl=False)
        return
    for one in plans:
        typer.echo(planned.planned(one), nl=False)
