"""Draws with a model behind an OpenAI-compatible `/images/generations`, and takes nothing but a checked picture from it."""

import base64
import binascii
import io
import warnings

from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError
from pydantic import BaseModel, ValidationError

from tools.base import Failed
from tools.endpoint import Endpoint

__all__ = ["checked", "remote_picture"]

_MOST_BYTES = 40_000_000
_MOST_PIXELS = 40_000_000
_KINDS = ("PNG", "JPEG", "WEBP")


class _Drawn(BaseModel):
    b64_json: str


class _Answer(BaseModel):
    data: list[_Drawn]


async def remote_picture(endpoint: Endpoint, *, model: str, prompt: str, size: str) -> bytes:
    """The picture's bytes as the endpoint sent them, not yet checked.

    Raises:
        Failed: the endpoint refused, or its answer holds no picture.
    """
    body = {"model": model, "prompt": prompt, "n": 1, "size": size, "response_format": "b64_json"}
    answer = await endpoint.post("images/generations", body, at_most=_MOST_BYTES)
    try:
        return base64.b64decode(_Answer.model_validate_json(answer).data[0].b64_json, validate=True)
    except (ValidationError, IndexError, binascii.Error) as error:
        raise Failed(
            f"The endpoint {endpoint.shown!r} sent no picture: its answer begins with {answer[:60]!r}. "
            "Expected 'data' with one 'b64_json'.",
            hint=f"Look whether the model in {endpoint.setting}_NAME can draw.",
        ) from error


def checked(data: bytes, *, width: int, height: int) -> bytes:
    """The picture as PNG of the wanted size: decoded and written anew, so that nothing else in the bytes survives.

    Raises:
        Failed: the bytes are no PNG, JPEG or WebP, or unpack to too many pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Pillow.DecompressionBombWarning)
            with Pillow.open(io.BytesIO(data), formats=_KINDS) as opened:
                if opened.width * opened.height > _MOST_PIXELS:
                    raise Failed(
                        f"The endpoint's picture has {opened.width} x {opened.height} pixels. "
                        f"Expected at most {_MOST_PIXELS}.",
                        hint="Look at the endpoint's model: it draws larger than it was asked to.",
                    )
                picture = ImageOps.fit(opened.convert("RGB"), (width, height), Pillow.Resampling.LANCZOS)
    except (
        UnidentifiedImageError,
        Pillow.DecompressionBombError,
        Pillow.DecompressionBombWarning,
        OSError,
        ValueError,
    ) as error:
        raise Failed(
            f"The endpoint's {len(data)} bytes are no usable picture: they begin with {data[:12]!r}. "
            "Expected PNG, JPEG or WebP.",
            hint="Look whether PARTITUR_IMAGE_NAME names a model that draws.",
        ) from error
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=False)
    return out.getvalue()
