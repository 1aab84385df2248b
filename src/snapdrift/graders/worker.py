"""A process that grades a share of a run's answers: `python -m snapdrift.graders.worker RUN NUMBER OF SIZE`.

With `RUN follow` it grades the answers whose calls it is given on its standard input, while others are still asked.

It opens the run file for reading, makes the graders of the suite that is stored in it, grades every `OF`-th portion of
`SIZE` answers from the `NUMBER`-th on, and sends the rows of their scores. `pipeline.grading_workers` starts it, for
suites whose graders all grade alone.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from snapdrift.graders.base import Grader
from snapdrift.graders.reading import read_scores
from snapdrift.graders.registry import Registry
from snapdrift.model import CallKey, Response, Score
from snapdrift.store import StoredRun, open_run
from snapdrift.store.score_frames import END, ROWS, packed, portions, write_frame
from snapdrift.store.score_rows import rows_of
from snapdrift.suites.case_list import CaseList
from snapdrift.suites.resolved import suite_from_stored


def main(arguments: Sequence[str]) -> None:
    """Grades and sends; whatever goes wrong ends the process, and what is missing tells the other one."""
    gc.disable()  # scores have no cycles, and of a million of them a search for some takes long
    atexit.register(gc.freeze)
    with _frames() as frames, open_run(Path(arguments[0])) as stored:
        if arguments[1] == "follow":
            _follow(stored, sys.stdin.buffer, frames)
        else:
            number, of, size = map(int, arguments[1:])
            _grade(stored, portions(stored.answer_ids(), size)[number::of], frames)


def _frames() -> BinaryIO:
    """Standard output for frames alone: what a grader prints goes nowhere, and so is taken for none."""
    frames = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return frames


def _grade(stored: StoredRun, shares: Sequence[Sequence[int]], frames: BinaryIO) -> None:
    grade = _grading(stored)
    reading = grading = 0.0
    for share in shares:
        began = time.perf_counter()
        answers = stored.responses_of(share)
        read = time.perf_counter()
        scores = grade(answers)
        graded = time.perf_counter()
        write_frame(frames, ROWS, packed(rows_of(scores)))
        reading, grading = reading + read - began, grading + graded - read
    write_frame(frames, END, json.dumps({"reading_s": reading, "grading_s": grading}).encode("ascii"))


def _follow(stored: StoredRun, calls: BinaryIO, frames: BinaryIO) -> None:
    """Grades the answers to the calls that are read, a line of them at a time, until there are no more."""
    grade = _grading(stored)
    for line in calls:
        with stored.at_one_moment():  # else each is read as if the file had changed
            answers = [stored.response(CallKey(*call)) for call in json.loads(line)]
            scores = grade([answer for answer in answers if answer is not None])
        write_frame(frames, ROWS, packed(rows_of(scores)))


def _grading(stored: StoredRun) -> Callable[[Sequence[Response]], list[Score]]:
    """A function that gives the scores of answers by the graders of the stored suite."""
    cases = stored.known_cases()
    suite = suite_from_stored(stored.suite, CaseList(stored.each_case()), Registry())
    graders = cast("tuple[Grader, ...]", suite.graders)  # a suite knows only what its registry promises of them

    def grade(answers: Sequence[Response]) -> list[Score]:
        return [
            score
            for answer in cases.ahead(answers, lambda answer: answer.call.case_id)
            for grader in graders
            for score in read_scores(grader, cases[answer.call.case_id], answer)
        ]

    return grade


if __name__ == "__main__":
    main(sys.argv[1:])
