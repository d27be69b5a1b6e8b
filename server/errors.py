"""An error as each wire tells it: status and OpenAI shape over HTTP, text and code over MCP. Never a path, never a traceback."""

import math
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from tools.base import InvalidInput, NotFound, Overloaded, PartiturError, Unavailable

__all__ = [
    "Broken",
    "HeadTooLarge",
    "InvalidParameter",
    "TooSlow",
    "UnknownModel",
    "UnsupportedMedia",
    "http_error",
    "openai_error",
    "told",
]

_KINDS = {
    400: "invalid_request_error",
    401: "invalid_request_error",
    403: "permission_error",
    404: "invalid_request_error",
    408: "invalid_request_error",
    413: "invalid_request_error",
    415: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}
"""What OpenAI's clients call an error of that status; above 499 it is a `server_error`."""
_CODES = {"unauthenticated": "invalid_api_key"}


class UnsupportedMedia(InvalidInput):
    """The body is of a kind that is not read."""

    code = "unsupported_media_type"
    status = 415
    default_hint = "Send JSON with 'Content-Type: application/json' and no 'Content-Encoding'."


class TooSlow(InvalidInput):
    """The body did not come in time."""

    code = "request_timeout"
    status = 408
    default_hint = "Send it again, faster or less of it."


class HeadTooLarge(InvalidInput):
    """The head of a request is over its limit."""

    code = "head_too_large"
    status = 431
    default_hint = "Send fewer or shorter headers."


class NotAllowed(InvalidInput):
    """The address is there and takes another method."""

    code = "method_not_allowed"
    status = 405


class Broken(PartiturError):
    """Something inside the server broke; the log has the reason."""

    code = "internal"
    status = 500
    default_hint = "The log has the reason."


class UnknownModel(NotFound):
    """No use case and no engine has this name."""

    code = "model_not_found"


class InvalidParameter(InvalidInput):
    """One parameter of a request does not fit; `param` is its name."""

    code = "invalid_parameter"

    def __init__(self, message: str, *, param: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.param = param


def told(error: PartiturError) -> str:
    """The message as a user reads it. What is wrong with the installation is told to its operator alone, in the log."""
    if error.code == "setup":
        return "The installation has a fault that its operator must mend. The log has the reason."
    return str(error)


def openai_error(error: PartiturError) -> dict[str, Any]:
    """The body of an error as OpenAI's clients read it."""
    return {
        "error": {
            "message": told(error),
            "type": _KINDS.get(error.status, "server_error" if error.status >= 500 else "invalid_request_error"),
            "param": error.param if isinstance(error, InvalidParameter) else None,
            "code": _CODES.get(error.code, error.code),
        }
    }


def http_error(error: PartiturError | HTTPException, *, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The response to an error."""
    sent = dict(headers or {})
    if isinstance(error, HTTPException):
        sent |= error.headers or {}
        error = _of_http(error)
    if error.status == 401:
        sent.setdefault("WWW-Authenticate", "Bearer")
    if isinstance(error, TooSlow):
        sent.setdefault("Connection", "close")  # the rest of its body may come at any time, or never
    if isinstance(error, Overloaded | Unavailable):  # who is not told when would come back at once
        sent.setdefault("Retry-After", str(max(1, math.ceil(error.retry_after or 1))))
    return JSONResponse(openai_error(error), status_code=error.status, headers=sent)


def _of_http(error: HTTPException) -> PartiturError:
    """What the router says, as one of our own errors."""
    hint = "GET /openapi.json lists what there is."
    if error.status_code == 404:
        return NotFound("There is nothing at this address.", hint=hint)
    if error.status_code == 405:
        return NotAllowed("This address does not answer to this method.", hint=hint)
    return InvalidInput(str(error.detail))
