"""Calls the model behind a tool server; every failure names the setting that leads there.

Messages travel to whoever asked, so they say neither the address nor more than the engine's own error message; the log
has both.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from tools.base import Failed, TimedOut, Unavailable
from tools.models import Declined, Json, Limits, ModelConfig, Pool, Transport

__all__ = ["Endpoint"]


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where a model answers. `setting` is the prefix of its settings, for example PARTITUR_SPEECH, or `[models.x]`."""

    pool: Pool
    setting: str

    @classmethod
    @asynccontextmanager
    async def at(
        cls, pool: Pool | None, *, url: str, name: str, key: SecretStr | None, timeout: float, setting: str
    ) -> "AsyncGenerator[Endpoint]":
        """The endpoint for one call.

        Args:
            pool: the model of the house; without one, a connection of its own to `url`.
            url: OpenAI-compatible address, for a tool server that runs by itself.
            name: the model's name there.
            key: bearer token for it.
            timeout: seconds for one request to it.
            setting: as above.
        """
        if pool is not None:
            yield cls(pool=pool, setting=setting)
            return
        config = ModelConfig(
            engines=(url,), name=name, server="openai", key=key, limits=Limits(total=timeout, retries=1)
        )
        transport = Transport()
        try:
            yield cls(pool=Pool(setting, config, transport), setting=setting)
        finally:
            await transport.close()

    async def post(self, path: str, body: Mapping[str, object], *, at_most: int) -> bytes:
        """Posts `body` as JSON to `path` under the endpoint and returns the answer of at most `at_most` bytes.

        Raises:
            Overloaded: too much is asked of it.
            Unavailable: it cannot be reached, or is busy or broken.
            TimedOut: it took too long.
            Failed: it refused, or the answer is too big.
        """
        try:
            async with self.pool.open(path, Json(body)) as reply:
                return await reply.read(at_most)
        except Declined as error:
            raise self._refusal(error, path) from error
        except TimedOut as error:
            raise TimedOut(
                f"The endpoint {self.shown!r} gave no answer in time.",
                hint=f"Send less at once, or look whether the endpoint in {self.shown} is overloaded.",
            ) from error
        except Unavailable as error:
            raise Unavailable(
                f"The endpoint {self.shown!r} did not serve: {error.message}",
                hint=f"Try again in a moment; look whether it runs, or correct {self.shown}.",
                retry_after=error.retry_after,
            ) from error

    @property
    def shown(self) -> str:
        """What messages call it: the setting that has its address."""
        return self._named("URL") if self.setting.startswith("PARTITUR_") else self.setting

    def _named(self, what: str) -> str:
        return (
            f"{self.setting}_{what}" if self.setting.startswith("PARTITUR_") else f"{what.lower()!r} of {self.setting}"
        )

    def _refusal(self, error: Declined, path: str) -> Failed:
        said = f"The endpoint {self.shown!r} answered {error.answered} to {path!r}"
        said += f": {error.said[:200]!r}." if error.said else "."
        expected, hint = "Expected 200.", f"Look whether the model in {self._named('NAME')} can do this."
        if error.answered in (401, 403):
            expected, hint = "Expected it to accept the key.", f"Set {self._named('KEY')} to a key it knows."
        elif error.answered == 404:
            expected = "Expected it to offer the model."
            hint = f"Correct {self._named('NAME')} or {self.shown}."
        return Failed(f"{said} {expected}", hint=hint)
