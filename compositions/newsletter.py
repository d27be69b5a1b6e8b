"""Writes a newsletter on a topic from your documents: cited, illustrated, read aloud, in plain language if you wish.

Deutsch: Schreibt aus Ihren Dokumenten einen Newsletter zu einem Thema: belegt, bebildert, vorgelesen, auch einfach.
"""

from pydantic import BaseModel, ConfigDict, Field

from agents.editor import Article, Draft, Section, editor
from agents.kit import Language, Run, composition
from agents.plain_language import Difficult, plain_language
from agents.research import Topic, research
from tools import image, speech, translation
from tools.base import Artifact, Words
from tools.language import detect

__all__ = ["Brief", "Newsletter", "newsletter"]


_LONGEST_SPOKEN = 20_000
"""Characters that `speech.say` takes."""


class Brief(BaseModel):
    """What the newsletter is to be."""

    model_config = ConfigDict(extra="forbid")

    topic: Words = Field(
        min_length=1, max_length=1_000, description="What it is on: a topic in some words, or a question."
    )
    audience: str = Field(default="", max_length=300, description="Whom it is for.")
    language: Language | None = Field(default=None, description="Its language; that of the topic if not given.")
    picture: bool = Field(default=True, description="With a header picture.")
    speech: bool = Field(default=True, description="With a spoken version.")
    translate_to: str | None = Field(
        default=None,
        pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$",
        description="Language of a translation, for example en.",
    )
    plain: bool = Field(default=False, description="With a version in plain language.")


class Newsletter(BaseModel):
    """The newsletter."""

    title: str
    lead: str = Field(description="The most important, in one or two sentences.")
    sections: list[Section] = Field(description="In the order a reader would choose.")
    picture: Artifact | None = Field(default=None, description="The header picture, PNG.")
    speech: list[Artifact] = Field(default_factory=list[Artifact], description="The spoken version: WAV and Opus.")
    spoken: str = Field(default="", description="What the spoken version says.")
    translation: str | None = Field(default=None, description="The translation, Markdown.")
    plain: str | None = Field(default=None, description="The version in plain language, Markdown.")

    def markdown(self) -> str:
        """The newsletter with its sources as numbered notes."""
        numbers: dict[tuple[str, str | None, int | None], int] = {}
        parts = [f"# {self.title}", f"**{self.lead}**"]
        for section in self.sections:
            notes = [
                numbers.setdefault((one.title, one.heading, one.page), len(numbers) + 1) for one in section.sources
            ]
            marks = "".join(f"[^{number}]" for number in dict.fromkeys(notes))
            parts.append(f"## {section.heading}\n\n{section.text}{marks}")
        for extra in (self.plain, self.translation):
            if extra:
                parts.append(f"---\n\n{extra}")
        short = "p." if detect(" ".join([self.lead, *(section.text for section in self.sections)])) == "en" else "S."
        notes = [
            f"[^{number}]: "
            + " · ".join(part for part in (title, heading, f"{short} {page}" if page else None) if part)
            for (title, heading, page), number in numbers.items()
        ]
        return "\n\n".join([*parts, "\n".join(notes)] if notes else parts)


@composition
async def newsletter(brief: Brief, run: Run) -> Newsletter:
    found = await run.ask(research, Topic(topic=brief.topic, language=brief.language))
    article = await run.ask(
        editor,
        Draft(topic=brief.topic, findings=found.findings, audience=brief.audience, language=brief.language),
    )
    spoken = _spoken(article, run) if brief.speech else ""
    text = article.markdown()
    target = brief.translate_to if _within(text, 50_000, brief.translate_to, "translation", run) else None
    simplify = _within(text, 100_000, brief.plain, "version in plain language", run)
    picture, sound, translated, plain = await run.gather(
        run.call(
            image.generate, image.Picture(prompt=f"{article.title}. {article.lead}", title=article.title), optional=True
        )
        if brief.picture
        else _nothing(),
        run.call(speech.say, speech.Spoken(text=spoken, language=brief.language), optional=True)
        if spoken
        else _nothing(),
        run.call(translation.translate, translation.TranslationRequest(text=text, target=target), optional=True)
        if target
        else _nothing(),
        run.ask(plain_language, Difficult(text=text, language=brief.language), optional=True)
        if simplify
        else _nothing(),
    )
    return Newsletter(
        title=article.title,
        lead=article.lead,
        sections=article.sections,
        picture=picture.png if picture else None,
        speech=sound.audio if sound else [],
        spoken=spoken if sound else "",
        translation=translated.text if translated else None,
        plain=plain.text if plain else None,
    )


async def _nothing() -> None:
    """In place of a step that was not asked for."""


def _within(text: str, most: int, wanted: object, what: str, run: Run) -> bool:
    """Whether something that is wanted can be made of so long a text; the result says so where it cannot."""
    if wanted and len(text) > most:
        run.lacks(f"The {what} is missing: the newsletter has {len(text)} characters, at most {most} can be worked on.")
    return bool(wanted) and len(text) <= most


def _spoken(article: Article, run: Run) -> str:
    """The article as it is read aloud, every heading and paragraph for itself, as far as can be spoken at once."""
    parts = [article.title, article.lead]
    for section in article.sections:
        parts += [section.heading, section.text]
    whole = len(parts)
    while len(text := "\n\n".join(parts)) > _LONGEST_SPOKEN and len(parts) > 1:
        parts.pop()
    if len(parts) < whole:
        run.lacks(f"The spoken version has {len(parts)} of {whole} parts: more cannot be spoken at once.")
    return text[:_LONGEST_SPOKEN]
