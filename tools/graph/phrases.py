"""How answers of the graph are put into a sentence, in German and English."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tools.language import Language

__all__ = ["LACKS", "PHRASES", "UNKNOWN", "Phrases", "joined"]


@dataclass(frozen=True, slots=True)
class Phrases:
    """The sentence where there is an answer, and where there is none; and questions that lead to it."""

    found: Mapping[Language, str]
    nothing: Mapping[Language, str]
    examples: tuple[str, str]


def _two(de: str, en: str) -> Mapping[Language, str]:
    return {"de": de, "en": en}


def _said(found: tuple[str, str], nothing: tuple[str, str], examples: tuple[str, str]) -> Phrases:
    return Phrases(_two(*found), _two(*nothing), examples)


PHRASES: Final[Mapping[str, Phrases]] = {
    "leads": _said(
        ("{asked} wird geleitet von {names}.", "{asked} is led by {names}."),
        ("Der Graph nennt niemanden, der {asked} leitet.", "The graph names nobody who leads {asked}."),
        ("Wer leitet das Bürgerbüro?", "Who leads the Bürgerbüro?"),
    ),
    "led": _said(
        ("{asked} leitet {names}.", "{asked} leads {names}."),
        ("Der Graph nennt nichts, was {asked} leitet.", "The graph names nothing that {asked} leads."),
        ("Was leitet Jonas Kettler?", "What does Jonas Kettler lead?"),
    ),
    "parts": _said(
        ("Zu {asked} gehören: {names}.", "Part of {asked}: {names}."),
        ("Der Graph nennt nichts, was zu {asked} gehört.", "The graph names nothing that belongs to {asked}."),
        ("Was gehört zur Stadtverwaltung?", "What belongs to the Stadtverwaltung?"),
    ),
    "whole": _said(
        ("{asked} gehört zu: {names}.", "{asked} belongs to: {names}."),
        ("Der Graph nennt nichts, wozu {asked} gehört.", "The graph names nothing that {asked} belongs to."),
        ("Wozu gehört das Standesamt?", "What does the Standesamt belong to?"),
    ),
    "staff": _said(
        ("In {asked} arbeiten: {names}.", "In {asked} work: {names}."),
        ("Der Graph nennt niemanden, der in {asked} arbeitet.", "The graph names nobody who works in {asked}."),
        ("Wer arbeitet im Tiefbauamt?", "Who works in the Tiefbauamt?"),
    ),
    "work": _said(
        ("{asked} arbeitet hier: {names}.", "{asked} works here: {names}."),
        ("Der Graph sagt nicht, wo {asked} arbeitet.", "The graph does not say where {asked} works."),
        ("Wo arbeitet Frieda Mohlau?", "Where does Frieda Mohlau work?"),
    ),
    "where": _said(
        ("{asked} ist hier: {names}.", "{asked} is here: {names}."),
        ("Der Graph sagt nicht, wo {asked} ist.", "The graph does not say where {asked} is."),
        ("Wo ist das Bauamt?", "Where is the Bauamt?"),
    ),
    "inside": _said(
        ("In {asked}: {names}.", "In {asked}: {names}."),
        ("Der Graph nennt nichts in {asked}.", "The graph names nothing in {asked}."),
        ("Was befindet sich in Lindenberg?", "What is in Lindenberg?"),
    ),
    "offers": _said(
        ("{asked} bietet an: {names}.", "{asked} offers: {names}."),
        ("Der Graph nennt nichts, was {asked} anbietet.", "The graph names nothing that {asked} offers."),
        ("Was bietet das Bürgerbüro an?", "What does the Bürgerbüro offer?"),
    ),
    "office": _said(
        ("Für {asked} zuständig: {names}.", "In charge of {asked}: {names}."),
        ("Der Graph nennt keine Stelle für {asked}.", "The graph names no office for {asked}."),
        ("Welches Amt ist für die Hundesteuer zuständig?", "Which office handles Hundesteuer?"),
    ),
    "law": _said(
        ("{asked} beruht auf: {names}.", "{asked} is based on: {names}."),
        ("Der Graph nennt keine Rechtsgrundlage für {asked}.", "The graph names no legal basis of {asked}."),
        ("Welches Gesetz regelt die Hundesteuer?", "Which law regulates Hundesteuer?"),
    ),
    "regulates": _said(
        ("{asked} regelt: {names}.", "{asked} regulates: {names}."),
        ("Der Graph nennt nichts, was {asked} regelt.", "The graph names nothing that {asked} regulates."),
        ("Was regelt das Bundesmeldegesetz?", "What does the Bundesmeldegesetz regulate?"),
    ),
    "costs": _said(
        ("Kosten von {asked}: {names}.", "What {asked} costs: {names}."),
        ("Der Graph sagt nicht, was {asked} kostet.", "The graph does not say what {asked} costs."),
        ("Was kostet Personalausweis beantragen?", "What does Personalausweis beantragen cost?"),
    ),
    "opening": _said(
        ("{asked} hat geöffnet: {names}.", "{asked} is open: {names}."),
        ("Der Graph sagt nicht, wann {asked} geöffnet hat.", "The graph does not say when {asked} is open."),
        ("Wann öffnet das Bürgerbüro?", "When is the Bürgerbüro open?"),
    ),
    "contact": _said(
        ("{asked} ist erreichbar: {names}.", "{asked} is reached at: {names}."),
        ("Der Graph sagt nicht, wie {asked} zu erreichen ist.", "The graph does not say how {asked} is reached."),
        ("Wie erreiche ich das Bürgerbüro?", "How do I reach the Bürgerbüro?"),
    ),
    "deadline": _said(
        ("Frist für {asked}: {names}.", "Deadline of {asked}: {names}."),
        ("Der Graph nennt keine Frist für {asked}.", "The graph names no deadline of {asked}."),
        ("Welche Frist gilt für Führerschein umtauschen?", "What is the deadline for Führerschein umtauschen?"),
    ),
    "decided": _said(
        ("{asked} wurde beschlossen: {names}.", "{asked} was decided: {names}."),
        ("Der Graph sagt nicht, wann {asked} beschlossen wurde.", "The graph does not say when {asked} was decided."),
        ("Wann wurde die Baumschutzsatzung beschlossen?", "When was the Baumschutzsatzung decided?"),
    ),
    "path": _said(
        ("{path}.", "{path}."),
        (
            "{first} und {second} sind über höchstens {depth} Schritte nicht verbunden.",
            "{first} and {second} are not connected within {depth} steps.",
        ),
        ("Wie hängen Bürgerbüro und Altstadt zusammen?", "How are Bürgerbüro and Altstadt connected?"),
    ),
    "between": _said(
        ("{edges}.", "{edges}."),
        ("{first} und {second} sind nicht direkt verbunden.", "{first} and {second} are not directly connected."),
        ("Seit wann leitet Jonas Kettler das Bürgerbüro?", "How long has Jonas Kettler led the Bürgerbüro?"),
    ),
    "common": _said(
        ("{first} und {second} haben gemeinsam: {names}.", "{first} and {second} have in common: {names}."),
        ("{first} und {second} haben nichts gemeinsam.", "{first} and {second} have nothing in common."),
        ("Was haben Bürgerbüro und Standesamt gemeinsam?", "What do Bürgerbüro and Standesamt have in common?"),
    ),
    "count": _said(
        ("Im Graphen stehen {count} × {label}.", "The graph has {count} × {label}."),
        ("Im Graphen steht kein {label}.", "The graph has no {label}."),
        ("Wie viele Ämter gibt es?", "How many offices are there?"),
    ),
    "list": _said(
        ("{count} × {label}: {names}.", "{count} × {label}: {names}."),
        ("Im Graphen steht kein {label}, auf das das zutrifft.", "The graph has no {label} of which that is true."),
        ("Welche Gesetze gibt es?", "Which laws are there?"),
    ),
    "beside": _said(
        ("{label} bei {asked}: {names}.", "{label} of {asked}: {names}."),
        ("Der Graph verbindet {asked} mit keinem {label}.", "The graph connects {asked} with no {label}."),
        ("Welche Ämter liegen in der Altstadt?", "Which offices are in Altstadt?"),
    ),
    "neighbours": _said(
        ("{asked} ist verbunden mit: {names}.", "{asked} is connected with: {names}."),
        ("{asked} ist mit nichts verbunden.", "{asked} is connected with nothing."),
        ("Womit ist das Bürgerbüro verbunden?", "What is the Bürgerbüro connected with?"),
    ),
    "changed": _said(
        ("Seit {since}: {edges}.", "Since {since}: {edges}."),
        ("Seit {since} ist im Graphen nichts neu.", "Nothing is new in the graph since {since}."),
        ("Was ist neu seit 2026?", "What changed since 2026?"),
    ),
    "central": _said(
        ("Am stärksten vernetzt: {ranked}.", "Most connected: {ranked}."),
        ("Im Graphen ist nichts verbunden.", "Nothing in the graph is connected."),
        ("Was ist am stärksten vernetzt?", "What is most connected?"),
    ),
    "about": _said(
        ("{facts}", "{facts}"),
        ("Der Graph weiß nichts von {asked}.", "The graph knows nothing of {asked}."),
        ("Was ist das Bürgerbüro?", "What is the Bürgerbüro?"),
    ),
}
"""By the name of the template."""

LACKS: Final[Mapping[str, Mapping[Language, str]]] = {
    "edges": _two("Verbindungen", "edges"),
    "leads": _two("Angaben, wer was leitet", "edges that say who leads what"),
    "belongs": _two("Angaben, was wozu gehört", "edges that say what belongs to what"),
    "works": _two("Angaben, wer wo arbeitet", "edges that say who works where"),
    "located": _two("Angaben, wo etwas ist", "edges that say where things are"),
    "offers": _two("Angaben, wer was anbietet", "edges that say who offers what"),
    "regulated": _two("Angaben zu Rechtsgrundlagen", "edges that say what is regulated by what"),
    "costs": _two("Angaben zu Kosten", "edges that say what things cost"),
    "open": _two("Öffnungszeiten", "opening hours"),
    "reached": _two("Kontakte", "contacts"),
    "due": _two("Fristen", "deadlines"),
    "decided": _two("Beschlüsse", "decisions"),
}
"""What a graph lacks that a template needs."""

UNKNOWN: Final = {
    "lacks": _two("Der Graph hat keine {what}.", "The graph has no {what}."),
    "not_understood": _two(
        "Die Frage passt auf keine Vorlage. 'graph.templates' nennt sie mit Beispielen.",
        "The question fits no template. 'graph.templates' lists them with examples.",
    ),
    "unnamed": _two("Der Graph kennt nichts mit dem Namen „{name}“.", "The graph knows nothing named “{name}”."),
    "meant": _two("Gemeint sein könnte: {names}.", "It may mean: {names}."),
    "abstained": _two("Der Graph kann das nicht beantworten: {why}", "The graph cannot answer that: {why}"),
    "counted": _two("Es sind {count}: {names}.", "There are {count}: {names}."),
    "rows": _two("Der Graph nennt {count} Zeilen: {names}.", "The graph has {count} rows: {names}."),
    "no_rows": _two("Der Graph nennt dazu nichts.", "The graph says nothing of it."),
}
"""Sentences of no template."""


def joined(names: Sequence[str], language: Language, most: int = 10) -> str:
    """`A, B und C`; what is over `most` is counted."""
    more = len(names) - most
    shown = [*names[:most], *([f"{more} {'weitere' if language == 'de' else 'more'}"] if more > 0 else [])]
    last = " und " if language == "de" else " and "
    return ", ".join(shown[:-1]) + last + shown[-1] if len(shown) > 1 else "".join(shown)
