"""What the setting `database` may name: an address of PostgreSQL, checked when the settings are read."""

from urllib.parse import urlsplit

from pydantic import SecretStr
from pydantic_core import PydanticCustomError

__all__ = ["postgresql_address"]


def postgresql_address(url: SecretStr | None) -> SecretStr | None:
    """`url` where it is whole, None where it is empty; what was given is never shown: it may hold a password.

    Raises:
        PydanticCustomError: it is no address of a PostgreSQL database.
    """
    if url is None or not url.get_secret_value():
        return None
    if _is_postgresql(url.get_secret_value()):
        return url
    raise PydanticCustomError(
        "no_database", "it is no address of PostgreSQL, expected 'postgresql://user:password@host/name'"
    )


def _is_postgresql(url: str) -> bool:
    try:
        parts = urlsplit(url)
        named = len(parts.path) > 1 and parts.port != 0
    except ValueError:
        return False
    return parts.scheme in ("postgresql", "postgres") and named and url.isprintable()
