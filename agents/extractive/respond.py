"""Makes the reply to a request: calls to the source tools first, then the output made of quotes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic_ai.messages import ModelMessage, ModelResponsePart, TextPart, ToolCallPart
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.usage import RequestUsage

from agents.extractive.asked import Asked, asked
from agents.extractive.fill import fill
from agents.extractive.parameters import Parameters
from agents.extractive.pool import pool
from agents.extractive.quoting import Quoter
from agents.extractive.searching import searches
from agents.extractive.support import support
from agents.kit.task import Evidence
from tools.base import NoReliableSource, ToolFailed
from tools.language import tokens

__all__ = ["Reply", "respond"]

_GAPS = (" ", "\n", "\\n")
"""What stands between two quotes, in a text and in JSON."""


@dataclass(frozen=True)
class Reply:
    """The parts of a response, the pieces its text or arguments are streamed in, and what it rests on."""

    parts: Sequence[ModelResponsePart]
    pieces: Sequence[str]
    usage: RequestUsage
    details: dict[str, object] | None = None

    @property
    def searches(self) -> bool:
        return self.details is None


def respond(messages: Sequence[ModelMessage], request: ModelRequestParameters) -> Reply:
    """The reply; a function of its arguments alone.

    Raises:
        NoReliableSource: the sources do not carry an answer.
        InvalidInput: a parameter of the prompt is of the wrong type.
        ToolFailed: every source tool failed.
    """
    task = asked(messages)
    parameters = Parameters.of(task.parameters)
    if not task.searched and (task.query or not task.passages):
        calls = searches(request.function_tools, task.query, task.parameters)
        if calls:
            return Reply(calls, (), RequestUsage(input_tokens=task.read, output_tokens=len(calls)))
    if task.failures and not task.passages:
        raise ToolFailed(f"No source could be searched: {task.failures[0]!r}. Expected passages.")
    if task.answered:
        # It would give the same answer again.
        raise NoReliableSource("The quotes found do not satisfy what the use case requires of its output.")
    return _answer(task, parameters, request)


def _answer(task: Asked, parameters: Parameters, request: ModelRequestParameters) -> Reply:
    sentences = pool(task.passages, task.language)
    if not sentences:
        raise NoReliableSource(
            f"Nothing was found for {_short(task.query)!r}." if task.query else "There is no text to quote from.",
        )
    quoter = Quoter(sentences, query=task.query, language=task.language, parameters=parameters)
    carried = support(task.query, sentences, quoter.worth, task.language) if task.query else None
    if carried is not None and carried < parameters.threshold:
        raise NoReliableSource(
            f"The sources do not carry an answer to {_short(task.query)!r}: "
            f"support is {carried:.2f}, expected {parameters.threshold:.2f} or more."
        )
    part, written = _output(quoter, request)
    quotes = [citation.quote for citation in quoter.citations]
    pieces = _pieces(
        written, quotes if isinstance(part, TextPart) and not request.output_object else list(map(_escaped, quotes))
    )
    evidence = Evidence(citations=tuple(quoter.citations), support=carried)
    return Reply(
        (part,),
        pieces,
        RequestUsage(input_tokens=task.read, output_tokens=len(tokens(written))),
        {"partitur": evidence.model_dump(mode="json")},
    )


def _output(quoter: Quoter, request: ModelRequestParameters) -> tuple[ModelResponsePart, str]:
    """The one part of the answer, and what it says as text."""
    if request.output_object is not None:
        written = json.dumps(fill(request.output_object.json_schema, quoter), ensure_ascii=False)
        return TextPart(written), written
    if request.output_tools and not (request.allow_text_output and request.output_mode == "text"):
        tool = request.output_tools[0]
        written = json.dumps(fill(tool.parameters_json_schema, quoter), ensure_ascii=False)
        return ToolCallPart(tool.name, written, tool_call_id=f"{tool.name}-0"), written
    written = quoter.text(quoter.everything, longest=1 << 30)
    if not written:
        raise NoReliableSource("The sources hold no sentence that can stand by itself.")
    return TextPart(written), written


def _pieces(written: str, quotes: Sequence[str]) -> list[str]:
    """`written`, cut after each quote and the gap behind it: what is sent ends with a whole word."""
    pieces: list[str] = []
    at = 0
    for quote in quotes:
        found = written.find(quote, at)
        if quote and found >= 0:
            end = found + len(quote)
            while gap := next((one for one in _GAPS if written.startswith(one, end)), ""):
                end += len(gap)
            pieces.append(written[at:end])
            at = end
    return [*pieces, written[at:]] if at < len(written) else pieces


def _escaped(quote: str) -> str:
    return json.dumps(quote, ensure_ascii=False)[1:-1]


def _short(query: str) -> str:
    return query if len(query) <= 120 else f"{query[:119]}…"
