"""The tables of the database. Each row belongs to a tenant and a subject, and each query names both."""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    and_,
)

from tools.base import Caller

__all__ = [
    "REVISION",
    "batch_lines",
    "batches",
    "collections",
    "erasures",
    "file_parts",
    "files",
    "metadata",
    "mine",
    "response_events",
    "responses",
    "row_of",
    "vector_store_files",
    "vector_stores",
]

REVISION = "0002"
"""The newest migration; a database that stands there is opened without looking at the others."""

metadata = MetaData()
"""Times are Unix seconds. Every change here has its migration in `server/migrations`; a test compares the two."""


def _owner() -> tuple[Column[str], Column[str]]:
    return Column("tenant", String(200), nullable=False), Column("subject", String(200), nullable=False)


def _time(name: str, *, optional: bool = True) -> Column[int]:
    return Column(name, BigInteger, nullable=optional)


files = Table(
    "files",
    metadata,
    Column("id", String(64), primary_key=True),
    *_owner(),
    Column("name", Text, nullable=False),
    Column("purpose", String(40), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("whole", Boolean, nullable=False),
    _time("created", optional=False),
    _time("expires"),
    Index("files_of", "tenant", "subject", "created", "id"),
    Index("files_expire", "expires"),
)
"""Until `whole`, a file is being uploaded and nobody sees it; its parts are added in transactions of their own."""

file_parts = Table(
    "file_parts",
    metadata,
    Column("file", String(64), ForeignKey("files.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),
)

vector_stores = Table(
    "vector_stores",
    metadata,
    Column("id", String(64), primary_key=True),
    *_owner(),
    Column("home", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("metadata", JSON, nullable=False),
    _time("created", optional=False),
    _time("active", optional=False),
    Column("days", Integer),
    _time("expires"),
    Index("vector_stores_of", "tenant", "subject", "created", "id"),
)
"""`home` names the home where its documents lie. `days` without use after which it expires; `expires` is the time that
makes, moved at each use."""

vector_store_files = Table(
    "vector_store_files",
    metadata,
    Column("store", String(64), ForeignKey("vector_stores.id", ondelete="CASCADE"), primary_key=True),
    Column("file", String(64), primary_key=True),
    *_owner(),
    Column("batch", String(64)),
    Column("name", Text, nullable=False),
    Column("status", String(20), nullable=False),
    Column("error", JSON),
    Column("attributes", JSON, nullable=False),
    Column("usage", BigInteger, nullable=False),
    Column("caller", JSON, nullable=False),
    Column("windows", JSON),
    Column("worker", String(64)),
    _time("heartbeat"),
    _time("created", optional=False),
    Index("vector_store_files_by", "store", "created", "file"),
    Index("vector_store_files_todo", "status", "heartbeat"),
)
"""A file in a store. No foreign key to the file: what was ingested stays when the upload is deleted. `windows`: into how
many tokens with how many in common it is cut; null = by its structure."""

batches = Table(
    "batches",
    metadata,
    Column("id", String(64), primary_key=True),
    *_owner(),
    Column("caller", JSON, nullable=False),
    Column("endpoint", String(100), nullable=False),
    Column("input_file", String(64), nullable=False),
    Column("window", String(20), nullable=False),
    Column("metadata", JSON),
    Column("output_lives", Integer),
    Column("status", String(20), nullable=False),
    Column("model", Text),
    Column("errors", JSON),
    Column("usage", JSON),
    Column("total", Integer, nullable=False),
    Column("completed", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("output_file", String(64)),
    Column("error_file", String(64)),
    Column("times", JSON, nullable=False),
    Column("worker", String(64)),
    _time("heartbeat"),
    _time("created", optional=False),
    _time("expires", optional=False),
    Index("batches_of", "tenant", "subject", "created", "id"),
    Index("batches_todo", "status", "heartbeat"),
)
"""`caller` is who asked, as JSON: the work runs with their permissions. `times`: when it came to which status."""

batch_lines = Table(
    "batch_lines",
    metadata,
    Column("batch", String(64), ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("request", Text, nullable=False),
    Column("done", Boolean, nullable=False),
    Column("ok", Boolean),
    Column("result", Text),
)
"""A request of a batch and, once it is `done`, the line of the output file or the error file."""

responses = Table(
    "responses",
    metadata,
    Column("id", String(64), primary_key=True),
    *_owner(),
    _time("created", optional=False),
    _time("expires"),
    Column("model", Text, nullable=False),
    Column("status", String(20), nullable=False),
    Column("background", Boolean, nullable=False),
    Column("previous", String(64)),
    Column("body", JSON, nullable=False),
    Column("items", JSON, nullable=False),
    Column("streamed", Boolean, nullable=False),
    _time("heartbeat"),
    Index("responses_of", "tenant", "subject", "created", "id"),
    Index("responses_expire", "expires"),
    Index("responses_todo", "status", "heartbeat"),
)
"""`body`: the response as it is shown; `items`: what was sent. The conversation goes back over `previous`."""

response_events = Table(
    "response_events",
    metadata,
    Column("response", String(64), ForeignKey("responses.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("event", Text, nullable=False),
)
"""What was told of a response in the background that is `streamed`, so that any worker can tell it again."""


collections = Table(
    "collections",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("name", String(63), primary_key=True),
    Column("owner", String(200)),
    Column("purpose", Text, nullable=False),
    Column("language", String(2)),
    Column("retention_days", Integer),
    Column("readers", JSON, nullable=False),
    Column("editors", JSON, nullable=False),
    _time("created", optional=False),
)
"""Who may read and change what is in it, in all stores. The default one has a row only where its rules were changed."""

erasures = Table(
    "erasures",
    metadata,
    Column("id", String(64), primary_key=True),
    *_owner(),
    _time("created", optional=False),
    Column("receipt", JSON, nullable=False),
    Index("erasures_of", "tenant", "subject", "created", "id"),
)
"""What was erased for whom, without what it said."""


def mine(table: Table, caller: Caller) -> ColumnElement[bool]:
    """What this caller may see of a table; part of every query."""
    return and_(table.c.tenant == caller.tenant, table.c.subject == caller.subject)


def row_of(caller: Caller) -> dict[str, Any]:
    """The two columns that say whose a new row is."""
    return {"tenant": caller.tenant, "subject": caller.subject}
