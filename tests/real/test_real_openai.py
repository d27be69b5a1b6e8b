"""OpenAI's own JavaScript SDK meets the server."""

from typing import Any

import pytest
from outside import KEY, Node, Served


@pytest.fixture(scope="session")
def report(node: Node, served: Served) -> dict[str, Any]:
    return node("openai.mjs", f"{served.url}/v1", KEY)


def test_use_cases_are_models(report: dict[str, Any]) -> None:
    assert {"summary", "answer", "newsletter"} <= set(report["models"])


def test_whole_streamed_and_structured_say_the_same(report: dict[str, Any]) -> None:
    assert report["text"] == report["streamed"]
    assert report["structured"]["text"] == report["text"]
    assert report["pieces"] >= 1


def test_usage_adds_up_and_is_the_same_streamed(report: dict[str, Any]) -> None:
    usage = report["usage"]
    assert usage["prompt_tokens"] + usage["completion_tokens"] == usage["total_tokens"] > 0
    assert report["streamedUsage"] == usage


def test_a_conversation_is_taken_and_progress_does_not_disturb_the_text(report: dict[str, Any]) -> None:
    assert report["later"] == report["text"]
    assert report["progress"] == ["started", "finished"]
    assert report["undisturbed"]


def test_errors_are_the_sdks_own_kinds(report: dict[str, Any]) -> None:
    kinds = {name: (error["kind"], error["status"]) for name, error in report["failed"].items()}
    assert kinds == {
        "model": ("NotFoundError", 404),
        "empty": ("BadRequestError", 400),
        "schema": ("BadRequestError", 400),
        "path": ("NotFoundError", 404),
        "method": ("APIError", 405),
        "twice": ("BadRequestError", 400),
        "key": ("AuthenticationError", 401),
    }
    assert report["failed"]["schema"]["param"] == "response_format"
    assert all(error["id"] for error in report["failed"].values())
    assert "summary" in report["failed"]["model"]["message"]
