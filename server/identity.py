"""The door: turns the bearer token of a request into a verified caller, before anything else looks at the request."""

import asyncio
import logging
import random
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Protocol, cast

from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.errors import Broken, http_error
from tools.base import Caller, InvalidInput, PartiturError, TooLarge, Unauthenticated, Unavailable

if TYPE_CHECKING:
    from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser

__all__ = ["Door", "Verifier", "admit", "bearer", "caller_behind", "caller_in", "mcp_user", "new_id", "request_id_of"]

log = logging.getLogger(__name__)
_CALLER = "partitur.caller"
_REQUEST = "partitur.request"
_PLAIN_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_NO_SNIFFING = (b"x-content-type-options", b"nosniff")
_NO_STORE = (b"cache-control", b"no-store")
_chance = random.Random(secrets.randbits(128))
_DIGITS = 15
"""Of a Content-Length that is looked at."""


class Verifier(Protocol):
    """Makes a caller of a token; the same one stands before every interface."""

    async def __call__(self, token: str) -> Caller:
        """The verified caller.

        Raises:
            Unauthenticated: the token is not valid.
        """
        ...


class Door:
    """Outermost of all: gives each request an id, a caller and a largest size, and each error its shape.

    Args:
        app: what stands behind the door.
        verify: makes callers of tokens.
        open_paths: served to everybody.
        max_body_bytes: a longer body is refused while it is read.
        larger: paths whose bodies may be larger, with how many bytes.
        stopping: True once the server shuts down.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        verify: Verifier,
        open_paths: Collection[str],
        max_body_bytes: int,
        larger: Mapping[str, int] | None = None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._app = app
        self._verify = verify
        self._open = frozenset(open_paths)
        self._most = max_body_bytes
        self._larger = larger or {}
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            else:
                await self._app(scope, receive, send)
            return
        started, size = False, 0
        most = self._larger.get(scope["path"], self._most)
        scope[_REQUEST] = request_id = _request_id(scope["headers"])

        async def sending(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                given = cast("list[tuple[bytes, bytes]]", message["headers"])
                # Not into the list itself: it may be that of every answer of its kind.
                message["headers"] = headers = [*given, (b"x-request-id", request_id.encode()), _NO_SNIFFING]
                for name, _ in given:
                    if name == b"cache-control":
                        break
                else:
                    headers.append(_NO_STORE)
            await send(message)

        async def receiving() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > most:
                raise _too_large(most)
            return message

        async def answer(response: Response) -> None:
            if not started:
                await response(scope, receive, sending)

        try:
            _check_length(scope["headers"], most)
            if scope["path"] not in self._open:
                token = bearer(scope)
                try:
                    scope[_CALLER] = await self._verify(token)
                except Unauthenticated as error:
                    await answer(http_error(error, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}))
                    return
            await self._app(scope, receiving, sending)
        except PartiturError as error:
            if error.code == "setup":
                log.exception("Request %s met a fault of the installation", request_id)
            await answer(http_error(error))
        except ClientDisconnect:
            return
        except asyncio.CancelledError:
            if not self._stopping():
                raise
            await answer(http_error(Unavailable("The server is shutting down.", hint="Send it again in a moment.")))
        except Exception:
            log.exception("Request %s failed", request_id)
            await answer(
                http_error(
                    Broken(
                        f"The request {request_id} failed inside the server.",
                        hint="The log has the reason under this id.",
                    )
                )
            )


def admit(scope: Scope, caller: Caller) -> None:
    """Makes a request that this server asks itself one of `caller`, as the door does for those from outside."""
    scope[_CALLER] = caller
    scope[_REQUEST] = new_id()


def request_id_of(scope: Scope) -> str:
    """The id of a request that came through the door; the client reads it in `x-request-id`, the engine gets it too."""
    return cast("str", scope[_REQUEST])


def new_id() -> str:
    """32 hexadecimal digits that no other request has. They name something and guard nothing."""
    return f"{_chance.getrandbits(128):032x}"


def _request_id(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The client's own id where it is a short plain word, else a new one."""
    for name, value in headers:
        if name == b"x-request-id" and _PLAIN_ID.fullmatch(value):
            return value.decode()
    return new_id()


def _check_length(headers: Iterable[tuple[bytes, bytes]], most: int) -> None:
    """Refuses by its head a body that says it is too large, or that says nonsense."""
    for name, value in headers:
        if name == b"content-length" and (len(value) > _DIGITS or not value.isdigit() or int(value) > most):
            raise _too_large(most)


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"The body of the request is too large. At most {most} bytes are read.")


def bearer(scope: Scope) -> str:
    """The token of a request: from its one Authorization header and from nowhere else.

    Raises:
        Unauthenticated: there is none.
        InvalidInput: there is more than one.
    """
    found = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(found) > 1:
        raise InvalidInput(
            f"The request has {len(found)} Authorization headers. Expected one.", hint="Send one bearer token."
        )
    kind, _, token = (found[0] if found else b"").decode("latin-1").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise Unauthenticated("The request carries no API key. Expected 'Authorization: Bearer pt-…'.")
    return token.strip()


def caller_behind(connection: HTTPConnection) -> Caller:
    """Who sent a request that came through the door. Raises as `caller_in`."""
    return caller_in(connection.scope)


def caller_in(scope: Scope) -> Caller:
    """Who sent a request that came through the door.

    Raises:
        Unauthenticated: it came in without a caller, through an open path.
    """
    caller = cast("Caller | None", scope.get(_CALLER))
    if caller is None:
        raise Unauthenticated("The request carries no API key. Expected 'Authorization: Bearer pt-…'.")
    return caller


def mcp_user(scope: Scope) -> "AuthenticatedUser":
    """The caller of a request as the MCP libraries carry one; the token itself goes no further."""
    from fastmcp.server.auth import AccessToken
    from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser

    caller = caller_in(scope)
    token = AccessToken(
        token="",
        client_id=caller.subject,
        subject=caller.subject,
        scopes=sorted(caller.scopes),
        claims={"caller": caller},
    )
    return AuthenticatedUser(token)
