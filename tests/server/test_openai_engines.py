"""Tests of the engines for embeddings, transcription, speech and pictures, over a local endpoint."""

import json
import threading
import time
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import httpx
import pytest
import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from web_house import web

from server import Settings, open_house
from server.app import create_app
from server.keys import KeyStore, KeyVerifier

pytestmark = pytest.mark.anyio
BODIES: list[tuple[str, str | None, bytes]] = []


@pytest.fixture(scope="module")
def endpoint() -> Generator[str]:
    """An endpoint that answers every kind, and notes what it was asked."""

    async def answer(request: Request) -> Response:
        BODIES.append((request.url.path, request.headers.get("authorization"), await request.body()))
        if b"refuse" in BODIES[-1][2]:
            return JSONResponse({"error": {"message": "'input' must be a text"}}, 400)
        if b"break" in BODIES[-1][2]:
            return Response(f"Traceback: {request.url} s3cret", 500)
        if b"forbid" in BODIES[-1][2]:
            return JSONResponse({"error": {"message": "wrong key s3cret"}}, 401)
        match request.url.path.rpartition("/v1/")[2]:
            case "embeddings":
                data = [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}]
                return JSONResponse({"object": "list", "data": data, "usage": {"prompt_tokens": 3, "total_tokens": 3}})
            case "audio/transcriptions":
                return JSONResponse({"text": "Guten Tag."})
            case "audio/speech":
                kind = "text/html" if b"page" in BODIES[-1][2] else "audio/ogg"
                return Response(b"OggS", media_type=kind)
            case _:
                return JSONResponse({"created": 1, "data": [{"b64_json": "iVBORw0KGgo="}]})

    app = Starlette(routes=[Route("/v1/{rest:path}", answer, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/v1"
    server.should_exit = True
    thread.join(5)


@pytest.fixture(scope="module")
async def client(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[httpx.AsyncClient]:
    settings = Settings(
        home=tmp_path_factory.mktemp("home"),
        embedding_url=endpoint,
        embedding_name="bge-m3",
        embedding_key=SecretStr("s3cret"),
        transcription_url=endpoint,
        speech_url=endpoint,
        speech_name="voxtral",
    )
    async with open_house(settings) as house:
        keys = KeyStore(settings.home)
        headers = {"authorization": f"Bearer {keys.first()}"}
        transport = httpx.ASGITransport(create_app(house, KeyVerifier(keys, None)))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers) as opened:
            yield opened


async def test_the_engines_that_are_set_are_listed_with_their_kind(client: httpx.AsyncClient) -> None:
    models = {model["id"]: model["partitur"]["kind"] for model in (await client.get("/v1/models")).json()["data"]}
    others = {name: kind for name, kind in models.items() if kind not in ("use_case", "chat")}
    assert others == {"bge-m3": "embedding", "transcription": "transcription", "voxtral": "speech"}


async def test_embeddings_come_back_as_the_engine_gave_them_and_its_key_is_its_own(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/embeddings", json={"model": "bge-m3", "input": ["Guten Tag"]})
    assert response.json()["data"][0]["embedding"] == [0.5, 0.25]
    assert response.headers["x-partitur-model"] == "bge-m3"
    path, key, body = BODIES[-1]
    assert (path, key, json.loads(body)["input"]) == ("/v1/embeddings", "Bearer s3cret", ["Guten Tag"])


async def test_a_recording_is_passed_on_as_it_came(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/audio/transcriptions", files={"file": ("a.wav", b"RIFF", "audio/wav")})
    assert response.json() == {"text": "Guten Tag."}
    assert b"RIFF" in BODIES[-1][2]


async def test_a_recording_reaches_no_model_but_the_one_that_was_looked_at(client: httpx.AsyncClient) -> None:
    form = {"model": ["another", "transcription"], "prompt": "Guten"}
    response = await client.post("/v1/audio/transcriptions", data=form, files={"file": ("a.wav", b"RIFF", "audio/wav")})
    assert response.json() == {"text": "Guten Tag."}
    sent = BODIES[-1][2]
    assert (sent.count(b'name="model"'), b"another" in sent, b"Guten" in sent, b"RIFF" in sent) == (
        1,
        False,
        True,
        True,
    )


async def test_speech_comes_back_as_sound(client: httpx.AsyncClient) -> None:
    body = {"model": "voxtral", "input": "Guten Tag", "voice": "a", "response_format": "opus"}
    response = await client.post("/v1/audio/speech", json=body)
    assert (response.content, response.headers["content-type"]) == (b"OggS", "audio/ogg")


async def test_a_kind_that_is_not_set_names_the_setting(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/images/generations", json={"prompt": "Ein Haus"})
    assert (response.status_code, response.json()["error"]["code"]) == (422, "needs_model")
    assert "PARTITUR_IMAGE_URL" in response.json()["error"]["message"]


@pytest.mark.parametrize("input", [5, None, True, [1, 2], [[1, 2], [3]], {"a": "b"}])
async def test_an_input_that_is_no_text_is_for_the_engine_to_judge(client: httpx.AsyncClient, input: object) -> None:
    response = await client.post("/v1/embeddings", json={"model": "bge-m3", "input": input})
    assert response.status_code == 200
    assert json.loads(BODIES[-1][2])["input"] == input


async def test_the_kind_of_a_sound_is_told_by_the_engine_and_never_a_page(client: httpx.AsyncClient) -> None:
    body = {"model": "voxtral", "input": "Guten Tag", "voice": "a", "response_format": "pcm"}
    assert (await client.post("/v1/audio/speech", json=body)).headers["content-type"] == "audio/ogg"
    response = await client.post("/v1/audio/speech", json=body | {"input": "page"})
    assert response.headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize("model", ["text-embedding-3-large", "voxtral", "", 5])
async def test_our_key_is_for_the_model_that_is_set_alone(client: httpx.AsyncClient, model: object) -> None:
    before = len(BODIES)
    response = await client.post("/v1/embeddings", json={"model": model, "input": "Guten Tag"})
    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")
    assert f"The model {model!r} does not exist" in response.json()["error"]["message"]
    assert "'bge-m3'" in response.json()["error"]["message"]
    file = {"file": ("a.wav", b"RIFF", "audio/wav")}
    response = await client.post("/v1/audio/transcriptions", files=file, data={"model": "whisper-1"})
    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")
    assert len(BODIES) == before


async def test_a_request_without_a_model_means_the_one_that_is_set(client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/embeddings", json={"input": "Guten Tag"})).status_code == 200


async def test_what_the_engine_refuses_as_the_callers_fault_is_told_as_such(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/embeddings", json={"input": "refuse"})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_parameter")
    assert response.json()["error"]["message"] == "The engine of 'bge-m3' refused the request: 'input' must be a text"


@pytest.mark.parametrize(("input", "seen"), [("break", (503, "unavailable")), ("forbid", (502, "failed"))])
async def test_a_fault_of_the_engine_tells_nothing_of_what_is_behind(
    client: httpx.AsyncClient, endpoint: str, input: str, seen: tuple[int, str]
) -> None:
    response = await client.post("/v1/embeddings", json={"input": input})
    assert (response.status_code, response.json()["error"]["code"]) == seen
    assert "'bge-m3'" in response.text
    for secret in ("s3cret", "Traceback", "127.0.0.1", "PARTITUR_"):
        assert secret not in response.text


async def test_an_engine_that_is_down_is_told_without_its_address_and_logged_with_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with web(tmp_path, embedding_url="http://127.0.0.1:9/v1") as down:
        response = await down.client.post("/v1/embeddings", json={"input": "Guten Tag"})
    assert (response.status_code, response.json()["error"]["code"]) == (503, "unavailable")
    assert "127.0.0.1" not in response.text
    assert "The engine http://127.0.0.1:9/v1 of 'embedding' cannot be reached" in caplog.text


@pytest.mark.parametrize("where", ["prompt", "language", "a_field"])
async def test_a_secret_beside_a_recording_never_reaches_an_engine(client: httpx.AsyncClient, where: str) -> None:
    before = len(BODIES)
    file = {"file": ("a.wav", b"RIFF", "audio/wav")}
    response = await client.post("/v1/audio/transcriptions", files=file, data={where: "AKIAABCDEFGHIJKLMNOP"})
    assert (response.status_code, response.json()["error"]["code"]) == (403, "refused")
    hidden = {"prompt": ("a", b"AKIAABCDEFGHIJKLMNOP", "text/plain")}
    assert (await client.post("/v1/audio/transcriptions", files=file | hidden)).status_code == 403
    assert len(BODIES) == before


async def test_a_form_that_is_none_is_the_callers_fault(client: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "multipart/form-data"}
    response = await client.post("/v1/audio/transcriptions", content=b"RIFF", headers=headers)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_input")


@pytest.mark.parametrize("secret", [["a", "AKIAABCDEFGHIJKLMNOP"], [["AKIAABCDEFGHIJKLMNOP"]]])
async def test_a_secret_in_a_list_never_reaches_an_engine(client: httpx.AsyncClient, secret: object) -> None:
    before = len(BODIES)
    response = await client.post("/v1/embeddings", json={"model": "bge-m3", "input": secret})
    assert (response.status_code, response.json()["error"]["code"]) == (403, "refused")
    assert len(BODIES) == before


async def test_a_secret_never_reaches_an_engine(client: httpx.AsyncClient) -> None:
    before = len(BODIES)
    response = await client.post("/v1/embeddings", json={"model": "bge-m3", "input": "AKIAABCDEFGHIJKLMNOP"})
    assert (response.status_code, response.json()["error"]["code"]) == (403, "refused")
    assert len(BODIES) == before


async def test_an_embedding_model_does_not_chat_and_says_so(client: httpx.AsyncClient) -> None:
    body = {"model": "bge-m3", "messages": [{"role": "user", "content": "Hallo"}]}
    response = await client.post("/v1/chat/completions", json=body)
    assert response.status_code == 400
    assert "it is for embedding" in response.json()["error"]["message"]
