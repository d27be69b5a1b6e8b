"""The graph engine in its child process: Ladybug or Kuzu, behind the few calls that both have in common.

Loaded by path in a bare child process (see `tools.child`): it imports the standard library and the engine only, and
never both engines, which cannot live in one process.
"""

import importlib
from collections.abc import Iterator
from typing import Any, cast

from tools.child import Engine, gathered

__all__ = ["start"]

_INTERNAL = frozenset({"_ID", "_LABEL", "_SRC", "_DST"})
_MAX_DATABASE = 1 << 34
"""Bytes of address space the engine sets aside for its file."""


def start(settings: dict[str, Any]) -> Engine:
    """Opens `settings["file"]`, read-only unless `write` is set."""
    return _Graph(importlib.import_module(settings["engine"]), settings)


class _Graph:
    def __init__(self, engine: Any, settings: dict[str, Any]) -> None:
        self._database = engine.Database(
            settings["file"],
            read_only=not settings["write"],
            buffer_pool_size=settings["memory_mb"] * 2**19,
            max_db_size=_MAX_DATABASE,
        )
        self._connection = engine.Connection(self._database, num_threads=2)
        self._run(f"CALL var_length_extend_max_depth={int(settings['depth'])}", {})
        if settings["write"]:
            # Once at the end is enough: a build that is killed leaves nothing that anybody reads.
            self._run("CALL auto_checkpoint=false", {})
        # Whatever is used once now needs no file later, when none can be opened any more.
        given = {"a": "x", "b": 1, "c": 1.5, "d": [True], "e": {"f": None}}
        self.answer({"cypher": f"RETURN {', '.join(f'${name}' for name in given)}", "parameters": given, "limit": 1})
        self.answer(
            {"cypher": "MATCH (n)-[r]->(m) RETURN r, date('2000-01-01'), gen_random_uuid() LIMIT 1", "limit": 1}
        )

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Rows of `request["cypher"]`, at most `limit`; or an error with its `kind`. `close` writes all to the file."""
        if request.get("close"):
            self._connection.close()
            self._database.close()
            return {"closed": True}
        try:
            self._connection.set_query_timeout(int(request.get("seconds", 60) * 1000))
            result = self._run(request["cypher"], request.get("parameters", {}))
            columns = [str(name) for name in result.get_column_names()]
            return {"columns": columns, **gathered(_rows(result), request["limit"])}
        except (RuntimeError, TypeError, ValueError, OverflowError) as error:
            # The last three: parameters that the engine has no type for.
            return {"error": str(error), "kind": _kind(str(error))}

    def _run(self, cypher: str, parameters: dict[str, Any]) -> Any:
        result = self._connection.execute(cypher, parameters)
        if isinstance(result, list):
            raise RuntimeError("Parser exception: more than one statement")
        return result


def _rows(result: Any) -> Iterator[list[Any]]:
    while result.has_next():
        yield [_flat(value) for value in result.get_next()]


def _flat(value: Any) -> Any:
    """Nodes, edges and paths without the engine's internal numbers; the two engines spell their keys differently."""
    if isinstance(value, list):
        return [_flat(item) for item in cast(list[Any], value)]
    if not isinstance(value, dict):
        return value
    given = cast(dict[Any, Any], value)
    inner: dict[str, Any] = {str(key).upper(): item for key, item in given.items() if str(key).startswith("_")}
    if "_NODES" in inner and "_RELS" in inner:
        return {"nodes": _flat(inner["_NODES"]), "edges": _flat(inner["_RELS"])}
    if "_LABEL" not in inner or "_ID" not in inner:
        return {key: _flat(item) for key, item in given.items()}
    own: dict[str, Any] = {str(key): _flat(item) for key, item in given.items() if str(key).upper() not in _INTERNAL}
    if "_SRC" in inner:
        return {"source": own.pop("source", None), "type": inner["_LABEL"], "target": own.pop("target", None), **own}
    return {"id": own.pop("id", None), "label": inner["_LABEL"], **own}


def _kind(said: str) -> str:
    if "nterrupted" in said or "imeout" in said:
        return "time"
    if "bad_alloc" in said or "Buffer manager" in said or "buffer pool" in said:
        return "memory"
    return "cypher"
