"""Words, stems, 4-grams and the language of a text."""

import subprocess
import sys
import unicodedata

import pytest

from tools.language import detect, grams, stems, tokens


def test_words_are_folded_and_keep_their_umlauts() -> None:
    assert tokens("Die Straße, Äpfel & 12,50 €") == ["die", "strasse", "äpfel", "12", "50"]


def test_a_letter_with_its_mark_apart_is_the_same_word() -> None:
    assert tokens(unicodedata.normalize("NFD", "Gebührenänderung")) == tokens("Gebührenänderung")


def test_stems_join_singular_and_plural_and_keep_stop_words() -> None:
    assert stems("das Haus", "de") == stems("das Häuser", "de")
    assert stems("running houses", "en") == ["run", "hous"]


def test_grams_mark_the_edges_of_each_word() -> None:
    assert grams("im Haus") == ["_im_", "_hau", "haus", "aus_"]


def test_a_compound_shares_grams_with_its_part() -> None:
    assert len(set(grams("Bewohnerparkausweis")) & set(grams("Parkausweis"))) >= 8


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Wie hoch ist die Gebühr für den Ausweis?", "de"),
        ("How much is the fee for the card?", "en"),
        ("Where can I register my address?", "en"),
        ("Radverkehr", "de"),
        ("", "de"),
    ],
)
def test_function_words_tell_the_language(text: str, language: str) -> None:
    assert detect(text) == language


def test_importing_the_package_does_not_import_the_stemmer() -> None:
    code = "import sys, tools.language; sys.exit('snowballstemmer' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
