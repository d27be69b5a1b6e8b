"""Runs a use case's agent: pydantic-ai's loop over the engine of its role, each model request through the gate."""

import json
from collections.abc import AsyncGenerator, Callable, Collection, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, TypedDict, cast

from anyio import to_thread
from opentelemetry import trace
from pydantic import BaseModel, Field
from pydantic_ai import Agent, NativeOutput, RunContext, ToolOutput, UsageLimits
from pydantic_ai.exceptions import ModelAPIError, UnexpectedModelBehavior, UsageLimitExceeded
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextContent,
    TextPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings

from agents.kit.claims import Sources
from agents.kit.engine import Engine
from agents.kit.gate import Gate
from agents.kit.grounding import attach, evidence_in, ground, passages_in
from agents.kit.result import Support, SupportedSentence, Usage
from agents.kit.scope import Scope
from agents.kit.support import Checked, Whole
from agents.kit.task import SAMPLING, Task
from agents.kit.toolbox import Toolbox
from agents.kit.toolset import tool_name
from agents.kit.turns import Turn
from agents.kit.use_case import UseCase
from tools.base import Failed, NoReliableSource, PartiturError, Refused, TooLong, acting_as
from tools.models import Declined

__all__ = ["Agents", "GatedModel", "NoSource"]

_LIMITS = UsageLimits(request_limit=12, tool_calls_limit=24)


Checking = Callable[[Sequence[ModelMessage]], Checked]
"""Makes what judges an answer of the messages of its run."""


class NoSource(BaseModel):
    """Return this when the sources do not carry an answer."""

    reason: str = Field(description="One sentence: what the sources lack.")


class _Options(TypedDict):
    model: Model
    deps: Scope
    usage_limits: UsageLimits
    model_settings: ModelSettings
    message_history: list[ModelMessage] | None


OnPartial = Callable[[BaseModel, bool], None]
"""Told an output as far as it has come, and whether it was checked: then each sentence of it is whole."""


class Agents:
    """Agents by use case, built once."""

    def __init__(self, toolbox: Toolbox, gate: Gate, tracer: trace.Tracer) -> None:
        self._tracer = tracer
        self._toolbox = toolbox
        self._gate = gate
        self._agents: dict[tuple[UseCase[Any, Any], bool], Agent[Scope, Any]] = {}

    async def run(
        self,
        use_case: UseCase[Any, Any],
        *,
        prompt: str,
        task: Task,
        engine: Engine,
        scope: Scope,
        on_partial: OnPartial | None = None,
    ) -> Whole:
        """One run of the agent loop.

        Args:
            use_case: what to do.
            prompt: the rendered text of the prompt.
            task: the same as data.
            engine: what serves it.
            scope: who asks, and where spending is counted.
            on_partial: told the output as far as it has come, where the caller reads along.

        Raises:
            PartiturError: NoReliableSource, Unavailable, Refused, Failed, or what a tool raised.
        """
        agent = self._agent(use_case, engine)
        checking = self._checking(use_case, engine, task)
        message = [TextContent(prompt, metadata=task)]
        given = {key: value for key, value in task.parameters.items() if key in SAMPLING}
        options = _Options(
            model=GatedModel(engine, self._gate, scope, self._tracer),
            deps=scope,
            usage_limits=_LIMITS,
            model_settings=cast("ModelSettings", given),
            message_history=[_message(turn) for turn in scope.history] or None,
        )
        try:
            checked: Checked | None = None
            if on_partial is None:
                finished = await agent.run(message, **options)
                output, messages = finished.output, finished.all_messages()
            else:
                held = checking if use_case.unsupported != "keep" else None
                output, messages, checked = await self._streamed(agent, use_case, message, options, on_partial, held)
        except UsageLimitExceeded as error:
            raise Refused(f"The use case {use_case.name!r} stopped: {error}.", hint="Ask for less at once.") from error
        except Declined as error:
            raise _refusal(engine, error) from error
        except (ModelAPIError, UnexpectedModelBehavior) as error:
            raise Failed(
                f"The engine {engine.id!r} gave no {use_case.output.__name__}: {error}.",
                hint="Try again, or choose a stronger model for the role.",
            ) from error
        if isinstance(output, NoSource):
            raise NoReliableSource(output.reason)
        if checking:
            return await to_thread.run_sync(lambda: (checked or checking(messages)).whole(output))
        return _quoted(output, messages, self._sources(use_case))

    def _sources(self, use_case: UseCase[Any, Any]) -> Collection[str]:
        """The names, as models see them, of the tools whose results may be quoted."""
        return {tool_name(name) for name in use_case.tools if self._toolbox.is_source(name)}

    def _checking(self, use_case: UseCase[Any, Any], engine: Engine, task: Task) -> "Checking | None":
        """What judges the sentences of a language model that answers from sources; None where there is nothing to judge."""
        sources = self._sources(use_case)
        if not engine.generative or (use_case.unsupported == "keep" and not sources):
            return None
        asked = " ".join(str(one.value) for one in task.variables if one.role == "query")
        return lambda messages: Checked(Sources(passages_in(messages, sources), query=asked), use_case.unsupported)

    async def _streamed(
        self,
        agent: Agent[Scope, Any],
        use_case: UseCase[Any, Any],
        message: Sequence[TextContent],
        options: _Options,
        on_partial: OnPartial,
        checking: "Checking | None",
    ) -> tuple[Any, list[ModelMessage], Checked | None]:
        """A run that is read along. An output that does not fit is asked for again, as without a reader, unless part of it
        has been told: what was sent is never taken back."""
        told, checked = False, None
        try:
            async with agent.run_stream(message, **options) as stream:
                async for output in stream.stream_output(debounce_by=None):
                    if isinstance(output, use_case.output):
                        if checking and not checked:  # what it has read is there before its answer
                            checked = await to_thread.run_sync(checking, stream.all_messages())
                        shown = checked.partial(output) if checked else output
                        if shown is not None:
                            told = True
                            on_partial(shown, checked is not None)
                return await stream.get_output(), stream.all_messages(), checked
        except UnexpectedModelBehavior:
            if told:
                raise
        finished = await agent.run(message, **options)
        return finished.output, finished.all_messages(), None

    def _agent(self, use_case: UseCase[Any, Any], engine: Engine) -> Agent[Scope, Any]:
        key = (use_case, engine.generative)
        if key not in self._agents:
            reads = any(self._toolbox.is_source(name) for name in use_case.tools)
            outputs: list[Any] = [use_case.output, NoSource] if reads else [use_case.output]
            self._agents[key] = Agent(
                name=use_case.name,
                deps_type=Scope,
                output_type=NativeOutput(outputs) if engine.generative else ToolOutput(use_case.output, name="result"),
                toolsets=[self._toolbox.toolset(use_case.tools)] if use_case.tools else [],
                retries={"tools": 2, "output": 2},
            )
        return self._agents[key]


def _message(turn: Turn) -> ModelMessage:
    if turn.role == "assistant":
        return ModelResponse(parts=[TextPart(turn.text)])
    return ModelRequest(parts=[UserPromptPart(turn.text)])


def _refusal(engine: Engine, error: Declined) -> PartiturError:
    """What an engine's no means to a caller; its own words may hold addresses and keys and stay in the log."""
    if error.answered == 413 or error.too_long:
        return TooLong(f"The request is longer than the engine {engine.id!r} can read.", hint="Send less at once.")
    return Failed(
        f"The engine {engine.id!r} refused the request (status {error.answered}).", hint="The log has the reason."
    )


def _quoted(output: BaseModel, messages: Sequence[ModelMessage], sources: Collection[str]) -> Whole:
    """What the engine reported of its quotes, else what stands verbatim in the sources."""
    reported = evidence_in(messages)
    if reported is None:
        passages = passages_in(messages, sources)
        attach(output, passages)
        return Whole(output, tuple(ground(output, passages)), None)
    told = [
        SupportedSentence(text=one.quote, status="verbatim", citations=[at])
        for at, one in enumerate(reported.citations)
    ]
    carried = 1.0 if reported.support is None else round(reported.support, 4)
    return Whole(output, reported.citations, Support(score=carried, sentences=told))


class GatedModel(WrapperModel):
    """A model whose every request passes the gate: agents and raw calls alike."""

    def __init__(self, engine: Engine, gate: Gate, scope: Scope, tracer: trace.Tracer | None = None) -> None:
        super().__init__(engine.model)
        self._tracer = tracer or trace.NoOpTracer()
        self._engine, self._gate, self._scope = engine, gate, scope
        self._heard = False

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        act = self._scope.act("model", self._engine.id)
        self._gate.before(act, self._new(messages))
        with self._span() as span:
            with acting_as(self._scope.caller):
                response = await super().request(messages, model_settings, model_request_parameters)
            self._gate.after(act, _answered(response), spent=self._spent(response, span))
        return response

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        act = self._scope.act("model", self._engine.id)
        self._gate.before(act, self._new(messages))
        with self._span() as span:
            async with AsyncExitStack() as closing:
                opening = super().request_stream(messages, model_settings, model_request_parameters, run_context)
                with acting_as(self._scope.caller):
                    stream = await closing.enter_async_context(opening)
                yield stream
                response = stream.get()
            self._gate.after(act, _answered(response), spent=self._spent(response, span))

    def _new(self, messages: Sequence[ModelMessage]) -> str:
        """What has not passed the gate yet: at first all of a conversation, what was answered earlier too."""
        first, self._heard = not self._heard, True
        earlier = [_answered(message) for message in messages if isinstance(message, ModelResponse)] if first else []
        return "\n".join([*earlier, _said(messages, whole=first)])

    @contextmanager
    def _span(self) -> Generator[trace.Span]:
        """A span by OpenTelemetry's conventions for generative AI, without any content."""
        about = {"gen_ai.operation.name": "chat", "gen_ai.request.model": self._engine.id}
        with self._tracer.start_as_current_span(f"chat {self._engine.id}", attributes=about) as span:
            yield span

    def _spent(self, response: ModelResponse, span: trace.Span) -> Usage:
        spent = Usage(
            input_tokens=response.usage.input_tokens,
            output_tokens=response.usage.output_tokens,
            requests=1,
            tokenizer=self._engine.tokenizer,
        )
        self._scope.usage.add(spent)
        span.set_attribute("gen_ai.usage.input_tokens", spent.input_tokens)
        span.set_attribute("gen_ai.usage.output_tokens", spent.output_tokens)
        served = response.model_name if response.model_name in self._engine.fallbacks else self._engine.id
        self._scope.served[str(served)] = None
        if self._engine.generative:
            cached = response.usage.cache_read_tokens
            price = self._engine.fallbacks.get(str(served), self._engine.price)
            self._scope.price(price.tokens(spent.input_tokens, spent.output_tokens, cached))
        return spent


def _said(messages: Sequence[ModelMessage], *, whole: bool) -> str:
    """What users and tools said in a conversation: in the `whole` of it, or since the model last spoke."""
    new: list[str] = []
    for message in reversed(messages):
        if not isinstance(message, ModelRequest):
            if whole:
                continue
            break
        for part in message.parts:
            if isinstance(part, UserPromptPart):
                content = [part.content] if isinstance(part.content, str) else part.content
                new += [
                    item.content if isinstance(item, TextContent) else item
                    for item in content
                    if isinstance(item, str | TextContent)
                ]
            elif isinstance(part, ToolReturnPart):
                new.append(
                    part.content
                    if isinstance(part.content, str)
                    else json.dumps(part.content, ensure_ascii=False, default=str)
                )
            elif isinstance(content := getattr(part, "content", None), str):
                new.append(content)
    return "\n".join(new)


def _answered(response: ModelResponse) -> str:
    texts: list[str] = []
    for part in response.parts:
        if isinstance(content := getattr(part, "content", None), str):
            texts.append(content)
        args = cast("str | dict[str, Any] | None", getattr(part, "args", None))
        if args:
            texts.append(args if isinstance(args, str) else json.dumps(args, ensure_ascii=False))
    return "\n".join(texts)
