"""Text without a word is no input, at no use case and no tool."""

import pytest
from pydantic import BaseModel, ValidationError

from agents.answer import Question
from agents.kit.readable import from_text, text_field
from agents.summary import Text
from compositions.chat import Message
from compositions.newsletter import Brief
from tools.base import InvalidInput, shortened
from tools.image import Picture
from tools.knowledge import Search
from tools.speech import Spoken
from tools.translation import TranslationRequest

MODELS = [Question, Text, Message, Brief, Picture, Search, Spoken, TranslationRequest]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("text", ["   ", "\n\t\u200b", "!!!", "\x00\x07"])
def test_text_without_a_word_is_no_input(model: type[BaseModel], text: str) -> None:
    name = text_field(model)
    assert name is not None
    with pytest.raises(ValidationError, match="it has no letter and no digit"):
        model.model_validate({name: text, **({"target": "en"} if model is TranslationRequest else {})})


def test_one_letter_or_digit_is_enough() -> None:
    assert [from_text(Text, text).text for text in ("ä", " 7 ", "字")] == ["ä", " 7 ", "字"]


def test_the_message_names_the_field_and_what_came() -> None:
    with pytest.raises(InvalidInput) as raised:
        from_text(Text, "   ")
    assert str(raised.value).startswith(
        "'text' does not fit: it has no letter and no digit, words are expected; got '   '."
    )


def test_the_schema_stays_that_of_a_string() -> None:
    assert Search.model_json_schema()["properties"]["query"]["type"] == "string"


def test_a_long_text_is_cut_after_a_whole_word() -> None:
    assert shortened("Das  Bürgeramt\nöffnet", 30) == "Das Bürgeramt öffnet"
    assert shortened("Das Bürgeramt, das neue, öffnet", 20) == "Das Bürgeramt, das…"
    assert shortened("Das Bürgeramt, neu", 17) == "Das Bürgeramt…"
    assert shortened("x" * 30, 10) == "xxxxxxxxx…"
