"""The models of this installation: `[models]` and `[roles]` of the settings, and the short forms beside them."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from server.settings import Settings
from tools.base import SetupError
from tools.models import Hub, Kind, Limits, ModelConfig, Price

__all__ = ["ROLES", "Models", "house_models", "open_hub"]

ROLES: dict[str, Kind] = {"small": "chat", **{kind: kind for kind in get_args(Kind)}}
"""The roles that the product itself asks for, and the kind of model that each needs; further ones need one that chats."""
_SHORT: dict[str, Kind] = {
    "model": "chat",
    "embedding": "embedding",
    "speech": "speech",
    "transcription": "transcription",
    "image": "image",
}
"""Short forms in the settings, `<name>_url`, `<name>_name` and `<name>_key`."""


@dataclass(frozen=True)
class Models:
    """What the settings say."""

    configs: dict[str, ModelConfig]
    """By id."""
    roles: dict[str, str]
    """Ids by role. A role that nobody filled is not there."""


def house_models(settings: Settings) -> Models:
    """The models and the roles that point at them.

    A role goes to the model that `[roles]` names, else to the short form, else to the first model of its kind;
    `small` without a model of its own is served by `chat`.

    Raises:
        SetupError: two models have one id, or a role points at none, or at one of another kind.
    """
    short: dict[Kind, tuple[str, ModelConfig]] = {
        kind: _short(settings, name) for name, kind in _SHORT.items() if _url(settings, name)
    }
    configs = dict(settings.models)
    roles: dict[str, str] = {}
    for kind, (id, config) in short.items():
        if id in configs:
            raise SetupError(
                f"The model {id!r} is set twice: under [models], and by PARTITUR_{_setting(kind)}_URL.",
                hint="Keep one of them.",
            )
        configs[id], roles[kind] = config, id
    for id, config in configs.items():
        roles.setdefault(config.kind, id)
    for role, id in settings.roles.items():
        roles[role] = _checked(role, id, configs)
    if "chat" in roles:
        roles.setdefault("small", roles["chat"])
    return Models(configs, roles)


def open_hub(models: Models, home: Path, *, workers: int = 1) -> Hub:
    """The hub over `models`; its secret is made once and lies in the home.

    Args:
        models: what the settings say.
        home: of the installation.
        workers: how many processes have such a hub at the same time; they share the limits.

    Raises:
        SetupError: a fallback or a parent does not fit, or the secret cannot be kept.
    """
    configs = {
        id: config.model_copy(update={"limits": config.limits.shared(workers)}) for id, config in models.configs.items()
    }
    return Hub(configs, secret=_secret(home / "salt.key") if configs else b"")


def _short(settings: Settings, name: str) -> tuple[str, ModelConfig]:
    """The model of a short form, with its id: its name there."""
    kind, given = _SHORT[name], settings.model_dump(include={f"{name}_{part}" for part in ("url", "name", "key")})
    id = given[f"{name}_name"] or ("default" if name == "model" else kind)
    price = Price(input=settings.model_price_input, output=settings.model_price_output)
    return id, ModelConfig(
        kind=kind,
        engines=(given[f"{name}_url"],),
        server=settings.model_server,
        key=given[f"{name}_key"],
        price=price if kind == "chat" else Price(),
        limits=Limits(total=settings.request_timeout),
    )


def _url(settings: Settings, name: str) -> str | None:
    return getattr(settings, f"{name}_url")


def _setting(kind: Kind) -> str:
    return "MODEL" if kind == "chat" else kind.upper()


def _checked(role: str, id: str, configs: dict[str, ModelConfig]) -> str:
    """`id`, where the model fits the role."""
    if id not in configs:
        known = ", ".join(map(repr, configs)) or "none"
        raise SetupError(
            f"The role {role!r} points at the model {id!r}, which is unknown. The hub has {known}.",
            hint="Correct it under [roles] in partitur.toml.",
        )
    needed = ROLES.get(role, "chat")
    if configs[id].kind != needed:
        raise SetupError(
            f"The role {role!r} points at {id!r}, a model for {configs[id].kind}. Expected one for {needed}.",
            hint="Correct it under [roles] in partitur.toml.",
        )
    return id


def _secret(path: Path) -> bytes:
    """The secret in `path`, made by whoever comes first: all workers have the same."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        if not path.exists():
            with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secrets.token_bytes(32))
            try:
                os.link(aside, path)  # fails where another was first, and then that one counts
            except FileExistsError:
                pass
            finally:
                aside.unlink()
        return path.read_bytes()
    except OSError as error:
        raise SetupError(
            f"The file {str(path)!r} cannot be kept: {error.strerror}.",
            hint="Give the user that runs Partitur the right to write there, or set PARTITUR_HOME.",
        ) from error
