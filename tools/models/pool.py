"""The engines of one model as one: the least busy that is well gets the request, another where it fails in time."""

import asyncio
import logging
import random
from collections.abc import Mapping, Set
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple

from tools.base import Overloaded, PartiturError, TimedOut, Unavailable
from tools.models.config import ModelConfig
from tools.models.refusal import Declined, refusal
from tools.models.replica import Replica
from tools.models.reply import Reply
from tools.models.request import Body, Json
from tools.models.salts import Salts
from tools.models.slots import Slots
from tools.models.transport import Transport

if TYPE_CHECKING:
    from tools.models.connections import Answer

__all__ = ["Pool"]

log = logging.getLogger(__name__)
_AWAY = frozenset({408, 502, 504})
"""Said by what stands before an engine that does not answer."""
_CACHING = frozenset({"chat", "embedding", "rerank"})
"""Kinds whose engines keep what they have computed of a prompt."""
_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0


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

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that requests run on."""
        return self._transport.loop

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
        if self.config.server == "vllm":
            if self.config.kind in _CACHING and self._salts is not None and tenant is not None:
                changes["cache_salt"] = self._salts.of(tenant, body.data.get("cache_salt"))
            if self.config.kind != "chat" or "priority" not in self.config.capabilities:
                priority = 0  # the engine may know none and refuse it
            if priority or "priority" in body.data:
                asked = body.data.get("priority")
                # Nobody jumps the queue: what a client asks for can only make it wait longer.
                changes["priority"] = max(priority, asked if type(asked) is int else 0)
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

    async def send(self, path: str, body: bytes, headers: Mapping[str, str], *, stream: bool, until: float) -> "Begun":
        """The beginning of an answer, from whichever engine gives one; its `outstanding` counts it from here on."""
        loop, sent = self._transport.loop, {**self._headers, **headers}
        tried: set[Replica] = set()
        broken: set[Replica] = set()
        fault: PartiturError | None = None
        for attempt in range(self.config.limits.retries + 1):
            if fault is not None:
                await self._pause(attempt, fault, tried, until)
            replica = self.choose(tried, loop.time())
            if replica is None:
                break
            tried.add(replica)
            begun = await self._ask(replica, path, body, sent, stream=stream, until=until)
            if isinstance(begun, Begun):
                for other in broken - {replica}:  # the request can be served, so that the fault was theirs
                    other.breaker.failed(loop.time())
                return begun
            fault, error = begun
            if error:
                broken.add(replica)
        raise fault or self._resting(loop.time())

    async def _ask(
        self, replica: Replica, path: str, body: bytes, headers: Mapping[str, str], *, stream: bool, until: float
    ) -> "Begun | tuple[PartiturError, bool]":
        """One try: the beginning of an answer; or why another try may help, and whether the engine erred over this one.

        Raises:
            PartiturError: another try would not help, or do the work twice.
        """
        import aiohttp

        loop, limits, breaker = self._transport.loop, self.config.limits, replica.breaker
        replica.outstanding += 1
        trial = breaker.begun()
        response: Answer | None = None
        kept = False
        try:
            async with asyncio.timeout_at(min(until, loop.time() + limits.first) if stream else until):
                response = await self._transport.post(
                    f"{replica.url}/{path}", body, headers=headers, connect=limits.connect
                )
                status = response.status
                if 200 <= status < 300:
                    # A status alone is no answer yet: engines send it before they have computed anything.
                    head = await response.content.readany() if stream else None
                    breaker.answered()
                    kept = True
                    return Begun(response, replica, head)
                fault = await refusal(response, self.id)
            if isinstance(fault, Declined):
                breaker.succeeded()
                raise fault
            if status in _AWAY:
                breaker.failed(loop.time(), trial=trial)
            elif status == 503 and isinstance(fault, Unavailable) and fault.retry_after is not None:
                breaker.failed(loop.time(), trial=trial, rest=fault.retry_after)
            # Else it is there: busy, or it erred over this request, which may do the same to every engine.
            if isinstance(fault, TimedOut):
                raise fault
            return fault, status == 500
        except (aiohttp.ClientError, OSError) as error:
            breaker.failed(loop.time(), trial=trial)
            if isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientError):
                # It has the request: asking another would do the work twice.
                raise TimedOut(f"The engine of {self.id!r} gave no answer in time.") from error
            log.warning("The engine %s of %r cannot be reached: %s", replica.shown, self.id, error)
            return Unavailable(f"The engine of {self.id!r} cannot be reached ({type(error).__name__})."), False
        finally:
            if not kept:
                breaker.ended(trial=trial)
                replica.outstanding -= 1
                if response is not None:
                    response.close()

    async def _pause(self, attempt: int, fault: PartiturError, tried: "set[Replica]", until: float) -> None:
        """Waits before a further try: not where another engine is free, else with jitter, and as long as asked for."""
        now = self._transport.loop.time()
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

    def _resting(self, now: float) -> Unavailable:
        soonest = min((one.breaker.until for one in self.replicas), default=now) - now
        return Unavailable(
            f"No engine of {self.id!r} can be asked now: each failed several times in a row.",
            retry_after=max(1.0, soonest),
        )


class Begun(NamedTuple):
    """An answer that has begun: from which engine, and its first bytes where they were read."""

    response: "Answer"
    replica: Replica
    head: bytes | None


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
        pool, loop = self._pool, self._pool.loop
        await pool.slots.take(self._priority)
        self._began = loop.time()
        until = self._began + pool.config.limits.total
        try:
            body = pool.written(self._body, tenant=self._tenant, priority=self._priority)
            begun = await pool.send(self._path, body, self._headers, stream=self._stream, until=until)
        except BaseException:
            pool.slots.free(loop.time() - self._began)
            raise
        self._replica = begun.replica
        silence = pool.config.limits.silence
        self._reply = Reply(begun.response, model=pool.id, silence=silence, until=until, head=begun.head, loop=loop)
        return self._reply

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._replica is not None and self._reply is not None
        self._reply.close()
        now = self._pool.loop.time()
        if self._reply.broke:
            self._replica.breaker.failed(now)
        elif self._reply.whole or error is None:
            self._replica.breaker.succeeded()
        self._replica.outstanding -= 1
        self._pool.slots.free(now - self._began)
