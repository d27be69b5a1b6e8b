"""Collections as the house keeps them: made, changed, removed, and asked for by every act."""

from pathlib import Path

import pytest

from server.state import Database
from server.state.collections import Collections
from tools.base import DEFAULT, Access, Caller, Collection, Forbidden, InvalidInput, NotFound, Reach

pytestmark = pytest.mark.anyio
ADMIN = Caller(subject="ada", tenant="stadt", roles=frozenset({"admin"}))
ANNA = Caller(subject="anna", tenant="stadt", groups=frozenset({"personal"}))
BERT = Caller(subject="bert", tenant="stadt")
OTHER = Caller(subject="ada", tenant="kreis", roles=frozenset({"admin"}), groups=frozenset({"personal"}))


async def test_without_any_rule_there_is_the_default_collection_and_no_database(tmp_path: Path) -> None:
    database = Database(tmp_path)
    rules = Collections(database)
    assert await rules.of(BERT) == Reach(BERT, {DEFAULT: None})
    await rules.writable(BERT, DEFAULT)
    assert [each.name for each in await rules.list(BERT)] == [DEFAULT]
    assert not database.there
    with pytest.raises(NotFound):
        await rules.writable(BERT, "personal")


async def test_rules_hold_from_the_next_act_on_and_for_their_tenant_alone(tmp_path: Path) -> None:
    database = Database(tmp_path)
    rules = Collections(database)
    try:
        made = Collection(
            name="personal", purpose="Personalakten", readers=Access(groups=("personal",)), retention_days=90
        )
        assert (await rules.add(ADMIN, made)).owner == "ada"
        assert (await rules.of(ANNA)).collections == {DEFAULT: None, "personal": 90}
        assert (await rules.of(BERT)).collections == {DEFAULT: None}
        assert (await rules.of(OTHER)).collections == {DEFAULT: None}
        with pytest.raises(Forbidden):
            await rules.writable(ANNA, "personal")
        with pytest.raises(NotFound):
            await rules.writable(BERT, "personal")
        await rules.change(ADMIN, "personal", {"editors": {"users": ["anna"]}, "retention_days": None})
        await rules.writable(ANNA, "personal")
        assert (await rules.of(ANNA)).collections["personal"] is None
        await rules.remove(ADMIN, "personal")
        assert (await rules.of(ANNA)).collections == {DEFAULT: None}
    finally:
        await database.close()


async def test_an_administrator_changes_rules_without_reading_what_is_under_them(tmp_path: Path) -> None:
    database = Database(tmp_path)
    rules = Collections(database)
    try:
        await rules.add(ADMIN, Collection(name="personal", owner="anna"))
        assert "personal" not in (await rules.of(ADMIN)).collections
        assert [each.name for each in await rules.managed(ADMIN)] == [DEFAULT, "personal"]
        with pytest.raises(Forbidden, match="may change the rules of the collection 'personal', not what is in it"):
            await rules.writable(ADMIN, "personal")  # it was just made by them: "not there" would be no help
        with pytest.raises(NotFound):
            await rules.writable(BERT, "personal")
        assert (await rules.change(ANNA, "personal", {"purpose": "Akten"})).purpose == "Akten"
        with pytest.raises(NotFound):
            await rules.change(BERT, "personal", {"purpose": "x"})
    finally:
        await database.close()


async def test_the_default_collection_can_be_closed_and_not_be_removed(tmp_path: Path) -> None:
    database = Database(tmp_path)
    rules = Collections(database)
    try:
        with pytest.raises(Forbidden):
            await rules.change(BERT, DEFAULT, {"readers": {}})
        await rules.change(ADMIN, DEFAULT, {"owner": "ada", "readers": {"users": ["anna"]}, "editors": {}})
        assert (await rules.of(BERT)).collections == {}
        assert (await rules.of(ANNA)).collections == {DEFAULT: None}
        assert (await rules.of(OTHER)).collections == {DEFAULT: None}
        with pytest.raises(InvalidInput):
            await rules.remove(ADMIN, DEFAULT)
    finally:
        await database.close()


async def test_who_may_make_one_and_under_which_name(tmp_path: Path) -> None:
    database = Database(tmp_path)
    rules = Collections(database)
    try:
        with pytest.raises(Forbidden):
            await rules.add(BERT, Collection(name="x"))
        await rules.add(ADMIN, Collection(name="x"))
        for name in ("x", DEFAULT):
            with pytest.raises(InvalidInput, match="is there already"):
                await rules.add(ADMIN, Collection(name=name))
        await rules.add(OTHER, Collection(name="x"))
    finally:
        await database.close()
