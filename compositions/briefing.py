"""Summarises a text and reads the summary aloud.

Deutsch: Fasst einen Text zusammen und liest die Zusammenfassung vor.
"""

from agents.summary import Summary, summary
from compositions.speech import speech
from tools.speech import Spoken

__all__ = ["briefing"]


def _to_speech(made: Summary) -> Spoken:
    return Spoken(text=made.text)


briefing = summary.map(_to_speech) >> speech
