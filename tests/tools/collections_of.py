"""Collections for tests of the tools: rules in a dictionary, asked as the house's are."""

from dataclasses import dataclass, field

from tools.base import DEFAULT, Access, Caller, Collection, Forbidden, NotFound, Reach


@dataclass
class Shelves:
    """Collections of one tenant by name; the default one is open."""

    rules: dict[str, Collection] = field(default_factory=dict)
    tenant: str = "stadt"

    def __post_init__(self) -> None:
        self.rules.setdefault(DEFAULT, Collection(name=DEFAULT, readers=ALL, editors=ALL))

    def _mine(self, caller: Caller) -> list[Collection]:
        if caller.tenant != self.tenant:
            return [Collection(name=DEFAULT, readers=ALL, editors=ALL)]
        return [
            each
            for each in self.rules.values()
            if each.owner == caller.subject or each.readers.admits(caller) or each.editors.admits(caller)
        ]

    async def of(self, caller: Caller) -> Reach:
        return Reach(caller, {each.name: each.retention_days for each in self._mine(caller)})

    async def list(self, caller: Caller) -> list[Collection]:
        return self._mine(caller)

    async def writable(self, caller: Caller, collection: str) -> None:
        for each in self._mine(caller):
            if each.name == collection:
                if each.owner == caller.subject or each.editors.admits(caller):
                    return
                raise Forbidden(f"{collection!r} is not yours to change.", hint="Ask its owner.")
        raise NotFound(f"The collection {collection!r} is not there.", hint="Make it.")


ALL = Access(everyone=True)
