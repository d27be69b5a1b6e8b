"""The guards every installation has: sizes, secrets, cancellation, and what one run may spend."""

import re
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


class SecretGuard:
    """Refuses text that holds a credential, lest it end in prompts, logs and answers. Only sure shapes."""

    def before(self, act: Act, text: str) -> None:
        self._look(act, text, "What goes in")

    def piece(self, act: Act, text: str) -> None:
        self._look(act, text, "What came out")

    def after(self, act: Act, text: str) -> None:
        self._look(act, text, "What came out")

    def _look(self, act: Act, text: str, where: str) -> None:
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
        spent = {
            "model requests": (act.spent.requests, self.most_requests),
            "tool calls": (act.spent.tool_calls, self.most_tool_calls),
            "tokens": (act.spent.input_tokens + act.spent.output_tokens, self.most_tokens),
        }
        for what, (used, most) in spent.items():
            if used >= most:
                raise Refused(
                    f"The run has used {used} {what} before {act.kind} {act.name!r}. One run may use {most}.",
                    hint="Ask for less at once.",
                )

    def piece(self, act: Act, text: str) -> None:
        """Spending is counted when a request ends."""

    def after(self, act: Act, text: str) -> None:
        """Spending is judged before the next act."""
