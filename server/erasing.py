"""Erases documents, or what belongs to a person, from every store; looks into every file whether it is gone; leaves a receipt."""

import json
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread
from pydantic import BaseModel, Field

from server.keys import KeyStore
from server.traces_of import Fingerprints, Seen
from tools.base import Caller, Forbidden, NotFound
from tools.knowledge import erasure
from tools.knowledge.place import tenant_folder

if TYPE_CHECKING:
    from server.house import House
    from server.state.erasing import Erasures
    from tools.knowledge.erasure import Held

__all__ = ["Check", "Receipt", "erase_documents", "erase_person", "shown"]

_ROWS = "rows of the knowledge base"
_TABLES = "tables of the knowledge base, written anew"
_OWN = frozenset({"documents", "nodes of the graph", "edges of the graph"})
"""Counts of what was made of the documents themselves; the others say what people of the tenant had written."""


class Check(BaseModel):
    """A look whether something is left."""

    where: str = Field(description="What was looked at.")
    looked_at: int = Field(description="Files, or rows.")
    left: int = Field(description="Those that still hold something of it; 0 = gone.")


class Receipt(BaseModel):
    """What was erased, without a word of what it said."""

    id: str = ""
    at: int = Field(description="Unix seconds.")
    by: str = Field(description="The subject that asked for it.")
    documents: list[str] = Field(description="Ids of the erased documents.")
    person: str | None = Field(default=None, description="The subject whose data were erased.")
    erased: dict[str, int] = Field(description="How many things, by store.")
    checks: list[Check] = Field(description="What was looked at afterwards.")
    complete: bool = Field(description="Whether nothing was left anywhere.")
    notes: list[str] = Field(default_factory=list[str], description="What nobody but you can look at or decide.")


def shown(receipt: Receipt, caller: Caller) -> Receipt:
    """A receipt as `caller` may see it.

    Whoever may erase a document of their own could else guess at a text, and read from the receipt whether it also stands
    in documents, answers or files of others. Administrators see all of it.
    """
    if "admin" in caller.roles:
        return receipt
    own = [check for check in receipt.checks if check.where in (_ROWS, _TABLES)]
    return receipt.model_copy(
        update={
            "erased": {name: count for name, count in receipt.erased.items() if name in _OWN},
            "checks": [check for check in own if check.where == _ROWS],
            "complete": all(check.left == 0 for check in own),
            "notes": ["What was found with others, and what is left there, administrators see in this receipt."],
        }
    )


async def erase_documents(house: "House", caller: Caller, ids: Sequence[str]) -> Receipt:
    """Erases documents from chunks, index, vectors, graph, stored responses, results, artifacts and logs.

    Raises:
        NotFound: one is not there for this caller; then nothing is erased.
        Forbidden: the caller may read one and not change it; then nothing is erased.
    """
    found = await erasure.held(house.servers.library, caller, ids)
    if missing := sorted(set(ids) - {each.id for each in found}):
        raise NotFound(
            f"The documents {', '.join(map(repr, missing))} are not there. Expected ids of documents; nothing was erased.",
            hint="List the documents to see their ids.",
        )
    return await _Erasing(house, caller).run(found, person=None)


async def erase_person(house: "House", caller: Caller, subject: str, *, documents: bool) -> Receipt:
    """Erases what belongs to a person: files, vector stores, stored responses, batches, artifacts, API keys, places in rules.

    Args:
        house: whose stores.
        caller: an administrator.
        subject: the person, as identities carry it.
        documents: the documents that the person brought into collections, too.

    Raises:
        Forbidden: the caller is no administrator.
    """
    if "admin" not in caller.roles:
        raise Forbidden("A person's data are erased by administrators.", hint="Ask the platform team.")
    return await _Erasing(house, caller).run([], person=subject, brought=documents)


class _Erasing:
    """One erasure, step by step; each may be done again, so that a broken one is simply asked for once more."""

    def __init__(self, house: "House", caller: Caller) -> None:
        self._house = house
        self._caller = caller
        self._library = house.servers.library
        self._tenant = caller.tenant
        self._erased: dict[str, int] = {}
        self._checks: list[Check] = []
        self._notes: list[str] = []

    async def run(self, documents: "list[Held]", *, person: str | None, brought: bool = False) -> Receipt:
        erasures = await anyio.to_thread.run_sync(_erasures, self._house)
        if person is not None:
            stores = await erasures.stores_of(self._tenant, person)
            places = list(stores)
            if brought:
                places += [each.name for each in await self._house.servers.collections.managed(self._caller)]
            documents = await erasure.brought_by(self._library, self._tenant, person, places)
        marks = await self._marks(documents)
        if documents:
            await self._graph(documents)
        ids = [each.id for each in documents]
        await self._quoting(marks, ids, erasures)
        if documents:  # last: as long as they are there, an erasure that was stopped can be asked for again
            await self._knowledge(documents)
        if person is not None:
            self._count(await erasures.person(self._tenant, person))
            owner = Caller(subject=person, tenant=self._tenant)
            self._count({"artifacts": await anyio.to_thread.run_sync(self._house.artifacts.drop, owner)})
            if owner == Caller(subject=person):  # all keys are of the default tenant
                self._count(
                    {"API keys": await anyio.to_thread.run_sync(KeyStore(self._house.settings.home).drop, person)}
                )
        await self._quoting(marks, ids, erasures)  # what was said of them while they were still there
        await erasures.scrub()
        await self._look(documents, marks, erasures)
        receipt = Receipt(
            at=int(time.time()),
            by=self._caller.subject,
            documents=sorted(each.id for each in documents),
            person=person,
            erased={name: count for name, count in sorted(self._erased.items()) if count},
            checks=self._checks,
            complete=all(check.left == 0 for check in self._checks),
            notes=self._notes,
        )
        id = await erasures.keep(self._caller, receipt.model_dump(mode="json", exclude={"id"}))
        return receipt.model_copy(update={"id": id})

    async def _marks(self, documents: "Sequence[Held]") -> Fingerprints:
        marks = Fingerprints([each.text for each in documents])
        if len(marks):
            async for text in erasure.others(self._library, self._tenant, documents):
                marks = marks.without(text)
        return marks

    async def _quoting(self, marks: Fingerprints, ids: Sequence[str], erasures: "Erasures") -> None:
        """What quotes the documents goes. Of others only what names one of them, too, unless an administrator erases: who
        guesses a line of somebody's answer must not be able to delete it."""
        if not len(marks):
            return
        named = re.compile(b"|".join(re.escape(json.dumps(id, ensure_ascii=False).encode()) for id in ids) or b"(?!)")
        all_of_them = "admin" in self._caller.roles

        def judge(said: bytes, subject: str) -> bool:
            mine = all_of_them or subject == self._caller.subject
            return marks.stand_in(said) and (mine or named.search(said) is not None)

        self._count(await erasures.quoting(self._tenant, judge))
        self._count({"artifacts": await anyio.to_thread.run_sync(self._artifacts, marks, all_of_them)})

    async def _graph(self, documents: "Sequence[Held]") -> None:
        for name in sorted({each.collection for each in documents}):
            ids = [each.id for each in documents if each.collection == name]
            self._count(await anyio.to_thread.run_sync(_from_graph, self._house, self._tenant, name, ids))
        await anyio.to_thread.run_sync(self._house.servers.refresh)

    async def _knowledge(self, documents: "Sequence[Held]") -> None:
        await erasure.drop(self._library, self._tenant, documents)
        self._count({"documents": len(documents)})
        done = await erasure.purge(self._library, self._tenant)
        self._checks.append(Check(where=_TABLES, looked_at=done["files"], left=done["older"] + done["versions"]))

    async def _look(self, documents: "Sequence[Held]", marks: Fingerprints, erasures: "Erasures") -> None:
        if documents:
            rows = await erasure.left(self._library, self._tenant, documents)
            self._checks.append(Check(where=_ROWS, looked_at=len(documents), left=rows))
        if not len(marks):
            return
        where = f"every file of the home, for {len(marks)} pieces of the text"
        for said in await erasures.of_other_tenants(self._tenant, marks.stand_in):
            marks = marks.without_those_in(said)
        seen: Seen = await anyio.to_thread.run_sync(self._everywhere, marks)
        self._checks.append(Check(where=where, looked_at=seen.files, left=len(seen.found)))
        self._notes += [f"Still found in {path.relative_to(self._house.settings.home)}." for path in seen.found]
        if uploads := await erasures.uploads(self._tenant, marks.stand_in):
            self._notes.append(f"Uploaded files say the same and belong to those who sent them: {', '.join(uploads)}.")
        self._notes.append(
            "Not looked at: backups, the files the documents were read from, and what engines keep in memory."
        )

    def _artifacts(self, marks: Fingerprints, all_of_them: bool) -> int:
        """Those of others are files without a word on what they were made of: they are an administrator's to delete."""
        artifacts = self._house.artifacts
        folder = artifacts.folder_of(self._tenant) if all_of_them else artifacts.folder(self._caller)
        gone = marks.look(folder).found if folder.is_dir() else ()
        for path in gone:
            path.unlink(missing_ok=True)
        return len(gone)

    def _everywhere(self, marks: Fingerprints) -> Seen:
        """What other tenants keep is no trace of ours: neither in their places, nor where all write into one file."""
        home = self._house.settings.home
        knowledge = home / "knowledge" / "lance"
        own = {knowledge / tenant_folder(self._tenant), self._house.artifacts.folder_of(self._tenant)}
        theirs = [path for root in (knowledge, home / "artifacts") for path in _folders(root) if path not in own]
        for folder in theirs:
            for path in marks.look(folder).found:
                with suppress(FileNotFoundError):  # they go on writing
                    marks = marks.without_those_in(path.read_bytes())
        return marks.look(home, besides=theirs)

    def _count(self, counts: dict[str, int]) -> None:
        for name, count in counts.items():
            self._erased[name] = self._erased.get(name, 0) + count


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []


def _erasures(house: "House") -> "Erasures":
    from server.state.erasing import Erasures

    return Erasures(house.state)


def _from_graph(house: "House", tenant: str, collection: str, ids: list[str]) -> dict[str, int]:
    from tools.graph.loading import forget

    counts = forget(tenant, collection, ids, config=house.servers.graph)
    return {"nodes of the graph": counts.nodes, "edges of the graph": counts.edges}
