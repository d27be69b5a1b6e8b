"""Reads a text aloud, in German or English.

Deutsch: Liest einen Text vor, auf Deutsch oder Englisch.
"""

from agents.kit import Run, composition
from tools.speech import Speech, Spoken, say

__all__ = ["speech"]


@composition
async def speech(given: Spoken, run: Run) -> Speech:
    return await run.call(say, given)
