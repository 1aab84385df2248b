"""Prompts of a promptfoo configuration: texts, files, chats in JSON and YAML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from snapdrift.errors import DocumentError
from snapdrift.importers.names import label
from snapdrift.importers.notes import Place, others
from snapdrift.importers.promptfoo.nunjucks import UntranslatableError
from snapdrift.importers.promptfoo.reading import CODE_SUFFIXES, Reading
from snapdrift.importers.sources import FILE_PREFIX, SourceError
from snapdrift.suites.document import parse_document
from snapdrift.suites.strict_json import loads_strictly

_SEPARATOR = re.compile(r"^---[ \t]*$", re.M)
_TEXT_SUFFIXES = (".txt", ".md", ".j2", ".njk", ".prompt")
_FILE_SUFFIXES = (*_TEXT_SUFFIXES, ".json", ".yaml", ".yml", ".jsonl", ".csv")
_BARE_VALUE = re.compile(r"([:\[,]\s*)\{\{((?:(?!\}\}).)*?)(?:\|\s*dump(?:\([^)]*\))?\s*)?\}\}(?=\s*[,}\]])", re.S)
_YAML_VALUE = re.compile(r"^(\s*(?:- )?content:\s*)(\{\{.*\}\})\s*$", re.M)
_CODE_OR_NETWORK = re.compile(
    r"(?i)exec:|(?:package|python|golang|ruby|javascript):\S|(?:langfuse|portkey|helicone)://|"
    r"(?!file:)[a-z][a-z0-9+.-]*://\S+$"
)
"""A prompt of one line that says how to get the text: what to run, what to import, or from where to fetch it."""
_ROLES = ("user", "assistant", "system", "developer")


@dataclass(frozen=True, slots=True)
class MadePrompt:
    """A prompt as suites have it, by the names that providers may pick it by."""

    name: str
    ids: tuple[str, ...]
    prompt: Mapping[str, Any]


def read_prompts(place: Place, reading: Reading) -> list[MadePrompt]:
    """Every prompt that can be taken over; the others are noted."""
    made = []
    for name, ids, text, where in _written(place, reading):
        try:
            made.append(MadePrompt(name, ids, _prompt(text, reading)))
        except UntranslatableError as error:
            reading.notes.left_out(where, "a prompt", str(error))
    return made


def _written(place: Place, reading: Reading) -> Iterator[tuple[str, tuple[str, ...], str, Place]]:
    """Each prompt's name, ids, text and place."""
    if isinstance(place.value, Mapping) and not {"id", "raw", "label"} & place.value.keys():
        for path, name in place.value.items():  # the older form: files and what they are called
            yield from _from(str(path), label(str(name)), place.at(path), reading)
        return
    for one in place.each():
        value = one.value
        if isinstance(value, Mapping):
            text = value.get("raw") or value.get("id") or value.get("prompt") or value.get("file")
            name = str(value.get("label") or value.get("id") or "")
            for key in others(value, {"raw", "id", "label", "display", "prompt", "file"}):
                reading.notes.left_out(one.at(key), f"`{key}` of a prompt", "has no counterpart")
        else:
            text, name = value, ""
        if not isinstance(text, str) or not text.strip():
            reading.notes.left_out(one, "a prompt", "holds no text")
            continue
        yield from _from(text, label(name) if name else "", one, reading)


def _from(text: str, name: str, place: Place, reading: Reading) -> Iterator[tuple[str, tuple[str, ...], str, Place]]:
    """The prompts that a text is, or that the files have which it names; what would be run or fetched is noted."""
    if "\n" not in text and _CODE_OR_NETWORK.match(text.strip()):
        why = "is got by running or fetching something, which is not done; write its text into the configuration"
        reading.notes.left_out(place, f"the prompt {text.strip()[:120]}", why)
        return
    is_file = text.startswith(FILE_PREFIX) or ("\n" not in text and text.lower().endswith(_FILE_SUFFIXES))
    if not is_file and "\n" not in text and text.partition(":")[0].lower().endswith(CODE_SUFFIXES):
        is_file = True
    if not is_file:
        yield name, (name, text), text, place
        return
    bare = text.removeprefix(FILE_PREFIX)
    if bare.partition(":")[0].lower().endswith(CODE_SUFFIXES):
        why = "is code, which is not run; write the prompt that it makes into the configuration"
        reading.notes.left_out(place, f"the prompt {bare}", why)
        return
    try:
        paths = reading.source.matching(bare)
        for path in paths:
            texts = list(_texts(path, reading))
            for number, one in enumerate(texts, start=1):
                stem = name if name and len(paths) == 1 else path.stem
                called = stem if len(texts) == 1 else f"{stem}-{number}"
                yield called, (called, name, text, bare), one, place
    except SourceError as error:
        reading.notes.left_out(place, f"the prompt {bare}", str(error))


def _texts(path: Path, reading: Reading) -> Iterator[str]:
    suffix = path.suffix.lower()
    if suffix == ".jsonl":
        yield from (json.dumps(row.value) for row in reading.source.lines(path))
    elif suffix == ".csv":
        for row in reading.source.table(path):
            yield str(row.value.get("prompt") or next(iter(row.value.values()), ""))
    else:
        text = reading.source.text(path)
        pieces = _SEPARATOR.split(text) if suffix in _TEXT_SUFFIXES else [text]
        yield from (piece.strip() for piece in pieces if piece.strip())


# -------------------------------------------------------------------------------------------------------- conversations


def _prompt(text: str, reading: Reading) -> dict[str, Any]:
    """A prompt of ours. A text that is a chat in JSON or YAML is one. Raises `UntranslatableError`."""
    chat = _chat(text)
    if chat is None:
        return {"input": reading.template(text)}
    messages = [_message(message, reading) for message in chat]
    first = messages[0]
    if first["role"] in ("system", "developer") and isinstance(first["content"], str) and len(messages) > 1:
        rest = messages[1:]
        plain = len(rest) == 1 and rest[0]["role"] == "user" and isinstance(rest[0]["content"], str)
        return {"instructions": first["content"], "input": rest[0]["content"] if plain else rest}
    return {"input": messages}


def _chat(text: str) -> list[Any] | None:
    """The messages of a chat, None where the text is none. Raises `UntranslatableError` for one that logic makes."""
    stripped = text.strip()
    value: Any = None
    if stripped.startswith(("[", "{")) and '"role"' in stripped:
        quoted = _BARE_VALUE.sub(lambda found: f"{found[1]}{json.dumps('{{' + found[2] + '}}')}", stripped)
        for candidate in (stripped, quoted):
            try:
                value = loads_strictly(candidate)
                break
            except (ValueError, RecursionError):
                continue
        else:
            raise UntranslatableError("is a chat in JSON that template logic makes; write its messages out")
    elif stripped.startswith("- role:"):
        try:
            value = parse_document(_YAML_VALUE.sub(lambda found: found[1] + json.dumps(found[2]), stripped), "").value
        except DocumentError as error:
            raise UntranslatableError(f"is no chat in YAML: {error.problems[0].found}") from None
    if isinstance(value, Mapping):
        value = value.get("messages") or value.get("input")
    return value if isinstance(value, list) and value and isinstance(value[0], Mapping) else None


def _message(message: Any, reading: Reading) -> dict[str, Any]:
    role = message.get("role") if isinstance(message, Mapping) else None
    if role not in _ROLES:
        raise UntranslatableError(f"has a message of the role {role!r}, of which suites have none")
    if message.get("tool_calls") or message.get("function_call"):
        raise UntranslatableError("has a message with tool calls, which a prompt of a suite cannot hold")
    content = message.get("content")
    if isinstance(content, list):
        return {"role": role, "content": [_part(part, reading) for part in content]}
    return {"role": role, "content": reading.template(_text(content))}


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "" if content is None else json.dumps(content, ensure_ascii=False)


def _part(part: Any, reading: Reading) -> dict[str, Any]:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind in ("text", "input_text", "output_text"):
        return {"text": reading.template(_text(part.get("text")))}
    if kind in ("image_url", "input_image"):
        image = part.get("image_url")
        url = image.get("url") if isinstance(image, Mapping) else image
        detail = (image.get("detail") if isinstance(image, Mapping) else None) or part.get("detail")
        if not isinstance(url, str):
            raise UntranslatableError("has an image without an address")
        # Base64 that a variable holds came from a file; the workspace's path stands in its place.
        bare = re.sub(r"^data:image/[a-z]+;base64,(?=\{\{)", "", url)
        return {"image": reading.template(bare), **({"detail": detail} if detail in ("low", "high", "auto") else {})}
    raise UntranslatableError(f"has a part of the type {kind!r}, which suites do not have")


def with_affixes(prompts: Sequence[MadePrompt]) -> list[MadePrompt]:
    """The prompts with what a test may put before and after them, in the columns for it."""
    return [replace(made, prompt=_around(made.prompt)) for made in prompts]


def _around(prompt: Mapping[str, Any]) -> dict[str, Any]:
    text = prompt["input"]
    if isinstance(text, str):
        return {**prompt, "input": f"{{{{ prompt_prefix }}}}{text}{{{{ prompt_suffix }}}}"}
    return dict(prompt)
