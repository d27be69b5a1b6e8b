"""OpenAI's own Python SDK meets the server, plain and asynchronous."""

import json
from typing import Any

import openai
import pytest
from pydantic import BaseModel

KEY = "pt-real-parts"
TEXT = (
    "Der Rat der Stadt Birkenfurt hat am Montag beschlossen, das Freibad zu sanieren. "
    "Die Kosten betragen 2,4 Millionen Euro. Der Bau beginnt im Jahr 2027. "
    "Der Bürgermeister dankte den Vereinen für ihre Geduld."
)


class Summary(BaseModel):
    text: str


@pytest.fixture(scope="module")
def sdk(served: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{served.url}/v1", api_key=KEY, max_retries=0)


def test_use_cases_are_listed_and_read_as_models(sdk: openai.OpenAI) -> None:
    names = [model.id for model in sdk.models.list()]
    assert {"summary", "answer", "newsletter", "extractive"} <= set(names)
    assert sdk.models.retrieve("summary").owned_by == "partitur"


def test_whole_and_streamed_say_the_same(sdk: openai.OpenAI) -> None:
    whole = sdk.chat.completions.create(model="summary", messages=[{"role": "user", "content": TEXT}])
    with sdk.chat.completions.stream(
        model="summary", messages=[{"role": "user", "content": TEXT}], stream_options={"include_usage": True}
    ) as stream:
        streamed = stream.get_final_completion()
    assert streamed.choices[0].message.content == whole.choices[0].message.content
    assert streamed.choices[0].finish_reason == whole.choices[0].finish_reason == "stop"
    assert streamed.usage is not None
    assert whole.usage is not None
    assert streamed.usage.total_tokens == whole.usage.total_tokens > 0


def test_the_envelope_is_there_for_those_who_look(sdk: openai.OpenAI) -> None:
    whole = sdk.chat.completions.create(model="summary", messages=[{"role": "user", "content": TEXT}])
    envelope = (whole.model_extra or {})["partitur"]
    assert (envelope["use_case"], envelope["outcome"]) == ("summary", "done")


def test_structured_output_is_parsed_into_a_class(sdk: openai.OpenAI) -> None:
    given = json.dumps({"text": TEXT, "sentences": 1})
    parsed = sdk.chat.completions.parse(
        model="summary", messages=[{"role": "user", "content": given}], response_format=Summary
    )
    made = parsed.choices[0].message.parsed
    assert made is not None
    assert made.text in TEXT


def test_what_cannot_be_had_is_a_refusal_of_the_parser(sdk: openai.OpenAI) -> None:
    parsed = sdk.chat.completions.parse(
        model="plain_language", messages=[{"role": "user", "content": TEXT}], response_format=Summary
    )
    message = parsed.choices[0].message
    assert message.parsed is None
    assert "PARTITUR_MODEL_URL" in (message.refusal or "")


def test_errors_are_the_sdks_own(sdk: openai.OpenAI, served: Any) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        sdk.chat.completions.create(model="sumary", messages=[{"role": "user", "content": TEXT}])
    assert unknown.value.code == "model_not_found"
    assert "Did you mean 'summary'?" in unknown.value.message
    with pytest.raises(openai.BadRequestError) as many:
        sdk.chat.completions.create(model="summary", messages=[{"role": "user", "content": TEXT}], n=2)
    assert many.value.param == "n"
    with pytest.raises(openai.BadRequestError):
        sdk.chat.completions.create(model="summary", messages=[{"role": "user", "content": ""}], stream=True)
    with pytest.raises(openai.AuthenticationError):
        sdk.with_options(api_key="pt-wrong").models.list()
    with pytest.raises(openai.PermissionDeniedError):
        sdk.chat.completions.create(
            model="summary", messages=[{"role": "user", "content": "pt-" + "a" * 43}], stream=True
        )
    with pytest.raises(openai.APIStatusError) as large:
        sdk.chat.completions.create(model="summary", messages=[{"role": "user", "content": "x" * 21_000_000}])
    assert large.value.status_code == 413


@pytest.mark.anyio
async def test_many_at_once_are_all_answered(served: Any) -> None:
    import asyncio

    async with openai.AsyncOpenAI(base_url=f"{served.url}/v1", api_key=KEY, max_retries=0) as sdk:
        asked = [
            sdk.chat.completions.create(model="summary", messages=[{"role": "user", "content": f"{TEXT} {number}."}])
            for number in range(40)
        ]
        answers = await asyncio.gather(*asked)
    assert len({answer.id for answer in answers}) == 40
    assert all(answer.choices[0].message.content for answer in answers)


@pytest.mark.anyio
async def test_a_stream_left_early_leaves_the_server_well(served: Any) -> None:
    async with openai.AsyncOpenAI(base_url=f"{served.url}/v1", api_key=KEY, max_retries=0) as sdk:
        for _ in range(20):
            stream = await sdk.chat.completions.create(
                model="summary", messages=[{"role": "user", "content": TEXT}], stream=True
            )
            async for _chunk in stream:
                break
            await stream.close()
        after = await sdk.chat.completions.create(model="summary", messages=[{"role": "user", "content": TEXT}])
    assert after.choices[0].message.content
