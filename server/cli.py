"""The command line `partitur`: declares every command; what a command needs is imported when it runs."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar

import click

from server.cli_collections import access_of, collections
from server.cli_graph import graph
from server.cli_keys import keys
from server.erase_commands import erase

if TYPE_CHECKING:
    from server.settings import Settings

__all__ = ["main", "partitur"]

F = TypeVar("F", bound=Callable[..., Any])
_FOLDER = click.Path(file_okay=False, path_type=Path)
_PATH = click.Path(path_type=Path)


@dataclass(frozen=True)
class Globals:
    """What stands before the command."""

    home: Path | None = None
    verbose: bool = False

    def settings(self, *, serves: bool = False, **given: object) -> "Settings":
        """The settings, with the options that were given; from here on the process has a log.

        Args:
            serves: the command is a server, whose log belongs on stderr.
        """
        from server.logs import set_up
        from server.settings import load_settings

        chosen = {name: value for name, value in given.items() if value is not None}
        settings = load_settings(**({"home": self.home} if self.home else {}), **chosen)
        set_up(settings.home, level=settings.log_level, to_stderr=self.verbose or serves)
        return settings


class Lazy(click.Group):
    """The group `run`: its commands are the use cases, which are looked for only when somebody asks."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return self._cases().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self._cases().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        return self._cases().resolve_command(ctx, args)

    def _cases(self) -> click.Group:
        from server.asking import use_case_commands

        return use_case_commands()


def _format(command: F) -> F:
    shapes = click.Choice(["text", "json"])
    return click.option("--format", "shape", type=shapes, default="text", show_default=True)(command)


def _quiet(command: F) -> F:
    return click.option("--quiet", "-q", is_flag=True, help="Show no progress.")(command)


class First(click.Group):
    """The command itself: who leaves out 'run' is told."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            hint = "Use cases are asked with 'partitur run …'; 'partitur list' shows them."
            raise click.UsageError(f"{error.message} {hint}", ctx) from None


@click.group(cls=First, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--home", type=_FOLDER, help="Folder for data, keys and artifacts; by default .partitur.")
@click.option("--verbose", "-v", is_flag=True, help="Show the log, and the whole traceback of an unexpected error.")
@click.pass_context
def partitur(ctx: click.Context, home: Path | None, verbose: bool) -> None:
    """Composes typed AI use cases out of MCP tools, over an organisation's own models.

    \b
    First steps:
      partitur demo                               make a newsletter from the sample documents
      partitur list                               see the use cases
      partitur run answer "Was kostet …?"         ask one
      partitur serve                              offer them as OpenAI models and MCP tools
    """
    ctx.obj = Globals(home, verbose)


@partitur.group(cls=Lazy, short_help="Ask a use case.")
def run() -> None:
    """Asks a use case: one command for each, with the fields of its input as options.

    The result goes to stdout, progress to stderr. Exit codes: 0 done, 3 the sources carry no answer, 4 it needs a
    model, 2 wrong usage or set-up, 1 anything else.
    """


@partitur.command("list")
@_format
@click.pass_obj
def list_(given: Globals, shape: str) -> None:
    """List the use cases."""
    from server.asking import listed

    click.echo(listed(given.settings(), as_json=shape == "json"))


@partitur.command(short_help="Serve every use case over HTTP and MCP.")
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 is any free one.  [default: 8642]")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes that share the work.  [default: 1]")
@click.pass_obj
def serve(given: Globals, host: str | None, port: int | None, workers: int | None) -> int:
    """Serve every use case over HTTP, as OpenAI models and as MCP tools."""
    from server.loading import loading

    with loading() as loaded:
        settings = given.settings(serves=True, host=host, port=port, workers=workers)
        from server.serving import serve

        return serve(settings, loaded=loaded)


@partitur.command()
@click.pass_obj
def mcp(given: Globals) -> None:
    """Serve every use case as an MCP tool over stdin and stdout."""
    settings = given.settings(serves=True)
    from server.mcp_api import run_stdio

    run_stdio(settings)


@partitur.command(short_help="Run one tool server alone.")
@click.argument("server")
@click.option("--transport", type=click.Choice(["stdio", "http"]), default="stdio", show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8643, show_default=True)
@click.pass_obj
def tools(given: Globals, server: str, transport: Literal["stdio", "http"], host: str, port: int) -> None:
    """Run one tool server alone, for example 'knowledge' or 'speech'."""
    settings = given.settings(serves=True)
    from server.wire import run_tools

    run_tools(server, settings, transport, host, port)


@partitur.command(short_help="Read documents into the knowledge base.")
@click.argument("places", nargs=-1, required=True, metavar="PATH|URL…")
@click.option("--collection", default="default", show_default=True, help="Where they go.")
@click.option("--reader", "readers", multiple=True, metavar="WHO", help="user:NAME or group:NAME: only these, and you.")
@_format
@_quiet
@click.pass_obj
def ingest(
    given: Globals, places: tuple[str, ...], collection: str, readers: tuple[str, ...], shape: str, quiet: bool
) -> int:
    """Read documents into the knowledge base: txt, md, html, pdf, docx and more, folders of them, and web addresses.

    What is unchanged is left, what left a folder is removed. A file that cannot be read fails alone: it is named, the
    rest is read, and the exit code is 1.
    """
    from server.ingest import ingest_command

    access = access_of(readers) if readers else None
    return ingest_command(
        given.settings(), places, collection=collection, access=access, as_json=shape == "json", quiet=quiet
    )


@partitur.command()
@click.option("--limit", type=click.IntRange(1), help="How many to list.")
@_format
@click.pass_obj
def documents(given: Globals, limit: int | None, shape: str) -> None:
    """List the documents of the knowledge base."""
    from server.ingest import documents_command

    documents_command(given.settings(), limit=limit, as_json=shape == "json")


@partitur.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID…")
@click.pass_obj
def delete(given: Globals, ids: tuple[str, ...]) -> int:
    """Delete documents from the knowledge base."""
    from server.ingest import delete_command

    return delete_command(given.settings(), ids)


@partitur.command(short_help="Load files or a database as graph or tables.")
@click.argument("what", type=click.Choice(["graph", "tables"]))
@click.argument("folder", type=_PATH, required=False)
@click.option("--from", "attached", metavar="NAME", help="A database of the settings, in place of a folder.")
@click.option("--collection", default="default", show_default=True, help="Where they go.")
@click.option("--policy", type=_PATH, metavar="FILE", help="Words for tables, and who sees which rows and columns.")
@_format
@_quiet
@click.pass_obj
def load(
    given: Globals,
    what: str,
    folder: Path | None,
    attached: str | None,
    collection: str,
    policy: Path | None,
    shape: str,
    quiet: bool,
) -> int:
    """Load a folder as the graph or as tables, or the tables of a database that the settings name."""
    from server.ingest import load_command

    return load_command(
        given.settings(),
        what,
        folder,
        collection=collection,
        policy=policy,
        attached=attached,
        as_json=shape == "json",
        quiet=quiet,
    )


@partitur.group(invoke_without_command=True, short_help="Show the models and how their engines fare.")
@_format
@click.pass_context
def models(ctx: click.Context, shape: str) -> int | None:
    """Show the models of the hub, with health, queue and KV cache of each engine as it is now."""
    if ctx.invoked_subcommand:
        return None
    from server.hub_commands import models_command

    return models_command(ctx.obj.settings(), as_json=shape == "json")


@models.command("check")
@click.argument("ids", nargs=-1, metavar="[ID]…")
@_format
@click.pass_obj
def models_check(given: Globals, ids: tuple[str, ...], shape: str) -> int:
    """Send every model, or those named, a real request of each kind."""
    from server.hub_commands import check_command

    return check_command(given.settings(), ids, as_json=shape == "json")


@models.command("command")
@click.argument("id")
@click.pass_obj
def models_serve(given: Globals, id: str) -> int:
    """Print how to start an engine for a model with vLLM."""
    from server.hub_commands import serve_command

    return serve_command(given.settings(), id)


partitur.add_command(collections)
partitur.add_command(erase)
partitur.add_command(graph)
partitur.add_command(keys)


@partitur.command()
@_format
@click.pass_obj
def doctor(given: Globals, shape: str) -> int:
    """Check the whole installation and say what to do."""
    from server.doctor import doctor_command
    from server.logs import set_up

    set_up(given.home or Path(".partitur"), level="warning", to_stderr=given.verbose)
    return doctor_command(given.home, as_json=shape == "json")


@partitur.command(short_help="Make a newsletter from the sample documents.")
@click.option("--topic", help="What the newsletter is on.")
@click.option("--out", type=_FOLDER, default=Path("out/newsletter"), show_default=True, help="Folder for the files.")
@_quiet
@click.pass_obj
def demo(given: Globals, topic: str | None, out: Path, quiet: bool) -> int:
    """Make a newsletter from the sample documents: written, cited, illustrated, read aloud."""
    from server.demo import demo_command

    return demo_command(given.settings(), topic=topic, out=out, quiet=quiet)


@partitur.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash:  eval "$(partitur completion bash)"     in ~/.bashrc
    zsh:   eval "$(partitur completion zsh)"      in ~/.zshrc
    fish:  partitur completion fish > ~/.config/fish/completions/partitur.fish
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    if found is not None:
        click.echo(found(partitur, {}, "partitur", "_PARTITUR_COMPLETE").source())


@partitur.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        click.echo(f"partitur {installed('partitur')}")
    except PackageNotFoundError:
        click.echo("partitur (not installed as a package)")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs a command and leaves with its exit code; no traceback reaches the user unless asked for."""
    sys.exit(_exit_code(list(sys.argv[1:] if arguments is None else arguments)))


def _exit_code(arguments: list[str]) -> int:
    try:
        code = partitur.main(arguments, prog_name="partitur", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("Stopped.", err=True)
        return 130
    except BrokenPipeError:
        _leave_pipe()
        return 141
    except Exception as error:
        from server.failing import fail

        return fail(error, arguments)
    return code if isinstance(code, int) else 0


def _leave_pipe() -> None:
    """Whoever read our output has gone: the interpreter must not complain about it on its way out."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
