"""Every way to fail, as the official SDK and a bare socket see it: the right status, one shape, an id, and a server that goes on."""

import asyncio
import gzip
import json
from collections.abc import AsyncGenerator, Generator
from typing import Any

import httpx2
import openai
import pytest
from pydantic_ai.models import override_allow_model_requests
from requirements import requirement
from sdk_house import MODEL, Desk, chunk, desk_before_engine, problems
from starlette.responses import Response

from server.body import read_object
from tools.models.breaker import Breaker

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(30)]

HELLO: Any = [{"role": "user", "content": "Hallo"}]
PLAIN: Any = [{"role": "user", "content": "Schreib in einfacher Sprache: Der Rat tagt."}]
CHAT = json.dumps({"model": "summary", "messages": HELLO}).encode()
SECRET = "sk-" + "a" * 24


@pytest.fixture(scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Desk]:
    async with desk_before_engine(tmp_path_factory.mktemp("home"), max_body_bytes=20_000_000) as opened:
        yield opened


@pytest.fixture(autouse=True)
def well(here: Desk) -> Generator[None]:
    """The engine has a clean record, and may be asked."""
    for pool in here.site.house.hub.pools.values():
        for replica in pool.replicas:
            replica.breaker = Breaker()
    with override_allow_model_requests(True):
        yield


@pytest.fixture
async def wire(here: Desk) -> AsyncGenerator[httpx2.AsyncClient]:
    headers = {"Authorization": f"Bearer {here.site.key}"}
    async with httpx2.AsyncClient(base_url=here.url, headers=headers) as client:
        yield client


def shaped(answer: httpx2.Response) -> dict[str, Any]:
    """The error of an answer that is shaped as OpenAI's."""
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    assert problems("ErrorResponse", answer.json()) == []
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    return answer.json()["error"]


@requirement("ERROR-1", "ERROR-7")
@pytest.mark.parametrize("model", [MODEL, "plain_language", "chat"])
@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (401, openai.InternalServerError, None),
        (403, openai.InternalServerError, None),
        (404, openai.InternalServerError, None),
        (429, openai.RateLimitError, "rate_limit_exceeded"),
        (500, openai.InternalServerError, None),
        (503, openai.InternalServerError, "unavailable"),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
async def test_a_fault_of_the_engine_is_told_as_what_it_means_to_the_caller(
    here: Desk, model: str, status: int, kind: type[openai.APIStatusError], code: str | None, streamed: bool
) -> None:
    here.engine.fails(status, f"Incorrect API key provided: {SECRET} at http://10.0.0.7", headers={"Retry-After": "7"})
    with pytest.raises(kind) as failed:
        await here.sdk.chat.completions.create(model=model, messages=PLAIN, extra_body={"stream": streamed})
    assert failed.value.response.status_code == {401: 502, 403: 502, 404: 502, 500: 503}.get(status, status)
    assert failed.value.code == code or code is None
    assert not {"10.0.0.7", SECRET, "API key"} & set(failed.value.message.split())
    assert failed.value.response.headers.get("retry-after") == ("7" if status in (429, 500, 503) else None)
    assert failed.value.request_id
    shaped(failed.value.response)


@requirement("ERROR-3", "ERROR-6")
@pytest.mark.parametrize(
    ("said", "param", "code"),
    [
        ({"message": "top_k must be -1 or more, got -5.", "param": "top_k"}, "top_k", "invalid_parameter"),
        ({"message": "temperature must be non-negative."}, "body", "invalid_parameter"),
        (
            {"message": "This model's maximum context length is 512 tokens. However, you requested 900."},
            None,
            "context_length_exceeded",
        ),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
async def test_what_an_engine_finds_wrong_is_told_in_its_words(
    here: Desk, said: dict[str, Any], param: str | None, code: str, streamed: bool
) -> None:
    here.engine.fails(400, **said)
    with pytest.raises(openai.BadRequestError) as refused:
        await here.sdk.chat.completions.create(model=MODEL, messages=HELLO, extra_body={"stream": streamed})
    assert (refused.value.param, refused.value.code) == (param, code)
    assert said["message"] in refused.value.message


@requirement("ERROR-6")
async def test_a_use_case_whose_text_is_too_long_for_its_model_says_so(here: Desk) -> None:
    here.engine.fails(400, "This model's maximum context length is 512 tokens. However, you requested 900.")
    with pytest.raises(openai.BadRequestError) as refused:
        await here.sdk.chat.completions.create(model="plain_language", messages=HELLO)
    assert refused.value.code == "context_length_exceeded"


@requirement("ERROR-8")
@pytest.mark.parametrize("streamed", [False, True])
async def test_an_engine_that_is_down_is_503(here: Desk, streamed: bool) -> None:
    with pytest.raises(openai.InternalServerError) as failed:
        await here.sdk.chat.completions.create(model="down", messages=HELLO, extra_body={"stream": streamed})
    assert (failed.value.status_code, failed.value.code) == (503, "unavailable")
    assert "127.0.0.1" not in failed.value.message


@requirement("ERROR-9")
@pytest.mark.parametrize("streamed", [False, True])
async def test_an_engine_that_does_not_answer_in_time_is_504(
    tmp_path_factory: pytest.TempPathFactory, streamed: bool
) -> None:
    limits = {"first": 0.2, "total": 0.2, "silence": 0.2}
    asked = asyncio.Event()

    class Never(Response):
        async def __call__(self, *wire: Any) -> None:
            await asked.wait()

    async with desk_before_engine(tmp_path_factory.mktemp("home"), limits=limits) as here:
        here.engine.answer = lambda body: Never()
        with pytest.raises(openai.InternalServerError) as failed:
            await here.sdk.chat.completions.create(model=MODEL, messages=HELLO, extra_body={"stream": streamed})
        asked.set()
    assert (failed.value.status_code, failed.value.code) == (504, "timeout")


@requirement("STREAM-6")
@pytest.mark.parametrize(
    ("last", "end"),
    [
        ([], False),
        ([{"error": {"message": "CUDA error at /opt/x", "code": 500}}], True),
        ([b"data: {broken\n\n"], True),
        ([b"data: [1]\n\n"], True),
    ],
    ids=["cut", "error", "malformed", "no object"],
)
async def test_a_stream_that_breaks_raises_in_the_sdk_and_has_no_clean_end(
    here: Desk, last: list[Any], end: bool
) -> None:
    here.engine.streams(chunk({"role": "assistant", "content": "Guten "}), chunk({"content": "Tag "}), *last, end=end)
    said = ""
    with pytest.raises(openai.APIError) as failed:
        async for one in await here.sdk.chat.completions.create(model=MODEL, messages=HELLO, stream=True):
            said += one.choices[0].delta.content or ""
    assert said == "Guten Tag "
    assert "/opt/x" not in failed.value.message
    async with here.sdk.chat.completions.with_streaming_response.create(
        model=MODEL, messages=HELLO, stream=True
    ) as response:
        assert "data: [DONE]" not in await response.text()


@requirement("ERROR-1", "AUTH-2", "ERROR-2")
async def test_who_may_not_and_what_is_not_there_have_the_sdks_own_classes(here: Desk) -> None:
    async with openai.AsyncOpenAI(base_url=f"{here.url}/v1", api_key="pt-wrong", max_retries=0) as stranger:
        with pytest.raises(openai.AuthenticationError) as refused:
            await stranger.models.list()
    assert refused.value.code == "invalid_api_key"
    with pytest.raises(openai.NotFoundError) as unknown:
        await here.sdk.chat.completions.create(model="gpt-9", messages=HELLO)
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        await here.sdk.models.retrieve("gpt-9")
    with pytest.raises(openai.PermissionDeniedError):
        await here.sdk.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": SECRET}])


@requirement("ERROR-10")
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/v1", "/v1/nothing", "/v1/chat", "/v1/chat/completions/chatcmpl-1", "/v2/models"])
async def test_an_unknown_path_is_404(wire: httpx2.AsyncClient, method: str, path: str) -> None:
    answer = await wire.request(method, path, content=CHAT, headers={"Content-Type": "application/json"})
    assert (answer.status_code, shaped(answer)["code"]) == (404, "not_found")


@requirement("ERROR-11")
@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/chat/completions", {"POST"}),
        ("PUT", "/v1/chat/completions", {"POST"}),
        ("DELETE", "/v1/chat/completions", {"POST"}),
        ("OPTIONS", "/v1/chat/completions", {"POST"}),
        ("POST", "/v1/models", {"GET", "HEAD"}),
        ("OPTIONS", "/v1/models", {"GET", "HEAD"}),
        ("DELETE", "/v1/models/summary", {"GET", "HEAD"}),
    ],
)
async def test_another_method_is_405_and_says_which_there_are(
    wire: httpx2.AsyncClient, method: str, path: str, allowed: set[str]
) -> None:
    answer = await wire.request(method, path)
    assert (answer.status_code, shaped(answer)["code"]) == (405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) == allowed


@requirement("MODELS-5")
async def test_models_answer_to_head_and_to_a_slash_at_the_end(wire: httpx2.AsyncClient) -> None:
    head, slash, plain = (
        await wire.head("/v1/models"),
        await wire.get("/v1/models/", follow_redirects=True),
        await wire.get("/v1/models"),
    )
    assert (head.status_code, head.content) == (200, b"")
    assert slash.json() == plain.json()


@requirement("MODELS-5")
async def test_a_slash_too_many_behind_chat_completions_is_no_address_and_leads_nowhere_else(
    wire: httpx2.AsyncClient,
) -> None:
    answer = await wire.post("/v1/chat/completions/", json={})
    assert (answer.status_code, shaped(answer)["code"]) == (404, "not_found")


@requirement("ERROR-12")
@pytest.mark.parametrize(
    ("sent", "kept"),
    [("order-7.a_b:c", True), ("x" * 128, True), ("x" * 129, False), ("a b", False), ("ä", False), ("", False)],
)
async def test_every_answer_has_an_id_and_a_plain_one_of_the_clients_is_kept(
    wire: httpx2.AsyncClient, sent: str, kept: bool
) -> None:
    answers = [
        await wire.request(method, path, headers=[(b"x-request-id", sent.encode())])
        for method, path in (("GET", "/v1/models"), ("GET", "/nothing"), ("PUT", "/v1/models"), ("GET", "/healthz"))
    ]
    ids = [answer.headers.get_list("x-request-id") for answer in answers]
    assert all(len(one) == 1 and (one[0] == sent) is kept and one[0] for one in ids)


@requirement("ERROR-13")
async def test_the_engine_is_told_the_id_of_the_request(here: Desk) -> None:
    here.engine.says({"content": "Gut."})
    raw = await here.sdk.chat.completions.with_raw_response.create(
        model=MODEL, messages=HELLO, extra_headers={"x-request-id": "order-7"}
    )
    assert raw.headers["x-request-id"] == here.engine.headers[-1]["x-request-id"] == "order-7"
    assert here.engine.headers[-1]["traceparent"]


@requirement("ERROR-4", "BODY-1", "BODY-2", "BODY-3", "BODY-4", "BODY-5", "BODY-6", "BODY-7", "BODY-9")
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/use-cases/summary"])
@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 400),
        (b"[]", {}, 400),
        (b"null", {}, 400),
        (CHAT[:-1], {}, 400),
        (CHAT.replace(b'"Hallo"', b"NaN"), {}, 400),
        (CHAT.replace(b'"Hallo"', b"1e999"), {}, 400),
        (CHAT.replace(b'"Hallo"', b"9" * 100_000), {}, 400),
        (CHAT.replace(b'"Hallo"', b"[" * 100_000), {}, 400),
        (CHAT.replace(b'"Hallo"', b'{"a":' * 100_000), {}, 400),
        (CHAT.replace(b"Hallo", b"\xff\xfe"), {}, 400),
        (CHAT.replace(b"Hallo", b"\\ud800"), {}, 400),
        (CHAT[:-1] + b', "model": "down"}', {}, 400),
        (b"{" + b",".join(b'"%d":0' % at for at in range(1_000_000)) + b"}", {}, 413),
        (b'{"a": "' + b"x" * 20_000_000 + b'"}', {}, 413),
        (gzip.compress(CHAT), {"Content-Encoding": "gzip"}, 415),
        (gzip.compress(b'"' + b" " * 10_000_000), {"Content-Encoding": "gzip"}, 415),
        (CHAT, {"Content-Type": "text/plain"}, 415),
        (CHAT, {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        (CHAT, {"Content-Type": "multipart/form-data; boundary=x"}, 415),
    ],
)
async def test_a_hostile_body_is_refused_and_the_next_request_served(
    wire: httpx2.AsyncClient, path: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = await wire.post(path, content=body, headers={"Content-Type": "application/json"} | headers)
    error = shaped(answer)
    assert answer.status_code == status
    assert error["param"] == ("body" if status == 400 else None)
    assert len(answer.content) < 1_000
    assert (await wire.get("/v1/models")).status_code == 200


@requirement("BODY-7", "ERROR-3")
@pytest.mark.parametrize(
    ("change", "status", "param"),
    [
        ({"messages": [*HELLO] * 20_000}, 400, "messages"),
        ({"messages": [7] * 200_000}, 400, "messages"),
        ({"tools": [7] * 200_000}, 400, "tools"),
        ({"metadata": {str(at): at for at in range(100_000)}}, 400, "metadata"),
        ({"logit_bias": {str(at): [] for at in range(80_000)}}, 400, "logit_bias"),
        ({"model": "a" * 10_000_000}, 404, None),
        ({"response_format": {"type": "x" * 5_000_000}}, 400, "response_format.type"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else None,
)
async def test_what_is_too_much_of_one_thing_is_refused_in_a_short_sentence(
    wire: httpx2.AsyncClient, change: dict[str, Any], status: int, param: str | None
) -> None:
    answer = await wire.post("/v1/chat/completions", json={"model": "summary", "messages": HELLO} | change)
    assert (answer.status_code, shaped(answer)["param"]) == (status, param)
    assert len(answer.content) < 1_000


async def exchange(here: Desk, *parts: bytes, headers: bytes = b"", end: bool = False) -> bytes:
    """What a bare socket reads back for a chat request of these parts, up to the end or that of the error's JSON."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(here.url.rpartition(":")[2]))
    head = (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nAuthorization: Bearer "
    )
    writer.write(head + here.site.key.encode() + b"\r\n" + headers + b"\r\n")
    for part in parts:
        writer.write(part)
        await writer.drain()
    if end:
        writer.write_eof()
    read = b""
    while not read.endswith(b"}}") and (part := await reader.read(65_536)):
        read += part
    writer.close()
    return read


@requirement("BODY-10")
@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (b"Content-Length: x\r\n", CHAT),
        (b"Content-Length: -5\r\n", CHAT),
        (b"Content-Length: 5\r\nContent-Length: 6\r\n", CHAT),
        (b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n" % len(CHAT), CHAT),
        (b"Transfer-Encoding: chunked\r\n", b"zz\r\n" + CHAT),
        (b"Content-Length: 10\r\nConnection: close\r\n", CHAT),
    ],
)
async def test_a_body_that_is_not_as_long_as_it_says_is_400(here: Desk, headers: bytes, body: bytes) -> None:
    read = await exchange(here, body, headers=headers)
    head, _, told = read.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert b"x-request-id" in head.lower()
    assert problems("ErrorResponse", json.loads(told)) == []
    assert await here.sdk.models.list()


@requirement("BODY-10")
async def test_a_client_that_sends_less_than_it_said_and_leaves_costs_nothing(here: Desk) -> None:
    assert await exchange(here, CHAT[:20], headers=b"Content-Length: 9999\r\n", end=True) == b""
    assert await here.sdk.models.list()


@requirement("ERROR-4")
async def test_a_body_that_says_it_is_too_large_is_refused_by_its_head(here: Desk) -> None:
    assert (await exchange(here, headers=b"Content-Length: 99999999999\r\n")).startswith(b"HTTP/1.1 413")


@requirement("BODY-8")
async def test_a_body_that_trickles_is_408_and_the_connection_ends(here: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_object, "__kwdefaults__", {"seconds": 0.05})
    read = await exchange(here, CHAT[:20], headers=b"Content-Length: %d\r\n" % len(CHAT))
    assert read.startswith(b"HTTP/1.1 408")
    assert b"connection: close" in read.lower()
    assert b'"code":"request_timeout"' in read
