"""Shows on stderr what a run is doing: a line for each step, live where a person watches, plain where nobody does."""

import sys
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from agents.kit.events import Event, StepFinished, StepStarted
from agents.kit.result import Step

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live
    from rich.table import Table

__all__ = ["Steps", "seconds"]

_MARKS = {"done": ("✓", "green"), "partial": ("~", "yellow"), "failed": ("✗", "red")}
_ASCII = {"✓": "ok", "~": "part", "✗": "failed", "–": "none"}


def seconds(value: float) -> str:
    """A duration as people read it: 0.42 s, 12.3 s, 2:05 min."""
    if value < 10:
        return f"{value:.2f} s"
    if value < 60:
        return f"{value:.1f} s"
    return f"{int(value) // 60}:{int(value) % 60:02d} min"


class Steps:
    """Listens to a run and shows its steps; a context around the run. Calling it is being told of an event.

    Args:
        title: what is running.
        quiet: shows nothing at all.
        stream: where to; stderr by default, because stdout belongs to the result.
    """

    def __init__(self, title: str, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._title = title
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._began = perf_counter()
        self._lines: dict[str, _Line] = {}
        self._live: Live | None = None
        self._unicode = "utf" in (getattr(self._stream, "encoding", None) or "").lower()

    def __enter__(self) -> Self:
        if not self._quiet and self._stream.isatty():
            self._live = self._open()
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.update(self._table(ended=True, failed=error is not None), refresh=True)
            self._live.stop()
            self._live = None
        elif not self._quiet and error is None:
            self._print(f"{self._title}: {seconds(perf_counter() - self._began)}")

    def __call__(self, event: Event) -> None:
        match event:
            case StepStarted(id=id, name=name):
                self._lines[id] = _Line(name, id.count("/"), perf_counter())
            case StepFinished(step=step):
                self._lines.setdefault(step.id, _Line(step.name, step.id.count("/"), 0.0)).step = step
                if self._live is None and not self._quiet:
                    self._print(self._plain(step))
            case _:
                pass

    def _open(self) -> "Live":
        from rich.console import Console
        from rich.live import Live

        console = Console(file=self._stream, highlight=False)
        return Live(get_renderable=self._table, console=console, refresh_per_second=8, redirect_stdout=False)

    def _table(self, *, ended: bool = False, failed: bool = False) -> "Table":
        """The steps so far, each below the one it is part of; what does not fit the window is folded."""
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        room = max(4, _console(self._live).height - 3) if self._live else 40
        took = perf_counter() - self._began
        mark = self._mark("failed" if failed else "done") if ended else self._spinner(took)
        table.add_row(mark, Text(self._title, style="bold"), Text(seconds(took), style="bold"))
        for line in self._shown(room):
            mark = self._mark(line.step.outcome) if line.step else self._spinner(took)
            name = Text("  " * line.depth + line.name, style="" if line.step else "cyan")
            spent = line.step.seconds if line.step else perf_counter() - line.began
            table.add_row(mark, name, Text(seconds(spent), style="dim"))
        return table

    def _shown(self, room: int) -> "list[_Line]":
        lines = list(self._lines.values())
        deepest = max((line.depth for line in lines), default=0)
        while len(lines) > room and deepest > 1:
            lines = [line for line in lines if line.depth < deepest or line.step is None]
            deepest -= 1
        return lines[-room:]

    def _spinner(self, took: float) -> "RenderableType":
        from rich.text import Text

        frames = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏" if self._unicode else "-\\|/"
        return Text(frames[int(took * 8) % len(frames)], style="cyan")

    def _mark(self, outcome: str) -> "RenderableType":
        from rich.text import Text

        sign, style = _MARKS.get(outcome, ("–", "yellow"))
        return Text(self._said(sign), style=style)

    def _plain(self, step: Step) -> str:
        sign = self._said(_MARKS.get(step.outcome, ("–", ""))[0])
        why = f"  {step.message}" if step.message else ""
        return f"{'  ' * step.id.count('/')}{sign} {step.name} {seconds(step.seconds)}{why}"

    def _said(self, sign: str) -> str:
        return sign if self._unicode else _ASCII[sign]

    def _print(self, text: str) -> None:
        print(
            text.encode(self._stream.encoding or "utf-8", "replace").decode(self._stream.encoding or "utf-8"),
            file=self._stream,
            flush=True,
        )


class _Line:
    """A step as it is shown."""

    def __init__(self, name: str, depth: int, began: float) -> None:
        self.name = name
        self.depth = depth
        self.began = began
        self.step: Step | None = None


def _console(live: "Live | None") -> "Console":
    from rich.console import Console

    return live.console if live else Console()
