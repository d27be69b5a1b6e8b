"""What holds for every test: asyncio, no paid model calls, no network beyond this machine."""

import ipaddress
import socket
import sys
from collections.abc import Callable

import pytest

Address = tuple[object, ...] | str | bytes


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def no_model_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real model calls are off; a test against a local server turns them on with `models.override_allow_model_requests`."""
    models = sys.modules.get("pydantic_ai.models")  # importing it here would cost every test run a second
    if models is not None:
        monkeypatch.setattr(models, "ALLOW_MODEL_REQUESTS", False)


@pytest.fixture(autouse=True)
def no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections leave this machine only in tests marked `real`."""
    if request.node.get_closest_marker("real") is not None:
        return

    def guarded(connect: Callable[[socket.socket, Address], object]) -> Callable[[socket.socket, Address], object]:
        def checked(self: socket.socket, address: Address) -> object:
            if not _is_local(address):
                raise AssertionError(
                    f"The test connects to {address!r}. Tests reach this machine alone; mark it 'real' otherwise."
                )
            return connect(self, address)

        return checked

    monkeypatch.setattr(socket.socket, "connect", guarded(socket.socket.connect))
    monkeypatch.setattr(socket.socket, "connect_ex", guarded(socket.socket.connect_ex))


def _is_local(address: Address) -> bool:
    if not isinstance(address, tuple):
        return True  # a Unix socket
    host = str(address[0])
    if host in ("", "localhost"):
        return True
    try:
        parsed = ipaddress.ip_address(host)
    except ValueError:
        return False
    return parsed.is_loopback or parsed.is_unspecified
