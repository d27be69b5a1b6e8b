"""Runs an ASGI app on one socket with uvicorn: bound first, told when it answers, stopped without a traceback."""

import asyncio
import contextlib
import errno
import importlib
import signal
import socket as sockets
import sys
from collections.abc import Callable, Coroutine, Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tools.base import SetupError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from server.settings import Settings

__all__ = [
    "Stopping",
    "address",
    "listening",
    "run",
    "run_on_pipe",
    "say",
    "serve",
    "serve_again",
    "serve_house",
    "served",
]

_GRACE_S = 5
"""Seconds that running requests get to end."""


@dataclass
class Stopping:
    """Whether the server has been told to stop."""

    now: bool = False
    then: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
    """Called when it is told."""

    def tell(self) -> None:
        """Tells it to stop."""
        self.now = True
        for call in self.then:
            call()


def serve(settings: "Settings", *, loaded: Callable[[], None] = lambda: None) -> int:
    """Serves the house until it is told to stop (Ctrl-C, SIGTERM); gives the exit code.

    Args:
        settings: of the installation; they say how many workers there are.
        loaded: called when everything that is dear has been loaded.

    Raises:
        SetupError: the settings, a use case or the key file is wrong, or the address is taken.
    """
    if settings.workers > 1:
        from server.workers import serve_workers

        loaded()  # nothing more is loaded here
        return serve_workers(settings)
    run(serve_house(settings, listening(settings.host, settings.port), greet=say, loaded=loaded))
    return 0


async def serve_house(
    settings: "Settings",
    taken: AbstractContextManager[sockets.socket],
    *,
    greet: Callable[[str], None],
    loaded: Callable[[], None],
) -> None:
    """Serves the house; while it is loaded, probes are answered and requests wait.

    Args:
        settings: of the installation.
        taken: the socket; it listens within the block.
        greet: is given what to say when requests are answered.
        loaded: called when everything that is dear has been loaded.

    Raises:
        SetupError: the settings, a use case or the key file is wrong, or the address is taken.
    """
    from server.front import Front

    stopping, front, enough = Stopping(), Front(), asyncio.Event()
    holding: list[asyncio.Task[None]] = []

    def leave() -> None:
        """Told to stop: what is not there yet is not waited for."""
        front.give_up()
        for task in holding:
            if not front.there:
                task.cancel()

    stopping.then.append(leave)

    async def hold(url: str) -> None:
        await asyncio.to_thread(importlib.import_module, "server.app")
        from server.app import greeting, opened

        async with opened(settings, stopping, loaded) as (app, house):
            front.hand_over(app)
            greet(greeting(house, url))
            await enough.wait()

    with taken as socket:

        def begin() -> None:
            """Not before it answers: imports would hold that up."""
            task = asyncio.create_task(hold(address(settings.host, socket)))
            task.add_done_callback(lambda _: stopping.tell())
            holding.append(task)

        try:
            await served(front, socket, stopping, begin, lifespan="off")
        finally:
            enough.set()
            for task in holding:
                with contextlib.suppress(asyncio.CancelledError):
                    await task


async def serve_again(
    settings: "Settings",
    taken: AbstractContextManager[sockets.socket],
    *,
    greet: Callable[[str], None],
    loaded: Callable[[], None],
) -> None:
    """Serves the house, and listens no sooner than it is loaded: others serve meanwhile. Else as `serve_house`."""
    from server.app import greeting, opened

    stopping = Stopping()
    async with opened(settings, stopping, loaded) as (app, house):
        with taken as socket:
            url = address(settings.host, socket)
            await served(app, socket, stopping, lambda: greet(greeting(house, url)), lifespan="off")


def say(text: str) -> None:
    """Says something on the console, at once."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def listening(host: str, port: int, *, shared: bool = False) -> Generator[sockets.socket]:
    """A socket that listens on `host` and `port` (0 = any free one).

    Args:
        host: name or address.
        port: number of the port.
        shared: others may listen there in the same way; the system spreads connections over them.

    Raises:
        SetupError: the address cannot be had.
    """
    try:
        family, kind, protocol, _, place = sockets.getaddrinfo(host, port, type=sockets.SOCK_STREAM)[0]
        socket = sockets.socket(family, kind, protocol)
    except OSError as error:
        raise _taken(host, port, error) from error
    with socket:
        try:
            socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
            if shared:
                socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEPORT, 1)
            socket.bind(place)
            socket.listen(2048)
        except OSError as error:
            raise _taken(host, port, error) from error
        yield socket


def address(host: str, socket: sockets.socket) -> str:
    """The URL of a listening socket, as others reach it."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{socket.getsockname()[1]}"


def run(main: Coroutine[Any, Any, None]) -> None:
    """Runs `main` on uvloop where there is one. A second Ctrl-C ends it at once, without a word."""
    factory = None
    with contextlib.suppress(ImportError):
        import uvloop

        factory = uvloop.new_event_loop
    with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)


def run_on_pipe(main: Coroutine[Any, Any, None]) -> None:
    """Runs `main`, which reads stdin. Ctrl-C ends it as it ends any filter: a thread that waits on a pipe cannot be woken."""
    with contextlib.suppress(ValueError):  # not the main thread: whoever started us stops us
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    run(main)


async def served(
    app: "ASGIApp",
    socket: sockets.socket,
    stopping: Stopping,
    started: Callable[[], None],
    *,
    lifespan: Literal["on", "off"] = "on",
) -> None:
    """Serves `app` until a signal comes, or it is told to stop; `started` is called when it answers."""
    import uvicorn

    from server.protocol import Protocol

    class Server(uvicorn.Server):
        async def startup(self, sockets: "list[sockets.socket] | None" = None) -> None:
            await super().startup(sockets)
            if not self.should_exit:
                started()

        @contextmanager
        def capture_signals(self) -> Generator[None]:
            """Signals end the loop, and after it everything is closed in order; uvicorn would raise them again."""
            loop, taken = asyncio.get_running_loop(), [signal.SIGINT, signal.SIGTERM]
            try:
                for number in taken:
                    loop.add_signal_handler(number, self.stop, number)
            except (ValueError, RuntimeError, NotImplementedError):
                taken = []  # not the main thread: whoever started us stops us
            try:
                yield
            finally:
                for number in taken:
                    loop.remove_signal_handler(number)

        def stop(self, number: int) -> None:
            self.handle_exit(number, None)
            stopping.tell()

        def leave(self) -> None:
            self.should_exit = True

    config = uvicorn.Config(
        app,
        http=Protocol,
        interface="asgi3",
        lifespan=lifespan,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here asks who was forwarded: callers are known by their token alone
        timeout_graceful_shutdown=_GRACE_S,
    )
    server = Server(config)
    stopping.then.append(server.leave)
    await server.serve(sockets=[socket])


def _taken(host: str, port: int, error: OSError) -> SetupError:
    why = "something else listens there" if error.errno == errno.EADDRINUSE else (error.strerror or str(error))
    return SetupError(
        f"The address {host}:{port} cannot be had: {why}. Expected a free one.",
        hint="Choose another with --host and --port, or PARTITUR_HOST and PARTITUR_PORT.",
    )
