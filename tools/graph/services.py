"""Reads off a heading which service it is about: `Personalausweis beantragen`, `Anmeldung der Eheschließung`."""

import re

from tools.graph.mentions import CAPITAL

__all__ = ["SERVICE", "service"]

SERVICE = "Service"

_VERB = (
    r"(?:neu\s)?(?:beantragen|anmelden|ummelden|abmelden|umtauschen|verlängern|stellen|anzeigen|vormerken|bestellen|ausleihen|"
    r"melden|ändern|reservieren|einreichen|erwerben|kaufen|buchen|erklären|bezahlen|ausstellen|erneuern|zulassen|kündigen|"
    r"(?:abholen|beglaubigen|eintragen|sperren|prüfen|ausstellen)\slassen)"
)
_NOUN = rf"(?:(?:[A-ZÄÖÜ]?[a-zäöüß]+(?:e|er|es|en)\s)?{CAPITAL}(?:-{CAPITAL})?(?:\s(?:[IVX]{{1,4}}|{CAPITAL}))?)"
_OBJECT = (
    rf"{_NOUN}(?:(?:,\s{_NOUN})*\s(?:und|oder)\s{_NOUN})?"
    rf"(?:\s(?:für|eines|einer|des|der|zum|zur)\s(?:(?:den|die|das|dem)\s)?{_NOUN})?"
)
_HOW = (
    r"(?:\s(?:digital|online|schriftlich|persönlich|elektronisch)|"
    r"\s(?:über|per|im|beim)\s(?:(?:den|die|das|dem|der)\s)?[A-ZÄÖÜ][A-Za-zäöüß-]+)*"
)
_DOING = re.compile(
    rf"(?P<object>{_OBJECT}){_HOW}\s(?P<verbs>{_VERB}(?:(?:,\s{_VERB})*\s(?:und|oder|bzw\.)\s{_VERB})?)\b"
)
_DEED = re.compile(
    r"(?:Anmeldung|Ummeldung|Abmeldung|Beantragung|Ausstellung|Verlängerung|Umtausch|Eintragung|Beglaubigung|Anzeige|Änderung)"
    rf"\s(?:der|des|eines|einer|von)\s(?P<object>{_NOUN})"
)
_ASKING = re.compile(r"(?:Wer|Was|Wie|Wo|Wann|Wenn|Warum|Wozu|Welche[rsmn]?|Wo|So|Vor|Nach|Bei|Ohne|Mit|Hier|Jetzt)\b")
_AFTER = re.compile(r"\s*(?:$|[–—:|(,.!]|-\s|und\s|in\s|ab\s|bis\s)")


def service(heading: str) -> tuple[str, str] | None:
    """Name of the service and the noun it is about, where the heading names one; else None.

    What goes before the verb (`digital`, `über das Portal`) and what follows it is no part of the name.
    """
    text = " ".join(re.sub(r"^(?:\d+(?:\.\d+)*\.?|[a-z]\))\s", "", heading).split())
    if _ASKING.match(text):
        return None
    if (found := _DOING.match(text)) and _AFTER.match(text, found.end()):
        return f"{found['object']} {found['verbs']}", re.split(r"[\s,]", found["object"])[0]
    if (found := _DEED.match(text)) and _AFTER.match(text, found.end()):
        return found[0], found["object"].split()[-1]
    return None
