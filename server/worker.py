"""One of several workers: a process that its parent tells what to serve, and that ends when its parent does."""

import io
import json
import os
import pickle
import signal
import socket as sockets
import sys
import threading
from contextlib import redirect_stderr, suppress

from server.failing import fail
from server.loading import loading
from server.logs import set_up
from server.serving import listening, run, serve_again, serve_house
from server.workers import Work

__all__ = ["main"]

_GRACE_S = 15.0
"""Seconds that it takes to stop at most, when its parent is gone."""


def main(channel: int) -> int:
    """Serves until it is told to stop; gives the exit code.

    Args:
        channel: number of the socket to the parent, which sends `Work` and is told what to greet with, or what failed.
    """
    with sockets.socket(fileno=channel) as parent:
        parent.set_inheritable(False)  # a child of ours that outlives us must not keep it open
        try:
            with parent.makefile("rb") as told:
                work: Work = pickle.load(told)
            threading.Thread(target=_with_parent, args=[parent], daemon=True).start()
            _serve(work, parent)
        except Exception as error:
            with redirect_stderr(io.StringIO()) as said:
                code = fail(error, [])
            _tell(parent, failed=said.getvalue().rstrip())
            return code
    return 0


def _serve(work: Work, parent: sockets.socket) -> None:
    settings = work.settings
    set_up(settings.home, level=settings.log_level, to_stderr=True)
    serving = serve_house if work.at_once else serve_again
    with loading() as loaded:
        taken = listening(settings.host, settings.port, shared=True)
        run(serving(settings, taken, greet=lambda greeting: _tell(parent, greeting=greeting), loaded=loaded))


def _tell(parent: sockets.socket, **what: str) -> None:
    with suppress(ConnectionError):  # that the parent is gone is noticed elsewhere
        parent.sendall(json.dumps(what).encode() + b"\n")


def _with_parent(parent: sockets.socket) -> None:
    """Waits until the parent is gone, however it went; then stops in order, and if that takes too long, without."""
    while parent.recv(1024):
        continue
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(_GRACE_S)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
