"""Writes the tables of a tenant anew and takes every older byte of them from the disk; runs in a process of its own."""

import time
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from tools.knowledge.lance import lancedb
from tools.knowledge.place import Place
from tools.knowledge.vectors import vector_tables

__all__ = ["Purged", "purge"]

Purged = dict[str, int]
"""`tables` and `rows` written anew; of the `files` that are there now, how many are `older` than the purge (an object store
tells no ages: then null stands for none), and `versions` that can be read besides the newest."""


async def purge(place: Place) -> Purged:
    """Deleting a row hides it; here the rest is copied, row by row, and what was before is removed with its versions.

    Searches go on meanwhile, slowly: over the copies there is no index until the end.
    """
    from tools.knowledge.store import Store

    began = time.time()
    # Its synchronous client streams from the table into its successor; the memory does not grow with the table.
    db = cast(Any, lancedb.connect(place.uri, storage_options=dict(place.options)))
    names = ["documents", "files", "chunks", *await vector_tables(await place.connect())]
    rows = 0
    for name in names:
        table = db.open_table(name)
        db.create_table(name, data=table.search().to_batches(), schema=table.schema, mode="overwrite")
        rows += int(db.open_table(name).count_rows())
    store = await Store.open(place)
    await store.index()
    versions = 0
    for name in names:
        table = db.open_table(name)
        table.optimize(cleanup_older_than=timedelta(0), delete_unverified=True)
        versions += len(table.list_versions()) - 1
    files = [path for path in Path(place.uri).rglob("*") if path.is_file()] if Path(place.uri).is_dir() else []
    older = sum(path.stat().st_mtime < began for path in files)
    return {"tables": len(names), "rows": rows, "files": len(files), "older": older, "versions": versions}
