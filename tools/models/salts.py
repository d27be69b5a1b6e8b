"""Cache salts: requests of different tenants never share what an engine has cached of their prompts."""

import hmac
from hashlib import sha256

__all__ = ["Salts"]


class Salts:
    """Makes salts that nobody outside can foretell.

    Args:
        secret: of the installation, the same for all its workers.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._of: dict[str, str] = {}

    def of(self, tenant: str, own: object = None) -> str:
        """The salt of a tenant; `own` is one that a client gave, to keep its requests apart from its tenant's others."""
        salt = self._of.get(tenant)
        if salt is None:
            salt = self._of[tenant] = _made(self._secret, tenant)
        return salt if own is None else _made(salt.encode(), str(own))


def _made(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode("utf-8", "surrogatepass"), sha256).hexdigest()[:32]
