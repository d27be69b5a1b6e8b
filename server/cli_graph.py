"""The command group `partitur graph`; what a command needs is imported when it runs."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from server.cli import Globals

__all__ = ["graph"]


@click.group(short_help="Build the graph out of documents, or all of it again.")
def graph() -> None:
    """The graph of who and what belongs together."""


@graph.command("build")
@click.option("--collection", default="default", show_default=True, help="Whose documents are read.")
@click.option("--town", metavar="NAME", help="The town they are of: its offices are other ones than those of another.")
@click.option("--model", is_flag=True, help="Let the chat model read too, beside the rules.")
@click.option("--again", is_flag=True, help="Read unchanged documents, too.")
@click.option("--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--quiet", "-q", is_flag=True, help="Show no progress.")
@click.pass_obj
def build(
    given: "Globals", collection: str, town: str | None, model: bool, again: bool, shape: str, quiet: bool
) -> int:
    """Read what is new or changed in the documents into the graph, and take out what is gone."""
    from server.graph_commands import build_command

    return build_command(
        given.settings(),
        collection=collection,
        town=town,
        model=model,
        again=again,
        as_json=shape == "json",
        quiet=quiet,
    )


@graph.command("rebuild")
@click.option("--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--quiet", "-q", is_flag=True, help="Show no progress.")
@click.pass_obj
def rebuild(given: "Globals", shape: str, quiet: bool) -> int:
    """Build the whole graph again from the lists and documents it was made of, which it keeps."""
    from server.graph_commands import rebuild_command

    return rebuild_command(given.settings(), as_json=shape == "json", quiet=quiet)
