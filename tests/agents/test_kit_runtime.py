"""Tests of the runtime: steps, failures, outcomes, streams, and that everything passes the gate."""

import asyncio
from datetime import UTC

import pytest
from inline_snapshot import snapshot
from kit_house import ANNA, Count, Recorder, Word, answers, count, house
from pydantic import BaseModel, Field
from pydantic_ai.messages import ModelResponse, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import DeltaToolCall, FunctionModel

from agents.kit import (
    CancelGuard,
    Done,
    Engine,
    Engines,
    Partial,
    Piece,
    Run,
    SecretGuard,
    SizeGuard,
    StepFinished,
    UsageGuard,
    UseCase,
    composition,
)
from tools.base import Cancelled, Failed, InvalidInput, NeedsModel, NoReliableSource, Refused, StepFailed, TooLarge

pytestmark = pytest.mark.anyio

shout = UseCase(Word, Word, name="shout")
counting = UseCase(Word, Word, name="counting", tools=["words.count"])


class Pair(BaseModel):
    left: int
    right: int
    when: str
    chance: float


@composition
async def both(given: Word, run: Run) -> Pair:
    """Counts two words at the same time."""
    left, right = await run.gather(run.call(count, given), run.call(count, Word(word=given.word * 2)))
    again = await run.ask(shout, given)
    return Pair(
        left=left.letters, right=right.letters + len(again.word), when=run.now().isoformat(), chance=run.random.random()
    )


async def test_a_result_carries_prompt_engine_usage_and_trace() -> None:
    result = await house(shout).ask(shout, Word(word="a"), caller=ANNA)
    assert result.model_dump(exclude={"trace_id", "usage"}) == snapshot(
        {
            "use_case": "shout",
            "output": {"word": "ok"},
            "outcome": "done",
            "message": None,
            "citations": [],
            "support": None,
            "engine": "scripted",
            "artifacts": [],
            "cost": 0.0,
            "steps": [],
            "prompt": {"name": "shout", "path": "prompts/library/shout.md", "commit": "a" * 40, "dirty": False},
            "prompt_commit": "a" * 40,
            "dirty": False,
        }
    )
    assert len(result.trace_id) == 32
    assert result.usage.requests == 1


async def test_steps_are_numbered_in_the_order_of_the_call_whatever_ends_first() -> None:
    told: list[str] = []
    result = await house(shout).ask(
        both, Word(word="ab"), caller=ANNA, listen=lambda event: told.append(type(event).__name__)
    )
    assert result.output is not None
    assert (result.output.left, result.output.right, result.output.when[-6:]) == (2, 6, "+00:00")
    assert [(step.id, step.kind) for step in result.steps] == snapshot(
        [("both/1:words.count", "tool"), ("both/2:words.count", "tool"), ("both/3:shout", "use_case")]
    )
    assert sorted(told) == snapshot(["StepFinished"] * 3 + ["StepStarted"] * 3)
    assert (result.usage.tool_calls, result.usage.requests, result.cost) == (2, 1, 0.0)


async def test_a_tool_knows_the_caller_though_nobody_said_it_in_the_arguments() -> None:
    @composition
    async def who(given: Word, run: Run) -> Count:
        """Asks who is asking."""
        assert run.now().tzinfo is UTC
        return await run.call(count, given)

    result = await house().ask(who, Word(word="abc"), caller=ANNA)
    assert result.output == Count(letters=3, who="anna")


async def test_a_failing_required_step_is_one_error_that_names_it() -> None:
    @composition
    async def frail(given: Word, run: Run) -> Count:
        """Fails."""
        return await run.call(count, Word(word="broken"))

    with pytest.raises(StepFailed) as raised:
        await house().ask(frail, Word(word="a"), caller=ANNA)
    assert raised.value.message.startswith("Step 'frail/1:words.count' failed: The tool 'words.count' failed")
    assert "pipe" not in str(raised.value)


async def test_a_failing_optional_step_gives_a_partial_result_that_says_so() -> None:
    @composition
    async def tolerant(given: Word, run: Run) -> Word:
        """Can do without."""
        counted = await run.call(count, Word(word="broken"), optional=True)
        return Word(word="no count" if counted is None else "counted")

    result = await house().ask(tolerant, Word(word="a"), caller=ANNA)
    assert (result.outcome, result.output) == ("partial", Word(word="no count"))
    assert result.message is not None
    assert result.message.startswith("Step 'tolerant/1:words.count' is missing")
    assert [step.outcome for step in result.steps] == ["failed"]


async def test_when_one_of_several_fails_the_others_stop_and_its_error_is_raised() -> None:
    stopped = asyncio.Event()

    @composition
    async def several(given: Word, run: Run) -> Word:
        """Does two things, one of which fails."""

        async def long() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                stopped.set()

        await run.gather(run.call(count, Word(word="broken")), long())
        return given

    with pytest.raises(StepFailed):
        await house().ask(several, Word(word="a"), caller=ANNA)
    assert stopped.is_set()


@pytest.mark.parametrize(("error", "outcome"), [(NoReliableSource, "no_source"), (NeedsModel, "needs_model")])
async def test_what_cannot_be_answered_is_an_outcome_and_no_crash(error: type[Failed], outcome: str) -> None:
    def model(messages, info):
        raise error("Nothing on it.")

    @composition
    async def outer(given: Word, run: Run) -> Word:
        """Asks another."""
        return await run.ask(shout, given)

    for use_case in (shout, outer):
        result = await house(shout, model=model).ask(use_case, Word(word="a"), caller=ANNA)
        assert (result.outcome, result.output, result.citations) == (outcome, None, [])
        assert "Nothing on it." in (result.message or "")


async def test_a_use_case_that_writes_needs_a_model_and_says_which_setting() -> None:
    writing = UseCase(Word, Word, name="writing", generative=True)
    result = await house(writing).ask(writing, Word(word="a"), caller=ANNA)
    assert result.outcome == "needs_model"
    assert "PARTITUR_MODEL_URL" in (result.message or "")


async def test_an_agent_calls_tools_and_may_mend_wrong_arguments() -> None:
    said: list[str] = []

    def model(messages, info):
        last = messages[-1].parts[-1]
        if isinstance(last, ToolReturnPart) and last.outcome == "retried":
            said.append(str(last.content))
            return ModelResponse(parts=[ToolCallPart(info.function_tools[0].name, {"word": "four"})])
        if isinstance(last, ToolReturnPart) and isinstance(last.content, dict):
            return answers(word=str(last.content["letters"]))(messages, info)
        return ModelResponse(parts=[ToolCallPart(info.function_tools[0].name, {"wort": "four"})])

    result = await house(counting, model=model).ask(counting, Word(word="a"), caller=ANNA)
    assert result.output == Word(word="4")
    assert "'word' does not fit: Field required" in said[0]
    assert (result.usage.requests, result.usage.tool_calls) == (3, 1)


async def test_everything_passes_the_gate() -> None:
    def model(messages, info):
        if isinstance(messages[-1].parts[-1], ToolReturnPart):
            return answers(word="done")(messages, info)
        return ModelResponse(parts=[ToolCallPart(info.function_tools[0].name, {"word": "secret-word"})])

    recorder = Recorder()
    await house(counting, model=model, guards=[recorder]).ask(counting, Word(word="asked"), caller=ANNA)
    assert recorder.seen == snapshot(
        [
            ("before", "use_case", "counting"),
            ("before", "model", "scripted"),
            ("after", "model", "scripted"),
            ("before", "tool", "words.count"),
            ("after", "tool", "words.count"),
            ("before", "model", "scripted"),
            ("after", "model", "scripted"),
            ("after", "use_case", "counting"),
        ]
    )
    assert "asked" in recorder.texts[1]
    assert "secret-word" in recorder.texts[3]
    assert '"letters": 11' in recorder.texts[5]


async def test_a_guard_that_breaks_refuses() -> None:
    class Broken(Recorder):
        def before(self, act, text) -> None:
            raise ZeroDivisionError

    with pytest.raises(Refused, match="The guard 'Broken' could not judge use_case 'shout'"):
        await house(shout, guards=[Broken()]).ask(shout, Word(word="a"), caller=ANNA)


KEY = "pt-" + "a" * 43


@pytest.mark.parametrize(
    "secret", [KEY, "AKIAABCDEFGHIJKLMNOP", "-----BEGIN RSA PRIVATE KEY-----", "glpat-" + "x" * 20]
)
async def test_a_secret_neither_goes_in_nor_comes_out(secret: str) -> None:
    with pytest.raises(Refused, match="What goes in of use_case 'shout' holds"):
        await house(shout, guards=[SecretGuard()]).ask(shout, Word(word=f"my key: {secret}"), caller=ANNA)
    with pytest.raises(Refused, match="What came out of model 'scripted' holds"):
        await house(shout, guards=[SecretGuard()], model=answers(word=secret)).ask(shout, Word(word="a"), caller=ANNA)


async def test_sizes_and_spending_are_limited() -> None:
    with pytest.raises(TooLarge, match="has 28 characters"):
        await house(shout, guards=[SizeGuard(longest_in=20)]).ask(shout, Word(word="x" * 17), caller=ANNA)
    with pytest.raises(Refused, match="has used 1 tool calls"):
        await house(shout, guards=[UsageGuard(most_tool_calls=1)]).ask(serial, Word(word="a"), caller=ANNA)


@composition
async def serial(given: Word, run: Run) -> Word:
    """Two calls, one after the other."""
    await run.call(count, given)
    await run.call(count, given)
    return given


async def test_a_cancelled_run_stops_at_the_next_gate() -> None:
    calls: list[str] = []
    runtime = house(shout, guards=[CancelGuard()])
    with pytest.raises(Cancelled):
        await runtime.ask(
            serial,
            Word(word="a"),
            caller=ANNA,
            listen=lambda event: calls.append(event.step.id) if isinstance(event, StepFinished) else None,
            cancelled=lambda: len(calls) >= 1,
        )
    assert len(calls) == 2


async def test_an_input_that_does_not_fit_never_reaches_a_step() -> None:
    with pytest.raises(InvalidInput, match="'word' does not fit"):
        from agents.kit import validated

        validated(Word, {"word": 3})


async def test_a_stream_tells_steps_text_and_the_result() -> None:
    events = [event async for event in house(shout).stream(serial, Word(word="hello there"), caller=ANNA)]
    assert "".join(event.text for event in events if isinstance(event, Piece)) == "hello there"
    assert [type(event).__name__ for event in events][:4] == ["StepStarted", "StepFinished"] * 2
    assert isinstance(events[-1], Done)
    assert events[-1].result.output == Word(word="hello there")


async def test_a_stream_nobody_reads_any_more_stops_the_run() -> None:
    began, stopped = asyncio.Event(), asyncio.Event()

    @composition
    async def endless(given: Word, run: Run) -> Word:
        """Never ends."""
        await run.call(count, given)
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return given

    stream = house().stream(endless, Word(word="a"), caller=ANNA)
    async for _ in stream:
        if began.is_set():
            break
        await asyncio.wait_for(began.wait(), 2)
        break
    await stream.aclose()
    assert stopped.is_set()


async def test_a_step_that_fails_has_spent_what_it_spent() -> None:
    asked: list[int] = []

    def searches_then_gives_up(messages, info):
        asked.append(1)
        if len(asked) > 1:
            raise Failed("The engine broke.")
        return ModelResponse(parts=[ToolCallPart(info.function_tools[0].name, {"word": "x"})])

    @composition
    async def tolerant(given: Word, run: Run) -> Word:
        """Can do without."""
        await run.ask(counting, given, optional=True)
        return given

    result = await house(counting, model=searches_then_gives_up).ask(tolerant, Word(word="a"), caller=ANNA)
    assert (result.outcome, result.usage.requests, result.usage.tool_calls) == ("partial", 1, 1)


async def test_a_step_that_was_stopped_is_not_told_as_done() -> None:
    steps: list[tuple[str, str]] = []

    @composition
    async def several(given: Word, run: Run) -> Word:
        """One fails while the other is still at work."""
        await run.gather(run.ask(endless, given), run.call(count, Word(word="broken")))
        return given

    @composition
    async def endless(given: Word, run: Run) -> Word:
        """Never ends."""
        await asyncio.Event().wait()
        return given

    with pytest.raises(StepFailed):
        await house().ask(
            several,
            Word(word="a"),
            caller=ANNA,
            listen=lambda event: (
                steps.append((event.step.name, event.step.outcome)) if isinstance(event, StepFinished) else None
            ),
        )
    assert sorted(steps) == [("endless", "failed"), ("words.count", "failed")]


async def test_what_a_composition_says_is_lacking_makes_its_result_partial_in_order() -> None:
    @composition
    async def lacking(given: Word, run: Run) -> Word:
        """Leaves something out."""
        run.lacks("First.")
        await run.call(count, Word(word="broken"), optional=True)
        run.lacks("Last.")
        return given

    result = await house().ask(lacking, Word(word="a"), caller=ANNA)
    assert result.outcome == "partial"
    assert (result.message or "").startswith("First. Step 'lacking/1:words.count' is missing")
    assert (result.message or "").endswith("Last.")


async def test_a_composition_that_makes_what_does_not_fit_is_one_clear_error() -> None:
    class Short(BaseModel):
        word: str = Field(max_length=3)

    @composition
    async def wordy(given: Word, run: Run) -> Short:
        """Says too much."""
        return Short(word=given.word * 2)

    with pytest.raises(
        StepFailed, match=r"The composition 'wordy' made a Short that does not fit: 'word': String should"
    ):
        await house().ask(wordy, Word(word="abc"), caller=ANNA)


async def test_a_secret_does_not_leave_in_halves() -> None:
    seen: list[str] = []

    async def pieces(messages, info):
        yield {0: DeltaToolCall(name=info.output_tools[0].name, json_args='{"word": "my key: ')}
        for part in ("sk-", "aaaaaaaaaa", "aaaaaaaaaa", "aaaaaaaaaa", " is secret"):
            yield {0: DeltaToolCall(json_args=part)}
        yield {0: DeltaToolCall(json_args='"}')}

    runtime = house(shout, guards=[SecretGuard()])
    runtime.engines = Engines(
        {"chat": Engine(id="streaming", build=lambda: FunctionModel(stream_function=pieces), generative=False)}
    )
    with pytest.raises(Refused):
        async for event in runtime.stream(shout, Word(word="a"), caller=ANNA):
            if isinstance(event, Partial):
                seen.append(event.output.model_dump_json())
            if isinstance(event, Piece):
                seen.append(event.text)
    assert [text for text in seen if "sk-" in text] == []
    assert "my " in "".join(seen)
