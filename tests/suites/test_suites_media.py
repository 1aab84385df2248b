from __future__ import annotations

import base64
import builtins
import hashlib
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from tests.suites.conftest import PDF, gif, png

from snapdrift.errors import SuiteError
from snapdrift.model import FilePart, ImagePart
from snapdrift.suites import media
from snapdrift.suites.media import MAX_IMAGE_URL, Media, MediaError
from snapdrift.suites.workspace import PathError, Workspace

JPEG = b"\xff\xd8\xff\xe0" + b"\x00" * 8
WEBP = b"RIFF\x00\x00\x00\x00WEBPVP8 "


def data_url(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def written(workspace: Workspace, name: str, data: bytes) -> Path:
    path = workspace.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.fixture
def without_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = builtins.__import__

    def refusing(name: str, *rest: Any, **named: Any) -> Any:
        if name == "PIL":
            raise ImportError(name)
        return usual(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", refusing)


def test_a_local_image_becomes_a_data_url_with_its_size_and_hash(workspace: Workspace) -> None:
    written(workspace, "photos/a.png", png(3, 2))
    reading = Media(workspace)

    assert reading.image("photos/a.png", "low") == ImagePart(
        "photos/a.png", url=data_url(png(3, 2)), detail="low", size=(3, 2)
    )
    assert reading.read == {"photos/a.png": hashlib.sha256(png(3, 2)).hexdigest()}


@pytest.mark.parametrize(
    ("data", "kind"),
    [(png(), "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp"), (gif(1), "image/gif")],
)
@pytest.mark.usefixtures("without_pillow")
def test_the_type_is_told_from_the_content_whatever_the_name_says(workspace: Workspace, data: bytes, kind: str) -> None:
    written(workspace, "photo.txt", data)

    assert Media(workspace).image("photo.txt") == ImagePart("photo.txt", url=data_url(data, kind), size=None)


@pytest.mark.parametrize(
    "value", ["https://x.example/a.png?b=c", "HTTP://x.example/a.png", "file-Ab_12-x"], ids=["https", "http", "id"]
)
def test_urls_and_file_ids_are_passed_on_unread(value: str) -> None:
    part = Media().image(value)

    assert value in (part.url, part.file_id)
    assert Media().file(value) == FilePart(value, url=part.url, file_id=part.file_id)


def test_a_data_url_is_checked_and_named_by_its_content() -> None:
    digest = hashlib.sha256(png()).hexdigest()[:12]

    assert Media().image(data_url(png())) == ImagePart(f"image-{digest}", url=data_url(png()), size=(3, 2))


def test_a_document_is_a_pdf_from_a_path_or_a_data_url(workspace: Workspace) -> None:
    written(workspace, "paper", b"junk\n" + PDF)
    url = data_url(PDF, "application/pdf")
    digest = hashlib.sha256(PDF).hexdigest()[:12]

    assert Media(workspace).file("paper").data == data_url(b"junk\n" + PDF, "application/pdf")
    assert Media().file(url) == FilePart(f"document-{digest}.pdf", data=url)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "x is empty"),
        (b"hello", "x holds no image and no PDF"),
        (PDF, "x holds application/pdf"),
        (gif(2), "x is an animated GIF"),
        (png()[:20], "x is damaged: its size cannot be read"),
    ],
)
def test_a_file_that_is_no_image_is_refused(workspace: Workspace, data: bytes, found: str) -> None:
    written(workspace, "x", data)

    with pytest.raises(MediaError) as caught:
        Media(workspace).image("x")
    assert (caught.value.found, caught.value.expected) == (
        found,
        "expected a PNG, JPEG, WEBP or GIF that is not animated",
    )


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("data:image/png,abc", 'the data URL "data:image/png,abc" is not in base64'),
        ("data:image/png;base64,a", 'the data URL "data:image/png;base64,a" is not in base64 ('),
        ("data:image/png;base64,a!==", 'the data URL "data:image/png;base64,a!==" is not in base64 ('),
        (data_url(png(), "image/jpeg"), "the data URL"),
        ("ftp://x.example/a.png", '"ftp://x.example/a.png" is not a URL that is passed on'),
        ("file:///etc/passwd", '"file:///etc/passwd" is not a URL that is passed on'),
        ("https://x.example/a b.png", 'the URL "https://x.example/a b.png"'),
        ("https://x.example/" + "a" * MAX_IMAGE_URL, "a URL of 20,971,538 characters"),
        ("photos/a.png", "the file photos/a.png"),
    ],
)
def test_what_is_not_to_be_sent_as_an_image_is_refused(value: str, found: str) -> None:
    with pytest.raises(MediaError) as caught:
        Media().image(value)
    assert caught.value.found.startswith(found)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", ".git/a.png", "none.png"])
def test_files_are_read_only_from_the_workspace(workspace: Workspace, name: str) -> None:
    written(workspace, "../secret.png", png())

    with pytest.raises(PathError):
        Media(workspace).image(name)


def test_an_image_that_is_too_large_for_the_api_is_refused_in_every_form(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "_IMAGE", media._Kind("image", ("image/png",), 60, "expected a PNG"))
    written(workspace, "x", png())

    for value in ("x", data_url(png())):
        with pytest.raises(MediaError, match="is too large"):
            Media(workspace).image(value)


def test_of_a_file_that_is_too_large_nothing_is_kept_however_many_cases_name_it(workspace: Workspace) -> None:
    with (workspace.root / "big.png").open("wb") as file:
        file.truncate(64 * 2**20)
    tracemalloc.start()
    try:
        errors = []
        for _ in range(10):
            with pytest.raises(MediaError, match="is too large") as told:
                Media(workspace).image("big.png")
            errors.append(told.value)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(errors) == 10
    assert peak < 2**20


def test_a_data_url_as_long_as_the_api_takes_is_fine(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = len(data_url(png()))
    written(workspace, "x", png())
    monkeypatch.setattr(media, "_IMAGE", media._Kind("image", ("image/png",), limit, "expected a PNG"))

    assert Media(workspace).image("x").url == data_url(png())


def test_a_file_is_read_once_while_there_is_room_to_keep_it(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        written(workspace, name, png())
    reading = Media(workspace)
    first = reading.image("a")
    assert reading.image("a").url is first.url

    monkeypatch.setattr(media, "KEPT", 10)
    reading.image("b")
    assert reading.image("a").url is not first.url


def test_a_file_that_changed_or_went_since_the_suite_was_loaded_is_named(workspace: Workspace) -> None:
    path = written(workspace, "photos/a.png", png())
    reading = Media(workspace)
    reading.image("photos/a.png")
    path.write_bytes(png(9, 9))
    with pytest.raises(SuiteError, match=r"^photos/a\.png: no longer what it was when the suite was loaded; "):
        Media(workspace, reading.read).image("photos/a.png")
    path.unlink()
    with pytest.raises(SuiteError, match=r"^photos/a\.png: no longer there \(no file photos/a\.png\); "):
        Media(workspace, reading.read).image("photos/a.png")


def test_two_spellings_of_a_path_have_one_hash(workspace: Workspace) -> None:
    written(workspace, "photos/a.png", png())
    reading = Media(workspace)
    reading.image("./photos//a.png")
    assert list(reading.read) == ["photos/a.png"]
