"""Makes a command of every use case: its options are the fields of its input, its help their descriptions."""

import difflib
import enum
import json
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, BinaryIO, Literal, Union, cast, get_args, get_origin

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from agents.kit import UseCase, text_field
from compositions.catalog import GROUP, discover
from tools.base import InvalidInput, SetupError, TooLarge

__all__ = ["UseCases", "command_of", "read_text", "use_cases"]

_RESERVED = {"json", "format", "out", "quiet", "text_file", "help"}
_SHAPES = ("text", "md", "json", "html")
MOST_BYTES = 20_000_000
"""Of one input that comes from a file or from stdin."""

Ask = Callable[[UseCase[Any, Any], Mapping[str, Any], "Wish"], int]
"""Asks a use case with plain data, shows the result and returns the exit code."""


@dataclass(frozen=True)
class Wish:
    """How the result is wanted."""

    shape: Literal["text", "md", "json", "html"]
    out: Path | None
    quiet: bool


def use_cases() -> dict[str, UseCase[Any, Any]]:
    """Every use case by name. Only found, not checked: a command's help must not wait for the whole catalog.

    Raises:
        SetupError: a file or a plug-in does not load.
    """
    found, problems = discover(entry_points(group=GROUP))
    if problems:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        raise SetupError(f"Some use cases cannot be found:\n{lines}", hint="Mend each of them, then start again.")
    offered = sorted((one for one in found if not one.hidden), key=lambda one: one.use_case.name)
    return {one.use_case.name: one.use_case for one in offered}


class UseCases(click.Group):
    """The group of commands that are use cases."""

    ask: Ask

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(use_cases())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        use_case = use_cases().get(cmd_name.replace("-", "_"))
        return command_of(use_case, self.ask) if use_case else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        names = list(use_cases())
        if args and not args[0].startswith("-") and args[0].replace("-", "_") not in names:
            near = difflib.get_close_matches(args[0], names, n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]!r}?" if near else "Run 'partitur list' to see what each one does."
            raise click.UsageError(
                f"The use case {args[0]!r} is unknown. The catalog has {', '.join(map(repr, names)) or 'none'}. {hint}",
                ctx,
            )
        return super().resolve_command(ctx, args)


def command_of(use_case: UseCase[Any, Any], ask: Ask) -> click.Command:
    """The command of one use case."""
    model = use_case.input
    text = text_field(model)
    fields = {_parameter(name): name for name in model.model_fields}

    def run(**given: Any) -> int:
        data = _json(given.pop("json_file"))
        wish = Wish(given.pop("format"), given.pop("out"), given.pop("quiet"))
        free, file = given.pop("free_text", None), given.pop("text_file", None)
        for parameter, name in fields.items():
            value = given[parameter]
            if value is None or value == ():
                continue
            data[name] = _value(name, value, model.model_fields[name])
        if text is not None:
            _fill(data, text, free, file)
        return ask(use_case, data, wish)

    parameters: list[click.Parameter] = []
    if text is not None:
        parameters.append(click.Argument(["free_text"], required=False, metavar=f"[{text.upper()}]"))
    parameters += [_option(name, field) for name, field in model.model_fields.items()]
    if text is not None:
        parameters.append(click.Option(["--text-file"], type=click.File("rb"), help=f"Read {text!r} from a file."))
    parameters += [
        click.Option(
            ["--json", "json_file"],
            type=click.File("rb"),
            metavar="FILE|-",
            help="Read all fields as a JSON object from a file or from stdin; options win over it.",
        ),
        click.Option(
            ["--format"], type=click.Choice(_SHAPES), default="text", show_default=True, help="Of the result."
        ),
        click.Option(
            ["--out"], type=click.Path(file_okay=False, path_type=Path), help="Folder for the result and its files."
        ),
        click.Option(["--quiet", "-q"], is_flag=True, help="Show no progress."),
    ]
    note = ""
    if text is not None:
        note = f"\n\n{text.upper()} fills --{_dashed(text)}; '-' reads it from stdin."
    return click.Command(
        use_case.name,
        params=parameters,
        callback=run,
        help=use_case.description + note,
        short_help=use_case.description,
    )


def read_text(stream: BinaryIO, what: str) -> str:
    """The text in a stream.

    Raises:
        TooLarge: it has more than 20 MB.
        InvalidInput: it is no UTF-8 text.
    """
    data = stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise TooLarge(
            f"The text of {what} is longer than {MOST_BYTES // 1_000_000} MB. Expected less.",
            hint="Send less at once; whole collections are read with 'partitur ingest'.",
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"The text of {what} is not UTF-8: byte {data[error.start]:#04x} at offset {error.start}. Expected plain text.",
            hint="Convert it to UTF-8; PDF, DOCX and the like are read with 'partitur ingest'.",
        ) from None


def _fill(data: dict[str, Any], text: str, free: str | None, file: BinaryIO | None) -> None:
    """The text field, from an argument, from stdin or from a file; given twice is a mistake that must be told."""
    given = [value for value in (data.get(text), free, file) if value is not None]
    if len(given) > 1 and (free is not None or file is not None) and (text in data):
        raise click.UsageError(f"{text!r} is given more than once. Expected it as argument, as option or as a file.")
    if free is not None and file is not None:
        raise click.UsageError(f"{text!r} is given more than once. Expected it as argument, as option or as a file.")
    if free is not None:
        data[text] = free
    if file is not None:
        data[text] = read_text(file, _name(file))
    elif data.get(text) == "-":
        data[text] = read_text(sys.stdin.buffer, "stdin")


def _json(file: BinaryIO | None) -> dict[str, Any]:
    if file is None:
        return {}
    name, text = _name(file), read_text(file, _name(file))
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(
            f"{name} is not JSON: {error}. Expected an object.", hint="Correct the JSON and send it again."
        ) from None
    if not isinstance(data, dict):
        raise InvalidInput(
            f"{name} holds a JSON {type(data).__name__}. Expected an object with the fields of the input.",
            hint='Put the fields in braces: {"field": value}.',
        )
    return cast("dict[str, Any]", data)


def _name(file: BinaryIO) -> str:
    return str(getattr(file, "name", "stdin")).strip("<>")


def _option(name: str, field: FieldInfo) -> click.Option:
    parameter = _parameter(name)
    flag = f"--{_dashed(parameter)}"
    shape = _shape(field.annotation)
    help = _help(field)
    if shape.kind is bool:
        return click.Option([f"{flag}/--no-{flag[2:]}", parameter], default=None, help=help)
    return click.Option(
        [flag, parameter],
        type=shape.kind,
        multiple=shape.repeated,
        default=None,
        metavar=shape.metavar,
        help=help + (" Repeatable." if shape.repeated else ""),
    )


@dataclass(frozen=True)
class _Shape:
    kind: Any
    repeated: bool = False
    metavar: str | None = None


def _shape(annotation: Any) -> _Shape:
    """What an option for a type of pydantic takes; what is no scalar comes as JSON."""
    kind = _without_none(annotation)
    if get_origin(kind) is list:
        inner = _shape(get_args(kind)[0])
        return _Shape(inner.kind, True, inner.metavar) if inner.kind is not bool and not inner.repeated else _JSON
    if get_origin(kind) is Literal:
        values = get_args(kind)
        return _Shape(click.Choice([str(value) for value in values]))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _Shape(click.Choice([str(member.value) for member in kind]))
    if kind in (str, int, float, bool):
        return _Shape(kind)
    if isinstance(kind, type) and issubclass(kind, date | Path):
        return _Shape(str, metavar=kind.__name__.upper())
    return _JSON


_JSON = _Shape(str, metavar="JSON")


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) in (Union, types.UnionType):
        rest = [one for one in get_args(annotation) if one is not type(None)]
        return rest[0] if len(rest) == 1 else annotation
    return annotation


def _value(name: str, value: Any, field: FieldInfo) -> Any:
    """An option's value as the field takes it."""
    shape = _shape(field.annotation)
    values = list(cast("tuple[Any, ...]", value)) if shape.repeated else [value]
    if shape.metavar != "JSON":
        return values if shape.repeated else values[0]
    try:
        parsed = [json.loads(one) for one in values]
    except (ValueError, RecursionError) as error:
        raise InvalidInput(
            f"--{_dashed(name)} is not JSON: {error}; got {values[0][:60]!r}. Expected JSON.",
            hint='Quote it for the shell: \'{"key": "value"}\'.',
        ) from None
    return parsed if shape.repeated else parsed[0]


def _help(field: FieldInfo) -> str:
    text = field.description or ""
    limits = {type(limit).__name__: limit for limit in field.metadata}
    facts: list[str] = []
    low, high = getattr(limits.get("Ge"), "ge", None), getattr(limits.get("Le"), "le", None)
    if low is not None or high is not None:
        facts.append(f"{'' if low is None else low} to {'' if high is None else high}".strip())
    if field.is_required():
        facts.append("required")
    elif field.default_factory is None and field.default not in (None, "", []):
        default = field.default.model_dump_json() if isinstance(field.default, BaseModel) else field.default
        facts.append(f"default: {default}")
    return f"{text}  [{'; '.join(facts)}]" if facts else text


def _parameter(name: str) -> str:
    """The option's own name; a field that is called like an option of every command is told apart."""
    return f"input_{name}" if name in _RESERVED else name


def _dashed(name: str) -> str:
    return name.replace("_", "-")
