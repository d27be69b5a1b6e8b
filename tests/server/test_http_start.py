"""Tests of the start of the HTTP server: what it says on the console, and when."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from server import Settings
from server.keys import KeyStore
from server.serving import serve


def broken(*given: object, **more: object) -> None:
    raise RuntimeError("the start fails")


def test_the_first_key_is_shown_even_where_the_start_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("server.app.create_app", broken)
    with pytest.raises(RuntimeError, match="the start fails"):
        serve(Settings(home=tmp_path, port=0))
    shown = capsys.readouterr().err.splitlines()[0]
    assert shown.startswith("API key, shown this once: pt-")
    key = shown.rpartition(" ")[2]
    assert KeyStore(tmp_path).find(key) is not None


def test_no_key_is_made_where_one_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("server.app.create_app", broken)
    with pytest.raises(RuntimeError, match="the start fails"):
        serve(Settings(home=tmp_path, port=0, api_key=SecretStr("x" * 40)))
    assert "API key" not in capsys.readouterr().err
    assert KeyStore(tmp_path).list() == []


def test_told_to_stop_while_it_loads_it_stops_and_greets_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @asynccontextmanager
    async def never(*given: object) -> AsyncGenerator[None]:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()
        yield

    monkeypatch.setattr("server.app.opened", never)
    assert serve(Settings(home=tmp_path, port=0)) == 0
    assert capsys.readouterr().err == ""
