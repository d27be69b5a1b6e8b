"""The engines of one model as one: the least busy that is well gets the request, another where it fails in time."""

import asyncio
import logging
import random
from collections.abc import Mapping, Set
from types import TracebackType
from typing import TYPE_CHECKING, cast

from pydantic_core import from_json

from tools.base import Failed, Overloaded, PartiturError, TimedOut, Unavailable
from tools.models.config import ModelConfig
from tools.models.replica import Replica
from tools.models.reply import Reply
from tools.models.request import Body, Json
from tools.models.salts import Salts
from tools.models.slots import Slots
from tools.models.transport import Transport

if TYPE_CHECKING:
    import aiohttp

__all__ = ["Declined", "Pool"]

log = logging.getLogger(__name__)
_BUSY = frozenset({408, 429, 500, 502, 503, 504})
"""What another engine, or the same a little later, may answer better."""
_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
_SAID = 500


class Declined(Failed):
    """The engine said no to what it was sent.

    Args:
        message: as for every error.
        answered: its HTTP status.
        said: its own sentence, or nothing.
        param: the part of the request that it names, if any.
        hint: as for every error.
    """

    def __init__(
        self, message: str, *, answered: int, said: str, param: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.answered = answered
        self.said = said
        self.param = param


class Pool:
    """A model and its engines.

    Args:
        id: the model's id.
        config: what the installation says of it.
        transport: the HTTP client.
        salts: makes the cache salt of a tenant.
        fallback: who serves where no engine of this one can.
    """

    def __init__(
        self,
        id: str,
        config: ModelConfig,
        transport: Transport,
        *,
        salts: Salts | None = None,
        fallback: "Pool | None" = None,
    ) -> None:
        self.id, self.config = id, config
        self.name = config.name or id
        self.replicas = [Replica(url) for url in config.engines]
        limits = config.limits
        self.slots = Slots(f"The model {id!r}", running=limits.running, queued=limits.queued, wait=limits.wait)
        self.fallback = fallback
        self._transport, self._salts = transport, salts
        self._turn = 0
        self._headers = {"Authorization": f"Bearer {config.key.get_secret_value()}"} if config.key else {}

    def open(
        self,
        path: str,
        body: Body,
        *,
        headers: Mapping[str, str] | None = None,
        media_type: str = "application/json",
        stream: bool = False,
        tenant: str | None = None,
        priority: int = 0,
    ) -> "Opening":
        """Sends a request, as an asynchronous context manager that gives the `Reply`.

        Leaving the block before the answer is whole closes the connection, which stops the engine's work.

        Args:
            path: below the address of the engine, for example 'chat/completions'.
            body: what is sent.
            headers: further headers, for example 'traceparent' and 'x-request-id'.
            media_type: of the body.
            stream: whether the answer comes in pieces; they have limits of their own.
            tenant: whose part of the prefix cache it may use.
            priority: a higher number waits longer, here and at an engine that knows priorities.

        Raises:
            Overloaded: too many requests are running and waiting; or the engines said so.
            Unavailable: no engine can be reached.
            TimedOut: the answer did not begin in time.
            Declined: the engine refused the request.
        """
        return Opening(self, path, body, headers or {}, media_type, stream, tenant, priority)

    def written(self, body: Body, *, tenant: str | None, priority: int) -> bytes:
        """The body as this model's engines get it."""
        if not isinstance(body, Json):
            return body
        changes: dict[str, object] = {"model": self.name}
        if self.config.server == "vllm" and self.config.kind == "chat":
            if self._salts is not None and tenant is not None:
                changes["cache_salt"] = self._salts.of(tenant, body.data.get("cache_salt"))
            if "priority" in self.config.capabilities and (priority or "priority" in body.data):
                asked = body.data.get("priority")
                # Nobody jumps the queue: what a client asks for can only make it wait longer.
                changes["priority"] = max(priority, asked if isinstance(asked, int) else 0)
        return body.written(changes)

    def choose(self, tried: Set[Replica], now: float) -> Replica | None:
        """The least busy engine that may be asked and was not tried yet; equal ones in turn."""
        self._turn += 1
        replicas = self.replicas
        if len(replicas) == 1:
            only = replicas[0]
            return only if only not in tried and only.breaker.allows(now) else None
        shift = self._turn % len(replicas)
        free = [one for one in (*replicas[shift:], *replicas[:shift]) if one not in tried and one.breaker.allows(now)]
        return min(free, key=lambda one: (one.healthy is False, one.load), default=None)

    async def send(
        self, path: str, body: bytes, headers: Mapping[str, str], *, stream: bool, until: float
    ) -> "tuple[aiohttp.ClientResponse, Replica]":
        """The beginning of an answer, from whichever engine gives one; its `outstanding` counts it from here on."""
        import aiohttp

        loop, limits = asyncio.get_running_loop(), self.config.limits
        sent = {**self._headers, **headers}
        tried: set[Replica] = set()
        fault: PartiturError | None = None
        for attempt in range(limits.retries + 1):
            if attempt and fault is not None:
                await self._pause(attempt, fault, tried, until)
            replica = self.choose(tried, loop.time()) or self.choose(set(), loop.time())
            if replica is None:
                raise fault or self._resting(loop.time())
            tried.add(replica)
            replica.outstanding += 1
            replica.breaker.begun()
            kept = False
            try:
                due = min(until, loop.time() + limits.first) if stream else until
                async with asyncio.timeout_at(due):
                    response = await self._transport.post(
                        f"{replica.url}/{path}", body, headers=sent, connect=limits.connect
                    )
                    if response.status < 400:
                        replica.breaker.succeeded()
                        kept = True
                        return response, replica
                    said, param = await self._said(response)
                fault = self._refusal(response, said, param)
                if isinstance(fault, Declined):
                    replica.breaker.succeeded()
                    raise fault
                rest = fault.retry_after if isinstance(fault, Overloaded | Unavailable) else None
                if response.status == 429 or (response.status == 503 and rest is None):
                    replica.breaker.ended()  # it is well and busy
                else:
                    replica.breaker.failed(loop.time(), rest=rest)
            except (aiohttp.ClientError, OSError) as error:
                replica.breaker.failed(loop.time())
                if isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientError):
                    # It has the request: asking another would do the work twice.
                    raise TimedOut(f"The engine of {self.id!r} gave no answer in time.") from error
                log.warning("The engine %s of %r cannot be reached: %s", replica.shown, self.id, error)
                fault = Unavailable(f"The engine of {self.id!r} cannot be reached ({type(error).__name__}).")
            except BaseException:
                replica.breaker.ended()
                raise
            finally:
                if not kept:
                    replica.outstanding -= 1
        raise fault or self._resting(loop.time())

    async def _pause(self, attempt: int, fault: PartiturError, tried: "set[Replica]", until: float) -> None:
        """Waits before a further try: not where another engine is free, else with jitter, and as long as asked for."""
        now = asyncio.get_running_loop().time()
        if self.choose(tried, now) is not None:
            return
        tried.clear()
        pause = min(_PAUSE_S * 2 ** (attempt - 1), _LONGEST_PAUSE_S) * random.uniform(0.5, 1.5)
        asked = fault.retry_after if isinstance(fault, Overloaded | Unavailable) else None
        if asked is not None:
            if asked > _LONGEST_PAUSE_S:
                raise fault
            pause = max(pause, asked)
        if now + pause >= until:
            raise fault
        await asyncio.sleep(pause)

    async def _said(self, response: "aiohttp.ClientResponse") -> tuple[str, str | None]:
        """What the engine says of its error, and the parameter that it names."""
        data = await response.content.read(65_536)
        response.close()
        log.warning("The engine of %r answered %d: %r", self.id, response.status, data[:_SAID])
        return _message(data)

    def _refusal(self, response: "aiohttp.ClientResponse", said: str, param: str | None) -> PartiturError:
        status = response.status
        if status not in _BUSY:
            return Declined(
                f"The engine of {self.id!r} refused the request (status {status})" + (f": {said}" if said else "."),
                answered=status,
                said=said,
                param=param,
                hint="The log has the reason.",
            )
        again = _seconds(response.headers.get("Retry-After"))
        if status == 429:
            return Overloaded(f"The engine of {self.id!r} is overloaded.", retry_after=again)
        if status in (408, 504):
            return TimedOut(f"The engine of {self.id!r} gave no answer in time (status {status}).")
        return Unavailable(f"The engine of {self.id!r} is overloaded or broken (status {status}).", retry_after=again)

    def _resting(self, now: float) -> Unavailable:
        soonest = min((one.breaker.until for one in self.replicas), default=now) - now
        return Unavailable(
            f"No engine of {self.id!r} can be asked now: each failed several times in a row.",
            retry_after=max(1.0, soonest),
        )


class Opening:
    """A request that is being sent; entering waits until its answer begins."""

    def __init__(
        self,
        pool: Pool,
        path: str,
        body: Body,
        headers: Mapping[str, str],
        media_type: str,
        stream: bool,
        tenant: str | None,
        priority: int,
    ) -> None:
        self._pool, self._path, self._body = pool, path, body
        self._headers = {"Content-Type": media_type, **headers}
        self._stream, self._tenant, self._priority = stream, tenant, priority
        self._replica: Replica | None = None
        self._reply: Reply | None = None
        self._began = 0.0

    async def __aenter__(self) -> Reply:
        while True:
            try:
                return await self._begin()
            except (Overloaded, Unavailable, TimedOut) as error:
                if self._pool.fallback is None:
                    raise
                log.warning("The model %r serves for %r: %s", self._pool.fallback.id, self._pool.id, error)
                self._pool = self._pool.fallback

    async def _begin(self) -> Reply:
        pool, loop = self._pool, asyncio.get_running_loop()
        await pool.slots.take(self._priority)
        self._began = loop.time()
        until = self._began + pool.config.limits.total
        try:
            body = pool.written(self._body, tenant=self._tenant, priority=self._priority)
            response, self._replica = await pool.send(self._path, body, self._headers, stream=self._stream, until=until)
        except BaseException:
            pool.slots.free(loop.time() - self._began)
            raise
        self._reply = Reply(response, model=pool.id, silence=pool.config.limits.silence, until=until)
        return self._reply

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._replica is not None and self._reply is not None
        self._reply.close()
        if isinstance(error, Unavailable | TimedOut):
            self._replica.breaker.failed(asyncio.get_running_loop().time())
        self._replica.outstanding -= 1
        self._pool.slots.free(asyncio.get_running_loop().time() - self._began)


def _message(data: bytes) -> tuple[str, str | None]:
    """Sentence and parameter of an error in OpenAI's shape, or in vLLM's; nothing where there is none."""
    try:
        error: object = from_json(data)
    except ValueError:
        return "", None
    if isinstance(error, dict) and "error" in error:
        error = cast("object", error["error"])
    about = cast("dict[str, object]", error) if isinstance(error, dict) else {"message": error}
    said, param = about.get("message"), about.get("param")
    text = " ".join(said.split())[:_SAID] if isinstance(said, str) else ""
    return text, param if isinstance(param, str) else None


def _seconds(header: str | None) -> float | None:
    """A Retry-After in seconds; a date, or nonsense, is as none."""
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:
        return None
