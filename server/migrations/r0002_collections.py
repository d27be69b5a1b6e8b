"""Collections with their readers, receipts of what was erased, and how files of vector stores are cut."""

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "collections",
        sa.Column("tenant", sa.String(200), primary_key=True),
        sa.Column("name", sa.String(63), primary_key=True),
        sa.Column("owner", sa.String(200)),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("language", sa.String(2)),
        sa.Column("retention_days", sa.Integer),
        sa.Column("readers", sa.JSON, nullable=False),
        sa.Column("editors", sa.JSON, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "erasures",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("tenant", sa.String(200), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("receipt", sa.JSON, nullable=False),
        sa.Index("erasures_of", "tenant", "subject", "created", "id"),
    )
    op.add_column("vector_store_files", sa.Column("windows", sa.JSON))
