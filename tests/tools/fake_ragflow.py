"""A RAGFlow server on this machine in the shapes of 0.27 and 1.0: datasets, documents, chunks, retrieval over a real port.

What differs between the two: 0.27 tells failures with status 200, names fields of a chunk anew and counts states in words;
1.0 answers with statuses, leaves out `data` of what it merely did, and parses at another address.
"""

import re
import uuid
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from fake_endpoint import on_a_port
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tools.ragflow import RagflowCollection, RagflowConfig

Version = Literal["0.27", "1.0"]
KEY = "ragflow-test-key"
STATES = {"waiting": ("UNSTART", "0"), "running": ("RUNNING", "1"), "done": ("DONE", "3"), "failed": ("FAIL", "4")}


@dataclass
class Doc:
    id: str
    name: str
    data: bytes
    created: int
    state: str = "waiting"
    looks: int = 0
    """Times it is listed as running before it is done."""
    meta: dict[str, Any] = field(default_factory=dict[str, Any])
    chunks: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, str]
    body: Any


@dataclass
class FakeRagflow:
    version: Version
    url: str = ""
    datasets: dict[str, list[Doc]] = field(default_factory=dict[str, list[Doc]])
    asked: list[Asked] = field(default_factory=list[Asked])
    fault: Callable[[Asked], Awaitable[Response | None] | Response | None] = lambda asked: None
    """Set in a test: what it gives is answered instead."""
    keeps_metadata: bool = True
    strays: bool = False
    """Searches everything, whatever it is told."""
    lag: int = 0
    """Times that new chunks are not listed yet, as with a search engine that shows them a moment later."""
    ghosts: bool = False
    """Finds what was deleted a moment ago."""
    describes: dict[str, Any] = field(default_factory=dict[str, Any])
    """Metadata that it makes of a document itself while it reads it."""
    sanitizes: bool = False
    """Calls a file otherwise where its name has characters that are not plain."""
    summaries: bool = False
    """Puts a summary of its own in front of what it finds."""
    clock: int = 1_700_000_000_000

    @property
    def new(self) -> bool:
        return self.version == "1.0"

    def cleared(self, *datasets: str) -> "FakeRagflow":
        """As new, with these empty datasets."""
        fresh = FakeRagflow(self.version, self.url, {name: [] for name in datasets})
        vars(self).update(vars(fresh))
        return self

    def add(self, dataset: str, name: str, text: str, **meta: object) -> Doc:
        """A document that somebody else brought."""
        doc = self._doc(dataset, name, text.encode())
        doc.meta = dict(meta)
        self._cut(doc)
        return doc

    def _doc(self, dataset: str, name: str, data: bytes) -> Doc:
        taken = {doc.name for doc in self.datasets[dataset]}
        stem, dot, ending = name.rpartition(".")
        number, free = 0, name
        while free in taken:
            number += 1
            free = f"{stem}({number}){dot}{ending}"
        self.clock += 1_000
        doc = Doc(uuid.uuid4().hex, free, data, self.clock)
        self.datasets[dataset].append(doc)
        return doc

    def _cut(self, doc: Doc) -> None:
        pages = doc.data.decode(errors="replace").split("\f")
        doc.chunks = []
        for page, text in enumerate(pages, 1):
            for stretch in filter(None, map(str.strip, text.split("\n\n"))):
                at = len(doc.chunks) + 1
                row = [page, 10, 500, at * 20, at * 20 + 15] if doc.name.endswith(".pdf") else [at] * 5
                id = uuid.uuid5(uuid.NAMESPACE_URL, f"{doc.id}{at}{stretch}").hex[:16]
                doc.chunks.append({"id": id, "content": stretch, "positions": [row], "available": True})
        doc.state = "done"

    def ok(self, data: Any = None) -> Response:
        if self.new:
            return JSONResponse({"code": 0, "message": "success", **({} if data is None else {"data": data})})
        return JSONResponse({"code": 0, "data": data})

    def no(self, code: int, message: str, status: int = 400) -> Response:
        body = {"code": code, "message": message}
        return JSONResponse(body, status_code=status) if self.new else JSONResponse({**body, "data": False})

    async def __call__(self, request: Request) -> Response:
        typed = request.headers.get("content-type", "").startswith("application/json")
        asked = Asked(
            request.method, request.url.path, dict(request.query_params), await request.json() if typed else None
        )
        self.asked.append(asked)
        told = self.fault(asked)
        answer = await told if isinstance(told, Awaitable) else told
        if answer is not None:
            return answer
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return self.no(401 if self.new else 109, "Authentication error: API key is invalid!", 401)
        parts = asked.path.removeprefix("/api/v1/").split("/")
        if parts == ["retrieval"]:
            return self._retrieval(asked.body)
        if parts[0] != "datasets" or len(parts) < 3:
            return Response(status_code=404)
        if parts[1] not in self.datasets:
            return self.no(102, f"You don't own the dataset {parts[1]}.", 404)
        return await self._in_dataset(parts[1], parts[2:], asked, request)

    async def _in_dataset(self, dataset: str, rest: list[str], asked: Asked, request: Request) -> Response:
        docs = self.datasets[dataset]
        match asked.method, rest:
            case "GET", ["documents"]:
                return self._documents(docs, asked.query)
            case "POST", ["documents"]:
                async with request.form() as form:
                    file: Any = form["file"]
                    name = file.filename.encode("ascii", "replace").decode().replace("?", "_")
                    doc = self._doc(dataset, name if self.sanitizes else file.filename, await file.read())
                return self.ok([self._shown(doc)])
            case "DELETE", ["documents"]:
                gone = set(asked.body["ids"] or [doc.id for doc in docs])
                self.datasets[dataset] = [doc for doc in docs if doc.id not in gone]
                return self.ok()
            case ("POST", ["chunks"]) | ("POST", ["documents", "parse"]):
                if (rest == ["chunks"]) is self.new:
                    return Response("404 page not found", status_code=404)
                for doc in docs:
                    if doc.id in asked.body["document_ids"]:
                        doc.state, doc.looks = "running", 1
                return self.ok()
            case "PATCH", ["documents", id]:
                return self._change(docs, id, asked.body)
            case "GET", ["documents", id, "chunks"]:
                return self._chunks(docs, id, asked.query)
            case _:
                return Response(status_code=404)

    def _documents(self, docs: list[Doc], query: dict[str, str]) -> Response:
        size = int(query.get("page_size", 30))
        if size > 100:
            return self.no(101, "page_size must be less than or equal to 100")
        found = [
            doc
            for doc in docs
            if query.get("id", doc.id) == doc.id
            and query.get("name", doc.name) == doc.name
            and query.get("run", self._state(doc)) in STATES[doc.state]
        ]
        if not found and ("id" in query or "name" in query):
            return self.no(102, f"You don't own the document {query.get('id') or query.get('name')}.", 404)
        for doc in found:
            if doc.state == "running":
                doc.looks -= 1
                if doc.looks < 0 and b"unreadable" in doc.data:
                    doc.state = "failed"
                elif doc.looks < 0:
                    self._cut(doc)
                    doc.meta = {**doc.meta, **self.describes}
        found.sort(key=lambda doc: doc.created, reverse=query.get("desc", "true") != "false")
        start = (int(query.get("page", 1)) - 1) * size
        return self.ok({"docs": [self._shown(doc) for doc in found[start : start + size]], "total": len(found)})

    def _state(self, doc: Doc) -> str:
        return STATES[doc.state][self.new]

    def _shown(self, doc: Doc) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "id": doc.id,
            "name": doc.name,
            "size": len(doc.data),
            "run": self._state(doc),
            "chunk_count": len(doc.chunks),
            "create_time": doc.created,
            "create_date": "Tue, 14 Nov 2023 22:13:20 GMT",
            "progress_msg": "Start.\nNo text layer." if doc.state == "failed" else "",
            "thumbnail": None,
            **({"parser_id": "general"} if self.new else {"chunk_method": "naive"}),
        }
        return {**shown, "meta_fields": doc.meta} if self.keeps_metadata else shown

    def _change(self, docs: list[Doc], id: str, body: dict[str, Any]) -> Response:
        doc = next((doc for doc in docs if doc.id == id), None)
        if doc is None:
            return self.no(102, "The dataset doesn't own the document.", 404)
        if any("," in value for value in body.get("meta_fields", {}).values()):
            return self.no(101, "a value with a comma would be split")
        doc.meta = body.get("meta_fields", doc.meta)
        if body.get("name", doc.name) != doc.name and body["name"] in {one.name for one in docs}:
            return self.no(102, "Duplicated document name in the same dataset.")
        doc.name = body.get("name", doc.name)
        return self.ok(self._shown(doc))

    def _chunks(self, docs: list[Doc], id: str, query: dict[str, str]) -> Response:
        doc = next((doc for doc in docs if doc.id == id), None)
        if doc is None:
            return self.no(102, f"You don't own the document {id}.", 404)
        if self.lag:
            self.lag -= 1
            return self.ok({"chunks": [], "total": 0, "doc": self._shown(doc)})
        size = int(query.get("page_size", 30))
        start = (int(query.get("page", 1)) - 1) * size
        # what stands at one place is listed in no order that holds
        page = list(reversed(doc.chunks))[start : start + size]
        return self.ok({"chunks": page, "total": len(doc.chunks), "doc": self._shown(doc)})

    def _retrieval(self, body: dict[str, Any]) -> Response:
        ids = body.get("document_ids") or None
        known = {doc.id for docs in self.datasets.values() for doc in docs}
        if ids is not None and (gone := set(ids) - known):
            return self.no(102, f"The datasets don't own the document {min(gone)}")
        for dataset in body["dataset_ids"]:
            if dataset not in self.datasets:
                return self.no(102, f"You don't own the dataset {dataset}.", 404)
        words = set(re.findall(r"\w{3,}", body["question"].lower()))
        found: list[dict[str, Any]] = []
        for dataset, docs in self.datasets.items():
            for doc in docs:
                for chunk in doc.chunks if doc.state == "done" else ():
                    inside = self.strays or (dataset in body["dataset_ids"] and (ids is None or doc.id in ids))
                    share = sum(word in chunk["content"].lower() for word in words) / max(1, len(words))
                    if inside and chunk["available"] and share >= body["similarity_threshold"]:
                        found.append(self._hit(dataset, doc, chunk, share))
        found.sort(key=lambda hit: -hit["similarity"])
        if self.ghosts and found:
            found.insert(0, {**found[0], self._name("id"): "ghost", self._name("document_id"): "0" * 32})
        if self.summaries and found:
            found.insert(0, {**found[0], self._name("id"): "summary", self._name("content"): "In short: all of it."})
        size = int(body["page_size"])
        return self.ok({"chunks": found[:size], "doc_aggs": [], "total": len(found)})

    def _hit(self, dataset: str, doc: Doc, chunk: dict[str, Any], share: float) -> dict[str, Any]:
        fields = {"id": chunk["id"], "content": chunk["content"], "document_id": doc.id, "document_keyword": doc.name}
        fields = {**fields, "dataset_id": dataset, "positions": chunk["positions"], "image_id": ""}
        shares = {"similarity": share, "term_similarity": share, "vector_similarity": share / 2}
        return {**{self._name(key): value for key, value in fields.items()}, **shares}

    def _name(self, field: str) -> str:
        raw = {
            "id": "chunk_id",
            "content": "content_with_weight",
            "document_id": "doc_id",
            "document_keyword": "docnm_kwd",
            "dataset_id": "kb_id",
            "image_id": "img_id",
        }
        return raw.get(field, field) if self.new else field


@contextmanager
def ragflow(version: Version, *datasets: str) -> Generator[FakeRagflow]:
    """A server with these empty datasets."""
    fake = FakeRagflow(version, datasets={name: [] for name in datasets})
    app = Starlette(routes=[Route("/{rest:path}", fake.__call__, methods=["GET", "POST", "PATCH", "DELETE"])])
    with on_a_port(app) as address:
        fake.url = address
        yield fake


def config(fake: FakeRagflow, **more: object) -> RagflowConfig:
    """The settings of this server, with one collection over the datasets `open` and `few`."""
    given: dict[str, object] = {
        "url": f"{fake.url}/api/v1/",
        "key": SecretStr(KEY),
        "collections": (RagflowCollection(dataset="open", narrowed="few"),),
        **more,
    }
    return RagflowConfig.model_validate(given)
