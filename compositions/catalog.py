"""Finds every use case, in our files and in the plug-ins of others, and checks the whole before anything is served."""

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from agents.kit import Chain, Composition, UseCase
from agents.kit.runtime import PromptSource
from prompts.prompt import Prompt
from tools.base import NotFound, PartiturError, SetupError

__all__ = ["GROUP", "Catalog", "Found", "discover", "load_catalog"]

GROUP = "partitur.use_cases"
"""The entry-point group of plug-ins."""
_HOUSE = ("agents", "compositions")
_FREE_FIELDS = {"language"}
"""Input fields the runtime itself uses, so that no prompt has to."""


@dataclass(frozen=True)
class Found:
    """A use case and the file it was found in."""

    use_case: UseCase[Any, Any]
    module: ModuleType
    plugin: str | None = None
    hidden: bool = False
    """Begins with '_': a part of a composition in the same file, checked but not offered."""

    @property
    def file(self) -> str:
        """The file, with the folder it lies in."""
        return "/".join(Path(self.module.__file__ or self.module.__name__).parts[-2:])

    @property
    def folder(self) -> Path:
        """The folder the file lies in."""
        return Path(self.module.__file__ or ".").parent


@dataclass(frozen=True)
class Catalog:
    """All use cases by name, checked."""

    use_cases: Mapping[str, UseCase[Any, Any]]

    def __iter__(self) -> Iterator[UseCase[Any, Any]]:
        return iter(self.use_cases.values())

    def __getitem__(self, name: str) -> UseCase[Any, Any]:
        """The use case of that name.

        Raises:
            NotFound: there is none; the message names the nearest.
        """
        try:
            return self.use_cases[name]
        except KeyError:
            raise NotFound(
                f"The use case {name!r} is unknown. The catalog has {_listed(self.use_cases)}.",
                hint=_nearest(name, self.use_cases) or "Run 'partitur list' to see them.",
            ) from None


def discover(entry_points: Iterable[EntryPoint] = ()) -> tuple[list[Found], list[str]]:
    """Every use case in our folders and behind `entry_points`, and what kept others from being found."""
    found: list[Found] = []
    problems: list[str] = []
    for package in _HOUSE:
        _look(importlib.import_module(package), None, found, problems)
    for entry in entry_points:
        try:
            loaded = entry.load()
        except Exception as error:  # whatever a plug-in raises while it is imported stops the start, with its name
            problems.append(
                f"The plug-in {entry.name!r} ({entry.value}) does not load: {type(error).__name__}: {error}."
            )
            continue
        if isinstance(loaded, UseCase):
            use_case = cast("UseCase[Any, Any]", loaded)
            found.append(Found(use_case, importlib.import_module(use_case.module), entry.name))
        elif isinstance(loaded, ModuleType):
            before = len(found) + len(problems)
            if hasattr(loaded, "__path__"):
                _take(loaded, entry.name, found, problems)
            _look(loaded, entry.name, found, problems)
            if len(found) + len(problems) == before:
                problems.append(
                    f"The plug-in {entry.name!r} ({entry.value}) has no use case. "
                    "Expected modules that each declare one, called like its file."
                )
        else:
            problems.append(
                f"The plug-in {entry.name!r} ({entry.value}) is a {type(loaded).__name__}. "
                "Expected a package, a module or a use case."
            )
    return found, problems


def load_catalog(
    *,
    prompts: Callable[[Found], PromptSource],
    tools: Collection[str],
    roles: Collection[str],
    entry_points: Iterable[EntryPoint] = (),
) -> Catalog:
    """Discovers and checks; everything that is wrong is told at once.

    Args:
        prompts: where the prompts of a use case lie.
        tools: the names of all tools, as `server.tool`.
        roles: the model roles that the settings fill.
        entry_points: plug-ins, of the group `partitur.use_cases`.

    Raises:
        SetupError: one or more use cases cannot be served; the message has a line for each reason.
    """
    found, problems = discover(entry_points)
    use_cases: dict[str, Found] = {}
    for one in found:
        name = one.use_case.name
        if one.hidden:
            problems += _problems(one, prompts(one), tools, roles)
            continue
        if name in use_cases:
            problems.append(f"The name {name!r} is taken twice: by {use_cases[name].file} and by {one.file}.")
            continue
        use_cases[name] = one
        problems += _problems(one, prompts(one), tools, roles)
    if problems:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        raise SetupError(
            f"The catalog has {len(problems)} problem{'s' * (len(problems) > 1)}:\n{lines}\n",
            hint="Mend each of them, then start again.",
        )
    return Catalog({name: use_cases[name].use_case for name in sorted(use_cases)})


def _look(module: ModuleType, plugin: str | None, found: list[Found], problems: list[str]) -> None:
    """Takes the use cases of a module, or of the modules that lie directly in a package."""
    path = getattr(module, "__path__", None)
    if path is None:
        _take(module, plugin, found, problems)
        return
    for info in sorted(pkgutil.iter_modules(path), key=lambda info: info.name):
        if info.ispkg or info.name.startswith("_"):
            continue
        name = f"{module.__name__}.{info.name}"
        try:
            inner = importlib.import_module(name)
        except Exception as error:  # a broken file must stop the start with its name, whatever it raises
            problems.append(f"The file of {name!r} does not load: {type(error).__name__}: {error}.")
            continue
        _take(inner, plugin, found, problems)


def _take(module: ModuleType, plugin: str | None, found: list[Found], problems: list[str]) -> None:
    """The use case that a module declares: the one that is called like its file."""
    stem = module.__name__.rpartition(".")[2]
    declared = {
        name: cast("UseCase[Any, Any]", value)
        for name, value in vars(module).items()
        if isinstance(value, UseCase) and cast("UseCase[Any, Any]", value).module == module.__name__
    }
    for name, use_case in declared.items():
        if name == stem:
            found.append(Found(use_case, module, plugin))
        elif name.startswith("_"):
            found.append(Found(use_case, module, plugin, hidden=True))
        else:
            problems.append(
                f"{Found(use_case, module).file} declares the use case {name!r}. "
                f"Expected it to be called {stem!r}, like its file, or to begin with '_'."
            )


def _problems(one: Found, prompts: PromptSource, tools: Collection[str], roles: Collection[str]) -> Iterator[str]:
    use_case, where = one.use_case, f"{one.use_case.name!r} ({one.file})"
    if not use_case.description:
        yield f"{where} says nothing of itself: its module needs a first line that describes it."
    if isinstance(use_case, Composition):
        if isinstance(use_case, Chain):
            try:
                use_case.check()
            except SetupError as error:
                yield f"{where}: {error.message}"
        return
    for name in use_case.tools:
        if name not in tools:
            yield f"{where} names the tool {name!r}, which is unknown. {_nearest(name, tools)}".rstrip()
    if use_case.model not in roles:
        yield f"{where} names the model role {use_case.model!r}. The settings have {_listed(roles)}."
    seen: set[str] = set()
    for language in ("de", "en"):
        try:
            prompt = prompts.get(use_case.prompt, language)
        except PartiturError as error:
            yield f"{where}: {error.message}"
            return
        if prompt.path not in seen:
            yield from _misfits(where, use_case, prompt)
        seen.add(prompt.path)


def _misfits(where: str, use_case: UseCase[Any, Any], prompt: Prompt) -> Iterator[str]:
    """Where the input model and the variables of a prompt do not agree."""
    schema = cast("dict[str, Any]", use_case.input.model_json_schema())
    fields = cast("dict[str, dict[str, Any]]", schema.get("properties", {}))
    for name, variable in prompt.variables.items():
        if name not in fields:
            yield f"{where}: {prompt.path} has the variable {name!r}, {use_case.input.__name__} has {_listed(fields)}."
        elif variable.type not in (types := _types(fields[name], schema)):
            yield f"{where}: {prompt.path} says {name!r} is {variable.type}, {use_case.input.__name__} says {_listed(types)}."
    for name in fields.keys() - prompt.variables.keys() - _FREE_FIELDS:
        yield f"{where}: {use_case.input.__name__} has the field {name!r}, which {prompt.path} does not use."


def _types(field: Mapping[str, Any], schema: Mapping[str, Any]) -> set[str]:
    """The variable types that a field of a JSON schema fits."""
    if "$ref" in field:
        return _types(schema["$defs"][str(field["$ref"]).rpartition("/")[2]], schema)
    options = cast("list[dict[str, Any]]", field.get("anyOf") or field.get("oneOf") or [])
    if options:
        return {name for option in options for name in _types(option, schema)} - {"null"}
    kind = str(field.get("type", "string"))
    if kind == "string" and field.get("format") == "date":
        return {"date", "string"}
    return {"integer", "number"} if kind == "integer" else {kind}


def _listed(names: Collection[str]) -> str:
    return ", ".join(repr(name) for name in sorted(names)) or "none"


def _nearest(name: str, names: Collection[str]) -> str:
    close = difflib.get_close_matches(name[:80], names, n=1, cutoff=0.5)
    return f"Did you mean {close[0]!r}?" if close else ""
