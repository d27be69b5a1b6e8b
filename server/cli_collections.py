"""The command group `partitur collections`; what a command needs is imported when it runs."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from server.cli import Globals

__all__ = ["access_of", "collections"]

F = TypeVar("F", bound=Callable[..., Any])


def _rules(command: F) -> F:
    """The options that say what a collection's rules are."""
    for option in reversed(
        (
            click.option("--owner", help="The subject that answers for it."),
            click.option("--purpose", help="What it is kept for."),
            click.option("--language", type=click.Choice(["de", "en"]), help="Of most of its texts."),
            click.option("--days", type=click.IntRange(0, 36_500), help="Days that it keeps what it holds; 0: no end."),
            click.option(
                "--reader", "readers", multiple=True, metavar="WHO", help="everyone, user:NAME or group:NAME."
            ),
            click.option(
                "--editor", "editors", multiple=True, metavar="WHO", help="As --reader: who puts in and takes out."
            ),
            click.option("--only-owner", is_flag=True, help="Nobody but its owner and those named here reads it."),
        )
    ):
        command = option(command)
    return command


@click.group(short_help="Show, make and change collections.")
def collections() -> None:
    """Collections of documents, graph and tables: who reads them, who changes them, and how long they keep.

    A rule holds from the next request on. The collection 'default' is where things go when nobody says otherwise; everyone
    reads and changes it until you say otherwise.
    """


@collections.command("list")
@click.option("--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def list_(given: "Globals", shape: str) -> None:
    """List the collections with their rules."""
    from server.collection_commands import list_command

    list_command(given.settings(), as_json=shape == "json")


@collections.command("create")
@click.argument("name")
@_rules
@click.pass_obj
def create(given: "Globals", name: str, **rules: Any) -> None:
    """Make a collection. Without --reader its owner alone reads it."""
    from server.collection_commands import add_command

    add_command(given.settings(), name, _chosen(rules))


@collections.command("set")
@click.argument("name")
@_rules
@click.pass_obj
def set_(given: "Globals", name: str, **rules: Any) -> None:
    """Change rules of a collection; what is left out stays."""
    from server.collection_commands import change_command

    change_command(given.settings(), name, _chosen(rules))


@collections.command("remove")
@click.argument("name")
@click.confirmation_option(prompt="Everything in it will be deleted. Go on?")
@click.pass_obj
def remove(given: "Globals", name: str) -> None:
    """Remove a collection with everything in it."""
    from server.collection_commands import remove_command

    remove_command(given.settings(), name)


def _chosen(rules: dict[str, Any]) -> dict[str, Any]:
    """What was given, in the names of the model."""
    found: dict[str, Any] = {name: rules[name] for name in ("owner", "purpose", "language") if rules[name] is not None}
    if rules["days"] is not None:
        found["retention_days"] = rules["days"] or None
    for name in ("readers", "editors"):
        if rules[name] or (rules["only_owner"] and name == "readers"):
            found[name] = access_of(rules[name])
    return found


def access_of(names: tuple[str, ...]) -> dict[str, Any]:
    """Readers or editors as they are named on the command line, in the names of `Access`."""
    found: dict[str, Any] = {"users": [], "groups": [], "everyone": False}
    for name in names:
        kind, _, who = name.partition(":")
        if name == "everyone":
            found["everyone"] = True
        elif kind in ("user", "group") and who:
            found[f"{kind}s"].append(who)
        else:
            raise click.BadParameter(f"{name!r} names nobody. Expected 'everyone', 'user:NAME' or 'group:NAME'.")
    return found
