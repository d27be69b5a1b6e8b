"""Checks the whole installation, each part for itself, and says what to do where something is missing."""

import asyncio
import json
import logging
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

import click

from server.names import intruders
from tools.base import PartiturError

if TYPE_CHECKING:
    from agents.kit.outside import Outside
    from server.house import House
    from server.settings import Settings
    from tools.models import Hub, Pool
    from tools.models.replica import Replica

__all__ = ["Check", "checks", "doctor_command", "engine_looks"]

State = Literal["ok", "warning", "failed"]
_MARKS: dict[State, tuple[str, str]] = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "red")}
_GIGABYTE = 1_000_000_000
_OLDEST, _TOO_NEW = (3, 11), (3, 15)
"""Of Python; the same as `requires-python` in pyproject.toml."""
_PATIENCE = 10.0
"""Seconds that a server of others is waited for."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Check:
    """What one look has found."""

    name: str
    state: State
    said: str
    todo: str = ""


class _Worse(Exception):
    """Ends a check with something to say: what is found, what to do, and how bad it is."""

    def __init__(self, said: str, todo: str, state: State = "warning") -> None:
        super().__init__(said)
        self.said = said
        self.todo = todo
        self.state: State = state


Look = Callable[[], Awaitable[str]]
"""Looks, and says what it found."""


def doctor_command(home: Path | None, *, as_json: bool) -> int:
    """Prints all checks; 1 where one failed."""
    found = asyncio.run(checks(home))
    if as_json:
        click.echo(json.dumps([asdict(check) for check in found], ensure_ascii=False, indent=2))
    else:
        click.echo("\n".join(map(_line, found)))
    return 1 if any(check.state == "failed" for check in found) else 0


def _line(check: Check) -> str:
    mark, colour = _MARKS[check.state]
    line = f"{click.style(mark, fg=colour)} {check.name:<11} {check.said}"
    return f"{line}\n  {'':<11} → {check.todo}" if check.todo else line


async def checks(home: Path | None = None) -> list[Check]:
    """Looks at everything; never raises. What needs the settings or the house is left out where those fail.

    Args:
        home: the folder of the data, where it is not that of the settings.
    """
    found = [await _look("python", _python), await _look("names", _names)]
    settings: list[Settings] = []

    async def load() -> str:
        from server.settings import load_settings, unknown_variables

        settings.append(load_settings(**({"home": home} if home else {})))
        if unknown := unknown_variables():
            raise _Worse(f"no such setting: {', '.join(unknown)}", "Correct or unset them; docs/settings.md lists all.")
        return f"home {settings[0].home}"

    found.append(await _look("settings", load))
    if not settings:
        return found
    found += [
        await _look("home", lambda: _writable(settings[0].home)),
        await _look("disk", lambda: _space(settings[0].home)),
    ]
    if found[-2].state == "failed":
        return found
    return found + await _in_house(settings[0])


async def _in_house(settings: "Settings") -> list[Check]:
    """The checks that need an open house."""
    from server.house import open_house

    found = [await _look("prompts", lambda: _prompts(settings))]
    outcome: list[Check] = []

    async def enter() -> str:
        async with open_house(settings) as house:
            outcome.extend(await _parts(house))
            return f"{len(list(house.catalog))} use cases: {', '.join(one.name for one in house.catalog)}"

    return [*found, await _look("catalog", enter), *outcome]


async def _parts(house: "House") -> list[Check]:
    looks: list[tuple[str, Look]] = [
        *engine_looks(house.hub),
        ("database", lambda: _database(house)),
        ("knowledge", lambda: _knowledge(house)),
        ("speech", lambda: _speech(house)),
        ("picture", lambda: _picture(house)),
        ("fonts", _fonts),
        ("graph", lambda: _loaded(house, "graph", "nodes")),
        ("tables", lambda: _loaded(house, "tables", "tables")),
        *((f"mcp {name}", _outside_look(outside)) for name, outside in house.runtime.toolbox.outside.items()),
    ]
    return [await _look(name, look) for name, look in looks]


async def _look(name: str, look: Look) -> Check:
    try:
        return Check(name, "ok", await look())
    except _Worse as worse:
        return Check(name, worse.state, worse.said, worse.todo)
    except PartiturError as error:
        return Check(name, "failed", error.message, error.hint)
    except ImportError as error:
        return Check(name, "failed", f"{error}.", "Install Partitur again with its dependencies: 'make setup'.")
    except OSError as error:
        return Check(name, "failed", f"{error}.", "Check that the file is there and may be read and written.")
    except Exception as error:  # the top of each check: one that breaks must not keep the others from being made
        log.debug("A check broke", exc_info=True)
        return Check(name, "failed", f"{type(error).__name__}: {error}", "This was not expected; please report it.")


async def _python() -> str:
    version = ".".join(map(str, sys.version_info[:3]))
    if not _OLDEST <= sys.version_info[:2] < _TOO_NEW:
        oldest, newest = ".".join(map(str, _OLDEST)), f"{_TOO_NEW[0]}.{_TOO_NEW[1] - 1}"
        raise _Worse(
            f"Python {version}. Expected {oldest} to {newest}.", "Make the environment with another Python.", "failed"
        )
    return f"Python {version}"


async def _names() -> str:
    for intruder in intruders():
        raise _Worse(intruder.message, intruder.hint, "failed")
    return "agents, tools, compositions, prompts, server and evals are Partitur's own"


async def _writable(home: Path) -> str:
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=home) as file:
        file.write(b"x")
    return f"{home} can be written"


async def _database(house: "House") -> str:
    if not house.state.there:
        return "SQLite, made in the home when it is first used"
    return await house.state.open()


async def _space(home: Path) -> str:
    free = shutil.disk_usage(home if home.exists() else Path.cwd()).free
    said = f"{free / _GIGABYTE:.1f} GB free"
    if free < _GIGABYTE / 10:
        raise _Worse(said, "Free at least 1 GB; nothing can be stored.", "failed")
    if free < _GIGABYTE:
        raise _Worse(said, "Free at least 1 GB; an ingestion needs room.")
    return said


async def _prompts(settings: "Settings") -> str:
    from prompts.store import PromptStore
    from server.house import library_root

    store = PromptStore(library_root(settings))
    prompts = store.list()
    dirty = [prompt.path for prompt in prompts if prompt.dirty]
    said = f"{len(prompts)} prompts in {store.root}"
    if store.problem:
        raise _Worse(f"{said}; {store.problem}", "Results cannot name the commit of their prompt: put it under Git.")
    if dirty:
        raise _Worse(f"{said}; not committed: {', '.join(dirty)}", "Commit them, so that results name their commit.")
    return f"{said}, all committed"


def engine_looks(hub: "Hub") -> "list[tuple[str, Look]]":
    """A look at each engine of each model; without any model, at the embedded one."""
    looks: list[tuple[str, Look]] = [
        (pool.id if len(pool.replicas) == 1 else f"{pool.id} {number}", partial(_reached, hub, pool, replica))
        for pool in hub.pools.values()
        for number, replica in enumerate(pool.replicas, 1)
    ]
    return looks or [("engine", _embedded)]


async def _embedded() -> str:
    return "embedded: quotes and never invents. Translation and plain language need a model: set PARTITUR_MODEL_URL"


async def _reached(hub: "Hub", pool: "Pool", replica: "Replica") -> str:
    """Asks an engine for its models."""
    import aiohttp

    config, url = pool.config, replica.shown
    short = f"PARTITUR_{'MODEL' if config.kind == 'chat' else config.kind.upper()}"
    where = f"[models.{pool.id}]" if config.kind == "rerank" else f"[models.{pool.id}] or {short}_URL"
    meanwhile = "Searches do without it" if config.kind in ("embedding", "rerank") else "Requests fail"
    headers = {"Authorization": f"Bearer {config.key.get_secret_value()}"} if config.key else {}
    began = perf_counter()
    try:
        status, data = await hub.transport.get(
            f"{replica.url}/models", headers=headers, seconds=_PATIENCE, at_most=1_000_000
        )
        if status in (401, 403):
            raise _Worse(
                f"{url} answers {status} to /models", f"Check the key of [models.{pool.id}], or {short}_KEY.", "failed"
            )
        if status != 200:
            raise _Worse(f"{url} answers {status} to /models", f"Check {where}; it should end in /v1.", "failed")
        models = [str(model["id"]) for model in json.loads(data)["data"]]
    except (aiohttp.ClientError, OSError) as error:
        raise _Worse(
            f"{url} cannot be reached: {type(error).__name__}. {error}".rstrip(),
            f"Start the engine, or correct {where}. {meanwhile} until it is up.",
            "failed",
        ) from None
    except (ValueError, KeyError, TypeError):
        raise _Worse(f"{url}/models is no list of models", f"Check {where}; it should end in /v1.", "failed") from None
    took = (perf_counter() - began) * 1000
    if pool.name not in models:
        said = f"{url} offers {', '.join(models)}; not {pool.name!r}"
        raise _Worse(said, f"Set the name in [models.{pool.id}], or {short}_NAME, to one of them.", "failed")
    return f"{url} in {took:.0f} ms offers {', '.join(models[:5])}"


async def _knowledge(house: "House") -> str:
    from server.house import LOCAL
    from tools.ragflow.library import RagflowLibrary

    if isinstance(shelf := house.servers.shelf, RagflowLibrary):
        return await shelf.check()
    found = await shelf.documents(LOCAL, limit=1)
    if not found.total:
        from server.demo import SAMPLE

        demo = ", or run 'partitur demo'" if (SAMPLE / "documents").is_dir() else ""  # wheels come without samples
        raise _Worse("no documents yet", f"Read some with 'partitur ingest PATH'{demo}.")
    return f"{found.total} documents"


async def _speech(house: "House") -> str:
    began = perf_counter()
    made = await _tool(house, "speech", "say", {"text": "Guten Tag.", "language": "de", "formats": ["wav"]})
    return f"{made['engine']}, one sentence in {perf_counter() - began:.1f} s"


async def _picture(house: "House") -> str:
    began = perf_counter()
    made = await _tool(house, "image", "generate", {"prompt": "Guten Tag", "language": "de"})
    return f"{made['engine']}, {made['width']} × {made['height']} in {perf_counter() - began:.1f} s"


async def _fonts() -> str:
    from tools.image.render import SANS, SERIF, width_of

    for family in (SERIF, SANS):
        width_of("Straße", 12, family)
    return f"{SERIF}, {SANS}"


async def _loaded(house: "House", server: str, what: str) -> str:
    try:
        found = await _tool(house, server, "schema", {})
    except PartiturError as error:
        if error.code == "not_found":
            raise _Worse("nothing loaded yet", f"Load some with 'partitur load {server} FOLDER'.") from None
        raise
    count = len(found[what])
    if not count:
        raise _Worse("nothing loaded yet", f"Load some with 'partitur load {server} FOLDER'.")
    return f"{count} {'kinds of nodes' if server == 'graph' else 'tables'}"


def _outside_look(outside: "Outside") -> Look:
    return lambda: _outside(outside)


async def _outside(outside: "Outside") -> str:
    """Asks an MCP server of others for its tools; one that is down is no fault of this installation."""
    try:
        async with asyncio.timeout(_PATIENCE):
            for tool in outside.server.tools:
                await outside.tool(tool)
    except TimeoutError:
        said, todo = f"no answer within {_PATIENCE:g} s", f"Start it, or correct mcp_servers.{outside.name}."
        raise _Worse(said, todo) from None
    except PartiturError as error:
        raise _Worse(error.message, error.hint) from None
    pins = [f"{tool}={await outside.digest(tool)}" for tool in outside.server.tools]
    return f"offers {', '.join(outside.server.tools)}; as of now {', '.join(pins)}"


async def _tool(house: "House", server: str, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Calls a tool as a run would, through the gate."""
    from agents.kit.scope import Scope
    from server.house import LOCAL

    scope = Scope.alone("doctor", LOCAL)
    return await house.runtime.toolbox.run(f"{server}.{tool}", arguments, scope)
