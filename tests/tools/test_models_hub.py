"""How models of a hub may point at each other."""

from typing import Any

import pytest

from tools.base import NotFound, SetupError
from tools.models import Hub, ModelConfig


def hub(**models: dict[str, Any]) -> Hub:
    configs: dict[str, ModelConfig] = {
        id: ModelConfig.model_validate({"engines": (f"http://127.0.0.1:9/{id}",), **given})
        for id, given in models.items()
    }
    return Hub(configs, secret=b"secret")


@pytest.mark.parametrize("what", ["fallback", "parent"])
@pytest.mark.parametrize("other", ["c", "a"])
def test_what_a_model_points_at_is_another_one_of_the_hub(what: str, other: str) -> None:
    with pytest.raises(SetupError) as raised:
        hub(a={what: other}, b={})
    assert str(raised.value) == (
        f"The {what} {other!r} of the model 'a' is no other model of the hub. There are 'b'. "
        "Correct it under [models] in partitur.toml."
    )


def test_a_fallback_does_the_same_kind_of_work() -> None:
    with pytest.raises(SetupError) as raised:
        hub(a={"fallback": "b"}, b={"kind": "embedding"})
    assert str(raised.value) == (
        "The fallback 'b' of the model 'a' is a model for embedding, expected one for chat. "
        "Correct it under [models] in partitur.toml."
    )


def test_fallbacks_in_a_circle_are_shown_as_one() -> None:
    with pytest.raises(SetupError, match=r"The fallbacks go in a circle: a → b → c → a\."):
        hub(a={"fallback": "b"}, b={"fallback": "c"}, c={"fallback": "a"})
    with pytest.raises(SetupError, match=r"circle: x → a → b → a\."):
        hub(x={"fallback": "a"}, a={"fallback": "b"}, b={"fallback": "a"})


def test_fallbacks_in_a_row_are_fine() -> None:
    pools = hub(a={"fallback": "b"}, b={"fallback": "c"}, c={}, d={"fallback": "c"}).pools
    assert pools["a"].fallback is pools["b"]
    assert pools["b"].fallback is pools["d"].fallback is pools["c"]


def test_an_unknown_model_is_told_with_those_there_are() -> None:
    with pytest.raises(NotFound, match=r"The model 'smal' is unknown. The hub has 'small', 'large'\."):
        hub(small={}, large={})["smal"]
    with pytest.raises(NotFound, match=r"The hub has none\."):
        hub()["x"]
