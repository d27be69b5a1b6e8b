"""Reads text aloud in German and English: the contract of the speech server."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from tools.base import Artifact, ToolRef, Words

__all__ = ["AudioFormat", "Speech", "SpeechConfig", "Spoken", "say"]

AudioFormat = Literal["wav", "opus", "mp3"]
_KINDS = {"audio/wav": "WAV", "audio/ogg": "Opus", "audio/mpeg": "MP3"}


class SpeechConfig(BaseModel):
    """What the server needs. Without `url`, espeak-ng speaks on this machine; with it, only the endpoint does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str | None = Field(
        default=None, description="OpenAI-compatible endpoint, for example http://localhost:8000/v1."
    )
    name: str = Field(default="tts-1", description="Model at the endpoint.")
    key: SecretStr | None = Field(default=None, description="API key of the endpoint.")
    voice: str = Field(default="alloy", description="Voice at the endpoint, where the request names none.")
    timeout: float = Field(default=240.0, gt=0, description="Seconds one request may take.")
    german_voice: str = Field(default="de", description="espeak-ng's voice for German.")
    english_voice: str = Field(default="en-gb", description="espeak-ng's voice for English.")
    binary: str = Field(default="espeak-ng", description="Program to run where the bundled library is missing.")
    at_once: int = Field(default=2, ge=1, description="Speaking processes at the same time.")
    max_seconds: float = Field(default=3600.0, gt=0, description="Longest audio that is made.")


class Spoken(BaseModel):
    """What to read aloud, and how."""

    model_config = ConfigDict(extra="forbid")

    text: Words = Field(
        min_length=1,
        max_length=20_000,
        description="Plain text or Markdown. Numbers, dates, times, prices, abbreviations and § are written out first.",
    )
    language: Literal["de", "en"] | None = Field(default=None, description="Null: found from the text.")
    voice: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="Null: the default of the language. For espeak-ng for example 'de', 'en-gb', 'en-us', 'de+f3'.",
    )
    words_per_minute: int = Field(default=160, ge=80, le=300, description="Speaking rate.")
    formats: list[AudioFormat] = Field(
        default=["wav", "opus"], min_length=1, max_length=3, description="Files to make, in this order."
    )


class Speech(BaseModel):
    """The audio: one file a format asked for, all with the same sound."""

    audio: list[Artifact] = Field(description="The files, in the order asked for.")
    seconds: float = Field(ge=0, description="Length.")
    language: Literal["de", "en"]
    voice: str = Field(description="The voice that speaks.")
    engine: str = Field(description="'espeak-ng', or the name of the model that spoke.")
    spoken: str = Field(description="The words as they were given to the voice: numbers and abbreviations written out.")

    def markdown(self) -> str:
        """What it is, how long, whose voice, and a link to each file."""
        length, voice = ("Länge", "Stimme") if self.language == "de" else ("Length", "Voice")
        minutes, seconds = divmod(round(self.seconds), 60)
        about = f"{length} {minutes}:{seconds:02} min · {voice} {self.voice} ({self.engine})"
        links = "\n".join(f"- [{_KINDS.get(one.media_type, one.media_type)}]({one.uri})" for one in self.audio)
        named = next((f"**{_inline(one.alt_text)}**\n\n" for one in self.audio), "")
        return f"{named}{about}\n\n{links}".rstrip()


def _inline(text: str) -> str:
    """Text that no mark within it ends early."""
    return " ".join(text.replace("*", "").split())


say = ToolRef(
    name="speech.say",
    input=Spoken,
    output=Speech,
    description="Reads a text aloud (German or English) and returns the audio as WAV, Opus or MP3.",
    timeout=300.0,
)
