"""Reading `multipart/form-data` (RFC 7578), as far as uploads of files need it."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import Message

from snapdrift.standin.api_errors import invalid


@dataclass(frozen=True, slots=True)
class FormPart:
    """One field of a form; `filename` is None where it is no file."""

    name: str
    content: bytes
    filename: str | None = None


def read_form(content_type: str, body: bytes) -> dict[str, FormPart]:
    """The fields of a form by name; the last of two with one name counts. Raises the API's 400 for what is no form."""
    header = _header("Content-Type", content_type)
    boundary = header.get_param("boundary", header="Content-Type")
    if header.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        raise invalid(f"Could not parse multipart form: found Content-Type {content_type[:80]!r}.")
    delimiter = b"\r\n--" + boundary.encode("latin-1", "replace")
    sections = (b"\r\n" + body).split(delimiter)
    if len(sections) < 3 or not sections[-1].startswith(b"--"):
        raise invalid("Could not parse multipart form: the body ends before its closing boundary.")
    parts = [_part(section) for section in sections[1:-1]]
    return {part.name: part for part in parts}


def _part(section: bytes) -> FormPart:
    head, separator, content = section.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    lines = [line.partition(":") for line in head.decode("utf-8", "replace").split("\r\n")]
    found = next((value.strip() for name, _, value in lines if name.lower() == "content-disposition"), "")
    disposition = _header("Content-Disposition", found)
    name = disposition.get_param("name", header="Content-Disposition")
    if not separator or not isinstance(name, str):
        raise invalid("Could not parse multipart form: a part has no name.")
    return FormPart(name, content, disposition.get_filename())


def _header(name: str, value: str) -> Message:
    message = Message()
    message[name] = value.replace("\r", " ").replace("\n", " ")
    return message
