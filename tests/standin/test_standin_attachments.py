"""Images and files: taken in every form, refused as the API refuses them, counted in tokens, never fetched."""

from __future__ import annotations

import io
from typing import Any

import pytest
from tests.standin.conversations import MODEL, chat, data_url, own_service, png, refusal, responses

from snapdrift.model import Endpoint
from snapdrift.standin.api_errors import ApiError
from snapdrift.standin.image_headers import image_format, image_size

PDF = b"%PDF-1.7\n1 0 obj<</Type /Catalog>>\n<</Type /Pages>>\n<</Type /Page>>\n<</Type/Page >>\n"


def image(url: Any = None, **more: Any) -> list[dict[str, Any]]:
    part = {"type": "input_image", **({} if url is None else {"image_url": url}), **more}
    return [{"role": "user", "content": [part]}]


def tokens(prompt: list[dict[str, Any]], model: str = MODEL) -> int:
    return int(responses(own_service(), prompt, model=model)["usage"]["input_tokens"])


@pytest.mark.parametrize(
    ("size", "detail", "expected"),
    [((1024, 1024), "high", 765), ((1024, 1024), "low", 85), ((200, 100), "auto", 255), ((4096, 1024), "high", 765)],
)
def test_images_are_counted_by_the_tile_rule(size: tuple[int, int], detail: str, expected: int) -> None:
    prompt = image(data_url(png(*size)), detail=detail)
    without = tokens([{"role": "user", "content": []}])
    assert tokens(prompt) - without == expected


def test_mini_counts_images_by_a_rule_of_its_own() -> None:
    assert tokens(image(data_url(png(1024, 1024)), detail="high"), "gpt-4o-mini") > 25_500


def test_a_url_is_never_fetched_and_counts_as_a_usual_image() -> None:
    assert tokens(image("https://no-such-host.invalid/a.png", detail="high")) > 765


def test_chat_takes_images_in_its_own_form() -> None:
    part = {"type": "image_url", "image_url": {"url": data_url(png(1024, 1024)), "detail": "high"}}
    body = chat(own_service(), [{"role": "user", "content": [part]}])
    assert body["usage"]["prompt_tokens"] > 765


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("data:image/png;base64,not base64!", "invalid_base64_image"),
        ("data:image/png,abc", "invalid_base64_image"),
        (data_url(b"<svg/>", "image/svg+xml"), "invalid_image_format"),
        (data_url(b"hello", "text/plain"), "unsupported_image_media_type"),
        (data_url(b""), "empty_image_file"),
        (data_url(png(1, 1)[:18]), "image_parse_error"),
        ("file:///etc/passwd", "invalid_image_url"),
        ("data:image/png;base64," + "A" * 20_971_520, "image_file_too_large"),
    ],
)
def test_an_image_that_cannot_be_used_is_refused_with_the_apis_code(url: str, code: str) -> None:
    error = refusal(own_service(), Endpoint.RESPONSES, {"input": image(url)})
    assert (error["status"], error["code"]) == (400, code)
    assert error["param"] == "input[0].content[0].image_url"


def test_an_unknown_detail_is_refused() -> None:
    error = refusal(own_service(), Endpoint.RESPONSES, {"input": image(data_url(png(1, 1)), detail="sharp")})
    assert error["param"] == "input[0].content[0].detail"


def test_an_image_without_url_and_id_is_refused() -> None:
    assert refusal(own_service(), Endpoint.RESPONSES, {"input": image()})["code"] == "missing_required_parameter"


def test_a_url_that_is_no_text_is_refused() -> None:
    assert refusal(own_service(), Endpoint.RESPONSES, {"input": image({"url": "x"})})["code"] == "invalid_type"
    part = {"type": "image_url", "image_url": "https://example.com/a.png"}
    error = refusal(own_service(), Endpoint.CHAT, {"messages": [{"role": "user", "content": [part]}]})
    assert error["code"] == "invalid_type"


def test_more_images_than_a_request_may_have_are_refused() -> None:
    parts = [{"type": "input_image", "image_url": "https://example.com/a.png"}] * 1501
    error = refusal(own_service(), Endpoint.RESPONSES, {"input": [{"role": "user", "content": parts}]})
    assert error["message"] == "Too many images in request. Max is 1500."


def test_images_and_files_are_found_by_the_ids_of_uploaded_ones() -> None:
    service = own_service()
    service.find_file = {"file-1": png(1024, 1024)}.get
    by_id = responses(service, image(file_id="file-1", detail="high"))["usage"]["input_tokens"]
    assert by_id == tokens(image(data_url(png(1024, 1024)), detail="high"))
    assert refusal(service, Endpoint.RESPONSES, {"input": image(file_id="file-2")})["code"] == "image_file_not_found"
    document = [{"role": "user", "content": [{"type": "input_file", "file_id": "file-2"}]}]
    assert refusal(service, Endpoint.RESPONSES, {"input": document})["code"] == "file_not_found"


def test_a_pdf_counts_by_its_pages() -> None:
    part = {"type": "input_file", "filename": "a.pdf", "file_data": data_url(PDF, "application/pdf")}
    assert 2000 <= tokens([{"role": "user", "content": [part]}]) < 2100
    broken = {**part, "file_data": "data:application/pdf;base64,!"}
    error = refusal(own_service(), Endpoint.RESPONSES, {"input": [{"role": "user", "content": [broken]}]})
    assert error["message"] == "Invalid base64 file_data."


def test_an_uploaded_file_can_be_asked_about(start: Any, connect: Any) -> None:
    client = connect(start())
    uploaded = client.files.create(file=("a.png", png(64, 64)), purpose="vision")
    prompt: Any = image(file_id=uploaded.id, detail="low")
    assert client.responses.create(model=MODEL, input=prompt).output_text


@pytest.mark.parametrize("name", ["png", "jpeg", "gif", "webp"])
def test_format_and_size_are_read_from_the_header(name: str) -> None:
    from PIL import Image

    written = io.BytesIO()
    Image.new("RGB", (123, 45)).save(written, name)
    assert image_format(written.getvalue()) == name
    assert image_size(written.getvalue()) == (123, 45)


def test_a_lossless_webp_tells_its_size_too() -> None:
    from PIL import Image

    written = io.BytesIO()
    Image.new("RGBA", (321, 54), (1, 2, 3, 4)).save(written, "webp", lossless=True)
    assert image_size(written.getvalue()) == (321, 54)


@pytest.mark.parametrize("start_of", [b"\xff\xd8\xff", b"GIF89a", b"RIFF....WEBPVP8 ", b"\x89PNG\r\n\x1a\n"])
def test_a_header_that_is_cut_tells_no_size(start_of: bytes) -> None:
    assert image_size(start_of) is None


def test_a_model_that_takes_no_images_refuses_them() -> None:
    from snapdrift.standin.parameters import ModelTraits
    from snapdrift.standin.questions import Knowledge, read_question

    knowledge = Knowledge(traits=lambda _: ModelTraits(images=False))
    with pytest.raises(ApiError, match="Images are only supported by certain models"):
        read_question(Endpoint.RESPONSES, {"model": MODEL, "input": image(data_url(png(1, 1)))}, knowledge)
