"""Answers that were asked for in a JSON schema, checked: an engine that ignores it is never believed."""

from collections.abc import Mapping
from typing import Any, cast

import jsonschema_rs
from pydantic_core import from_json

from server.errors import InvalidParameter
from server.schema_weight import is_too_heavy
from tools.base import Failed

__all__ = ["Schema"]


class Schema:
    """The schema of a request's `response_format`.

    Regular expressions in it have a bounded run time, and references lead nowhere outside of it.

    Args:
        schema: the JSON schema.
        param: where it stands in the request.

    Raises:
        InvalidParameter: it is no JSON schema.
    """

    def __init__(self, schema: Mapping[str, Any], *, param: str) -> None:
        if is_too_heavy(schema):
            raise InvalidParameter("The JSON schema refers to itself too many times over to be checked.", param=param)
        try:
            self._validator = jsonschema_rs.validator_for(dict(schema), offline=True)
        except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
            raise InvalidParameter(
                f"The JSON schema does not fit: {str(error).splitlines()[0][:300]}.", param=param
            ) from None

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "Schema | None":
        """That of a chat completion request; None where it asks for none."""
        form = data.get("response_format")
        kind = cast("dict[str, Any]", form).get("type") if isinstance(form, dict) else None
        if kind == "json_object":
            return cls({"type": "object"}, param="response_format")
        if kind != "json_schema":
            return None
        about = cast("dict[str, Any]", form).get("json_schema")
        schema = cast("dict[str, Any]", about).get("schema") if isinstance(about, dict) else None
        if not isinstance(schema, dict):
            raise InvalidParameter(
                f"'response_format' has no schema, got {about!r:.80}. Expected an object with 'name' and 'schema'.",
                param="response_format.json_schema.schema",
            )
        return cls(cast("dict[str, Any]", schema), param="response_format.json_schema.schema")

    def check(self, text: str, model: str) -> None:
        """Raises `Failed` where `text` is no JSON that fits."""
        try:
            value: object = from_json(text)
        except ValueError:
            raise Failed(
                f"The model {model!r} answered with something else than JSON, against the schema it was given.",
                hint="Try again, or choose a model whose engine keeps to schemas.",
            ) from None
        try:
            self._validator.validate(value)
        except jsonschema_rs.ValidationError as error:
            where = "/".join(map(str, error.instance_path)) or "the whole"
            raise Failed(
                f"The model {model!r} did not keep to the schema it was given: {where}: {error.message[:200]}.",
                hint="Try again, or choose a model whose engine keeps to schemas.",
            ) from None
