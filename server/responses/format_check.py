"""Whether a model's text has the format that was asked for."""

from pydantic_core import from_json

from server.responses.request import Format
from server.schemas import Schema
from tools.base import Failed

__all__ = ["FormatCheck"]


class FormatCheck:
    """Checks texts against `text.format`: an engine that does not keep to it is never believed.

    Raises:
        InvalidParameter: its schema is none.
    """

    def __init__(self, format: Format, model: str) -> None:
        self._type = format.type
        self._model = model
        self._schema = None
        if format.type == "json_schema":
            self._schema = Schema(format.schema_ or {}, param="text.format.schema")

    def __call__(self, text: str) -> None:
        """Raises `Failed` where `text` has another format."""
        if self._schema is not None:
            self._schema.check(text, self._model)
        elif self._type == "json_object":
            try:
                fits = isinstance(from_json(text), dict)
            except ValueError:
                fits = False
            if not fits:
                raise Failed(
                    f"The model {self._model!r} answered with something else than a JSON object, which 'text.format' "
                    "asks for.",
                    hint="Ask for JSON in the instructions too, or send a schema.",
                )
