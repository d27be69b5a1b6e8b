"""A house whose language model says what a test wants, after it has searched some documents of a town."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from fastmcp import Context
from kit_house import ANNA, InMemory
from pydantic import BaseModel
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel
from pydantic_core import to_json

from agents.kit import Engine, Engines, Gate, HouseServer, Result, Runtime, Toolbox, UseCase
from tools.base import Passage, Passages, ToolRef
from tools.server import bind, tool_server

__all__ = ["DOG", "POOL", "Query", "ask", "house", "passage"]

DOG = (
    "Die Hundesteuer beträgt für den ersten Hund 96 Euro im Jahr. Für jeden weiteren Hund sind 132 Euro zu zahlen. "
    "Zuständig ist Frau Dr. Kaya im Bürgerbüro. Blindenführhunde sind von der Steuer befreit. "
    "Auf dem Spielplatz sind Hunde nicht erlaubt. Die Satzung gilt seit dem 3. Mai 2026."
)
POOL = (
    "The outdoor pool opens on 15 May 2027 at 9 am. Admission is 4.50 euros for adults and 2 euros for children. "
    "Dogs are not allowed in the pool. Last summer 61,300 guests came."
)


class Query(BaseModel):
    question: str


def passage(text: str, document: str = "hund.md", title: str = "Hundesteuer", start: int = 0) -> Passage:
    return Passage(document=document, title=title, start=start, end=start + len(text), text=text)


_find = ToolRef(name="papers.find", input=Query, output=Passages, description="Finds papers.", source=True)


def house(
    output: BaseModel | None, found: Sequence[Passage], *use_cases: UseCase[Any, Any], searches: bool = True
) -> Runtime:
    """One whose model searches, then gives `output`; None: it says that the sources carry no answer."""

    async def find(given: Query, ctx: Context) -> Passages:
        return Passages(passages=list(found))

    def calls(messages: list[ModelMessage], info: AgentInfo) -> bool:
        parts = [part for message in messages for part in message.parts]
        return searches and bool(info.function_tools) and not any(isinstance(part, ToolReturnPart) for part in parts)

    def written(info: AgentInfo) -> str:
        name = "NoSource" if output is None else type(output).__name__
        data = {"reason": "Davon steht dort nichts."} if output is None else output.model_dump(mode="json")
        return to_json({"result": {"kind": name, "data": data}} if info.function_tools else data).decode()

    def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if calls(messages, info):
            return ModelResponse(parts=[ToolCallPart(info.function_tools[0].name, {"question": "x"})])
        return ModelResponse(parts=[TextPart(written(info))])

    async def pieces(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
        if calls(messages, info):
            yield {0: DeltaToolCall(name=info.function_tools[0].name, json_args='{"question": "x"}')}
            return
        text = written(info)
        for at in range(0, len(text), 7):
            yield text[at : at + 7]

    gate = Gate([])
    papers = HouseServer([_find], lambda: tool_server("papers", [bind(_find, find)], instructions=""))
    engine = Engine(id="llm", build=lambda: FunctionModel(model, stream_function=pieces), generative=True)
    return Runtime(
        prompts=InMemory(use_cases),
        engines=Engines({"chat": engine}),
        toolbox=Toolbox({"papers": papers}, gate),
        gate=gate,
        use_cases=use_cases,
    )


async def ask(
    use_case: UseCase[Query, Any],
    output: BaseModel | None,
    found: Sequence[Passage] = (passage(DOG),),
    *,
    question: str = "Was kostet ein Hund?",
    searches: bool = True,
) -> Result[Any]:
    """What becomes of an answer that a model gives."""
    runtime = house(output, found, use_case, searches=searches)
    return await runtime.ask(use_case, Query(question=question), caller=ANNA)
