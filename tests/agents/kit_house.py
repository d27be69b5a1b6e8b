"""A small house for the tests of the kit: a scripted model, one tool server, prompts in memory."""

from collections.abc import Callable, Sequence
from typing import Any

from fastmcp import Context
from pydantic import BaseModel
from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from agents.kit import Act, Engine, Engines, Gate, Guard, HouseServer, Language, Runtime, Toolbox, UseCase
from prompts.prompt import Prompt
from prompts.prompt import Variable as PromptVariable
from tools.base import Caller, ToolRef, caller_of
from tools.server import bind, tool_server

ANNA = Caller(subject="anna", tenant="town")


class Word(BaseModel):
    word: str


class Count(BaseModel):
    letters: int
    who: str


count = ToolRef(name="words.count", input=Word, output=Count, description="Counts letters.")


async def _count(given: Word, ctx: Context) -> Count:
    if given.word == "broken":
        raise RuntimeError("a pipe burst")
    return Count(letters=len(given.word), who=caller_of(ctx).subject)


class InMemory:
    """Prompts whose variables are the fields of the use case that asks."""

    def __init__(self, use_cases: Sequence[UseCase[Any, Any]] = ()) -> None:
        self._fields = {use_case.name: list(use_case.input.model_fields) for use_case in use_cases}

    def of(self, use_case: UseCase[Any, Any]) -> "InMemory":
        return self

    def get(self, name: str, language: Language = "de") -> Prompt:
        names = self._fields.get(name, ["word"])
        return Prompt(
            name=name,
            language=language,
            description="A test.",
            variables={field: PromptVariable(role="query", required=False) for field in names},
            parameters={},
            body="Do it: " + " ".join(f"{{{{ {field} | data }}}}" for field in names),
            path=f"prompts/library/{name}.md",
            commit="a" * 40,
            dirty=False,
        )


class Recorder:
    """A guard that lets everything pass and remembers it."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str]] = []
        self.texts: list[str] = []

    def before(self, act: Act, text: str) -> None:
        self._note("before", act, text)

    def piece(self, act: Act, text: str) -> None:
        self._note("piece", act, text)

    def after(self, act: Act, text: str) -> None:
        self._note("after", act, text)

    def _note(self, point: str, act: Act, text: str) -> None:
        self.seen.append((point, act.kind, act.name))
        self.texts.append(text)


def answers(**fields: Any) -> Callable[[list[ModelMessage], AgentInfo], ModelResponse]:
    """A model that always fills the output with `fields`."""

    def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse(parts=[ToolCallPart(info.output_tools[0].name, fields)])

    return model


def house(
    *use_cases: UseCase[Any, Any],
    model: Callable[[list[ModelMessage], AgentInfo], ModelResponse] = answers(word="ok"),
    guards: Sequence[Guard] = (),
    generative: bool = False,
) -> Runtime:
    gate = Gate(guards)
    words = HouseServer([count], lambda: tool_server("words", [bind(count, _count)], instructions=""))
    return Runtime(
        prompts=InMemory(use_cases),
        engines=Engines({"chat": Engine(id="scripted", build=lambda: FunctionModel(model), generative=generative)}),
        toolbox=Toolbox({"words": words}, gate),
        gate=gate,
        use_cases=use_cases,
    )
