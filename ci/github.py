"""The JSON of GitHub's API for the steps: what is found in a reply, and what is sent.

`github.py find MARKER AUTHOR < page.json` prints the number of entries, then of the first that is ours `ID REST`, REST
being what stands behind the marker. `newer THERE HERE` ends with 0 where the job HERE (`number.attempt`) is not older
than THERE. `comment FOLDER` prints the comment on a pull request. `issue FOLDER LATE TIME` writes issue.json and
news.json there, and prints which issue it is with a digest of what is news, `quiet` or `unknown`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

LIMIT = 65_000
"""Characters of a body: GitHub refuses more than 65,536."""
_LOG_LINES = 60


def find(marker: str, author: str, entries: Any) -> str:
    """How many entries a page has; on a second line the first whose body begins with our marker and is by us."""
    told = [str(len(entries))]
    ours = re.compile(rf"<!-- {re.escape(marker)}(?: (?P<rest>[A-Za-z0-9._-]+))? -->")
    for entry in entries:
        by, body = (entry.get("user") or {}).get("login"), entry.get("body") or ""
        found = ours.match(body)
        if found and by == author and "pull_request" not in entry:
            number = entry["number"] if "number" in entry else entry["id"]
            told.append(f"{int(number)} {found['rest'] or ''}")
            break
    return "\n".join(told)


def is_newer(there: str, here: str) -> bool:
    """Whether a job may write over what another has written: one that began earlier may not."""
    first, second = (tuple(int(part) for part in text.split(".") if part.isdigit()) for text in (there, here))
    return second >= first


def comment(folder: Path, env: dict[str, str]) -> dict[str, str]:
    """The comment: the run's summary, or the end of the log where there is none."""
    summary = _text(folder / "summary.md") or _error(folder, env)
    job = f"{env['GITHUB_SERVER_URL']}/{env['GITHUB_REPOSITORY']}/actions/runs/{env['GITHUB_RUN_ID']}"
    report = f" · [all files of the report]({env['REPORT_URL']})" if env.get("REPORT_URL") else ""
    commit = (env.get("HEAD_SHA") or env.get("GITHUB_SHA", ""))[:12]
    footer = f"<sub>commit {commit} · [job]({job}), attempt {env['GITHUB_RUN_ATTEMPT']}{report}</sub>\n"
    return {"body": _body(f"{env['GITHUB_RUN_NUMBER']}.{env['GITHUB_RUN_ATTEMPT']}", summary, footer, env)}


def _error(folder: Path, env: dict[str, str]) -> str:
    code = env.get("EXIT_CODE") or "2"
    log = _text(folder / "log").strip().splitlines()[-_LOG_LINES:]
    return f"### Snapdrift: error, exit {code}\n\nNothing was concluded.\n\n" + _indented(log)


def _indented(lines: list[str]) -> str:
    """Lines that Markdown shows as they are, whatever they quote."""
    return "".join(f"    {line}\n" for line in lines)


def _body(rest: str, text: str, footer: str, env: dict[str, str]) -> str:
    opening = f"<!-- {env['MARKER']} {rest} -->\n"
    room = LIMIT - len(opening) - len(footer) - 3
    cut = text if len(text) <= room else text[:room].rpartition("\n")[0] + "\n…"
    return f"{opening}{cut}\n\n{footer}"


ALARM, SILENCE = "snapdrift-watch", "snapdrift-silence"
"""What the markers of the two issues begin with: a silence does not write over what an alarm said."""


def issue(folder: Path, late: str, time: str, env: dict[str, str]) -> str:
    """Writes an issue and what is new in it; returns the marker's beginning and a digest of the news.

    Or `quiet`, where nights report and nothing tripped, or `unknown`, where it cannot be told: then nothing is written.
    """
    night, reported = _text(folder / "night.md"), _text(folder / "reported.md")
    tripped = [[one["suite"], one["night"], one["tripped"]] for one in _nights(folder) if one["tripped"]]
    if tripped:
        title = "Snapdrift: a watched alias moved or changed"
        return _written(folder, ALARM, title, night, json.dumps(tripped), env)
    if late == "3":
        title = f"Snapdrift: no night has reported for {time}"
        lead = (
            "Watching is silent, which is not the same as quiet: is the schedule still on, the key valid, the budget "
            "enough?\n\n"
        )
        return _written(folder, SILENCE, title, lead + reported, re.sub(r", [0-9.]+ days( ago)?", "", reported), env)
    if late != "0":
        return "unknown"
    _written(folder, SILENCE, "Snapdrift: nights report again", reported, "", env)
    return "quiet"


def _written(folder: Path, kind: str, title: str, text: str, news: str, env: dict[str, str]) -> str:
    job = f"{env['GITHUB_SERVER_URL']}/{env['GITHUB_REPOSITORY']}/actions/runs/{env['GITHUB_RUN_ID']}"
    footer = f"<sub>[job]({job}) · Close this issue when it is dealt with; the next one opens another.</sub>\n"
    digest = hashlib.sha256(news.encode()).hexdigest()[:16] if news else "over"
    marker = {**env, "MARKER": f"{kind}:{env['KEY']}"}
    sent = {"title": title, "body": _body(digest, text, footer, marker)}
    (folder / "issue.json").write_text(json.dumps(sent), encoding="utf-8")
    (folder / "news.json").write_text(json.dumps({"body": f"**{title}**\n\n{text}"[:LIMIT]}), encoding="utf-8")
    return f"{kind} {digest}"


def _nights(folder: Path) -> list[dict[str, Any]]:
    text = _text(folder / "night.json")
    return list(json.loads(text)["suites"]) if text else []


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def main(arguments: list[str]) -> int:
    """Does what the arguments ask for; the docstring above says what that is."""
    match arguments:
        case ["find", marker, author]:
            _say(find(marker, author, json.load(sys.stdin)))
        case ["newer", there, here]:
            return 0 if is_newer(there, here) else 1
        case ["comment", folder]:
            _say(json.dumps(comment(Path(folder), dict(os.environ))))
        case ["issue", folder, late, time]:
            _say(issue(Path(folder), late, time, dict(os.environ)))
        case _:
            sys.stderr.write(__doc__)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
