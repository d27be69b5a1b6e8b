"""Asks use cases: finds prompt and engine, runs agent or composition step by step, and returns the envelope."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from random import Random
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, cast

from opentelemetry import trace
from pydantic import BaseModel, ValidationError

from agents.kit.engine import Engines
from agents.kit.events import Done, Event, Listener, StepFinished, StepStarted
from agents.kit.gate import Gate
from agents.kit.reading import Reader
from agents.kit.result import Outcome, PromptRef, Result, Step, Usage
from agents.kit.run import Part, Run
from agents.kit.scope import Scope
from agents.kit.task import Language, Task, Variable
from agents.kit.toolbox import Toolbox, artifacts_in
from agents.kit.turns import Turn, latest
from agents.kit.use_case import Composition, UseCase
from tools.base import (
    Caller,
    Cancelled,
    Forbidden,
    NeedsModel,
    NoReliableSource,
    Overloaded,
    PartiturError,
    StepFailed,
    TimedOut,
    TooLong,
    ToolRef,
    Unauthenticated,
    Unavailable,
)
from tools.language import detect

if TYPE_CHECKING:
    from agents.kit.agent import Agents
    from prompts.prompt import Prompt

__all__ = ["PromptSource", "Prompts", "Runtime"]

In = TypeVar("In", bound=BaseModel)
Out = TypeVar("Out", bound=BaseModel)

_PASSED_ON = (
    *(Cancelled, Forbidden, Unauthenticated, NoReliableSource, NeedsModel, StepFailed),
    *(Overloaded, Unavailable, TimedOut, TooLong),
)
"""What a failing step raises is told as it is where it is about the caller, names a step already, or says when to ask again."""


class PromptSource(Protocol):
    """A library of prompts."""

    def get(self, name: str, language: Language = "de") -> "Prompt": ...


class Prompts(Protocol):
    """Where the prompts of each use case lie: a plug-in brings its own."""

    def of(self, use_case: UseCase[Any, Any]) -> PromptSource: ...


class Runtime:
    """Everything that is dear to build, built once and shared by all requests."""

    def __init__(
        self,
        *,
        prompts: Prompts,
        engines: Engines,
        toolbox: Toolbox,
        gate: Gate,
        use_cases: Sequence[UseCase[Any, Any]] = (),
        tracer_provider: trace.TracerProvider | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._prompts = prompts
        self.engines = engines
        self.toolbox = toolbox
        self.gate = gate
        self.use_cases = tuple(use_cases)
        self._tracer = trace.get_tracer("partitur", tracer_provider=tracer_provider)
        self._now = now

    async def ask(
        self,
        use_case: UseCase[In, Out],
        given: In,
        *,
        caller: Caller,
        listen: Listener = lambda event: None,
        cancelled: Callable[[], bool] = lambda: False,
        history: Sequence[Turn] = (),
    ) -> Result[Out]:
        """Asks a use case and waits for the whole answer.

        Args:
            use_case: which.
            given: its input.
            caller: who asks.
            listen: told of each step as it begins and ends.
            cancelled: asked at every gate; True stops the run.
            history: what was said before in the conversation; the latest of it is read.

        Raises:
            PartiturError: a required step failed, a guard refused, an engine is down, …
        """
        return await self._ask(use_case, given, self._scope(caller, listen, cancelled, history), reads_along=False)

    async def stream(
        self, use_case: UseCase[In, Out], given: In, *, caller: Caller, history: Sequence[Turn] = ()
    ) -> AsyncGenerator[Event]:
        """Asks a use case and tells as it goes: steps, pieces of readable text, partial outputs, at last `Done`.

        Closing the generator stops the run.
        """
        events: asyncio.Queue[Event | None] = asyncio.Queue()
        gone = False
        scope = self._scope(caller, events.put_nowait, lambda: gone, history)

        async def work() -> None:
            try:
                events.put_nowait(Done(await self._ask(use_case, given, scope, reads_along=True)))
            finally:
                events.put_nowait(None)

        task = asyncio.create_task(work())
        try:
            while (event := await events.get()) is not None:
                yield event
            await task
        finally:
            gone = True
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def step(
        self,
        what: Part,
        given: BaseModel,
        scope: Scope,
        ordinal: int,
        *,
        optional: bool,
        history: Sequence[Turn] = (),
    ) -> Any:
        """One step of a composition, called by `Run`. Input and output go through JSON, so that it can be replayed."""
        below = scope.below(what.name, ordinal, latest(history))
        kind: Literal["use_case", "tool"] = "tool" if isinstance(what, ToolRef) else "use_case"
        sent = what.input.model_validate_json(given.model_dump_json())
        scope.listen(StepStarted(below.path, what.name, kind))
        began = perf_counter()
        step = Step(id=below.path, name=what.name, kind=kind, seconds=0.0, outcome="failed", message="It was stopped.")
        try:
            output = await self._do(what, sent, below, scope, ordinal, step)
        except PartiturError as error:
            step.message = str(error)
            if isinstance(error, Cancelled):
                raise
            if not optional:
                if isinstance(error, _PASSED_ON):
                    raise
                raise StepFailed(f"Step {below.path!r} failed: {error.message}", hint=error.hint) from error
            scope.shortfalls.append((ordinal, f"Step {below.path!r} is missing: {error}"))
            return None
        finally:
            step.seconds = round(perf_counter() - began, 6)
            step.cost = below.total()
            scope.settle(below)
            scope.steps[ordinal] = [step, *below.ordered_steps()]
            scope.listen(StepFinished(step))
        return what.output.model_validate_json(output.model_dump_json())

    async def _do(self, what: Part, sent: BaseModel, below: Scope, scope: Scope, ordinal: int, step: Step) -> BaseModel:
        """The work of a step; what it brings goes to `scope`, how it went to `step`."""
        if isinstance(what, ToolRef):
            with self._tracer.start_as_current_span(f"tool {what.name}", attributes={"partitur.step": below.path}):
                output: BaseModel = await self.toolbox.call(what, sent, below)
            scope.made[ordinal] = artifacts_in(output)
            scope.makers[ordinal] = str(getattr(output, "engine", "") or "")
            step.outcome, step.message = "done", None
            return output
        result = await self._ask(what, sent, below, reads_along=False)
        scope.take(ordinal, result)
        step.engine, step.prompt = result.engine, result.prompt
        step.outcome, step.message = result.outcome, result.message
        if result.output is None:
            error = NeedsModel if result.outcome == "needs_model" else NoReliableSource
            raise error(result.message or f"{what.name} has no answer.", hint="")
        return result.output

    def _scope(self, caller: Caller, listen: Listener, cancelled: Callable[[], bool], history: Sequence[Turn]) -> Scope:
        return Scope(
            caller=caller,
            trace_id="",
            path="",
            spent=Usage(),
            listen=listen,
            random=Random(),
            cancelled=cancelled,
            history=latest(history),
        )

    async def _ask(
        self, use_case: UseCase[Any, Any], given: BaseModel, scope: Scope, *, reads_along: bool
    ) -> Result[Any]:
        with self._tracer.start_as_current_span(
            f"ask {use_case.name}", attributes={"partitur.use_case": use_case.name}
        ) as span:
            if not scope.trace_id:
                context = span.get_span_context()
                scope.trace_id = trace.format_trace_id(context.trace_id) if context.is_valid else secrets.token_hex(16)
                scope.random = Random(scope.trace_id)
                scope.path = use_case.name
            act = scope.act("use_case", use_case.name)
            self.gate.before(act, "\n".join([*(turn.text for turn in scope.history), given.model_dump_json()]))
            reader = Reader(self.gate, scope, use_case.name) if reads_along else None
            if isinstance(use_case, Composition):
                result = await self._compose(use_case, given, scope)
            else:
                result = await self._act(use_case, given, scope, reader)
            span.set_attribute("partitur.outcome", result.outcome)
            if result.output is not None:
                self.gate.after(act, result.output.model_dump_json())
                if reader:
                    reader.end(result.output)
            return result

    async def _compose(self, use_case: Composition[Any, Any], given: BaseModel, scope: Scope) -> Result[Any]:
        run = Run(self, scope, self.use_cases, self._now())
        output, outcome, message = None, cast("Outcome", "done"), None
        try:
            self.check_engine(use_case)
            output = await use_case.function(given, run)
        except (NoReliableSource, NeedsModel) as error:
            outcome, message = _outcome(error), str(error)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise StepFailed(
                f"The composition {use_case.name!r} made a {error.title} that does not fit: {where!r}: {first['msg']}.",
                hint="Send less at once, or correct the composition.",
            ) from error
        if output is not None and scope.shortfalls:
            outcome, message = "partial", scope.lacking()
        steps = scope.ordered_steps()
        citations = scope.ordered_citations() if output is not None else []
        makers = scope.engines or scope.makers
        engines = dict.fromkeys(engine for _, engine in sorted(makers.items()) if engine)
        return _envelope(use_case.output)(
            use_case=use_case.name,
            output=output,
            outcome=outcome,
            message=message,
            citations=citations,
            support=scope.joined_support(citations),
            engine=" + ".join(engines) or "none",
            artifacts=scope.ordered_artifacts(),
            usage=scope.usage,
            cost=scope.total(),
            steps=steps,
            trace_id=scope.trace_id,
            dirty=any(step.prompt.dirty for step in steps if step.prompt),
        )

    async def _act(
        self, use_case: UseCase[Any, Any], given: BaseModel, scope: Scope, reader: Reader | None
    ) -> Result[Any]:
        engine = self.engines.of(use_case.model)
        prompt, task, text = self._prompt(use_case, given)
        ref = PromptRef(name=prompt.name, path=prompt.path, commit=prompt.commit, dirty=prompt.dirty)
        output, outcome, message, citations, support = None, cast("Outcome", "done"), None, (), None
        try:
            self.check_engine(use_case)
            made = await self._agents.run(
                use_case,
                prompt=text,
                task=task,
                engine=engine,
                scope=scope,
                on_partial=reader.partial if reader else None,
            )
            output, citations, support = made.output, made.citations, made.support
            if output is None:
                outcome, message = "no_source", f"The sources do not carry an answer. {made.reason}".rstrip()
        except (NoReliableSource, NeedsModel) as error:
            outcome, message = _outcome(error), str(error)
        return _envelope(use_case.output)(
            use_case=use_case.name,
            output=output,
            outcome=outcome,
            message=message,
            citations=list(citations),
            support=support,
            engine=" + ".join(scope.served) or engine.id,
            artifacts=artifacts_in(output),
            usage=scope.usage,
            cost=scope.total(),
            trace_id=scope.trace_id,
            prompt=ref,
            prompt_commit=ref.commit,
            dirty=ref.dirty,
        )

    def check_engine(self, use_case: UseCase[Any, Any]) -> None:
        """Raises `NeedsModel` where a use case writes and its engine only quotes."""
        engine = self.engines.of(use_case.model)
        if use_case.generative and not engine.generative:
            raise NeedsModel(
                f"The use case {use_case.name!r} writes new text. "
                f"The embedded engine {engine.id!r} only quotes and never invents."
            )

    def _prompt(self, use_case: UseCase[Any, Any], given: BaseModel) -> tuple["Prompt", Task, str]:
        """The prompt in the language of the input, as data and as text."""
        from prompts.render import render

        values = {name: value for name, value in given.model_dump(mode="json").items() if value is not None}
        prompt = self._prompts.of(use_case).get(use_case.prompt, language_of(values))
        used = {name: values[name] for name in prompt.variables if name in values}
        variables = tuple(
            Variable(name=name, role=prompt.variables[name].role, value=value) for name, value in used.items()
        )
        settings = {v.name: v.value for v in variables if v.role == "setting" and v.name in prompt.parameters}
        task = Task(language=prompt.language, variables=variables, parameters={**prompt.parameters, **settings})
        return prompt, task, render(prompt, used)

    @cached_property
    def _agents(self) -> "Agents":
        """Built at the first agent run: pydantic-ai takes a second to import."""
        from agents.kit.agent import Agents

        return Agents(self.toolbox, self.gate, self._tracer)


def language_of(values: Mapping[str, object]) -> Language:
    """The language an input asks for: its field `language` where it says de or en, else that of its longest text."""
    said = values.get("language")
    if said in ("de", "en"):
        return said
    texts = [value for value in values.values() if isinstance(value, str)]
    return detect(max(texts, key=len, default=""))


def _outcome(error: NoReliableSource | NeedsModel) -> Outcome:
    return "needs_model" if isinstance(error, NeedsModel) else "no_source"


@lru_cache(maxsize=1024)
def _envelope(output: type[BaseModel]) -> type[Result[Any]]:
    """The envelope with the use case's own output type: pydantic forgets one as soon as no result holds it."""
    return Result[output]
