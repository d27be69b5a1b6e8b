"""Brings a knowledge base of an older format to the tables of today, row by row, and keeps the old ones until it is done."""

import shutil
from typing import Any, cast

from tools.base import DEFAULT
from tools.knowledge import KnowledgeConfig
from tools.knowledge.lance import lancedb
from tools.knowledge.place import Place
from tools.knowledge.schema import CHUNKS, DOCUMENTS, FILES, Row, pa
from tools.knowledge.store import Store

__all__ = ["OLDER", "upgrade"]

OLDER = frozenset({"1", "2"})
"""Formats that had the tables of all tenants in one, the first without collections."""

_BATCH = 2_000
_SCHEMAS = {"files": FILES, "documents": DOCUMENTS, "chunks": CHUNKS}


async def upgrade(config: KnowledgeConfig) -> None:
    """Moves what is there into tables of each tenant; what had no collection goes to the default one.

    Killed halfway, it begins again: what it made is thrown away first.
    """
    home = config.home
    old = home / "lance"
    aside, done = home / "lance-old", home / "lance-done"
    if done.exists():  # killed while it cleared away
        shutil.rmtree(done)
        return
    if not aside.exists():
        if not (old / "documents.lance").exists():
            return  # none, or those of today: killed before that was noted, or another process was faster
        old.rename(aside)
    elif old.exists():
        shutil.rmtree(old)
    source = cast(Any, await lancedb.connect_async(aside))
    documents = await source.open_table("documents")
    when: dict[tuple[str, str], Row] = {}
    stores: dict[str, Any] = {}
    for name in ("documents", "chunks", "files"):  # documents first: chunks take times and language from them
        table = documents if name == "documents" else await source.open_table(name)
        async for batch in await table.query().to_batches(max_batch_length=_BATCH):
            rows: dict[str, list[Row]] = {}
            for row in cast(list[Row], batch.to_pylist()):
                row["collection"] = row.get("collection") or DEFAULT
                row["access"] = ""
                key = (row["tenant"], row["collection"] + "\0" + str(row.get("document") or row.get("id")))
                if name == "documents":
                    when[key] = {field: row[field] for field in ("ingested_at", "language", "media_type")}
                elif name == "chunks" and key in when:
                    row.update(when[key], tags=[])
                elif name == "chunks":
                    continue  # of a document that is no longer there
                rows.setdefault(row["tenant"], []).append(row)
            for tenant, found in rows.items():
                db = stores.get(tenant) or await Place.of(config, tenant).connect()
                stores[tenant] = db
                schema = _SCHEMAS[name]
                into = await db.create_table(name, schema=schema, exist_ok=True)
                fitting = [{field: row.get(field) for field in schema.names} for row in found]
                await into.add(pa.Table.from_pylist(fitting, schema=schema))
    for tenant in stores:
        await Store.open(Place.of(config, tenant))  # makes what is missing, and the indices
    aside.rename(done)
    shutil.rmtree(done)
