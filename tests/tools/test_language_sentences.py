"""Sentences: where German and English text may be cut, and where not."""

import random

import pytest
from inline_snapshot import snapshot

from tools.language import Language, sentences


def cut(text: str, language: Language = "de") -> list[str]:
    return [text[span.start : span.end] for span in sentences(text, language)]


@pytest.mark.parametrize(
    "sentence",
    [
        "Der Ausweis kostet z. B. 30 € im Jahr.",
        "Er gilt ab 3. Mai 2027, vgl. § 45 Abs. 1 Nr. 2 StVO.",
        "Im 19. Jahrhundert lebten hier ca. 1,5 Mio. Menschen.",
        "Dr. Meier und Prof. Dr. h. c. Schulz sprachen am 5. 3. 2027 um 10.30 Uhr.",
        "J. R. R. Tolkien kannte Ludwig XIV. nicht.",
        "Die Sitzung (Beginn: 9. Januar 2027, ca. 18 Uhr) ist öffentlich.",
        "Die Stadtwerke bzw. die Stadt tragen u. a. die Kosten.",
    ],
)
def test_a_full_stop_within_a_sentence_does_not_cut_it(sentence: str) -> None:
    assert cut(f"Vorher. {sentence} Die Folge.") == ["Vorher.", sentence, "Die Folge."]


def test_english_abbreviations_and_initials() -> None:
    text = 'Dr. Smith met Mr. J. Jones at 5 p.m. He said "No." Then they left. It cost $3.5.'
    assert cut(text, "en") == snapshot(
        ["Dr. Smith met Mr. J. Jones at 5 p.m.", 'He said "No."', "Then they left.", "It cost $3.5."]
    )


def test_a_year_ends_a_sentence_and_an_ordinal_does_not() -> None:
    assert cut("Das war 1998. Danach kam der 3. Oktober.") == ["Das war 1998.", "Danach kam der 3. Oktober."]


def test_headings_items_and_rows_stand_alone_without_their_marks() -> None:
    text = "# Hund\n\nWer einen Hund hält,\nzahlt Steuern. Alle.\n\n- **Ausweis**\n- Foto\n\n| a | b |\n|---|---|\n| 1 | 2 € |\n"
    assert cut(text) == snapshot(
        ["Hund", "Wer einen Hund hält,\nzahlt Steuern.", "Alle.", "Ausweis", "Foto", "a | b", "1 | 2 €"]
    )


def test_a_short_line_before_a_new_start_is_a_heading() -> None:
    text = "Öffnungszeiten\nMontag bis Freitag sind wir von acht bis zwölf Uhr für Sie da und danach auch."
    assert cut(text)[0] == "Öffnungszeiten"


def test_quotes_stay_with_their_sentence() -> None:
    assert cut("„Das ist gut.“ Dann ging er. „Komm!“ rief sie.") == [
        "„Das ist gut.“",
        "Dann ging er.",
        "„Komm!“ rief sie.",
    ]


def test_spans_are_ordered_trimmed_and_never_overlap_whatever_the_text() -> None:
    pieces = [
        "Wort ",
        "z. B. ",
        "Ende. ",
        "\n",
        "\n\n",
        "# ",
        "- ",
        "| a | b |\n",
        "3. ",
        "(",
        ")",
        "„",
        "“",
        "?! ",
        "…",
        "ß",
        "𝔸 ",
    ]
    source = random.Random(7)
    for _ in range(200):
        text = "".join(source.choice(pieces) for _ in range(source.randrange(40)))
        for language in ("de", "en"):
            last = 0
            for start, end in sentences(text, language):
                assert last <= start < end <= len(text)
                assert text[start:end] == text[start:end].strip()
                last = end


def test_a_long_text_takes_no_longer_than_its_length_allows() -> None:
    assert len(sentences("Ein Satz (mit Klammer. " * 20_000, "de")) >= 1
