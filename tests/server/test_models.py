"""Models and roles of the settings, and the commands about them."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fault_answers import prose
from fault_engine import FaultEngine, serve_faults
from pydantic_ai.models import override_allow_model_requests

from server import open_house
from server.cli import partitur
from server.models import house_models, open_hub
from server.settings import Settings
from tools.base import SetupError
from tools.models import Limits, ModelConfig, Price

pytestmark = pytest.mark.anyio
URL = "http://127.0.0.1:9/v1"


def chat(**given: Any) -> ModelConfig:
    return ModelConfig(engines=(URL,), **given)


def test_a_short_form_is_a_model_with_its_role(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, model_url=URL, model_name="town", model_price_input=1, model_price_output=2)
    models = house_models(settings)
    assert models.roles == {"chat": "town", "small": "town"}
    assert models.configs["town"].price == Price(input=1, output=2)


def test_a_role_goes_to_whom_the_settings_name_else_to_the_first_of_its_kind(tmp_path: Path) -> None:
    given = {"large": chat(), "little": chat(), "bge": chat(kind="embedding")}
    assert house_models(Settings(home=tmp_path, models=given)).roles == {
        "chat": "large",
        "embedding": "bge",
        "small": "large",
    }
    settings = Settings(home=tmp_path, models=given, roles={"small": "little", "legal": "large"})
    assert house_models(settings).roles["small"] == "little"
    assert house_models(settings).roles["legal"] == "large"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"roles": {"chat": "lagre"}}, "points at the model 'lagre', which is unknown. The hub has 'large', 'bge'"),
        ({"roles": {"chat": "bge"}}, "points at 'bge', a model for embedding. Expected one for chat"),
        ({"roles": {"legal": "bge"}}, "a model for embedding. Expected one for chat"),
        (
            {"model_url": URL, "model_name": "large"},
            "'large' is set twice: under \\[models\\], and by PARTITUR_MODEL_URL",
        ),
    ],
)
def test_what_does_not_fit_stops_the_start(tmp_path: Path, given: dict[str, Any], said: str) -> None:
    models = {"large": chat(), "bge": chat(kind="embedding")}
    with pytest.raises(SetupError, match=said):
        house_models(Settings(home=tmp_path, models=models, **given))


async def test_what_a_fallback_served_is_named_and_priced_as_its_own(tmp_path: Path, engine: FaultEngine) -> None:
    engine.output = {"text": "Kurz."}
    models = {
        "main": chat(fallback="spare", price=Price(input=100, output=200), limits=Limits(retries=0)),
        "spare": ModelConfig(engines=(engine.url,), name="town-model", price=Price(input=1, output=2)),
    }
    async with open_house(Settings(home=tmp_path, models=models)) as house:
        with override_allow_model_requests(True):
            result = await house.ask_by_name("summary", {"text": "Der Rat tagt. Das Bad wird saniert."})
    assert result.engine == "spare"
    assert result.cost == pytest.approx((result.usage.input_tokens + 2 * result.usage.output_tokens) / 1e6)


def test_vectors_of_two_models_are_never_mixed(tmp_path: Path) -> None:
    models = {"a": chat(kind="embedding", fallback="b"), "b": chat(kind="embedding")}
    with pytest.raises(SetupError, match="vectors of two models cannot be compared"):
        open_hub(house_models(Settings(home=tmp_path, models=models)), tmp_path)


def test_all_workers_have_the_same_secret(tmp_path: Path) -> None:
    models = house_models(Settings(home=tmp_path, model_url=URL))
    salts = []
    for _ in range(2):
        open_hub(models, tmp_path)
        salts.append((tmp_path / "salt.key").read_bytes())
    assert salts[0] == salts[1]
    assert len(salts[0]) == 32
    assert (tmp_path / "salt.key").stat().st_mode & 0o077 == 0


@pytest.fixture
def engine() -> Generator[FaultEngine]:
    with serve_faults() as fake:
        yield fake


def told(engine: FaultEngine, tmp_path: Path, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    (tmp_path / "partitur.toml").write_text(
        f'home = "{tmp_path / "home"}"\n[models.town-model]\nengines = ["{engine.url}"]\ncontext = 4096\n'
        f'[models.adapter]\nengines = ["{engine.url}"]\nparent = "town-model"\ncapabilities = []\n'
        f'[models.gone]\nkind = "embedding"\nengines = ["{URL}"]\n'
    )
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(partitur, ["models", *arguments], standalone_mode=False)
    return int(done.return_value or 0), done.output


def test_models_are_shown_with_their_engines_as_they_are_now(
    engine: FaultEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.waiting, engine.kv_cache = 3, 0.5
    code, text = told(engine, tmp_path, "--format", "json", monkeypatch=monkeypatch)
    rows = {row["id"]: row for row in json.loads(text)}
    assert code == 1  # one has no engine that answers
    assert (rows["town-model"]["roles"], rows["town-model"]["context"]) == (["chat", "small"], 4096)
    (state,) = rows["town-model"]["engines"]
    assert state == {"url": engine.url, "healthy": True, "running": 0, "waiting": 3, "cache": 0.5}
    assert not rows["gone"]["engines"][0]["healthy"]
    _, text = told(engine, tmp_path, monkeypatch=monkeypatch)
    assert "50%" in text
    assert "down" in text


def test_a_check_sends_what_the_capabilities_promise_and_says_what_failed(
    engine: FaultEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.output = {"city": "Rom"}
    code, text = told(engine, tmp_path, "check", "town-model", "--format", "json", monkeypatch=monkeypatch)
    found = {tried["what"]: tried["state"] for tried in json.loads(text)}
    assert (code, found) == (0, {"chat": "ok", "stream": "ok", "tools": "ok", "json_schema": "ok"})
    engine.otherwise(prose())
    code, text = told(engine, tmp_path, "check", "--format", "json", monkeypatch=monkeypatch)
    failed = {(tried["model"], tried["what"]) for tried in json.loads(text) if tried["state"] == "failed"}
    assert (code, failed) == (1, {("town-model", "tools"), ("town-model", "json_schema"), ("gone", "embedding")})


def test_the_command_for_an_engine_has_the_flags_that_are_needed(
    engine: FaultEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, text = told(engine, tmp_path, "command", "adapter", monkeypatch=monkeypatch)
    assert text.startswith("vllm serve /models/town-model")
    for flag in ("--served-model-name town-model", "--max-model-len 4096", "adapter=/models/adapter", "xgrammar"):
        assert flag in text
    _, text = told(engine, tmp_path, "command", "gone", monkeypatch=monkeypatch)
    assert "--runner pooling" in text
    assert "--tool-call-parser" not in text
