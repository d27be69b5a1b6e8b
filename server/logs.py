"""Where the log of a process goes: to a file in the home for commands, to stderr for servers and on request."""

import logging
import sys
from pathlib import Path

from server.settings import quieten_fastmcp

__all__ = ["LOG_FILE", "set_up"]

LOG_FILE = "partitur.log"
"""In the home."""


def set_up(home: Path, *, level: str, to_stderr: bool) -> None:
    """Sets up the log of this process, once, before anything else logs.

    Args:
        home: where the file lies; it is made when there is something to write.
        level: debug, info, warning or error.
        to_stderr: also write there.
    """
    quieten_fastmcp()
    handlers: list[logging.Handler] = [_Quiet(home / LOG_FILE, encoding="utf-8", delay=True)]
    if to_stderr:
        handlers.append(logging.StreamHandler(sys.stderr))
    logging.basicConfig(
        level=level.upper(), handlers=handlers, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )


class _Quiet(logging.FileHandler):
    """A file that cannot be written is no reason to disturb the command; 'partitur doctor' names it."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
            super().emit(record)
        except OSError:
            return
