"""The history as text, whole; JSON and CSV by their shape."""

from __future__ import annotations

import csv
import io
import json

import pytest

from snapdrift.model import DecisionWord, Source
from snapdrift.reports.history import render_history, render_history_csv, render_history_json, sparkline
from snapdrift.verdicts.history import FlakyCase, History, Move, Noise, Point, Series, Step

AUGUST, NOVEMBER = "gpt-4o-2024-08-06", "gpt-4o-2024-11-20"


def point(day: int, mean: float, resolved: str = AUGUST, changed: tuple[str, ...] = ()) -> Point:
    started = f"2026-11-{day:02d}T03:00:00+00:00"
    return Point(
        f"run-{day}", started, 200, mean, mean - 0.03, mean + 0.02, (resolved,), DecisionWord.PASSED, 1, changed
    )


HISTORY = History(
    runs=5,
    series=(
        Series("triage", "default", "alias", "queue", "gpt-4o", Source.OPENAI,
               (point(1, 0.95), point(2, 0.95), point(3, 0.8, NOVEMBER, ("suite", "model")), point(4, 0.8, NOVEMBER)),
               (Step("run-3", "2026-11-03T03:00:00+00:00", 0.95, 0.8),)),
        Series("triage", "default", "pinned", "urgency", AUGUST, Source.SIMULATED, (point(5, 0.9),), reused=2),
    ),
    moves=(Move("triage", "alias", "", "gpt-4o", Source.OPENAI, "run-3", "2026-11-03T03:00:00+00:00", (AUGUST,),
                (NOVEMBER,)),),
    flaky=(FlakyCase("triage", "default", "alias", "queue", Source.OPENAI, "t-7", 3, 5, 0.27, 0.86, 2),),
    noise=(Noise("triage", "default", "queue", Source.OPENAI, 4, 200, 0.001, 0.03, 0.01, 0.06, 0.021, 0.9, False),),
    left_out={"partial": 3},
)  # fmt: skip

SHOWN = """\
triage, gate default
  queue alias                 ▇▇▂▂  80.0% [77.0%, 82.0%], 200 cases, 2026-11-04, 4 runs
    2026-11-03 run-3: the suite was changed; other models answered (gpt-4o-2024-11-20)
    2026-11-03 run-3: a step from about 95.0% to 80.0%
  urgency pinned [simulated]  ▅  90.0% [87.0%, 92.0%], 200 cases, 2026-11-05, 1 run
    left out: 2 runs that rest on the answers of an earlier one
  noise of queue: two runs of the same thing are 2.1 points or more apart in 10% of the times (4 A/A comparisons, 3.0% \
[1.0%, 6.0%] of a case differs)
  flaky: t-7 on alias, queue: 3 of 5 passed, [27%, 86%]

alias moved: triage, alias (gpt-4o): gpt-4o-2024-08-06 → gpt-4o-2024-11-20, first in run run-3 of 2026-11-03
Steps are where a series seems to have moved: for display, they claim nothing (`watch` does).
5 runs; left out: 3 partial
"""


def test_the_text_is_the_accepted_one() -> None:
    assert render_history(HISTORY) == SHOWN


def test_the_document_names_its_format_and_every_record() -> None:
    document = json.loads(render_history_json(HISTORY))

    assert document["format"] == "snapdrift.history/1"
    assert document["series"][0]["points"][2]["changed"] == ["suite", "model"]
    assert document["series"][1]["source"] == "simulated"
    assert document["moves"][0]["now"] == [NOVEMBER]
    assert document["noise"][0]["floor"] == 0.021


def test_a_row_of_the_table_says_whether_a_step_begins_there() -> None:
    rows = list(csv.DictReader(io.StringIO(render_history_csv(HISTORY))))

    assert [row["step"] for row in rows] == ["0", "0", "1", "0", "0"]
    assert rows[2]["changed"] == "suite model"
    assert rows[4]["source"] == "simulated"


def test_names_from_a_suite_cannot_steer_a_terminal() -> None:
    series = Series("a\x1b[31m", "default", "v\nw", "m\x07", "gpt-4o", Source.OPENAI, (point(1, 0.5),))
    text = render_history(History(1, (series,)))

    assert "\x1b" not in text
    assert "\x07" not in text
    assert len(text.splitlines()) == 4


@pytest.mark.parametrize(
    ("values", "bars"), [([0.0, 0.5, 1.0], "▁▅█"), ([1.0, 1.0], "██"), ([2.0, -1.0], "█▁"), ([], "")]
)
def test_bars_stand_between_the_ends_of_the_scale(values: list[float], bars: str) -> None:
    assert sparkline(values, 0.0, 1.0) == bars


def test_without_a_scale_all_bars_are_of_one_height() -> None:
    assert sparkline([0.5, 0.5], 0.5, 0.5) == "▅▅"
