"""Collections from the command line: shown, made, changed, removed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import click

from server.house import LOCAL
from server.ingest import open_servers
from server.keeping import remove_collection
from server.servers import Servers
from server.settings import Settings
from tools.base import Access, Collection, InvalidInput

__all__ = ["add_command", "change_command", "list_command", "remove_command"]

T = TypeVar("T")


def list_command(settings: Settings, *, as_json: bool) -> None:
    """Prints the collections with their rules."""

    async def act(servers: Servers) -> Sequence[Collection]:
        return await servers.collections.managed(LOCAL)

    found = _with_servers(settings, act)
    if as_json:
        click.echo("[" + ",\n ".join(each.model_dump_json() for each in found) + "]")
    else:
        for each in found:
            click.echo(_told(each))


def add_command(settings: Settings, name: str, given: Mapping[str, Any]) -> None:
    """Makes a collection."""

    async def act(servers: Servers) -> Collection:
        from agents.kit import validated

        return await servers.collections.add(LOCAL, validated(Collection, {"name": name, **given}))

    click.echo(_told(_with_servers(settings, act)))


def change_command(settings: Settings, name: str, given: Mapping[str, Any]) -> None:
    """Changes some rules of a collection."""
    if not given:
        raise InvalidInput(
            "Nothing was named that is to change. Expected an option.", hint="See 'partitur collections set --help'."
        )

    async def act(servers: Servers) -> Collection:
        return await servers.collections.change(LOCAL, name, given)

    click.echo(_told(_with_servers(settings, act)))


def remove_command(settings: Settings, name: str) -> None:
    """Removes a collection with everything in it."""

    async def act(servers: Servers) -> None:
        await remove_collection(servers, LOCAL, name)

    _with_servers(settings, act)
    click.echo(f"Removed {name}, and everything that was in it.", err=True)


def _with_servers(settings: Settings, act: Callable[[Servers], Awaitable[T]]) -> T:
    async def run() -> T:
        async with AsyncExitStack() as closing:
            return await act(open_servers(settings, closing))

    return asyncio.run(run())


def _told(given: Collection) -> str:
    kept = f"{given.retention_days} days" if given.retention_days else "without end"
    parts = [
        f"read by {_who(given.readers)}",
        f"changed by {_who(given.editors)}",
        f"kept {kept}",
        *([f"owned by {given.owner}"] if given.owner else []),
        *([f"language {given.language}"] if given.language else []),
    ]
    purpose = f"  {given.purpose}\n" if given.purpose else ""
    return f"{given.name}\n{purpose}  {', '.join(parts)}"


def _who(access: Access) -> str:
    if access.everyone:
        return "everyone"
    names = [*(f"user {name}" for name in access.users), *(f"group {name}" for name in access.groups)]
    return " and ".join(names) or "its owner alone"
