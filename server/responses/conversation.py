"""A conversation of items as messages of a chat completion, and as turns for a use case."""

import json
from collections.abc import Callable, Sequence
from typing import Any, cast

from agents.kit import Turn
from server.errors import InvalidParameter
from server.responses.items import (
    ApprovalRequest,
    ApprovalResponse,
    FileSearchCall,
    FunctionCall,
    FunctionCallOutput,
    Item,
    McpCall,
    Message,
    Part,
    Reasoning,
)

__all__ = ["found_text", "last_said", "messages", "open_approvals", "text_of"]

Naming = Callable[[str, str], str]
"""How a model knows a tool of an MCP server: by its label and name."""


def messages(
    items: Sequence[Item], instructions: str | None, naming: Naming, found: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The messages of a chat completion that say the same; passages that were found before are added to `found`."""
    said = _Said([{"role": "system", "content": instructions}] if instructions else [])
    for item in items:
        if isinstance(item, FileSearchCall) and item.results is not None:
            arguments = json.dumps({"query": " ".join(item.queries)}, ensure_ascii=False)
            said.called(item.id or "", "file_search", arguments, found_text(item.results, len(found) + 1))
            found += item.results
        else:
            _say(said, item, naming)
    for request, response in _answered(items):
        if not response.approve:
            reason = f" The reason: {response.reason}" if response.reason else ""
            name = naming(request.server_label, request.name)
            said.called(request.id or "", name, request.arguments, f"The user did not allow this call.{reason}")
    return _one_head(said.messages)


def _say(said: "_Said", item: Item, naming: Naming) -> None:
    match item:
        case Message(role="assistant"):
            said.message({"role": "assistant", "content": text_of(item.content)})
        case Message():
            role = "user" if item.role == "user" else "system"  # templates of open models know no 'developer'
            said.message({"role": role, "content": _content(item.content)})
        case Reasoning():
            said.thought("\n".join(one.text for one in item.content or item.summary))
        case FunctionCall():
            said.call(item.call_id, item.name, item.arguments)
        case FunctionCallOutput():
            said.message({"role": "tool", "tool_call_id": item.call_id, "content": _content(item.output)})
        case McpCall():
            told = item.output if item.error is None else f"The call failed: {_error_text(item.error)}"
            said.called(item.id or "", naming(item.server_label, item.name), item.arguments, told or "")
        case _:
            pass  # what was listed, asked for or refers to something else says nothing by itself


class _Said:
    """Messages in the making: what a model did in one turn belongs in one message."""

    def __init__(self, messages: list[dict[str, Any]]) -> None:
        self.messages = messages
        self._thought = ""

    def message(self, message: dict[str, Any]) -> None:
        if message["role"] == "assistant":
            message |= self._thoughts()
        else:
            self._thought = ""
        self.messages.append(message)

    def thought(self, text: str) -> None:
        self._thought = text

    def call(self, id: str, name: str, arguments: str) -> None:
        if not self.messages or self.messages[-1]["role"] != "assistant":
            self.messages.append({"role": "assistant", "content": None})
        last = self.messages[-1]
        last |= self._thoughts()
        call = {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
        last.setdefault("tool_calls", []).append(call)

    def called(self, id: str, name: str, arguments: str, told: str) -> None:
        """A call that was made here, with what it gave."""
        self.call(id, name, arguments)
        self.messages.append({"role": "tool", "tool_call_id": id, "content": told})

    def _thoughts(self) -> dict[str, Any]:
        """What went before, under both names that engines read it by."""
        thought, self._thought = self._thought, ""
        return {"reasoning": thought, "reasoning_content": thought} if thought else {}


def _one_head(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The system messages at the beginning as one: many chat templates take no second."""
    count = next((at for at, message in enumerate(messages) if message["role"] != "system"), len(messages))
    if count < 2:
        return messages
    text = "\n\n".join(text_of(message["content"]) for message in messages[:count])
    return [{"role": "system", "content": text}, *messages[count:]]


def _content(content: str | list[Part]) -> str | list[dict[str, Any]]:
    """The content of a message: a text where it is nothing else."""
    if isinstance(content, str):
        return content
    if all(part.type in ("input_text", "output_text", "text") for part in content):
        return text_of(content)
    return [_part(part) for part in content]


def _part(part: Part) -> dict[str, Any]:
    match part.type:
        case "input_image":
            image = {"url": part.image_url, "detail": part.detail}
            return {"type": "image_url", "image_url": {name: value for name, value in image.items() if value}}
        case "input_file":
            return {"type": "file", "file": {"filename": part.filename, "file_data": part.file_data}}
        case "input_audio":
            return {"type": "input_audio", "input_audio": part.input_audio}
        case "refusal":
            return {"type": "text", "text": part.refusal}
        case _:
            return {"type": "text", "text": part.text}


def text_of(content: object) -> str:
    """The words of a content: of items, or of chat messages."""
    if isinstance(content, str):
        return content
    parts = cast("list[object]", content) if isinstance(content, list) else []
    said: list[str] = []
    for part in parts:
        given = cast("dict[str, object]", part) if isinstance(part, dict) else vars(part)
        text = given.get("text", given.get("refusal"))
        if isinstance(text, str):
            said.append(text)
    return "\n".join(said)


def last_said(items: Sequence[Item]) -> tuple[list[Turn], str]:
    """What went before, and what the user said last.

    Raises:
        InvalidParameter: the user said nothing, or something else than text.
    """
    place = next(
        (i for i in reversed(range(len(items))) if isinstance(one := items[i], Message) and one.role == "user"), None
    )
    if place is None:
        raise InvalidParameter("No item is a message of the role 'user'. Expected one with the input.", param="input")
    message = cast("Message", items[place])
    if not isinstance(message.content, str):
        kinds = {part.type for part in message.content} - {"input_text", "output_text", "text"}
        if kinds or not message.content:
            said = f"{min(kinds)!r}" if kinds else "empty"
            raise InvalidParameter(
                f"The last message of the user is {said}. A use case reads text parts alone.",
                param="input",
                hint="Send its text as a part of the type 'input_text'.",
            )
    before = [
        Turn(role=one.role, text=text_of(one.content))
        for one in items[:place]
        if isinstance(one, Message) and (one.role == "user" or one.role == "assistant")
    ]
    return before, text_of(message.content)


def open_approvals(items: Sequence[Item]) -> list[tuple[ApprovalRequest, ApprovalResponse]]:
    """The calls that the user has just allowed and that have not been made.

    Raises:
        InvalidParameter: something was answered that was not asked.
    """
    asked = {item.id for item in items if isinstance(item, ApprovalRequest)}
    for item in items:
        if isinstance(item, ApprovalResponse) and item.approval_request_id not in asked:
            raise InvalidParameter(
                f"The approval request {item.approval_request_id!r} is not in this conversation.",
                param="input",
                hint="Name the response that asked for it as 'previous_response_id', or send the request too.",
            )
    made = {item.approval_request_id for item in items if isinstance(item, McpCall)}
    return [pair for pair in _answered(items) if pair[1].approve and pair[0].id not in made]


def _answered(items: Sequence[Item]) -> list[tuple[ApprovalRequest, ApprovalResponse]]:
    """Requests with their answers; of several answers the last one holds."""
    answers = {item.approval_request_id: item for item in items if isinstance(item, ApprovalResponse)}
    requests = [item for item in items if isinstance(item, ApprovalRequest)]
    return [(request, answers[request.id]) for request in requests if request.id in answers]


def found_text(results: Sequence[dict[str, Any]], first: int) -> str:
    """What a search found, as a model reads it; each passage has the number that it is cited by, the first one `first`."""
    if not results:
        return "Nothing was found."
    passages = [f"[{at}] {one.get('filename')}\n{one.get('text')}" for at, one in enumerate(results, first)]
    return "\n\n".join(["Cite a passage by its number in brackets, for example [1].", *passages])


def _error_text(error: object) -> str:
    return error if isinstance(error, str) else json.dumps(error, ensure_ascii=False, default=str)
