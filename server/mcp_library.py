"""What lies beside the tools at the MCP interface: prompts of the library, documents, artifacts, the list of use cases."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, cast
from urllib.parse import quote

from fastmcp.exceptions import PromptError, ResourceError
from fastmcp.prompts import Message, Prompt, PromptArgument, PromptResult
from fastmcp.resources import Resource, ResourceContent, ResourceResult, ResourceTemplate
from fastmcp.server.providers import Provider
from fastmcp.utilities.components import FastMCPComponent
from pydantic import AnyUrl, BaseModel, JsonValue, PrivateAttr

from agents.kit import Composition
from agents.kit.scope import Scope
from prompts.prompt import Prompt as LibraryPrompt
from prompts.render import render
from server.errors import told
from server.house import House
from server.rest_api import MEDIA_TYPES, described
from tools.base import Caller, InvalidInput, PartiturError

__all__ = ["Library"]

_LIST, _READ = "knowledge.documents", "knowledge.document"
_MOST = 1_000
"""Documents that are listed; a template reaches the others."""


class Library(Provider):
    """Lists and reads as things lie at the moment, for the caller of the request."""

    def __init__(self, house: House, caller: Callable[[], Caller]) -> None:
        super().__init__()
        self._house = house
        self._caller = caller

    async def _list_prompts(self) -> Sequence[Prompt]:
        used = {use_case.prompt for use_case in self._house.catalog if not isinstance(use_case, Composition)}
        found: list[Prompt] = []
        for name in sorted(used | set(self._house.prompts.library.names())):
            try:
                found.append(_LibraryPrompt.of(self._house, self._house.prompts.get(name)))
            except PartiturError:
                continue  # a file that is no prompt is told by readyz and by the doctor
        return found

    async def _list_resources(self) -> Sequence[Resource]:
        listed: list[Resource] = [_UseCases.of(self._house)]
        if _LIST in self._house.runtime.toolbox.refs:
            found = await self.call(_LIST, {"limit": _MOST})
            listed += [_Document.of(self, document) for document in cast("list[dict[str, Any]]", found["documents"])]
        return listed

    async def _list_resource_templates(self) -> Sequence[ResourceTemplate]:
        templates: list[ResourceTemplate] = [_ArtifactTemplate.of(self)]
        if _READ in self._house.runtime.toolbox.refs:
            templates.append(_DocumentTemplate.of(self))
        return templates

    async def _get_resource(self, uri: str, version: Any = None) -> Resource | None:
        """Documents are read through their template; none is listed to read one."""
        return _UseCases.of(self._house) if uri == _UseCases.URI else None

    async def get_tasks(self) -> Sequence[FastMCPComponent]:
        """Nothing here is a background task; asked at the start, when there is no caller."""
        return []

    async def call(self, tool: str, arguments: Mapping[str, JsonValue]) -> dict[str, Any]:
        """Calls a tool of the house for the caller of the request, through the gate."""
        toolbox = self._house.runtime.toolbox
        scope = Scope.alone(tool, self._caller())
        return await toolbox.run(tool, dict(arguments), scope)

    def artifact(self, id: str) -> bytes:
        """The bytes of something this caller made."""
        return self._house.artifacts.path(id, caller=self._caller()).read_bytes()


class _LibraryPrompt(Prompt):
    """A prompt of the library, rendered as the runtime renders it."""

    _house: House = PrivateAttr()

    @classmethod
    def of(cls, house: House, prompt: LibraryPrompt) -> "_LibraryPrompt":
        arguments = [
            PromptArgument(
                name=name,
                description=f"{variable.description} ({variable.type})".strip(),
                required=variable.required,
            )
            for name, variable in prompt.variables.items()
        ]
        if "language" not in prompt.variables:
            arguments.append(PromptArgument(name="language", description="Of the prompt: de or en.", required=False))
        made = cls(name=prompt.name, description=prompt.description, arguments=arguments, tags=set())
        made._house = house
        return made

    async def render(self, arguments: dict[str, Any] | None = None) -> PromptResult:
        given = dict(arguments or {})
        language = given.get("language", "de")
        try:
            prompt = self._house.prompts.get(self.name, "en" if language == "en" else "de")
            if "language" not in prompt.variables:
                given.pop("language", None)
            values = {name: _typed(prompt, name, str(value)) for name, value in given.items()}
            text = render(prompt, values)
        except PartiturError as error:
            raise PromptError(told(error), log_level=logging.DEBUG) from error
        about = {"path": prompt.path, "commit": prompt.commit, "dirty": prompt.dirty}
        return PromptResult([Message(text)], description=prompt.description, meta={"partitur/prompt": about})


def _typed(prompt: LibraryPrompt, name: str, value: str) -> JsonValue:
    """MCP sends prompt arguments as text; what is not text is read from it."""
    variable = prompt.variables.get(name)
    if variable is None or variable.type in ("string", "date"):
        return value
    try:
        return cast("JsonValue", json.loads(value))
    except (ValueError, RecursionError):
        raise InvalidInput(f"The argument {name!r} is {value!r:.80}. Expected {variable.type} as JSON.") from None


class _UseCases(Resource):
    """The catalog as JSON."""

    URI: ClassVar[str] = "partitur://use-cases"
    _house: House = PrivateAttr()

    @classmethod
    def of(cls, house: House) -> "_UseCases":
        made = cls(
            uri=AnyUrl(cls.URI),
            name="use-cases",
            description="Every use case with its input and output schema.",
            mime_type="application/json",
        )
        made._house = house
        return made

    async def read(self) -> ResourceResult:
        data = {"use_cases": [described(use_case) for use_case in self._house.catalog]}
        return ResourceResult([ResourceContent(json.dumps(data, ensure_ascii=False), mime_type="application/json")])


class _Document(Resource):
    """A stored document: the text that citations point into."""

    _library: Library = PrivateAttr()
    _id: str = PrivateAttr()

    @classmethod
    def of(cls, library: Library, document: Mapping[str, Any]) -> "_Document":
        id = str(document["id"])
        made = cls(
            uri=AnyUrl(f"document://{quote(id, safe='/')}"),
            name=id,
            title=str(document.get("title") or id),
            description=f"{document.get('size', 0)} characters, {document.get('language', '')}".rstrip(", "),
            mime_type="text/markdown",
        )
        made._library, made._id = library, id
        return made

    async def read(self) -> ResourceResult:
        try:
            found = await self._library.call(_READ, {"id": self._id})
        except PartiturError as error:
            raise ResourceError(told(error), log_level=logging.DEBUG) from error
        return ResourceResult([ResourceContent(str(found["text"]), mime_type="text/markdown")])


class _DocumentTemplate(ResourceTemplate):
    """Reaches every document by its id."""

    _library: Library = PrivateAttr()

    @classmethod
    def of(cls, library: Library) -> "_DocumentTemplate":
        made = cls(
            uri_template="document://{id*}",
            name="document",
            description="The stored text of a document by its id; offsets of citations point into it.",
            mime_type="text/markdown",
            parameters=_Id.model_json_schema(),
        )
        made._library = library
        return made

    async def create_resource(self, uri: str, params: dict[str, Any]) -> Resource:
        return _Document.of(self._library, {"id": params["id"]})


class _Artifact(Resource):
    """Something this caller made."""

    _library: Library = PrivateAttr()
    _id: str = PrivateAttr()

    @classmethod
    def of(cls, library: Library, id: str) -> "_Artifact":
        media_type = MEDIA_TYPES.get(id.rpartition(".")[2], "application/octet-stream")
        made = cls(uri=AnyUrl(f"artifact://{quote(id)}"), name=id, mime_type=media_type)
        made._library, made._id = library, id
        return made

    async def read(self) -> ResourceResult:
        try:
            data = await asyncio.to_thread(self._library.artifact, self._id)
        except PartiturError as error:
            raise ResourceError(told(error), log_level=logging.DEBUG) from error
        return ResourceResult([ResourceContent(data, mime_type=self.mime_type)])


class _ArtifactTemplate(ResourceTemplate):
    """Reaches what this caller made."""

    _library: Library = PrivateAttr()

    @classmethod
    def of(cls, library: Library) -> "_ArtifactTemplate":
        made = cls(
            uri_template="artifact://{id}",
            name="artifact",
            description="A picture, sound or page that one of your requests made, by its id.",
            mime_type="application/octet-stream",
            parameters=_Id.model_json_schema(),
        )
        made._library = library
        return made

    async def create_resource(self, uri: str, params: dict[str, Any]) -> Resource:
        return _Artifact.of(self._library, str(params["id"]))


class _Id(BaseModel):
    id: str
