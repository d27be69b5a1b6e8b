"""Tests of the HTTP client for MCP servers of others: what it sends, and that trouble has the names httpx2 gives it."""

import asyncio
import gzip
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx2
import pytest

from server.outside_http import http_client

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def answering(*parts: bytes, hang: bool = False) -> AsyncGenerator[tuple[str, list[bytes], asyncio.Event]]:
    """A server that answers each request with `parts`: its address, the requests, and whether a client went away."""
    asked: list[bytes] = []
    gone, served = asyncio.Event(), list[asyncio.StreamWriter]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(writer)
        while data := await reader.read(65_536):
            asked.append(data)
            for part in parts:
                writer.write(part)
                await writer.drain()
            if not hang and not parts:
                break
        gone.set()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp", asked, gone
    finally:
        for writer in served:
            writer.close()
        server.close()
        await server.wait_closed()


def head(*fields: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, "", ""]).encode()


async def test_a_request_goes_out_as_it_was_made_and_its_connection_is_used_again() -> None:
    packed = gzip.compress(b'{"ok": true}')
    about = head(f"Content-Length: {len(packed)}", "Content-Encoding: gzip", "Mcp-Session-Id: s1")
    async with answering(about + packed) as (url, asked, gone):
        async with http_client(headers={"Authorization": "Bearer k"}) as client:
            for _ in range(2):
                response = await client.post(url, json={"id": 1})
                assert (response.status_code, response.json()) == (200, {"ok": True})
                assert response.headers["mcp-session-id"] == "s1"
            assert not gone.is_set()
        sent = asked[0].lower()
        assert b"authorization: bearer k\r\n" in sent and sent.endswith(b'{"id":1}')
        assert sent.count(b"content-length:") == sent.count(b"content-type:") == sent.count(b"host:") == 1
        await gone.wait()


async def test_a_stream_is_given_as_it_comes_and_leaving_it_closes_the_connection() -> None:
    begun = head("Content-Type: text/event-stream", "Transfer-Encoding: chunked") + b"7\r\ndata: 1\r\n"
    async with answering(begun, hang=True) as (url, _, gone), http_client() as client:
        async with client.stream("POST", url, content=b"{}") as response:
            assert await anext(response.aiter_bytes()) == b"data: 1"
        await gone.wait()


async def test_trouble_has_the_names_of_httpx2() -> None:
    async with http_client() as client:
        with pytest.raises(httpx2.ConnectError):
            await client.get("http://127.0.0.1:9/mcp")
        async with answering() as (url, _, _):
            with pytest.raises(httpx2.ReadError):
                await client.post(url, content=b"{}")
        async with answering(head("Content-Length: 10") + b"half", hang=True) as (url, _, _):
            with pytest.raises(httpx2.ReadTimeout):
                await client.post(url, content=b"{}", timeout=httpx2.Timeout(5.0, read=0.05))
        async with answering(hang=True) as (url, _, _):
            with pytest.raises(httpx2.ReadTimeout):
                await client.post(url, content=b"{}", timeout=httpx2.Timeout(5.0, read=0.05))
