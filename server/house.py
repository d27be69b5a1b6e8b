"""Wires the house: settings into engines, tools, prompts and catalog; everything that is asked is asked here."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeVar

from opentelemetry.sdk.trace import TracerProvider
from pydantic import BaseModel

from agents.kit import (
    CancelGuard,
    Engine,
    Engines,
    Event,
    Gate,
    Listener,
    Result,
    Runtime,
    SecretGuard,
    SizeGuard,
    Toolbox,
    Turn,
    UsageGuard,
    UseCase,
    validated,
)
from agents.kit.runtime import PromptSource
from agents.kit.task import Language
from compositions.catalog import GROUP, Catalog, Found, load_catalog
from prompts.prompt import Prompt
from prompts.store import PromptStore
from server.engines import house_engines
from server.models import Models, house_models, open_hub
from server.servers import Servers
from server.settings import Settings, load_settings
from server.state import Database
from tools.base import ArtifactStore, Caller, NotFound
from tools.models import Hub

__all__ = ["LOCAL", "House", "open_house"]

In = TypeVar("In", bound=BaseModel)
Out = TypeVar("Out", bound=BaseModel)

LOCAL = Caller(subject="local", roles=frozenset({"admin"}), scopes=frozenset({"partitur"}))
"""Who acts through Python, the command line and stdio: the user whose machine it is."""


@dataclass(frozen=True)
class House:
    """An open house. Made by `open_house`; dear parts are built at their first use and shared."""

    settings: Settings
    catalog: Catalog
    runtime: Runtime
    prompts: "Prompts"
    artifacts: ArtifactStore
    servers: Servers
    state: Database
    hub: Hub
    models: Models
    closing: AsyncExitStack = field(repr=False)

    async def ask(
        self,
        use_case: UseCase[In, Out],
        given: In,
        *,
        caller: Caller = LOCAL,
        listen: Listener = lambda event: None,
        cancelled: Callable[[], bool] = lambda: False,
        history: Sequence[Turn] = (),
    ) -> Result[Out]:
        """Asks a use case. See `Runtime.ask`."""
        return await self.runtime.ask(
            use_case, given, caller=caller, listen=listen, cancelled=cancelled, history=history
        )

    async def ask_by_name(
        self,
        name: str,
        given: Mapping[str, Any] | BaseModel,
        *,
        caller: Caller = LOCAL,
        listen: Listener = lambda event: None,
        history: Sequence[Turn] = (),
    ) -> Result[Any]:
        """Asks a use case by its name, with plain data.

        Raises:
            NotFound: there is no such use case.
            InvalidInput: `given` does not fit its input.
        """
        use_case = self.catalog[name]
        data = given if isinstance(given, use_case.input) else validated(use_case.input, given)
        return await self.ask(use_case, data, caller=caller, listen=listen, history=history)

    def stream(
        self, use_case: UseCase[In, Out], given: In, *, caller: Caller = LOCAL, history: Sequence[Turn] = ()
    ) -> AsyncGenerator[Event]:
        """Asks a use case and tells as it goes. See `Runtime.stream`."""
        return self.runtime.stream(use_case, given, caller=caller, history=history)

    @property
    def engine(self) -> Engine:
        """The engine of the role `chat`."""
        return self.runtime.engines.of("chat")


class Prompts:
    """The prompt library; and for the use cases of a plug-in the folder `prompts` beside their files, before it."""

    def __init__(self, library: PromptStore) -> None:
        self.library = library
        self._plugins: dict[str, _Own] = {}

    def place(self, found: Found) -> PromptSource:
        """Notes where the prompts of a use case lie."""
        if found.plugin is not None:
            own = PromptStore(found.folder / "prompts")
            self._plugins[found.use_case.module] = _Own(own, self.library)
        return self.of(found.use_case)

    def of(self, use_case: UseCase[Any, Any]) -> PromptSource:
        """Where the prompts of a use case lie."""
        return self._plugins.get(use_case.module, self.library)

    def get(self, name: str, language: Language = "de") -> Prompt:
        """A prompt by name alone: the library's, else the first plug-in's that has it.

        Raises:
            NotFound: nobody has it.
        """
        try:
            return self.library.get(name, language)
        except NotFound:
            for own in self._plugins.values():
                if name in own.own.names():
                    return own.get(name, language)
            raise


@dataclass(frozen=True)
class _Own:
    """A plug-in's prompts, and the library for those it does not have."""

    own: PromptStore
    library: PromptStore

    def get(self, name: str, language: Language = "de") -> Prompt:
        return (self.own if name in self.own.names() else self.library).get(name, language)


@asynccontextmanager
async def open_house(settings: Settings | None = None, *, workers: int = 1) -> AsyncGenerator[House]:
    """Opens the house; on leaving, everything that was built is closed.

    Args:
        settings: of the installation; without them they are read.
        workers: how many processes serve it together; each gets its share of the limits.

    Raises:
        SetupError: the settings, a plug-in or a use case is wrong; the message names each problem.
    """
    settings = settings or load_settings()
    async with AsyncExitStack() as closing:
        settings.home.mkdir(parents=True, exist_ok=True)
        artifacts = ArtifactStore(settings.home / "artifacts")
        gate = Gate([CancelGuard(), SizeGuard(), SecretGuard(), UsageGuard()])
        models = house_models(settings)
        hub = open_hub(models, settings.home, workers=workers)
        closing.push_async_callback(hub.close)
        state = Database(settings.home, settings.database)
        closing.push_async_callback(state.close)
        servers = Servers(settings, models, hub, artifacts, state, closing)
        toolbox = Toolbox(servers.all(), gate, servers.outside())
        closing.push_async_callback(toolbox.close)
        engines = Engines(house_engines(models, hub))
        prompts = Prompts(PromptStore(library_root(settings)))
        catalog = load_catalog(
            prompts=prompts.place,
            tools=toolbox.names,
            roles=engines.roles,
            entry_points=entry_points(group=GROUP),
        )
        runtime = Runtime(
            prompts=prompts,
            engines=engines,
            toolbox=toolbox,
            gate=gate,
            use_cases=tuple(catalog),
            tracer_provider=TracerProvider(),
        )
        yield House(settings, catalog, runtime, prompts, artifacts, servers, state, hub, models, closing)


def library_root(settings: Settings) -> Path:
    """The folder of the prompt library: what the settings say, else the one the code came with, else a copy in the home."""
    if settings.prompts:
        return settings.prompts
    from prompts.seed import library

    return library(settings.home)
