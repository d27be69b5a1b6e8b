"""Answers and drawings as the tool server gives them: templates first, the model where they are in doubt, charts where asked."""

from collections.abc import Callable
from functools import partial
from threading import Event
from typing import TypeVar

import anyio
from anyio.to_thread import run_sync

from tools.base import ArtifactStore, InvalidInput, NeedsModel, Reach
from tools.endpoint import Endpoint
from tools.language import Language, detect
from tools.models import Pool
from tools.tables import Chart, ChartQuery, TableAnswer, TableQuery, TableQuestion, TablesConfig
from tools.tables.asking import Asking, language_of
from tools.tables.plotting import Plot, plotted
from tools.tables.store import Tables

__all__ = ["Answering"]

T = TypeVar("T")


class Answering:
    """What the calls of a server share."""

    def __init__(self, config: TablesConfig, tables: Tables, *, artifacts: ArtifactStore, pool: Pool | None) -> None:
        self._config = config
        self._tables = tables
        self._artifacts = artifacts
        self._pool = pool

    async def ask(self, asked: TableQuestion, reach: Reach) -> TableAnswer:
        """The answer to a question or a template, over what `reach` admits.

        Raises:
            NeedsModel: the method 'model' is asked for, and none is set.
            PartiturError: a template that does not fit the tables; an endpoint that does not serve.
        """
        if asked.method == "model" and self._config.url is None and self._pool is None:
            raise NeedsModel(
                "The method 'model' needs a language model, and none is set. Expected an OpenAI-compatible endpoint.",
                hint="Set PARTITUR_MODEL_URL and PARTITUR_MODEL_NAME, or ask with the method 'templates'.",
            )
        stop = Event()
        asking = await _stoppable(lambda: Asking(self._tables, reach, stop=stop), stop)
        answer: TableAnswer | None = None
        if asked.template is not None or asked.method != "model":
            answer = await _stoppable(lambda: asking.answer(asked), stop)
        by_model = asked.template is None and asked.method != "templates" and (self._config.url or self._pool)
        if answer is None or (answer.outcome != "answered" and answer.sql is None and by_model):
            answer = await self._by_model(asking, asked)
        return await self._with_chart(answer, asking, asked, reach) if asked.chart else answer

    async def chart(self, asked: ChartQuery, reach: Reach) -> Chart:
        """The rows of a SELECT as a drawing.

        Raises:
            InvalidInput: there is nothing to draw in the rows.
            PartiturError: see `Tables.query`.
        """
        stop = Event()
        query = TableQuery(sql=asked.sql, limit=1000)
        result = await _stoppable(lambda: self._tables.query(query, reach=reach, stop=stop), stop)
        language: Language = asked.language or detect(asked.title)
        plot = plotted(result, title=asked.title, language=language, kind=asked.kind, unit=asked.unit)
        if plot is None:
            columns = ", ".join(f"{column.name} {column.type}" for column in result.columns)
            raise InvalidInput(
                f"The rows cannot be drawn: {result.row_count} rows of {columns[:300]}. Expected two rows or more, with a "
                "column of names or times and one of figures.",
                hint="Select the names or the times first, then the figures; one row for each name or time.",
            )
        return await self._kept(plot, reach)

    async def _by_model(self, asking: Asking, asked: TableQuestion) -> TableAnswer:
        from tools.tables.by_model import written

        config = self._config
        async with Endpoint.at(
            self._pool,
            url=config.url or "",
            name=config.name,
            key=config.key,
            timeout=config.timeout,
            setting="PARTITUR_MODEL",
        ) as endpoint:
            return await written(endpoint, self._pool.name if self._pool else config.name, asking, asked)

    async def _with_chart(self, answer: TableAnswer, asking: Asking, asked: TableQuestion, reach: Reach) -> TableAnswer:
        if answer.outcome != "answered" or answer.result is None:
            return answer
        language = language_of(asked)
        title = asking.title(answer.template, language) if answer.template else asked.question or ""
        plot = plotted(answer.result, title=title, language=language)
        return answer if plot is None else answer.model_copy(update={"chart": await self._kept(plot, reach)})

    async def _kept(self, plot: Plot, reach: Reach) -> Chart:
        return await run_sync(partial(self._draw, plot, reach))

    def _draw(self, plot: Plot, reach: Reach) -> Chart:
        from tools.tables.drawing import drawn  # matplotlib is loaded by the first drawing

        alt_text = plot.alt_text()
        svg, png = drawn(plot, alt_text=alt_text)
        put = partial(self._artifacts.put, alt_text=alt_text, caller=reach.caller)
        return Chart(
            kind=plot.kind,
            title=plot.title,
            alt_text=alt_text,
            svg=put(svg, media_type="image/svg+xml"),
            png=put(png, media_type="image/png"),
        )


async def _stoppable(work: Callable[[], T], stop: Event) -> T:
    """Runs in a thread what asks the engines; they are stopped where the call is given up."""
    try:
        return await run_sync(work, abandon_on_cancel=True)
    except anyio.get_cancelled_exc_class():
        stop.set()
        raise
