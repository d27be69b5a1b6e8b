"""A rule of the spoken writing: a pattern and what it reads as."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["Rule", "apply", "at_end", "rule"]

_REST = re.compile(r"\s*\Z")


@dataclass(frozen=True)
class Rule:
    """Every match of `pattern` is said as `words` makes it."""

    pattern: re.Pattern[str]
    words: Callable[[re.Match[str]], str]


def rule(pattern: str | re.Pattern[str], words: Callable[[re.Match[str]], str] | str) -> Rule:
    """A rule whose words are computed of the match, or always the same."""
    if isinstance(words, str):
        fixed = words
        return Rule(re.compile(pattern), lambda _: fixed)
    return Rule(re.compile(pattern), words)


def at_end(match: re.Match[str]) -> bool:
    """Whether nothing but white space follows a match."""
    return _REST.match(match.string, match.end()) is not None


def apply(rules: Sequence[Rule], text: str) -> str:
    """`text` after all rules, in their order; spaces that they left are closed."""
    for each in rules:
        text = each.pattern.sub(each.words, text)
    return re.sub(r" (?=[,.;:!?])", "", re.sub(r" {2,}", " ", text)).strip()
