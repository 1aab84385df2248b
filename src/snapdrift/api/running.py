"""`run` and `arun`: a suite from Python, inside an event loop or not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, Unpack

from snapdrift.api.runs import Run
from snapdrift.api.settings import RunSettings, options_of
from snapdrift.errors import NothingToAsk, SnapdriftError
from snapdrift.exit_codes import combine_exit_codes
from snapdrift.signals import StopRequest

if TYPE_CHECKING:
    from snapdrift.api.suites import Suite
    from snapdrift.pipeline import RunOptions
    from snapdrift.unasked import Unasked

T = TypeVar("T")


def run(suite: str | Path | Suite, **settings: Unpack[RunSettings]) -> Run:
    """Runs a suite: ask, grade, compare, decide, report. Returns when the run is over, whatever was decided.

    `suite` is the path of a suite file, or what `load_suite` gave; the file is read again. It works inside a running
    event loop too (in a notebook, say), which waits meanwhile. Ctrl-C stops it: what was answered is kept, and the
    same call goes on with it. Raises `SnapdriftError` where the command line would end with 2 or 130, and
    `NothingToAsk` where no run is made because nothing need be asked; a regression is no error, see `Run.decision`.
    """
    path, options = _asked(suite, settings, "run")
    if not _in_event_loop():
        return run_with(path, options)
    stop = StopRequest()
    return _in_thread(lambda: run_with(path, replace(options, stop=stop)), stop)


async def arun(suite: str | Path | Suite, **settings: Unpack[RunSettings]) -> Run:
    """The same without holding up the event loop: the run goes on in a thread.

    Who cancels it stops the run as Ctrl-C does: what is in flight is waited for and kept, and the same call goes on.
    """
    path, options = _asked(suite, settings, "arun")
    stop = StopRequest()
    work = asyncio.ensure_future(asyncio.to_thread(run_with, path, replace(options, stop=stop)))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        stop.make()
        with suppress(SnapdriftError):
            await work
        raise


def run_with(path: Path, options: RunOptions) -> Run:
    """Runs one suite with the options of the pipeline. Raises `SnapdriftError`, `NothingToAsk` among them."""
    from snapdrift import pipeline

    unasked: list[Unasked] = []
    outcomes = pipeline.run_suites([path], replace(options, settled=unasked.append))
    if not outcomes:
        nothing = NothingToAsk("\n".join(one.text for one in unasked))
        nothing.exit_code = combine_exit_codes([one.exit_code for one in unasked])
        raise nothing
    (outcome,) = outcomes
    return Run(outcome.view, outcome.run_path, outcome.reports.html)


def _asked(suite: str | Path | Suite, settings: RunSettings, called: str) -> tuple[Path, RunOptions]:
    path = Path(suite) if isinstance(suite, str | Path) else suite.path
    return path, options_of(settings, f"snapdrift.{called}({str(path)!r})")


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _in_thread(work: Callable[[], T], stop: StopRequest) -> T:
    """Does something in a thread and waits for it; Ctrl-C stops it first and then waits."""
    results: list[T] = []
    errors: list[BaseException] = []

    def do() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001  it is raised again by who waits
            errors.append(error)

    thread = threading.Thread(target=do, name="snapdrift-run")
    thread.start()
    while thread.is_alive():
        try:
            thread.join()
        except KeyboardInterrupt:
            stop.make()
    if errors:
        raise errors[0]
    return results[0]
