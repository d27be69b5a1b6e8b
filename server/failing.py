"""How a command fails: two lines for what a user can mend, one line and a log for what nobody expected."""

import logging
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["fail"]

log = logging.getLogger(__name__)


def fail(error: Exception, arguments: list[str]) -> int:
    """Says on stderr what happened and what to do; returns the exit code.

    Args:
        error: what was raised.
        arguments: of the command line; they say whether to be verbose, and where the log is.
    """
    from server.names import intruders

    for intruder in intruders():  # whatever failed, this is why
        return _two_lines(intruder.message, intruder.hint, 2)
    from tools.base import InvalidInput, NeedsModel, NoReliableSource, PartiturError, SetupError

    verbose = bool({"-v", "--verbose"} & set(arguments))
    if isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, PartiturError):
        if verbose and not isinstance(error, SetupError):
            traceback.print_exception(error)
        kinds = ((SetupError, 2), (InvalidInput, 2), (NoReliableSource, 3), (NeedsModel, 4))
        code = next((code for kind, code in kinds if isinstance(error, kind)), 1)
        return _two_lines(error.message, error.hint, code)
    if isinstance(error, OSError):
        what = f"{error.filename!r}: " if error.filename is not None else ""
        if verbose:
            traceback.print_exception(error)
        return _two_lines(f"{what}{error.strerror or error}.", "Check the path and the rights on it.", 1)
    where = _logged(error, arguments)
    if verbose:
        traceback.print_exception(error)
    print(f"Unexpected error: {type(error).__name__}: {error}. {where}", file=sys.stderr)
    return 1


def _two_lines(message: str, hint: str, code: int) -> int:
    print(f"Error: {message.rstrip()}", file=sys.stderr)
    if hint:
        print(hint, file=sys.stderr)
    return code


def _logged(error: Exception, arguments: list[str]) -> str:
    """Writes the traceback to the log in the home; says where it is."""
    home = Path(".partitur")
    for before, after in zip(arguments, [*arguments[1:], ""], strict=True):
        if before == "--home" and after:
            home = Path(after)
    path = home / "partitur.log"
    try:
        home.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError:
        return "Run it again with --verbose to see where."
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.addHandler(handler)
    log.propagate = False
    try:
        log.error("%s partitur %s", datetime.now(UTC).isoformat(timespec="seconds"), arguments[:1], exc_info=error)
    finally:
        log.removeHandler(handler)
        handler.close()
    return f"The log is {str(path)!r}; --verbose shows it here."
