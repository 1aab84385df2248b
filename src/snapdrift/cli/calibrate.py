"""`snapdrift calibrate`: judges against people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snapdrift.cli import options as o
from snapdrift.errors import UsageError

if TYPE_CHECKING:
    from snapdrift.pipeline import DrawRequest

_DRAWING = ("--metric", "--pair", "--seed", "-o")
_LABELLING = ("--out", "--junit", "--summary")


def calibrate(
    run: o.RunName,
    draw: Annotated[
        int | None, typer.Option("--draw", min=1, help="Draw this many pairs in all to be labelled.", metavar="N")
    ] = None,
    metric: Annotated[
        str | None, typer.Option("--metric", help="With --draw: the judged metric, where there are several.")
    ] = None,
    pair: Annotated[
        str | None,
        typer.Option("--pair", help="With --draw: the comparison, where there are several.", metavar="BASE:CANDIDATE"),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="With --draw: the seed of the draw (default: the run's).", metavar="S")
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option("-o", "--sheet", help="With --draw: where the sheet goes (JSONL).", metavar="FILE")
    ] = None,
    labels: Annotated[
        list[Path] | None,
        typer.Option("--labels", help="Labels of the run's answers (JSONL). Repeatable.", metavar="FILE"),
    ] = None,
    no_code: o.NoCode = False,
    out: o.OutDir = None,
    junit: o.Junit = None,
    summary: o.Summary = None,
    report_url: o.ReportUrl = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """Measure a judge against people, on a random and blinded sample of a run's own answers.

    First draw a sheet; people fill in `label` on each row; then give it back. Comparisons of the judged metric are from
    then on decided by people's labels. With --labels it ends with the code of the run's decision.

    Examples:
      snapdrift calibrate latest --draw 100 -o sheet.jsonl
      snapdrift calibrate latest --labels sheet.jsonl
    """
    from snapdrift import pipeline
    from snapdrift.cli import calibrated
    from snapdrift.cli.printing import Printer

    if (draw is None) is not bool(labels):
        raise UsageError("calibrate: expected either --draw N -o FILE, which writes a sheet, or --labels FILE")
    if draw is not None:
        _refuse(_LABELLING, (out, junit, summary), "--labels")
        options = pipeline.RunOptions(code=not no_code)
        drawn = pipeline.draw_sheet(run, _request(draw, sheet, metric, pair, seed), options, Path.cwd())
        typer.echo(calibrated.drawn_json(drawn) if json else calibrated.drawn(drawn), nl=False)
        return
    _refuse(_DRAWING, (metric, pair, seed, sheet), "--draw")
    with Printer(quiet=quiet, json=json) as printer:
        options = pipeline.RunOptions(
            output=pipeline.Output(out, junit, summary, report_url=report_url),
            code=not no_code,
            notice=printer.notice,
        )
        made = pipeline.calibrate_run(run, labels or [], options, Path.cwd())
        printer.notice(calibrated.taken(made))
        if not (json or quiet):
            typer.echo(calibrated.table(made.outcome.view), nl=False)
        printer.outcomes([made.outcome])
    raise typer.Exit(made.outcome.exit_code)


def _request(draw: int, sheet: Path | None, metric: str | None, pair: str | None, seed: int | None) -> DrawRequest:
    from snapdrift.pipeline import DrawRequest

    if sheet is None:
        raise UsageError("--draw: found no -o FILE; expected where the sheet goes")
    return DrawRequest(draw, sheet, metric, pair, seed)


def _refuse(names: tuple[str, ...], values: tuple[object, ...], where: str) -> None:
    for name, value in zip(names, values, strict=True):
        if value is not None:
            raise UsageError(f"{name}: found without {where}, with which it belongs; leave it out")
