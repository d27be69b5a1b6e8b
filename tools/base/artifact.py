"""Binaries that tools make (pictures, speech): small typed references, the bytes in one content-addressed folder."""

import hashlib
import re
import secrets
import shutil
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from tools.base.caller import Caller
from tools.base.errors import NotFound

__all__ = ["Artifact", "ArtifactStore"]

_SUFFIXES = {
    "image/png": ".png",
    "image/svg+xml": ".svg",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "audio/wav": ".wav",
    "audio/ogg": ".opus",
    "audio/mpeg": ".mp3",
    "text/html": ".html",
    "text/markdown": ".md",
}
_ID = re.compile(r"[0-9a-f]{64}\.[a-z0-9]{1,5}")


class Artifact(BaseModel):
    """A reference to a binary: what it is, and what it says to those who cannot see or hear it."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="SHA-256 of the bytes in hex, and the file's suffix.")
    media_type: str = Field(description="For example image/png, audio/wav, audio/ogg, audio/mpeg.")
    alt_text: str = Field(description="What a person who cannot see or hear it needs to know.")
    size: int = Field(ge=0, description="Bytes.")
    uri: str = Field(description="Link on the server, fetched with the same credentials.")


class ArtifactStore:
    """Keeps the bytes under `root`, a folder a tenant and in it one a subject: nobody reaches what somebody else made."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, data: bytes, *, media_type: str, alt_text: str, caller: Caller) -> Artifact:
        """Stores `data` for `caller`; the same bytes are stored once."""
        name = hashlib.sha256(data).hexdigest() + _SUFFIXES.get(media_type, ".bin")
        path = self.folder(caller) / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            aside = path.with_name(f".{name}.{secrets.token_hex(8)}")  # the same bytes may be made twice at once
            try:
                aside.write_bytes(data)
                aside.replace(path)
            finally:
                aside.unlink(missing_ok=True)
        return Artifact(id=name, media_type=media_type, alt_text=alt_text, size=len(data), uri=f"/v1/artifacts/{name}")

    def path(self, artifact: str, *, caller: Caller) -> Path:
        """The file behind an artifact's id.

        Raises:
            NotFound: this caller has no such artifact.
        """
        path = self.folder(caller) / artifact
        if not _ID.fullmatch(artifact) or not path.is_file():
            raise NotFound(f"Artifact {artifact!r} is not there. Expected the id of an artifact you made.")
        return path

    def drop(self, caller: Caller) -> int:
        """Deletes everything that `caller` made; returns how many files that were."""
        folder = self.folder(caller)
        count = sum(path.is_file() for path in folder.iterdir()) if folder.is_dir() else 0
        shutil.rmtree(folder, ignore_errors=True)
        return count

    def folder_of(self, tenant: str) -> Path:
        """What all callers of a tenant made lies below it."""
        return self._root / _hashed(tenant)

    def folder(self, caller: Caller) -> Path:
        """What one caller made lies in it."""
        return self.folder_of(caller.tenant) / _hashed(f"{caller.tenant}\x00{caller.subject}")


def _hashed(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:32]
