"""Respells words that espeak-ng says wrong as they are written."""

import re

__all__ = ["respell"]

_TENS = "zwanzig|dreißig|vierzig|fünfzig|sechzig|siebzig|achtzig|neunzig"
_TEENS = "zehn|elf|zwölf|dreizehn|vierzehn|fünfzehn|sechzehn|siebzehn|achtzehn|neunzehn"
_ONES = "null|eins|ein|zwei|drei|vier|fünf|sechs|sieben|acht|neun|erst|dritt|siebt"
_PIECE = re.compile(rf"{_TEENS}|{_TENS}|{_ONES}|hundert|tausend|und", re.IGNORECASE)
# Possessive: "dreizehn" is also "drei" and "zehn", and a long row of them would be cut in every way there is.
_NUMBER = re.compile(rf"\b(?:{_PIECE.pattern})++(?P<tail>jährig\w*|(?:s?t)?e?[rnsm]?)\b", re.IGNORECASE)

# Last parts of compounds. Those with an unstressed prefix are read with a long stressed e ("Abfallgebühren"), the others
# run into the part before ("Rathaus" as Rata-us, "Wohngeld" as Wo-ngeld).
# Not meant: insgesamt, allesamt, mitsamt, Kompass, verpass.
_HEADS = r"""(?<!ges)(?<!alles)(?<!mits)amt(?:e?s)? ämtern? behörden? gerichte?[sn]? gebühr(?:en)? geld(?:e?s|ern?)?
haus(?:es)? urkunden? (?<!kom)(?<!ver)pass(?:es)? pässen? stätten? steuern? frei(?:e[mnrs]?)? bescheinigung(?:en)?
bescheide?[sn]? beamt(?:e[nr]?|in(?:nen)?) beratung(?:en)? berichte?[sn]? beiträgen? beitrags? beauftragte[nr]?
beteiligung(?:en)? bereiche?[sn]? betriebe?[sn]? besitzer[sn]? befreiung(?:en)? gesetze?[sn]? genehmigung(?:en)?
gebiete?[sn]? gebäuden? gemeinden? gemeinschaft(?:en)? gesellschaft(?:en)? geschäfte?[sn]? gespräche?[sn]?
verwaltung(?:en|s)? verkehrs? verband(?:e?s)? verbänden? vereins? vereinen? vertrags? verträgen? verordnung(?:en|s)?
versicherung(?:en|s)? verfahrens? versorgung(?:s)? erlaubnis erklärung(?:en)? entsorgung"""
_COMPOUND = re.compile(
    rf"\b(?P<first>\w{{3,40}}?)(?P<head>{'|'.join(_HEADS.split())})\b",
    re.IGNORECASE,
)
_VOWEL = re.compile("[aeiouyäöü]", re.IGNORECASE)

# Words of other languages, and abbreviations that are spoken as words, in letters that lead to their sounds.
_FOREIGN = {
    r"\bE-?Mail": "Ih-Mail",
    r"\bApp(?=s?\b)": "Epp",
    r"Recycling": "Rie-ßaikling",
    r"Container": "Kontehner",
    r"Jobcenter": "Dschopp-ßenter",
    r"Chatbot": "Tschettbott",
    r"\bChat(?=s?\b)": "Tschett",
    r"\bHome-?office": "Hohm-Offis",
    r"Flyer": "Flaier",
    r"Budget": "Büddscheh",
    r"Etage": "Etahsche",
    r"\bAStA\b": "Asta",
    r"\bDIN\b": "Diehn",
    r"\bBAföG\b": "Bah-föhk",
}
_WORD = re.compile("|".join(f"({written})" for written in _FOREIGN))
_SAID = list(_FOREIGN.values())
# Capitals that could be read as a word, but are letters; not within a line of capitals.
_LETTERS = re.compile(r"(?<![\w-])(?<![A-ZÄÖÜ] )(?:[A-ZÄÖÜ]{2}|(?=[A-ZÄÖÜ]*[ÄÖÜ])[A-ZÄÖÜ]{3,5})(?![\w]| [A-ZÄÖÜ]{2})")


def respell(text: str, *, voice: str) -> str:
    """`text` as espeak-ng needs it to say it right; changed for German voices only.

    A number in one word is misread ('vierundvierzig' with an English v, 'tausendsieben' with a stressed -end-), in
    several it is not; the i of 'vierzehn' and 'vierzig' is short. Long compounds are read right in their parts.
    """
    if not voice.startswith("de"):
        return text
    text = re.sub(r"\b([Vv])ier(?=zehn|zig)", "fir", _NUMBER.sub(_apart, text))
    text = _LETTERS.sub(lambda match: " ".join(match[0]), text)
    text = _WORD.sub(lambda match: _SAID[(match.lastindex or 1) - 1], text)
    # Twice: a last part may follow on another ("Straßen-verkehrs-amt").
    return _COMPOUND.sub(_parts, _COMPOUND.sub(_parts, text))


def _apart(match: re.Match[str]) -> str:
    tail = match["tail"]
    number = match[0][: len(match[0]) - len(tail)]
    return " ".join(_PIECE.findall(number)) + tail


def _parts(match: re.Match[str]) -> str:
    return f"{match['first']}-{match['head']}" if _VOWEL.search(match["first"]) else match[0]
