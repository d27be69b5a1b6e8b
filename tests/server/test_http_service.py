"""Tests of what stands beside the interfaces: probes, the OpenAPI document, the documentation page, typed routes, artifacts."""

import base64
import hashlib
import re
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from web_house import TEXT, Web, web

from server.openapi import document
from tools.base import Caller

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Web]:
    async with web(tmp_path_factory.mktemp("home")) as opened:
        await opened.app.state.health.loaded.wait()
        yield opened


@pytest.fixture
async def stranger(site: Web) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(site.app), base_url="http://test") as client:
        yield client


async def test_it_is_alive_before_it_is_ready(site: Web, tmp_path: Path) -> None:
    async with web(tmp_path) as fresh:
        alive, ready = await fresh.client.get("/healthz"), await fresh.client.get("/readyz")
        await fresh.app.state.health.loaded.wait()
    assert (alive.status_code, alive.json()) == (200, {"status": "ok"})
    assert (ready.status_code, ready.json()) == (503, {"status": "loading", "reasons": []})


async def test_a_stranger_may_ask_whether_it_is_ready(site: Web, stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get("/readyz")
    said = answer.json()
    assert answer.status_code == 200
    assert said["status"] in ("ready", "degraded")
    assert said["engine"] == "extractive"
    assert str(site.house.settings.home) not in answer.text


async def test_an_engine_that_is_down_is_no_error_of_the_start(site: Web, tmp_path: Path) -> None:
    async with web(tmp_path, model_url="http://127.0.0.1:9/v1", model_name="town-model") as fresh:
        await fresh.app.state.health.loaded.wait()
        answer = await fresh.client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert "No engine of 'town-model' can be reached." in answer.json()["reasons"]


async def test_a_prompt_file_that_is_broken_is_told_without_its_name(site: Web, tmp_path: Path) -> None:
    library = tmp_path / "library"
    shutil.copytree(Path(__file__).parents[2] / "prompts" / "library", library)
    async with web(tmp_path / "home", prompts=library) as fresh:
        await fresh.app.state.health.loaded.wait()
        (library / "summary.md").write_text("no front matter")
        answer = await fresh.client.get("/readyz")
        said = (await fresh.chat(model="summary", messages=[{"role": "user", "content": TEXT}])).json()["error"]
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert "The prompt library has a fault; 'partitur doctor' names it." in answer.json()["reasons"]
    assert said["type"] == "server_error"
    assert str(tmp_path) not in said["message"]


async def test_a_part_that_did_not_start_is_told(site: Web, tmp_path: Path) -> None:
    async with web(tmp_path) as fresh:
        await fresh.app.state.health.loaded.wait()
        fresh.app.state.health.faults.append("The MCP interface did not start; the log has the reason.")
        answer = await fresh.client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "degraded")


async def test_the_document_is_openapi_that_resolves(site: Web) -> None:
    answer = await site.client.get("/openapi.json")
    data = answer.json()
    assert data["openapi"] == "3.1.0"
    assert set(data) == {"openapi", "info", "security", "tags", "paths", "components"}
    names = data["components"]["schemas"]
    assert set(re.findall(r'"#/components/schemas/([^"]+)"', answer.text)) <= set(names)
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in names)
    for schema in names.values():
        Draft202012Validator.check_schema(schema)
    ways = [way for path in data["paths"].values() for way in path.values()]
    ids = [way["operationId"] for way in ways]
    assert len(set(ids)) == len(ids)
    assert all(way["summary"] and {"200", "201", "204"} & set(way["responses"]) for way in ways)


async def test_the_document_has_every_route_and_every_use_case(site: Web) -> None:
    data = document(site.house.catalog)
    served = {str(getattr(route, "path", "")) for route in site.app.routes} - {"/docs", "/openapi.json"}
    assert {path.replace("{id:path}", "{id}") for path in served} <= set(data["paths"])
    assert {f"/api/use-cases/{use_case.name}" for use_case in site.house.catalog} <= set(data["paths"])


async def test_the_documentation_page_needs_nobody_and_nothing_from_elsewhere(stranger: httpx.AsyncClient) -> None:
    page = await stranger.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert re.findall(r"(?:src|href)=\"(?!#)([^\"]+)", page.text) == []
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    for part in re.findall(r"<(?:style|script)>(.*?)</", page.text, flags=re.S):
        assert base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() in policy
    assert "summary" not in re.sub(r"<pre.*?</pre>|<script>.*?</script>|<style>.*?</style>", "", page.text, flags=re.S)


async def test_the_documentation_page_reads_well_without_eyes(stranger: httpx.AsyncClient) -> None:
    page = (await stranger.get("/docs")).text
    assert '<html lang="en">' in page
    assert '<label for="key">' in page
    assert 'role="status"' in page
    assert page.count("<h1>") == 1
    assert '<th scope="col">' in page
    assert "  http://test/v1/chat/completions</pre>" in page
    assert "{rows}" not in page
    assert "{base}" not in page


async def test_the_typed_route_returns_the_envelope(site: Web) -> None:
    answer = await site.client.post("/api/use-cases/summary", json={"text": TEXT, "sentences": 1})
    data = answer.json()
    assert answer.status_code == 200
    assert (data["use_case"], data["outcome"], data["engine"]) == ("summary", "done", "extractive")
    assert data["output"]["text"] in TEXT
    assert re.fullmatch("[0-9a-f]{32}", data["trace_id"])


async def test_what_can_be_asked_is_listed_with_its_schemas(site: Web) -> None:
    listed = (await site.client.get("/api/use-cases")).json()["use_cases"]
    assert [one["name"] for one in listed] == [use_case.name for use_case in site.house.catalog]
    one = (await site.client.get("/api/use-cases/summary")).json()
    assert one in listed
    assert one["input_schema"]["required"] == ["text"]


@pytest.mark.parametrize(
    ("name", "body", "status", "says"),
    [
        ("sumary", {"text": TEXT}, 404, "Did you mean 'summary'?"),
        ("summary", {}, 400, "'text' does not fit"),
        ("summary", {"text": ""}, 400, "'text' does not fit"),
        ("summary", {"text": 7}, 400, "'text' does not fit"),
        ("summary", {"text": TEXT, "sentences": 99}, 400, "'sentences' does not fit"),
        ("summary", {"text": TEXT, "colour": "red"}, 400, "'colour' does not fit"),
    ],
)
async def test_input_that_does_not_fit_is_named(
    site: Web, name: str, body: dict[str, Any], status: int, says: str
) -> None:
    answer = await site.client.post(f"/api/use-cases/{name}", json=body)
    assert answer.status_code == status
    assert says in answer.json()["error"]["message"]


async def test_a_credential_in_the_input_is_refused(site: Web) -> None:
    answer = await site.client.post("/api/use-cases/summary", json={"text": f"Mein Schlüssel: {site.key}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "refused")
    assert site.key not in answer.text


async def test_an_artifact_is_served_to_whoever_made_it(site: Web) -> None:
    mine = Caller(subject=f"key:{site.keys.list()[0].id}")
    made = site.house.artifacts.put(b"\x89PNG...", media_type="image/png", alt_text="A card", caller=mine)
    answer = await site.client.get(made.uri)
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"\x89PNG...", "image/png")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("sandbox")


@pytest.mark.parametrize("id", ["a" * 64 + ".png", "..%2F..%2Fkeys.json", "keys.json", "%2Fetc%2Fpasswd"])
async def test_an_artifact_of_somebody_else_is_not_there(site: Web, id: str) -> None:
    theirs = site.house.artifacts.put(b"x", media_type="image/png", alt_text="", caller=Caller(subject="anna"))
    for wanted in (id, theirs.id):
        answer = await site.client.get(f"/v1/artifacts/{wanted}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
