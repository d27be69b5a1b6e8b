"""A circuit breaker: an engine that fails again and again gets a rest, and then one request to show that it is well."""

from dataclasses import dataclass

__all__ = ["Breaker"]

_FAILURES = 3
_FIRST_REST_S = 0.5
_LONGEST_REST_S = 30.0


@dataclass
class Breaker:
    """Closed, open (nothing passes until `until`), or half open (one request passes). Times are the event loop's."""

    failures: int = 0
    """In a row."""
    until: float = 0.0
    _rest: float = 0.0
    _trying: bool = False

    @property
    def open(self) -> bool:
        """Whether it has stopped requests and nothing has yet shown that the engine is well."""
        return self._rest > 0

    def allows(self, now: float) -> bool:
        """Whether a request may pass. While it is open, one may once the rest is over; `begun` counts it."""
        return self._rest == 0 or (now >= self.until and not self._trying)

    def begun(self) -> None:
        """A request was let through."""
        if self._rest > 0:
            self._trying = True

    def ended(self) -> None:
        """It ended without telling anything about the engine."""
        self._trying = False

    def succeeded(self) -> None:
        """The engine answered."""
        self.failures, self._rest, self._trying = 0, 0.0, False

    def failed(self, now: float, *, rest: float | None = None) -> None:
        """The engine did not answer, or said that it cannot.

        Args:
            now: the time.
            rest: seconds it asked to be left alone, so that it rests at once.
        """
        self.failures += 1
        tried, self._trying = self._trying, False
        if rest is not None:
            self._rest = min(max(rest, _FIRST_REST_S), _LONGEST_REST_S)
        elif tried:
            self._rest = min(self._rest * 2, _LONGEST_REST_S)
        elif self.failures < _FAILURES or self._rest > 0:
            return
        else:
            self._rest = _FIRST_REST_S
        self.until = now + self._rest
