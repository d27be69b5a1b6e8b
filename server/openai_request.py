"""A chat completion request to what is no language model: checked against OpenAI's document, parameter by parameter."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError

from server.errors import InvalidParameter

__all__ = ["ChatRequest", "Message", "ResponseFormat", "checked"]

_STRICT = ConfigDict(strict=True)
_STOPS = 4
_ENTRIES = 1_024


def _stop(value: JsonValue) -> JsonValue:
    texts = value if isinstance(value, list) else [value]
    if value is not None and (len(texts) > _STOPS or not all(isinstance(text, str) for text in texts)):
        raise ValueError(f"expected a text or up to {_STOPS} of them")
    return value


def _choice(value: JsonValue) -> JsonValue:
    if value not in (None, "auto", "none"):
        raise ValueError("no tool of the client is called here; expected 'auto' or 'none'")
    return value


def _few(value: object) -> object:
    """Before the entries are looked at: pydantic would tell of each that is wrong."""
    if isinstance(value, dict | list) and len(cast("dict[str, object] | list[object]", value)) > _ENTRIES:
        raise ValueError(f"expected at most {_ENTRIES} entries")
    return cast("object", value)


class Message(BaseModel):
    model_config = _STRICT

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: JsonValue = None


class _StreamOptions(BaseModel):
    model_config = _STRICT

    include_usage: bool | None = None


class _JsonSchema(BaseModel):
    model_config = _STRICT

    name: str
    schema_: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue], alias="schema")


class ResponseFormat(BaseModel):
    model_config = _STRICT

    type: Literal["text", "json_object", "json_schema"]
    json_schema: _JsonSchema | None = None


class _Wishes(BaseModel):
    """What a client of ours may ask for besides."""

    model_config = ConfigDict(strict=True, extra="forbid")

    progress: bool = False


class ChatRequest(BaseModel):
    """What is checked of a request: all that OpenAI's document describes, though most of it does not concern a use case."""

    model_config = _STRICT

    messages: list[Message] = Field(min_length=1)
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    n: Literal[1] | None = None
    response_format: ResponseFormat | None = None
    tool_choice: Annotated[JsonValue, AfterValidator(_choice)] = None
    function_call: Annotated[JsonValue, AfterValidator(_choice)] = None
    modalities: list[Literal["text"]] | None = Field(default=None, max_length=8)
    partitur: _Wishes | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    logprobs: bool | None = None
    logit_bias: Annotated[dict[str, float], BeforeValidator(_few)] | None = None
    seed: int | None = None
    stop: Annotated[JsonValue, AfterValidator(_stop)] = None
    tools: Annotated[list[dict[str, JsonValue]], BeforeValidator(_few)] | None = None
    functions: Annotated[list[dict[str, JsonValue]], BeforeValidator(_few)] | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    service_tier: str | None = None
    store: bool | None = None
    metadata: Annotated[dict[str, str], BeforeValidator(_few)] | None = None
    user: str | None = None


def checked(data: Mapping[str, Any], who: str) -> ChatRequest:
    """The request, where all of it fits.

    Args:
        data: the request, parsed.
        who: is asked.

    Raises:
        InvalidParameter: a parameter does not fit; `param` names it.
    """
    try:
        chat = ChatRequest.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where, said = _path(first["loc"]), first["msg"].removeprefix("Value error, ")
        raise InvalidParameter(f"The parameter {where!r} does not fit for {who}: {said}.", param=where) from None
    if chat.stream_options is not None and not chat.stream:
        raise InvalidParameter(
            "'stream_options' is for streams alone, and 'stream' is not true.", param="stream_options"
        )
    if chat.response_format and chat.response_format.type == "json_schema" and chat.response_format.json_schema is None:
        raise InvalidParameter(
            "'response_format' of the type 'json_schema' has no schema. Expected an object with 'name' and 'schema'.",
            param="response_format.json_schema",
        )
    return chat


def _path(place: tuple[int | str, ...]) -> str:
    """A place in the request as OpenAI writes it: `messages[0].content`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return "".join(parts).lstrip(".")
