"""The tool servers of this installation, each built at its first use."""

from contextlib import AsyncExitStack

from agents.kit import HouseServer
from server.settings import Settings
from tools.base import ArtifactStore

__all__ = ["house_servers"]


def house_servers(settings: Settings, artifacts: ArtifactStore, closing: AsyncExitStack) -> dict[str, HouseServer]:
    """Tool servers by name."""
    return {}
