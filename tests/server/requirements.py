"""What the OpenAI interface promises, each promise with an id and its source; tests point at them with `@requirement`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

F = TypeVar("F", bound=Callable[..., object])

_API = "OpenAI API reference, "
_SDK = "openai-python 3, "
_RFC = "RFC "
_MCP = "MCP 2025-06-18 to 2026-07-28, "


@dataclass(frozen=True)
class Requirement:
    source: str
    sentence: str


REQUIREMENTS = {
    "MODELS-1": Requirement(_API + "List models", "The list is an object 'list' whose data are objects 'model'."),
    "MODELS-2": Requirement(_API + "The model object", "A model has id, object, created in seconds and owned_by."),
    "MODELS-3": Requirement(_API + "Retrieve model", "One model is read by its id; an unknown one is 404."),
    "MODELS-4": Requirement("vLLM, served model names", "An id may hold slashes, written plain or percent-encoded."),
    "MODELS-5": Requirement(
        _RFC + "9110, 9.3.2", "HEAD answers as GET without a body; what is no address is 404, never a way elsewhere."
    ),
    "CHAT-1": Requirement(_API + "The chat completion object", "id, object, created, model, choices, usage are there."),
    "CHAT-2": Requirement(_API + "The chat completion object", "A choice has index, message, logprobs, finish_reason."),
    "CHAT-3": Requirement(_API + "Create chat completion, messages", "Content is a text or a list of typed parts."),
    "CHAT-4": Requirement(_API + "Create chat completion, response_format", "With a JSON format the content is JSON."),
    "CHAT-5": Requirement(_API + "Structured outputs, refusals", "Where there is no JSON to give, 'refusal' says why."),
    "CHAT-6": Requirement(_API + "The chat completion object, usage", "total = prompt + completion tokens."),
    "CHAT-7": Requirement(_SDK + "extra fields", "Fields that a client does not know do not disturb it."),
    "CHAT-8": Requirement(_API + "Create chat completion", "Harmless parameters that do not apply change nothing."),
    "RAW-1": Requirement(
        _API + "The chat completion object", "An engine's answer comes back whole, under our model id."
    ),
    "RAW-2": Requirement(
        _API + "Create chat completion; vLLM, extra parameters", "Every parameter goes to the engine."
    ),
    "RAW-3": Requirement(_API + "Create chat completion, messages", "Every role and every kind of part goes to it."),
    "RAW-4": Requirement(_API + "The chat completion object", "Tool calls, refusals, reasoning, logprobs come back."),
    "RAW-5": Requirement(_API + "The chat completion object, usage", "Details of the usage come back."),
    "RAW-6": Requirement(_API + "The chat completion chunk object", "Chunks fit the official document, text unbroken."),
    "RAW-7": Requirement(_SDK + "lib/streaming/chat", "Calls of several tools are streamed and put together."),
    "RAW-8": Requirement(_API + "Create chat completion, n, logprobs", "Choices are streamed side by side."),
    "RAW-9": Requirement(_API + "Structured outputs", "An answer that ignores the schema is 502, never believed."),
    "CASE-1": Requirement(_SDK + "chat.completions.parse", "A use case's output is parsed into a class that fits."),
    "CASE-2": Requirement(
        _API + "Structured outputs", "A schema that the output cannot fit is 400 on response_format."
    ),
    "CASE-3": Requirement(_API + "Create chat completion, messages", "Earlier messages are the context of the last."),
    "CASE-4": Requirement("docs/http.md, system messages", "Other roles do not change a use case and are no error."),
    "CASE-5": Requirement(_API + "The chat completion object, annotations", "Sources are url_citation annotations."),
    "CASE-6": Requirement("docs/http.md, progress", "Steps are told on wish, in chunks that add an empty text."),
    "CASE-7": Requirement(_API + "Create chat completion", "Types are checked; what does not apply changes nothing."),
    "CASE-8": Requirement(_API + "The chat completion object", "Answers of use cases fit the official document."),
    "STREAM-1": Requirement(_API + "The chat completion chunk object", "Events are 'data: {json}' and a blank line."),
    "STREAM-2": Requirement(_API + "The chat completion chunk object", "All chunks share id, created and model."),
    "STREAM-3": Requirement(_API + "Streaming", "The first delta has the role, the last has a finish_reason."),
    "STREAM-4": Requirement(_API + "stream_options", "The usage chunk has empty choices; others have usage null."),
    "STREAM-5": Requirement(_API + "Streaming", "The stream ends with 'data: [DONE]'."),
    "STREAM-6": Requirement(
        _SDK + "_streaming.py", "An error in a stream is an event with 'error', and no [DONE] follows."
    ),
    "STREAM-7": Requirement("HTML Living Standard, server-sent events", "The media type is text/event-stream."),
    "ERROR-1": Requirement(_API + "Error codes", "An error is {'error': {message, type, param, code}}."),
    "ERROR-2": Requirement(_API + "Error codes", "An unknown model is 404 with the code model_not_found."),
    "ERROR-3": Requirement(_API + "Error codes", "A parameter that does not fit is 400 and named in param."),
    "ERROR-4": Requirement(_RFC + "9110, 15.5.14 and 15.5.16", "Too large is 413; another media type is 415."),
    "ERROR-6": Requirement(_API + "Error codes", "A text too long to be read is 400 with context_length_exceeded."),
    "ERROR-7": Requirement(
        _API + "Error codes", "An engine's 429 is 429 with Retry-After; its own 401 is never shown."
    ),
    "ERROR-8": Requirement(_API + "Error codes", "An engine that is down is 503; its address is not told."),
    "ERROR-9": Requirement(_RFC + "9110, 15.6.5", "An engine that does not answer in time is 504."),
    "ERROR-10": Requirement(_RFC + "9110, 15.5.5", "An unknown path is 404, in the same shape."),
    "ERROR-11": Requirement(_RFC + "9110, 15.5.6", "Another method is 405 with Allow, in the same shape."),
    "ERROR-12": Requirement(_API + "Debugging requests", "Every answer has x-request-id; a client may give its own."),
    "ERROR-13": Requirement("vLLM, --enable-request-id-headers", "The engine is told the request's id and trace."),
    "BODY-1": Requirement(_RFC + "8259, 2", "What is no JSON, or no JSON object, is 400 and says what came instead."),
    "BODY-2": Requirement(_RFC + "8259, 6", "NaN and Infinity are no numbers, nor is what overflows a double."),
    "BODY-3": Requirement(_RFC + "8259, 4", "A name that stands twice in an object is refused: readers differ on it."),
    "BODY-4": Requirement(_RFC + "8259, 8.1", "The body is UTF-8 without a byte order mark."),
    "BODY-5": Requirement(_RFC + "8259, 8.2", "A lone surrogate is refused."),
    "BODY-6": Requirement(_RFC + "8259, 9", "A limit on depth is set and told."),
    "BODY-7": Requirement(_RFC + "8259, 9", "A limit on the number of values is set; beyond it is 413."),
    "BODY-8": Requirement(_RFC + "9110, 15.5.9", "A body that does not come in time is 408 and the connection ends."),
    "BODY-9": Requirement(_RFC + "9110, 8.4", "A packed body is 415 and is not unpacked."),
    "FILES-1": Requirement(_API + "The file object", "id, object, bytes, created_at, filename, purpose, status."),
    "FILES-2": Requirement(_API + "Retrieve file content", "The content comes back as it was uploaded."),
    "FILES-3": Requirement(
        _API + "List files", "after, limit, order and purpose; has_more says whether there is more."
    ),
    "FILES-4": Requirement(_API + "Delete file", "The answer is {id, object: 'file', deleted: true}."),
    "FILES-5": Requirement(_API + "Files", "A file belongs to whoever uploaded it; for others it is 404."),
    "FILES-6": Requirement(
        _API + "Upload file, expires_after", "3600 s to 30 days; input of a batch 30 days by itself."
    ),
    "FILES-7": Requirement(_RFC + "9110, 15.5.14", "A file over the limit is 413, however it is sent."),
    "FILES-8": Requirement(_API + "Upload file", "'file' and 'purpose' are required, as multipart/form-data."),
    "MCP-1": Requirement(_MCP + "Tools, Calling Tools", "A call answers with content, structuredContent and isError."),
    "MCP-2": Requirement(_MCP + "Tools, Error Handling", "A failure of the tool is a result with isError: true."),
    "MCP-3": Requirement(_MCP + "Result", "Since 2026-07-28 a result has resultType and names its server in _meta."),
    "MCP-4": Requirement(_MCP + "Progress", "Progress carries the client's token and grows with each notification."),
    "MCP-5": Requirement(
        _MCP + "Streamable HTTP, Sending Messages", "A client says in Accept that it reads the answer."
    ),
    "MCP-6": Requirement(_MCP + "Streamable HTTP, headers", "Headers that contradict the message are 400."),
    "MCP-7": Requirement(_MCP + "Cancellation", "A client that closes the stream cancels its call."),
    "VECTOR-1": Requirement(_API + "The vector store object", "Status, counts of files by status, bytes, last use."),
    "VECTOR-2": Requirement(_API + "List, modify, delete vector store", "They are listed, changed and deleted by id."),
    "VECTOR-3": Requirement(
        _API + "Create vector store file", "in_progress at first, then completed or failed with why."
    ),
    "VECTOR-4": Requirement(_API + "Search vector store", "Passages with file_id, filename, score 0 to 1, attributes."),
    "VECTOR-5": Requirement(_API + "Search vector store, filters", "Comparisons over attributes, joined by and, or."),
    "VECTOR-6": Requirement(_API + "Delete vector store file", "It leaves the store; the upload stays."),
    "VECTOR-7": Requirement(_API + "Delete file", "A deleted file leaves all vector stores."),
    "VECTOR-8": Requirement(_API + "Vector store file batches", "Several files at once, with counts and a status."),
    "VECTOR-9": Requirement(_API + "Vector stores", "A store belongs to whoever made it; for others it is 404."),
    "VECTOR-10": Requirement(_API + "Create vector store, expires_after", "Unused for so many days it expires."),
    "BATCH-1": Requirement(_API + "The batch object", "Status, counts, times of each status, files, usage."),
    "BATCH-2": Requirement(
        _API + "Batch request output", "A line has id, custom_id, response with status_code, error."
    ),
    "BATCH-3": Requirement(
        _API + "Batch request input", "custom_id, method, url, body; a file that does not fit fails."
    ),
    "BATCH-4": Requirement(_API + "Cancel batch", "cancelling, then cancelled; finished results are in the files."),
    "BATCH-5": Requirement(_API + "Batch, expires_at", "What is not done within the window is in the error file."),
    "BATCH-6": Requirement(_API + "Create batch", "Purpose batch, a known endpoint, completion_window 24h."),
    "BATCH-7": Requirement(_API + "Batches", "A batch belongs to whoever made it; its requests are made as theirs."),
    "BODY-11": Requirement(_RFC + "6585, 5", "A head without end is 431; one that does not come ends the connection."),
    "BODY-10": Requirement(_RFC + "9112, 6.3", "A length that is wrong or doubled is 400 or ends the connection."),
    "AUTH-1": Requirement(_RFC + "6750, 3", "Without a token the answer is 401 with 'WWW-Authenticate: Bearer' alone."),
    "AUTH-2": Requirement(_RFC + "6750, 3.1", 'With a wrong token it says error="invalid_token".'),
    "AUTH-3": Requirement(_RFC + "6750, 3.1", "More than one token is a malformed request: 400."),
    "RESP-1": Requirement(_API + "The response object", "Every field that the type requires is there, with its type."),
    "RESP-2": Requirement(_API + "The response object, usage", "Tokens, the cached and the reasoning ones, add up."),
    "RESP-3": Requirement(_API + "Create response, tools", "Functions are called by the client, several at once too."),
    "RESP-4": Requirement(
        _API + "Create response, previous_response_id", "The conversation goes on; instructions are not carried over."
    ),
    "RESP-5": Requirement(
        _API + "Create response, store", "With store false nothing is kept; items go back and forth."
    ),
    "RESP-6": Requirement(_API + "The response object, incomplete_details", "A cut answer is incomplete and says why."),
    "RESP-7": Requirement(
        _API + "Create response, text.format", "Text, a JSON object, or JSON that keeps to a schema."
    ),
    "RESP-8": Requirement(_API + "Create response, tools, mcp", "Tools are listed, called, and told of as items."),
    "RESP-9": Requirement(_API + "MCP approval request", "Without 'never' a call waits for the user's approval."),
    "RESP-10": Requirement(_API + "File search tool call", "Queries, results where included, and file citations."),
    "RESP-11": Requirement(_API + "Create response, max_tool_calls", "Calls of built-in tools beyond it are ignored."),
    "RESP-12": Requirement(_API + "Streaming events", "Each event is named, numbered from 0 and of an official type."),
    "RESP-13": Requirement(
        _API + "Streaming events", "created, in_progress, items with their parts, then completed; no [DONE]."
    ),
    "RESP-14": Requirement(_API + "Streaming events, error", "A failure is told by 'error' and 'response.failed'."),
    "RESP-15": Requirement(_API + "Get a model response", "A stored response is read as it was answered."),
    "RESP-16": Requirement(_API + "Delete a model response", "The answer is {id, object: 'response', deleted: true}."),
    "RESP-17": Requirement(_API + "Cancel a response", "Only one in the background; it is then 'cancelled'."),
    "RESP-18": Requirement(_API + "List input items", "after, limit and order; has_more, first_id and last_id."),
    "RESP-19": Requirement(
        _API + "Create response, background", "queued, in_progress, then completed, without a client."
    ),
    "RESP-20": Requirement(
        _API + "Get a model response, starting_after",
        "The events of a background response can be read on from anywhere.",
    ),
    "RESP-21": Requirement(_API + "Responses", "A response belongs to whoever asked for it; for others it is 404."),
}


def requirement(*ids: str) -> Callable[[F], F]:
    """Says which promises a test holds; an unknown id stops the tests."""
    for id in ids:
        assert id in REQUIREMENTS, f"The requirement {id!r} is not in the table."

    def same(test: F) -> F:
        return test

    return same
