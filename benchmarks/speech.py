"""Measures speech by espeak-ng: pronunciation, speaking rate, silences, speed, and whether it says the same each time.

    python -m benchmarks.speech [--sample N] [--json FILE]

benchmarks/speech_gold.tsv holds German sentences as they are written in offices, each with the phonemes (IPA) that a
speaker of the standard language says; they were written for this project. Compared are the sounds without stress,
blanks and pauses. Nothing listens: no speech recognition that runs offline is good enough to judge.
"""

import argparse
import json
import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import anyio
import numpy as np
import soundfile
from numpy.typing import NDArray

from benchmarks.judged import Estimate, estimate, sampled
from tools.base import ArtifactStore, Caller, acting_as
from tools.speech import Speech, SpeechConfig, say
from tools.speech.espeak import Espeak
from tools.speech.normalise import speakable
from tools.speech.server import build

__all__ = ["Figure", "distance", "gold", "main", "measure", "silences", "sounds", "wrong"]

GOLD = Path(__file__).with_name("speech_gold.tsv")
CALLER = Caller(subject="benchmark")
TEXTS = (
    "Das Bürgeramt hat neue Öffnungszeiten. Wer einen Ausweis braucht, kann ab sofort auch am Samstag kommen und wartet "
    "im Durchschnitt weniger als zehn Minuten. Termine gibt es im Netz und am Telefon.",
    "Der Stadtrat hat den Haushalt beschlossen. Die Hundesteuer bleibt, wie sie ist; die Gebühr für Bewohnerparken "
    "steigt im kommenden Jahr. Dagegen stimmten zwei Fraktionen.",
    "Am Freitag öffnet das Freibad. Kinder zahlen keinen Eintritt, wenn sie eine Ferienkarte haben. Bei Gewitter wird "
    "das Becken geräumt, und das Geld gibt es nicht zurück.",
    "Die Brücke am Markt wird erneuert. Bis zum Herbst fahren die Busse eine Umleitung über den Bahnhof, und zu Fuß "
    "kommt man auf einem Steg hinüber. Die Arbeiten kosten rund zwei Millionen Euro.",
    "Wer umzieht, meldet sich innerhalb von zwei Wochen an. Mitzubringen sind der Ausweis und eine Bestätigung des "
    "Vermieters. Wer das versäumt, muss mit einem Bußgeld rechnen.",
    "The town library is open again. Children and students borrow books free of charge, and everyone else pays a small "
    "fee each year. Bring your identity card when you come for the first time.",
)
PARAGRAPHS = "\n\n".join(TEXTS[:3])
_QUIET = 0.01
"""Of full scale; what stays below is silence."""
_FRAME = 0.01  # s
_SAME = (("əɾ", "ɜ"), ("ər", "ɜ"), ("r", "ɾ"))
"""Spellings of one sound: the vocalised r, and the r before and after a vowel."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure with what it is to reach."""

    name: str
    measured: Estimate
    least: float | None = None
    most: float | None = None


def gold() -> list[tuple[str, str]]:
    """Each sentence as it is written, with its phonemes."""
    rows = [line.split("\t") for line in GOLD.read_text(encoding="utf-8").splitlines()]
    return [(written, phonemes) for written, phonemes in rows]


def sounds(phonemes: str) -> str:
    """The sounds alone: without stress, blanks, and marks of another language."""
    found = re.sub(r"\([a-z-]+\)|[ˈˌ\s]", "", phonemes)
    for one, other in _SAME:
        found = found.replace(one, other)
    return found


def distance(said: str, wanted: str) -> int:
    """How many sounds are put in, left out or other (Levenshtein)."""
    row = list(range(len(wanted) + 1))
    for at, one in enumerate(said, 1):
        before, row[0] = row[0], at
        for to, other in enumerate(wanted, 1):
            before, row[to] = row[to], min(row[to] + 1, row[to - 1] + 1, before + (one != other))
    return row[-1]


def silences(samples: NDArray[np.float64], rate: int) -> tuple[float, float, float]:
    """Seconds of silence before the first and after the last sound, and of the longest pause between."""
    size = round(rate * _FRAME)
    frames = np.abs(samples[: len(samples) // size * size]).reshape(-1, size).max(axis=1)
    loud = np.flatnonzero(frames >= _QUIET)
    if not len(loud):
        return len(frames) * _FRAME, 0.0, 0.0
    pause = int(np.diff(loud).max(initial=1)) - 1
    return float(loud[0] * _FRAME), float((len(frames) - 1 - loud[-1]) * _FRAME), pause * _FRAME


async def _spoken(text: str, folder: Path) -> tuple[Speech, NDArray[np.float64], int, float]:
    """A text through the tool: what it says of it, the samples, their rate, and the seconds it took."""
    store = ArtifactStore(folder)
    begin = time.perf_counter()
    with acting_as(CALLER):
        found = await build(SpeechConfig(), artifacts=store, local=CALLER).call_tool(say.tool, {"text": text})
    seconds = time.perf_counter() - begin
    speech = Speech.model_validate(found.structured_content)
    samples, rate = soundfile.read(store.path(speech.audio[0].id, caller=CALLER), dtype="float64")
    return speech, np.asarray(samples, np.float64), int(rate), seconds


async def _alone() -> float:
    """Seconds of work for a second of sound, without files: the least of three times, for other work only adds to it."""
    words = [part for text in TEXTS for part in speakable(text, "de")] * 4
    factors: list[float] = []
    for _ in range(3):
        begin = time.perf_counter()
        voice = Espeak(binary="espeak-ng").speak(words, voice="de", rate=160, max_seconds=3600)
        length = sum([sound.seconds async for sound in voice])
        factors.append((time.perf_counter() - begin) / length)
    return round(min(factors), 4)


async def measure(sample: int | None = None) -> list[Figure]:
    """All figures."""
    wanted = sampled(gold(), sample, lambda row: row[0])
    words = [" ".join(speakable(written, "de")) for written, _ in wanted]
    said = await Espeak(binary="espeak-ng").phonemes(words, voice="de")
    pairs = [(sounds(ours), sounds(right)) for ours, (_, right) in zip(said, wanted, strict=True)]
    rates, factors, quiet = list[float](), list[float](), list[tuple[float, float, float]]()
    with tempfile.TemporaryDirectory() as scratch:
        await _spoken(TEXTS[0], Path(scratch))  # what is loaded once is no part of the speed
        for text in TEXTS:
            speech, samples, rate, seconds = await _spoken(text, Path(scratch))
            rates.append(len(speech.spoken.split()) / speech.seconds * 60)
            factors.append(seconds / speech.seconds)
            quiet.append(silences(samples, rate))
        first = (await _spoken(PARAGRAPHS, Path(scratch) / "first"))[0]
        again = (await _spoken(PARAGRAPHS, Path(scratch) / "again"))[0]
    alone = await _alone()
    same = [float(one.id == other.id) for one, other in zip(first.audio, again.audio, strict=True)]
    lead, tail, pause = zip(*quiet, strict=True)
    return [
        Figure("sentences said right", estimate([ours == right for ours, right in pairs]), least=0.95),
        Figure(
            "wrong sounds of all", estimate([distance(ours, right) / len(right) for ours, right in pairs]), most=0.02
        ),
        Figure("words a minute", estimate(rates), least=120, most=200),
        Figure("silence before the first word, s", estimate(lead), most=0.3),
        Figure("silence after the last word, s", estimate(tail), most=0.6),
        Figure("longest pause, s", estimate(pause), most=1.0),
        Figure("real-time factor of the voice", Estimate(alone, alone, alone), most=0.05),
        Figure("real-time factor with its files, short texts", estimate(factors)),
        Figure("the same bytes in fresh processes", estimate(same), least=1.0),
    ]


async def wrong() -> list[tuple[str, str, str]]:
    """The sentences that are not said right: as written, as said, as they should be."""
    rows = gold()
    said = await Espeak(binary="espeak-ng").phonemes([" ".join(speakable(row[0], "de")) for row in rows], voice="de")
    return [
        (written, " ".join(ours.split()), right)
        for ours, (written, right) in zip(said, rows, strict=True)
        if sounds(ours) != sounds(right)
    ]


def main(given: Sequence[str] | None = None) -> None:
    """Prints the figures and what is said wrong, and writes the figures where --json says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, help="only so many sentences, chosen by a hash of their words")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args(given)
    figures = anyio.run(measure, arguments.sample)
    for one in figures:
        print(f"{one.name:36} {one.measured.mean:8.4f} [{one.measured.low:.4f}, {one.measured.high:.4f}]")
    for written, ours, right in anyio.run(wrong):
        print(f"\n{written}\n  said   {ours}\n  right  {right}")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(one) for one in figures], indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
