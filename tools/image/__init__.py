"""Makes a header picture for a text: the contract of the image server."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from tools.base import Artifact, ToolRef, Words

__all__ = ["Image", "ImageConfig", "Picture", "generate"]

_COLOUR = r"^#[0-9a-fA-F]{6}$"


class ImageConfig(BaseModel):
    """What the server needs. Without `url`, a card is designed of the text; with it, only the endpoint's model draws."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str | None = Field(
        default=None, description="OpenAI-compatible endpoint, for example http://localhost:8000/v1."
    )
    name: str = Field(default="gpt-image-1", description="Model at the endpoint.")
    key: SecretStr | None = Field(default=None, description="API key of the endpoint.")
    size: str | None = Field(
        default=None,
        pattern=r"^\d{2,4}x\d{2,4}$",
        description="Size asked of the endpoint, for models that know only a few; null: the size of the request.",
    )
    timeout: float = Field(default=150.0, gt=0, description="Seconds one request may take.")
    primary: str | None = Field(default=None, pattern=_COLOUR, description="Brand colour; null: chosen from the text.")
    accent: str | None = Field(
        default=None, pattern=_COLOUR, description="Second brand colour; null: one that goes with it."
    )
    brand: str | None = Field(default=None, max_length=80, description="Name that stands on each card.")


class Picture(BaseModel):
    """What the picture is for."""

    model_config = ConfigDict(extra="forbid")

    prompt: Words = Field(
        min_length=1, max_length=2_000, description="What it is about; a card without `title` shows it."
    )
    title: str | None = Field(default=None, min_length=1, max_length=300, description="Headline of the card.")
    kicker: str | None = Field(default=None, max_length=60, description="Short line above the headline.")
    language: Literal["de", "en"] | None = Field(default=None, description="Null: found from the text.")
    width: int = Field(default=1200, ge=320, le=2400, description="Pixels.")
    height: int = Field(default=630, ge=200, le=2400, description="Pixels.")


class Image(BaseModel):
    """The picture, and how it came to be."""

    png: Artifact = Field(description="The picture.")
    svg: Artifact | None = Field(description="The same as drawing; null where a model made the picture.")
    width: int = Field(description="Pixels.")
    height: int = Field(description="Pixels.")
    alt_text: str = Field(description="What it shows, in the language of the text.")
    engine: str = Field(description="'designed-card', or the name of the model that drew.")
    label: str = Field(description="What must stand beside it: a designed card, or a picture made by AI.")

    def markdown(self) -> str:
        """The picture with its alternative text, its label, and the drawing where there is one."""
        alt_text = " ".join(self.alt_text.translate({ord("["): "(", ord("]"): ")"}).split())
        drawing = f"\n\n[SVG]({self.svg.uri})" if self.svg else ""
        return f"![{alt_text}]({self.png.uri})\n\n{self.label}{drawing}"


generate = ToolRef(
    name="image.generate",
    input=Picture,
    output=Image,
    description="Makes a header picture for a text: a designed card, or a drawing by an image model where one is set.",
    timeout=180.0,
)
