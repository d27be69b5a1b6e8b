import base64
import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_endpoint import FakeEndpoint, closed_port, serving
from fastmcp import Client, FastMCP
from fastmcp.exceptions import ToolError
from PIL import Image as Pillow
from pydantic import SecretStr
from starlette.responses import JSONResponse, Response

from tools.base import ArtifactStore, Caller, acting_as
from tools.image import Image, ImageConfig, generate
from tools.image.server import build

pytestmark = pytest.mark.anyio
ANNA = Caller(subject="anna")


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path)


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeEndpoint]:
    with serving() as endpoint:
        yield endpoint


def server(store: ArtifactStore, **config: object) -> FastMCP:
    return build(ImageConfig.model_validate(config), artifacts=store, local=ANNA)


async def called(server: FastMCP, **arguments: object) -> Image:
    with acting_as(ANNA):
        result = await server.call_tool(generate.tool, arguments)
    return Image.model_validate(result.structured_content)


def picture(width: int, height: int, kind: str = "PNG") -> str:
    out = io.BytesIO()
    Pillow.new("RGB", (width, height), "#336699").save(out, kind)
    return base64.b64encode(out.getvalue()).decode()


async def test_a_card_is_designed_of_the_text(store: ArtifactStore) -> None:
    image = await called(server(store, brand="Birkenfurt"), prompt="Neues Bürgeramt öffnet im März.")
    assert (image.engine, image.label, image.width, image.height) == ("designed-card", "Gestaltete Karte", 1200, 630)
    assert image.alt_text.startswith("Gestaltete Karte mit der Überschrift „Neues Bürgeramt öffnet im März“, dazu ")
    with Pillow.open(store.path(image.png.id, caller=ANNA)) as png:
        assert png.size == (1200, 630)
        assert png.info["Description"] == image.alt_text
        assert b"digitalsourcetype/algorithmicMedia" in png.info["xmp"]
    assert image.svg is not None
    svg = store.path(image.svg.id, caller=ANNA).read_text()
    assert "Gestaltete Karte</text>" in svg and "<script" not in svg


async def test_the_same_request_gives_the_same_picture_and_another_text_another_one(store: ArtifactStore) -> None:
    first = await called(server(store), prompt="Straßenfest")
    assert first == await called(server(store), prompt="Straßenfest")
    assert first.png.id != (await called(server(store), prompt="Stadtfest")).png.id


async def test_a_client_gets_the_bytes_and_an_english_label(store: ArtifactStore) -> None:
    async with Client(server(store)) as client:
        result = await client.call_tool("generate", {"prompt": "The library is open for all of the people."})
    image = Image.model_validate(result.structured_content)
    assert image.label == "Designed card"
    assert [block.type for block in result.content] == ["text", "image", "image"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"prompt": ""}, "'prompt' does not fit"),
        ({"prompt": "x" * 2001}, "'prompt' does not fit"),
        ({"prompt": "x", "width": 100_000}, "'width' does not fit"),
        ({"prompt": "x", "height": 1}, "'height' does not fit"),
        ({"prompt": "x", "style": "photo"}, "'style' does not fit"),
    ],
)
async def test_what_does_not_fit_is_named(store: ArtifactStore, arguments: dict[str, object], said: str) -> None:
    async with Client(server(store)) as client:
        with pytest.raises(ToolError, match=said):
            await client.call_tool("generate", arguments)


async def test_an_endpoint_draws_where_one_is_set(store: ArtifactStore, fake: FakeEndpoint) -> None:
    fake.asked.clear()
    fake.answer = lambda asked: JSONResponse({"created": 1, "data": [{"b64_json": picture(1024, 1024, "JPEG")}]})
    drawing = server(store, url=fake.url, name="flux", key=SecretStr("geheim"))
    image = await called(drawing, prompt="Ein Fest auf dem Platz", title="Straßenfest", width=800, height=400)
    (asked,) = fake.asked
    assert (asked.path, asked.key) == ("/v1/images/generations", "Bearer geheim")
    assert asked.body == {
        "model": "flux",
        "prompt": "Straßenfest. Ein Fest auf dem Platz",
        "n": 1,
        "size": "800x400",
        "response_format": "b64_json",
    }
    assert (image.engine, image.label, image.svg) == ("flux", "KI-generiertes Bild", None)
    assert image.alt_text == "KI-generiertes Bild zu: Straßenfest"
    with Pillow.open(store.path(image.png.id, caller=ANNA)) as png:
        assert (png.format, png.size) == ("PNG", (800, 400))
        assert b"digitalsourcetype/trainedAlgorithmicMedia" in png.info["xmp"]


def bomb() -> str:
    """A small file that unpacks to 60,000 x 60,000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    data = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 9)) + chunk(b"IEND", b"")
    )
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (JSONResponse({"error": {"message": "no"}}, 401), "answered 401.*PARTITUR_IMAGE_KEY"),
        (JSONResponse({"data": []}), "sent no picture"),
        (JSONResponse({"data": [{"url": "http://elsewhere/x.png"}]}), "sent no picture"),
        (JSONResponse({"data": [{"b64_json": "%%%"}]}), "sent no picture"),
        (Response(b"not json"), "sent no picture"),
        (JSONResponse({"data": [{"b64_json": base64.b64encode(b"<svg/>").decode()}]}), "no usable picture"),
        (JSONResponse({"data": [{"b64_json": bomb()}]}), "no usable picture|pixels"),
        (JSONResponse({"data": [{"b64_json": picture(64, 64)[:60] + "AAAA"}]}), "no usable picture"),
    ],
)
async def test_what_the_endpoint_does_wrong_is_said(
    store: ArtifactStore, fake: FakeEndpoint, response: Response, said: str
) -> None:
    fake.answer = lambda asked: response
    with acting_as(ANNA), pytest.raises(ToolError, match=said):
        await server(store, url=fake.url).call_tool("generate", {"prompt": "Fest"})


async def test_an_endpoint_that_is_down_is_named_and_no_card_stands_in(store: ArtifactStore) -> None:
    with acting_as(ANNA), pytest.raises(ToolError, match="cannot be reached.*correct PARTITUR_IMAGE_URL"):
        await server(store, url=closed_port()).call_tool("generate", {"prompt": "Fest"})
