"""A use case as plain data: typed input and output, a prompt, a model role, tools; and the two ways to compose them."""

import inspect
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast, get_type_hints, overload

from pydantic import BaseModel

from tools.base import SetupError

if TYPE_CHECKING:
    from agents.kit.run import Run

__all__ = ["Chain", "Composition", "UseCase", "composition"]

In = TypeVar("In", bound=BaseModel)
Out = TypeVar("Out", bound=BaseModel)
Mid = TypeVar("Mid", bound=BaseModel)
Next = TypeVar("Next", bound=BaseModel)


@dataclass(frozen=True, eq=False)
class UseCase(Generic[In, Out]):
    """What an agent does, declared once.

    The file it stands in is its name and that module's first line its description, unless said otherwise; a line that
    begins with `Deutsch:` says the same in German.
    """

    input: type[In]
    output: type[Out]
    _: KW_ONLY
    prompt: str = ""
    """Name in the prompt store; the use case's own name where empty."""
    model: str = "chat"
    """Role of the model that serves it."""
    tools: Sequence[str] = ()
    """Tools it may call, as `server.tool`."""
    unsupported: Literal["remove", "mark", "keep"] = "keep"
    """What becomes of a language model's sentence that no passage carries which it read."""
    generative: bool = False
    """True where quoting cannot do it honestly, so that it needs a language model."""
    name: str = ""
    description: str = ""
    german: str = ""
    """The description in German."""
    module: str = ""

    def __post_init__(self) -> None:
        module, doc = (self.module, None) if self.module else _declared_in()
        name = self.name or module.rpartition(".")[2]
        english, german = _described(doc or "")
        values = {
            "module": module,
            "name": name,
            "description": self.description or english,
            "german": self.german or german,
            "prompt": self.prompt or name,
            "tools": tuple(self.tools),
        }
        for key, value in values.items():
            object.__setattr__(self, key, value)

    def __rshift__(self, after: "UseCase[Out, Next]") -> "Chain[In, Next]":
        """`self`, then `after` with its output. The types must fit; `.map(f)` makes them fit."""
        return Chain.of((*self._links(), *after._links()))

    def map(self, change: Callable[[Out], Mid]) -> "Chain[In, Mid]":
        """The same use case with its output changed by a typed function, to fit what comes after."""
        hints = get_type_hints(change)
        model = hints.get("return")
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            raise SetupError(
                f"{self.name}.map({change.__name__}) does not say what it returns. Expected a pydantic model.",
                hint=f"Annotate the return type of {change.__name__!r}.",
            )
        *before, last = self._links()
        return Chain.of((*before, _Link(last.use_case, (*last.changes, change), model)))

    def _links(self) -> tuple["_Link", ...]:
        return (_Link(self, (), self.output),)


@dataclass(frozen=True, eq=False)
class Composition(UseCase[In, Out]):
    """A use case made of others: a typed async function whose types are the wiring and whose control flow is Python."""

    _: KW_ONLY
    function: "Callable[[In, Run], Awaitable[Out]]"
    parts: tuple[UseCase[Any, Any], ...] = ()
    """Use cases known to be steps of it; only a chain knows them before it runs."""


@dataclass(frozen=True)
class _Link:
    use_case: UseCase[Any, Any]
    changes: tuple[Callable[[Any], BaseModel], ...]
    output: type[BaseModel]


@dataclass(frozen=True, eq=False)
class Chain(Composition[In, Out]):
    """Use cases one after the other, written with `>>`; itself a use case."""

    _: KW_ONLY
    links: tuple[_Link, ...] = ()

    @classmethod
    def of(cls, links: tuple[_Link, ...]) -> "Chain[Any, Any]":
        """Builds the chain and checks it.

        Raises:
            SetupError: two neighbours do not fit; both types are named.
        """

        async def walk(given: BaseModel, run: "Run") -> BaseModel:
            value = given
            for link in links:
                value = await run.ask(link.use_case, value)
                for change in link.changes:
                    value = change(value)
            return value

        chain = cls(
            input=links[0].use_case.input,
            output=cast("type[Out]", links[-1].output),
            function=cast("Callable[[In, Run], Awaitable[Out]]", walk),
            parts=tuple(link.use_case for link in links),
            links=links,
        )
        chain.check()
        return chain

    def check(self) -> None:
        """Every output fits the next input; asked when built and again when the catalog loads."""
        for left, right in zip(self.links, self.links[1:], strict=False):
            if not issubclass(left.output, right.use_case.input):
                raise SetupError(
                    f"The chain {' >> '.join(link.use_case.name for link in self.links)} does not fit: "
                    f"{left.use_case.name} gives {left.output.__name__}, "
                    f"{right.use_case.name} takes {right.use_case.input.__name__}.",
                    hint=f"Put .map(f) behind {left.use_case.name}, where f takes {left.output.__name__} "
                    f"and returns {right.use_case.input.__name__}.",
                )

    def _links(self) -> tuple[_Link, ...]:
        return self.links


@overload
def composition(function: "Callable[[In, Run], Awaitable[Out]]") -> Composition[In, Out]: ...
@overload
def composition(*, generative: bool) -> "Callable[[Callable[[In, Run], Awaitable[Out]]], Composition[In, Out]]": ...
def composition(function: Any = None, *, generative: bool = False) -> Any:
    """Makes a use case of `async def name(given: In, run: Run) -> Out`.

    Args:
        function: the composition.
        generative: True where nothing of it can be done without a language model.

    Raises:
        SetupError: the function is not async or its types are missing.
    """
    if function is None:
        return partial(_composed, generative=generative)
    return _composed(function, generative=generative)


def _composed(function: "Callable[[In, Run], Awaitable[Out]]", *, generative: bool) -> Composition[In, Out]:
    hints = get_type_hints(function)
    names = list(inspect.signature(function).parameters)
    models = [hints.get(names[0]) if names else None, hints.get("return")]
    if not inspect.iscoroutinefunction(function) or len(names) != 2:
        raise SetupError(
            f"{function.__name__!r} is not a composition. Expected an async function of two parameters.",
            hint=f"Write 'async def {function.__name__}(given: In, run: Run) -> Out'.",
        )
    if not all(isinstance(model, type) and issubclass(model, BaseModel) for model in models):
        raise SetupError(
            f"The composition {function.__name__!r} lacks types. Expected pydantic models.",
            hint="Annotate its first parameter and its result with pydantic models.",
        )
    doc = inspect.getdoc(function) or sys.modules[function.__module__].__doc__ or ""
    return Composition(
        input=cast("type[In]", models[0]),
        output=cast("type[Out]", models[1]),
        function=function,
        name=function.__name__,
        description=_described(doc)[0],
        german=_described(doc)[1],
        module=function.__module__,
        generative=generative,
    )


def _described(doc: str) -> tuple[str, str]:
    """The first line of a docstring, and the line that says it in German."""
    lines = [line.strip() for line in doc.strip().splitlines()]
    german = next((line.removeprefix("Deutsch:").strip() for line in lines if line.startswith("Deutsch:")), "")
    return (lines[0] if lines else ""), german


def _declared_in() -> tuple[str, str | None]:
    """Name and docstring of the module whose code is declaring a use case now."""
    frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]  # the file is the name: as NamedTuple and TypeVar learn theirs
    while frame.f_back and frame.f_globals.get("__name__") in (__name__, "typing", "dataclasses"):
        frame = frame.f_back
    return frame.f_globals.get("__name__", ""), frame.f_globals.get("__doc__")
