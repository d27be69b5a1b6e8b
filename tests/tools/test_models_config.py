"""What may be said of a model, what it costs, and what its engine says of its load."""

from typing import Any

import pytest
from pydantic import ValidationError

from tools.models import ModelConfig, Price
from tools.models.replica import Replica, gauges

METRICS = """# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="town"} 3.0
vllm:num_requests_running{engine="1",model_name="town"} 2.0
vllm:num_requests_running{engine="0",model_name="other"} 9.0
vllm:num_requests_waiting{engine="0",model_name="town"} 7.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="town",reason="capacity"} 5.0
vllm:kv_cache_usage_perc{engine="0",model_name="town"} 0.25
vllm:kv_cache_usage_perc{engine="1",model_name="town"} 1.5e-01
vllm:prompt_tokens_total{engine="0",model_name="town"} 1.0e+06
"""


def said(**given: Any) -> str:
    with pytest.raises(ValidationError) as raised:
        ModelConfig(**given)
    return str(raised.value.errors()[0]["msg"])


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host", "http://", "http://host:99999/v1", "http://a b", ""])
def test_an_engine_that_is_no_web_address_is_named(url: str) -> None:
    assert said(engines=("http://host/v1", url)) == (
        f"{url!r} is no web address, expected for example 'http://localhost:8000/v1'"
    )


@pytest.mark.parametrize("url", ["http://host/v1?key=1", "http://host/v1#a", "http://host/v1?"])
def test_an_engine_is_the_beginning_of_an_address_and_has_no_query(url: str) -> None:
    assert "is no web address" in said(engines=(url,))


def test_an_engine_has_a_user_name_in_its_address_or_a_key_and_not_both() -> None:
    engines = ("http://user:hunter2@host/v1",)
    assert said(engines=engines, key="k") == "an engine has a user name in its address, and a key; keep one"
    assert ModelConfig(engines=engines).engines == engines


@pytest.mark.parametrize("key", ["sesam\n", "„sesam“", "a\r\nb: c", "\x00"])
def test_a_key_that_no_header_can_hold_is_refused_at_the_start(key: str) -> None:
    assert said(engines=("http://host",), key=key) == (
        "the key has characters that no key has; look for quotes or line breaks"
    )


def test_a_password_in_an_address_that_does_not_fit_is_not_repeated() -> None:
    assert said(engines=("http://user:hunter2@host:99999/v1",)).startswith("what was given is no web address")


def test_the_same_engine_twice_is_a_mistake_even_with_a_slash() -> None:
    assert said(engines=("http://host/v1", "http://host/v1/")) == "the same engine stands there twice"


@pytest.mark.parametrize(
    "wrong",
    [
        {"engines": ()},
        {"engines": ("http://h",), "kind": "chatt"},
        {"engines": ("http://h",), "limits": {"connect": 0}},
        {"engines": ("http://h",), "limits": {"queued": -1}},
        {"engines": ("http://h",), "limits": {"retries": 11}},
        {"engines": ("http://h",), "price": {"input": -1}},
        {"engines": ("http://h",), "colour": "red"},
        {"engines": ("http://h",), "cutoff": "soon"},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    assert said(**wrong)


def test_a_slash_at_the_end_makes_no_difference() -> None:
    assert ModelConfig(engines=("https://host:1/v1/",)).engines == ("https://host:1/v1",)


@pytest.mark.parametrize(
    ("price", "tokens", "cost"),
    [
        (Price(input=2.0, output=6.0), (1_000_000, 500_000, 0), 5.0),
        (Price(input=2.0, output=6.0, cached_input=0.5), (1_000_000, 0, 400_000), 1.4),
        (Price(input=2.0, output=6.0), (1_000_000, 0, 400_000), 2.0),
        (Price(input=2.0), (1_000_000, 0, 0), 2.0),
        (Price(input=2.0), (1_000_000, 1, 0), None),
        (Price(output=2.0), (1, 1, 0), None),
        (Price(input=0.0, output=0.0), (10, 10, 0), 0.0),
    ],
)
def test_what_a_request_costs_is_unknown_where_a_price_is(
    price: Price, tokens: tuple[int, int, int], cost: float | None
) -> None:
    assert price.tokens(*tokens) == (cost if cost is None else pytest.approx(cost))


def test_gauges_are_those_of_the_model_over_all_parts_of_its_engine() -> None:
    assert gauges(METRICS, "town") == {"running": 5.0, "waiting": 7.0, "cache": 0.25}


def test_an_adapter_without_lines_of_its_own_has_those_of_the_engine() -> None:
    assert gauges(METRICS, "adapter") == {"running": 14.0, "waiting": 7.0, "cache": 0.25}


@pytest.mark.parametrize(
    "metrics",
    [
        "",
        "<html>",
        "vllm:num_requests_running NaN",
        "vllm:num_requests_running +Inf",
        "vllm:num_requests_running 1e999",
        f"vllm:num_requests_running {'9' * 5000}",
        "vllm:num_requests_running -5",
        "vllm:num_requests_running e",
        "vllm:num_requests_running{ 1",
        "vllm:num_requests_running١ 1",
        "vllm:num_requests_running{" * 100_000,
    ],
)
def test_metrics_that_are_none_say_nothing_and_break_nothing(metrics: str) -> None:
    assert gauges(metrics, "town") == {}


def test_the_load_counts_what_was_sent_and_what_waits_there() -> None:
    assert [Replica("u", outstanding=2).load, Replica("u", outstanding=2, waiting=5).load] == [2, 7]


def test_an_address_is_shown_without_its_secrets() -> None:
    assert Replica("http://user:hunter2@host:1/v1?key=x").shown == "http://host:1/v1"
    assert Replica("http://host:1/v1").root == "http://host:1"
