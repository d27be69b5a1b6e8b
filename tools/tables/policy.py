"""What people say of their tables in a file beside the data: words for readers, and who may see which rows and columns."""

import tomllib
from pathlib import Path
from typing import Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tools.base.access import Access
from tools.base.errors import InvalidInput

__all__ = ["SUFFIX", "ColumnPolicy", "Condition", "Literals", "Policy", "RowRule", "TablePolicy", "policy_beside"]

SUFFIX = ".meta.yaml"
"""End of the name of a file that says of one table what `tables.toml` says of many."""

M = TypeVar("M", bound=BaseModel)
Literals = bool | int | float | str
_LONGEST = 2**20
"""Bytes of a policy file."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Condition(_Strict):
    """What a row must hold in one column: a value, one of several, or something of the caller. NULL holds nothing."""

    column: str = Field(min_length=1, description="Its name in SQL, or its heading.")
    equals: Literals | None = Field(default=None, description="This value.")
    any_of: tuple[Literals, ...] = Field(default=(), max_length=1_000, description="One of these values.")
    caller: Literal["subject", "groups", "cost_centre"] | None = Field(
        default=None, description="The caller's subject, the name of one of the caller's groups, or the cost centre."
    )

    @model_validator(mode="after")
    def _one(self) -> "Condition":
        if [self.equals is not None, bool(self.any_of), self.caller is not None].count(True) != 1:
            raise ValueError("exactly one of 'equals', 'any_of' and 'caller' is expected")
        return self


class RowRule(_Strict):
    """Lets its readers see the rows that hold all of its conditions; all rows where it has none."""

    readers: Access = Field(default=Access(everyone=True), description="For whom it is; everyone where left out.")
    where: tuple[Condition, ...] = Field(default=(), max_length=20, description="What such a row holds.")


class ColumnPolicy(_Strict):
    """What is said of one column."""

    description: str | None = Field(default=None, max_length=2_000, description="What it means.")
    unit: str | None = Field(default=None, max_length=100, description="What its numbers count.")
    readers: Access | None = Field(default=None, description="Who may see it; whoever sees the table where left out.")
    references: str | None = Field(
        default=None, pattern=r"^[^.]+\.[^.]+$", description="The column it points to, as table.column."
    )


class TablePolicy(_Strict):
    """What is said of one table."""

    title: str | None = Field(default=None, max_length=200, description="Its name for readers.")
    description: str | None = Field(default=None, max_length=2_000, description="What it holds.")
    readers: Access | None = Field(default=None, description="Who may see it; the collection's readers where left out.")
    columns: dict[str, ColumnPolicy] = Field(
        default_factory=dict[str, ColumnPolicy], description="By name in SQL or by heading."
    )
    rows: tuple[RowRule, ...] | None = Field(
        default=None, max_length=200, description="A row is seen where one of these lets it be; all where left out."
    )


class Policy(_Strict):
    """What is said of tables, by their names."""

    tables: dict[str, TablePolicy] = Field(
        default_factory=dict[str, TablePolicy], description="By name in SQL, or by the file's name without its end."
    )

    @classmethod
    def read(cls, path: Path) -> "Policy":
        """Reads a TOML or YAML file.

        Raises:
            InvalidInput: it is not there, is no such file, or says what no policy says.
        """
        return _checked(cls, path)

    def beside(self, other: "Policy") -> "Policy":
        """Both; this one's words win where both speak of one table."""
        return Policy(tables={**other.tables, **self.tables})


def policy_beside(folder: Path) -> Policy:
    """What `tables.toml` and the `*.meta.yaml` of a folder say.

    Raises:
        InvalidInput: one of them cannot be read, or two speak of one table.
    """
    whole = folder / "tables.toml"
    found = dict(Policy.read(whole).tables) if whole.is_file() else {}
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        name = path.name.removesuffix(SUFFIX)
        if name in found:
            raise InvalidInput(
                f"The table {name!r} has two policies, in {whole.name!r} and in {path.name!r}. Expected one.",
                hint="Remove one of them.",
            )
        found[name] = _checked(TablePolicy, path)
    return Policy(tables=found)


def _checked(model: type[M], path: Path) -> M:
    try:
        with path.open("rb") as file:
            data = file.read(_LONGEST + 1)
        if len(data) > _LONGEST:
            raise InvalidInput(f"The policy {path.name!r} is larger than 1 MiB. Expected a short file.")
        text = data.decode("utf-8")
        given: object = tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text)
        return model.model_validate(given or {})
    except OSError as error:
        raise InvalidInput(
            f"The policy {str(path)!r} cannot be read: {error.strerror or error}. Expected a TOML or YAML file."
        ) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InvalidInput(
            f"The policy {path.name!r} does not fit at {where!r}: {first['msg']}. Expected what docs/tables.md lists.",
            hint="Correct it and load again; nothing was changed.",
        ) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, yaml.YAMLError, RecursionError) as error:
        said = " ".join(str(error).split())[:300]
        raise InvalidInput(
            f"The policy {path.name!r} cannot be read: {said}. Expected TOML or YAML in UTF-8.",
            hint="Correct it and load again; nothing was changed.",
        ) from error
