"""The command group `partitur keys`; what a command needs is imported when it runs."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from server.cli import Globals
    from server.keys import Key

__all__ = ["keys"]


@click.group(short_help="List, create and revoke API keys.")
def keys() -> None:
    """API keys of 'partitur serve'. A key is shown once, when it is made."""


@keys.command("list")
@click.pass_obj
def keys_list(given: "Globals") -> None:
    """List the keys with whom they act as, without showing them."""
    from server.keys import KeyStore

    for key in KeyStore(given.settings().home).list():
        click.echo(f"{key.id}  {key.created:%Y-%m-%d %H:%M}  {key.label}  ({_whom(key)})")


@keys.command("create")
@click.argument("label", default="command line")
@click.option(
    "--user", metavar="NAME", help="Who acts with it, as access lists name users; by default a user of its own."
)
@click.option("--group", "groups", metavar="NAME", multiple=True, help="A group of theirs; again for each further one.")
@click.option("--role", "roles", metavar="NAME", multiple=True, help="admin, analyst, or one that the settings name.")
@click.option("--cost-centre", metavar="NAME", help="Where it is charged, and what row rules of tables may compare.")
@click.pass_obj
def keys_create(
    given: "Globals",
    label: str,
    user: str | None,
    groups: tuple[str, ...],
    roles: tuple[str, ...],
    cost_centre: str | None,
) -> None:
    """Make a key and print it, this once.

    Without a user, group or role it is an administrator's. With any of them it has the roles that are named, or none: it then
    asks, and reads what its user and groups may read.
    """
    from server.keys import Holder, KeyStore

    plain = not (user or groups or roles)
    holder = Holder.of(user=user, groups=groups, roles=("admin",) if plain else roles, cost_centre=cost_centre)
    click.echo(KeyStore(given.settings().home).add(label, holder))


@keys.command("revoke")
@click.argument("id")
@click.pass_obj
def keys_revoke(given: "Globals", id: str) -> None:
    """Take a key back."""
    from server.keys import KeyStore

    gone = KeyStore(given.settings().home).remove(id)
    click.echo(f"Revoked {gone.id} ({gone.label}).", err=True)


def _whom(key: "Key") -> str:
    """Whom a key acts as: `user:anna, group:bauamt, role:analyst`."""
    caller = key.caller
    parts = [f"user:{caller.subject}", *(f"group:{name}" for name in sorted(caller.groups))]
    parts += [f"role:{name}" for name in sorted(caller.roles)]
    return ", ".join([*parts, f"cost centre:{caller.cost_centre}"] if caller.cost_centre else parts)
