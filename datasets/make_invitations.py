"""Writes `invitations.jsonl`: mails that invite to a meeting, and what a calendar needs to know of each.

Run it as `python datasets/make_invitations.py`. What is expected is chosen first, and the mail is written from it.
Every third mail names no place (`no-place`), and half of the tasks have no date: the unsaid is expected to be null.
"""

from __future__ import annotations

import json
import random
from datetime import date, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TARGET = HERE / "invitations.jsonl"
SEED = 808
CASES = 96
FIRST_DAY = date(2026, 3, 2)

TITLES = ("the spring fair", "the new tram stop", "the choir weekend", "the roof of the gym", "the allotment rules",
          "the summer timetable", "the exhibition", "the school kitchen")  # fmt: skip
PEOPLE = ("Ada", "Bruno", "Clara", "Dilan", "Edda", "Femi", "Greta", "Hanno", "Ines", "Jaro")
PLACES = ("the town hall, room 12", "the library café", "Greta's kitchen", "the boathouse", "the staff room")
TASKS = ("bring the plans", "ask for three offers", "book the hall", "count the chairs", "call the insurance",
         "write the invitation", "print the lists")  # fmt: skip
STARTS = {"09:00": "at nine in the morning", "10:30": "at half past ten", "14:00": "at 2 pm", "16:15": "at 16:15",
          "18:30": "at half past six in the evening"}  # fmt: skip
DURATIONS = {"45 min": "three quarters of an hour", "1 h": "an hour", "1 h 30 min": "an hour and a half",
             "2 h": "two hours", "20 min": "twenty minutes"}  # fmt: skip
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
          "December")  # fmt: skip
STYLES = (
    "Dear all,\nlet us meet about {title} on {day} {at}; {lasts} will do.{where}\nI count on {people}.{tasks}",
    "{people}: {title}! {day}, {at}, for {lasts}.{where}{tasks}\nSee you there.",
    "Hello {people},\ncould we talk about {title}? My proposal is {day} {at}; it should take {lasts}.{where}{tasks}",
    "Last time we did not settle {title}. So: {day}, {at}. Planned: {lasts}.{where} Needed: {people}.{tasks}",
)


def rows() -> list[dict[str, Any]]:
    """Every row: a mail and the fields of the meeting that it is about."""
    rng = random.Random(SEED)  # noqa: S311  the numbers are no secrets
    return [_row(number, rng) for number in range(1, CASES + 1)]


def _row(number: int, rng: random.Random) -> dict[str, Any]:
    day = FIRST_DAY + timedelta(days=rng.randrange(300))
    people = sorted(rng.sample(PEOPLE, rng.randint(2, 4)))
    place = None if number % 3 == 0 else rng.choice(PLACES)
    tasks = [
        {"who": who, "what": what, "due": (day - timedelta(days=rng.randint(1, 9))).isoformat() if due else None}
        for who, what, due in zip(
            people, rng.sample(TASKS, rng.randint(0, 3)), rng.choices((True, False), k=3), strict=False
        )
    ]
    starts, lasts, title = rng.choice(sorted(STARTS)), rng.choice(sorted(DURATIONS)), rng.choice(TITLES)
    mail = STYLES[number % len(STYLES)].format(
        title=title,
        day=_spoken(day),
        at=STARTS[starts],
        lasts=DURATIONS[lasts],
        where="" if place is None else f" Where: {place}.",
        people=_listed(people),
        tasks="".join(map(_asked, tasks)),
    )
    expected = {
        "title": title, "date": day.isoformat(), "starts": starts, "duration": lasts, "place": place,
        "people": people, "tasks": tasks,
    }  # fmt: skip
    tags = (["no-place"] if place is None else []) + (["tasks"] if tasks else [])
    return {"id": f"mail-{number:02}", "tags": tags, "mail": mail, "expected": expected}


def _spoken(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _asked(task: dict[str, Any]) -> str:
    by = "" if task["due"] is None else f" by {_spoken(date.fromisoformat(task['due']))}"
    return f"\n{task['who']}, please {task['what']}{by}."


def main() -> None:
    """Writes the dataset."""
    TARGET.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows()), encoding="utf-8")


if __name__ == "__main__":
    main()
