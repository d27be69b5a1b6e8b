"""A result in words, the same wherever people read it: the output, or why there is none, or what is missing of it."""

from typing import Any

from agents.kit import Result, readable

__all__ = ["shortfall", "words"]


def words(result: Result[Any]) -> str:
    """What a reader without a place for the envelope needs to know."""
    return result.message or "" if result.output is None else readable(result.output) + shortfall(result)


def shortfall(result: Result[Any]) -> str:
    """What is said after the output where it is only a part; empty where it is whole."""
    return f"\n\n{result.message}" if result.outcome == "partial" and result.message else ""
