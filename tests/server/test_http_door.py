"""Tests of the door: who comes in, how large a request may be, and how an error looks from outside."""

import re
from collections.abc import AsyncGenerator, AsyncIterator

import httpx
import pytest
from requirements import requirement
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from web_house import Web, asking, web

from server.app import OPEN_PATHS
from server.identity import Door
from tools.base import Caller, SetupError, Unauthenticated

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Web]:
    async with web(tmp_path_factory.mktemp("home"), max_body_bytes=20_000) as opened:
        await opened.app.state.health.loaded.wait()
        yield opened


@requirement("AUTH-1")
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic cHQ6eA=="}, {"Authorization": "Bearer"}])
async def test_without_a_token_nobody_comes_in(site: Web, headers: dict[str, str]) -> None:
    site_less = httpx.AsyncClient(transport=httpx.ASGITransport(site.app), base_url="http://test")
    async with site_less as client:
        answer = await client.get("/v1/models", headers=headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.json()["error"]["code"] == "invalid_api_key"


@requirement("AUTH-2")
async def test_a_wrong_token_is_called_invalid_and_not_repeated(site: Web) -> None:
    answer = await site.client.get("/v1/models", headers={"Authorization": "Bearer pt-wrong-one"})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer error="invalid_token"')
    assert "pt-wrong-one" not in answer.text


@requirement("AUTH-3")
async def test_two_tokens_are_a_malformed_request(site: Web) -> None:
    both = [("Authorization", f"Bearer {site.key}"), ("Authorization", f"Bearer {site.key}")]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(site.app), base_url="http://test") as client:
        answer = await client.get("/v1/models", headers=both)
    assert answer.status_code == 400


async def test_a_key_in_the_query_or_in_a_cookie_does_not_count(site: Web) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(site.app), base_url="http://test") as client:
        answer = await client.get(
            "/v1/models", params={"api_key": site.key, "access_token": site.key}, headers={"Cookie": f"key={site.key}"}
        )
    assert answer.status_code == 401


async def test_every_route_but_the_open_ones_needs_a_key(site: Web) -> None:
    paths = {str(getattr(route, "path", "")) for route in site.app.routes}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(site.app), base_url="http://test") as client:
        answers = {path: (await client.get(path)).status_code for path in sorted(paths)}
    assert {path for path, status in answers.items() if status != 401} == OPEN_PATHS
    assert {"/mcp", "/openapi.json", "/v1/chat/completions", "/v1/artifacts/{id}"} <= paths


async def test_an_address_that_is_not_there_is_hidden_from_strangers(site: Web) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(site.app), base_url="http://test") as client:
        assert (await client.get("/nowhere")).status_code == 401
    answer = await site.client.get("/nowhere")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


async def test_the_wrong_method_is_told_as_json(site: Web) -> None:
    answer = await site.client.delete("/v1/models")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


async def test_every_answer_has_an_id_and_is_not_sniffed(site: Web) -> None:
    answers = [await site.client.get(path) for path in ("/healthz", "/v1/models", "/nowhere")]
    ids = {answer.headers["x-request-id"] for answer in answers}
    assert len(ids) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", id) for id in ids)
    assert {answer.headers["x-content-type-options"] for answer in answers} == {"nosniff"}
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}


@requirement("ERROR-4")
async def test_an_answer_that_is_made_once_and_given_often_keeps_nothing_of_those_who_got_it() -> None:
    always = Response(b"ok")
    async with _door(Route("/x", lambda _: always)) as client:
        answers = [await client.get("/x", headers={"X-Request-Id": f"id-{n}"}) for n in range(3)]
    assert [answer.headers.get_list("x-request-id") for answer in answers] == [["id-0"], ["id-1"], ["id-2"]]
    assert "x-request-id" not in always.headers


async def test_a_body_that_says_it_is_too_large_is_not_read(site: Web) -> None:
    answer = await site.chat(model="summary", messages=asking("x" * 30_000))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


@requirement("ERROR-4")
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/mcp", "/api/use-cases/summary"])
async def test_a_body_that_hides_its_size_is_cut_off_while_it_is_read(site: Web, path: str) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(1_000):
            read += 1
            yield b'{"a": "' + b"x" * 1_000

    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    answer = await site.client.post(path, content=endless(), headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert read < 30


@requirement("ERROR-1")
@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b"   ", "empty"),
        (b"{", "not valid JSON"),
        (b"[1, 2]", "array"),
        (b"null", "null"),
        (b'"text"', "string"),
        (b"17", "number"),
        (b"true", "boolean"),
        (b'{"a": NaN}', "not valid JSON"),
        (b'{"a": "\xff\xfe"}', "not valid JSON"),
        (b"\x00\x01\x02\x89PNG", "not valid JSON"),
        (b"[" * 5_000, "nested too deep"),
        (b'{"a":' * 3_000, "nested too deep"),
        (b'{"a": "\\ud800"}', "not valid JSON"),
    ],
)
async def test_a_body_that_is_no_json_object_says_what_it_is(site: Web, body: bytes, says: str) -> None:
    answer = await site.client.post(
        "/v1/chat/completions", content=body, headers={"Content-Type": "application/json; charset=utf-8"}
    )
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], set(error)) == (
        400,
        "invalid_request_error",
        {"message", "type", "param", "code"},
    )
    assert says in error["message"]


@requirement("ERROR-4")
@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": ""},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
async def test_another_kind_of_body_is_not_guessed_at(site: Web, headers: dict[str, str]) -> None:
    answer = await site.client.post("/v1/chat/completions", content=b"{}", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")


async def test_a_fault_inside_is_logged_once_and_says_no_path(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(request: Request) -> Response:
        raise RuntimeError("/etc/secret/place is gone")

    async def misset(request: Request) -> Response:
        raise SetupError("The file '/etc/secret/place' is broken.")

    async with _door(Route("/broken", broken), Route("/misset", misset)) as client:
        answers = [await client.get("/broken"), await client.get("/misset")]
    assert [answer.status_code for answer in answers] == [500, 500]
    assert all("secret" not in answer.text and "Traceback" not in answer.text for answer in answers)
    assert answers[0].headers["x-request-id"] in answers[0].json()["error"]["message"]
    assert len(caplog.records) == 2


async def test_whatever_verifies_tokens_can_stand_at_the_door() -> None:
    seen: list[Caller] = []

    async def who(request: Request) -> Response:
        seen.append(request.scope["partitur.caller"])
        return Response("hello")

    async with _door(Route("/who", who)) as client:
        assert (await client.get("/who")).text == "hello"
    assert seen == [Caller(subject="anna", tenant="town")]


async def _verify(token: str) -> Caller:
    if token != "from-another-provider":
        raise Unauthenticated("The token is not valid.")
    return Caller(subject="anna", tenant="town")


def _door(*routes: Route) -> httpx.AsyncClient:
    door = Middleware(Door, verify=_verify, open_paths=(), max_body_bytes=1_000)
    app = Starlette(routes=routes, middleware=[door])
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://test",
        headers={"Authorization": "bearer from-another-provider"},
    )
