"""Hostile texts: writing them out for a voice takes time that grows with their length alone."""

import pytest
from growth import ATOMS, runs_away

from tools.language import Language
from tools.speech.normalise import speakable
from tools.speech.respell import respell


@pytest.mark.parametrize("atom", ATOMS)
@pytest.mark.parametrize("language", ["de", "en"])
def test_the_work_on_a_text_grows_with_its_length(atom: str, language: Language) -> None:
    # As text and as a heading; 20,000 characters are the most the server takes.
    assert not runs_away(lambda text: speakable(f"{text}\n\n# {text}", language), atom, size=10_000)


@pytest.mark.parametrize("word", ["dreizehn", "vierzig", "eins", "undhundert", "siebzehn"])
def test_a_long_row_of_number_words_is_read_once(word: str) -> None:
    assert not runs_away(lambda text: respell(text, voice="de"), word, size=10_000)
    assert respell("dreizehnhundert vierundvierzig", voice="de") == "dreizehn hundert vier und firzig"
