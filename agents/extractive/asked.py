"""Reads a conversation: what is asked, what may be quoted, in which language."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue
from pydantic_ai.messages import (
    ModelMessage,
    ModelResponse,
    TextContent,
    TextPart,
    ToolReturnPart,
    UserPromptPart,
)

from agents.extractive.followup import completed
from agents.extractive.question import is_question
from agents.extractive.sources import passages_in, passages_of
from agents.kit.task import Task, Variable
from tools.base import Passage
from tools.language import Language, detect, sentences, tokens

__all__ = ["Asked", "asked"]

_INSTRUCTION = re.compile(r"^[^\n]{1,200}:\s*$")


@dataclass(frozen=True)
class Asked:
    """A request, taken apart."""

    query: str
    """Empty where the whole of the sources is meant."""
    passages: Sequence[Passage]
    language: Language
    parameters: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    searched: bool = False
    """The source tools were called already."""
    failures: Sequence[str] = ()
    answered: bool = False
    """An answer was given already, and sent back."""
    read: int = 0
    """Tokens in the conversation."""


def asked(messages: Sequence[ModelMessage]) -> Asked:
    """What the last user message asks, with the results of the tools called since."""
    task, earlier, since = _last_task(messages)
    passages: list[Passage] = []
    failures: list[str] = []
    returned = [part for message in since for part in message.parts if isinstance(part, ToolReturnPart)]
    read = sum(len(tokens(text)) for text in _texts(messages))
    for part in returned:
        if part.outcome == "success":
            found = passages_of(part.content)
            passages.extend(found)
            read += sum(len(tokens(passage.text)) for passage in found)
        else:
            failures.append(str(part.content))
    if task is None:
        query, texts = _plain(messages)
        sources = [
            (f"input:{number}" if len(texts) > 1 else "input", "input", text) for number, text in enumerate(texts)
        ]
        language, parameters = detect(query + "\n" + "\n".join(texts)[:4000]), {}
    else:
        given = [variable for variable in task.variables if variable.role == "source"]
        sources = [(f"input:{one.name}" if len(given) > 1 else "input", one.name, one.value) for one in given]
        query = "\n".join(_said(variable) for variable in task.variables if variable.role == "query").strip()
        language, parameters = task.language, task.parameters
        query = completed(query, earlier, detect(query)) if query else ""
    for document, title, value in sources:
        passages.extend(passages_in(value, document=document, title=title))
    answered = any(
        isinstance(message, ModelResponse) and "partitur" in (message.provider_details or {}) for message in since
    )
    return Asked(query, passages, language, parameters, bool(returned), failures, answered, read)


def _said(variable: Variable) -> str:
    value = variable.value
    if isinstance(value, list):
        return " ".join(str(part) for part in value if part is not None)
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _last_task(messages: Sequence[ModelMessage]) -> tuple[Task | None, Sequence[str], Sequence[ModelMessage]]:
    """The last task, what users wrote before it, and the messages since; without any task those since the last of them."""
    last = 0
    for at in range(len(messages) - 1, -1, -1):
        for number, part in enumerate(messages[at].parts):
            if isinstance(part, UserPromptPart):
                last = last or at
                for item in part.content if not isinstance(part.content, str) else ():
                    if isinstance(item, TextContent) and isinstance(item.metadata, Task):
                        before = [*(one for message in messages[:at] for one in message.parts)]
                        before += messages[at].parts[:number]
                        earlier = [_text(one) for one in before if isinstance(one, UserPromptPart)]
                        return item.metadata, earlier, messages[at + 1 :]
    return None, (), messages[last + 1 :]


def _texts(messages: Sequence[ModelMessage]) -> list[str]:
    """What users and the assistant said, message by message."""
    found: list[str] = []
    for message in messages:
        for part in message.parts:
            if isinstance(part, UserPromptPart):
                found.append(_text(part))
            elif isinstance(part, TextPart) and isinstance(message, ModelResponse):
                found.append(part.content)
    return found


def _text(part: UserPromptPart) -> str:
    items = [part.content] if isinstance(part.content, str) else part.content
    said = [
        item.content if isinstance(item, TextContent) else item for item in items if isinstance(item, str | TextContent)
    ]
    return "\n".join(said)


def _plain(messages: Sequence[ModelMessage]) -> tuple[str, list[str]]:
    """A conversation without a task: the last question or line asks, everything else may be quoted."""
    *before, last = _texts(messages) or [""]
    language = detect(last)
    lines = [line for line in last.splitlines() if line.strip()]
    if len(lines) > 1 and _INSTRUCTION.match(lines[0] + "\n"):
        # "Fasse zusammen:" above a text says what to do, not what it is about.
        rest = last[last.index(lines[0]) + len(lines[0]) :]
        query = lines[0].strip() if is_question(lines[0], language) and "?" in lines[0] else ""
        return query, [text for text in (*before, rest) if text.strip()]
    spans = sentences(last, language)
    questions = [span for span in spans if last[span.start : span.end].rstrip("\"'»“”)").endswith("?")]
    if questions:
        span = questions[-1]
        query, rest = last[span.start : span.end], last[: span.start] + "\n" + last[span.end :]
    elif lines:
        query = lines[-1].strip()
        rest = last[: last.rindex(lines[-1])]
    else:
        query, rest = "", ""
    return query, [text for text in (*before, rest) if text.strip()]
