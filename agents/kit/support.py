"""Checks an answer sentence by sentence against what was read, and leaves out or marks what no passage carries."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from pydantic import BaseModel, ValidationError

from agents.kit.claims import Sources, Verdict, bare, is_claim
from agents.kit.grounding import texts_in
from agents.kit.result import Support, SupportedSentence
from tools.base import Citation
from tools.language import detect, sentences

__all__ = ["Checked", "Policy", "Whole"]

Policy = Literal["remove", "mark", "keep"]

_MARKS = {"de": "[nicht belegt]", "en": "[not in the sources]"}
_EMPHASIS = "**"
_REASON = 500
"""Characters of a model's own reason that are told."""


@dataclass(frozen=True, slots=True)
class Whole:
    """An answer that was checked."""

    output: BaseModel | None
    """None where nothing of it is carried."""
    citations: tuple[Citation, ...]
    support: Support | None
    """None where it holds no text that claims something."""
    reason: str = ""
    """Why nothing is left."""


class Checked:
    """The answer of one run, checked as far as it has come: what was shown of it is never taken back.

    Args:
        sources: what was read.
        policy: what becomes of a sentence that no passage carries.
    """

    def __init__(self, sources: Sources, policy: Policy) -> None:
        self._sources = sources
        self._policy: Policy = policy
        self._texts: dict[str, _Text] = {}

    def partial(self, output: BaseModel) -> BaseModel | None:
        """The sentences of an unfinished answer that are whole and carried; None where there is none yet."""
        walk = _Walk(lambda path, text: self._text(path).add(text, whole=False))
        shown = walk.model(output, "")
        return shown if walk.carried else None

    def whole(self, output: BaseModel) -> Whole:
        """The finished answer, its citations, and what was said of each sentence."""
        walk = _Walk(lambda path, text: self._text(path).add(text, whole=True))
        made = walk.model(output, "")
        lost = self._policy == "remove" and bool(walk.order) and not walk.carried
        if not lost and self._policy == "remove":
            try:
                type(made).model_validate(made.model_dump())
            except ValidationError:  # such as a list that must not be empty
                lost = True
        told = [said for path in walk.order for said in self._texts[path].said]
        citations = list(dict.fromkeys(verdict.citation for _, verdict in told if verdict.citation)) if not lost else []
        support = self._support(told, citations)
        if not lost:
            return Whole(made, tuple(citations), support)
        count = len(support.removed) if support else 0
        reason = (
            f"Nothing of what the language model wrote stands in them; left out: {count}." if count else _said(output)
        )
        return Whole(None, (), support, reason)

    def _text(self, path: str) -> "_Text":
        return self._texts.setdefault(path, _Text(self._sources, self._policy))

    def _support(self, told: "Sequence[tuple[str, Verdict]]", citations: Sequence[Citation]) -> Support | None:
        if not told:
            return None
        at = {citation: number for number, citation in enumerate(citations)}
        carried = sum(verdict.status != "unsupported" for _, verdict in told)
        kept = [one for one in told if self._policy != "remove" or one[1].status != "unsupported"] if citations else []
        return Support(
            score=round(carried / len(told), 4),
            sentences=[
                SupportedSentence(
                    text=text, status=verdict.status, citations=[at[verdict.citation]] if verdict.citation else []
                )
                for text, verdict in kept
            ],
            removed=[text for text, verdict in told if self._policy == "remove" and verdict.status == "unsupported"],
        )


@dataclass
class _Text:
    """One text of an answer: how much of it was judged, and what may be shown of that."""

    sources: Sources
    policy: Policy
    read: str = ""
    """The beginning that was judged."""
    shown: str = ""
    gap: str = ""
    """What stands before the next sentence."""
    waiting: str = ""
    """Questions, headings and the like, shown when a claim that is carried follows."""
    hanging: bool = False
    """What waits announces something."""
    said: list[tuple[str, Verdict]] = field(default_factory=list[tuple[str, Verdict]])

    def add(self, text: str, *, whole: bool) -> tuple[str, list[Citation]]:
        """What may be shown of `text`, and where that stands."""
        given, text = text, bare(text)
        if not text.startswith(self.read):  # the model began anew
            self.read, self.shown, self.gap, self.waiting, self.said = "", "", "", "", []
        language = detect(text)
        begin, rest, at = len(self.read), text[len(self.read) :], 0
        spans = sentences(rest, language)
        for span, after in zip(spans, [*spans[1:], None], strict=False):
            if not whole and (after is None or " " not in rest[after.start : after.end]):
                break  # it may go on: "am 3." and then "Mai"
            self._take(rest[at : span.start], rest[span.start : span.end], _MARKS[language])
            at = span.end
        self.read = text[: begin + at]
        shown = self.shown
        if whole:
            shown += "" if self.hanging else self.waiting
            shown += rest[at:] if shown else ""
            if shown.count(_EMPHASIS) % 2:
                shown = shown.replace(_EMPHASIS, "")
        shown = given if self.policy == "keep" else shown.strip()
        return shown, [verdict.citation for _, verdict in self.said if verdict.citation]

    def _take(self, gap: str, sentence: str, mark: str) -> None:
        # Where something was left out, the greater of two gaps stays: a new paragraph remains one.
        gap = max(self.gap, gap, key=lambda one: (one.count("\n"), one is gap)) if self.gap else gap
        self.gap = ""
        heading = gap.rstrip(" \t").endswith("#")
        if heading or not is_claim(sentence):
            self.waiting += f"{gap}{sentence}"
            self.hanging = heading or sentence.rstrip(" *_").endswith(":")
            return
        verdict = self.sources.judge(sentence)
        self.said.append((sentence, verdict))
        if verdict.status == "unsupported" and self.policy == "remove":
            self.gap = gap
            return
        marked = f"{sentence} {mark}" if verdict.status == "unsupported" else sentence
        self.shown += f"{self.waiting}{gap}{marked}"
        self.waiting, self.hanging = "", False


class _Walk:
    """Goes through an output with a function for each of its texts, and fills its lists of citations."""

    def __init__(self, change: Callable[[str, str], tuple[str, list[Citation]]]) -> None:
        self._change = change
        self.order: list[str] = []
        """The paths of the texts, as they come."""
        self.carried = False
        """Whether a passage carries anything of it."""

    def model(self, output: BaseModel, path: str) -> BaseModel:
        return cast("BaseModel", self._value(output, path)[0])

    def _value(self, value: object, path: str) -> tuple[object, list[Citation]]:
        match value:
            case str():
                return self._words(value, path)
            case BaseModel() if not isinstance(value, Citation):
                return self._fields(value, path)
            case list() | tuple():
                given = cast("Sequence[object]", value)
                made = [self._value(item, f"{path}.{at}") for at, item in enumerate(given)]
                kept = [
                    item for (item, _), before in zip(made, given, strict=True) if not _empty(item) or _empty(before)
                ]
                return type(cast("list[object]", value))(kept), [one for _, cited in made for one in cited]
            case _:
                return value, []

    def _words(self, text: str, path: str) -> tuple[str, list[Citation]]:
        self.order.append(path)
        shown, cited = self._change(path, text)
        self.carried = self.carried or bool(cited)
        return shown, cited

    def _fields(self, output: BaseModel, path: str) -> tuple[BaseModel, list[Citation]]:
        update: dict[str, Any] = {}
        cited: list[Citation] = []
        listing: list[str] = []
        for name, about in type(output).model_fields.items():
            if about.annotation == list[Citation]:
                listing.append(name)
            elif getattr(about.annotation, "__origin__", None) is not Literal and hasattr(output, name):
                update[name], found = self._value(getattr(output, name), f"{path}.{name}")
                cited += found
        cited = list(dict.fromkeys(cited))
        return output.model_copy(update=update | dict.fromkeys(listing, cited)), cited


def _said(output: BaseModel) -> str:
    """The beginning of what an output says: that nothing was found, in the model's words."""
    return " ".join(texts_in(output))[:_REASON]


def _empty(value: object) -> bool:
    """Whether nothing is left of an item: no text, where it had one."""
    if isinstance(value, BaseModel):
        texts = [one for one in dict(value).values() if isinstance(one, str)]
        return bool(texts) and not any(texts)
    return value == ""
