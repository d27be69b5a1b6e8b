"""Texts and helpers for the tests of the embedded engine: a use case and documents it has never seen."""

from collections.abc import Mapping, Sequence

from pydantic import JsonValue
from pydantic_ai.messages import ModelMessage, ModelRequest, TextContent, ToolReturnPart, UserPromptPart

from agents.kit.task import Language, Task, Variable
from tools.base import Passage

DOG = """# Hundesteuer in Auenbrück

Wer in Auenbrück einen Hund hält, meldet ihn innerhalb von 14 Tagen an. Zuständig ist Frau Dr. Kaya im Bürgerbüro. Die
Satzung gilt seit dem 3. Mai 2026.

## Höhe der Steuer

| Hund | Steuer im Jahr |
|---|---:|
| erster Hund | 96,00 € |
| zweiter Hund | 132,50 € |

## Ausnahmen

Blindenführhunde sind von der Steuer befreit. Eine Befreiung für Jagdhunde gibt es nicht. Fragen beantwortet
steuer@auenbrueck.example gern.
"""
POOL = """# Freibad am Auensee

Das Freibad öffnet am 15. Mai 2027 um 9 Uhr. Der Eintritt kostet für Erwachsene 4,50 € und für Kinder 2 €. Im letzten
Sommer kamen 61.300 Gäste. Das Becken ist 50 Meter lang und wird mit Sonnenwärme geheizt.

## Kurse

Schwimmkurse für Kinder beginnen im Juni. Die Anmeldung ist online möglich.
"""
MUSEUM = """# Town museum

The museum opens every day except Monday. Admission is free on the first Sunday of the month. The collection holds 4,200
objects from the history of the town. A guided tour takes ninety minutes and starts at 2:30 pm.
"""
TEXTS: Mapping[str, str] = {"hund.md": DOG, "bad.md": POOL, "museum.md": MUSEUM}


def passages(*names: str) -> list[Passage]:
    """Each section of the named documents as a search would return it."""
    found: list[Passage] = []
    for name in names:
        text = TEXTS[name]
        starts = [at for at in range(len(text)) if text.startswith("#", at) and (at == 0 or text[at - 1] == "\n")]
        for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
            title = text.partition("\n")[0].strip("# ")
            found.append(
                Passage(document=name, title=title, start=start, end=end, text=text[start:end], score=10 - len(found))
            )
    return found


def task(
    *, language: Language = "de", query: str = "", source: JsonValue = None, **parameters: JsonValue
) -> list[TextContent]:
    """The content of a user message with a task."""
    variables = [Variable(name="frage", role="query", value=query)] if query else []
    if source is not None:
        variables.append(Variable(name="stoff", role="source", value=source))
    return [TextContent("…", metadata=Task(language=language, variables=tuple(variables), parameters=parameters))]


def searched(content: Sequence[TextContent], found: Sequence[Passage]) -> list[ModelMessage]:
    """The conversation after a search."""
    result = {"passages": [passage.model_dump(mode="json") for passage in found]}
    return [
        ModelRequest(parts=[UserPromptPart(list(content))]),
        ModelRequest(parts=[ToolReturnPart("find", result, tool_call_id="find-0")]),
    ]
