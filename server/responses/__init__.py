"""Responses of models and use cases: conversations that are kept, tools that run here, work in the background."""

from server.responses.api import ResponsesApi

__all__ = ["ResponsesApi"]
