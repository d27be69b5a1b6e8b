"""What OpenAI's published document says of responses, their items and their events: shapes that ours must have."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs

__all__ = ["misfits"]


def misfits(name: str, data: Any) -> list[str]:
    """What the document has against `data` as a `name`; empty where it fits."""
    faults = _validator(name).iter_errors(data)
    return [f"{'/'.join(map(str, fault.instance_path))}: {fault.message[:200]}" for fault in faults]


@cache
def _validator(name: str) -> Any:
    text = (Path(__file__).parent / "responses_contract.json").read_text("utf-8")
    schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": _plain(json.loads(text))}}
    return jsonschema_rs.validator_for(schema)


def _plain(schema: Any) -> Any:
    """With 'nullable' written as JSON Schema writes it."""
    if isinstance(schema, list):
        return [_plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: _plain(value) for name, value in schema.items() if name != "nullable"}
    return {"anyOf": [made, {"type": "null"}]} if schema.get("nullable") is True else made
