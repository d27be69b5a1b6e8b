"""Interfaces over one house: Python, HTTP, MCP and the command line; settings, identity and wiring."""

from server.house import House, open_house
from server.settings import Settings

__all__ = ["House", "Settings", "open_house"]
