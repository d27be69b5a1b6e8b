"""Translates a text into another language and keeps to your glossary; needs a language model.

Deutsch: Übersetzt einen Text in eine andere Sprache und hält sich an Ihr Glossar; braucht ein Sprachmodell.
"""

from agents.kit import Run, composition
from tools.translation import TranslationRequest, TranslationResult, translate

__all__ = ["translation"]


@composition(generative=True)
async def translation(given: TranslationRequest, run: Run) -> TranslationResult:
    return await run.call(translate, given)
