"""What an installation remembers between requests, shared by all its workers: one database, one module per kind of thing."""

from server.state.address import postgresql_address
from server.state.database import Database

__all__ = ["Database", "postgresql_address"]
