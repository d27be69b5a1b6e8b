"""Tests of the model on a pool: what it sends, what it makes of answers whole and streamed, and how it stops."""

import asyncio
import json
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from inline_snapshot import snapshot
from opentelemetry.sdk.trace import TracerProvider
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput, UnexpectedModelBehavior
from pydantic_ai.direct import model_request, model_request_stream
from pydantic_ai.messages import ModelMessage, ModelRequest, TextPart, ThinkingPart
from pydantic_ai.models import override_allow_model_requests
from pydantic_core import from_json

from agents.kit.pooled import PooledModel, Reply
from tools.base import Caller, Failed, Overloaded, PartiturError, TimedOut, Unauthenticated, Unavailable, acting_as
from tools.models import Json, ModelConfig

pytestmark = pytest.mark.anyio
ANNA = Caller(subject="anna", tenant="town")
ASKED: list[ModelMessage] = [ModelRequest.user_text_prompt("When?")]
USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


class Hours(BaseModel):
    opens: int


@dataclass
class Scripted(Reply):
    """An answer that comes in the given parts; an error among them breaks it off, None makes it hang."""

    script: Sequence[bytes | PartiturError | None]
    model: str = "chat"

    async def read(self) -> bytes:
        return b"".join([part async for part in self.parts()])

    async def parts(self) -> AsyncGenerator[bytes]:
        for part in self.script:
            if part is None:
                await asyncio.Event().wait()
            elif isinstance(part, PartiturError):
                raise part
            else:
                yield part


@dataclass
class Wire:
    """A transport that gives one scripted answer after the other and remembers what was sent."""

    answers: list[Sequence[bytes | PartiturError | None] | PartiturError]
    id: str = "chat"
    name: str = "town/llama"
    config: ModelConfig = field(default_factory=lambda: ModelConfig(engines=("http://127.0.0.1:9/v1",)))
    sent: list[dict[str, Any]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    tenants: list[str] = field(default_factory=list)
    streams: list[bool] = field(default_factory=list)
    open_now: int = 0
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def open(
        self, path: str, body: Json, *, headers: Mapping[str, str], stream: bool, tenant: str
    ) -> AsyncGenerator[Reply]:
        assert path == "chat/completions"
        self.sent.append(from_json(body.written({})))
        self.headers.append(headers)
        self.tenants.append(tenant)
        self.streams.append(stream)
        answer = self.answers.pop(0)
        if isinstance(answer, PartiturError):
            raise answer
        self.open_now += 1
        self.opened.set()
        try:
            yield Scripted(answer)
        finally:
            self.open_now -= 1


@pytest.fixture(autouse=True)
def _requests_by_anna() -> Generator[None]:
    with override_allow_model_requests(True), acting_as(ANNA):
        yield


def completion(message: dict[str, Any], *, finish: str | None = "stop", **more: object) -> list[bytes]:
    """A whole answer in two parts."""
    choice = {"index": 0, "message": {"role": "assistant", "content": None} | message, "finish_reason": finish}
    about = {"id": "c1", "object": "chat.completion", "created": 1, "model": "town/llama", "usage": USAGE}
    data = json.dumps({**about, "choices": [choice], **more}).encode()
    return [data[:20], data[20:]]


def call(arguments: dict[str, Any]) -> dict[str, Any]:
    """A message that calls the tool."""
    function = {"name": "look_up", "arguments": json.dumps(arguments)}
    return {"tool_calls": [{"id": "t1", "type": "function", "function": function}]}


def event(delta: dict[str, Any] | None, *, finish: str | None = None, usage: object = None) -> bytes:
    """A chunk as an event."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    about = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "town/llama"}
    return b"data: " + json.dumps({**about, "choices": choices, "usage": usage}).encode() + b"\n\n"


END = b"data: [DONE]\n\n"


async def test_a_request_holds_what_was_set_and_nothing_else() -> None:
    wire = Wire([completion({"content": '{"opens": 8}'})])
    agent = Agent(PooledModel(wire), output_type=NativeOutput(Hours))
    result = await agent.run("When?", model_settings={"temperature": 0.2, "max_tokens": 50})
    assert result.output == Hours(opens=8)
    assert (result.usage.input_tokens, result.usage.output_tokens) == (10, 5)
    assert wire.sent == snapshot(
        [
            {
                "model": "town/llama",
                "messages": [
                    {
                        "role": "system",
                        "content": """\

Always respond with a JSON object that's compatible with this schema:

{"properties": {"opens": {"type": "integer"}}, "required": ["opens"], "title": "Hours", "type": "object"}

Don't include any text or Markdown fencing before or after.
""",
                    },
                    {"role": "user", "content": "When?"},
                ],
                "max_completion_tokens": 50,
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {
                        "name": "Hours",
                        "schema": {
                            "properties": {"opens": {"type": "integer"}},
                            "required": ["opens"],
                            "title": "Hours",
                            "type": "object",
                        },
                        "strict": True,
                    },
                },
                "temperature": 0.2,
            }
        ]
    )
    assert (wire.tenants, wire.streams) == (["town"], [False])


async def test_vllm_is_told_to_keep_arguments_to_their_schema() -> None:
    wire = Wire([completion({"content": "At ten."})])
    agent = Agent(PooledModel(wire))

    @agent.tool_plain
    def look_up(office: str = "library") -> str:  # with a default, which OpenAI's own strict schemas do not know
        return office

    await agent.run("When?")
    assert wire.sent[0]["tools"][0]["function"]["strict"] is True


async def test_an_agent_calls_a_tool_and_answers() -> None:
    wire = Wire([completion(call({"office": "library"}), finish="tool_calls"), completion({"content": "At ten."})])
    agent = Agent(PooledModel(wire))

    @agent.tool_plain
    def look_up(office: str) -> str:
        return f"{office}: 10"

    assert (await agent.run("When?")).output == "At ten."
    assert wire.sent[1]["messages"][-1] == {"role": "tool", "tool_call_id": "t1", "content": "library: 10"}
    assert wire.open_now == 0


async def test_the_trace_goes_to_the_engine_and_our_own_user_agent_stays() -> None:
    wire = Wire([completion({"content": "x"})])
    tracer = TracerProvider().get_tracer("test")
    with tracer.start_as_current_span("chat") as span:
        await model_request(PooledModel(wire), ASKED)
    context = span.get_span_context()
    assert wire.headers == [
        {"traceparent": f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"}
    ]


async def test_nobody_asks_a_model_without_a_caller() -> None:
    wire = Wire([])
    with acting_as(None), pytest.raises(Unauthenticated):  # pyright: ignore[reportArgumentType]  # as if never bound
        await model_request(PooledModel(wire), ASKED)
    assert wire.sent == []


@pytest.mark.parametrize("error", [Overloaded("full"), TimedOut("slow"), Unavailable("down")])
async def test_what_the_pool_raises_comes_through_as_it_is(error: PartiturError) -> None:
    for answers in ([error], [[error]]):
        with pytest.raises(type(error)) as raised:
            await Agent(PooledModel(Wire(list(answers)))).run("When?")
        assert raised.value is error


async def test_an_engine_that_ignores_the_schema_is_asked_again_and_then_not_believed() -> None:
    wire = Wire([completion({"content": '{"opnes": 8}'}) for _ in range(3)])
    agent = Agent(PooledModel(wire), output_type=NativeOutput(Hours), retries={"output": 2})
    with pytest.raises(UnexpectedModelBehavior):
        await agent.run("When?")
    assert len(wire.sent) == 3
    assert "opens" in wire.sent[1]["messages"][-1]["content"]


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b"", b'"x"', b"\xff"])
async def test_what_is_no_json_object_is_no_answer(body: bytes) -> None:
    with pytest.raises(Failed, match="The engine of 'chat' answered with something else than a JSON object"):
        await model_request(PooledModel(Wire([[body]])), ASKED)


async def test_an_answer_of_another_shape_is_no_answer() -> None:
    with pytest.raises(UnexpectedModelBehavior):
        await model_request(PooledModel(Wire([[b'{"object": "chat.completion"}']])), ASKED)


async def test_engines_that_leave_out_or_add_something_are_understood() -> None:
    wire = Wire(
        [
            completion({"content": "a"}, finish=None),
            completion({"content": [{"type": "text", "text": "b"}]}, service_tier="ours", kv_transfer_params={}),
            completion({"content": "c", "reasoning_content": "hm"}),
        ]
    )
    found = [(await model_request(PooledModel(wire), ASKED)).parts for _ in range(3)]
    assert [part.content for parts in found for part in parts if isinstance(part, TextPart)] == ["a", "b", "c"]
    assert isinstance(found[2][0], ThinkingPart)


async def test_a_stream_is_read_wherever_it_is_cut() -> None:
    chunks = [event({"role": "assistant", "content": "Zehn "}), b": keep-alive\n\n", event({"content": "Bücher"})]
    whole = b"".join([*chunks, event({}, finish="stop"), event(None, usage=USAGE), END])
    for size in (1, 7, 10_000):
        wire = Wire([[whole[at : at + size] for at in range(0, len(whole), size)]])
        async with Agent(PooledModel(wire)).run_stream("When?") as stream:
            assert await stream.get_output() == "Zehn Bücher"
        assert stream.usage.output_tokens == 5
        assert (wire.sent[0]["stream"], wire.sent[0]["stream_options"]) == (True, {"include_usage": True})
        assert (wire.streams, wire.open_now) == ([True], 0)


async def test_carriage_returns_and_data_in_several_lines_are_one_event() -> None:
    first = event({"content": "a"}).replace(b', "object"', b',\r\ndata: "object"').replace(b"\n\n", b"\r\n\r\n")
    wire = Wire([[first, event({"content": "b"}, finish="stop"), END]])
    async with model_request_stream(PooledModel(wire), ASKED) as stream:
        async for _ in stream:
            pass
        assert stream.get().text == "ab"


async def test_a_streamed_tool_call_is_put_together() -> None:
    head = {"index": 0, "id": "t1", "type": "function", "function": {"name": "look_up", "arguments": ""}}
    rest = [{"index": 0, "function": {"arguments": part}} for part in ('{"office": ', '"library"}')]
    chunks = [event({"tool_calls": [delta]}) for delta in (head, *rest)]
    first = [*chunks, event({}, finish="tool_calls"), END]
    wire = Wire([first, [event({"content": "At ten."}, finish="stop"), END]])
    agent = Agent(PooledModel(wire))
    asked: list[str] = []

    @agent.tool_plain
    def look_up(office: str) -> str:
        asked.append(office)
        return "10"

    async with agent.run_stream("When?") as stream:
        assert await stream.get_output() == "At ten."
    assert asked == ["library"]


async def test_a_stream_that_breaks_off_is_no_answer() -> None:
    said = event({"content": "half"})
    cases: list[tuple[list[bytes | PartiturError | None], type[PartiturError]]] = [
        ([said], Unavailable),
        ([said, TimedOut("silent")], TimedOut),
        ([said, b'data: {"error": {"message": "out of memory"}}\n\n', END], Failed),
        ([said, b"data: <html>\n\n"], Failed),
        ([b'data: {"error": {"message": "out of memory"}}\n\n'], Failed),
    ]
    for script, kind in cases:
        wire = Wire([script])
        with pytest.raises(kind):
            async with Agent(PooledModel(wire)).run_stream("When?") as stream:
                await stream.get_output()
        assert wire.open_now == 0


async def test_a_stream_without_its_last_event_counts_where_it_said_that_it_is_whole() -> None:
    wire = Wire([[event({"content": "all"}, finish="stop")]])
    async with Agent(PooledModel(wire)).run_stream("When?") as stream:
        assert await stream.get_output() == "all"


async def test_a_reader_who_leaves_stops_the_engine() -> None:
    wire = Wire([[event({"content": "one "}), event({"content": "two "}), None]])
    async with model_request_stream(PooledModel(wire), ASKED) as stream:
        async for _ in stream:
            assert wire.open_now == 1
            break
    assert wire.open_now == 0


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_run_that_is_cancelled_stops_the_engine(streamed: bool) -> None:
    wire = Wire([[event({"content": "one "}), None] if streamed else [b"{", None]])

    async def run() -> None:
        if streamed:
            async with Agent(PooledModel(wire)).run_stream("When?") as stream:
                await stream.get_output()
        else:
            await Agent(PooledModel(wire)).run("When?")

    task = asyncio.create_task(run())
    await wire.opened.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert wire.open_now == 0


async def test_an_engine_that_keeps_a_finished_stream_open_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.kit.pooled._LAST_S", 0.0)
    wire = Wire([[event({"content": "all"}, finish="stop"), END, None]])
    async with Agent(PooledModel(wire)).run_stream("When?") as stream:
        assert await stream.get_output() == "all"
    assert wire.open_now == 0


def test_the_model_is_vllms() -> None:
    model = PooledModel(Wire([]))
    assert (model.model_name, model.system, model.base_url) == ("town/llama", "vllm", "pool:chat")
    assert model.profile.get("supports_json_schema_output")


async def test_schemas_are_fitted_once_and_for_each_agent_its_own() -> None:
    class Fee(BaseModel):
        """What it costs."""

        euros: int

    wire = Wire([completion({"content": said}) for said in ('{"opens": 8}', '{"euros": 5}') * 2])
    model = PooledModel(wire)
    agents: list[Agent[None, Any]] = [Agent(model, output_type=NativeOutput(kind)) for kind in (Hours, Fee)]
    for _ in range(2):
        assert (await agents[0].run("When?")).output == Hours(opens=8)
        assert (await agents[1].run("How much?")).output == Fee(euros=5)
    schemas = [one["response_format"]["json_schema"] for one in wire.sent]
    assert [schema["name"] for schema in schemas] == ["Hours", "Fee", "Hours", "Fee"]
    assert schemas[0] == schemas[2] and schemas[1] == schemas[3]
