"""Tools and collections over plain HTTP."""

from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from web_house import Web, web

from server.cli import partitur
from server.identity import Verifier
from tools.base import Caller, Unauthenticated

pytestmark = pytest.mark.anyio
CALLERS = {
    "ada": Caller(subject="ada", roles=frozenset({"admin"}), scopes=frozenset({"partitur"})),
    "anna": Caller(subject="anna", groups=frozenset({"personal"}), scopes=frozenset({"partitur"})),
    "bert": Caller(subject="bert", scopes=frozenset({"partitur"})),
}


async def verify(token: str) -> Caller:
    if token in CALLERS:
        return CALLERS[token]
    raise Unauthenticated("Nobody.")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncGenerator[Web]:
    checked: Verifier = verify
    async with web(tmp_path / "home", verify=checked) as opened:
        yield opened


async def asked(site: Web, who: str, method: str, path: str, **body: object) -> httpx.Response:
    headers = {"Authorization": f"Bearer {who}"}
    return await site.client.request(method, path, json=body or None, headers=headers)


async def test_a_tool_is_called_with_its_typed_input(site: Web) -> None:
    listed = (await asked(site, "bert", "GET", "/api/tools")).json()["tools"]
    assert {"knowledge.search", "graph.query", "tables.query"} <= {tool["name"] for tool in listed}
    sent = {"name": "bad.md", "text": "# Freibad\n\nDas Freibad öffnet um neun Uhr.\n"}
    report = await asked(site, "bert", "POST", "/api/tools/knowledge.ingest", **sent)
    assert report.json()["documents"] == ["bad.md"]
    found = await asked(site, "anna", "POST", "/api/tools/knowledge.search", query="Wann öffnet das Freibad?", why=True)
    [passage] = found.json()["passages"]
    assert (passage["document"], passage["collection"]) == ("bad.md", "default")
    assert passage["why"]["words"] == ["öffnet", "das", "freibad"]
    wrong = await asked(site, "anna", "POST", "/api/tools/knowledge.search", frage="?")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "invalid_input")
    none = await asked(site, "anna", "POST", "/api/tools/knowledge.nothing", query="?")
    assert (none.status_code, none.json()["error"]["code"]) == (404, "not_found")


async def test_a_collection_is_made_used_changed_and_removed_with_what_it_held(site: Web) -> None:
    made = await asked(site, "ada", "POST", "/api/collections", name="personal", purpose="Akten", owner="anna")
    assert (made.status_code, made.json()["owner"]) == (201, "anna")
    sent = {"name": "akte.md", "text": "Die Abmahnung wurde zugestellt.", "collection": "personal"}
    assert (await asked(site, "anna", "POST", "/api/tools/knowledge.ingest", **sent)).json()["read"] == 1
    for other in ("bert", "ada"):
        found = await asked(site, other, "POST", "/api/tools/knowledge.search", query="Abmahnung")
        assert found.json()["passages"] == []
    assert [each["name"] for each in (await asked(site, "bert", "GET", "/api/collections")).json()["collections"]] == [
        "default"
    ]
    assert (await asked(site, "bert", "GET", "/api/collections/personal")).status_code == 404
    refused = await asked(site, "bert", "PATCH", "/api/collections/personal", purpose="x")
    assert refused.status_code == 404
    changed = await asked(site, "anna", "PATCH", "/api/collections/personal", readers={"users": ["bert"]})
    assert changed.json()["readers"]["users"] == ["bert"]
    found = await asked(site, "bert", "POST", "/api/tools/knowledge.search", query="Abmahnung")
    assert len(found.json()["passages"]) == 1
    assert (await asked(site, "bert", "DELETE", "/api/collections/personal")).status_code == 403
    assert (await asked(site, "anna", "DELETE", "/api/collections/personal")).status_code == 204
    assert (await asked(site, "anna", "GET", "/api/collections/personal")).status_code == 404
    await asked(site, "ada", "POST", "/api/collections", name="personal", readers={"everyone": True})
    found = await asked(site, "anna", "POST", "/api/tools/knowledge.search", query="Abmahnung")
    assert found.json()["passages"] == []


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"name": "Große Namen"}, "'name' does not fit"),
        ({"name": "x", "retention_days": 0}, "'retention_days' does not fit"),
        ({"name": "x", "readers": {"roles": ["admin"]}}, "'readers.roles' does not fit"),
        ({"name": "default"}, "is there already"),
    ],
)
async def test_rules_that_do_not_fit_are_named(site: Web, body: dict[str, object], named: str) -> None:
    answer = await asked(site, "ada", "POST", "/api/collections", **body)
    assert answer.status_code == 400
    assert named in answer.json()["error"]["message"]


async def test_the_document_of_the_interface_has_a_route_for_each_tool(site: Web) -> None:
    paths = (await asked(site, "bert", "GET", "/openapi.json")).json()["paths"]
    listed = (await asked(site, "bert", "GET", "/api/tools")).json()["tools"]
    assert {f"/api/tools/{tool['name']}" for tool in listed} <= set(paths)
    assert set(paths["/api/collections/{name}"]) == {"get", "patch", "delete"}


def test_collections_from_the_command_line(tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        done = CliRunner().invoke(
            partitur, ["--home", str(tmp_path), "collections", *arguments], catch_exceptions=False
        )
        assert done.exit_code == 0, done.output
        return done.output

    assert "default\n  What goes nowhere else.\n  read by everyone" in run("list")
    made = run(
        "create", "personal", "--purpose", "Akten", "--reader", "group:personal", "--editor", "user:anna", "--days", "9"
    )
    assert "read by group personal, changed by user anna, kept 9 days, owned by local" in made
    assert "read by its owner alone, changed by user anna, kept without end" in run(
        "set", "personal", "--only-owner", "--days", "0"
    )
    run("remove", "personal", "--yes")
    assert "personal" not in run("list")


def test_documents_go_to_a_collection_with_their_readers_from_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "akte.md").write_text("Die Abmahnung wurde zugestellt.", "utf-8")
    home = ["--home", str(tmp_path / "home")]
    run = CliRunner()
    file = str(tmp_path / "akte.md")
    none = run.invoke(partitur, [*home, "ingest", file, "--collection", "personal"])
    assert "The collection 'personal' is not there" in str(none.exception)
    assert run.invoke(partitur, [*home, "collections", "create", "personal"]).exit_code == 0
    wanted = ["--collection", "personal", "--reader", "group:personal", "--format", "json", "--quiet"]
    done = run.invoke(partitur, [*home, "ingest", file, *wanted], catch_exceptions=False)
    assert '"personal:akte.md~' in done.output
    wrong = run.invoke(partitur, [*home, "ingest", file, "--reader", "personal"])
    assert (wrong.exit_code, "names nobody" in wrong.output) == (2, True)
