"""The commands about models: what the hub has and how it fares, a real request of each kind, how to start an engine."""

import asyncio
import io
import json
import shlex
import wave
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

import click
from rich.console import Console
from rich.table import Table

from server.models import Models, house_models, open_hub
from tools.base import NotFound, PartiturError

if TYPE_CHECKING:
    from server.settings import Settings
    from tools.models import Hub, ModelConfig, Pool

__all__ = ["check_command", "models_command", "serve_command"]

_NONE = (
    "No model is set: the embedded engine quotes from sources and never invents.\n"
    "  Set PARTITUR_MODEL_URL, or models under [models] in partitur.toml (docs/models.md)."
)
_WIDE = 160
"""Columns where nobody reads along on a terminal."""


@dataclass(frozen=True)
class Tried:
    """One request that was made to see whether a model does what it should."""

    model: str
    what: str
    state: Literal["ok", "failed"]
    said: str
    seconds: float


def models_command(settings: "Settings", *, as_json: bool) -> int:
    """Prints every model with its engines as they are now; 1 where one has no engine that answers."""
    models = house_models(settings)
    rows = asyncio.run(_rows(models, settings))
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
    elif not rows:
        click.echo(_NONE)
    else:
        Console(width=None if Console().is_terminal else _WIDE).print(_table(rows))
    return 1 if any(not any(engine["healthy"] for engine in row["engines"]) for row in rows) else 0


def check_command(settings: "Settings", ids: tuple[str, ...], *, as_json: bool) -> int:
    """Sends each model the requests that its kind and capabilities promise; 1 where one failed."""
    found = asyncio.run(_checked(settings, ids, (lambda tried: None) if as_json else _told))
    if as_json:
        click.echo(json.dumps([asdict(tried) for tried in found], ensure_ascii=False, indent=2))
    elif not found:
        click.echo(_NONE)
    return 1 if any(tried.state == "failed" for tried in found) else 0


def serve_command(settings: "Settings", id: str) -> int:
    """Prints how to start an engine for a model with vLLM, with the flags that Partitur makes use of."""
    models = house_models(settings)
    if id not in models.configs:
        known = ", ".join(map(repr, models.configs)) or "none"
        raise NotFound(f"The model {id!r} is unknown. The hub has {known}.", hint="'partitur models' lists them.")
    click.echo(" \\\n  ".join(" ".join(map(shlex.quote, part)) for part in _flags(id, models)))
    return 0


@asynccontextmanager
async def _opened(models: Models, settings: "Settings") -> "AsyncGenerator[Hub]":
    settings.home.mkdir(parents=True, exist_ok=True)
    hub = open_hub(models, settings.home)
    try:
        yield hub
    finally:
        await hub.close()


async def _rows(models: Models, settings: "Settings") -> list[dict[str, Any]]:
    async with _opened(models, settings) as hub:
        await hub.probe()
        return [
            {
                "id": pool.id,
                "kind": pool.config.kind,
                "roles": sorted(role for role, id in models.roles.items() if id == pool.id),
                "name": pool.name,
                **pool.config.model_dump(
                    mode="json",
                    include={"context", "licence", "location", "cutoff", "parent", "fallback", "price"},
                    exclude_none=True,
                ),
                "capabilities": sorted(pool.config.capabilities) if pool.config.kind == "chat" else [],
                "engines": [
                    {
                        "url": replica.shown,
                        "healthy": bool(replica.healthy),
                        "running": replica.running,
                        "waiting": replica.waiting,
                        "cache": replica.cache,
                    }
                    for replica in pool.replicas
                ],
            }
            for pool in hub.pools.values()
        ]


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("Model", "Kind", "Roles", "Engine", "State", "Running", "Waiting", "KV cache"):
        table.add_column(heading, justify="right" if heading in ("Running", "Waiting", "KV cache") else "left")
    for row in rows:
        about = (row["id"], row["kind"], ", ".join(row["roles"]))
        for engine in row["engines"]:
            state = "[green]well[/]" if engine["healthy"] else "[red]down[/]"
            cache = "–" if engine["cache"] is None else f"{engine['cache']:.0%}"
            numbers = ("–" if engine[name] is None else str(engine[name]) for name in ("running", "waiting"))
            table.add_row(*about, engine["url"], state, *numbers, cache)
            about = ("", "", "")
    return table


async def _checked(settings: "Settings", ids: tuple[str, ...], tell: Callable[[Tried], None]) -> list[Tried]:
    found: list[Tried] = []
    async with _opened(house_models(settings), settings) as hub:
        for pool in [hub[id] for id in ids] or list(hub.pools.values()):
            for what, trial in _trials(pool):
                began = perf_counter()
                state: Literal["ok", "failed"] = "ok"
                try:
                    said = await trial()
                except PartiturError as error:
                    state, said = "failed", str(error)
                found.append(Tried(pool.id, what, state, said, round(perf_counter() - began, 3)))
                tell(found[-1])
    return found


def _told(tried: Tried) -> None:
    mark = click.style("✓", fg="green") if tried.state == "ok" else click.style("✗", fg="red")
    click.echo(f"{mark} {tried.model:<16} {tried.what:<14} {tried.seconds:6.2f} s  {tried.said}")


def _trials(pool: "Pool") -> list[tuple[str, Callable[[], Coroutine[Any, Any, str]]]]:
    """What is tried of a model, each with a name."""
    from server import hub_trials as trials

    match pool.config.kind:
        case "chat":
            able = pool.config.capabilities
            return [
                ("chat", partial(trials.chat, pool)),
                ("stream", partial(trials.stream, pool)),
                *([("tools", partial(trials.tools, pool))] if "tools" in able else []),
                *([("json_schema", partial(trials.schema, pool))] if "json_schema" in able else []),
            ]
        case "embedding":
            return [("embedding", partial(trials.embedding, pool))]
        case "rerank":
            return [("rerank", partial(trials.rerank, pool))]
        case "speech":
            return [("speech", partial(trials.speech, pool))]
        case "transcription":
            return [("transcription", partial(trials.transcription, pool, _second_of_silence()))]
        case "image":
            return [("image", partial(trials.image, pool))]


def _second_of_silence() -> bytes:
    """A WAV file."""
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(32_000))
    return data.getvalue()


def _flags(id: str, models: Models) -> list[list[str]]:
    """The command line; docs/vllm.md says what each flag is for."""
    config = models.configs[id]
    base_id = config.parent or id
    base = models.configs.get(base_id, config)
    name = base.name or base_id
    flags = [["vllm", "serve", f"/models/{name}"], ["--served-model-name", name]]
    if config.kind in ("embedding", "rerank"):
        flags.append(["--runner", "pooling"])
    elif config.kind == "chat":
        flags += _chat_flags(base)
    if base.context:
        flags.append(["--max-model-len", str(base.context)])
    adapters = [one for one, other in models.configs.items() if other.parent == base_id]
    if adapters:
        loras = [f"{models.configs[one].name or one}=/models/{models.configs[one].name or one}" for one in adapters]
        flags += [["--enable-lora"], ["--lora-modules", *loras]]
    flags += [["--enable-request-id-headers"], ["--disable-access-log-for-endpoints", "/health,/metrics"]]
    flags.append(["--otlp-traces-endpoint", "http://COLLECTOR:4317"])
    return flags


def _chat_flags(config: "ModelConfig") -> list[list[str]]:
    flags: list[list[str]] = []
    if "tools" in config.capabilities:
        # 'hermes' fits Qwen and many others; vLLM's documentation names the parser of each family.
        flags += [["--enable-auto-tool-choice"], ["--tool-call-parser", "hermes"], ["--tool-strict-level", "parameter"]]
    if "json_schema" in config.capabilities:
        about = json.dumps({"backend": "xgrammar", "disable_any_whitespace": True})
        flags.append(["--structured-outputs-config", about])
    flags.append(["--enable-prompt-tokens-details"])
    if "priority" in config.capabilities:
        flags.append(["--scheduling-policy", "priority"])
    flags.append(["--max-num-queued-reqs", "256"])
    return flags
