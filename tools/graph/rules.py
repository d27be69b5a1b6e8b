"""Takes out of German administrative text, without a model, what is regular in it: nodes and edges with their passage."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tools.base.citation import Citation, Passage
from tools.graph.dates import DATE, DEADLINE, dates, deadlines
from tools.graph.fees import FEE, Fee, amounts, rows, said
from tools.graph.laws import LAW, abbreviations, laws, statute
from tools.graph.mentions import Mention, apart, key, masked
from tools.graph.offices import BODY, OFFICE, PERSON, leaders, offices
from tools.graph.places import FACILITY, HOURS, PLACE, contacts, facilities, hours, places
from tools.graph.relations import DECISION, Relation, relations
from tools.graph.services import SERVICE, service
from tools.graph.sources import Edge, Node, Origin, Source
from tools.language import Language, sentences

__all__ = ["Paper", "findings", "identity", "placed"]

_ALONE = frozenset({LAW, OFFICE, BODY, FACILITY, PLACE})
"""What is worth a node where nothing is said of it; the rest is there for its edges."""
_LOCAL = frozenset({OFFICE, BODY, FACILITY, PLACE, SERVICE})


OF_DOCUMENT = frozenset({FEE, DEADLINE, HOURS, DECISION})
_BARE = re.compile(r"(?:bis|ab|über|unter|von)\s|\d")


@dataclass(frozen=True, slots=True)
class Paper:
    """A document as it is read: all its passages, in their order."""

    source: Source
    language: Language
    passages: Sequence[Passage]


def findings(paper: Paper, *, town: str | None = None) -> Iterator[Node | Edge]:
    """What the rules find in one document, each thing once, where it stands first.

    `town` is the one whose documents these are: a name with it is the same as one without, and its offices are other
    ones than those of another town. Without it, `Bürgerbüro` and `Bürgerbüro Neustadt` stay two.
    """
    return _Reading(paper, town).findings()


class _Reading:
    def __init__(self, paper: Paper, town: str | None) -> None:
        self._paper = paper
        self._town = town
        self._short = abbreviations(passage.text for passage in paper.passages)
        self._seen: set[tuple[str, ...]] = set()
        title = paper.passages[0].title if paper.passages else ""
        named = service(title) if paper.language == "de" else None
        law = statute(title)
        self._law_of_title = self._law(law) if law else None
        self._object = named[1] if named else ""
        self._subject = Mention(SERVICE, named[0], 0, 0) if named else None
        if self._law_of_title and not self._subject:
            self._subject = Mention(LAW, self._law_of_title, 0, 0)

    def findings(self) -> Iterator[Node | Edge]:
        known = [self._mentions(passage) for passage in self._paper.passages]
        same = _same([one for mentions in known for one in mentions], self._law_of_title)
        if self._subject and self._paper.passages:
            first = self._paper.passages[0]
            yield from self._node(self._subject, first.cite_title() or first.cite(0, len(first.text)))
        for passage, mentions in zip(self._paper.passages, known, strict=True):
            yield from self._passage(passage, [_renamed(one, same) for one in mentions])

    def _mentions(self, passage: Passage) -> list[Mention]:
        text, town = passage.text, self._town
        found = [*laws(text, self._short), *places(text), *contacts(text)]
        found = [self._local_law(one) for one in found]
        if self._paper.language == "de":
            found += [*offices(text, town), *facilities(text, town), *hours(text), *dates(text), *amounts(text)]
        return apart(found)

    def _passage(self, passage: Passage, mentions: Sequence[Mention]) -> Iterator[Node | Edge]:
        for one in mentions:
            if one.label in _ALONE:
                yield from self._node(one, passage.cite(one.start, one.end))
        subject, noun = self._subject, self._object
        if self._paper.language == "de":
            for heading in reversed((passage.heading or "").split(" › ")):
                if named := service(heading):
                    subject, noun = Mention(SERVICE, named[0], 0, 0), named[1]
                    yield from self._node(subject, passage.cite_heading() or passage.cite(0, len(passage.text)))
                    break
            for fee in rows(passage.text, f"{passage.title} {passage.heading or ''}"):
                yield from self._fee(_told(fee, passage), subject, passage)
        for span in sentences(passage.text, self._paper.language):
            yield from self._sentence(passage, span.start, span.end, mentions, subject, noun)

    def _sentence(
        self,
        passage: Passage,
        start: int,
        end: int,
        mentions: Sequence[Mention],
        subject: Mention | None,
        noun: str,
    ) -> Iterator[Node | Edge]:
        sentence = masked(passage.text, start, end, mentions)
        place = passage.cite(start, end)
        german = self._paper.language == "de"
        if german and not passage.text.startswith("|", passage.text.rfind("\n", 0, start) + 1):
            for fee in said(sentence.text, sentence.mentions, start, end):
                if subject or float(fee.amount):
                    yield from self._fee(fee, subject if _kin(fee, subject) else None, passage)
            if subject:
                for deadline in apart(deadlines(passage.text, start, end)):
                    yield from self._edge(subject, "HAS_DEADLINE", deadline, place)
            for name, led, _ in leaders(sentence.text):
                yield from self._edge(Mention(PERSON, name, start, end), "LEADS", sentence.get(led), place)
        for relation in relations(sentence, subject, noun, lead=not passage.heading, title=passage.title):
            yield from self._relation(relation, place)

    def _relation(self, relation: Relation, place: Citation) -> Iterator[Node | Edge]:
        target = relation.target
        provision = target.properties.get("provision", "") if target.label == LAW else ""
        properties = {"provision": provision} if provision else {}
        yield from self._edge(relation.source, relation.type, target, place, properties)

    def _fee(self, fee: Fee, subject: Mention | None, passage: Passage) -> Iterator[Node | Edge]:
        facts = {"amount": fee.amount, "currency": "EUR", "what": fee.what, "per": fee.per}
        facts |= {"valid_from": fee.valid_from, "valid_to": fee.valid_to}
        node = Mention(FEE, fee.name, fee.start, fee.end, {name: value for name, value in facts.items() if value})
        place = passage.cite(fee.start, fee.end)
        if subject is None:
            yield from self._node(node, place)
        else:
            yield from self._edge(subject, "COSTS" if subject.label == SERVICE else "SETS", node, place)

    def _edge(
        self,
        source: Mention,
        type: str,
        target: Mention,
        place: Citation,
        properties: Mapping[str, str] | None = None,
    ) -> Iterator[Node | Edge]:
        yield from self._node(source, place)
        yield from self._node(target, place)
        ends = self._id(source), self._id(target)
        said = (ends[0], type, ends[1], *(properties or {}).values())
        if said not in self._seen and ends[0] != ends[1]:
            self._seen.add(said)
            origin = placed(self._paper.source, place)
            since = target.name if target.label == DATE else ""
            yield Edge(ends[0], type, ends[1], since, properties or {}, origin)

    def _node(self, mention: Mention, place: Citation) -> Iterator[Node]:
        id = self._id(mention)
        if (id,) in self._seen:
            return
        self._seen.add((id,))
        properties = {name: value for name, value in mention.properties.items() if name != "provision"}
        if self._town and _is_local(mention.label, mention.name):
            properties["town"] = self._town
        origin = placed(self._paper.source, place)
        yield Node(id, mention.label, mention.name, "", properties, origin)

    def _id(self, mention: Mention) -> str:
        return identity(mention.label, mention.name, self._paper.source.document, self._town)

    def _law(self, name: str) -> str:
        return name.removesuffix(f" der Stadt {self._town}") if self._town else name

    def _local_law(self, mention: Mention) -> Mention:
        return _renamed(mention, {(LAW, mention.name): self._law(mention.name)}) if mention.label == LAW else mention


def _told(fee: Fee, passage: Passage) -> Fee:
    """A fee whose row says no more than a number or a limit is told by the heading above its table."""
    heading = (passage.heading or "").rpartition(" › ")[2]
    return replace(fee, what=f"{heading}, {fee.what}") if heading and _BARE.match(fee.what) else fee


def _kin(fee: Fee, subject: Mention | None) -> bool:
    """Whether a sentence's fee is the subject's: they share the beginning of a word."""
    if subject is None or subject.label == LAW or fee.what == "Gebühr":
        return True
    words = {word[:5] for word in key(subject.name).split("-") if len(word) > 4}
    return any(word[:5] in words for word in key(fee.what).split("-"))


def identity(label: str, name: str, document: str | None, town: str | None) -> str:
    """The id of a thing: the same for the same name, anywhere; what a name alone does not tell apart is of its document."""
    spelt = key(name).replace("-", "") if label == OFFICE else key(name)
    if label in OF_DOCUMENT:
        return ":".join((label.lower(), document or "", spelt))
    if town and _is_local(label, name):
        return ":".join((label.lower(), key(town), spelt))
    return f"{label.lower()}:{spelt}"


def placed(source: Source, place: Citation) -> Origin:
    """The place as an origin of the graph."""
    return source.origin(heading=place.heading, page=place.page, start=place.start, end=place.end, quote=place.quote)


def _is_local(label: str, name: str) -> bool:
    if label == LAW:
        return name.split()[0].lower().endswith(("satzung", "gebührenordnung"))
    return label in _LOCAL


def _same(mentions: Sequence[Mention], law_of_title: str | None) -> dict[tuple[str, str], str]:
    """Shorter names of the document that can only mean one longer one of it.

    A title defines what its statute is called in the text; else a longer name must be the only one, and longer by no
    more than the town.
    """
    same: dict[tuple[str, str], str] = {}
    names = {(one.label, one.name) for one in mentions if one.label in (LAW, OFFICE)}
    for label, name in names:
        if label == LAW and law_of_title and law_of_title.startswith(f"{name} "):
            same[label, name] = law_of_title
            continue
        longer = [other for of, other in names if of == label and other.startswith(f"{name} ")]
        if len(longer) == 1 and longer[0].removeprefix(name).startswith(
            (" der Stadt ", " der Gemeinde ", " des Landk")
        ):
            same[label, name] = longer[0]
    return same


def _renamed(mention: Mention, same: Mapping[tuple[str, str], str]) -> Mention:
    name = same.get((mention.label, mention.name))
    return Mention(mention.label, name, mention.start, mention.end, mention.properties) if name else mention
