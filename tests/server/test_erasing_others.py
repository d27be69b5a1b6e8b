"""Who erases a document of their own learns nothing of what others keep, and takes nothing from other tenants."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import insert, select
from web_house import Web, web

from server.state.tables import responses
from tools.base import Caller, NotFound, Unauthenticated
from tools.knowledge import erasure
from tools.knowledge.files import Inline

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]
THEIRS = "Herr Quendel wurde am zweiten Freitag im Mai wegen der verschwundenen Schubkarre abgemahnt."
NOBODYS = "Frau Wermut wurde am ersten Samstag im Juni wegen der verschwundenen Heckenschere befragt."
OWN = "Der Bauhof verleiht in diesem Sommer einhundertzwölf verschiedene Werkzeuge an die Vereine."
SCOPES = frozenset({"partitur"})
ADMIN = frozenset({"admin"})
CALLERS = {
    "ada": Caller(subject="ada", roles=ADMIN, scopes=SCOPES),
    "anna": Caller(subject="anna", scopes=SCOPES),
    "bert": Caller(subject="bert", scopes=SCOPES),
    "dora": Caller(subject="dora", tenant="kreis", roles=ADMIN, scopes=SCOPES),
}


async def verify(token: str) -> Caller:
    if token in CALLERS:
        return CALLERS[token]
    raise Unauthenticated("Nobody.")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncGenerator[Web]:
    async with web(tmp_path / "home", verify=verify) as opened:
        yield opened


async def asked(site: Web, who: str, path: str, **body: object) -> httpx.Response:
    return await site.client.post(path, json=body, headers={"Authorization": f"Bearer {who}"})


async def told(site: Web, who: str, name: str, *texts: str, **more: object) -> None:
    sent: dict[str, Any] = {"name": name, "text": "# Akte\n\n" + "\n\n".join(texts), **more}
    assert (await asked(site, who, "/api/tools/knowledge.ingest", **sent)).json()["read"] == 1


async def kept(site: Web, who: str, text: str) -> str:
    """A stored response and an artifact of somebody; the artifact's id."""
    caller = CALLERS[who]
    more = {"model": "answer", "status": "completed", "background": False, "items": [], "streamed": False}
    row = {"id": f"resp_{who}", "tenant": caller.tenant, "subject": who, "created": 1, "body": {"text": text}, **more}
    async with site.house.state.begin() as connection:
        await connection.execute(insert(responses).values(**row))
    return site.house.artifacts.put(text.encode(), media_type="text/plain", alt_text="", caller=caller).id


async def erased(site: Web, who: str, guess: str) -> dict[str, Any]:
    """The receipt for a document that says a guess beside something of its own."""
    await told(site, who, "geraten.md", OWN, guess)
    answer = await asked(site, who, "/api/erasures", documents=["geraten.md"])
    assert answer.status_code == 201, answer.text
    return {name: value for name, value in answer.json().items() if name not in ("id", "at")}


async def test_a_receipt_does_not_tell_whether_others_have_the_same_text(site: Web) -> None:
    await told(site, "bert", "akte.md", THEIRS, access={"users": ["bert"]})
    await kept(site, "bert", THEIRS)
    assert await erased(site, "anna", THEIRS) == await erased(site, "anna", NOBODYS)


async def test_what_another_tenant_keeps_is_neither_erased_nor_told(site: Web) -> None:
    await told(site, "dora", "akte.md", THEIRS)
    artifact = await kept(site, "dora", THEIRS)
    known, unknown = await erased(site, "ada", THEIRS), await erased(site, "ada", NOBODYS)
    assert known["complete"] is unknown["complete"] is True
    assert (known["erased"], known["notes"]) == (unknown["erased"], unknown["notes"])
    assert [(each["where"], each["left"]) for each in known["checks"]] == [
        (each["where"], each["left"]) for each in unknown["checks"]
    ]
    assert site.house.artifacts.path(artifact, caller=CALLERS["dora"]).is_file()
    with pytest.raises(NotFound):
        site.house.artifacts.path(artifact, caller=CALLERS["ada"])
    async with site.house.state.read() as connection:
        assert list((await connection.execute(select(responses.c.id))).scalars()) == ["resp_dora"]


async def test_a_persons_documents_go_and_not_those_of_others_with_the_same_id(site: Web) -> None:
    library = site.house.servers.library
    await told(site, "bert", "akte.md", OWN)
    await library.ingest(documents=[Inline("akte.md", THEIRS.encode())], caller=CALLERS["anna"], shelf="vs_anna")
    found = await erasure.brought_by(library, "default", "anna", ["default", "vs_anna"])
    assert [(each.id, each.collection) for each in found] == [("akte.md", "vs_anna")]
    assert OWN in "".join([text async for text in erasure.others(library, "default", found)])
