"""What one act on the knowledge base may touch, as a filter that is a part of every statement."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tools.base import Access, Reach

__all__ = ["Readable", "Scope", "Target", "access_key", "listed", "moment", "text_of"]


@dataclass(frozen=True, slots=True)
class Readable:
    """What a caller reads: these collections, and in them what admits one of the principals."""

    tenant: str
    collections: Mapping[str, int | None]
    """Each with the days it keeps what it holds; null = without end."""
    principals: frozenset[str] | None
    """Null: everything in them, for a shelf whose owner is asked for elsewhere."""

    @classmethod
    def of(cls, reach: Reach, collections: Sequence[str] | None = None) -> "Readable":
        """All that `reach` says, or some of its collections."""
        chosen = reach.collections if collections is None else {name: reach.collections[name] for name in collections}
        return cls(reach.tenant, chosen, reach.principals)

    @property
    def filter(self) -> str:
        """Within it nothing else is ever scored, counted or returned; what is past its time is not there, either."""
        parts = [f"tenant = {text_of(self.tenant)}", f"collection IN ({listed(self.collections)})"]
        if self.principals is not None:
            parts.append(f"(access = '' OR array_has_any(readers, make_array({listed(sorted(self.principals))})))")
        for name, days in self.collections.items():
            if days is not None:
                oldest = datetime.now(UTC) - timedelta(days=days)
                parts.append(f"NOT (collection = {text_of(name)} AND ingested_at < {moment(oldest)})")
        return " AND ".join(parts)


@dataclass(frozen=True, slots=True)
class Target:
    """Where documents are put, and from where they are replaced: one collection, and in it those with the same readers.

    Documents that other readers may see are not looked at: what is there for them must not show in a report or an id.
    """

    tenant: str
    collection: str
    readers: tuple[str, ...] | None = None
    """Narrower than the collection's; null = the same."""

    @classmethod
    def of(cls, tenant: str, collection: str, access: Access | None, subject: str) -> "Target":
        """A narrowed document is readable for whoever brings it, too."""
        if access is None or access.everyone:
            return cls(tenant, collection)
        return cls(tenant, collection, tuple(sorted({*access.principals, f"user:{subject}"})))

    @property
    def access(self) -> str:
        """Tells the readers of documents apart; empty where the collection's own are meant."""
        return access_key(self.readers)

    @property
    def filter(self) -> str:
        return f"{self.whole} AND access = {text_of(self.access)}"

    @property
    def whole(self) -> str:
        """The collection with all that is in it."""
        return f"tenant = {text_of(self.tenant)} AND collection = {text_of(self.collection)}"


Scope = Readable | Target


def access_key(readers: Iterable[str] | None) -> str:
    """Of a list of readers, whatever its order."""
    return "" if readers is None else hashlib.sha256("\0".join(sorted(readers)).encode()).hexdigest()[:16]


def text_of(value: str) -> str:
    """`value` as a literal of a filter."""
    return "'" + value.replace("'", "''") + "'"


def listed(values: Iterable[str]) -> str:
    """`values` as the literals of `IN (…)`; where there are none, the empty text, which names nothing."""
    return ", ".join(map(text_of, values)) or "''"


def moment(value: datetime) -> str:
    """`value` as a literal of a filter."""
    plain = value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")  # the year 33 is 0033 there
    return f"TIMESTAMP '{plain}Z'"
