"""How a command fails: two lines for what a user can mend, one line and a log for what nobody expected."""

import logging
import sys
import traceback
from typing import cast

__all__ = ["fail"]

log = logging.getLogger(__name__)


def fail(error: Exception, arguments: list[str]) -> int:
    """Says on stderr what happened and what to do; returns the exit code.

    Args:
        error: what was raised.
        arguments: of the command line; they say whether to be verbose, and where the log is.
    """
    from server.names import intruders

    for intruder in intruders(deep=isinstance(error, ImportError | AttributeError)):  # whatever failed, this is why
        return _two_lines(intruder.message, intruder.hint, 2)
    from tools.base import InvalidInput, NeedsModel, NoReliableSource, PartiturError, SetupError

    verbose = bool({"-v", "--verbose"} & set(arguments))
    error = _single(error)
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
    where = _logged(error)  # with --verbose the log goes to stderr too
    print(f"Unexpected error: {type(error).__name__}: {error}. {where}", file=sys.stderr)
    return 1


def _single(error: Exception) -> Exception:
    """What stands behind task groups in which one thing failed."""
    if isinstance(error, ExceptionGroup):
        inner = cast("ExceptionGroup[Exception]", error).exceptions
        return _single(inner[0]) if len(inner) == 1 else cast("Exception", error)
    return error


def _two_lines(message: str, hint: str, code: int) -> int:
    print(f"Error: {message.rstrip()}", file=sys.stderr)
    if hint:
        print(hint, file=sys.stderr)
    return code


def _logged(error: Exception) -> str:
    """Writes the traceback to the log; says where it is."""
    files = [handler for handler in logging.getLogger().handlers if isinstance(handler, logging.FileHandler)]
    if not files:
        return "Run it again with --verbose to see where."
    log.error("The command failed", exc_info=error)
    return f"The log is {files[0].baseFilename!r}; --verbose shows it here."
