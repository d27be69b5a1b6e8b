"""Runs an ASGI app on one socket with uvicorn: bound first, told when it answers, stopped without a traceback."""

import asyncio
import contextlib
import errno
import signal
import socket as sockets
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tools.base import SetupError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

__all__ = ["Stopping", "address", "listening", "run", "run_on_pipe", "served"]

_GRACE_S = 5
"""Seconds that running requests get to end."""


@dataclass
class Stopping:
    """Whether the server has been told to stop."""

    now: bool = False


@contextmanager
def listening(host: str, port: int) -> Generator[sockets.socket]:
    """A socket that listens on `host` and `port` (0 = any free one).

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


async def served(app: "ASGIApp", socket: sockets.socket, stopping: Stopping, started: Callable[[], None]) -> None:
    """Serves `app` until a signal comes; `started` is called when it answers."""
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
            stopping.now = True
            self.handle_exit(number, None)

    config = uvicorn.Config(
        app,
        http=Protocol,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here asks who was forwarded: callers are known by their token alone
        timeout_graceful_shutdown=_GRACE_S,
    )
    await Server(config).serve(sockets=[socket])


def _taken(host: str, port: int, error: OSError) -> SetupError:
    why = "something else listens there" if error.errno == errno.EADDRINUSE else (error.strerror or str(error))
    return SetupError(
        f"The address {host}:{port} cannot be had: {why}. Expected a free one.",
        hint="Choose another with --host and --port, or PARTITUR_HOST and PARTITUR_PORT.",
    )
