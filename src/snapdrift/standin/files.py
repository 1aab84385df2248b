"""Files that clients upload and that batches write, kept for as long as the server lives."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from snapdrift.standin.api_errors import ApiError, invalid
from snapdrift.standin.log import RequestLog
from snapdrift.standin.multipart import FormPart, read_form

PURPOSES = frozenset({"assistants", "batch", "fine-tune", "vision", "user_data", "evals"})
LARGEST_BYTES = 512 * 2**20
LARGEST_BATCH_BYTES = 200 * 2**20
BATCH_FILE_SECONDS = 30 * 24 * 3600
"""How long a file of purpose `batch` is kept where the upload does not say (API reference, Files)."""
_EXPIRY_SECONDS = range(3600, 2_592_001)
_LONGEST_PAGE = 10_000


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file. Times are Unix time, in seconds."""

    id: str
    filename: str
    purpose: str
    content: bytes
    created_at: int
    expires_at: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The API's `file` object."""
        expiry = {} if self.expires_at is None else {"expires_at": self.expires_at}
        return {
            "id": self.id,
            "object": "file",
            "bytes": len(self.content),
            "created_at": self.created_at,
            **expiry,
            "filename": self.filename,
            "purpose": self.purpose,
            "status": "processed",
        }


class FileStore:
    """All files by id, in the order in which they came. Uploads and deletions are logged."""

    def __init__(self, log: RequestLog, now: Callable[[], float] = time.time) -> None:
        self._log, self._now = log, now
        self._files: dict[str, StoredFile] = {}

    def upload(self, content_type: str, body: bytes) -> StoredFile:
        """Takes the form of `POST /v1/files`; raises the API's 400."""
        form = read_form(content_type, body)
        file, purpose = form.get("file"), _text(form, "purpose")
        if file is None or file.filename is None:
            raise invalid("'file' is a required property", param="file", code="missing_required_parameter")
        if purpose not in PURPOSES:
            expected = ", ".join(sorted(PURPOSES))
            raise invalid(f"'{purpose}' is not one of: {expected}.", param="purpose", code="invalid_value")
        if purpose == "batch" and not file.filename.endswith(".jsonl"):
            text = f"Invalid extension for file {file.filename}: expected .jsonl for purpose batch."
            raise invalid(text, param="file", code="invalid_file_extension")
        limit = LARGEST_BATCH_BYTES if purpose == "batch" else LARGEST_BYTES
        if len(file.content) > limit:
            raise ApiError(413, f"File is too large: found {len(file.content)} bytes, expected at most {limit}.")
        return self.add(file.filename, purpose, file.content, _expiry_seconds(form, purpose))

    def add(self, filename: str, purpose: str, content: bytes, seconds: int | None = None) -> StoredFile:
        """Keeps a file, for `seconds` or for good."""
        now = int(self._now())
        file = StoredFile(
            f"file-{uuid.uuid4().hex}", filename, purpose, content, now, None if seconds is None else now + seconds
        )
        self._files[file.id] = file
        self._log.write("file", {"file": file.id, "filename": filename, "purpose": purpose, "bytes": len(content)})
        return file

    def get(self, file_id: str, param: str = "id") -> StoredFile:
        """The file; raises the API's 404."""
        if file_id not in self._files:
            raise ApiError(404, f"No such File object: {file_id}", param=param)
        return self._files[file_id]

    def delete(self, file_id: str) -> dict[str, Any]:
        """Forgets a file; raises the API's 404."""
        self.get(file_id)
        del self._files[file_id]
        self._log.write("file_deleted", {"file": file_id})
        return {"id": file_id, "object": "file", "deleted": True}

    def page(self, query: Mapping[str, str]) -> dict[str, Any]:
        """What `GET /v1/files` lists: newest first (`order=asc`: oldest), of one `purpose`, `limit` after `after`."""
        wanted = [file for file in self._files.values() if query.get("purpose") in (None, file.purpose)]
        if query.get("order", "desc") != "asc":
            wanted.reverse()
        return page_of([file.to_json() for file in wanted], query, _LONGEST_PAGE, _LONGEST_PAGE)


def page_of(objects: list[dict[str, Any]], query: Mapping[str, str], default: int, largest: int) -> dict[str, Any]:
    """One page of a list, by the query's `after` (an id of the list) and `limit`; raises the API's 400."""
    text = query.get("limit", str(default))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= largest:
        raise invalid(f"Invalid 'limit': expected an integer from 1 to {largest}.", param="limit", code="invalid_value")
    start = 0
    if after := query.get("after"):
        found = next((index for index, entry in enumerate(objects) if entry["id"] == after), None)
        if found is None:
            raise invalid(f"Invalid 'after': there is no {after}.", param="after", code="invalid_value")
        start = found + 1
    data = objects[start : start + int(text)]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else "",
        "last_id": data[-1]["id"] if data else "",
        "has_more": start + len(data) < len(objects),
    }


def _text(form: Mapping[str, FormPart], name: str) -> str:
    return form[name].content.decode("utf-8", "replace") if name in form else ""


def _expiry_seconds(form: Mapping[str, FormPart], purpose: str) -> int | None:
    text = _text(form, "expires_after[seconds]")
    if not text:
        return BATCH_FILE_SECONDS if purpose == "batch" else None
    if not text.isascii() or not text.isdigit() or int(text) not in _EXPIRY_SECONDS:
        text = "Invalid 'expires_after.seconds': expected an integer from 3600 to 2592000."
        raise invalid(text, param="expires_after.seconds", code="invalid_value")
    return int(text)
