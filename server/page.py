"""HTML pages of results: self-contained, accessible, printable. A publication where the output is one, else a report."""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from markupsafe import Markup
from pydantic import BaseModel

from agents.kit.result import PromptRef, Result
from server.blocks import Block, blocks
from server.colour import palette
from server.labels import LABELS, spoken_date
from server.notes import Notes, by_document
from server.settings import Brand
from tools.base import Artifact, Citation
from tools.language import Language, detect

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["Publication", "page"]

EMBEDDED_ENGINE = "extractive"
NO_ENGINE = "none"
"""What a result says where tools alone made it."""
_AUDIO = ("audio/mpeg", "audio/ogg", "audio/wav")
"""Which of several files of the same sound is embedded: the one that plays everywhere first."""


class Section(Protocol):
    """A part of a publication."""

    @property
    def heading(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def sources(self) -> Sequence[Citation]: ...


@runtime_checkable
class Publication(Protocol):
    """An output that is shown as an article: whatever has these fields, whoever declared it."""

    @property
    def title(self) -> str: ...
    @property
    def lead(self) -> str: ...
    @property
    def sections(self) -> Sequence[Section]: ...


@dataclass(frozen=True)
class Media:
    """A picture or a sound with its bytes inside the page."""

    url: str
    media_type: str
    alt_text: str


@dataclass(frozen=True)
class Part:
    """A section, ready for the page."""

    id: str
    name: str
    """The heading as plain text."""
    heading: Markup
    text: Markup


def page(
    result: Result[Any],
    *,
    brand: Brand,
    read: Callable[[Artifact], bytes],
    description: Mapping[Language, str] | None = None,
    made: datetime | None = None,
) -> str:
    """The page of a result.

    Args:
        result: the envelope.
        brand: colours and name.
        read: the bytes of an artifact.
        description: what the use case says of itself, by language.
        made: when it was made; now where it is not given.
    """
    output = cast("BaseModel | None", result.output)
    language = language_of(output)
    words = LABELS[language]
    notes = Notes(words["source"], markdown=result.engine != EMBEDDED_ENGINE)
    made = made or datetime.now(UTC)
    shared = {
        "result": result,
        "brand": brand,
        "light": palette(brand.primary, brand.accent, dark=False),
        "dark": palette(brand.primary, brand.accent, dark=True),
        "language": language,
        "words": words,
        "made": made,
        "date": spoken_date(made, language),
        "pictures": _media(result.artifacts, "image", read)[:1],
        "sounds": _sounds(result.artifacts, read),
        "prompts": _prompts(result),
        "origin": {EMBEDDED_ENGINE: "literal", NO_ENGINE: None}.get(result.engine, "generated"),
    }
    if isinstance(output, Publication):
        shared |= _publication(output, result, notes)
        name = "newsletter.html.j2"
    else:
        name = "result.html.j2"
        made_blocks: list[Block] = blocks(output, result.citations, notes) if output is not None else []
        said = {code: text for code, text in (description or {}).items() if text}
        spoken = language if language in said else next(iter(said), language)
        shared |= {"lead": said.get(spoken, ""), "lead_language": spoken, "blocks": made_blocks}
        shared["title"] = result.use_case.replace("_", " ").capitalize()
    notes.add(result.citations if not notes.all else [])
    return _templates().get_template(name).render(**shared, groups=by_document(notes.all))


def language_of(output: BaseModel | None) -> Language:
    """The language an output is written in: what it says itself, else what its longest text is."""
    said = getattr(output, "language", None)
    if said in ("de", "en"):
        return said
    texts = _texts(output.model_dump(mode="json") if output else None)
    return detect(max(texts, key=len, default=""))


def _publication(output: Publication, result: Result[Any], notes: Notes) -> dict[str, object]:
    cited = [*(source for section in output.sections for source in section.sources), *result.citations]
    title = notes.line(output.title)
    lead = notes.line(output.lead, cited)
    sections = [_part(number, section, notes) for number, section in enumerate(output.sections, 1)]
    spoken = getattr(output, "spoken", None)
    return {
        "title": title,
        "lead": lead,
        "sections": sections,
        "spoken": [line for line in spoken.splitlines() if line.strip()] if isinstance(spoken, str) else [],
        "others": _other_versions(output),
    }


def _part(number: int, section: Section, notes: Notes) -> Part:
    """A section; a quote that is its heading is called there and not again."""
    named = [one for one in section.sources if not notes.holds(section.text, one)]
    heading = notes.line(section.heading, named)
    rest = [one for one in section.sources if one not in named or not notes.holds(section.heading, one)]
    return Part(f"s{number}", section.heading, heading, notes.text(section.text, rest))


def _other_versions(output: Publication) -> list[tuple[str, str, Markup]]:
    """Further versions of the text (plain language, another language): field name, language, text."""
    found: list[tuple[str, str, Markup]] = []
    for name in type(cast("BaseModel", output)).model_fields:
        value = getattr(output, name)
        text = value if isinstance(value, str) else getattr(value, "text", None)
        if name in ("title", "lead", "spoken", "language", "topic") or not isinstance(text, str) or not text.strip():
            continue
        found.append((name.replace("_", " ").capitalize(), detect(text), Notes("", markdown=True).text(text)))
    return found


def _media(artifacts: Sequence[Artifact], kind: str, read: Callable[[Artifact], bytes]) -> list[Media]:
    chosen = [one for one in artifacts if one.media_type.startswith(f"{kind}/")]
    chosen.sort(key=lambda one: one.media_type != "image/png")
    return [
        Media(f"data:{one.media_type};base64,{base64.b64encode(read(one)).decode()}", one.media_type, one.alt_text)
        for one in chosen
    ]


def _sounds(artifacts: Sequence[Artifact], read: Callable[[Artifact], bytes]) -> list[Media]:
    """One file of the sound: the same in three formats would triple the page."""
    chosen = [one for kind in _AUDIO for one in artifacts if one.media_type == kind]
    return _media(chosen[:1], "audio", read)


def _prompts(result: Result[Any]) -> list[PromptRef]:
    refs = [result.prompt, *(step.prompt for step in result.steps)]
    return list({(ref.path, ref.commit): ref for ref in refs if ref}.values())


def _texts(value: object) -> list[str]:
    match value:
        case str():
            return [value]
        case dict():
            return [text for item in cast("dict[str, object]", value).values() for text in _texts(item)]
        case list():
            return [text for item in cast("list[object]", value) for text in _texts(item)]
        case _:
            return []


@cache
def _templates() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
