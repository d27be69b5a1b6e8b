"""The commands about the graph: what documents say goes into it."""

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

import click

from server.house import LOCAL
from server.ingest import Bar, open_servers
from tools.base import NeedsModel

if TYPE_CHECKING:
    from server.settings import Settings
    from tools.graph import RebuildReport
    from tools.graph.gathering import Gathered, Offer
    from tools.knowledge import Document
    from tools.knowledge.shelf import Shelf

__all__ = ["build_command", "rebuild_command"]


def build_command(
    settings: "Settings",
    *,
    collection: str,
    town: str | None,
    model: bool,
    again: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Reads the documents of a collection into the graph and prints the report."""
    done = asyncio.run(_build(settings, collection, town, model=model, again=again, quiet=quiet))
    if as_json:
        told = {"unchanged": done.unchanged, "removed": done.removed, **asdict(done.taken)}
        click.echo(json.dumps({**told, "spending": done.taken.spending.model_dump()}, ensure_ascii=False, indent=2))
    else:
        click.echo(_told(done))
    return 0


def rebuild_command(settings: "Settings", *, as_json: bool, quiet: bool) -> int:
    """Builds the graph again from its sources and prints what it was built of."""
    from tools.graph.loading import rebuild

    async def run() -> "RebuildReport":
        async with AsyncExitStack() as closing:
            with Bar("Building", unit="%", quiet=quiet) as bar:
                return rebuild(config=open_servers(settings, closing).graph, on_progress=bar)

    report = asyncio.run(run())
    if as_json:
        click.echo(report.model_dump_json(indent=2))
    else:
        parts = f"{report.nodes} nodes and {report.edges} edges of {report.sources} lists and documents"
        click.echo(f"Built: generation {report.generation}, {parts}")
    return 0


async def _build(
    settings: "Settings", collection: str, town: str | None, *, model: bool, again: bool, quiet: bool
) -> "Gathered":
    from tools.endpoint import Endpoint
    from tools.graph.gathering import gather

    async with AsyncExitStack() as closing:
        with Bar("Reading", unit="documents", quiet=quiet) as bar:
            servers = open_servers(settings, closing)
            await servers.collections.writable(LOCAL, collection)
            pool = servers.pool("chat") if model else None
            if model and pool is None:
                raise NeedsModel("'--model' reads documents with a chat model, and none is set. Expected one.")
            listed = await servers.shelf.documents(LOCAL, collection=collection)
            return await gather(
                [_offer(servers.shelf, document, collection) for document in listed.documents],
                config=servers.graph,
                tenant=LOCAL.tenant,
                collection=collection,
                town=town,
                endpoint=Endpoint(pool=pool, setting="PARTITUR_MODEL") if pool else None,
                again=again,
                on_progress=bar,
            )


def _offer(shelf: "Shelf", document: "Document", collection: str) -> "Offer":
    from tools.graph.gathering import Offer
    from tools.knowledge.passages import passages_of

    readers = None if document.readers is None else tuple(document.readers)
    return Offer(
        document=document.id,
        title=document.title,
        language=document.language,
        version=f"{document.ingested_at.isoformat()}, {document.size}, {readers}",
        readers=readers,
        read=partial(passages_of, shelf, document.id, LOCAL, collection=collection),
    )


def _told(done: "Gathered") -> str:
    taken = done.taken
    lines = [
        f"Documents: {taken.documents} read, {done.unchanged} unchanged, {done.removed} removed",
        f"Found: {taken.nodes} nodes, {taken.edges} edges in {taken.passages} passages",
    ]
    if taken.spending.requests:
        spent = taken.spending
        lines.append(
            f"Model: {spent.requests} requests, {spent.input_tokens} tokens read, {spent.output_tokens} written"
        )
    lines += [f"Left out: {count} × {reason}" for reason, count in taken.dropped.most_common()]
    return "\n".join(lines)
