"""What a composition holds in its hand: ask use cases, call tools, several at once, and the run's clock and chance."""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any, Literal, Protocol, TypeVar, overload

from pydantic import BaseModel

from agents.kit.scope import Scope
from agents.kit.turns import Turn
from agents.kit.use_case import UseCase
from tools.base import Caller, ToolRef

__all__ = ["Part", "Run", "Stepper"]

In = TypeVar("In", bound=BaseModel)
Out = TypeVar("Out", bound=BaseModel)
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")


Part = UseCase[Any, Any] | ToolRef[Any, Any]
"""What a step can be."""


class Stepper(Protocol):
    """Does a step: the runtime, as a run sees it."""

    def check_engine(self, use_case: UseCase[Any, Any]) -> None: ...

    async def step(
        self,
        what: Part,
        given: BaseModel,
        scope: Scope,
        ordinal: int,
        *,
        optional: bool,
        history: Sequence[Turn] = (),
    ) -> Any: ...


class Run:
    """A run of one composition. Everything it does through here is a step: traced, priced, guarded, and plain JSON."""

    def __init__(self, stepper: Stepper, scope: Scope, use_cases: Sequence[UseCase[Any, Any]], began: datetime) -> None:
        self._stepper = stepper
        self._scope = scope
        self._began = began
        self.use_cases = tuple(use_cases)
        """All use cases of the catalog."""

    @property
    def id(self) -> str:
        """The trace id, 32 hex."""
        return self._scope.trace_id

    @property
    def caller(self) -> Caller:
        return self._scope.caller

    @property
    def history(self) -> tuple[Turn, ...]:
        """What was said before in the conversation, oldest first; a step has it only where it is handed on."""
        return self._scope.history

    @property
    def random(self) -> Random:
        """Chance that comes out the same when the run is replayed."""
        return self._scope.random

    def now(self) -> datetime:
        """When the run began, in UTC: the same when it is replayed."""
        return self._began.astimezone(UTC)

    def require(self, use_case: UseCase[Any, Any]) -> None:
        """Makes sure that `use_case` can be done here.

        Raises:
            NeedsModel: it needs a language model and none is set.
        """
        self._stepper.check_engine(use_case)

    def lacks(self, message: str) -> None:
        """Says that something was left out: the result is then partial, and `message` is why."""
        self._scope.shortfalls.append((self._scope.ordinal, message))

    @overload
    def ask(
        self, use_case: UseCase[In, Out], given: In, *, optional: Literal[False] = False, history: Sequence[Turn] = ()
    ) -> Awaitable[Out]: ...
    @overload
    def ask(
        self, use_case: UseCase[In, Out], given: In, *, optional: bool, history: Sequence[Turn] = ()
    ) -> Awaitable[Out | None]: ...
    def ask(
        self, use_case: UseCase[In, Out], given: In, *, optional: bool = False, history: Sequence[Turn] = ()
    ) -> Awaitable[Out | None]:
        """Asks another use case; its place among the steps is settled now, not when it is awaited.

        Args:
            use_case: whom to ask.
            given: its input.
            optional: True where the composition can do without: a failure gives None and a partial result that says so.
            history: what was said before, for a use case that answers in a conversation: `run.history`.
        """
        ordinal = self._scope.next()
        return self._stepper.step(use_case, given, self._scope, ordinal, optional=optional, history=history)

    @overload
    def call(self, tool: ToolRef[In, Out], given: In, *, optional: Literal[False] = False) -> Awaitable[Out]: ...
    @overload
    def call(self, tool: ToolRef[In, Out], given: In, *, optional: bool) -> Awaitable[Out | None]: ...
    def call(self, tool: ToolRef[In, Out], given: In, *, optional: bool = False) -> Awaitable[Out | None]:
        """Calls a tool by its typed reference; as `ask` otherwise."""
        return self._stepper.step(tool, given, self._scope, self._scope.next(), optional=optional)

    @overload
    async def gather(self, a: Awaitable[A], b: Awaitable[B], /) -> tuple[A, B]: ...
    @overload
    async def gather(self, a: Awaitable[A], b: Awaitable[B], c: Awaitable[C], /) -> tuple[A, B, C]: ...
    @overload
    async def gather(
        self, a: Awaitable[A], b: Awaitable[B], c: Awaitable[C], d: Awaitable[D], /
    ) -> tuple[A, B, C, D]: ...
    @overload
    async def gather(self, *steps: Awaitable[A]) -> tuple[A, ...]: ...
    async def gather(self, *steps: Awaitable[Any]) -> tuple[Any, ...]:
        """Does steps at the same time; when one fails the others are stopped and its error is raised."""
        tasks = [asyncio.ensure_future(step) for step in steps]
        try:
            return tuple(await asyncio.gather(*tasks))
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise
