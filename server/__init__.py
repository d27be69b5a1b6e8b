"""Interfaces over one house: Python, HTTP, MCP and the command line; settings, identity and wiring."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from server.house import House, open_house
    from server.settings import Settings

__all__ = ["House", "Settings", "open_house"]


def __getattr__(name: str) -> object:
    """Imported at first use: `partitur --help` must not wait for a house."""
    if name == "Settings":
        from server.settings import Settings

        return Settings
    if name in __all__:
        from server import house

        return getattr(house, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
