"""The words of a page in German and English, and dates as people read them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from tools.language import Language
from tools.language.calendar import MONTHS

__all__ = ["LABELS", "spoken_date"]

LABELS: Final[Mapping[Language, Mapping[str, str]]] = {
    "de": {
        "skip": "Zum Inhalt springen",
        "contents": "In dieser Ausgabe",
        "audio": "Vorgelesene Fassung",
        "transcript": "Gesprochener Text zum Mitlesen",
        "source": "Quelle",
        "sources": "Quellen",
        "sources_note": "Jede Ziffer im Text führt zu der Stelle, an der der Satz steht.",
        "back": "Zurück zur Textstelle",
        "page": "Seite",
        "about": "Über diese Ausgabe",
        "about_result": "Über diese Antwort",
        "engine": "Textmaschine",
        "prompts": "Prompts",
        "dirty": "noch nicht eingecheckt",
        "trace": "Spur",
        "made": "Erstellt",
        "cost": "Kosten",
        "unknown": "unbekannt",
        "literal": "Der Text besteht aus wörtlichen Zitaten der genannten Quellen; nichts ist hinzuerfunden.",
        "generated": "Der Text wurde von einem Sprachmodell geschrieben. Bitte an den Quellen prüfen.",
        "partial": "Unvollständig",
        "no_source": "Dazu geben die Quellen nichts her",
        "needs_model": "Dafür braucht es ein Sprachmodell",
        "input": "Aus der Eingabe",
    },
    "en": {
        "skip": "Skip to content",
        "contents": "In this issue",
        "audio": "Version read aloud",
        "transcript": "The spoken text to read along",
        "source": "Source",
        "sources": "Sources",
        "sources_note": "Each number in the text leads to the place where the sentence stands.",
        "back": "Back to the text",
        "page": "Page",
        "about": "About this issue",
        "about_result": "About this answer",
        "engine": "Engine",
        "prompts": "Prompts",
        "dirty": "not committed yet",
        "trace": "Trace",
        "made": "Made on",
        "cost": "Cost",
        "unknown": "unknown",
        "literal": "The text consists of literal quotes from the sources named; nothing is invented.",
        "generated": "The text was written by a language model. Please check it against the sources.",
        "partial": "Incomplete",
        "no_source": "The sources do not answer this",
        "needs_model": "This needs a language model",
        "input": "From the input",
    },
}


def spoken_date(moment: datetime, language: Language) -> str:
    """For example '3. März 2027' or '3 March 2027'."""
    month = MONTHS[language][moment.month - 1]
    return f"{moment.day}{'.' if language == 'de' else ''} {month} {moment.year}"
