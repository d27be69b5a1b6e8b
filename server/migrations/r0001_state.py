"""The first tables: files, vector stores, batches and responses."""

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0001"
down_revision = None


def _owned(name: str, *columns: "sa.Column[object] | sa.Index") -> None:
    op.create_table(
        name,
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("tenant", sa.String(200), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        *columns,
        sa.Index(f"{name}_of", "tenant", "subject", "created", "id"),
    )


def upgrade() -> None:
    _owned(
        "files",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("purpose", sa.String(40), nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("whole", sa.Boolean, nullable=False),
        sa.Column("expires", sa.BigInteger),
        sa.Index("files_expire", "expires"),
    )
    op.create_table(
        "file_parts",
        sa.Column("file", sa.String(64), sa.ForeignKey("files.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    _owned(
        "vector_stores",
        sa.Column("home", sa.String(64), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("metadata", sa.JSON, nullable=False),
        sa.Column("active", sa.BigInteger, nullable=False),
        sa.Column("days", sa.Integer),
        sa.Column("expires", sa.BigInteger),
    )
    op.create_table(
        "vector_store_files",
        sa.Column("store", sa.String(64), sa.ForeignKey("vector_stores.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("file", sa.String(64), primary_key=True),
        sa.Column("tenant", sa.String(200), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("batch", sa.String(64)),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("error", sa.JSON),
        sa.Column("attributes", sa.JSON, nullable=False),
        sa.Column("usage", sa.BigInteger, nullable=False),
        sa.Column("caller", sa.JSON, nullable=False),
        sa.Column("worker", sa.String(64)),
        sa.Column("heartbeat", sa.BigInteger),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Index("vector_store_files_by", "store", "created", "file"),
        sa.Index("vector_store_files_todo", "status", "heartbeat"),
    )
    _owned(
        "batches",
        sa.Column("caller", sa.JSON, nullable=False),
        sa.Column("endpoint", sa.String(100), nullable=False),
        sa.Column("input_file", sa.String(64), nullable=False),
        sa.Column("window", sa.String(20), nullable=False),
        sa.Column("metadata", sa.JSON),
        sa.Column("output_lives", sa.Integer),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("model", sa.Text),
        sa.Column("errors", sa.JSON),
        sa.Column("usage", sa.JSON),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("completed", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("output_file", sa.String(64)),
        sa.Column("error_file", sa.String(64)),
        sa.Column("times", sa.JSON, nullable=False),
        sa.Column("worker", sa.String(64)),
        sa.Column("heartbeat", sa.BigInteger),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sa.Index("batches_todo", "status", "heartbeat"),
    )
    op.create_table(
        "batch_lines",
        sa.Column("batch", sa.String(64), sa.ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("done", sa.Boolean, nullable=False),
        sa.Column("ok", sa.Boolean),
        sa.Column("result", sa.Text),
    )
    _owned(
        "responses",
        sa.Column("expires", sa.BigInteger),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("background", sa.Boolean, nullable=False),
        sa.Column("previous", sa.String(64)),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("items", sa.JSON, nullable=False),
        sa.Column("streamed", sa.Boolean, nullable=False),
        sa.Column("heartbeat", sa.BigInteger),
        sa.Index("responses_expire", "expires"),
        sa.Index("responses_todo", "status", "heartbeat"),
    )
    op.create_table(
        "response_events",
        sa.Column("response", sa.String(64), sa.ForeignKey("responses.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("event", sa.Text, nullable=False),
    )
