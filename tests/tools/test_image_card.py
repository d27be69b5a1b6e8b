import hashlib
import io
import re
from xml.etree import ElementTree

import pytest
from inline_snapshot import snapshot
from PIL import Image as Pillow

from tools.image.card import Card, design
from tools.image.colour import AA, contrast, oklch, palette, to_oklch
from tools.image.dice import Dice
from tools.image.pattern import PATTERNS
from tools.image.render import SERIF, render, width_of
from tools.image.wrap import divide, fit

TITLES = [
    "Müllabfuhr",
    "§ 34 BauGB einfach erklärt: Größe, Maß & Abstand <neu>",
    "Haushalt 2027: Stadtrat beschließt Rekordinvestitionen in Schulen und Kitas",
    "Grundstücksverkehrsgenehmigungszuständigkeitsübertragungsverordnung",
    "X" * 300,
    "Wort " * 60,
    "🎉🎉🎉",
    "日本語",
]


def card(
    title: str, *, width: int = 1200, height: int = 630, primary: str | None = None, accent: str | None = None
) -> Card:
    return design(
        prompt=title, title=title, kicker="Newsletter · März", language="de", width=width, height=height,
        primary=primary, accent=accent, brand="Birkenfurt",
    )  # fmt: skip


@pytest.mark.parametrize("title", TITLES)
@pytest.mark.parametrize("size", [(1200, 630), (320, 200), (600, 800), (2400, 400)])
def test_all_words_stand_inside_the_picture(title: str, size: tuple[int, int]) -> None:
    root = ElementTree.fromstring(card(title, width=size[0], height=size[1]).svg)
    texts = root.findall(".//{http://www.w3.org/2000/svg}text")
    assert (texts[-1].text is not None and texts[-1].text.endswith("Gestaltete Karte")) or size[0] < 700
    for text in texts:
        family = re.findall("'([^']+)'", text.attrib["font-family"])[0]
        end = float(text.attrib["x"]) + width_of(text.text or "", float(text.attrib["font-size"]), family)
        assert end <= size[0] * 1.01
        assert 0 < float(text.attrib["y"]) <= size[1]
    baselines = [float(text.attrib["y"]) for text in texts]
    assert baselines == sorted(baselines)


def test_every_text_colour_has_the_contrast_that_wcag_wants() -> None:
    for primary, accent in (
        (None, None),
        ("#e2001a", None),
        ("#ffee00", "#00aa55"),
        ("#101010", "#ffffff"),
        ("#8ab4f8", None),
    ):
        for number in range(60):
            colours = palette(Dice(f"{number}"), primary=primary, accent=accent)
            assert contrast(colours.ink, colours.ground) >= 7
            assert contrast(colours.quiet, colours.ground) >= AA
            assert contrast(colours.mark, colours.ground) >= 3


def test_brand_colours_are_used() -> None:
    found = [card(f"Titel {number}", primary="#c8102e", accent="#f2a900").svg for number in range(8)]
    assert all("#f2a900" in svg for svg in found)
    assert any("#c8102e" in svg for svg in found)


def test_contrast_and_colour_spaces_agree_with_known_values() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)
    lightness, chroma, hue = to_oklch("#336699")
    assert oklch(lightness, chroma, hue) == "#336699"


def test_every_family_of_patterns_draws_something() -> None:
    for name, draw in PATTERNS.items():
        art = draw(Dice(name), 444, 630, ("#335577", "#ffaa00", "#99bbdd", "#112233", "#eef4fa"))
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="444" height="630">{art}</svg>'
        with Pillow.open(io.BytesIO(render(svg, width=444, height=630))) as png:
            colours = png.convert("RGB").getcolors(1 << 20)
        assert colours is not None and len(colours) > 4


def test_all_families_and_grounds_occur() -> None:
    found = [card(f"Titel {number}") for number in range(80)]
    assert {each.pattern for each in found} == set(PATTERNS)
    assert len({each.palette.ground for each in found}) > 30


def test_the_picture_is_the_same_on_every_machine() -> None:
    drawn = render(card("Größe & Maß der Straße").svg, width=1200, height=630)
    with Pillow.open(io.BytesIO(drawn)) as png:
        pixels = hashlib.sha256(png.convert("RGB").resize((120, 63)).tobytes()).hexdigest()
    assert drawn == render(card("Größe & Maß der Straße").svg, width=1200, height=630)
    assert len(pixels) == 64


def test_umlauts_and_paragraph_signs_are_drawn_with_the_bundled_font() -> None:
    def ink(text: str) -> int:
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="200" height="100"><text x="10" y="70" font-family="{SERIF}" font-size="60">{text}</text></svg>'
        with Pillow.open(io.BytesIO(render(svg, width=200, height=100))) as png:
            return sum(png.getchannel("A").histogram()[128:])

    inks = [ink(char) for char in "äöüÄÖÜß§€–„“"]
    assert min(inks) > 30
    assert len(set(inks)) > 8
    assert ink("ä") > ink("a")


def test_long_german_words_are_divided_at_their_seams() -> None:
    assert "-".join(divide("Haushaltssatzungsänderungen")) == snapshot("Haushalts-sat-zungs-änderungen")
    assert "-".join(divide("Donaudampfschifffahrtsgesellschaftskapitän")) == snapshot(
        "Donau-dampf-schiff-fahrts-ge-sell-schafts-kapitän"
    )
    assert divide("Vereins\u00adförderung") == ["Vereins", "förderung"]
    assert divide("Müll") == ["Müll"]


def test_lines_are_even_and_nothing_is_lost() -> None:
    set_ = fit(
        "Der Wochenmarkt zieht um auf den Platz",
        measure=lambda text, size: len(text) * size / 2,
        width=400,
        height=400,
        sizes=[40, 20],
        leading=1.1,
        most=4,
    )
    assert " ".join(set_.lines) == "Der Wochenmarkt zieht um auf den Platz"
    assert set_.lines == ("Der Wochenmarkt", "zieht um auf", "den Platz")
    assert set_.size == 40
