import time
from typing import Literal

import pytest

from tools.speech.markup import paragraphs
from tools.speech.normalise import speakable
from tools.speech.numbers import number_de, number_en, ordinal_de, ordinal_en, year_de, year_en


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "Am 12.03.2027 um 14:30 Uhr kostet es 3,50 €.",
            "Am zwölften März zweitausendsiebenundzwanzig um vierzehn Uhr dreißig kostet es drei Euro fünfzig.",
        ),
        ("Der 3. Mai ist frei.", "Der dritte Mai ist frei."),
        ("Am Montag, 3. Mai", "Am Montag, dritten Mai"),
        ("vom 3. bis 5. Mai", "vom dritten bis fünften Mai"),
        ("am 12.03.", "am zwölften März."),
        ("2026-05-01", "erster Mai zweitausendsechsundzwanzig"),
        ("im Jahr 1989 und 2027", "im Jahr neunzehnhundertneunundachtzig und zweitausendsiebenundzwanzig"),
        ("8–12 Uhr", "acht bis zwölf Uhr"),
        ("08:00–12:30 Uhr", "acht Uhr bis zwölf Uhr dreißig"),
        ("um 1:00 Uhr", "um ein Uhr"),
        ("Mo–Fr 9 bis 16 Uhr", "Montag bis Freitag neun bis sechzehn Uhr"),
        ("So viele bis heute", "So viele bis heute"),
        ("1.250,00 € und 0,50 € und 1 €", "eintausendzweihundertfünfzig Euro und fünfzig Cent und ein Euro"),
        ("2 Mio. € und 2,5 Mrd. Euro", "zwei Millionen Euro und zwei Komma fünf Milliarden Euro"),
        ("5–10 €", "fünf bis zehn Euro"),
        ("§ 12 Abs. 3 Satz 1 Nr. 2 BGB", "Paragraf zwölf Absatz drei Satz eins Nummer zwei BGB"),
        ("§§ 3, 4 DSGVO und §§ 5 ff. VwVfG", "Paragrafen drei, vier DSGVO und Paragrafen fünf fortfolgende VwVfG"),
        ("§ 12a und Art. 6 lit. a", "Paragraf zwölf a und Artikel sechs Buchstabe a"),
        (
            "z. B. Pässe, d. h. Ausweise bzw. ca. 300 Karten",
            "zum Beispiel Pässe, das heißt Ausweise beziehungsweise circa dreihundert Karten",
        ),
        ("Prof. Dr. Meier, Hr. Schmidt", "Professor Doktor Meier, Herr Schmidt"),
        ("Hauptstr. 12a, Karl-Marx-Str. 3", "Hauptstraße zwölf a, Karl-Marx-Straße drei"),
        ("im 2. Obergeschoss, in der 3. Etage", "im zweiten Obergeschoss, in der dritten Etage"),
        (
            "12.500 Einwohner, 3,5 %, 25 °C, 100 m²",
            "zwölftausendfünfhundert Einwohner, drei Komma fünf Prozent, fünfundzwanzig Grad Celsius, einhundert Quadratmeter",
        ),
        ("Telefon 0123 456-789", "Telefon null eins zwei drei, vier fünf sechs, sieben acht neun"),
        ("+49 30 1234567", "plus vier neun, drei null, eins zwei drei vier fünf sechs sieben"),
        ("Notruf 112", "Notruf eins eins zwei"),
        ("buergerbuero@stadt.de", "buergerbuero ät stadt Punkt de"),
        ("https://www.stadt.de/termine?x=1.", "www Punkt stadt Punkt de Schrägstrich termine."),
        ("Bürger*innen, Bürger:innen und Mitarbeiter/innen", "Bürger innen, Bürger innen und Mitarbeiter innen"),
        ("-5 Grad, 3 x 4, 24/7", "minus fünf Grad, drei mal vier, vierundzwanzig Strich sieben"),
        ("7- bis 12-Jährige, 1990er Jahre", "sieben- bis zwölf-Jährige, neunzehnhundertneunziger Jahre"),
        (
            "Drucksache 21/345 mit 21:14 Stimmen",
            "Drucksache einundzwanzig Strich dreihundertfünfundvierzig mit einundzwanzig zu vierzehn Stimmen",
        ),
        ("z. Hd. Frau Lang, Marktpl. 3, 2. OG", "zu Händen Frau Lang, Marktplatz drei, zweites Obergeschoss"),
        (
            "vgl. S. 12, inkl. MwSt., bis 7,5 t",
            "vergleiche Seite zwölf, inklusive Mehrwertsteuer, bis sieben Komma fünf Tonnen",
        ),
        ("im 2. OG, Notruf: 112", "im zweiten Obergeschoss, Notruf: eins eins zwei"),
        ("A4 und 5G", "A vier und fünf G"),
        ("Der „Tag“ – ein Fest – ist da 🎉", "Der Tag, ein Fest, ist da"),
        ("Mu\u0308ll\u00adabfuhr", "Müllabfuhr"),
    ],
)
def test_german_is_written_as_it_is_said(written: str, said: str) -> None:
    assert speakable(written, "de") == [said]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("on 3 May 2027 and May 3, 2027", "on the third of May twenty twenty-seven and May third, twenty twenty-seven"),
        ("2027-03-12", "the twelfth of March twenty twenty-seven"),
        ("Mon-Fri 9:00-16:30", "Monday to Friday nine o'clock to sixteen thirty"),
        ("at 2:30 pm, closed at 4 p.m.", "at two thirty p m, closed at four p m."),
        (
            "€3.50, 12.00 EUR, $5, £1, €2m",
            "three euros fifty, twelve euros, five dollars, one pound, two million euros",
        ),
        (
            "1,250 people, 3.5%, since 2027",
            "one thousand two hundred and fifty people, three point five percent, since twenty twenty-seven",
        ),
        ("§ 12, e.g. Dr. Smith, No. 5", "section twelve, for example Doctor Smith, number five"),
        ("the 3rd floor, 21st century, 1990s", "the third floor, twenty-first century, nineteen nineties"),
        ("Call 0123 456-789", "Call zero one two three, four five six, seven eight nine"),
        ("mail info@town.de", "mail info at town dot de"),
    ],
)
def test_english_is_written_as_it_is_said(written: str, said: str) -> None:
    assert speakable(written, "en") == [said]


def test_marks_of_markdown_are_not_read() -> None:
    text = """---
title: Entwurf
---
# Titel *schön*

Ein **fetter** Text[1] mit [Link](https://a.de/x_(y)) und `code`.
Zweite Zeile.

- eins
- zwei **drei**
  weiter

Untertitel
----------
| A | B |
|---|---|
| 1 | 3,50 € |

```py
x = 1
```
> Zitat <b>fett</b>
***
Bürger*innen und Mitarbeiter*innen
"""
    assert paragraphs(text) == [
        "Titel schön.",
        "Ein fetter Text mit Link und code. Zweite Zeile.",
        "eins. zwei drei weiter.",
        "Untertitel.",
        "A, B. 1, 3,50 €.",
        "Zitat fett.",
        "Bürger*innen und Mitarbeiter*innen",
    ]


def test_a_text_of_marks_alone_has_nothing_to_say() -> None:
    assert speakable("***\n---\n| | |\n```\nx\n```", "de") == []


def test_no_digit_is_left_to_the_voice() -> None:
    text = "12 3,4 1.000.000 007 B52 2²0 1/2 99:99 1-2-3 12.13.14 0 00 1e5 ½ 3.14.15.9 1234567890123456"
    for language in ("de", "en"):
        assert not any(char.isascii() and char.isdigit() for part in speakable(text, language) for char in part)


def test_numbers_in_words() -> None:
    assert [number_de(value) for value in (0, 1, 16, 21, 101, 1001, 1_000_000, 1_200_001, -5)] == [
        "null", "eins", "sechzehn", "einundzwanzig", "einhunderteins", "eintausendeins", "eine Million",
        "eine Million zweihunderttausendeins", "minus fünf",
    ]  # fmt: skip
    assert [ordinal_de(value, "en") for value in (1, 3, 7, 8, 19, 20, 31, 100)] == [
        "ersten", "dritten", "siebten", "achten", "neunzehnten", "zwanzigsten", "einunddreißigsten", "einhundertsten",
    ]  # fmt: skip
    assert [year_de(value) for value in (1100, 1989, 2000, 2027)] == [
        "elfhundert", "neunzehnhundertneunundachtzig", "zweitausend", "zweitausendsiebenundzwanzig",
    ]  # fmt: skip
    assert [number_en(value) for value in (0, 21, 101, 1_200_001)] == [
        "zero", "twenty-one", "one hundred and one", "one million two hundred thousand and one",
    ]  # fmt: skip
    assert [ordinal_en(value) for value in (1, 12, 20, 21, 101)] == [
        "first", "twelfth", "twentieth", "twenty-first", "one hundred and first",
    ]  # fmt: skip
    assert [year_en(value) for value in (1905, 1989, 2000, 2005, 2027)] == [
        "nineteen oh five", "nineteen eighty-nine", "two thousand", "two thousand and five", "twenty twenty-seven",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "piece", ["a", "1", "1 ", "1.", "0-", "*a", "[a](", "|a", "`", "<a", "a@", "a-a.", "+49 1", "-", "\n", " "]
)
@pytest.mark.parametrize("language", ["de", "en"])
def test_hostile_text_is_done_in_time(piece: str, language: Literal["de", "en"]) -> None:
    started = time.process_time()
    speakable(piece * (20_000 // len(piece)), language)
    assert time.process_time() - started < 2
