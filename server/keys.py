"""API keys: made here, shown once, kept as hashes in one file that several processes may share."""

import asyncio
import fcntl
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from tools.base import Caller, InvalidInput, NotFound, SetupError, Unauthenticated

__all__ = ["PREFIX", "Holder", "Key", "KeyStore", "KeyVerifier"]

PREFIX = "pt-"
_LONGEST = 512
"""Characters of a token that are looked at; no key is longer."""


def _plain(name: str) -> str:
    if name != name.strip() or not name.isprintable() or name.partition(":")[0] in ("user", "group", "key", "*"):
        raise ValueError(
            "expected a name as such, without blanks around it and without 'user:', 'group:' or 'key:' before it"
        )
    return name


_Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_plain)]
"""Of a user, group, role or cost centre."""


class Holder(BaseModel):
    """Whom a key acts as."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    user: _Name | None = Field(default=None, description="As access lists name users; null = a user of its own.")
    groups: frozenset[_Name] = frozenset()
    roles: frozenset[_Name] = frozenset({"admin"})
    cost_centre: _Name | None = None

    @classmethod
    def of(cls, **given: object) -> "Holder":
        """The holder that somebody described.

        Raises:
            InvalidInput: a name does not fit.
        """
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise InvalidInput.of(error, cls) from error


class Key(Holder):
    """What is kept of a key: never the key itself."""

    id: str = Field(pattern=r"^[0-9a-f]{12}$")
    label: str = Field(min_length=1, max_length=200)
    created: datetime
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of the key: 256 random bits need no slow hash.")
    scopes: frozenset[str] = frozenset({"partitur"})

    @property
    def caller(self) -> Caller:
        """Who acts with this key."""
        return Caller(
            subject=self.user or f"key:{self.id}",
            groups=self.groups,
            roles=self.roles,
            scopes=self.scopes,
            cost_centre=self.cost_centre,
        )


_ADMINISTRATOR = Holder()


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    keys: list[Key] = []


class KeyStore:
    """The keys of an installation, in `keys.json`; read again where another process changed it."""

    def __init__(self, home: Path) -> None:
        self._path = home / "keys.json"
        self._stamp: tuple[int, int, int] | None = None
        self._keys: dict[str, Key] = {}

    def first(self, label: str = "first start") -> str | None:
        """Makes the first key and returns it, once; None where there is one already, whoever made it.

        Raises:
            SetupError: the file cannot be read or written.
        """
        with self._locked():
            return None if self._read() else self._add(label)

    def add(self, label: str, holder: Holder = _ADMINISTRATOR) -> str:
        """Makes a key for `holder` and returns it: the only time it is to be seen."""
        with self._locked():
            self._read()
            return self._add(label, holder)

    def remove(self, id: str) -> Key:
        """Takes a key back; whoever holds it is shut out within a second.

        Raises:
            NotFound: no key has this id.
        """
        with self._locked():
            kept = [key for key in self._read().values() if key.id != id]
            gone = [key for key in self._keys.values() if key.id == id]
            if not gone:
                raise NotFound(f"The key {id!r} is not there. Expected the id of a key.", hint="List the keys first.")
            self._write(kept)
            return gone[0]

    def drop(self, user: str) -> int:
        """Takes back every key that was made for `user`, and says how many."""
        with self._locked():
            kept = [key for key in self._read().values() if key.user != user]
            gone = len(self._keys) - len(kept)
            if gone:
                self._write(kept)
            return gone

    def list(self) -> list[Key]:
        """All keys, oldest first."""
        return sorted(self._read().values(), key=lambda key: key.created)

    def find(self, key: str) -> Key | None:
        """The record of a key, found by its hash."""
        return self._read().get(_digest(key))

    def _add(self, label: str, holder: Holder = _ADMINISTRATOR) -> str:
        key = PREFIX + secrets.token_urlsafe(32)
        given = {"id": secrets.token_hex(6), "label": label, "created": datetime.now(UTC), "sha256": _digest(key)}
        try:
            made = Key.model_validate({**holder.model_dump(), **given})
        except ValidationError as error:  # the label is somebody's words
            raise InvalidInput(
                f"The label cannot be {label!r}. Expected 1 to 200 characters.", hint="Say what the key is for."
            ) from error
        self._write([*self._keys.values(), made])
        return key

    def _read(self) -> dict[str, Key]:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._stamp, self._keys = None, {}
            return self._keys
        except OSError as error:
            raise self._unreadable(error) from error
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        if stamp != self._stamp:
            try:
                keys = _File.model_validate_json(self._path.read_bytes()).keys
            except (OSError, ValidationError) as error:
                raise self._unreadable(error) from error
            self._stamp, self._keys = stamp, {key.sha256: key for key in keys}
        return self._keys

    def _write(self, keys: "list[Key]") -> None:
        """Replaces the file in one move, readable by its owner alone."""
        aside = self._path.with_name(f".keys.{os.getpid()}.{secrets.token_hex(4)}")
        data = json.dumps({"keys": [key.model_dump(mode="json") for key in keys]}, indent=1).encode()
        try:
            with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(self._path)
        except OSError as error:
            aside.unlink(missing_ok=True)
            raise SetupError(
                f"The key file {str(self._path)!r} cannot be written: {error.strerror}.",
                hint="Give the user that runs Partitur the right to write there, or set PARTITUR_HOME.",
            ) from error
        self._stamp = None
        self._read()

    @contextmanager
    def _locked(self) -> Generator[None]:
        """One process at a time changes keys, so that two first starts make one key."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(self._path.with_name(".keys.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise SetupError(
                f"The home {str(self._path.parent)!r} cannot be written: {error.strerror}.",
                hint="Give the user that runs Partitur the right to write there, or set PARTITUR_HOME.",
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _unreadable(self, error: Exception) -> SetupError:
        return SetupError(
            f"The key file {str(self._path)!r} cannot be read: {type(error).__name__}. Expected the file as it was written.",
            hint="Restore it from a copy, or delete it and start again for a new key.",
        )


class KeyVerifier:
    """Makes a caller of an API key: one from the store, or the one that the settings give."""

    _FRESH_S = 0.5
    """Seconds that a key which was found is believed, so that not every request looks at the disk."""

    def __init__(self, store: KeyStore, api_key: SecretStr | None = None) -> None:
        self._store = store
        self._given = _digest(api_key.get_secret_value()) if api_key else None
        self._found: dict[str, Caller] = {}

    async def __call__(self, token: str) -> Caller:
        """The caller behind `token`.

        Raises:
            Unauthenticated: nobody is.
        """
        if len(token) <= _LONGEST:
            digest = _digest(token)
            if (caller := self._found.get(digest)) is not None:
                return caller
            if self._given is not None and hmac.compare_digest(digest, self._given):
                return self._keep(digest, _SETTINGS)
            if (key := self._store.find(token)) is not None:
                return self._keep(digest, key.caller)
        raise Unauthenticated("The API key is not valid. Expected one that this installation made.")

    def _keep(self, digest: str, caller: Caller) -> Caller:
        if not self._found:
            asyncio.get_running_loop().call_later(self._FRESH_S, self._found.clear)
        self._found[digest] = caller
        return caller


_SETTINGS = Caller(subject="key:settings", roles=frozenset({"admin"}), scopes=frozenset({"partitur"}))
"""Who acts with the key of the settings."""


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
