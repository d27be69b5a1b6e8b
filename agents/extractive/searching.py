"""Calls to the tools that declare themselves a source, their arguments made from the tool's own schema."""

import json
from collections.abc import Mapping, Sequence
from typing import cast

from pydantic import JsonValue
from pydantic_ai.messages import ToolCallPart
from pydantic_ai.tools import ToolDefinition

from agents.extractive import schema as shape
from agents.extractive.schema import Schema
from tools.base import SOURCE

__all__ = ["searches"]


def searches(tools: Sequence[ToolDefinition], query: str, parameters: Mapping[str, JsonValue]) -> list[ToolCallPart]:
    """One call to each source tool that can be asked with `query`.

    The first required text property takes the query; a parameter of the prompt fills the property of its name. A tool
    that requires more is left alone.
    """
    calls: list[ToolCallPart] = []
    for tool in tools:
        arguments = _arguments(tool.parameters_json_schema, query, parameters) if _is_source(tool) else None
        if arguments is not None:
            written = json.dumps(arguments, ensure_ascii=False)
            calls.append(ToolCallPart(tool.name, written, tool_call_id=f"{tool.name}-{len(calls)}"))
    return calls


def _is_source(tool: ToolDefinition) -> bool:
    said: object = tool.metadata or {}
    inner = cast("Schema", said).get("meta")
    return any(isinstance(part, Mapping) and cast("Schema", part).get(SOURCE) is True for part in (said, inner))


def _arguments(schema: Schema, query: str, parameters: Mapping[str, JsonValue]) -> dict[str, JsonValue] | None:
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return None
    required = shape.listed(schema.get("required"))
    made: dict[str, JsonValue] = {}
    asked = False
    for name, part in cast("Mapping[str, Schema]", properties).items():
        options = shape.variants(part, schema)
        choices = shape.constants(options[0]) if options else None
        if (
            name in required
            and not asked
            and choices is None
            and any(shape.kind(option) == "string" for option in options)
        ):
            longest = options[0].get("maxLength")
            made[name] = query[:longest] if isinstance(longest, int) else query
            asked = True
        elif name in parameters:
            made[name] = parameters[name]
        elif name in required:
            if choices:
                made[name] = cast("JsonValue", choices[0])
            elif "default" in part:
                made[name] = cast("JsonValue", part["default"])
            else:
                return None
    return made if asked and query else None
