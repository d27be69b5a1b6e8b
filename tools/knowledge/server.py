"""The knowledge base as an MCP tool server."""

from fastmcp import Context, FastMCP
from fastmcp.server.auth import AuthProvider

from tools.base import Caller, Passages, caller_of
from tools.knowledge import (
    Collections,
    Delete,
    Deleted,
    DocumentRef,
    Documents,
    DocumentText,
    Ingest,
    IngestReport,
    KnowledgeConfig,
    ListCollections,
    ListDocuments,
    Search,
    Similar,
    collections,
    delete,
    document,
    documents,
    ingest,
    search,
    similar,
)
from tools.knowledge.library import Inline, Library
from tools.knowledge.shelf import Shelf
from tools.server import bind, tool_server

__all__ = ["build"]


def build(
    config: KnowledgeConfig,
    *,
    auth: AuthProvider | None = None,
    local: Caller | None = None,
    library: Shelf | None = None,
) -> FastMCP:
    """Builds the server over the store at `config.home`; `library` is what keeps the documents instead."""
    shelf: Shelf = library or Library(config)

    async def on_search(given: Search, ctx: Context) -> Passages:
        return await shelf.search(
            given.query,
            caller=caller_of(ctx),
            collections=given.collections,
            limit=given.limit,
            language=given.language,
            filter=given.filter,
            around=given.around,
            why=given.why,
        )

    async def on_similar(given: Similar, ctx: Context) -> Passages:
        return await shelf.similar(
            given.document,
            caller=caller_of(ctx),
            start=given.start,
            collections=given.collections,
            limit=given.limit,
            filter=given.filter,
            around=given.around,
            why=given.why,
        )

    async def on_collections(given: ListCollections, ctx: Context) -> Collections:
        return Collections(collections=await shelf.reaches.list(caller_of(ctx)))

    async def on_ingest(given: Ingest, ctx: Context) -> IngestReport:
        async def report(done: float, total: float, message: str) -> None:
            await ctx.report_progress(done, total, message)

        if given.url is not None:
            from tools.knowledge.fetch import fetch

            # Before anything is asked for: who may not put it there learns nothing of what lies at the address.
            await shelf.reaches.writable(caller_of(ctx), given.collection)
            sent = await fetch(given.url, config)
        else:
            sent = Inline(given.name, given.data)
        return await shelf.ingest(
            documents=[sent],
            caller=caller_of(ctx),
            collection=given.collection,
            access=given.access,
            on_progress=report,
        )

    async def on_documents(given: ListDocuments, ctx: Context) -> Documents:
        return await shelf.documents(
            caller_of(ctx), collection=given.collection, limit=given.limit, offset=given.offset
        )

    async def on_document(given: DocumentRef, ctx: Context) -> DocumentText:
        return await shelf.text(given.id, caller_of(ctx))

    async def on_delete(given: Delete, ctx: Context) -> Deleted:
        return await shelf.delete(given.ids, caller_of(ctx))

    return tool_server(
        "knowledge",
        [
            bind(search, on_search),
            bind(similar, on_similar),
            bind(collections, on_collections),
            bind(ingest, on_ingest),
            bind(documents, on_documents),
            bind(document, on_document),
            bind(delete, on_delete),
        ],
        instructions="Documents of the organisation. Search first; quote passages with their offsets, never from memory.",
        auth=auth,
        local=local,
    )
