import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fake_endpoint import Asked, FakeEndpoint, closed_port, serving
from fastmcp import Client, FastMCP
from fastmcp.exceptions import ToolError
from pydantic import SecretStr
from starlette.responses import JSONResponse, Response

from tools.base import ArtifactStore, Caller, acting_as
from tools.speech import Speech, SpeechConfig, say
from tools.speech.remote import batches
from tools.speech.server import build

pytestmark = pytest.mark.anyio
ANNA = Caller(subject="anna")


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path)


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeEndpoint]:
    with serving() as endpoint:
        yield endpoint


def server(store: ArtifactStore, **config: object) -> FastMCP:
    return build(SpeechConfig.model_validate(config), artifacts=store, local=ANNA)


async def called(server: FastMCP, **arguments: object) -> Speech:
    with acting_as(ANNA):
        result = await server.call_tool(say.tool, arguments)
    return Speech.model_validate(result.structured_content)


def tone(seconds: float) -> bytes:
    out = io.BytesIO()
    samples = 0.4 * np.sin(np.arange(int(24_000 * seconds)) * 0.1)
    soundfile.write(out, samples, 24_000, format="WAV", subtype="PCM_16")
    return out.getvalue()


async def test_german_text_becomes_files_of_the_same_length(store: ArtifactStore) -> None:
    text = "# Neues Bürgeramt\n\nAm 3. Mai um 9 Uhr wird das Bürgeramt eröffnet."
    speech = await called(server(store), text=text, formats=["wav", "opus", "mp3"])
    assert speech.spoken == "Neues Bürgeramt.\n\nAm dritten Mai um neun Uhr wird das Bürgeramt eröffnet."
    assert (speech.engine, speech.language, speech.voice) == ("espeak-ng", "de", "de")
    assert [artifact.media_type for artifact in speech.audio] == ["audio/wav", "audio/ogg", "audio/mpeg"]
    for artifact, rate in zip(speech.audio, (22_050, 24_000, 22_050), strict=True):
        samples, found = soundfile.read(store.path(artifact.id, caller=ANNA))
        assert (found, samples.ndim) == (rate, 1)
        assert abs(len(samples) / found - speech.seconds) < 0.12
        assert artifact.alt_text == "Vorgelesener Text, künstliche Stimme: Neues Bürgeramt."


async def test_english_is_found_and_the_same_request_gives_the_same_bytes(store: ArtifactStore) -> None:
    text = "The office is open from 9 to 12. It is free for all of the people."
    first, second = await called(server(store), text=text), await called(server(store), text=text)
    assert first == second
    assert (first.language, first.voice) == ("en", "en-gb")


async def test_a_client_hears_the_progress_and_gets_the_bytes(store: ArtifactStore) -> None:
    heard: list[tuple[float, float | None]] = []

    async def listen(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total))

    async with Client(server(store)) as client:
        tool = (await client.list_tools())[0]
        result = await client.call_tool("say", {"text": "Eins.\n\nZwei.", "formats": ["wav"]}, progress_handler=listen)
    assert tool.name == "say" and tool.output_schema is not None
    assert heard == [(1, 3), (2, 3), (3, 3)]
    assert [block.type for block in result.content] == ["text", "audio"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"text": ""}, "'text' does not fit"),
        ({"text": "x" * 20_001}, "'text' does not fit"),
        ({"text": "hallo", "formats": ["flac"]}, "'formats.0' does not fit"),
        ({"text": "hallo", "words_per_minute": 10}, "'words_per_minute' does not fit"),
        ({"text": "hallo", "volume": 3}, "'volume' does not fit"),
        ({"text": "```\nx = 1\n```"}, "There is nothing to say"),
        ({"text": "*** ---"}, "it has no letter and no digit"),
        ({"text": "hallo", "voice": "qq"}, "Voice 'qq' is unknown"),
    ],
)
async def test_what_does_not_fit_is_named(store: ArtifactStore, arguments: dict[str, object], said: str) -> None:
    async with Client(server(store)) as client:
        with pytest.raises(ToolError, match=said):
            await client.call_tool("say", arguments)


async def test_too_long_a_time_is_said(store: ArtifactStore) -> None:
    with acting_as(ANNA), pytest.raises(ToolError, match="took longer than 0.001 s"):
        await server(store, timeout=0.001).call_tool("say", {"text": "Hallo."})


async def test_an_endpoint_speaks_where_one_is_set(store: ArtifactStore, fake: FakeEndpoint) -> None:
    fake.asked.clear()
    fake.answer = lambda asked: Response(tone(1.0), media_type="audio/wav")
    speaking = server(store, url=fake.url, name="kokoro", key=SecretStr("geheim"), voice="af_heart")
    speech = await called(speaking, text="Am 3. Mai.", language="de", words_per_minute=200, formats=["wav", "opus"])
    assert fake.asked == [
        Asked(
            path="/v1/audio/speech",
            body={
                "model": "kokoro",
                "input": "Am dritten Mai.",
                "voice": "af_heart",
                "response_format": "wav",
                "speed": 1.25,
            },
            key="Bearer geheim",
        )
    ]
    assert (speech.engine, speech.voice, speech.seconds) == ("kokoro", "af_heart", 1.0)


async def test_a_long_text_goes_to_the_endpoint_in_pieces() -> None:
    text = "Das ist ein Satz. " * 600
    pieces = batches([text, "Ende."])
    assert max(map(len, pieces)) <= 4_000
    assert " ".join(pieces) == f"{text}Ende."


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (JSONResponse({"error": {"message": "wrong key"}}, 401), "answered 401.*'wrong key'.*PARTITUR_SPEECH_KEY"),
        (JSONResponse({"error": {"message": "no model"}}, 404), "answered 404.*PARTITUR_SPEECH_NAME"),
        (JSONResponse({"detail": "busy"}, 503), "status 503.*Try again"),
        (Response(b"<html>hello</html>"), "no audio: it begins with b'<html>hello<'"),
        (Response(json.dumps({"a": 1})), "no audio"),
    ],
)
async def test_what_the_endpoint_does_wrong_is_said(
    store: ArtifactStore, fake: FakeEndpoint, response: Response, said: str
) -> None:
    fake.answer = lambda asked: response
    with acting_as(ANNA), pytest.raises(ToolError, match=said) as caught:
        await server(store, url=fake.url, key=SecretStr("geheim")).call_tool("say", {"text": "Hallo."})
    assert "geheim" not in str(caught.value)


async def test_an_endpoint_that_is_down_is_named_and_nobody_else_speaks(store: ArtifactStore) -> None:
    url = closed_port()
    shown = url.replace("http://", "http://anna:geheim@")
    with acting_as(ANNA), pytest.raises(ToolError, match="cannot be reached.*correct PARTITUR_SPEECH_URL") as caught:
        await server(store, url=shown).call_tool("say", {"text": "Hallo."})
    assert "geheim" not in str(caught.value)
