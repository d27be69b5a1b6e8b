"""Brings the tables of a database to this version, one migration after the other; the caller holds the lock."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from server.state.tables import REVISION
from tools.base import SetupError

__all__ = ["FOLDER", "migrate"]

FOLDER = Path(__file__).parent.parent / "migrations"


def migrate(connection: Connection, where: str) -> None:
    """Runs what is missing, within the transaction of `connection`: all of it, or nothing.

    Raises:
        SetupError: the tables are of a newer version, or of something else; `where` names the database.
    """
    here = _revision(connection)
    if here == REVISION:
        return
    # Only a new or an old database pays for this import.
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(FOLDER), version_locations=[str(FOLDER)])
    known = {script.revision for script in scripts.walk_revisions()}
    if here is not None and here not in known:
        raise SetupError(
            f"{where} has tables of version {here!r}. This version reads {REVISION!r} and older.",
            hint="Start the newer version of Partitur again, or set another database.",
        )
    context = MigrationContext.configure(connection)
    with Operations.context(context):
        for script in reversed(list(scripts.iterate_revisions(REVISION, here or "base"))):
            script.module.upgrade()
            context.stamp(scripts, script.revision)


def _revision(connection: Connection) -> str | None:
    """The last migration that was run; None in a new database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
