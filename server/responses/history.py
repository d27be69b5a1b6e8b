"""The conversation that a request continues: what is stored of it, and what it adds, each item with its id."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from server.errors import InvalidParameter
from server.responses.items import ITEMS, Item, Message, Reference, item_id, response_of
from server.responses.request import Asked
from tools.base import Caller, NotFound

if TYPE_CHECKING:
    from server.state.responses import ResponseStore, StoredResponse

__all__ = ["Conversation", "PreviousMissing", "conversation", "sent_items"]


class PreviousMissing(InvalidParameter):
    """The response that a request continues is not stored, or not for this caller."""

    code = "previous_response_not_found"


@dataclass(frozen=True)
class Conversation:
    """All that was said up to now."""

    before: Sequence[Item]
    sent: Sequence[Mapping[str, Any]]
    """What this request adds, as it is stored."""

    @property
    def items(self) -> list[Item]:
        return [*self.before, *ITEMS.validate_python(list(self.sent))]


async def conversation(asked: Asked, id: str, store: "ResponseStore", caller: Caller) -> Conversation:
    """What the request with this response id continues and adds.

    Raises:
        PreviousMissing: what it continues is not there.
        InvalidParameter: it continues what is not done, or refers to what is not there.
    """
    before: list[Item] = []
    if asked.previous_response_id is not None:
        try:
            chain = await store.chain(caller, asked.previous_response_id)
        except NotFound as error:
            raise PreviousMissing(error.message, param="previous_response_id", hint=error.hint) from None
        if chain[-1].open:
            raise InvalidParameter(
                f"The response {asked.previous_response_id!r} is not done yet. Expected one that is.",
                param="previous_response_id",
                hint="Wait until its status is 'completed'.",
            )
        before = ITEMS.validate_python([item for stored in chain for item in sent_items(stored)])
    given = [Message(role="user", content=asked.input)] if isinstance(asked.input, str) else asked.input
    if asked.input == "" and "input" not in asked.model_fields_set:
        given = []
    sent = [
        await _resolved(item, at, store, caller) if isinstance(item, Reference) else _stored(item, id)
        for at, item in enumerate(given)
    ]
    return Conversation(before, sent)


def sent_items(stored: "StoredResponse") -> list[dict[str, Any]]:
    """What a response adds to a conversation: what was sent for it and what it said."""
    return [*stored.items, *stored.body["output"]]


async def _resolved(item: Reference, at: int, store: "ResponseStore", caller: Caller) -> dict[str, Any]:
    """The item that a reference stands for."""
    try:
        stored = await store.get(caller, response_of(item.id))
    except NotFound:
        found = None
    else:
        found = next((one for one in sent_items(stored) if one["id"] == item.id), None)
    if found is None:
        raise InvalidParameter(
            f"The item {item.id!r} is not there. Expected one of a stored response of yours.",
            param=f"input[{at}].id",
            hint="Send the item itself, or store the response it is from.",
        )
    return found


def _stored(item: Item, response: str) -> dict[str, Any]:
    """An item as it is stored and listed."""
    given: dict[str, Any] = item.model_dump(mode="json", exclude_none=True)
    kind = given["type"]
    given = {"id": item_id(kind, response), **given}
    if kind in ("message", "function_call", "function_call_output", "file_search_call"):
        given.setdefault("status", "completed")
    if isinstance(item, Message):
        written = "output_text" if item.role == "assistant" else "input_text"
        content = given["content"]
        parts = [{"type": written, "text": content}] if isinstance(content, str) else content
        given["content"] = [_part(part, written) for part in parts]
    return given


def _part(part: dict[str, Any], written: str) -> dict[str, Any]:
    if part["type"] == "input_image":
        return {"detail": "auto", **part}
    if "text" not in part:
        return part
    more: dict[str, Any] = {"annotations": [], "logprobs": []} if written == "output_text" else {}
    return {**part, "type": written, **more}
