"""Tests of API keys: shown once, kept as hashes, one file for several processes."""

import asyncio
import json
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from pydantic import SecretStr

from server.keys import Holder, KeyStore, KeyVerifier
from tools.base import Caller, InvalidInput, NotFound, SetupError, Unauthenticated

pytestmark = pytest.mark.anyio


def test_a_key_is_pt_and_43_url_safe_characters(tmp_path: Path) -> None:
    assert re.fullmatch(r"pt-[A-Za-z0-9_-]{43}", KeyStore(tmp_path).add("desk"))


def test_the_file_holds_no_key_and_is_its_owners_alone(tmp_path: Path) -> None:
    key = KeyStore(tmp_path).first()
    file = tmp_path / "keys.json"
    assert key is not None
    assert key not in file.read_text()
    assert key[3:] not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    kept = {"id", "label", "created", "sha256", "user", "groups", "roles", "cost_centre", "scopes"}
    assert set(json.loads(file.read_text())["keys"][0]) == kept


def test_the_first_key_is_shown_once(tmp_path: Path) -> None:
    assert KeyStore(tmp_path).first() is not None
    assert KeyStore(tmp_path).first() is None


def test_first_starts_at_the_same_time_make_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: KeyStore(tmp_path).first(), range(8)))
    assert sum(key is not None for key in made) == 1
    assert len(KeyStore(tmp_path).list()) == 1


def test_keys_made_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda number: KeyStore(tmp_path).add(f"desk {number}"), range(16)))
    store = KeyStore(tmp_path)
    assert len(store.list()) == 16
    assert all(store.find(key) for key in made)


async def test_a_key_taken_back_elsewhere_stops_working(tmp_path: Path) -> None:
    here, elsewhere = KeyStore(tmp_path), KeyStore(tmp_path)
    verify, key = KeyVerifier(here), elsewhere.add("guest")
    caller = await verify(key)
    assert elsewhere.remove(caller.subject.removeprefix("key:")).label == "guest"
    with pytest.raises(Unauthenticated):
        async with asyncio.timeout(30):
            while True:  # what was found is believed for half a second
                await verify(key)
                await asyncio.sleep(0.01)


def test_an_unknown_id_cannot_be_taken_back(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="'nobody' is not there"):
        KeyStore(tmp_path).remove("nobody")


async def test_a_key_makes_a_frozen_caller(tmp_path: Path) -> None:
    store = KeyStore(tmp_path)
    caller = await KeyVerifier(store)(store.add("desk"))
    id = store.list()[0].id
    assert caller == Caller(subject=f"key:{id}", roles=frozenset({"admin"}), scopes=frozenset({"partitur"}))
    with pytest.raises(FrozenInstanceError):
        caller.subject = "key:another"  # pyright: ignore[reportAttributeAccessIssue]  # that is what is tried


async def test_a_key_acts_as_whom_it_was_made_for(tmp_path: Path) -> None:
    holder = Holder.of(user="anna", groups=["bauamt", "rathaus"], roles=["analyst"], cost_centre="4711")
    key = KeyStore(tmp_path).add("anna", holder)
    assert await KeyVerifier(KeyStore(tmp_path))(key) == Caller(
        subject="anna",
        groups=frozenset({"bauamt", "rathaus"}),
        roles=frozenset({"analyst"}),
        scopes=frozenset({"partitur"}),
        cost_centre="4711",
    )


async def test_a_key_of_an_older_version_stays_what_it_was(tmp_path: Path) -> None:
    key = KeyStore(tmp_path).add("desk")
    file = tmp_path / "keys.json"
    older = json.loads(file.read_text())
    for name in ("user", "groups", "cost_centre"):
        del older["keys"][0][name]
    file.write_text(json.dumps(older))
    caller = await KeyVerifier(KeyStore(tmp_path))(key)
    assert (caller.subject.startswith("key:"), caller.roles, caller.groups) == (True, {"admin"}, frozenset())


@pytest.mark.parametrize(
    "given",
    [{"user": "user:anna"}, {"user": "key:settings"}, {"groups": ["group:a"]}, {"roles": [""]}, {"user": "a\nb"}],
)
def test_a_name_that_no_access_list_could_mean_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match="does not fit"):
        Holder.of(**given)


def test_a_label_without_words_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="label cannot be ''"):
        KeyStore(tmp_path).add("")


async def test_the_key_of_the_settings_is_accepted_beside_the_others(tmp_path: Path) -> None:
    store = KeyStore(tmp_path)
    key, verify = store.add("desk"), KeyVerifier(store, SecretStr("open-sesame-2026"))
    assert (await verify("open-sesame-2026")).subject == "key:settings"
    assert (await verify(key)).subject.startswith("key:")


@pytest.mark.parametrize("token", ["", "pt-", "pt-" + "a" * 43, "open-sesame", "x" * 100_000, "pt-ä\x00", "\udc80"])
async def test_whatever_is_no_key_is_refused(tmp_path: Path, token: str) -> None:
    store = KeyStore(tmp_path)
    store.add("desk")
    with pytest.raises(Unauthenticated) as caught:
        await KeyVerifier(store, SecretStr("open-sesame-2026"))(token)
    assert token[:40] == "" or token[:40] not in str(caught.value) or token == "pt-"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"keys": [{"id": "x"}]}', '{"keys": [], "more": 1}'])
def test_a_broken_key_file_lets_nobody_in_and_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "keys.json").write_text(content)
    with pytest.raises(SetupError, match=r"keys\.json.*cannot be read"):
        KeyStore(tmp_path).find("pt-anything")


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file, not a folder")
    with pytest.raises(SetupError, match="cannot be written"):
        KeyStore(tmp_path / "home").first()
