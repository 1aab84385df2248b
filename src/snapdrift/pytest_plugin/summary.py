"""What stands at the end of a session: each run, what was decided of it, and where its report is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter


def write_summary(reporter: TerminalReporter) -> None:
    """Writes a section with two lines for each run, and one for each suite that need not be asked; else nothing.

    It goes by what items say of their run, which is all that comes from the workers of pytest-xdist.
    """
    runs: dict[str, dict[str, Any]] = {}
    not_asked: dict[str, str] = {}
    for reports in reporter.stats.values():
        for report in reports:
            said = dict(getattr(report, "user_properties", ()))
            if "snapdrift_run" in said:
                runs.setdefault(str(said["snapdrift_run"]), said)
            if "snapdrift_not_asked" in said:
                not_asked[str(said["snapdrift_suite"])] = str(said["snapdrift_not_asked"])
    if not runs and not not_asked:
        return
    reporter.section("snapdrift")
    for run_id, said in sorted(runs.items(), key=lambda item: str(item[1]["snapdrift_suite"])):
        labels = f" [{said['snapdrift_labels']}]" if said["snapdrift_labels"] else ""
        word = f"{said['snapdrift_decision']} (exit code {said['snapdrift_exit_code']})"
        reporter.write_line(f"{said['snapdrift_suite']}: {word}{labels}: {said['snapdrift_headline']}")
        reporter.write_line(f"  run {run_id}, report {said['snapdrift_report'] or '(none)'}")
    for suite, why in sorted(not_asked.items()):
        reporter.write_line(f"{suite}: not asked: {why}")
