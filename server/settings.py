"""Every setting, read once: from `partitur.toml` in the working directory and from PARTITUR_… in the environment."""

import difflib
import os
import tomllib
from pathlib import Path
from typing import Annotated, Literal, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from server.state import postgresql_address
from tools.base import SetupError
from tools.graph import GraphOptions
from tools.knowledge import KnowledgeOptions
from tools.models import ModelConfig, web_address
from tools.ragflow import RagflowConfig
from tools.tables import TablesOptions

__all__ = ["Brand", "McpServer", "Settings", "load_settings", "quieten_fastmcp", "unknown_variables"]


class Brand(BaseModel):
    """Colours of header cards and of the newsletter page, as #rrggbb."""

    primary: str = Field(default="#0b4f6c", pattern=r"^#[0-9a-fA-F]{6}$")
    accent: str = Field(default="#e07a1f", pattern=r"^#[0-9a-fA-F]{6}$")
    name: str = Field(default="Partitur", max_length=80)


def _referred(value: object) -> object:
    """A secret, or where it is: `env:NAME` in the environment, `file:/path` in a file."""
    if not isinstance(value, str):
        return value
    kind, _, place = value.partition(":")
    if kind == "env":
        if place not in os.environ:
            raise ValueError(f"the variable {place!r} is not set; expected a secret in it")
        return os.environ[place]
    if kind == "file":
        try:
            return Path(place).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"the file {place!r} cannot be read; expected a secret in it") from error
    return value


Secret = Annotated[SecretStr, BeforeValidator(_referred)]
ResultPath = Annotated[str, StringConstraints(pattern=r"^$|^[^.]+(\.[^.]+)*$", max_length=200)]


class McpPassages(BaseModel):
    """Where in a tool's result what may be quoted stands: names and numbers joined by dots; empty = the thing itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    items: ResultPath = Field(default="", description="The list of results, or the only one.")
    text: ResultPath = Field(default="text", description="In a result, as all that follow: its text.")
    title: ResultPath | None = Field(default=None, description="Its title.")
    document: ResultPath | None = Field(default=None, description="The id or the address of its document.")
    page: ResultPath | None = Field(default=None, description="Its page, from 1.")
    score: ResultPath | None = Field(default=None, description="How well it fits: higher is better.")


class McpServer(BaseModel):
    """An MCP server of others whose tools use cases may call, as `name.tool`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str | None = Field(default=None, pattern=r"^https?://", description="Where it answers over streamable HTTP.")
    command: tuple[str, ...] = Field(default=(), description="Or the program that speaks MCP on stdin and stdout.")
    environment: dict[str, Secret] = Field(
        default_factory=dict[str, SecretStr], description="The program's environment; it gets nothing else of ours."
    )
    key: Secret | None = Field(default=None, description="Bearer token for the URL. A caller's is never passed on.")
    headers: dict[str, Secret] = Field(
        default_factory=dict[str, SecretStr], description="Headers for the URL besides, for example X-API-Key."
    )
    tools: tuple[str, ...] = Field(min_length=1, description="The tools that may be called.")
    sources: tuple[str, ...] = Field(default=(), description="Those that return passages to quote.")
    passages: dict[str, McpPassages] = Field(
        default_factory=dict[str, McpPassages],
        description="Where the passages are in results of another shape, by tool.",
    )
    pins: dict[str, str] = Field(
        default_factory=dict[str, str], description="What tools said of themselves when they were approved, by tool."
    )
    timeout: float = Field(default=60.0, gt=0, description="Seconds that one call may take.")
    max_result_bytes: int = Field(default=1_000_000, ge=1_000, description="Larger results are refused.")

    @model_validator(mode="after")
    def _one_way(self) -> "McpServer":
        if (self.url is None) == (not self.command):
            raise ValueError("exactly one of 'url' and 'command' is expected")
        for setting in ("sources", "passages", "pins"):
            if unknown := set(getattr(self, setting)) - set(self.tools):
                raise ValueError(f"{setting!r} names {min(unknown)!r}, which is not among 'tools'")
        return self


class Settings(BaseSettings):
    """What an installation can set. The environment wins over the file."""

    model_config = SettingsConfigDict(
        env_prefix="PARTITUR_", toml_file="partitur.toml", extra="forbid", env_nested_delimiter="__", frozen=True
    )

    home: Path = Field(
        default=Path(".partitur"), validate_default=True, description="Where data, keys and artifacts lie."
    )
    host: str = Field(default="127.0.0.1", description="Address that 'partitur serve' listens on.")
    port: int = Field(
        default=8642, ge=0, le=65535, description="Port that 'partitur serve' listens on; 0 = any free one."
    )
    workers: int = Field(default=1, ge=1, le=256, description="Processes of 'partitur serve' that share the work.")
    allowed_hosts: tuple[str, ...] = Field(
        default=(), description="Names under which MCP clients may reach it besides its own, without port."
    )
    api_key: SecretStr | None = Field(default=None, description="A key that is accepted besides those in the home.")
    database: SecretStr | None = Field(
        default=None, description="PostgreSQL for several machines; without it SQLite in the home."
    )
    prompts: Path | None = Field(default=None, description="Folder of the prompt library, in a Git repository.")
    log_level: Literal["debug", "info", "warning", "error"] = "warning"

    model_url: str | None = Field(
        default=None, description="OpenAI-compatible endpoint, for example http://host:8000/v1."
    )
    model_name: str | None = Field(default=None, description="The model's name there, and its id at /v1/models.")
    model_key: SecretStr | None = None
    model_server: Literal["vllm", "openai"] = Field(
        default="vllm", description="What serves the models of the short forms; see [models]."
    )
    model_price_input: float | None = Field(default=None, ge=0, description="Price of a million tokens it reads.")
    model_price_output: float | None = Field(default=None, ge=0, description="Price of a million tokens it writes.")
    embedding_url: str | None = None
    embedding_name: str | None = None
    embedding_key: SecretStr | None = None
    speech_url: str | None = None
    speech_name: str | None = None
    speech_key: SecretStr | None = None
    transcription_url: str | None = None
    transcription_name: str | None = None
    transcription_key: SecretStr | None = None
    image_url: str | None = None
    image_name: str | None = None
    image_key: SecretStr | None = None

    models: dict[str, ModelConfig] = Field(
        default_factory=dict[str, ModelConfig], description="The models of the hub, by their id at every interface."
    )
    roles: dict[str, str] = Field(
        default_factory=dict[str, str], description="Which model serves a role that use cases name."
    )

    mcp_servers: dict[str, McpServer] = Field(
        default_factory=dict[str, McpServer], description="MCP servers of others, by the name their tools go under."
    )

    knowledge: KnowledgeOptions = Field(
        default=KnowledgeOptions(), description="Where documents are kept, how they are read and searched."
    )
    graph: GraphOptions = Field(
        default=GraphOptions(), description="The graph's engine, what queries may use, and who may write Cypher."
    )
    tables: TablesOptions = Field(
        default=TablesOptions(), description="What queries to tables may use, and databases that tables come from."
    )
    ragflow: RagflowConfig | None = Field(
        default=None, description="A RAGFlow server that keeps the documents; null = our own tables in the home."
    )

    brand: Brand = Brand()
    request_timeout: float = Field(default=600.0, gt=0, description="Seconds that one request to an engine may take.")
    responses_days: int = Field(
        default=30, ge=0, le=3650, description="Days that a stored response is kept; 0 = none is stored."
    )
    max_body_bytes: int = Field(default=20_000_000, gt=0, description="Largest body of an HTTP request.")
    max_file_bytes: int = Field(default=50_000_000, gt=0, description="Largest file that is ingested.")

    @field_validator("home", "prompts")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        """Absolute from the start: child processes work in folders of their own."""
        return path.absolute() if path else None

    @field_validator("model_url", "embedding_url", "speech_url", "transcription_url", "image_url")
    @classmethod
    def _address(cls, url: str | None) -> str | None:
        """A web address, or none: told at the start, not by the first request."""
        return web_address(url) if url else None

    @field_validator("ragflow", mode="before")
    @classmethod
    def _ragflow(cls, given: object) -> object:
        """Its key may be named by reference, as those of MCP servers."""
        if not isinstance(given, dict):
            return given
        told = cast("dict[str, object]", given)
        return {**told, "key": _referred(told["key"])} if "key" in told else told

    @field_validator("database")
    @classmethod
    def _database(cls, url: SecretStr | None) -> SecretStr | None:
        return postgresql_address(url)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def unknown_variables() -> list[str]:
    """PARTITUR_… variables of the environment that are no setting: most often a slip of the pen."""
    known = {f"PARTITUR_{name.upper()}" for name in Settings.model_fields}
    nested = tuple(f"{name}__" for name in known)
    return sorted(
        name
        for name in os.environ
        if name.upper().startswith("PARTITUR_") and name.upper() not in known and not name.upper().startswith(nested)
    )


def quieten_fastmcp() -> None:
    """Keeps fastmcp from putting log handlers of its own, and tracebacks in frames, in front of the user.

    It offers no other way than its variable, read when it is imported.
    """
    os.environ.setdefault("FASTMCP_LOG_ENABLED", "false")


def load_settings(**given: object) -> Settings:
    """The settings of this process; `given` wins over environment and file.

    Raises:
        SetupError: a value does not fit; the message names the setting and the variable.
    """
    try:
        return Settings(**given)  # pyright: ignore[reportArgumentType]  # pydantic checks what the caller hands over
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        parts = [str(part) for part in first["loc"]]
        name = ".".join(parts)
        if first["type"] == "extra_forbidden":
            inner = Settings.model_fields[parts[0]].annotation if len(parts) == 2 else Settings
            near = difflib.get_close_matches(parts[-1], getattr(inner, "model_fields", ()), n=1)
            meant = ".".join([*parts[:-1], *near])
            raise SetupError(
                f"The setting {name!r} is unknown. " + (f"Did you mean {meant!r}?" if near else ""),
                hint="Correct it in partitur.toml; docs/settings.md lists all settings.",
            ) from None
        raise SetupError(
            f"The setting {name!r} does not fit: {first['msg']}.",
            hint=f"Correct it in partitur.toml or in the environment as PARTITUR_{'__'.join(parts).upper()}.",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SetupError(
            f"The file 'partitur.toml' is no TOML: {error}.",
            hint="Correct the line that it names; values are in quotes.",
        ) from None
