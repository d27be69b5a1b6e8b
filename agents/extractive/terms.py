"""Words that schemas use and documents say otherwise: field names are often English where the documents are German."""

from tools.language import Language, grams, stems, tokens

__all__ = ["mentions"]

_ALIKE = """
fee fees price cost costs charge amount gebühr gebühren preis kosten kostet betrag entgelt euro eur beitrag
deadline due frist spätestens stichtag
date day datum tag termin
year jahr
month months monat monate
week weeks woche wochen
days tage
hours hour stunde stunden
minutes minute minuten
duration takes dauer dauert bearbeitungszeit
count number anzahl zahl
age alter jahre
phone telephone telefon telefonnummer
email mail
place location address ort anschrift adresse
open opening geöffnet öffnungszeiten
free kostenlos gebührenfrei unentgeltlich
percent percentage prozent anteil
population inhabitants einwohner einwohnerinnen
required necessary erforderlich notwendig nötig
start begin begins beginn beginnt
end ends ende endet
valid validity gültig gültigkeit gilt
permitted allowed erlaubt zulässig
forbidden prohibited verboten untersagt unzulässig
online internet
appointment termin terminvereinbarung
seats sitze plätze
members mitglieder
budget haushalt
approved accepted beschlossen genehmigt angenommen
rejected declined abgelehnt
monthly monatlich
yearly annual annually jährlich
weekly wöchentlich
daily täglich
adults erwachsene
children child kinder kind
"""
# What schemas say in either language, whatever the documents speak.
_ENGLISH = "the a an of in to for by on at with and or is are be from"
_GERMAN = "der die das des dem den ein eine für von zu im am und oder ist"
_SAY_NOTHING = frozenset((*_ENGLISH.split(), *_GERMAN.split()))
_GROUPS: dict[str, frozenset[str]] = {}
for _line in _ALIKE.strip().splitlines():
    for _word in _line.split():
        _GROUPS[_word] = _GROUPS.get(_word, frozenset()) | frozenset(_line.split())


def mentions(words: str, text: str, language: Language) -> float:
    """The part, 0 to 1, of the content words of `words` that `text` mentions, itself or in the other language's word."""
    wanted = [word for word in dict.fromkeys(tokens(words)) if word not in _SAY_NOTHING]
    if not wanted:
        return 0.0
    said = frozenset(stems(text, language))
    inside = [frozenset(grams(token)) for token in set(tokens(text)) if len(token) > 6]
    return sum(_mentioned(word, said, inside, language) for word in wanted) / len(wanted)


def _mentioned(word: str, said: frozenset[str], inside: list[frozenset[str]], language: Language) -> bool:
    alike = _GROUPS.get(word, frozenset((word,)))
    if not said.isdisjoint(stems(" ".join(alike), language)):
        return True
    # German writes "Jahresgebühr": a compound that ends with the word mentions it.
    return any(set(grams(other)[1:]) <= compound for other in alike if len(other) >= 5 for compound in inside)
