"""Images and files in a request: checked as the API checks them, told apart, and counted in tokens.

A URL is never fetched: what it shows counts as an image of 1,024 x 1,024 pixels. Codes of the errors are those of the
API document (schema `ResponseErrorCode`, 2026-08-21).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from snapdrift.openai_api.images import GPT_4O, ImageRule, image_tokens
from snapdrift.standin.api_errors import ApiError, invalid
from snapdrift.standin.draws import digest
from snapdrift.standin.image_headers import image_format, image_size

FindFile = Callable[[str], bytes | None]
"""The content of an uploaded file by its id, or None where there is none."""

MOST_URL_CHARACTERS = 20_971_520
"""The longest data URL of an image (API document, `InputImageContentParamAutoParam`)."""
MOST_IMAGES = 1_500
"""Images a request (OpenAI docs, guides/images-vision, 2026-07-15)."""
ASSUMED_SIZE = (1024, 1024)
TOKENS_A_PAGE = 1_000
"""Roughly what a page of a PDF takes: its text, and an image of it. The real figure is not published."""

_IMAGES = ("input_image", "image_url")
_FILES = ("input_file", "file")
_DETAILS = ("low", "high", "auto", "original")
_DATA_URL = re.compile(r"data:([\w.+/-]*)(?:;[\w=.-]+)*;base64,", re.ASCII)
_PAGE = re.compile(rb"/Type\s*/Page(?![A-Za-z])")


class Kind(StrEnum):
    """What is attached."""

    IMAGE = "image"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Attachment:
    """An image or a file. `reference` is its URL, data or file id; of files `filename` besides."""

    kind: Kind
    reference: str
    by_id: bool
    detail: str = "auto"
    filename: str | None = None

    @property
    def identity(self) -> str:
        """A digest of what is attached and how it is looked at."""
        return digest(self.kind.value, self.reference, self.detail).hex()


@dataclass(frozen=True, slots=True)
class Contents:
    """What is known of an attachment without fetching anything: pixels of an image, pages of a file."""

    size: tuple[int, int] = ASSUMED_SIZE
    pages: int = 1


def attachments_of(content: Any) -> tuple[Attachment, ...]:
    """The attachments among the parts of a message's content, in either endpoint's form."""
    found = (_attachment(part) for part in content if isinstance(part, Mapping)) if isinstance(content, list) else ()
    return tuple(attachment for attachment in found if attachment is not None)


def _attachment(part: Mapping[str, Any]) -> Attachment | None:
    kind = part.get("type")
    if kind in _IMAGES:
        image = part["image_url"] if isinstance(part.get("image_url"), Mapping) else part
        by_id = part.get("file_id")
        reference = image.get("url") if image is not part else part.get("image_url")
        return Attachment(Kind.IMAGE, str(by_id or reference or ""), bool(by_id), image.get("detail") or "auto")
    if kind in _FILES:
        file = part["file"] if isinstance(part.get("file"), Mapping) else part
        by_id = file.get("file_id")
        reference = by_id or file.get("file_data") or file.get("file_url") or ""
        return Attachment(Kind.FILE, str(reference), bool(by_id), filename=file.get("filename"))
    return None


def check_attachments(parts: Iterator[tuple[str, Mapping[str, Any]]], find_file: FindFile) -> dict[str, Contents]:
    """What is attached, by identity. `parts` are the parts with their places; raises `ApiError` for what is refused."""
    contents: dict[str, Contents] = {}
    images = 0
    for place, part in parts:
        attachment = _attachment(part)
        if attachment is None:
            continue
        images += attachment.kind is Kind.IMAGE
        if images > MOST_IMAGES:
            raise invalid(f"Too many images in request. Max is {MOST_IMAGES}.", param=place, code="invalid_image")
        contents[attachment.identity] = _contents(place, attachment, find_file)
    return contents


def _contents(place: str, attachment: Attachment, find_file: FindFile) -> Contents:
    if attachment.by_id:
        data = find_file(attachment.reference)
        if data is None:
            code = "image_file_not_found" if attachment.kind is Kind.IMAGE else "file_not_found"
            raise ApiError(400, f"No such File object: {attachment.reference}", param=place, code=code)
        return _looked_at(place, attachment.kind, data)
    if attachment.kind is Kind.IMAGE:
        return _image_contents(place, attachment)
    if not attachment.reference:
        raise invalid(f"Missing required parameter: '{place}.file_data'.", param=place)
    if attachment.reference.startswith(("http://", "https://")):
        return Contents()
    _, data = _decoded(place, attachment.reference, "file_data", "invalid_value")
    return _looked_at(place, Kind.FILE, data)


def _image_contents(place: str, attachment: Attachment) -> Contents:
    url, where = attachment.reference, f"{place}.image_url"
    if attachment.detail not in _DETAILS:
        listed = ", ".join(f"'{name}'" for name in _DETAILS)
        message = f"Invalid value: '{attachment.detail}'. Supported values are: {listed}."
        raise invalid(message, param=f"{place}.detail", code="invalid_value")
    if url.startswith(("http://", "https://")):
        return Contents()
    if not url.startswith("data:"):
        message = f"Invalid '{where}'. Expected a valid URL, but got a value with an invalid format."
        raise invalid(message, param=where, code="invalid_image_url")
    if len(url) > MOST_URL_CHARACTERS:
        message = f"Invalid '{where}': string too long. Expected a string with maximum length {MOST_URL_CHARACTERS}."
        raise invalid(message, param=where, code="image_file_too_large")
    return _data_image(where, url)


def _data_image(where: str, url: str) -> Contents:
    kind, data = _decoded(where, url, "image_url", "invalid_base64_image")
    if not kind.startswith("image/"):
        message = "Invalid MIME type. Only image types are supported."
        raise invalid(message, param=where, code="unsupported_image_media_type")
    return _looked_at(where, Kind.IMAGE, data)


def _decoded(place: str, url: str, name: str, code: str) -> tuple[str, bytes]:
    head = _DATA_URL.match(url)
    try:
        data = base64.b64decode(url[head.end() :] if head else url, validate=True)
    except (binascii.Error, ValueError):
        raise invalid(f"Invalid base64 {name}.", param=place, code=code) from None
    if head is None and name == "image_url":
        raise invalid(f"Invalid base64 {name}.", param=place, code=code)
    return (head[1] if head else ""), data


def _looked_at(place: str, kind: Kind, data: bytes) -> Contents:
    if kind is Kind.FILE:
        return Contents(pages=max(1, len(_PAGE.findall(data))))
    if not data:
        raise invalid("The image file is empty.", param=place, code="empty_image_file")
    if image_format(data) is None:
        message = (
            "You uploaded an unsupported image. Please make sure your image has of one the following formats: "
            "['png', 'jpeg', 'gif', 'webp']."
        )
        raise invalid(message, param=place, code="invalid_image_format")
    size = image_size(data)
    if size is None or 0 in size:
        raise invalid("The image could not be parsed.", param=place, code="image_parse_error")
    return Contents(size)


def attachment_tokens(rule: ImageRule | None, attachment: Attachment, contents: Contents) -> int:
    """What an attachment counts as input: images by the model's rule (`auto` as `high`), files by their pages."""
    if attachment.kind is Kind.FILE:
        return TOKENS_A_PAGE * contents.pages
    return image_tokens(rule or GPT_4O, contents.size, attachment.detail).tokens
