"""Makes a header picture for a text: a designed card, or a drawing where an image model is set.

Deutsch: Macht ein Titelbild zu einem Text: eine gestaltete Karte, oder eine Zeichnung, wo ein Bildmodell gesetzt ist.
"""

from agents.kit import Run, composition
from tools.image import Image, Picture, generate

__all__ = ["image"]


@composition
async def image(given: Picture, run: Run) -> Image:
    return await run.call(generate, given)
