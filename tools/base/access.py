"""Who may read: lists of users and groups, the principals of a caller, and what a caller reaches with them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from tools.base.caller import Caller
from tools.base.errors import NotFound

__all__ = ["DEFAULT", "EVERYONE", "Access", "Collection", "OpenReach", "Reach", "Reaches", "principals_of"]

EVERYONE = "*"
"""The principal that every caller of a tenant has."""
DEFAULT = "default"
"""The collection that is meant where none is named. Everyone of the tenant may read it until its owner says otherwise."""


def principals_of(caller: Caller) -> frozenset[str]:
    """What access lists can name of a caller: `*`, `user:anna`, `group:bauamt`."""
    return frozenset({EVERYONE, f"user:{caller.subject}", *(f"group:{name}" for name in caller.groups)})


class Access(BaseModel):
    """Who may: these users, the members of these groups, or everyone of the tenant. An empty one admits nobody."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    users: tuple[str, ...] = Field(default=(), max_length=1_000, description="Subjects, as identities carry them.")
    groups: tuple[str, ...] = Field(default=(), max_length=1_000, description="Names of groups.")
    everyone: bool = Field(default=False, description="Everyone of the tenant.")

    @property
    def principals(self) -> tuple[str, ...]:
        """The same as principals, as they are stored with what they guard."""
        if self.everyone:
            return (EVERYONE,)
        return (*(f"user:{name}" for name in self.users), *(f"group:{name}" for name in self.groups))

    def admits(self, caller: Caller) -> bool:
        """Whether this caller may."""
        return not principals_of(caller).isdisjoint(self.principals)


class Collection(BaseModel):
    """What belongs together: documents, nodes and edges, tables, with one purpose and one list of readers."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="Its name at every interface.")
    owner: str | None = Field(default=None, description="The subject that answers for it; null: the platform team.")
    purpose: str = Field(default="", max_length=1_000, description="What it is kept for.")
    language: Literal["de", "en"] | None = Field(default=None, description="Of most of its texts, where one is.")
    retention_days: int | None = Field(
        default=None, ge=1, le=36_500, description="Days after which what was put in is deleted; null = never."
    )
    readers: Access = Field(default=Access(), description="Who may read what is in it; its owner always may.")
    editors: Access = Field(default=Access(), description="Who may put in and take out; its owner always may.")


@dataclass(frozen=True, slots=True)
class Reach:
    """What one caller may read now. A thing is readable where its collection is among `collections`, and its own
    readers, where it narrows them, hold one of `principals`."""

    caller: Caller
    collections: Mapping[str, int | None] = field(default_factory=lambda: {DEFAULT: None})
    """Each readable collection with the days it keeps what it holds; null = without end."""

    @property
    def tenant(self) -> str:
        return self.caller.tenant

    @property
    def principals(self) -> frozenset[str]:
        return principals_of(self.caller)

    def admits(self, collection: str, readers: Iterable[str] | None) -> bool:
        """Whether a thing of this collection with these readers (null = whoever reads the collection) is readable."""
        return collection in self.collections and (readers is None or not self.principals.isdisjoint(readers))


class Reaches(Protocol):
    """Says what callers reach; asked anew for every act, so that what is withdrawn is out of reach at once."""

    async def of(self, caller: Caller) -> Reach:
        """What `caller` may read now."""
        ...

    async def list(self, caller: Caller) -> list[Collection]:
        """The collections that `caller` may read, by name."""
        ...

    async def writable(self, caller: Caller, collection: str) -> None:
        """Returns where `caller` may put things into `collection` and take them out.

        Raises:
            NotFound: there is no such collection for this caller.
            Forbidden: the caller may read it, not change it.
        """
        ...


class OpenReach:
    """Where nobody made collections: each tenant has the default one, open to all of it."""

    async def of(self, caller: Caller) -> Reach:
        """What `caller` may read: the default collection."""
        return Reach(caller)

    async def list(self, caller: Caller) -> list[Collection]:
        """See `Reaches`."""
        return [Collection(name=DEFAULT, readers=Access(everyone=True), editors=Access(everyone=True))]

    async def writable(self, caller: Caller, collection: str) -> None:
        """See `Reaches`."""
        if collection != DEFAULT:
            raise NotFound(f"The collection {collection!r} is not there. Expected {DEFAULT!r}.", hint="Make it first.")
