"""The tables of the bundled town, loaded once for the tests that ask them."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tools.base import Caller, Reach
from tools.tables import TablesConfig
from tools.tables.loading import load
from tools.tables.store import Tables

ANNA = Reach(Caller(subject="anna"))
DATA = Path(__file__).parents[2] / "examples/birkenfurt/data"


@contextmanager
def town(home: Path, **config: object) -> Generator[tuple[TablesConfig, Tables]]:
    made = TablesConfig.model_validate({"home": home / "tables", "workers": 1, **config})
    load([DATA / name for name in ("fees.csv", "opening_hours.csv", "statistics.csv")], config=made)
    tables = Tables(made)
    try:
        yield made, tables
    finally:
        tables.close()
