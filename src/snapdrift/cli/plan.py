"""`snapdrift plan`: what a run would ask, cost and be able to show."""

from __future__ import annotations

from snapdrift.cli import options as o


def plan(
    suites: o.SuitePaths,
    gate: o.GateName = None,
    variant: o.Variants = None,
    sample: o.SampleSize = None,
    repeats: o.Repeats = None,
) -> None:
    """Plan suites: calls, tokens and cost per variant, and the smallest drop each gate can see. Nothing is sent.

    Examples:
      snapdrift plan evals/*.yaml
      snapdrift plan evals/sentiment.yaml --sample 100 --repeats 3
    """
    import typer

    from snapdrift import pipeline
    from snapdrift.cli import tables

    selection = pipeline.Selection(variants=tuple(variant or ()), sample=sample, repeats=repeats)
    for plan in pipeline.plan_suites(suites, pipeline.RunOptions(gate=gate, selection=selection)):
        typer.echo(tables.planned(plan), nl=False)
