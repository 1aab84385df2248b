"""A run that is taken up by `resume`: with the faults that it was begun with, and with a time of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from snapdrift.store import RunWriter, open_run

LONG_AGO = "2020-01-01T00:00:00+00:00"
STANDIN = ("--standin", "--recordings", "datasets/recordings.jsonl")


@pytest.fixture(scope="module")
def failed(snapdrift, module_workspace) -> Path:
    """A workspace with a run that got no answer, for each request was refused; it began years ago."""
    root: Path = module_workspace(cases=12, max_blind=0.9)
    done = snapdrift("run", "evals/capitals.yaml", *STANDIN, "--faults", "422=1", "-q", cwd=root)
    assert done.returncode == 3, done.stderr
    (path,) = (root / ".snapdrift" / "runs").glob("*.db")
    with RunWriter.open(path) as writer, open_run(path) as stored:
        writer.replace_header(replace(stored.header, started_at=LONG_AGO))
    return root


def test_resume_says_that_it_repeats_the_faults_of_the_run_until_they_are_dropped(snapdrift, failed):
    again = snapdrift("resume", "latest", "-q", cwd=failed)
    assert again.returncode == 3
    assert "with the faults of the run: 422=1 (`resume --faults none` leaves them out)" in again.stderr
    dropped = snapdrift("resume", "latest", "--faults", "none", "--junit", "junit.xml", "-q", cwd=failed)
    assert dropped.returncode == 0, dropped.stderr
    assert "faults" not in dropped.stderr
    suite = ET.parse(failed / "junit.xml").find("testsuite")  # noqa: S314  ours
    assert suite is not None
    assert suite.get("timestamp", "") > "2026"
    assert float(suite.get("time", "")) < 24 * 3600, "of this attempt, not since the run began"
