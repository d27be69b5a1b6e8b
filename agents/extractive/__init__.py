"""The embedded engine: a pydantic-ai model without weights that answers with quotes and says where they stand."""

from agents.extractive.model import ExtractiveModel

__all__ = ["ExtractiveModel"]
