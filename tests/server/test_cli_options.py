"""Options made of a schema that the command line has never seen."""

from collections.abc import Mapping
from datetime import date
from enum import Enum
from typing import Any, Literal

import click
import pytest
from click.testing import CliRunner
from inline_snapshot import snapshot
from pydantic import BaseModel, Field

from agents.kit import UseCase
from server.commands import Wish, command_of
from tools.base import InvalidInput


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Address(BaseModel):
    street: str
    number: int = 1


class Everything(BaseModel):
    title: str = Field(description="What it is called.")
    count: int = Field(default=3, ge=1, le=9, description="How many.")
    share: float = 0.5
    loud: bool = False
    tone: Literal["formal", "plain"] = "plain"
    colour: Colour | None = None
    tags: list[str] = []
    tones: list[Literal["formal", "plain"]] = []
    home: Address | None = None
    places: list[Address] = []
    when: date | None = None
    maybe: int | str | None = None
    format: str = "a4"


class Nothing(BaseModel):
    pass


everything = UseCase(Everything, Nothing, name="everything", description="Takes everything.", module="tests")


def asked(*arguments: str) -> dict[str, Any]:
    """What the use case is asked with."""
    given: list[Mapping[str, Any]] = []

    def ask(use_case: UseCase[Any, Any], data: Mapping[str, Any], wish: Wish) -> int:
        given.append(data)
        return 0

    command_of(everything, ask).main(list(arguments), standalone_mode=False)
    return dict(given[0])


def test_every_kind_of_field_becomes_an_option() -> None:
    data = asked(
        *("--title", "Fest", "--count", "4", "--share", "0.25", "--loud", "--tone", "formal", "--colour", "blue"),
        *("--tags", "a", "--tags", "b", "--tones", "plain", "--home", '{"street": "Weg"}', "--when", "2027-03-01"),
        *("--places", '{"street": "A"}', "--places", '{"street": "B"}', "--maybe", "7", "--input-format", "a5"),
    )
    assert Everything.model_validate(data).model_dump(mode="json") == snapshot(
        {
            "title": "Fest",
            "count": 4,
            "share": 0.25,
            "loud": True,
            "tone": "formal",
            "colour": "blue",
            "tags": ["a", "b"],
            "tones": ["plain"],
            "home": {"street": "Weg", "number": 1},
            "places": [{"street": "A", "number": 1}, {"street": "B", "number": 1}],
            "when": "2027-03-01",
            "maybe": 7,
            "format": "a5",
        }
    )


def test_what_is_not_given_keeps_its_default() -> None:
    assert asked("Fest", "--no-loud") == {"title": "Fest", "loud": False}


def test_a_nested_model_that_is_no_json_is_named() -> None:
    with pytest.raises(InvalidInput) as raised:
        asked("Fest", "--home", "Weg 1")
    assert raised.value.message.startswith("--home is not JSON: ")


def test_a_value_outside_a_closed_set_names_the_set() -> None:
    with pytest.raises(click.BadParameter, match="'loud' is not one of 'formal', 'plain'"):
        asked("Fest", "--tone", "loud")


def test_help_tells_types_limits_and_defaults() -> None:
    command = command_of(everything, lambda use_case, data, wish: 0)
    assert CliRunner().invoke(command, ["--help"]).output == snapshot("""\
Usage: everything [OPTIONS] [TITLE]

  Takes everything.

  TITLE fills --title; '-' reads it from stdin.

Options:
  --title TEXT                  What it is called.  [required]
  --count INTEGER               How many.  [1 to 9; default: 3]
  --share FLOAT                 [default: 0.5]
  --loud / --no-loud            [default: False]
  --tone [formal|plain]         [default: plain]
  --colour [red|blue]
  --tags TEXT                   Repeatable.
  --tones [formal|plain]        Repeatable.
  --home JSON
  --places JSON                 Repeatable.
  --when DATE
  --maybe JSON
  --input-format TEXT           [default: a4]
  --text-file FILENAME          Read 'title' from a file.
  --json FILE|-                 Read all fields as a JSON object from a file or
                                from stdin; options win over it.
  --format [text|md|json|html]  Of the result.  [default: text]
  --out DIRECTORY               Folder for the result and its files.
  -q, --quiet                   Show no progress.
  --help                        Show this message and exit.
""")


def test_json_nested_without_end_is_named() -> None:
    with pytest.raises(InvalidInput, match="--home is not JSON: "):
        asked("Fest", "--home", "[" * 100_000)
