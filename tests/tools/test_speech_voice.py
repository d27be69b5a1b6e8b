import io
import os
import re
import subprocess
import sys
from contextlib import aclosing

import anyio
import numpy as np
import pytest
import soundfile
from inline_snapshot import snapshot

from tools.base import InvalidInput, TooLarge, Unavailable
from tools.speech import AudioFormat
from tools.speech.audio import Sound, encode, join
from tools.speech.espeak import Espeak
from tools.speech.normalise import speakable
from tools.speech.numbers import number_de
from tools.speech.respell import respell

pytestmark = pytest.mark.anyio

GERMAN = (
    "Das Bürgeramt der Stadt hat seit diesem Jahr neue Öffnungszeiten. Wer einen neuen Ausweis braucht, kann ohne "
    "Termin kommen und wartet im Durchschnitt weniger als zehn Minuten."
)
ENGLISH = (
    "The citizens' office has had new opening hours since this year. Anyone who needs a new identity card can come "
    "without an appointment and waits less than ten minutes on average."
)


def voice() -> Espeak:
    return Espeak(binary="espeak-ng")


async def said(text: str, *, name: str, rate: int = 160) -> Sound:
    parts = [part async for part in voice().speak([text], voice=name, rate=rate, max_seconds=60)]
    return join(parts, pause=0.5)


async def test_german_is_pronounced_right() -> None:
    lines = [
        "Am 12.03.2027 um 14:30 Uhr.",
        "Es kostet 3,50 €.",
        "Nach § 12 Abs. 3 BGB z. B. Müllgebühren.",
        "Größe, Straße, Häuser.",
    ]
    words = [part for line in lines for part in speakable(line, "de")]
    assert await voice().phonemes(words, voice="de") == snapshot(
        [
            "am tsvˈœlftən mˈɛɾts tsvˈaɪ tˈaʊzənt zˈiːbən ʊnt tsvˈantsɪç ʊm fˈɪɾtseːn ˈuːɾ dɾˈaɪsɪç",
            "ɛs kˈɔstət dɾˈaɪ ˈɔøroː fˈʏnftsɪç",
            "nɑːx pˌaraɡɾˈɑːf tsvˈœlf ˈapzˌats dɾˈaɪ bˌeːɡˌeːbˈeː tsʊm bˈaɪʃpiːl mˈʏlɡəbˈyːrən",
            """\
ɡɾˈøːsə
ʃtɾˈɑːsə
hˈɔøzɜ\
""",
        ]
    )


async def test_numbers_in_words_sound_like_espeaks_own() -> None:
    values = [*range(130), 345, 1989, 2027, 12_500, 99_999]
    words = await voice().phonemes([number_de(value) for value in values], voice="de")
    digits = await voice().phonemes([str(value) for value in values], voice="de")

    def bare(said: str) -> str:
        return re.sub("[ˈˌ ]", "", said)

    assert [bare(said) for said in words] == [bare(said) for said in digits]


@pytest.mark.parametrize(
    ("written", "respelt"),
    [
        ("Das Bürgeramt im Rathaus", "Das Bürger-amt im Rat-haus"),
        ("Straßenverkehrsamt", "Straßen-verkehrs-amt"),
        ("Kindertagesstätten und Abfallgebühren", "Kindertages-stätten und Abfall-gebühren"),
        ("insgesamt, allesamt, mitsamt, Kompass, Amt, Beamte, Haus", None),
        ("Der OB und der ÖPNV in der EU", "Der O B und der Ö P N V in der E U"),
        ("WIR SIND AM ZIEL", None),
        ("Die App und die E-Mail vom Jobcenter", "Die Epp und die Ih-Mail vom Dschopp-ßenter"),
    ],
)
def test_german_compounds_and_foreign_words_are_respelt_for_the_voice(written: str, respelt: str | None) -> None:
    assert respell(written, voice="de") == (respelt or written)
    assert respell(written, voice="en-gb") == written


async def test_english_is_pronounced_right() -> None:
    words = speakable("It costs €3.50 on 3 May 2027, see § 12.", "en")
    assert await voice().phonemes(words, voice="en-gb") == snapshot(
        [
            """\
ɪt kˈɒsts θɹˈiː jˈʊəɹəʊz fˈɪfti ɒnðə θˈɜːd ɒv mˈeɪ twˈɛnti twˈɛntisˈɛvən
sˈiː sˈɛkʃən twˈɛlv\
"""
        ]
    )


@pytest.mark.parametrize(("text", "name"), [(GERMAN, "de"), (ENGLISH, "en-gb")])
async def test_the_speaking_rate_is_what_was_asked_for(text: str, name: str) -> None:
    for rate in (120, 160, 200):
        sound = await said(text, name=name, rate=rate)
        assert 0.8 * rate <= len(text.split()) / sound.seconds * 60 <= 1.2 * rate


@pytest.mark.parametrize(("text", "name"), [(GERMAN, "de"), (ENGLISH, "en-gb")])
async def test_the_sound_is_speech_neither_silent_nor_clipped(text: str, name: str) -> None:
    sound = await said(text, name=name)
    samples = sound.samples.astype(np.float64)
    frames = samples[: len(samples) // 2205 * 2205].reshape(-1, 2205)
    loud = np.sqrt((frames**2).mean(axis=1)) > 300
    assert 0.55 < loud.mean() < 0.98
    assert np.abs(samples).max() < 32767
    assert 1500 < np.sqrt((samples**2).mean()) < 12000
    longest = max((len(run) for run in "".join("1" if part else "0" for part in loud).split("1")), default=0)
    assert longest * 0.1 < 1.0


async def test_the_same_text_is_the_same_sound() -> None:
    first, second = await said(GERMAN, name="de"), await said(GERMAN, name="de")
    assert np.array_equal(first.samples, second.samples)
    for kind in ("wav", "opus", "mp3"):
        one = encode(first, kind, title="Größe", comment="künstliche Stimme")
        assert one == encode(second, kind, title="Größe", comment="künstliche Stimme")


async def test_an_unknown_voice_is_named() -> None:
    for name in ("qq", "de; rm -rf", "../de"):
        with pytest.raises(InvalidInput, match="is unknown"):
            await said("Hallo", name=name)


async def test_a_text_that_takes_too_long_to_read_is_refused() -> None:
    with pytest.raises(TooLarge, match="more than 1 s"):
        _ = [part async for part in voice().speak([GERMAN] * 3, voice="de", rate=160, max_seconds=1)]


async def test_without_espeak_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.speech.espeak.find_spec", lambda name: None)
    with pytest.raises(Unavailable, match="Install one of them, or set PARTITUR_SPEECH_URL"):
        _ = [
            part
            async for part in Espeak(binary="no-such-program").speak(["Hallo"], voice="de", rate=160, max_seconds=9)
        ]


async def test_the_program_of_the_system_speaks_where_the_library_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setattr("tools.speech.espeak.find_spec", lambda name: None)
    fake = os.path.join(str(tmp_path), "espeak-ng")
    with open(fake, "w") as file:
        file.write(
            f"#!{sys.executable}\nimport struct, sys\nassert sys.argv[1:] == ['-v', 'de', '-s', '160', '--stdin', '--stdout']\n"
            "pcm = struct.pack('<4h', 1, 2, 3, len(sys.stdin.read()))\n"
            "head = struct.pack('<4sI4s4sIHHIIHH4sI', b'RIFF', 0x7ffff024, b'WAVE', b'fmt ', 16, 1, 1, 22050, 44100, 2, 16, b'data', 0x7ffff000)\n"
            "sys.stdout.buffer.write(head + pcm)\n"
        )
    os.chmod(fake, 0o755)
    parts = [part async for part in Espeak(binary=fake).speak(["Hallo"], voice="de", rate=160, max_seconds=9)]
    assert [(part.rate, part.samples.tolist()) for part in parts] == [(22050, [1, 2, 3, 5])]


async def test_a_cancelled_request_ends_its_process() -> None:
    started: list[int] = []
    stream = voice().speak([GERMAN] * 400, voice="de", rate=80, max_seconds=1e9)
    with anyio.CancelScope() as scope:
        async with aclosing(stream):
            async for _ in stream:
                listed = subprocess.run(
                    ["ps", "-o", "pid=", "--ppid", str(os.getpid())], capture_output=True, text=True, check=True
                )
                started = [int(pid) for pid in listed.stdout.split()]
                scope.cancel()
    assert started
    with anyio.fail_after(3):
        while any(_speaks(pid) for pid in started):
            await anyio.lowlevel.checkpoint()


def _speaks(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/cmdline") as file:
            return "_worker.py" in file.read()
    except (ProcessLookupError, FileNotFoundError):
        return False


async def test_the_library_is_never_loaded_into_our_process() -> None:
    await said("Hallo", name="de")
    with open("/proc/self/maps") as file:
        assert "espeak" not in file.read()


def test_resampling_keeps_a_tone() -> None:
    at = np.arange(22_050)
    tone = Sound(np.rint(20_000 * np.sin(2 * np.pi * 1000 * at / 22_050)).astype(np.int16), 22_050).at(24_000)
    wanted = 20_000 * np.sin(2 * np.pi * 1000 * np.arange(24_000) / 24_000)
    error = (tone.samples - wanted)[200:-200]
    assert len(tone.samples) == 24_000
    assert 20 * np.log10(np.sqrt((error**2).mean()) / 14_142) < -70


@pytest.mark.parametrize("kind", ["opus", "mp3"])
def test_what_a_lossy_file_gives_back_stays_below_full_scale(kind: AudioFormat) -> None:
    at = np.arange(48_000)
    loud = np.where(np.sin(2 * np.pi * 220 * at / 24_000) > 0, 32_767, -32_767) * np.sin(np.pi * at / 48_000)
    data = encode(Sound(loud.astype(np.int16), 24_000), kind, title="laut", comment="laut")
    samples, _ = soundfile.read(io.BytesIO(data), dtype="float32")
    assert 0.7 < float(np.abs(samples).max()) < 1.0
