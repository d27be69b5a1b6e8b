"""A request for a response: what it may hold, checked strictly; what is not known here goes on to the engine as it came."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, JsonValue, ValidationError

from server.errors import InvalidParameter
from server.responses.items import TAGS, Item
from server.vector_filter import Filter

__all__ = [
    "Asked",
    "FileSearchTool",
    "Format",
    "FunctionTool",
    "McpTool",
    "ToolFilter",
    "parsed",
]


class _Given(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="allow")


class Format(_Given):
    type: Literal["text", "json_object", "json_schema"] = "text"
    name: str | None = None
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")
    strict: bool | None = None
    description: str | None = None


class _Text(_Given):
    format: Format | None = None
    verbosity: str | None = None


class FunctionTool(_Given):
    """Runs at the client."""

    type: Literal["function"]
    name: str = Field(min_length=1, max_length=128)
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ToolFilter(_Given):
    tool_names: list[str] | None = None
    read_only: bool | None = None


class _Approval(_Given):
    always: ToolFilter | None = None
    never: ToolFilter | None = None


class McpTool(_Given):
    """The tools of an MCP server; they run here."""

    type: Literal["mcp"]
    server_label: str = Field(min_length=1, max_length=100)
    server_url: str | None = None
    connector_id: str | None = None
    authorization: str | None = None
    headers: dict[str, str] | None = None
    allowed_tools: list[str] | ToolFilter | None = None
    require_approval: Literal["always", "never"] | _Approval | None = None


class _Ranking(_Given):
    ranker: str | None = None
    score_threshold: float | None = Field(default=None, ge=0, le=1)


class FileSearchTool(_Given):
    """Search in the stored documents; it runs here."""

    type: Literal["file_search"]
    vector_store_ids: list[str] = []
    max_num_results: int | None = Field(default=None, ge=1, le=50)
    ranking_options: _Ranking | None = None
    filters: Filter | None = None


_Tool = Annotated[FunctionTool | McpTool | FileSearchTool, Discriminator("type")]


class _Choice(_Given):
    """A tool that must be called, or the tools that may be."""

    type: Literal["function", "mcp", "file_search", "allowed_tools"]
    name: str | None = None
    server_label: str | None = None
    mode: Literal["auto", "required"] | None = None
    tools: list[dict[str, Any]] | None = None


class _Reasoning(_Given):
    effort: str | None = None
    summary: str | None = None


class _StreamOptions(_Given):
    include_obfuscation: bool | None = None


class Asked(BaseModel):
    """A request for a response. What is not named here is in `model_extra`."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow")

    model: str
    input: str | list[Item] = ""
    instructions: str | None = None
    previous_response_id: str | None = None
    tools: list[_Tool] | None = None
    tool_choice: Literal["none", "auto", "required"] | _Choice | None = None
    parallel_tool_calls: bool | None = None
    max_tool_calls: int | None = Field(default=None, ge=1)
    text: _Text | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    max_output_tokens: int | None = Field(default=None, ge=1)
    metadata: dict[str, str] | None = Field(default=None, max_length=16)
    store: bool | None = None
    background: bool | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    truncation: Literal["auto", "disabled"] | None = None
    reasoning: _Reasoning | None = None
    include: list[str] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    prompt_cache_options: JsonValue = None
    service_tier: str | None = None
    moderation: JsonValue = None

    @property
    def format(self) -> Format:
        return (self.text and self.text.format) or Format()

    @property
    def wants_logprobs(self) -> bool:
        return "message.output_text.logprobs" in (self.include or ()) or bool(self.top_logprobs)

    def shown(self) -> dict[str, JsonValue]:
        """What a response repeats of its request."""
        given = self.model_dump(mode="json", exclude_unset=True, by_alias=True, exclude={"input"})
        format = self.format.model_dump(mode="json", exclude_none=True, by_alias=True)
        if format["type"] == "json_schema":
            format.setdefault("strict", False)
        reasoning = self.reasoning
        return {
            "background": bool(self.background),
            "instructions": self.instructions,
            "max_output_tokens": self.max_output_tokens,
            "max_tool_calls": self.max_tool_calls,
            "metadata": given.get("metadata") or {},
            "model": self.model,
            "parallel_tool_calls": self.parallel_tool_calls is not False,
            "previous_response_id": self.previous_response_id,
            "prompt_cache_key": self.prompt_cache_key,
            "reasoning": {"effort": reasoning and reasoning.effort, "summary": reasoning and reasoning.summary},
            "safety_identifier": self.safety_identifier,
            "service_tier": "default",
            "temperature": self.temperature,
            "text": {
                "format": format,
                **({"verbosity": self.text.verbosity} if self.text and self.text.verbosity else {}),
            },
            "tool_choice": given.get("tool_choice") or "auto",
            "tools": [_shown_tool(tool) for tool in self.tools or ()],
            "top_logprobs": self.top_logprobs or 0,
            "top_p": self.top_p,
            "truncation": self.truncation or "disabled",
            **({"user": self.user} if self.user is not None else {}),
        }


def _shown_tool(tool: _Tool) -> dict[str, JsonValue]:
    """A tool without what is secret in it."""
    given = tool.model_dump(mode="json", exclude_unset=True, by_alias=True, exclude={"authorization", "headers"})
    if isinstance(tool, FunctionTool):
        return {"strict": tool.strict, "parameters": tool.parameters, **given}
    return {"vector_store_ids": [], **given} if isinstance(tool, FileSearchTool) else given


def _name(tool: _Tool) -> str:
    """What tells a tool from others of its type."""
    match tool:
        case FunctionTool(name=name) | McpTool(server_label=name):
            return name
        case _:
            return ""


_ELSEWHERE = {
    "messages": "Send the conversation as 'input'.",
    "response_format": "Say it in 'text.format'.",
    "max_tokens": "It is called 'max_output_tokens' here.",
    "max_completion_tokens": "It is called 'max_output_tokens' here.",
    "reasoning_effort": "Say it in 'reasoning.effort'.",
    "functions": "Send them as 'tools'.",
    "function_call": "Send it as 'tool_choice'.",
}
"""Parameters of chat completions that would get in the way here."""
_NOT_HERE = {
    "conversation": "Continue a conversation with 'previous_response_id'.",
    "prompt": "Prompts are kept in the prompt library: ask a use case, as 'model'.",
    "context_management": "Send 'truncation': 'auto' to leave out what is oldest.",
}
"""Parameters of Responses that are not served."""


def parsed(data: Mapping[str, Any]) -> Asked:
    """A request, checked.

    Raises:
        InvalidParameter: something in it does not fit; `param` says what.
    """
    for name, hint in {**_ELSEWHERE, **_NOT_HERE}.items():
        if data.get(name) is not None:
            raise InvalidParameter(f"The parameter {name!r} is not served for responses.", param=name, hint=hint)
    if data.get("n") not in (None, 1):
        raise InvalidParameter(f"A response is one answer, {data['n']!r:.40} were asked for.", param="n")
    try:
        asked = Asked.model_validate(data)
    except ValidationError as error:
        # Where one of several types is expected, the fault is where one of them fitted furthest.
        first = max(error.errors(include_url=False), key=lambda one: len(one["loc"]))
        where = _path(first["loc"])
        raise InvalidParameter(f"The parameter {where!r} does not fit: {first['msg']}.", param=where) from None
    _check(asked, data)
    return asked


def _check(asked: Asked, data: Mapping[str, Any]) -> None:
    """What the parts of a request say to each other."""
    if "input" not in data and asked.previous_response_id is None:
        raise InvalidParameter("The request has no input. Expected a text or a list of items.", param="input")
    if asked.format.type == "json_schema" and (asked.format.schema_ is None or not asked.format.name):
        raise InvalidParameter("The format 'json_schema' needs a name and a schema.", param="text.format")
    if asked.background and asked.store is False:
        raise InvalidParameter(
            "A response in the background is stored, and 'store' is false.",
            param="background",
            hint="Leave 'store' out, or wait for the answer without 'background'.",
        )
    for name, value in (asked.metadata or {}).items():
        if len(name) > 64 or len(value) > 512:
            raise InvalidParameter(
                f"The metadata {name[:64]!r} is too long. Expected names of 64 and values of 512 characters at most.",
                param="metadata",
            )
    kinds = [(tool.type, _name(tool)) for tool in asked.tools or ()]
    if twice := next((kind for kind in kinds if kinds.count(kind) > 1), None):
        raise InvalidParameter(f"The tool {' '.join(twice)!r} is there twice. Expected it once.", param="tools")


def _path(place: tuple[int | str, ...]) -> str:
    """A place in the request as OpenAI writes it: `input[0].content`. Names of types are left out."""
    parts = [part for at, part in enumerate(place) if isinstance(part, int) or at == 0 or _is_field(part)]
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")


def _is_field(part: str) -> bool:
    return part.isidentifier() and part not in TAGS and part != "str" and part.strip("_")[0].islower()
