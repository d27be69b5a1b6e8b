"""Where the tables lie: a folder, or a bucket of an object store; each tenant has tables of its own there."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from tools.knowledge import KnowledgeConfig

__all__ = ["Place", "tenant_folder"]

_PLAIN = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
_PATIENCE = {"connect_timeout": "3s", "timeout": "10s", "client_max_retries": "2", "client_retry_timeout": "10"}
"""With an object store, where the settings say nothing else; LanceDB's own would try for minutes."""
_METADATA_CACHE = 32_000_000  # bytes; LanceDB's own limits are gigabytes


@dataclass(frozen=True, slots=True)
class Place:
    """One tenant's tables."""

    uri: str
    """A folder, or for example s3://bucket/partitur/default."""
    options: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """What LanceDB needs to reach an object store: keys, endpoint, region."""
    cache: int = 128_000_000
    """Bytes of its indices that are kept in memory at most."""

    @classmethod
    def of(cls, config: "KnowledgeConfig", tenant: str) -> "Place":
        """Below the home, unless the settings name an object store."""
        root = config.storage or str(config.home.absolute() / "lance")
        options = {name: value.get_secret_value() for name, value in config.storage_options.items()}
        options = {**_PATIENCE, **options} if config.storage else {}
        return cls(f"{root.rstrip('/')}/{tenant_folder(tenant)}", options, config.index_cache_bytes)

    @property
    def remote(self) -> bool:
        """Whether it is a bucket."""
        return "://" in self.uri

    @property
    def bucket(self) -> str:
        """For example s3://bucket."""
        return "/".join(self.uri.split("/")[:3])

    async def connect(self) -> Any:  # Any: lancedb has no types
        """A connection whose reads see what other processes have written."""
        from tools.knowledge.lance import lancedb

        session = lancedb.Session(index_cache_size_bytes=self.cache, metadata_cache_size_bytes=_METADATA_CACHE)
        every_read = timedelta(0)
        return cast(
            Any,
            await lancedb.connect_async(
                self.uri, read_consistency_interval=every_read, session=session, storage_options=dict(self.options)
            ),
        )


def tenant_folder(tenant: str) -> str:
    """A name that is safe in paths and never that of another tenant."""
    return tenant if _PLAIN.fullmatch(tenant) else f"t_{hashlib.sha256(tenant.encode()).hexdigest()[:40]}"
