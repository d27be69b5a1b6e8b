"""Where a quote comes from: passages a source tool returns, and the citations made of them."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Around", "Citation", "Passage", "Passages", "Why"]


def _absent(value: object) -> bool:
    """What only some results have costs the others, and the models that read them, nothing."""
    return value is None or value == []


class Citation(BaseModel):
    """A quote and its place. Offsets are Unicode code points, half-open, into the stored text of the document."""

    model_config = ConfigDict(frozen=True)

    document: str = Field(description="Id of the document.")
    title: str = Field(description="Title of the document.")
    heading: str | None = Field(default=None, description="Heading path above the quote, joined by ' › '.")
    page: int | None = Field(default=None, description="Page number, from 1, where the document has pages.")
    start: int = Field(ge=0, description="First code point of the quote in the stored text.")
    end: int = Field(ge=0, description="Code point after the last one of the quote.")
    quote: str = Field(description="The quote itself: stored_text[start:end].")


class Around(BaseModel):
    """A passage with its neighbours. `text` is exactly stored_text[start:end]."""

    model_config = ConfigDict(frozen=True)

    start: int = Field(ge=0, description="First code point in the stored text.")
    end: int = Field(ge=0, description="Code point after the last one.")
    text: str = Field(description="stored_text[start:end]")


class Why(BaseModel):
    """Why a passage was found."""

    model_config = ConfigDict(frozen=True)

    words: list[str] = Field(description="Words of the query that stand in it, in some form.")
    parts: list[str] = Field(description="Words of the query that stand in it only as a part of other words.")
    missing: list[str] = Field(description="Words of the query that do not stand in it.")
    title: list[str] = Field(description="Those of `words` that stand in its title or its headings.")
    lexical: float | None = Field(description="Share of the best score by words, 0 to 1; null: not found by words.")
    semantic: float | None = Field(
        default=None, description="Cosine similarity to the query, -1 to 1; null: not found by meaning."
    )
    rerank: float | None = Field(default=None, description="What the rerank model said; null where there is none.")


class Passage(BaseModel):
    """A stretch of a stored document. `text` is exactly stored_text[start:end]."""

    model_config = ConfigDict(frozen=True)

    document: str = Field(description="Id of the document.")
    title: str = Field(description="Title of the document.")
    heading: str | None = Field(default=None, description="Heading path above the passage, joined by ' › '.")
    page: int | None = Field(default=None, description="Page number, from 1, where the document has pages.")
    start: int = Field(ge=0, description="First code point in the stored text.")
    end: int = Field(ge=0, description="Code point after the last one.")
    text: str = Field(description="stored_text[start:end]")
    title_start: int | None = Field(default=None, ge=0, description="Where the title stands in the stored text.")
    heading_start: int | None = Field(
        default=None, ge=0, description="Where the last heading of the path stands in the stored text."
    )
    score: float = Field(default=0.0, description="How well it fits the query: higher is better, within one result.")
    collection: str | None = Field(default=None, exclude_if=_absent, description="The collection it lies in.")
    date: datetime | None = Field(
        default=None, exclude_if=_absent, description="Of the document itself, where it says one."
    )
    around: Around | None = Field(
        default=None, exclude_if=_absent, description="With its neighbours, where they were asked for."
    )
    why: Why | None = Field(default=None, exclude_if=_absent, description="Why it was found, where that was asked for.")

    def cite_title(self) -> Citation | None:
        """Cites the document's title; None where it does not stand in the stored text."""
        return self._cite_above(self.title, self.title_start, heading=None)

    def cite_heading(self) -> Citation | None:
        """Cites the heading above the passage; None where there is none in the stored text."""
        return self._cite_above((self.heading or "").rpartition(" › ")[2], self.heading_start, heading=self.heading)

    def _cite_above(self, quote: str, start: int | None, *, heading: str | None) -> Citation | None:
        if start is None or not quote:
            return None
        return Citation(
            document=self.document,
            title=self.title,
            heading=heading,
            page=self.page,
            start=start,
            end=start + len(quote),
            quote=quote,
        )

    def cite(self, start: int, end: int) -> Citation:
        """Cites `text[start:end]`; the offsets are code points within this passage."""
        return Citation(
            document=self.document,
            title=self.title,
            heading=self.heading,
            page=self.page,
            start=self.start + start,
            end=self.start + end,
            quote=self.text[start:end],
        )


class Passages(BaseModel):
    """What a source tool returns (a tool whose metadata says `partitur/source`): material that may be quoted."""

    passages: list[Passage] = Field(description="Best first.")
    notes: list[str] = Field(
        default_factory=list[str],
        exclude_if=_absent,
        description="What the search had to do without, such as an engine that is down.",
    )
