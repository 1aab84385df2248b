"""Writes `parcels.jsonl` and the pictures in `labels/`: messages to the parcel desk of a shop, some with a photo.

Run it as `python datasets/make_parcels.py`; it needs Pillow. The same program with the same Pillow always writes the
same files. What a label shows is taken from its row, so what is expected is never read off a picture.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

HERE = Path(__file__).parent
TARGET = HERE / "parcels.jsonl"
LABELS = HERE / "labels"
SEED = 5521
SERVICES = ("standard", "express", "pickup")
WIDTH, HEIGHT = 420, 260

# Somebody wants something done: one call of a tool, and which arguments it takes can be told from the message.
LOOKUPS = (
    "Where is order {order}? It should have been here on Monday.",
    "Hello, could you look up {order} for me please?",
    "Tracking for {order} has not changed in three days. What is going on?",
    "I need to know whether {order} has left your warehouse yet.",
    "Can you tell me the status of my order? The number is {order}.",
    "{order} - is it on its way?",
    "My neighbour says a parcel came for me. Was that {order}?",
    "The link in your mail is broken. Please check {order}.",
    "I ordered two weeks ago under {order} and have heard nothing since.",
    "Is {order} still coming this week?",
)
CHANGES = (
    "Please send {order} by {service} instead.",
    "Change the delivery of {order} to {service}, if it has not been packed.",
    "I picked the wrong option. Order {order} should go by {service}.",
    "Could {order} be switched to {service}? I am happy to pay the difference.",
    "For {order} I would rather have {service}.",
    "Make it {service} for {order}, please.",
    "New plan: {order} goes {service}.",
    "Can I still have {service} on order {order}?",
    "Kindly move {order} to {service} shipping.",
    "{service}, please, not what I chose before. It is order {order}.",
)
# Somebody only tells or shows something: no tool is needed, the reply repeats what was understood.
NOTES = (
    "Just so you know: {order} came by {service} and everything was fine.",
    "Thank you! {order} arrived today, {service} really is worth it.",
    "For your records, the damaged box was {order}, sent {service}.",
    "I gave the parcel of {order} ({service}) to my neighbour. No need to do anything.",
    "No question, only praise: order {order}, {service}, perfectly packed.",
    "You asked which order the survey was about. It is {order}, it went {service}.",
    "Please note that {order} was a gift. It came {service}.",
    "The driver for {order} was very friendly. It was a {service} delivery.",
    "I confirm that I got {order} by {service}.",
    "All good with {order}. I used {service} this time.",
)
PHOTOS = (
    "This label was on the box. Which order is it, and how was it sent?",
    "What does the label say? I cannot read it without my glasses.",
    "Found this parcel in the hallway. Whose order is it?",
    "Photo of the label as you asked.",
    "Here is the label. Please just confirm the number.",
    "Is this one of yours?",
    "I photographed the sticker before I threw the box away.",
    "The label is attached. Nothing else to report.",
    "Please read the order number off the picture.",
    "See the photo: this is how it came.",
)


def order_number(rng: random.Random) -> str:
    """An order number: five digits behind the shop's letters."""
    return f"SD-{rng.randrange(10_000, 100_000)}"


def rows() -> list[dict[str, Any]]:
    """Every row: 10 calls of each function, 20 notes and 20 photos. `weight` (kg) stands on a label only."""
    rng = random.Random(SEED)  # noqa: S311  the numbers are no secrets
    made: list[dict[str, Any]] = []
    for number, template in enumerate(LOOKUPS):
        order = order_number(rng)
        call = {"name": "lookup_order", "arguments": {"order": order}}
        made.append(_row(f"lookup-{number + 1:02}", "tool", template.format(order=order), calls=[call]))
    for number, template in enumerate(CHANGES):
        order, service = order_number(rng), rng.choice(SERVICES)
        call = {"name": "change_delivery", "arguments": {"order": order, "service": service}}
        text = template.format(order=order, service=service)
        made.append(_row(f"change-{number + 1:02}", "tool", text, calls=[call]))
    for number, template in enumerate(NOTES * 2):
        order, service = order_number(rng), rng.choice(SERVICES)
        made.append(
            _row(f"note-{number + 1:02}", "reply", template.format(order=order, service=service), order, service)
        )
    for number, template in enumerate(PHOTOS * 2):
        order, service = order_number(rng), rng.choice(SERVICES)
        row = _row(f"photo-{number + 1:02}", "reply,photo", template, order, service)
        made.append({**row, "photo": f"datasets/labels/{row['id']}.png", "weight": round(rng.uniform(0.2, 19.9), 1)})
    return made


def _row(
    case_id: str, tags: str, message: str, order: str | None = None, service: str | None = None, calls: Any = ()
) -> dict[str, Any]:
    reply = {} if order is None else {"order": order, "service": service}
    expected = {"tool_calls": list(calls), **reply}
    return {"id": case_id, "tags": tags.split(","), "message": message, "expected": expected}


def draw(row: dict[str, Any]) -> Image.Image:
    """The label of a photo's row: number, service and weight, with a row of bars below."""
    expected = row["expected"]
    picture = Image.new("L", (WIDTH, HEIGHT), 255)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((8, 8, WIDTH - 9, HEIGHT - 9), outline=0, width=3)
    pen.text((24, 22), expected["service"].upper(), font=ImageFont.load_default(34), fill=0)
    pen.text((24, 74), f"Order {expected['order']}", font=ImageFont.load_default(30), fill=0)
    pen.text((24, 120), f"Weight {row['weight']} kg", font=ImageFont.load_default(20), fill=0)
    bars = random.Random(expected["order"])  # noqa: S311
    at = 24
    while at < WIDTH - 40:
        width = bars.choice((2, 3, 5, 7))
        pen.rectangle((at, 164, at + width, HEIGHT - 30), fill=0)
        at += width + bars.choice((3, 4, 6))
    return picture.convert("1")


def main() -> None:
    """Writes the dataset and its pictures."""
    LABELS.mkdir(exist_ok=True)
    lines = []
    for row in rows():
        if "photo" in row:
            draw(row).save(LABELS / f"{row['id']}.png", optimize=True)
        lines.append(json.dumps({key: value for key, value in row.items() if key != "weight"}))
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
