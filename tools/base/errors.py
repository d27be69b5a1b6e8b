"""The errors a user can meet, as one tree; each class owns its code, its HTTP status and its hint.

PartiturError
├── SetupError            the installation or a declaration is wrong: stops the start, exit code 2
├── InvalidInput          what was sent does not fit
│   ├── TooLarge          … because it is too big
│   └── TooLong           … because a model cannot read that much at once
├── Unauthenticated       who is asking is not known
├── Forbidden             who is asking may not
│   └── Refused           a guard said no
├── NotFound              the named thing is not there
├── NoReliableSource      the sources do not carry an answer (a typed outcome, not a crash)
├── NeedsModel            cannot be done honestly without a language model (a typed outcome)
├── Cancelled             whoever asked went away
└── Failed                something outside did not do its part
    ├── StepFailed        a required step of a composition failed
    ├── ToolFailed        a tool failed
    ├── Unavailable       an engine or a store cannot be reached now
    ├── Overloaded        more is asked than can be done now
    └── TimedOut          it took longer than it may
"""

from typing import ClassVar, Self

from pydantic import BaseModel, ValidationError

__all__ = [
    "Cancelled",
    "Failed",
    "Forbidden",
    "InvalidInput",
    "NeedsModel",
    "NoReliableSource",
    "NotFound",
    "Overloaded",
    "PartiturError",
    "Refused",
    "SetupError",
    "StepFailed",
    "TimedOut",
    "TooLarge",
    "TooLong",
    "ToolFailed",
    "Unauthenticated",
    "Unavailable",
]


class PartiturError(Exception):
    """What happened and what was expected, in `message`; what to do next, in `hint`."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    default_hint: ClassVar[str] = "Run 'partitur doctor' to check the installation."

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = self.default_hint if hint is None else hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class SetupError(PartiturError):
    """The installation, the settings or a declaration is wrong."""

    code = "setup"


class InvalidInput(PartiturError):
    """What was sent does not fit what was asked for."""

    code = "invalid_input"
    status = 400
    default_hint = "Correct the input and send it again."

    @classmethod
    def of(cls, error: ValidationError, model: type[BaseModel]) -> Self:
        """A pydantic error as a user reads it: which field, what came, what was expected."""
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "input"
        more = error.error_count() - 1
        also = f" {more} more like this." if more else ""
        got = repr(first["input"])
        got = got if len(got) <= 80 else f"{got[:77]}…"
        names = ", ".join(repr(name) for name in model.model_fields)
        said = first["msg"].removeprefix("Value error, ")
        return cls(f"{where!r} does not fit: {said}; got {got}.{also} Expected the fields {names}.")


class TooLarge(InvalidInput):
    """What was sent is over a limit."""

    code = "too_large"
    status = 413
    default_hint = "Send less at once."


class TooLong(InvalidInput):
    """The text is longer than the model, or the use case, can read."""

    code = "context_length_exceeded"
    default_hint = "Send less at once."


class Unauthenticated(PartiturError):
    """No caller could be made of what was sent."""

    code = "unauthenticated"
    status = 401
    default_hint = "Send 'Authorization: Bearer <API key>'."


class Forbidden(PartiturError):
    """The caller is known and may not do this."""

    code = "forbidden"
    status = 403
    default_hint = "Ask the platform team for the permission."


class Refused(Forbidden):
    """A guard refused the input, a tool call or the output."""

    code = "refused"
    default_hint = "Remove what the guard names and try again."


class NotFound(PartiturError):
    """The named thing does not exist, or not for this caller."""

    code = "not_found"
    status = 404
    default_hint = "Check the name."


class NoReliableSource(PartiturError):
    """The sources do not carry an answer."""

    code = "no_source"
    status = 422
    default_hint = "Add documents on the topic with 'partitur ingest', or ask more precisely."


class NeedsModel(PartiturError):
    """This cannot be done honestly without a language model."""

    code = "needs_model"
    status = 422
    default_hint = "Set PARTITUR_MODEL_URL to an OpenAI-compatible endpoint, for example http://localhost:8000/v1."


class Cancelled(PartiturError):
    """Whoever asked went away before the end."""

    code = "cancelled"
    status = 499
    default_hint = ""


class Failed(PartiturError):
    """Something outside did not do its part."""

    code = "failed"
    status = 502


class StepFailed(Failed):
    """A required step of a composition failed."""

    code = "step_failed"


class ToolFailed(Failed):
    """A tool failed."""

    code = "tool_failed"


class Unavailable(Failed):
    """An engine or a store cannot be reached now."""

    code = "unavailable"
    status = 503
    default_hint = "Try again in a moment; 'partitur doctor' names what is down."

    def __init__(self, message: str, *, hint: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after
        """Seconds after which asking again makes sense, where they are known."""


class Overloaded(Failed):
    """More is asked, here or of an engine, than can be done now."""

    code = "rate_limit_exceeded"
    status = 429
    default_hint = "Wait a moment and try again, with less at once."

    def __init__(self, message: str, *, hint: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after
        """Seconds after which asking again makes sense, where they are known."""


class TimedOut(Failed):
    """It took longer than it may."""

    code = "timeout"
    status = 504
    default_hint = "Send less at once, or try again when less is going on."
