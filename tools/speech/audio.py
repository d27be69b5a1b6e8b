"""Sound as numbers: resampling, and WAV, Opus and MP3 files that are the same bytes for the same sound."""

import io
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import soundfile
from numpy.typing import NDArray

from tools.base import Failed
from tools.speech import AudioFormat

__all__ = ["MEDIA_TYPES", "Sound", "decode", "encode", "join"]

MEDIA_TYPES: dict[AudioFormat, str] = {"wav": "audio/wav", "opus": "audio/ogg", "mp3": "audio/mpeg"}
OPUS_RATE = 24_000
"""Hz. Opus knows 8, 12, 16, 24 and 48 kHz only."""
OPUS_COMPRESSION = 0.8
"""libsndfile's scale: some 53 kbit/s. Its own choice, 34, is coded two and a half times as slowly."""
_LOUDEST = 0.8
"""Highest sample that is given to a lossy coder, of full scale: what it gives back is louder by up to a fifth."""
_TAPS = 32
_BLOCK = 1 << 16


@dataclass(frozen=True, eq=False)
class Sound:
    """Mono sound: 16-bit samples and how many of them make a second."""

    samples: NDArray[np.int16]
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate

    def at(self, rate: int) -> "Sound":
        """The same sound at another rate, by a windowed sinc filter."""
        if rate == self.rate or not len(self.samples):
            return Sound(self.samples, rate)
        shared = math.gcd(rate, self.rate)
        up, down = rate // shared, self.rate // shared
        kernel = _kernel(up, down)
        taps = kernel.shape[1]
        padded = np.pad(self.samples.astype(np.float32), taps)
        count = len(self.samples) * up // down
        out = np.empty(count, np.int16)
        for start in range(0, count, _BLOCK):
            at = np.arange(start, min(start + _BLOCK, count), dtype=np.int64) * down
            first = at // up + taps - taps // 2 + 1
            window = padded[first[:, None] + np.arange(taps)]
            mixed = np.einsum("ij,ij->i", window, kernel[at % up])
            out[start : start + len(at)] = np.clip(np.rint(mixed), -32768, 32767).astype(np.int16)
        return Sound(out, rate)


@cache
def _kernel(up: int, down: int) -> NDArray[np.float32]:
    """One row of weights for each of the `up` positions between two samples."""
    cutoff = min(1.0, up / down) * 0.97
    taps = 2 * math.ceil(_TAPS / 2 / min(1.0, up / down))
    distance = np.arange(taps)[None, :] - (taps // 2 - 1) - np.arange(up)[:, None] / up
    weights = np.sinc(distance * cutoff) * np.cos(np.pi * distance / (taps + 1)) ** 2
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def join(parts: Sequence[Sound], *, pause: float) -> Sound:
    """One sound of several, all brought to the first one's rate, with `pause` seconds of silence between them."""
    rate = parts[0].rate
    silence = np.zeros(round(pause * rate), np.int16)
    pieces: list[NDArray[np.int16]] = []
    for part in parts:
        pieces += [silence, part.at(rate).samples] if pieces else [part.samples]
    return Sound(np.concatenate(pieces), rate)


def decode(data: bytes) -> Sound:
    """The sound of a file, mixed down to mono.

    Raises:
        Failed: the bytes are no audio file that libsndfile reads.
    """
    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise Failed(
            f"The answer of {len(data)} bytes is no audio: it begins with {data[:12]!r}. Expected WAV, FLAC or Ogg.",
            hint="Look whether PARTITUR_SPEECH_NAME is a speech model that can answer in WAV.",
        ) from error
    mono = np.asarray(samples, np.float32).mean(axis=1)
    return Sound(np.clip(np.rint(mono * 32767), -32768, 32767).astype(np.int16), int(rate))


def encode(sound: Sound, kind: AudioFormat, *, title: str, comment: str) -> bytes:
    """`sound` as a file of that kind; the same sound and words give the same bytes."""
    container, subtype = {"wav": ("WAV", "PCM_16"), "opus": ("OGG", "OPUS"), "mp3": ("MP3", "MPEG_LAYER_III")}[kind]
    rate = (
        OPUS_RATE
        if kind == "opus"
        else sound.rate
        if sound.rate in (16_000, 22_050, 24_000, 44_100, 48_000)
        else OPUS_RATE
    )
    sound = sound.at(rate)
    if kind != "wav":
        sound = _softer(sound)
    target = io.BytesIO()
    with soundfile.SoundFile(
        target,
        "w",
        samplerate=rate,
        channels=1,
        format=container,
        subtype=subtype,
        compression_level=OPUS_COMPRESSION if kind == "opus" else None,
    ) as file:
        file.title, file.comment = title, comment
        file.write(sound.samples)
    data = target.getvalue()
    return _same_serial(data) if kind == "opus" else data


def _softer(sound: Sound) -> Sound:
    """The sound with room above its loudest sample."""
    peak = int(np.abs(sound.samples.astype(np.int32)).max(initial=0))
    most = _LOUDEST * 32767
    if peak <= most:
        return sound
    return Sound(np.rint(sound.samples * (most / peak)).astype(np.int16), sound.rate)


def _same_serial(ogg: bytes) -> bytes:
    """The Ogg stream with serial number 1: libsndfile draws one by chance, so that no two files are the same."""
    out = bytearray(ogg)
    at = 0
    while at + 27 <= len(out) and out.startswith(b"OggS", at):
        count = out[at + 26]
        size = 27 + count + sum(out[at + 27 : at + 27 + count])
        struct.pack_into("<I", out, at + 14, 1)
        struct.pack_into("<I", out, at + 22, 0)
        struct.pack_into("<I", out, at + 22, _crc(out[at : at + size]))
        at += size
    return bytes(out)


@cache
def _crc_table() -> tuple[int, ...]:
    table: list[int] = []
    for index in range(256):
        value = index << 24
        for _ in range(8):
            value = (value << 1 ^ 0x04C11DB7 if value & 0x80000000 else value << 1) & 0xFFFFFFFF
        table.append(value)
    return tuple(table)


def _crc(page: bytes | bytearray) -> int:
    """The checksum of an Ogg page: CRC-32 with the polynomial 04c11db7, not reflected, starting at 0."""
    table = _crc_table()
    value = 0
    for byte in page:
        value = (value << 8 & 0xFFFFFFFF) ^ table[value >> 24 ^ byte]
    return value
