"""Addresses of engines are checked when the settings are read, not by the first request."""

import pytest

from server.settings import load_settings
from tools.base import SetupError

NAMES = ["model_url", "embedding_url", "speech_url", "transcription_url", "image_url"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "url", ["quatsch", "localhost:8000", "ftp://host/v1", "http://", "http://host:99999", "http://a b"]
)
def test_what_is_no_web_address_is_refused(name: str, url: str) -> None:
    with pytest.raises(SetupError) as raised:
        load_settings(**{name: url})
    assert f"The setting {name!r} does not fit: {url!r} is no web address" in str(raised.value)
    assert f"PARTITUR_{name.upper()}" in raised.value.hint


@pytest.mark.parametrize("url", ["http://localhost:8000/v1", "https://ki.town.example", "http://[::1]:9/v1", None])
def test_web_addresses_stay_as_they_were_given(url: str | None) -> None:
    assert load_settings(model_url=url).model_url == url


def test_an_empty_address_is_none() -> None:
    assert load_settings(model_url="").model_url is None


def test_a_password_in_an_address_is_not_repeated() -> None:
    with pytest.raises(SetupError) as raised:
        load_settings(model_url="htp://user:secret@host")
    assert "secret" not in str(raised.value)
