"""Tests of our own voice at /v1/audio/speech, which reads aloud where no model does."""

import base64
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from web_house import Web, web

pytestmark = pytest.mark.anyio
SPEECH = "/v1/audio/speech"


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Web]:
    async with web(tmp_path_factory.mktemp("home")) as opened:
        await opened.app.state.health.loaded.wait()
        yield opened


@pytest.mark.parametrize(
    ("asked", "media", "begin"),
    [("wav", "audio/wav", b"RIFF"), ("opus", "audio/ogg", b"OggS"), ("mp3", "audio/mpeg", b"ID3")],
)
async def test_our_own_voice_reads_aloud_where_no_model_does(site: Web, asked: str, media: str, begin: bytes) -> None:
    body = {"model": "espeak-ng", "input": "Guten Tag.", "voice": "alloy", "response_format": asked}
    answer = await site.client.post(SPEECH, json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (200, media)
    assert answer.content.startswith(begin)


async def test_its_sound_comes_in_events_where_they_are_asked_for(site: Web) -> None:
    body = {"input": "Guten Tag.", "voice": "alloy", "response_format": "wav", "stream_format": "sse"}
    answer = await site.client.post(SPEECH, json=body)
    told = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    assert base64.b64decode(told[0]["audio"]).startswith(b"RIFF")
    assert told[-1]["type"] == "speech.audio.done"


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"input": None}, "input"),
        ({"input": ""}, "input"),
        ({"input": "wort " * 5_000}, "input"),
        ({"speed": "fast"}, "speed"),
        ({"speed": 9}, "speed"),
        ({"response_format": "flac"}, "response_format"),
    ],
)
async def test_what_it_cannot_read_names_the_parameter(site: Web, wrong: dict[str, Any], param: str) -> None:
    answer = await site.client.post(SPEECH, json={"input": "Guten Tag.", "voice": "alloy"} | wrong)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


async def test_another_model_is_unknown_and_ours_is_named(site: Web) -> None:
    answer = await site.client.post(SPEECH, json={"model": "tts-1", "input": "Guten Tag.", "voice": "alloy"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
    assert "Expected 'espeak-ng', or none." in answer.json()["error"]["message"]
