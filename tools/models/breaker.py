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

    def begun(self) -> bool:
        """A request was let through. True where it is the one that tries: whoever ends it hands that back."""
        trial = self._rest > 0
        self._trying = self._trying or trial
        return trial

    def ended(self, *, trial: bool = False) -> None:
        """It ended without telling anything about the engine."""
        self._trying = self._trying and not trial

    def answered(self) -> None:
        """The engine began an answer, so that it may be asked again. Earlier failures count until one is whole."""
        if self._rest > 0:
            self.succeeded()

    def succeeded(self) -> None:
        """The engine gave a whole answer."""
        self.failures, self._rest, self._trying = 0, 0.0, False

    def failed(self, now: float, *, trial: bool = False, rest: float | None = None) -> None:
        """The engine did not answer, or said that it cannot.

        Args:
            now: the time.
            trial: what `begun` said of the request.
            rest: seconds it asked to be left alone, so that it rests at once.
        """
        self.failures += 1
        self.ended(trial=trial)
        if rest is not None:
            self._rest = min(max(rest, _FIRST_REST_S), _LONGEST_REST_S)
        elif self._rest > 0:
            if not trial and (self._trying or now < self.until):
                return  # it was under way before the rest began
            self._rest = min(self._rest * 2, _LONGEST_REST_S)
        elif self.failures < _FAILURES:
            return
        else:
            self._rest = _FIRST_REST_S
        self.until = now + self._rest
