"""Tests of stored responses: read, listed and deleted by their owner alone, kept for a time, worked on without a client."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from requirements import requirement
from responses_contract import misfits
from scripted_chat import MODEL, Town, says, town
from web_house import Wire

from server.state import Database
from server.state.responses import LOST_S, ResponseStore
from tools.base import Caller, NotFound, Unavailable

pytestmark = pytest.mark.anyio

ANNA, BERTA = Caller(subject="anna"), Caller(subject="berta")
DAY = 86_400


@pytest.fixture(scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Town]:
    async with town(tmp_path_factory.mktemp("home")) as opened:
        yield opened


async def until(look: Callable[[], Awaitable[bool]]) -> None:
    """Waits on a condition of the store."""
    async with asyncio.timeout(30):
        while not await look():  # noqa: ASYNC110  # the store tells nobody
            await asyncio.sleep(0.02)


async def ended(place: Town, id: str) -> Any:
    async def done() -> bool:
        return (await place.sdk.responses.retrieve(id)).status not in ("queued", "in_progress")

    await until(done)
    return await place.sdk.responses.retrieve(id)


@requirement("RESP-15", "RESP-16")
async def test_a_response_is_read_as_it_was_answered_until_it_is_deleted(place: Town) -> None:
    place.chat.plays(says("Guten Tag."))
    made = await place.sdk.responses.create(model=MODEL, input="Hallo")
    assert await place.sdk.responses.retrieve(made.id) == made
    deleted = await place.client.delete(f"/v1/responses/{made.id}")
    assert deleted.json() == {"id": made.id, "object": "response", "deleted": True}
    for act in (place.sdk.responses.retrieve, place.sdk.responses.delete, place.sdk.responses.cancel):
        with pytest.raises(openai.NotFoundError):
            await act(made.id)


@requirement("RESP-21")
async def test_what_is_somebody_elses_is_not_there(place: Town) -> None:
    place.chat.plays(says("Guten Tag."))
    made = await place.sdk.responses.create(model=MODEL, input="Hallo")
    async with place.other() as other:
        for act in (other.responses.retrieve, other.responses.delete, other.responses.cancel):
            with pytest.raises(openai.NotFoundError):
                await act(made.id)
        with pytest.raises(openai.NotFoundError):
            await other.responses.input_items.list(made.id)
        with pytest.raises(openai.BadRequestError) as missing:
            await other.responses.create(model=MODEL, input="Weiter", previous_response_id=made.id)
        assert missing.value.code == "previous_response_not_found"
        with pytest.raises(openai.BadRequestError):
            await other.responses.create(model=MODEL, input=[{"type": "item_reference", "id": made.output[0].id or ""}])


@requirement("RESP-18")
async def test_what_a_response_was_made_of_is_listed_page_by_page(place: Town) -> None:
    place.chat.plays(says("Eins."), says("Zwei."))
    first = await place.sdk.responses.create(model=MODEL, input="1?")
    parts: Any = [
        {"type": "input_text", "text": "2?"},
        {"type": "input_image", "image_url": "data:image/png;base64,AA"},
    ]
    second = await place.sdk.responses.create(
        model=MODEL, input=[{"role": "user", "content": parts}], previous_response_id=first.id
    )
    page = await place.sdk.responses.input_items.list(second.id, limit=2, order="asc")
    assert ([item.type for item in page.data], page.has_more) == (["message", "message"], True)
    listed: Any = [item async for item in place.sdk.responses.input_items.list(second.id, limit=2, order="asc")]
    assert [item.content[0].text for item in listed] == ["1?", "Eins.", "2?"]
    assert listed[2].content[1].detail == "auto"
    backwards: Any = [item async for item in place.sdk.responses.input_items.list(second.id)]
    assert backwards == listed[::-1]
    whole = (await place.client.get(f"/v1/responses/{second.id}/input_items")).json()
    assert misfits("ResponseItemList", whole) == []
    query = {"after": "msg_1"}
    wrong = await place.client.get(f"/v1/responses/{second.id}/input_items", params=query)
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "after")


async def test_a_conversation_without_one_of_its_links_does_not_go_on(place: Town) -> None:
    place.chat.plays(says("Eins."), says("Zwei."))
    first = await place.sdk.responses.create(model=MODEL, input="1?")
    second = await place.sdk.responses.create(model=MODEL, input="2?", previous_response_id=first.id)
    await place.sdk.responses.delete(first.id)
    assert (await place.sdk.responses.retrieve(second.id)).output_text == "Zwei."
    with pytest.raises(openai.BadRequestError) as missing:
        await place.sdk.responses.create(model=MODEL, input="3?", previous_response_id=second.id)
    assert first.id in missing.value.message


@requirement("RESP-19")
async def test_work_goes_on_in_the_background(place: Town) -> None:
    go = asyncio.Event()
    place.chat.plays(go, says("Fertig."))
    made = await place.sdk.responses.create(model=MODEL, input="Arbeite.", background=True)
    assert (made.status, made.background, made.output, made.usage) == ("queued", True, [], None)
    await place.chat.began.wait()
    assert (await place.sdk.responses.retrieve(made.id)).status == "in_progress"
    with pytest.raises(openai.BadRequestError):
        await place.sdk.responses.create(model=MODEL, input="Und?", previous_response_id=made.id)
    go.set()
    done = await ended(place, made.id)
    assert (done.status, done.output_text) == ("completed", "Fertig.")
    assert place.chat.callers[-1].subject.startswith("key:")
    assert place.chat.priorities[-1] > 0


async def test_a_failure_in_the_background_is_the_responses_own(place: Town) -> None:
    place.chat.plays(Unavailable("Der Motor ist weg."), ValueError("Ein Fehler im Programm."))
    first = await place.sdk.responses.create(model=MODEL, input="Arbeite.", background=True)
    failed = await ended(place, first.id)
    assert (failed.status, failed.error.code) == ("failed", "server_error")
    assert "Der Motor ist weg." in failed.error.message
    second = await place.sdk.responses.create(model=MODEL, input="Arbeite.", background=True)
    broken = await ended(place, second.id)
    assert (broken.status, "Programm" in broken.error.message) == ("failed", False)


@requirement("RESP-17")
async def test_a_cancelled_response_stops_its_work(place: Town) -> None:
    place.chat.plays(asyncio.Event())
    made = await place.sdk.responses.create(model=MODEL, input="Arbeite.", background=True)
    await place.chat.began.wait()
    assert (await place.sdk.responses.cancel(made.id)).status == "cancelled"
    await asyncio.wait_for(place.chat.stopped.wait(), 30)
    assert (await place.sdk.responses.cancel(made.id)).status == "cancelled"
    place.chat.plays(says("Ja."))
    other = await place.sdk.responses.create(model=MODEL, input="Hallo")
    with pytest.raises(openai.BadRequestError):
        await place.sdk.responses.cancel(other.id)


@requirement("RESP-17")
async def test_another_worker_cancels_deletes_and_reads_along(tmp_path: Path) -> None:
    async with town(tmp_path) as one, town(tmp_path, key=one.key) as two:
        for end in (two.sdk.responses.cancel, two.sdk.responses.delete):
            one.chat.plays(asyncio.Event())
            made = await one.sdk.responses.create(model=MODEL, input="Arbeite.", background=True)
            await one.chat.began.wait()
            await end(made.id)
            await asyncio.wait_for(one.chat.stopped.wait(), 30)
        one.chat.plays(says("Eins, zwei."))
        begun = await one.sdk.responses.create(model=MODEL, input="Zähle.", background=True, stream=True)
        told = [event async for event in begun]
        again = [event async for event in await two.sdk.responses.retrieve(told[0].response.id, stream=True)]  # pyright: ignore[reportAttributeAccessIssue]  # the first one has it
    assert again == told


@requirement("RESP-19", "RESP-20")
async def test_events_in_the_background_are_read_on_from_anywhere(place: Town) -> None:
    go = asyncio.Event()
    place.chat.plays(go, says("Fertig."))
    body = {"model": MODEL, "input": "Arbeite.", "background": True, "stream": True}
    asked = asyncio.create_task(place.client.post("/v1/responses", json=body))
    await place.chat.began.wait()
    go.set()
    frames = [frame for frame in (await asked).text.split("\n\n")[:-1] if frame[0] != ":"]
    events = [json.loads(frame.split("\ndata: ")[1]) for frame in frames]
    assert [event["type"] for event in events[:3]] == ["response.created", "response.queued", "response.in_progress"]
    assert [event["response"]["status"] for event in events[:3]] == ["queued", "queued", "in_progress"]
    assert events[-1]["type"] == "response.completed"
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    made = events[0]["response"]["id"]
    query = {"stream": "true", "starting_after": "4"}
    rest = await place.client.get(f"/v1/responses/{made}", params=query)
    assert rest.text.split("\n\n")[:-2] == frames[5:]
    query = {"stream": "true", "starting_after": str(events[-1]["sequence_number"])}
    nothing = await place.client.get(f"/v1/responses/{made}", params=query)
    assert (nothing.status_code, nothing.text) == (200, ": keep-alive\n\n")
    assert (await ended(place, made)).status == "completed"


async def test_no_event_is_lost_however_they_come(place: Town) -> None:
    async def numbers(text: str) -> list[int]:
        place.chat.script.append(says(text))
        begun = await place.sdk.responses.create(model=MODEL, input="?", background=True, stream=True)
        return [event.sequence_number async for event in begun]

    place.chat.plays()
    for seen in await asyncio.gather(*(numbers("Viel Text. " * (at + 1)) for at in range(20))):
        assert seen == list(range(len(seen)))
        assert len(seen) > 9


async def test_events_of_other_responses_are_not_kept(place: Town) -> None:
    place.chat.plays(says("Ja."))
    made = await place.sdk.responses.create(model=MODEL, input="Hallo")
    answer = await place.client.get(f"/v1/responses/{made.id}", params={"stream": "true"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "stream")


async def test_a_stream_whose_work_was_cancelled_or_deleted_says_so_at_its_end(place: Town) -> None:
    for end, code in ((place.sdk.responses.cancel, "cancelled"), (place.sdk.responses.delete, "not_found")):
        place.chat.plays(asyncio.Event())
        wire = Wire(place.app, place.key, path="/v1/responses")
        body = {"model": MODEL, "input": "Arbeite.", "background": True, "stream": True}
        posted = asyncio.create_task(wire.post(body))
        await wire.came.wait()
        made = re.search(r"resp_[0-9a-f]{32}", wire.text)
        assert made is not None
        await end(made[0])
        await posted
        last = json.loads(wire.text.split("\n\n")[-2].split("\ndata: ")[1])
        assert (last["type"], last["code"]) == ("error", code)


async def test_a_client_that_goes_away_does_not_stop_work_in_the_background(place: Town) -> None:
    go = asyncio.Event()
    place.chat.plays(go, says("Fertig."))
    wire = Wire(place.app, place.key, path="/v1/responses")
    body = {"model": MODEL, "input": "Arbeite.", "background": True, "stream": True}
    posted = asyncio.create_task(wire.post(body))
    await wire.came.wait()
    wire.gone.set()
    await posted
    go.set()
    made = re.search(r"resp_[0-9a-f]{32}", wire.text)
    assert made is not None
    assert (await ended(place, made[0])).output_text == "Fertig."


async def test_a_server_that_stops_leaves_no_response_open(tmp_path: Path) -> None:
    async with town(tmp_path) as one:
        one.chat.plays(asyncio.Event())
        made = await one.sdk.responses.create(model=MODEL, input="Arbeite.", background=True)
        await one.chat.began.wait()
    async with town(tmp_path, key=one.key) as two:
        left = await two.sdk.responses.retrieve(made.id)
    assert left.status == "failed"
    assert left.error is not None
    assert "stopped" in left.error.message


def body(
    id: str, *, previous: str | None = None, status: str = "completed", background: bool = False
) -> dict[str, Any]:
    return {
        "id": id,
        "created_at": 0,
        "model": MODEL,
        "status": status,
        "background": background,
        "previous_response_id": previous,
        "output": [],
        "error": None,
    }


async def test_a_conversation_is_kept_as_long_as_its_last_response(tmp_path: Path) -> None:
    now = 0.0
    database = Database(tmp_path)
    store = ResponseStore(database, days=30, clock=lambda: now)
    await store.put(ANNA, body("resp_1"), [])
    await store.put(ANNA, body("resp_0"), [])
    now = 20 * DAY
    await store.put(ANNA, body("resp_2", previous="resp_1"), [])
    now = 31 * DAY
    await store.sweep()
    assert [one.id for one in await store.chain(ANNA, "resp_2")] == ["resp_1", "resp_2"]
    for caller, id in ((ANNA, "resp_0"), (BERTA, "resp_2")):
        with pytest.raises(NotFound):
            await store.get(caller, id)
    now = 51 * DAY
    with pytest.raises(NotFound):
        await store.get(ANNA, "resp_2")
    await database.close()


async def test_what_nobody_works_on_any_more_has_failed(tmp_path: Path) -> None:
    now = 0.0
    database = Database(tmp_path)
    store = ResponseStore(database, days=30, clock=lambda: now)
    await store.put(ANNA, body("resp_1", status="queued", background=True), [], streamed=True)
    now = LOST_S / 2
    await store.alive(["resp_1", "resp_2"])
    assert await store.wanted(["resp_1", "resp_2"]) == {"resp_1"}
    now = LOST_S * 1.4
    assert (await store.get(ANNA, "resp_1")).status == "queued"
    now = LOST_S * 2
    lost = await store.get(ANNA, "resp_1")
    assert (lost.status, lost.body["error"]["code"], lost.open) == ("failed", "server_error", False)
    assert (await store.cancel(ANNA, "resp_1")).status == "failed"
    await database.close()


async def test_what_was_cancelled_stays_so(tmp_path: Path) -> None:
    database = Database(tmp_path)
    store = ResponseStore(database, days=30)
    await store.put(ANNA, body("resp_1", status="queued", background=True), [])
    assert await store.save(body("resp_1", status="in_progress", background=True))
    assert (await store.cancel(ANNA, "resp_1")).body["status"] == "cancelled"
    assert not await store.save(body("resp_1", background=True))
    assert await store.wanted(["resp_1"]) == set()
    assert (await store.get(ANNA, "resp_1")).status == "cancelled"
    await database.close()


class Counting(Database):
    """Counts transactions that write, and lets the next ones fail."""

    begun = 0
    fails = 0

    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[Any]:
        async with super().begin() as connection:
            self.begun += 1
            yield connection
            if self.fails:
                self.fails -= 1
                raise Unavailable("Die Platte ist voll.")


async def test_those_that_come_at_once_are_kept_together_and_fail_alone(tmp_path: Path) -> None:
    database = Counting(tmp_path)
    await database.open()
    store = ResponseStore(database, days=30)
    await asyncio.gather(*(store.put(ANNA, body(f"resp_{at}"), []) for at in range(50)))
    assert database.begun < 10
    database.fails = 1
    made = [store.put(ANNA, body(f"resp_{at}"), []) for at in range(50, 60)]
    kept = await asyncio.gather(*made, return_exceptions=True)
    assert [type(one) for one in kept].count(Unavailable) == 1
    there = await asyncio.gather(*(store.get(ANNA, f"resp_{at}") for at in range(60)), return_exceptions=True)
    assert [type(one) for one in there].count(NotFound) == 1
    await database.close()
