"""Reads a prompt file: YAML front matter, then the template; every error names file and line."""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

from pydantic import ValidationError

from prompts.prompt import FrontMatter, Language, Prompt
from prompts.render import examine
from tools.base import SetupError

if TYPE_CHECKING:
    from yaml import AliasEvent, Event, Node

__all__ = ["SIZE_LIMIT", "parse"]

SIZE_LIMIT = 256 * 1024
"""Bytes of a prompt file."""

_FRONT = re.compile(r"---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_HINT = "Correct the file; it is served as saved."


def parse(data: bytes, *, name: str, path: str, language: Language = "de") -> Prompt:
    """Reads a prompt.

    Args:
        data: the file's bytes, UTF-8.
        name: the prompt's name.
        path: how errors name the file.
        language: what the file name says; the front matter may only confirm it, or say 'en' in the default file.

    Raises:
        SetupError: the file is no prompt; names file and line, all faults of the template at once.
    """
    text = _decoded(data, path)
    found = _FRONT.match(text)
    if found is None:
        raise _error(path, 1, "the front matter is missing or not closed. Expected YAML between two lines '---'")
    front = _front_matter(found[1], path)
    if language == "en" and front.language == "de":
        raise _error(path, 1, "the file name says 'en', the front matter 'de'. Expected the same language in both")
    body = text[found.end() :]
    line = text.count("\n", 0, found.end()) + 1
    if not body.strip():
        raise _error(path, line, "there is no text below the front matter. Expected the prompt itself")
    if faults := [f"{path}:{line - 1 + at}: {what}." for at, what in sorted(examine(body, front.variables))]:
        raise SetupError("\n".join(faults), hint=_HINT)
    return Prompt(
        name=name,
        language=front.language or language,
        description=front.description,
        variables={
            name: variable.model_copy(update={"required": variable.required and name not in front.parameters})
            for name, variable in front.variables.items()
        },
        parameters=front.parameters,
        body=body,
        line=line,
        path=path,
    )


def _decoded(data: bytes, path: str) -> str:
    if len(data) > SIZE_LIMIT:
        raise _error(path, 1, f"the file has {len(data)} bytes. Expected at most {SIZE_LIMIT}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _error(path, line, f"byte {data[error.start]:#04x} is not UTF-8. Expected a file in UTF-8") from error
    return text.replace("\r\n", "\n")


def _front_matter(text: str, path: str) -> FrontMatter:
    import yaml

    try:
        node = _node(text)
        for event in _aliases(text) if "*" in text else ():
            raise _error(
                path, event.start_mark.line + 2, "the front matter has an alias '*'. Expected each value in full"
            )
        for line, key in _repeated(node):
            raise _error(path, line + 2, f"the key {key!r} stands twice. Expected it once")
        values = cast("object", None if node is None else yaml.SafeLoader("").construct_document(node))
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        line = 1 if mark is None else mark.line + 2
        raise _error(path, line, f"the front matter is no YAML: {problem or error}") from error
    except ValueError as error:  # a date such as 2026-13-40
        raise _error(path, 1, f"the front matter has a value that is none: {error}") from error
    try:
        return FrontMatter.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "front matter"
        shown = "" if first["type"] == "missing" else f" Got {first['input']!r}."
        keys = ", ".join(FrontMatter.model_fields)
        raise _error(
            path,
            _line(node, first["loc"]) + 2,
            f"{where!r} does not fit: {first['msg']}.{shown} The front matter has the keys {keys}",
        ) from error


def _node(text: str) -> "Node | None":
    import yaml

    return cast("Node | None", yaml.compose(text, Loader=yaml.SafeLoader))


def _aliases(text: str) -> "list[AliasEvent]":
    import yaml

    events = cast("Iterator[Event]", yaml.parse(text, Loader=yaml.SafeLoader))
    return [event for event in events if isinstance(event, yaml.AliasEvent)]


def _repeated(node: "Node | None") -> Iterator[tuple[int, str]]:
    import yaml

    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value in seen:
                yield key.start_mark.line, key.value
            seen.add(key.value)
        yield from _repeated(value)


def _line(node: "Node | None", place: Sequence[str | int]) -> int:
    """Line of the YAML, from 0, on which the value at `place` stands, or the nearest thing around it."""
    import yaml

    line = 0 if node is None else node.start_mark.line
    for part in place:
        if not isinstance(node, yaml.MappingNode):
            break
        pairs = [(key, value) for key, value in node.value if getattr(key, "value", None) == part]
        if not pairs:
            break
        line, node = pairs[0][0].start_mark.line, pairs[0][1]
    return line


def _error(path: str, line: int, what: str) -> SetupError:
    return SetupError(f"{path}:{line}: {what}.", hint=_HINT)
