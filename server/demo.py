"""The main job on the sample documents, for who has just arrived: read them, write a newsletter, say what was done."""

import asyncio
import hashlib
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import click

from agents.kit.events import Listener, StepFinished, StepStarted
from agents.kit.result import Result, Step
from server.asking import EXIT_CODES, descriptions
from server.house import LOCAL, House, open_house
from server.ingest import load, told
from server.page import EMBEDDED_ENGINE
from server.progress import Steps, seconds
from server.settings import Settings
from server.show import Show
from tools.base import NotFound, PartiturError
from tools.knowledge import IngestReport

if TYPE_CHECKING:
    from tools.base import Artifact

__all__ = ["SAMPLE", "TOPIC", "demo_command"]

SAMPLE = Path(__file__).parent.parent / "examples" / "birkenfurt"
TOPIC = "Radverkehr und sichere Radwege in der Stadt"
_QUESTION = "Was kostet ein Bewohnerparkausweis?"


def demo_command(settings: Settings, *, topic: str | None, out: Path, quiet: bool) -> int:
    """Runs the demo and prints what it did; the exit code is that of the outcome."""
    return asyncio.run(_demo(settings, topic or TOPIC, out, quiet, SAMPLE))


async def _demo(settings: Settings, topic: str, out: Path, quiet: bool, sample: Path) -> int:
    if not (sample / "documents").is_dir():
        raise NotFound(
            f"The sample documents are not there. Expected them in {str(sample / 'documents')!r}.",
            hint="They come with the source repository. With your own: 'partitur ingest PATH', then "
            "'partitur run newsletter --topic … --out out'.",
        )
    began = perf_counter()
    with Steps("demo", quiet=quiet) as steps:
        async with open_house(settings) as house:
            report, loaded = await _prepare(house, sample, steps)
            result = await house.ask_by_name("newsletter", {"topic": topic}, listen=steps)
            files = _write(house, result, out)
    click.echo("\n".join(_told(result, report, loaded, files, topic, perf_counter() - began)))
    return EXIT_CODES[result.outcome]


async def _prepare(house: House, sample: Path, listen: Listener) -> tuple[IngestReport, list[str]]:
    """Documents, graph and tables, at the same time; what is there already is left as it is."""
    reports: list[IngestReport] = []
    loaded: list[str] = []

    async def documents() -> None:
        with _step(listen, 1, "read the sample documents"):
            library = await anyio.to_thread.run_sync(lambda: house.servers.library)  # its store is dear to import
            reports.append(await library.ingest([sample / "documents"], caller=LOCAL))

    async def data() -> None:
        with _step(listen, 2, "load graph and tables"):
            loaded.extend(await anyio.to_thread.run_sync(_load, house, sample / "data"))

    async def engine() -> None:
        # What the first step needs is imported while the reading processes are at work.
        await anyio.to_thread.run_sync(lambda: house.engine.model)

    async with anyio.create_task_group() as tasks:
        for work in (documents, data, engine):
            tasks.start_soon(work)
    return reports[0], loaded


def _load(house: House, folder: Path) -> list[str]:
    """Loads what changed since the last time; a store of its own that does not start is no reason to stop."""
    files = sorted(folder.glob("*.csv"))
    if not files:
        return []
    print_of = hashlib.sha256(b"".join(file.name.encode() + file.read_bytes() for file in files)).hexdigest()
    loaded: list[str] = []
    kinds = {
        "graph": [file for file in files if file.stem in ("nodes", "edges")],
        "tables": [file for file in files if file.stem not in ("nodes", "edges")],
    }
    for what, chosen in kinds.items():
        stamp = house.settings.home / what / "sample.sha256"
        if not chosen or (stamp.is_file() and stamp.read_text().strip() == print_of):
            continue
        try:
            load(house.servers, what, chosen, lambda done, total, message: None)
            stamp.write_text(print_of + "\n")
            loaded.append(what)
        except PartiturError as error:
            loaded.append(f"{what} not loaded: {error}")
    return loaded


@contextmanager
def _step(listen: Listener, ordinal: int, name: str) -> Generator[None]:
    """Shows work that is no step of a run like one."""
    id, began = f"demo/{ordinal}:{name}", perf_counter()
    listen(StepStarted(id, name, "tool"))
    yield
    listen(StepFinished(Step(id=id, name=name, kind="tool", seconds=perf_counter() - began)))


def _write(house: House, result: Result[Any], out: Path) -> list[Path]:
    if result.output is None:
        return []

    def path(artifact: "Artifact") -> Path:
        return house.artifacts.path(artifact.id, caller=LOCAL)

    show = Show(path, brand=house.settings.brand, describe=lambda name: descriptions(house.catalog[name]))
    return show.files(result, out, ("html", "md", "json"))


def _told(
    result: Result[Any], report: IngestReport, loaded: list[str], files: list[Path], topic: str, took: float
) -> list[str]:
    lines = ["", f"Newsletter on {topic!r}, in {seconds(took)}", ""]
    lines += [f"  {line}" for line in told(report).splitlines()]
    if loaded:
        lines.append(f"  Loaded: {', '.join(loaded)}")
    if result.outcome != "done":
        lines.append(f"  Outcome: {result.outcome}. {result.message or ''}")
    if result.output is not None:
        cited = len({citation.document for citation in result.citations})
        lines.append(f"  Written: {len(result.citations)} quotes from {cited} documents")
    if files:
        lines += ["", "Files"]
        width = max(len(str(file)) for file in files)
        lines += [f"  {file!s:<{width}}  {_size(file.stat().st_size)}" for file in files]
    lines += ["", f"Engine   {result.engine}" + _says(result), f"Cost     {_cost(result)}"]
    if result.usage.input_tokens or result.usage.output_tokens:
        whose = f" ({result.usage.tokenizer})" if result.usage.tokenizer else ""
        lines.append(f"Tokens   {result.usage.input_tokens} in, {result.usage.output_tokens} out{whose}")
    lines.append(f"Trace    {result.trace_id}")
    prompts = {step.prompt.path: step.prompt for step in result.steps if step.prompt}
    for number, prompt in enumerate(prompts.values()):
        commit = prompt.commit or "not committed (the file as it lies)"
        lines.append(f"{'Prompts' if number == 0 else '':<8} {prompt.path}  {commit}")
    if result.engine == EMBEDDED_ENGINE:
        lines += [
            "",
            "Translation and plain language need a language model. Any OpenAI-compatible endpoint will do:",
            f"  PARTITUR_MODEL_URL=http://localhost:8000/v1 PARTITUR_MODEL_NAME=… {_program()} demo",
        ]
    page = next((file for file in files if file.suffix == ".html"), None)
    lines += ["", "Next"]
    if page:
        lines.append(f"  open {page} in a browser")
    return [*lines, f'  {_program()} run answer "{_QUESTION}"', f"  {_program()} serve"]


def _program() -> str:
    """The command as it can be typed here: in a clone it lies in the environment below this folder."""
    program = Path(sys.argv[0]).absolute()
    below = program.name == "partitur" and program.is_relative_to(Path.cwd())
    return str(program.relative_to(Path.cwd())) if below else "partitur"


def _says(result: Result[Any]) -> str:
    return ": every sentence is a literal quote; nothing left this machine" if result.engine == EMBEDDED_ENGINE else ""


def _cost(result: Result[Any]) -> str:
    if result.cost is None:
        return "unknown: the engine has no price in the settings"
    return f"{result.cost:.4f}" if result.cost else "0"


def _size(size: int) -> str:
    return f"{size / 1000:.0f} kB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"
