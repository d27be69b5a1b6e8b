"""The speech server: text in, audio files out, by espeak-ng in a process of its own or by a model's endpoint."""

from contextlib import AsyncExitStack
from functools import partial
from typing import Literal

import anyio
from fastmcp import Context, FastMCP
from fastmcp.server.auth import AuthProvider

from tools.base import Artifact, ArtifactStore, Caller, InvalidInput, TimedOut, TooLarge, caller_of, shortened
from tools.endpoint import Endpoint
from tools.language import detect
from tools.models import Pool
from tools.server import bind, tool_server
from tools.speech import Speech, SpeechConfig, Spoken, say
from tools.speech.markup import paragraphs as unmarked
from tools.speech.normalise import speakable

__all__ = ["build"]

PAUSE = 0.55
"""Seconds of silence between paragraphs."""
_LABEL = {"de": "Vorgelesener Text, künstliche Stimme", "en": "Text read aloud by a synthetic voice"}


def build(
    config: SpeechConfig,
    *,
    artifacts: ArtifactStore,
    auth: AuthProvider | None = None,
    local: Caller | None = None,
    pool: Pool | None = None,
) -> FastMCP:
    """The server with its one tool; `pool` is the model behind it where the house has one; else `config.url` leads to it."""
    voices = _Voices(config, artifacts, pool)
    return tool_server(
        "speech",
        [bind(say, voices.say)],
        instructions="Reads German or English text aloud. Send the text as it is written: numbers and abbreviations "
        "are written out before.",
        auth=auth,
        local=local,
        artifacts=artifacts,
    )


class _Voices:
    """The handler and what its calls share."""

    def __init__(self, config: SpeechConfig, artifacts: ArtifactStore, pool: Pool | None) -> None:
        self._config = config
        self._artifacts = artifacts
        self._pool = pool
        self._places = anyio.CapacityLimiter(config.at_once)

    async def say(self, given: Spoken, ctx: Context) -> Speech:
        caller = caller_of(ctx)
        language = given.language or detect(given.text)
        paragraphs = await anyio.to_thread.run_sync(speakable, given.text, language)
        if not paragraphs:
            raise InvalidInput(f"There is nothing to say in {given.text[:60]!r}. Expected words.")
        voice = given.voice or self._voice(language)
        try:
            with anyio.fail_after(self._config.timeout):
                async with self._places:
                    return await self._made(given, paragraphs, language, voice, caller, ctx)
        except TimeoutError as error:
            raise TimedOut(
                f"Reading {len(given.text)} characters took longer than {self._config.timeout:g} s.",
                hint="Send less text at once, or ask for fewer formats.",
            ) from error

    def _voice(self, language: Literal["de", "en"]) -> str:
        if self._config.url:
            return self._config.voice
        return self._config.german_voice if language == "de" else self._config.english_voice

    async def _made(
        self,
        given: Spoken,
        paragraphs: list[str],
        language: Literal["de", "en"],
        voice: str,
        caller: Caller,
        ctx: Context,
    ) -> Speech:
        # numpy and libsndfile are loaded by the first request, not by the start.
        from tools.speech.audio import MEDIA_TYPES, Sound, encode, join
        from tools.speech.espeak import Espeak
        from tools.speech.remote import batches, remote_speech

        config = self._config
        async with AsyncExitStack() as closing:
            if config.url:
                engine = config.name
                paragraphs = batches(paragraphs)
                at = Endpoint.at(
                    self._pool,
                    url=config.url,
                    name=config.name,
                    key=config.key,
                    timeout=config.timeout,
                    setting="PARTITUR_SPEECH",
                )
                stream = remote_speech(
                    await closing.enter_async_context(at),
                    paragraphs,
                    model=config.name,
                    voice=voice,
                    rate=given.words_per_minute,
                    max_seconds=config.max_seconds,
                )
            else:
                engine = "espeak-ng"
                espeak = Espeak(binary=config.binary)
                stream = espeak.speak(
                    paragraphs, voice=voice, rate=given.words_per_minute, max_seconds=config.max_seconds
                )
            steps = len(paragraphs) + len(given.formats)
            parts: list[Sound] = []
            closing.push_async_callback(stream.aclose)
            async for part in stream:
                parts.append(part)
                if sum(part.seconds for part in parts) > config.max_seconds:
                    raise TooLarge(f"The text takes more than {config.max_seconds:g} s to read. Expected less.")
                await ctx.report_progress(len(parts), steps, f"Absatz {len(parts)} von {len(paragraphs)}")
        sound = await anyio.to_thread.run_sync(partial(join, parts, pause=PAUSE))
        title = _title(given.text)
        alt_text = f"{_LABEL[language]}: {title}"
        audio: list[Artifact] = []
        for kind in dict.fromkeys(given.formats):
            comment = f"{_LABEL[language]} ({engine})"
            data = await anyio.to_thread.run_sync(partial(encode, sound, kind, title=title, comment=comment))
            put = partial(self._artifacts.put, data, media_type=MEDIA_TYPES[kind], alt_text=alt_text, caller=caller)
            audio.append(await anyio.to_thread.run_sync(put))
            await ctx.report_progress(len(parts) + len(audio), steps, kind)
        return Speech(
            audio=audio,
            seconds=round(sound.seconds, 3),
            language=language,
            voice=voice,
            engine=engine,
            spoken="\n\n".join(paragraphs),
        )


def _title(text: str) -> str:
    """The beginning of a text as it was written: what is spelt out for the voice is hard to read."""
    return shortened(next((part for part in unmarked(text) if any(map(str.isalnum, part))), text), 120)
