"""Embeddings and reranking on a real vLLM through the gateway; after the tests of chat, as one engine runs at a time."""

import base64
import json
import math
import struct
import urllib.request
from collections.abc import Generator

import openai
import pytest
from outside import KEY
from vllm_house import Gateway
from vllm_serving import Engine

EMBED = "tiny-embed"


@pytest.fixture
def vectors(embed_engine: Engine, gateway: Gateway) -> Generator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0) as opened:
        yield opened


def test_the_same_text_has_the_same_vector(vectors: openai.OpenAI) -> None:
    made = vectors.embeddings.create(model=EMBED, input=["Rome", "Paris", "Rome"], encoding_format="float")
    one, other, again = (row.embedding for row in made.data)
    assert [row.index for row in made.data] == [0, 1, 2]
    assert len(one) == 64
    assert math.isclose(sum(value * value for value in one), 1, rel_tol=1e-3)
    assert one == pytest.approx(again, abs=1e-4)
    assert one != pytest.approx(other, abs=1e-2)
    assert made.usage.prompt_tokens == made.usage.total_tokens > 0


def test_base64_holds_the_same_numbers(vectors: openai.OpenAI) -> None:
    plain = vectors.embeddings.create(model=EMBED, input="Rome", encoding_format="float").data[0].embedding
    unpacked = vectors.embeddings.create(model=EMBED, input="Rome").data[0].embedding  # the SDK asks for base64
    assert unpacked == pytest.approx(plain, abs=1e-4)
    packed: object = vectors.embeddings.create(model=EMBED, input="Rome", encoding_format="base64").data[0].embedding
    assert isinstance(packed, str)
    numbers = struct.unpack("<64f", base64.b64decode(packed))
    assert list(numbers) == pytest.approx(plain, abs=1e-4)


def test_tokens_can_be_given_instead_of_text(vectors: openai.OpenAI) -> None:
    made = vectors.embeddings.create(model=EMBED, input=[[300, 301, 302], [303]], encoding_format="float")
    assert len(made.data) == 2


def test_what_is_too_long_to_embed_is_said_as_openai_says_it(vectors: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        vectors.embeddings.create(model=EMBED, input="a stone, " * 2000)
    assert refused.value.code == "context_length_exceeded"


def test_documents_come_back_in_the_order_in_which_they_fit(vectors: openai.OpenAI, gateway: Gateway) -> None:
    documents = ["The museum opens at noon.", "When does the bath open?", "Paris"]
    asked = {"model": "tiny-rank", "query": documents[1], "documents": documents, "top_n": 2}
    request = urllib.request.Request(
        f"{gateway.url}/v1/rerank",
        json.dumps(asked).encode(),
        {"authorization": f"Bearer {KEY}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        made = json.load(answer)
    first, second = made["results"]
    assert (first["index"], first["document"]["text"]) == (1, documents[1])
    assert first["relevance_score"] == pytest.approx(1, abs=1e-3)
    assert first["relevance_score"] >= second["relevance_score"]


def test_a_model_for_vectors_does_not_chat(vectors: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        vectors.chat.completions.create(model=EMBED, messages=[{"role": "user", "content": "Rome"}])
    assert refused.value.param == "model"
