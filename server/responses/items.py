"""The items of a conversation: messages, calls of tools and what they gave, reasoning; as clients send them and we keep them."""

import secrets
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter

__all__ = [
    "ITEMS",
    "TAGS",
    "ApprovalRequest",
    "ApprovalResponse",
    "FileSearchCall",
    "FunctionCall",
    "FunctionCallOutput",
    "Item",
    "ListedTools",
    "McpCall",
    "Message",
    "Part",
    "Reasoning",
    "Reference",
    "item_id",
    "response_id",
    "response_of",
]


class _Sent(BaseModel):
    """What is not named here is not kept."""

    model_config = ConfigDict(strict=True, frozen=True)

    id: str | None = Field(default=None, max_length=100)


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class _Text(_Part):
    type: Literal["input_text", "output_text", "text"]
    text: str


class _Refusal(_Part):
    type: Literal["refusal"]
    refusal: str


class _Image(_Part):
    type: Literal["input_image"]
    image_url: str
    detail: str | None = None


class _File(_Part):
    type: Literal["input_file"]
    file_data: str
    filename: str | None = None


class _Audio(_Part):
    type: Literal["input_audio"]
    input_audio: dict[str, Any]


Part = Annotated[_Text | _Refusal | _Image | _File | _Audio, Discriminator("type")]
"""A part of a message. Pictures and files come as bytes or as an address, not as the id of an upload."""


class Message(_Sent):
    type: Literal["message"] = "message"
    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[Part]
    status: str | None = None


class FunctionCall(_Sent):
    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str
    status: str | None = None


class FunctionCallOutput(_Sent):
    type: Literal["function_call_output"]
    call_id: str
    output: str | list[Part]
    status: str | None = None


class _Thought(BaseModel):
    text: str


class Reasoning(_Sent):
    type: Literal["reasoning"]
    summary: list[_Thought] = []
    content: list[_Thought] | None = None


class Reference(BaseModel):
    """Stands for an item of a response that is stored."""

    model_config = ConfigDict(strict=True, frozen=True)

    type: Literal["item_reference"] | None = None
    id: str = Field(max_length=100)


class ListedTools(_Sent):
    type: Literal["mcp_list_tools"]
    server_label: str
    tools: list[dict[str, Any]] = []
    error: str | None = None


class McpCall(_Sent):
    type: Literal["mcp_call"]
    server_label: str
    name: str
    arguments: str
    output: str | None = None
    error: Any = None
    approval_request_id: str | None = None


class ApprovalRequest(_Sent):
    type: Literal["mcp_approval_request"]
    server_label: str
    name: str
    arguments: str


class ApprovalResponse(_Sent):
    type: Literal["mcp_approval_response"]
    approval_request_id: str
    approve: bool
    reason: str | None = None


class FileSearchCall(_Sent):
    type: Literal["file_search_call"]
    queries: list[str]
    results: list[dict[str, Any]] | None = None
    status: str | None = None


_PREFIXES = {
    "message": "msg",
    "function_call": "fc",
    "function_call_output": "fco",
    "reasoning": "rs",
    "mcp_list_tools": "mcpl",
    "mcp_call": "mcp",
    "mcp_approval_request": "mcpr",
    "mcp_approval_response": "mcpa",
    "file_search_call": "fs",
}


def _kind(item: object) -> str | None:
    """The type of an item; a message and a reference may leave it out."""
    if not isinstance(item, dict):
        return getattr(item, "type", None)
    given = cast("dict[str, object]", item)
    if given.get("type") is None:
        return "message" if "role" in given else "item_reference" if "id" in given else None
    return str(given["type"])


Item = Annotated[
    Annotated[Message, Tag("message")]
    | Annotated[FunctionCall, Tag("function_call")]
    | Annotated[FunctionCallOutput, Tag("function_call_output")]
    | Annotated[Reasoning, Tag("reasoning")]
    | Annotated[Reference, Tag("item_reference")]
    | Annotated[ListedTools, Tag("mcp_list_tools")]
    | Annotated[McpCall, Tag("mcp_call")]
    | Annotated[ApprovalRequest, Tag("mcp_approval_request")]
    | Annotated[ApprovalResponse, Tag("mcp_approval_response")]
    | Annotated[FileSearchCall, Tag("file_search_call")],
    Discriminator(
        _kind,
        custom_error_type="unknown_item",
        custom_error_message=f"Input should be an item of one of the types {', '.join(map(repr, _PREFIXES))}, 'item_reference'",
    ),
]
ITEMS: TypeAdapter[list[Item]] = TypeAdapter(list[Item])
TAGS = frozenset(
    "message function_call function_call_output reasoning item_reference mcp_list_tools mcp_call mcp_approval_request "
    "mcp_approval_response file_search_call input_text output_text text refusal input_image input_file input_audio "
    "function mcp file_search eq ne gt gte lt lte in nin and or".split()
)
"""Names that stand in the place of an error and not in the request."""


def response_id() -> str:
    """A new one: 'resp_' and 32 hex digits."""
    return f"resp_{secrets.token_hex(16)}"


def item_id(kind: str, response: str) -> str:
    """A new one. It holds that of the response, so that an item is found by its id alone."""
    return f"{_PREFIXES[kind]}_{response.removeprefix('resp_')}{secrets.token_hex(4)}"


def response_of(item: str) -> str:
    """The response in which an item with such an id came to be."""
    return f"resp_{item.partition('_')[2][:32]}"
