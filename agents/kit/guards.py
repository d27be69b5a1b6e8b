"""The guards every installation has: sizes, secrets, cancellation, and what one run may spend."""

import re
import string
from dataclasses import dataclass

from agents.kit.gate import Act
from tools.base import Cancelled, Refused, TooLarge

__all__ = ["CancelGuard", "SecretGuard", "SizeGuard", "UsageGuard"]

_SECRETS = {
    "a Partitur API key": r"\bpt-[A-Za-z0-9_-]{32,}",
    "an OpenAI-style API key": r"\bsk-[A-Za-z0-9_-]{20,}",
    "an AWS access key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,})",
    "a GitLab token": r"\bglpat-[A-Za-z0-9_-]{20,}",
    "a Slack token": r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
    "a JSON web token": r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    "a private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY",
}
_PATTERN = re.compile("|".join(f"(?P<k{i}>{pattern})" for i, pattern in enumerate(_SECRETS.values())))
_KINDS = tuple(_SECRETS)
_MARKS = (
    *("pt-", "sk-", "AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox"),
    *("eyJ", "-----BEGIN "),
)
"""One of them stands in every secret."""


def _beginning(word: str, rest: str) -> str:
    """A pattern for `word` as far as it has come at the end of a text, and once it is whole for `rest` after it."""
    pattern = rest
    for letter in reversed(word):
        pattern = f"{re.escape(letter)}(?:{pattern})?"
    return pattern


_TOKEN = r"[A-Za-z0-9_-]*"


def _at_end(*beginnings: str, after: str = r"\b") -> re.Pattern[str]:
    return re.compile(f"{after}(?:{'|'.join(beginnings)})\\Z")


_LETTERS = string.ascii_letters + string.digits
_BEGINS = (
    (
        _LETTERS + "_-",
        _at_end(
            _beginning("pt-", _TOKEN),
            _beginning("sk-", _TOKEN),
            _beginning("AKIA", "[0-9A-Z]*"),
            _beginning("ASIA", "[0-9A-Z]*"),
            _beginning("gh", "[pousr](?:_[A-Za-z0-9]*)?"),
            _beginning("github_pat_", "[A-Za-z0-9_]*"),
            _beginning("glpat-", _TOKEN),
            _beginning("xox", f"[abprs](?:-{_TOKEN})?"),
        ),
    ),
    (
        _LETTERS + "_-.",
        _at_end(
            _beginning("eyJ", _TOKEN + r"(?:\.(?:" + _beginning("eyJ", _TOKEN + r"(?:\.[A-Za-z0-9_-]*)?") + ")?)?"),
            after="(?<![A-Za-z0-9_-])",
        ),
    ),
    (string.ascii_uppercase + " -", _at_end(_beginning("-----BEGIN", r"[A-Z ]*"), after="")),
)
"""What may become a secret, at the end of a text, with the letters that it has. Nothing before the last run of those is
looked at: who repeats a beginning a thousand times would have each of them followed to the end."""


class SecretGuard:
    """Refuses text that holds a credential, lest it end in prompts, logs and answers. Only sure shapes."""

    def before(self, act: Act, text: str) -> None:
        self._look(act, text, "What goes in")

    def piece(self, act: Act, text: str) -> None:
        self._look(act, text, "What came out")

    def after(self, act: Act, text: str) -> None:
        self._look(act, text, "What came out")

    def begins(self, text: str) -> int:
        """The characters at the end that may be the beginning of a credential."""
        size = first = len(text)
        for letters, beginnings in _BEGINS:
            run = len(text.rstrip(letters))
            if run < first and (found := beginnings.search(text, run)):
                first = min(first, found.start())
        return size - first

    def _look(self, act: Act, text: str, where: str) -> None:
        # Most texts have none of these; looking for them first takes a tenth of the time.
        if not ("-" in text or "_" in text or "AKIA" in text or "ASIA" in text or "eyJ" in text):
            return
        if not any(mark in text for mark in _MARKS):
            return
        found = _PATTERN.search(text)
        if found and found.lastgroup:
            kind = _KINDS[int(found.lastgroup[1:])]
            raise Refused(
                f"{where} of {act.kind} {act.name!r} holds {kind}. Expected text without credentials.",
                hint="Remove the credential, and revoke it if it is real.",
            )


@dataclass(frozen=True)
class SizeGuard:
    """Refuses what is larger than a run may take or give, in characters."""

    longest_in: int = 2_000_000
    longest_out: int = 4_000_000

    def before(self, act: Act, text: str) -> None:
        self._measure(act, len(text), self.longest_in, "input")

    def piece(self, act: Act, text: str) -> None:
        self._measure(act, len(text), self.longest_out, "output")

    def after(self, act: Act, text: str) -> None:
        self._measure(act, len(text), self.longest_out, "output")

    def begins(self, text: str) -> int:
        """Nothing that comes could change what was judged."""
        return 0

    def _measure(self, act: Act, length: int, most: int, what: str) -> None:
        if length > most:
            raise TooLarge(
                f"The {what} of {act.kind} {act.name!r} has {length} characters. At most {most} are allowed."
            )


class CancelGuard:
    """Stops a run at the next gate once nobody waits for it any more."""

    def before(self, act: Act, text: str) -> None:
        self._stop(act)

    def piece(self, act: Act, text: str) -> None:
        self._stop(act)

    def after(self, act: Act, text: str) -> None:
        self._stop(act)

    def begins(self, text: str) -> int:
        """Nothing that comes could change what was judged."""
        return 0

    def _stop(self, act: Act) -> None:
        if act.cancelled():
            raise Cancelled(f"The run was cancelled at {act.kind} {act.name!r}.")


@dataclass(frozen=True)
class UsageGuard:
    """Refuses the next model request or tool call of a run that has spent its share."""

    most_requests: int = 100
    most_tool_calls: int = 200
    most_tokens: int = 2_000_000

    def before(self, act: Act, text: str) -> None:
        if act.kind == "use_case":
            return
        spent = act.spent
        self._judge(act, "model requests", spent.requests, self.most_requests)
        self._judge(act, "tool calls", spent.tool_calls, self.most_tool_calls)
        self._judge(act, "tokens", spent.input_tokens + spent.output_tokens, self.most_tokens)

    def _judge(self, act: Act, what: str, used: int, most: int) -> None:
        if used >= most:
            raise Refused(
                f"The run has used {used} {what} before {act.kind} {act.name!r}. One run may use {most}.",
                hint="Ask for less at once.",
            )

    def piece(self, act: Act, text: str) -> None:
        """Spending is counted when a request ends."""

    def begins(self, text: str) -> int:
        """Spending is not in the words."""
        return 0

    def after(self, act: Act, text: str) -> None:
        """Spending is judged before the next act."""
