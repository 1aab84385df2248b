"""Messages as they may be printed: they quote files of anybody's, and failures of hosts that were sent a key."""

from __future__ import annotations

import re

from snapdrift.keys import redact

_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What acts on a terminal or turns text around. `reports.escaping` has more, and takes a second to import."""


def readable(message: str) -> str:
    """`message` without keys, and with every character that acts rather than shows spelled out."""
    return _ACTING.sub(lambda found: f"\\u{ord(found.group()):04x}", redact(message))
