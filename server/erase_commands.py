"""The command group `partitur erase`: documents, or what belongs to a person, for good and with a receipt."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from server.cli import Globals
    from server.erasing import Receipt
    from server.house import House

__all__ = ["erase"]

T = TypeVar("T")
_shape = click.option("--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True)
_sure = click.confirmation_option(prompt="It cannot be brought back. Go on?")


@click.group(short_help="Erase documents or a person's data, with a receipt.")
def erase() -> None:
    """Takes documents, or what belongs to a person, out of every store, looks into every file whether it is gone, and keeps a
    receipt of that. Exit code 1: something is left, and the receipt says where.

    'partitur delete' hides at once and lets go of the bytes later; this waits until they are gone.
    """


@erase.command("documents")
@click.argument("ids", nargs=-1, required=True, metavar="ID…")
@_shape
@_sure
@click.pass_obj
def documents(given: "Globals", ids: tuple[str, ...], shape: str) -> int:
    """Erase documents with everything that was made of them."""

    async def act(house: "House") -> "Receipt":
        from server.erasing import erase_documents
        from server.house import LOCAL

        return await erase_documents(house, LOCAL, ids)

    return _told(_in_house(given, act), shape)


@erase.command("person")
@click.argument("subject")
@click.option("--documents", "brought", is_flag=True, help="The documents that the person brought, too.")
@_shape
@_sure
@click.pass_obj
def person(given: "Globals", subject: str, brought: bool, shape: str) -> int:
    """Erase what belongs to a person: files, vector stores, responses, batches, artifacts, places in rules."""

    async def act(house: "House") -> "Receipt":
        from server.erasing import erase_person
        from server.house import LOCAL

        return await erase_person(house, LOCAL, subject, documents=brought)

    return _told(_in_house(given, act), shape)


@erase.command("receipts")
@click.pass_obj
def receipts(given: "Globals") -> None:
    """Print all receipts as JSON, newest first."""

    async def act(house: "House") -> str:
        from server.house import LOCAL
        from server.state.erasing import Erasures

        found = await Erasures(house.state).receipts(LOCAL, all=True)
        return json.dumps(found, ensure_ascii=False, indent=2)

    click.echo(_in_house(given, act))


def _in_house(given: "Globals", act: "Callable[[House], Awaitable[T]]") -> T:
    settings = given.settings()
    from server.house import open_house

    async def run() -> T:
        async with open_house(settings) as house:
            return await act(house)

    return asyncio.run(run())


def _told(receipt: "Receipt", shape: str) -> int:
    if shape == "json":
        click.echo(receipt.model_dump_json(indent=2))
    else:
        counts = ", ".join(f"{count} {name}" for name, count in receipt.erased.items()) or "nothing that was there"
        click.echo(f"Erased: {counts}")
        for check in receipt.checks:
            click.echo(
                f"  {'gone' if check.left == 0 else f'{check.left} LEFT'}: {check.where}, {check.looked_at} looked at"
            )
        for note in receipt.notes:
            click.echo(f"  Note: {note}")
        click.echo(f"Receipt: {receipt.id}")
    return 0 if receipt.complete else 1
