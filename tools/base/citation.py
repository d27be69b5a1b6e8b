"""Where a quote comes from: passages a source tool returns, and the citations made of them."""

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Citation", "Passage", "Passages"]


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
