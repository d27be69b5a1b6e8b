"""Tests of what was said before: who reads it, how much of it, and that it passes the gate."""

import pytest
from kit_house import ANNA, Recorder, Word, answers, house
from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart
from pydantic_ai.models.function import AgentInfo

from agents.kit import Done, Run, SecretGuard, Turn, UseCase, composition
from agents.kit.turns import LONGEST_HISTORY, latest
from tools.base import Refused

pytestmark = pytest.mark.anyio

shout = UseCase(Word, Word, name="shout")
counting = UseCase(Word, Word, name="counting", tools=["words.count"])
SAID = [Turn(role="user", text="Guten Tag."), Turn(role="assistant", text="Was darf es sein?")]
SECRET = "AKIAABCDEFGHIJKLMNOP"


@composition
async def handing_on(given: Word, run: Run) -> Word:
    """Hands on what was said before, once."""
    await run.ask(shout, Word(word="first"))
    return await run.ask(shout, Word(word=str(len(run.history))), history=run.history)


class Reader:
    """A model that fills its output, and remembers what it read."""

    def __init__(self) -> None:
        self.read: list[list[ModelMessage]] = []

    def __call__(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        self.read.append(list(messages))
        return answers(word="ok")(messages, info)

    def said(self, at: int = -1) -> list[tuple[str, str]]:
        """The texts of a request, each with the kind of its part."""
        parts = [part for message in self.read[at] for part in message.parts]
        texts = [getattr(part, "content", "") for part in parts]
        return [
            (part.part_kind, text if isinstance(text, str) else "the prompt")
            for part, text in zip(parts, texts, strict=True)
        ]


async def test_a_model_reads_what_was_said_before_the_prompt() -> None:
    model = Reader()
    await house(shout, model=model).ask(shout, Word(word="a"), caller=ANNA, history=SAID)
    assert model.said() == [("user-prompt", "Guten Tag."), ("text", "Was darf es sein?"), ("user-prompt", "the prompt")]


async def test_without_a_history_nothing_changes() -> None:
    model = Reader()
    await house(shout, model=model).ask(shout, Word(word="a"), caller=ANNA)
    assert model.said() == [("user-prompt", "the prompt")]


async def test_a_stream_reads_it_too() -> None:
    recorder = Recorder()
    events = [
        event
        async for event in house(handing_on, guards=[recorder]).stream(
            handing_on, Word(word="a"), caller=ANNA, history=SAID
        )
    ]
    assert isinstance(events[-1], Done)
    assert recorder.texts[0].startswith("Guten Tag.\nWas darf es sein?\n")


async def test_a_composition_has_it_and_hands_it_on_where_it_says_so() -> None:
    model = Reader()
    await house(shout, model=model).ask(handing_on, Word(word="a"), caller=ANNA, history=SAID)
    assert [len(model.said(at)) for at in (0, 1)] == [1, 3]


async def test_it_passes_the_gate_as_input_once_for_each_who_reads_it() -> None:
    recorder, calls = Recorder(), 0

    def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        nonlocal calls
        calls += 1
        if calls == 1:
            return ModelResponse(parts=[ToolCallPart("words_count", {"word": "a"})])
        return answers(word="ok")(messages, info)

    await house(counting, model=model, guards=[recorder]).ask(counting, Word(word="a"), caller=ANNA, history=SAID)
    before = [
        (kind, "Guten Tag." in text, "Was darf es sein?" in text)
        for (point, kind, _), text in zip(recorder.seen, recorder.texts, strict=True)
        if point == "before"
    ]
    assert before == [
        ("use_case", True, True),
        ("model", True, True),
        ("tool", False, False),
        ("model", False, False),
    ]


@pytest.mark.parametrize("role", ["user", "assistant"])
async def test_a_credential_in_an_earlier_turn_is_refused(role: str) -> None:
    history = [Turn.model_validate({"role": role, "text": f"Mein Schlüssel ist {SECRET}."})]
    with pytest.raises(Refused):
        await house(shout, guards=[SecretGuard()]).ask(shout, Word(word="a"), caller=ANNA, history=history)


@pytest.mark.parametrize(
    ("turns", "kept"),
    [
        ([], []),
        (["u:ab", "a:cd"], ["u:ab", "a:cd"]),
        (["u:abcdefgh", "a:cd", "u:ef", "a:gh"], ["u:ef", "a:gh"]),
        (["u:abcdefghi", "a:cd"], ["a:cd"]),
        (["u:abcdefghijklmnop"], ["u:abcdefghij"]),
        (["u:ab", "a: ", "u:cd"], ["u:ab", "u:cd"]),
        (["a:ab"], ["a:ab"]),
    ],
)
def test_the_latest_turns_are_kept_as_far_as_there_is_room(turns: list[str], kept: list[str]) -> None:
    def made(texts: list[str]) -> list[Turn]:
        roles = {"u": "user", "a": "assistant"}
        return [Turn.model_validate({"role": roles[text[0]], "text": text[2:]}) for text in texts]

    assert list(latest(made(turns), longest=10)) == made(kept)


async def test_a_model_reads_no_more_than_the_room_there_is() -> None:
    model, long = Reader(), [Turn(role="user", text="x" * 10_000), Turn(role="assistant", text="y" * 10_000)] * 5
    await house(shout, model=model).ask(shout, Word(word="a"), caller=ANNA, history=long)
    assert sum(len(text) for _, text in model.said()[:-1]) == 20_000 <= LONGEST_HISTORY
