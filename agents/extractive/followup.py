"""Completes a question that leans on an earlier one: "Und am Sonntag?" is searched with what was asked before."""

import re
from collections.abc import Sequence

from tools.language import Language, detect, sentences, tokens
from tools.language.analysis import is_function_word

__all__ = ["completed", "leans"]

_LONGEST = 300
"""Characters of an earlier question that are taken over; a longer one now names its matter itself."""
_FEW = 2
"""Words of content; a question with more names its matter itself."""
_LINK = re.compile(
    r"\A\W*(?:und|oder|aber|auch|wie sieht es (?:aus )?mit|wie ist es mit|was ist mit|and|or|but|also|what about|how about)\b",
    re.IGNORECASE,
)
_PREPOSITION = re.compile(
    r"\A\W*(?:am|an|im|in|bei|beim|für|mit|ohne|ab|bis|nach|vor|um|on|in|at|for|with|without|by|before|after)\b",
    re.IGNORECASE,
)
# What stands for something named before. "das" and "that" only where no noun follows them, "Sie" never: it is an address.
_STANDS_IN: dict[Language, re.Pattern[str]] = {
    "de": re.compile(
        r"\b(?:er|ihn|ihm|dort|dafür|damit|dazu|davon|dabei|dagegen|danach|darüber|deren|dessen)\b"
        r"|\b(?:sie|dieser?|dieses|diesen)\b(?!\s+[A-ZÄÖÜ])"
        r"|\b(?:es|das|dies|die|der|den|dem)\b(?="
        r"\s*(?:[?.!]|\Z)|\s+(?:auch|denn|genau|noch|so|überhaupt|immer|für|am|im|in|mit|bei|online)\b)"
        r"|\bdas\b(?=(?:\s+[a-zäöü]+)?\s+[a-zäöü]+en\s*[?.!])"
    ),
    "en": re.compile(
        r"\b(?:it|he|she|him|her|they|them|there|those|these)\b"
        r"|\b(?:this|that|one)\b(?="
        r"\s*(?:[?.!]|\Z)|\s+(?:also|too|for|on|in|at|with|still|exactly|really|possible|online)\b)",
        re.IGNORECASE,
    ),
}
_NOTHING = re.compile(
    r"\bgibt\s+es\b|\bes\s+gibt\b|\b(?:sieht|handelt)\s+es\b|\bes\b(?=[^?]*\bzu\b)"
    r"|\b(?:is|are)\s+there\b|\bthere\s+(?:is|are)\b|\bit\b(?=[^?]*\bto\b)",
    re.IGNORECASE,
)
"""Where "es", "it" and "there" stand for nothing."""
# What asks, what happens to anything, and how much: none of it names a matter.
_ASKING: dict[Language, frozenset[str]] = {
    "de": frozenset(
        """wann wer wem wen wessen wo wohin woher wie was warum wieso weshalb welche welcher welches welchen welchem wofür
        womit worauf worüber wozu wodurch wovon viel viele lange teuer hoch groß alt weit oft genau sonst noch denn eigentlich
        kostet kosten gilt gelten dauert geht ist sind war hat haben gibt kann muss darf brauche braucht bekomme bekommt
        mehr bitte danke ok okay gut ja nein aber auch oder und""".split()
    ),
    "en": frozenset(
        """when who whom whose where how what why which much many long expensive high old far often exactly else
        cost costs apply applies take takes work is are was has have does do did can must may need get more please
        thanks ok okay good yes no but also or and about""".split()
    ),
}
_QUESTION_WORD: dict[Language, re.Pattern[str]] = {
    "de": re.compile(
        r"\b(?:wann|we[rmn]|wessen|wo|wohin|woher|wie|was|warum|wieso|weshalb|welche[mnrs]?|wo(?:r)?[a-zü]{2,4})\b"
    ),
    "en": re.compile(r"\b(?:when|who|whom|whose|where|how|what|why|which)\b"),
}
_NOUN = re.compile(r"(?<=[\w,;:)] )[„\"»(]?([A-ZÄÖÜ][\w-]+)")


def completed(query: str, earlier: Sequence[str], language: Language) -> str:
    """`query` with the matter of the nearest earlier question that names one; as it is where it names its own.

    Args:
        query: what is asked now.
        earlier: what the user wrote before, oldest first.
        language: of `query`.
    """
    if not earlier or len(query) > _LONGEST or not leans(query, language):
        return query
    for text in reversed(earlier):
        asked = _question(text)
        told = detect(asked)
        if asked and not leans(asked, told):
            if _QUESTION_WORD[language].search(_LINK.sub("", query).casefold()):
                return f"{_matter(asked, told)} {query}"  # it asks something else of the same matter
            return f"{asked} {query}"
    return query


def leans(query: str, language: Language) -> bool:
    """Whether `query` cannot be understood alone: it names no matter, or stands in for one named before."""
    text = " ".join(query.split())
    content = _content(text, language)
    asks = _QUESTION_WORD[language].search(_LINK.sub("", text).casefold()) is not None
    if not content:
        return "?" in text or asks or _LINK.match(text) is not None
    if len(content) <= _FEW and _LINK.match(text) and not asks:
        return True
    if len(content) <= _FEW and text.endswith("?") and _PREPOSITION.match(text) and not asks:
        return True
    return _stands_in(text, content, language)


def _stands_in(text: str, content: Sequence[str], language: Language) -> bool:
    """Whether a word of it stands for something that it does not name itself."""
    found = _STANDS_IN[language].search(_NOTHING.sub(" ", text))
    if found is None or len(content) > _FEW:
        return False
    return language == "en" or _NOUN.search(text[: found.start()]) is None


def _content(text: str, language: Language) -> list[str]:
    return [word for word in tokens(text) if not is_function_word(word, language) and word not in _ASKING[language]]


def _question(text: str) -> str:
    """The last question in a message, or how it begins."""
    language = detect(text)
    said = [text[span.start : span.end] for span in sentences(text[-4_000:] if len(text) > 4_000 else text, language)]
    questions = [one for one in said if one.rstrip("\"'»“”) ").endswith("?")]
    chosen = questions[-1] if questions else text.strip().partition("\n")[0]
    return chosen[:_LONGEST].strip()


def _matter(question: str, language: Language) -> str:
    """What a question is on, without what it asks of it: the nouns in German, every word of content in English."""
    nouns = _NOUN.findall(question) if language == "de" else []
    if nouns:
        return " ".join(nouns)
    content = set(_content(question, language))
    return " ".join(word for word in re.findall(r"[\w-]+", question) if content & set(tokens(word))) or question
