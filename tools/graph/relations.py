"""Reads off one German sentence how the things in it belong together; patterns speak of kinds, not of names."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tools.graph.laws import LAW
from tools.graph.mentions import Masked, Mention
from tools.graph.services import SERVICE

__all__ = ["DECISION", "Relation", "relations"]

DECISION = "Decision"

_IN = r"(?:\s(?:am|im|in\s(?:der|den|dem)|an\s(?:der|dem)|auf\s(?:der|dem))\s|,\s|\s\()"
_LOCATED = (
    re.compile(rf"‹Office(?P<what>\d+)›{_IN}‹(?:Place|Facility)(?P<where>\d+)›"),
    re.compile(rf"‹Facility(?P<what>\d+)›{_IN}‹Place(?P<where>\d+)›"),
)
_OPEN = re.compile(
    rf"(?:^|\b(?:[Dd]er|[Dd]ie|[Dd]as)\s)‹(?:Office|Facility)(?P<what>\d+)›(?:{_IN}‹(?:Place|Facility)\d+›\)?,?)?"
    r"\s(?:öffnet|öffnen|ist|sind|hat|haben)\s[^‹›]{0,40}‹OpeningHours(?P<when>\d+)›"
)
_CONTACT = re.compile(
    r"‹(?:Office|Facility)(?P<what>\d+)›(?:[^‹›]|‹(?:Place|Facility)\d+›){0,80}?(?:unter|Tel|E-Mail|Mail|ufnummer|\san\s|:)[^‹›]{0,40}"
    r"‹Contact(?P<first>\d+)›(?:[^‹›]{0,40}(?:oder|und|,|E-Mail)[^‹›]{0,30}‹Contact(?P<second>\d+)›)?"
)
_FILING = re.compile(
    r"\b(?:an|um|ab)(?:zu)?(?:gemeldet|melden|zeigen|gezeigt)\b|\b(?:meld|zeig)(?:et|en|t)\b.*\b(?:an|um|ab)\b|\bbeantragen\b|\bbeantragt\b|"
    r"\b(?:zu\s)?stellen\b|\bgestellt\b|\bein(?:zu)?reichen\b|\beingereicht\b",
    re.DOTALL,
)
_WITH = re.compile(r"\b(?:beim|bei\s(?:der|den|dem)|dem|im|in\sder)\s(?:zuständigen\s)?‹Office(?P<office>\d+)›")
_COMPETENT = re.compile(
    r"\b[Zz]uständig(?:e\sStelle)?\s(?:dafür\s|hierfür\s)?(?:ist|sind)\s(?:auch\s)?(?:der|die|das)\s‹Office(?P<office>\d+)›"
)
_TAKES = re.compile(
    r"\b(?:[A-ZÄÖÜ][a-zäöüß]*anträge|Anträge|Antrag|Anmeldungen|Anmeldung|Anzeigen)\b[^‹›.]{0,20}\s(?:nimmt|nehmen|bearbeitet|prüft)\s"
    r"(?:auch\s)?(?:der|die|das)\s‹Office(?P<office>\d+)›"
)
_ISSUES = re.compile(
    r"\b(?:[Dd]er|[Dd]ie|[Dd]as)\s‹Office(?P<office>\d+)›[^‹›]{0,20}\s(?P<verb>stellt|nimmt|bearbeitet|erteilt|vergibt)\b(?P<rest>.*)",
    re.DOTALL,
)
_APPLICATION = re.compile(r"\b(?:Antr[aä]ge?|Anmeldung(?:en)?|Plätze|Termine?)\b")
_BY = re.compile(
    r"\b(?:vom|von\s(?:der|den))\s‹Office(?P<office>\d+)›[^‹›]{0,40}\b(?:ausgestellt|bearbeitet|erteilt|entgegengenommen)\b"
)
_NAMES = r"(?:(?:der|dem|des|den|die|das|einer|eines)\s)?(?:neuen\s)?‹Law(?P<law>\d+)›"
_GROUND = re.compile(
    rf"\b(?:nach|[Nn]ach|gemäß|laut|aufgrund|auf\sGrund(?:lage)?|[Gg]rundlage\sist|sich\saus|folgt\saus|beruht\sauf|beruhen\sauf)\s{_NAMES}"
    rf"|\b(?:mit|in)\s(?:der|dem)\s‹Law(?P<fixed>\d+)›.*\b(?:festgelegt|geregelt|festgesetzt)\b",
    re.DOTALL,
)
_UNDER = re.compile(
    rf"\b(?:[Nn]ach|[Gg]emäß|[Aa]ufgrund|[Aa]uf\sGrund(?:lage)?)\s{_NAMES}(?:(?:,|\sund|,\sund)\s(?:(?:der|des|dem)\s)?‹Law\d+›)*"
)
_MARK = re.compile(r"‹Law(\d+)›")
_DECIDES = re.compile(r"beschl[iouü]|verabschiede", re.IGNORECASE)
_DECIDED = re.compile(
    r"(?:\b(?:[Dd]er|[Dd]ie)\s‹Body(?P<body>\d+)›[^‹›]*?(?:‹(?:Law|Office|Facility)\d+›[^‹›]*?)?\bam\s‹Date(?P<date>\d+)›"
    r"|\b[Aa]m\s‹Date(?P<day>\d+)›\s(?:hat|beschloss)\s(?:der|die)\s‹Body(?P<who>\d+)›).*\b(?:beschlossen|beschloss|verabschiedet|erlassen|festgelegt)\b",
    re.DOTALL,
)
_ITSELF = re.compile(
    r"\b(?:[Dd]ie|[Dd]iese)\s(?:Satzung|Verordnung|Ordnung)\stritt\s(?:am|zum)\s‹Date(?P<date>\d+)›\sin\sKraft"
)
_FORCE = (
    (re.compile(r"‹Law(?P<law>\d+)›\stritt\s(?:am|zum)\s‹Date(?P<date>\d+)›\sin\sKraft"), "IN_FORCE_FROM"),
    (
        re.compile(r"‹Law(?P<law>\d+)›[^‹›]*,\sdie\s(?:seit|ab)\sdem\s‹Date(?P<date>\d+)›[^‹›]*\bgilt\b"),
        "IN_FORCE_FROM",
    ),
    (re.compile(r"‹Law(?P<law>\d+)›\sgilt\s[^‹›]*\b(?:ab|seit)\sdem\s‹Date(?P<date>\d+)›"), "IN_FORCE_FROM"),
    (re.compile(r"\b[Aa]b\sdem\s‹Date(?P<date>\d+)›\sgilt\s[^‹›]*‹Law(?P<law>\d+)›"), "IN_FORCE_FROM"),
    (re.compile(r"‹Law(?P<law>\d+)›\stritt\s(?:am|mit\sAblauf\sdes)\s‹Date(?P<date>\d+)›\saußer\sKraft"), "ENDS_ON"),
)


@dataclass(frozen=True, slots=True)
class Relation:
    """One thing that a sentence says of two."""

    source: Mention
    type: str
    target: Mention


def relations(sentence: Masked, subject: Mention | None, noun: str, *, lead: bool, title: str) -> Iterator[Relation]:
    """What the sentence says.

    Args:
        sentence: with marks for its mentions.
        subject: the service or the statute that the passage is about.
        noun: what the service is about, for sentences further down: they must speak of it.
        lead: whether the passage stands above the first heading, and so speaks of the whole.
        title: of the document: what a decision is called that has no other name.
    """
    for pattern in _LOCATED:
        for found in pattern.finditer(sentence.text):
            yield Relation(sentence.get(found["what"]), "LOCATED_AT", sentence.get(found["where"]))
    if found := _OPEN.search(sentence.text):
        yield Relation(sentence.get(found["what"]), "OPEN", sentence.get(found["when"]))
    if found := _CONTACT.search(sentence.text):
        for mark in (found["first"], found["second"]):
            if mark:
                yield Relation(sentence.get(found["what"]), "REACHED_AT", sentence.get(mark))
    if subject and subject.label == SERVICE:
        near = lead or noun[: max(5, len(noun) - 2)].lower() in sentence.text.lower()
        for mark in _offices(sentence.text, noun, near):
            yield Relation(subject, "AT", sentence.get(mark))
        for law in _grounds(sentence):
            yield Relation(subject, "REGULATED_BY", law)
    yield from _decisions(sentence, subject, lead=lead, title=title)
    for pattern, type in _FORCE:
        if found := pattern.search(sentence.text):
            yield Relation(sentence.get(found["law"]), type, sentence.get(found["date"]))
    if subject and subject.label == LAW and (found := _ITSELF.search(sentence.text)):
        yield Relation(subject, "IN_FORCE_FROM", sentence.get(found["date"]))


def _offices(text: str, noun: str, near: bool) -> Iterator[str]:
    """Numbers of the marks of the offices where the service is to be had."""
    for found in _COMPETENT.finditer(text):
        yield found["office"]
    if not near:
        return
    if _FILING.search(text):
        yield from (found["office"] for found in _WITH.finditer(text))
    for pattern in (_TAKES, _BY):
        yield from (found["office"] for found in pattern.finditer(text))
    for found in _ISSUES.finditer(text):
        if _APPLICATION.search(found["rest"]) or noun[: max(5, len(noun) - 2)].lower() in found["rest"].lower():
            yield found["office"]


def _grounds(sentence: Masked) -> Iterator[Mention]:
    """The statutes the sentence rests on: cited with a section, or named as its ground."""
    named = {found["law"] or found["fixed"] for found in _GROUND.finditer(sentence.text)}
    for number, mention in enumerate(sentence.mentions):
        if mention.label == LAW and ("provision" in mention.properties or str(number) in named):
            yield mention


def _decisions(sentence: Masked, subject: Mention | None, *, lead: bool, title: str) -> Iterator[Relation]:
    found = _DECIDED.search(sentence.text)
    if found is None:
        return
    body, day = sentence.get(found["body"] or found["who"]), sentence.get(found["date"] or found["day"])
    named = {mark for at in _UNDER.finditer(sentence.text) for mark in _MARK.findall(at[0])}
    grounds = [one for number, one in enumerate(sentence.mentions) if str(number) in named]
    objects = [one for one in sentence.mentions if one.label == LAW and one not in grounds]
    if len({one.name for one in objects}) == 1:
        decided = objects[0]
    elif not objects and subject and subject.label == LAW:
        decided = subject
    elif not objects and lead and _DECIDES.search(title):
        decided = Mention(DECISION, title, sentence.start, sentence.end)
    else:
        return
    yield Relation(decided, "DECIDED_BY", body)
    yield Relation(decided, "DECIDED_ON", day)
    if decided.label == LAW:
        for ground in grounds:
            yield Relation(decided, "BASED_ON", ground)
