"""The embedded engine as a model: which tools it calls, what it quotes, and when it says nothing."""

from typing import Any

import pytest
from extractive_texts import DOG, POOL, TEXTS, passages, searched, task
from inline_snapshot import snapshot
from pydantic import BaseModel, Field, JsonValue
from pydantic_ai import Agent, FunctionToolset, NativeOutput, PromptedOutput
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, ToolReturnPart, UserPromptPart
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.tools import ToolDefinition

from agents.extractive import ExtractiveModel
from agents.extractive.respond import respond
from agents.extractive.searching import searches
from agents.kit.task import Evidence
from tools.base import Citation, InvalidInput, NoReliableSource, Passage, ToolFailed

pytestmark = pytest.mark.anyio


def evidence(messages: list[ModelMessage]) -> Evidence:
    last = messages[-1]
    assert isinstance(last, ModelResponse)
    return Evidence.model_validate((last.provider_details or {})["partitur"])


def said(reply_to: list[ModelMessage]) -> str:
    part = respond(reply_to, ModelRequestParameters()).parts[0]
    assert isinstance(part, TextPart)
    return part.content


async def test_only_tools_marked_as_sources_are_called() -> None:
    called: list[str] = []
    tools = FunctionToolset()

    def find(query: str, limit: int = 3) -> dict[str, Any]:
        called.append(f"find {query} {limit}")
        return {"passages": [passage.model_dump(mode="json") for passage in passages("hund.md", "bad.md")]}

    def delete(query: str) -> str:
        called.append("delete")
        return query

    tools.add_function(find, metadata={"meta": {"partitur/source": True}})
    tools.add_function(delete, metadata={"meta": {"partitur/source": False}})
    agent = Agent(ExtractiveModel(), toolsets=[tools])
    result = await agent.run(task(query="Was kostet der Eintritt ins Freibad?", sentences=1, limit=5))
    assert called == ["find Was kostet der Eintritt ins Freibad? 5"]
    assert result.output == "Der Eintritt kostet für Erwachsene 4,50 € und für Kinder 2 €."


def test_a_tool_that_needs_more_than_a_query_is_left_alone() -> None:
    def tool(name: str, source: object, **properties: object) -> ToolDefinition:
        schema = {"type": "object", "properties": properties, "required": list(properties)}
        return ToolDefinition(name=name, parameters_json_schema=schema, metadata={"partitur/source": source})

    text = {"type": "string", "maxLength": 5}
    tools = [
        tool("short", True, words=text),
        tool("kind", True, words={"type": "string"}, kind={"enum": ["all", "new"]}),
        tool(
            "default",
            True,
            words={"anyOf": [{"type": "string"}, {"type": "null"}]},
            top={"type": "integer", "default": 4},
        ),
        tool("id", True, number={"type": "integer"}, words=text),
        tool("writes", "yes", words=text),
    ]
    assert [(call.tool_name, call.args) for call in searches(tools, "Hundesteuer", {})] == snapshot(
        [
            ("short", '{"words": "Hunde"}'),
            ("kind", '{"words": "Hundesteuer", "kind": "all"}'),
            ("default", '{"words": "Hundesteuer", "top": 4}'),
        ]
    )


async def test_a_text_alone_needs_no_search() -> None:
    agent = Agent(ExtractiveModel())
    result = await agent.run(task(source=POOL, sentences=2))
    found = evidence(result.all_messages())
    assert result.output == " ".join(citation.quote for citation in found.citations)
    assert [citation.document for citation in found.citations] == ["input", "input"]
    assert found.support is None


@pytest.mark.parametrize(
    "query", ["Hundesteuer", "Schwimmkurse für Kinder", "Wann öffnet das Freibad?", "Wer ist zuständig für Hunde?"]
)
def test_what_the_sources_hold_is_answered(query: str) -> None:
    assert said(searched(task(query=query), passages("hund.md", "bad.md")))


@pytest.mark.parametrize(
    "query", ["Quantenphysik", "Rezepte für Pasta", "Wie weit ist es zum Mond?", "Wer gewann die Bundestagswahl?"]
)
def test_what_they_do_not_hold_has_no_reliable_source(query: str) -> None:
    with pytest.raises(NoReliableSource, match="support is 0"):
        respond(searched(task(query=query), passages("hund.md", "bad.md")), ModelRequestParameters())


def test_the_threshold_of_the_prompt_decides() -> None:
    question = "Wann beginnen die Schwimmkurse?"
    assert said(searched(task(query=question, threshold=0), passages("bad.md")))
    with pytest.raises(NoReliableSource, match=r"expected 1\.00"):
        respond(searched(task(query=question, threshold=1), passages("bad.md")), ModelRequestParameters())


def test_a_parameter_of_the_wrong_type_is_named() -> None:
    with pytest.raises(InvalidInput, match="'sentences' does not fit"):
        respond(searched(task(query="Hund", sentences="viele"), passages("hund.md")), ModelRequestParameters())


def test_the_number_of_sentences_changes_the_answer() -> None:
    one, three = (said(searched(task(source=DOG, sentences=count), [])) for count in (1, 3))
    assert one in three
    assert len(three) > 2 * len(one) > 0


@pytest.mark.parametrize("query", ["", "Hundesteuer", "Was kostet der zweite Hund?", "Freibad und Kurse"])
def test_every_sentence_stands_verbatim_at_its_offsets(query: str) -> None:
    found = passages("hund.md", "bad.md", "museum.md")
    messages = searched(task(query=query, sentences=6, threshold=0), found)
    reply = respond(messages, ModelRequestParameters())
    cited = Evidence.model_validate((reply.details or {})["partitur"]).citations
    rest = "".join(reply.pieces)
    assert cited
    for citation in cited:
        assert TEXTS[citation.document][citation.start : citation.end] == citation.quote
        assert citation.quote in rest
        rest = rest.replace(citation.quote, "", 1)
    assert not rest.strip()
    assert len({citation.quote for citation in cited}) == len(cited)


def test_the_same_request_has_the_same_reply() -> None:
    messages = searched(task(query="Freibad und Hunde", sentences=5), passages("bad.md", "hund.md"))
    assert respond(messages, ModelRequestParameters()) == respond(messages, ModelRequestParameters())


async def test_a_stream_brings_sentence_after_sentence() -> None:
    agent = Agent(ExtractiveModel())
    async with agent.run_stream(task(source=POOL, sentences=3)) as stream:
        pieces = [piece async for piece in stream.stream_text(delta=True, debounce_by=None)]
    whole = await agent.run(task(source=POOL, sentences=3))
    assert len(pieces) == 3
    assert "".join(pieces) == whole.output
    assert evidence(stream.all_messages()) == evidence(whole.all_messages())
    assert stream.usage.output_tokens == whole.usage.output_tokens > 10


class Course(BaseModel):
    start: str = Field(description="Wann es beginnt")


async def test_every_way_of_structured_output_gives_the_same() -> None:
    outputs = [
        (await Agent(ExtractiveModel(), output_type=kind).run(task(source=POOL, sentences=1))).output
        for kind in (Course, NativeOutput(Course), PromptedOutput(Course))
    ]
    assert outputs[0] == outputs[1] == outputs[2]
    assert outputs[0].start in POOL


async def test_an_output_that_the_use_case_refuses_ends_as_no_source() -> None:
    class Never(BaseModel):
        text: str = Field(description="Text", json_schema_extra={"minLength": 0})

        def model_post_init(self, _: object) -> None:
            raise ValueError("never")

    with pytest.raises(NoReliableSource, match="do not satisfy"):
        await Agent(ExtractiveModel(), output_type=Never, retries=3).run(task(source=POOL))


def test_a_search_that_failed_is_told_as_such() -> None:
    messages: list[ModelMessage] = [
        ModelRequest(parts=[UserPromptPart(task(query="Hund"))]),
        ModelRequest(parts=[ToolReturnPart("find", "the index is gone", tool_call_id="1", outcome="failed")]),
    ]
    with pytest.raises(ToolFailed, match="the index is gone"):
        respond(messages, ModelRequestParameters())


def test_an_empty_search_is_no_source() -> None:
    with pytest.raises(NoReliableSource, match="Nothing was found for 'Hund'"):
        respond(searched(task(query="Hund"), []), ModelRequestParameters())


def test_citations_in_a_source_lead_to_their_own_document() -> None:
    cited = passages("bad.md")[0]
    start = cited.text.index("Das Freibad")
    quote = cited.cite(start, start + 44)
    finding: dict[str, JsonValue] = {
        "statement": "Etwas anderes, das nirgends steht.",
        "sources": [quote.model_dump(mode="json")],
    }
    reply = respond(searched(task(source=[finding]), []), ModelRequestParameters())
    assert Evidence.model_validate((reply.details or {})["partitur"]).citations == (
        Citation(document="bad.md", title="Freibad am Auensee", start=start, end=start + 44, quote=quote.quote),
    )


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        (
            f"{POOL}\nWas kostet der Eintritt für Kinder?",
            "Der Eintritt kostet für Erwachsene 4,50 € und für Kinder 2 €.",
        ),
        (f"Fasse zusammen:\n\n{POOL}", "Das Freibad öffnet am 15. Mai 2027 um 9 Uhr."),
    ],
)
async def test_a_plain_chat_is_its_own_source(message: str, answer: str) -> None:
    assert answer in (await Agent(ExtractiveModel()).run(message)).output


async def test_a_plain_message_without_any_source_says_so() -> None:
    with pytest.raises(NoReliableSource):
        await Agent(ExtractiveModel()).run("Was ist die Hauptstadt von Frankreich?")


def filed(*lines: str) -> list[Passage]:
    """Each line as a document of its own, as a search would return it."""
    return [
        Passage(document=f"{at}.md", title="Akten", start=0, end=len(line), text=line, score=10 - at)
        for at, line in enumerate(lines)
    ]


@pytest.mark.parametrize(
    ("query", "there"),
    [
        ("Wann wurde der Antrag 777 bewilligt?", True),
        ("Wann wurde der Antrag 1777 bewilligt?", False),
        ("Wann wurde der Antrag Nr. 7770 bewilligt?", False),
        ("Wann wurde der Antrag BA-2026003 bewilligt?", True),
        ("Wann wurde der Antrag BA-2026993 bewilligt?", False),
    ],
)
def test_a_thing_with_another_number_is_no_answer(query: str, there: bool) -> None:
    files = filed(*(f"Der Antrag {name} wurde am 22. März 2026 bewilligt." for name in ("777", "177", "BA-2026003")))
    number = query.split()[-2]
    english = f"When was application {number} approved?"
    with pytest.raises(NoReliableSource):
        respond(
            searched(task(query=english, language="en"), filed("Application 17 was approved.")),
            ModelRequestParameters(),
        )
    if there:
        assert f"Antrag {number} wurde" in said(searched(task(query=query), files))
    else:
        with pytest.raises(NoReliableSource):
            respond(searched(task(query=query), files), ModelRequestParameters())
