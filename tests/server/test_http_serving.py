"""Tests of the socket that the server listens on."""

import pytest

from server.serving import address, listening
from tools.base import SetupError


def test_port_zero_is_any_free_one() -> None:
    with listening("127.0.0.1", 0) as one, listening("127.0.0.1", 0) as another:
        assert address("127.0.0.1", one) != address("127.0.0.1", another)
        assert address("127.0.0.1", one).startswith("http://127.0.0.1:")


def test_a_port_that_is_taken_stops_the_start_and_says_what_to_do() -> None:
    with listening("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SetupError) as caught, listening("127.0.0.1", port):
            pass
    assert caught.value.message == (
        f"The address 127.0.0.1:{port} cannot be had: something else listens there. Expected a free one."
    )
    assert "--port" in caught.value.hint


def test_a_host_that_is_not_this_machine_stops_the_start() -> None:
    with pytest.raises(SetupError, match="cannot be had"), listening("203.0.113.7", 0):
        pass
