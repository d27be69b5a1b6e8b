"""Hands out quotes and remembers which: no sentence twice, and a citation for each in the order of use."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from agents.extractive import answer, summary
from agents.extractive.parameters import Parameters
from agents.extractive.pool import Sentence
from agents.extractive.properties import speaking_of
from agents.extractive.question import asks_for, holds, is_question
from agents.extractive.rivals import with_rivals
from agents.extractive.support import coverage
from agents.extractive.terms import mentions
from agents.extractive.topic import Topic
from tools.base import Citation
from tools.language import Language, detect, tokens

__all__ = ["SHORT", "Mark", "Quoter"]

Vector = NDArray[np.float64]
Mark = tuple[int, frozenset[int], frozenset[tuple[int, int, int]], frozenset[tuple[str, int]]]
"""How far the quoting has come: citations made, sentences used, values used, headings used."""

SHORT = 120
"""A text that may hold no more code points than this gets one short quote, such as a heading."""
_ENOUGH = {"question": 0.72, "topic": 0.5, "summary": 0.0}
"""A further sentence joins a text only where it is worth this part of the best one."""
_TO_THE_POINT = 0.8
"""A further sentence of an answer covers this part of what the first one covers of the question."""
_AS_GOOD = 0.85
"""A second sum is worth this part of the first, or is that of something else."""
_LIMITED = 2000
"""A text that may hold no more code points than this is one paragraph, with a sentence for each `_ROOM` of them."""
_ROOM = 200
_OPENS = 0.7
_OPENING = 250
"""Code points after which a place in a document is worth half as much to a lead."""
_SAME = 0.65
"""Likeness above which two sentences say the same."""
_ON_TOPIC, _NEARLY, _FEW = 0.42, 0.23, 3
"""A document joins a list where it fits this well beside the best one; the first few where they nearly do."""
_COVERS, _SIDE = 0.7, 0.3
"""A side of a topic is covered by a document that is about it this much beside the best one, which must be this much."""
_ROWS = 8
"""A table with no more rows is quoted whole where all of them answer alike."""
_PART = 2  # sentences that a part of a document has at least, to be a section by itself
_CUT = re.compile(r"\s[–—-]\s|[:;,]\s")


class Quoter:
    """The sentences of one task with their worth, and what was quoted of them so far."""

    def __init__(
        self, sentences: Sequence[Sentence], *, query: str, language: Language, parameters: Parameters
    ) -> None:
        self.sentences = sentences
        self.language: Language = language
        self.parameters = parameters
        self.citations: list[Citation] = []
        self.everything = list(range(len(sentences)))
        self._query = query
        self._mode = "summary" if not query else "question" if is_question(query, language) else "topic"
        # A question for no certain thing ("Was ändert sich …?") is met like a topic: what is on the matter answers it.
        self._open = self._mode == "topic" or (self._mode == "question" and asks_for(query, language) is None)
        self._used: set[int] = set()
        self._values: set[tuple[int, int, int]] = set()
        self._headings: set[tuple[str, int]] = set()
        self._parts: list[list[int]] = []

    def mark(self) -> Mark:
        return len(self.citations), frozenset(self._used), frozenset(self._values), frozenset(self._headings)

    def back_to(self, mark: Mark) -> None:
        """Forgets what was quoted since."""
        del self.citations[mark[0] :]
        self._used, self._values, self._headings = set(mark[1]), set(mark[2]), set(mark[3])

    def taken(self, scope: Sequence[int], *, since: Mark) -> list[int]:
        """The sentences of `scope` that were quoted since."""
        return [index for index in scope if index in self._used and index not in since[1]]

    def headed(self, scope: Sequence[int]) -> bool:
        """Whether a title or a heading over these sentences is still to be quoted."""
        return self._above(scope, SHORT) is not None

    def text(self, scope: Sequence[int], *, longest: int, about: str = "") -> str:
        """Quotes joined to a text of at most `longest` code points; empty where nothing fits."""
        limited = longest < _LIMITED
        if limited and self._reads_on and self._query and len(scope) == len(self.sentences):
            # Title and lead of an article are those of the document that fits best.
            scope = self._foremost
        if longest <= SHORT:
            return self._short(scope, longest)
        chosen = self._choose(
            scope, longest, about, count=min(max(1, longest // _ROOM), self.parameters.sentences) if limited else 0
        )
        if self._reads_on:
            # The documents in the order of their best sentence, and each in its own order.
            first = {self.sentences[index].passage.document: at for at, index in reversed(list(enumerate(chosen)))}
            chosen.sort(key=lambda index: (first[self.sentences[index].passage.document], self._place(index)))
        elif chosen and self.sentences[chosen[0]].form == "row":
            chosen = self._table(chosen, longest)
        elif chosen and self._mode == "question" and not limited:
            chosen = self._contradicted(chosen)
        made = ""
        for at, index in enumerate(chosen):
            between = " " if limited else self._between(chosen[at - 1], index)
            before = between if at else self._over_row(index, longest - sum(map(self._size, chosen)))
            made += before + self._take(index)
        return made

    def _contradicted(self, chosen: list[int]) -> list[int]:
        """What is chosen, with what contradicts the first of it: both are quoted, the newer first."""
        free = [index for index in self.everything if index not in self._used]
        found = with_rivals(chosen[0], self.sentences, free, self.worth, self._like, self._query, self.language)
        return list(dict.fromkeys([*found, *chosen]))[: max(self.parameters.sentences, min(len(found), 2))]

    def _table(self, chosen: list[int], longest: int) -> list[int]:
        """The rows that answer a question as well as the first one chosen, in the order of their table."""
        first = self.sentences[chosen[0]]
        held = round(coverage(self._query, first.text, self.language), 2)
        rows = [
            index
            for index in self.everything
            if self.sentences[index].source == first.source
            and self.sentences[index].form == "row"
            and self.sentences[index].context == first.context
            and round(coverage(self._query, self.sentences[index].text, self.language), 2) >= held
        ]
        small = len(rows) <= _ROWS and sum(map(self._size, rows)) <= longest and self.parameters.sentences > 1
        return rows if small else sorted(chosen, key=self._place)

    def _over_row(self, index: int, room: int) -> str:
        """The heading over a table whose rows answer a question: a row by itself does not say what it is on."""
        heading = self.sentences[index].passage.cite_heading() or self.sentences[index].passage.cite_title()
        if self.sentences[index].form != "row" or heading is None or len(heading.quote) + 1 > room:
            return ""
        self.citations.append(heading)
        return f"{heading.quote}\n"

    def _size(self, index: int) -> int:
        return len(self.sentences[index].text) + 2

    def single(self, scope: Sequence[int], wanted: int, *, longest: int) -> Iterator[Sequence[int]]:
        """Scopes for `wanted` items of one quote each, the best first."""
        if longest <= SHORT:
            yield from [scope] * wanted
            return
        for index in self._choose(scope, longest * wanted, "", count=wanted, each=longest):
            yield [index]

    def groups(self, scope: Sequence[int]) -> list[list[int]]:
        """The sentences by document, the most relevant document first; by heading where there is one document only."""
        by_document: dict[str, list[int]] = {}
        for index in scope:
            by_document.setdefault(self.sentences[index].passage.document, []).append(index)
        groups = list(by_document.values())
        if len(groups) == 1:
            by_heading: dict[str | None, list[int]] = {}
            for index in scope:
                by_heading.setdefault(self.sentences[index].passage.heading, []).append(index)
            groups = list(by_heading.values())
        if not self._query or not groups:
            return groups
        fitting = self._fitting(groups)
        return self._parted(fitting) if len(by_document) > 1 else fitting

    def _fitting(self, groups: Sequence[list[int]]) -> list[list[int]]:
        """The groups that fit the query beside the best one, the best first; the best of each side of it early."""
        fit = [self._topic.fit(group) for group in groups]
        order = sorted(range(len(groups)), key=lambda at: (-fit[at], at))
        least = [_ON_TOPIC if place >= _FEW else _NEARLY for place in range(len(groups))]
        kept = [at for place, at in enumerate(order) if fit[at] >= least[place] * fit[order[0]]]
        spoken = [at for at in kept if self._speaks(groups[at])]
        kept = spoken or kept
        sides = np.array([self._topic.sides(groups[at]) for at in kept])
        for place, at in enumerate(np.argsort(-sides.max(axis=0))):
            best = int(np.argmax(sides[:, at]))
            covered = sides[: place + 1, at].max() >= _COVERS * sides[best, at]
            if best > place > 0 and not covered and sides[best, at] >= _SIDE:
                kept.insert(place, kept.pop(best))
                sides = np.insert(np.delete(sides, best, axis=0), place, sides[best], axis=0)
        return [groups[at] for at in kept]

    def _speaks(self, group: Sequence[int]) -> bool:
        """Whether the sentences are in the language of the task."""
        return detect(" ".join(self.sentences[index].text for index in group)[:2000]) == self.language

    def _parted(self, groups: list[list[int]]) -> list[list[int]]:
        """A first document that the topic names makes several parts, by its headings, where others leave room."""
        room = self.parameters.items - len(groups)
        first = groups[0]
        if room <= 0 or not self._topic.names(self.sentences[first[0]].passage.title):
            return groups
        parts: dict[str | None, list[int]] = {}
        for index in first:
            parts.setdefault(self.sentences[index].passage.heading, []).append(index)
        if (opening := self.sentences[first[0]].passage).cite_title() is not None:
            title = (opening.document, opening.title_start)
            if title in self._headings:  # the opening of an article that bears this title is its lead
                parts = {name: part for name, part in parts.items() if name not in (None, opening.title)}
        told = [part for part in parts.values() if sum(self._tells_on(index) for index in part) >= _PART]
        if len(told) < 2:
            return groups
        best = sorted(range(len(told)), key=lambda at: -max(self.worth[index] for index in told[at]))[: room + 1]
        chosen = sorted((told[at] for at in best), key=lambda part: min(map(self._place, part)))
        self._parts = chosen
        return [*chosen, *groups[1:]]

    def _tells_on(self, index: int) -> bool:
        sentence = self.sentences[index]
        return sentence.tells and sentence.form != "row" and index not in self._used

    def about(self, said: Sequence[str], scope: Sequence[int], *, form: str = "", least: float = 0.5) -> list[int]:
        """The sentences that speak of what a property says about itself, the best first."""
        return speaking_of(
            said,
            self.sentences,
            scope,
            worth=self.worth,
            query=self._query,
            language=self.language,
            form=form,
            least=least,
        )

    def take_value(self, index: int, start: int, end: int, *, shared: bool = False) -> bool:
        """Cites the sentence a value was read from; false where another value was read from the same place."""
        if (index, start, end) in self._values and not shared:
            return False
        self._values.add((index, start, end))
        citation = self.sentences[index].cite()
        if citation not in self.citations:
            self.citations.append(citation)
        return True

    def says(self, index: int, words: str) -> bool:
        """Whether a sentence mentions all of `words`."""
        return bool(words) and mentions(words, self.sentences[index].text, self.language) >= 0.99

    @cached_property
    def _like(self):
        return summary.likeness(self.sentences, self.language)

    @cached_property
    def worth(self) -> Vector:
        """What each sentence is worth for the task: at most 1, that of the best; never below 0."""
        if self._query:
            worth = np.maximum(answer.worth(self.sentences, self._query, self.language), 0.0)
            if self._open:
                worth *= self._topic.keeps()
            return worth / max(float(worth.max(initial=0.0)), 1e-12)
        return summary.worth(self.sentences, self._like, position=self.parameters.position)

    def _choose(self, scope: Sequence[int], longest: int, about: str, *, count: int = 0, each: int = 0) -> list[int]:
        """Sentences for a text, in the order they were chosen."""
        fits = [
            index
            for index in scope
            if index not in self._used
            and self.sentences[index].tells
            and not (self._reads_on and self.sentences[index].form == "row")
            and len(self.sentences[index].text) <= (each or longest)
        ]
        worth = self.worth.copy()
        if self._reads_on and longest < _LIMITED:
            # A text of one paragraph is a lead: what stands first in a document says most of its news.
            for index in fits:
                worth[index] += _OPENS / (1 + self._place(index) / _OPENING)
        if about:
            for index in fits:
                worth[index] += 0.2 * mentions(about, self.sentences[index].text, self.language)
        best = max((worth[index] for index in fits), default=0.0)
        # What stands under a heading of a document that the topic names belongs to it.
        enough = 0.0 if scope in self._parts else _ENOUGH[self._mode]
        fits = [index for index in fits if worth[index] >= enough * best]
        if self._mode == "question" and fits:
            # What follows the answer must be on the matter, too, not just share a word such as "hoch".
            held = {index: self._covers(index) for index in fits}
            first = max(fits, key=lambda index: worth[index])
            fits = [index for index in fits if index == first or self._follows(index, first, held)]
        wanted = count or self.parameters.sentences
        # With a query, worth says what to quote; likeness only keeps repetition out.
        diversity = self.parameters.diversity * (1.0 if self._mode == "summary" else 0.4)
        order = summary.choose(worth, self._like, wanted * 4, diversity=diversity, allowed=fits)
        chosen: list[int] = []
        room = longest
        for index in order:
            size = len(self.sentences[index].text) + 2
            if len(chosen) < wanted and size <= room + 2 and not self._said_already(index, chosen):
                chosen.append(index)
                room -= size
        return chosen

    def _follows(self, index: int, first: int, held: Mapping[int, float]) -> bool:
        """Whether a sentence may follow the first one of an answer: it says as much of what is asked."""
        one, other = self.sentences[first], self.sentences[index]
        if one.form == "row":
            return other.form == "row" and other.source == one.source and held[index] >= held[first]
        kind = asks_for(self._query, self.language)
        if kind == "number" or (kind == "money" and self.worth[index] < _AS_GOOD * self.worth[first]):
            return False  # another number is most often that of something else
        if kind in ("date", "money") and not holds(kind, other.text, frozenset(tokens(self._query))):
            return False
        return other.form != "row" and held[index] >= _TO_THE_POINT * held[first]

    def _covers(self, index: int) -> float:
        sentence = self.sentences[index]
        return coverage(self._query, f"{sentence.context} {sentence.text}", self.language)

    def _said_already(self, index: int, chosen: Sequence[int]) -> bool:
        others = [*chosen, *self._used]
        return bool(others) and float(self._like.to(index)[others].max()) > _SAME

    def _short(self, scope: Sequence[int], longest: int) -> str:
        """One short quote: a heading on the matter, a short sentence, or else the first part of a sentence."""
        above = self._above(scope, longest)
        if above is not None:
            self._headings.add((above.document, above.start))
            self.citations.append(above)
            return above.quote
        best: tuple[float, int] | None = None
        for index in scope:
            sentence = self.sentences[index]
            if index in self._used or not 4 <= len(sentence.text) <= longest or sentence.form == "row":
                continue
            score = (
                float(self.worth[index]) * 0.5 + 0.5 * (sentence.form == "heading") - 0.3 * (sentence.form == "item")
            )
            score += 0.3 / (1 + sentence.order) + 0.2 * (sentence.passage.start == 0 and sentence.order == 0)
            if self._query:
                score += coverage(self._query, sentence.text, self.language)
            if best is None or score > best[0]:
                best = (score, index)
        if best is not None:
            return self._take(best[1])
        for index in sorted(scope, key=lambda index: -self.worth[index]):
            sentence = self.sentences[index]
            cuts = [cut.start() for cut in _CUT.finditer(sentence.text) if 15 <= cut.start() <= longest]
            if index not in self._used and sentence.tells and cuts:
                self._used.add(index)
                self.citations.append(sentence.cite(0, cuts[-1]))
                return sentence.text[: cuts[-1]]
        return ""

    def _above(self, scope: Sequence[int], longest: int) -> Citation | None:
        """The title or the heading over the worthiest sentences that names the matter best; None where there is none."""
        over: dict[Citation, float] = {}
        quoted = all(index in self._used for index in scope)
        for index in scope:
            passage, worth = self.sentences[index].passage, float(self.worth[index])
            for citation, bonus in ((passage.cite_title(), 0.6), (passage.cite_heading(), 0.0)):
                if citation is None or not 4 <= len(citation.quote) <= longest:
                    continue
                if (citation.document, citation.start) in self._headings:
                    continue
                # Over a text that is there already the heading over most of it; else the one over the best sentence.
                before = over.get(citation, bonus)
                over[citation] = before + worth if quoted else max(before, worth + bonus)
        if not over:
            return None
        return max(
            over,
            key=lambda one: over[one] + 0.5 * (coverage(self._query, one.quote, self.language) if self._query else 0),
        )

    def _take(self, index: int) -> str:
        self._used.add(index)
        self.citations.append(self.sentences[index].cite())
        return self.sentences[index].text

    def _between(self, before: int, after: int) -> str:
        one, other = self.sentences[before], self.sentences[after]
        if one.passage.document != other.passage.document:
            return "\n\n"
        return " " if one.finished and other.form == "prose" else "\n"

    @property
    def _reads_on(self) -> bool:
        """Whether sentences of a document are to stand in its own order."""
        return (self.parameters.order or ("worth" if self._mode == "question" else "place")) == "place"

    def _place(self, index: int) -> int:
        sentence = self.sentences[index]
        return sentence.passage.start + sentence.span.start

    @cached_property
    def _foremost(self) -> list[int]:
        by_document: dict[str, list[int]] = {}
        for index in self.everything:
            by_document.setdefault(self.sentences[index].passage.document, []).append(index)
        return self._fitting(list(by_document.values()))[0]

    @cached_property
    def _topic(self) -> Topic:
        return Topic(self._query, self.sentences, self.language)
