import re
from pathlib import Path

import pytest
from inline_snapshot import snapshot
from town_graph import SOURCES, paper_of, told, town_paper

from tools.graph.laws import abbreviations, laws
from tools.graph.rules import findings
from tools.graph.services import service
from tools.graph.sources import Edge, Node

HERE = Path(__file__).parent
PARTS = re.MULTILINE | re.DOTALL
TOWN = {
    name: set(lines.strip().splitlines())
    for name, lines in re.findall(r"^## (\S+)\n\n(.*?)(?=^## |\Z)", (HERE / "town_gold.md").read_text("utf-8"), PARTS)
}
OTHER = re.findall(
    r"^## ([^\n]+)\n\n(.*?)\n---\n\n(.*?)(?=^## |\Z)", (HERE / "other_town.md").read_text("utf-8"), PARTS
)


def measured(pairs: list[tuple[set[str], set[str]]]) -> tuple[float, float, int]:
    """Precision, recall, and how much there is to find."""
    right = sum(len(found & gold) for found, gold in pairs)
    there = sum(len(gold) for _, gold in pairs)
    return round(right / sum(len(found) for found, _ in pairs), 3), round(right / there, 3), there


def test_what_is_found_in_the_town_is_right_and_most_of_what_is_there_is_found() -> None:
    assert len(TOWN) == 13
    pairs = [(told(town_paper(name)[1]), gold) for name, gold in TOWN.items()]
    assert measured(pairs) == snapshot((0.972, 0.841, 246))


def test_documents_of_another_town_are_read_as_well() -> None:
    assert len(OTHER) == 3
    pairs = [
        (told(paper_of(text, title=title)[1], "Neustadt"), set(gold.strip().splitlines()))
        for title, text, gold in OTHER
    ]
    assert measured(pairs) == snapshot((1.0, 0.966, 59))


@pytest.mark.parametrize("name", sorted(path.stem for path in SOURCES.glob("*.md")))
def test_every_item_quotes_its_place_in_the_stored_text(name: str) -> None:
    stored, paper = town_paper(name)
    items = list(findings(paper, town="Birkenfurt"))
    ids = {item.id for item in items if isinstance(item, Node)}
    for item in items:
        origin = item.origin
        assert origin.quote and stored[origin.start : origin.end] == origin.quote
        assert origin.document == name and origin.tenant == "town"
        if isinstance(item, Edge):
            assert {item.source, item.target} <= ids


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("nach § 3 Abs. 2 Satz 1 Nr. 4 BauGB", [("Baugesetzbuch", "§ 3 Abs. 2 Satz 1 Nr. 4")]),
        ("Art. 6 DSGVO gilt.", [("Datenschutz-Grundverordnung", "Art. 6")]),
        ("§§ 12 bis 14 KAG", [("KAG", "§§ 12 bis 14")]),
        ("§ 17 Abs. 1 des Bundesmeldegesetzes (BMG)", [("Bundesmeldegesetz", "§ 17 Abs. 1")]),
        ("§ 24 des Achten Buches Sozialgesetzbuch", [("SGB VIII", "§ 24")]),
        ("§ 24 SGB VIII", [("SGB VIII", "§ 24")]),
        ("die Hundesteuersatzung der Stadt Neustadt", [("Hundesteuersatzung der Stadt Neustadt", None)]),
        ("Parkgebührenordnung 2027 vom 1. Mai", [("Parkgebührenordnung 2027", None)]),
        ("Gemeindeordnung (GO) und § 5 GO", [("Gemeindeordnung", None), ("Gemeindeordnung", "§ 5")]),
        ("die Tagesordnung, eine Verordnung, die Besatzung, eine Anordnung", []),
        ("Das kostet 5 GB und kommt per IP.", []),
        ("siehe § 4 und Abschnitt 3", []),
    ],
)  # fmt: skip
def test_statutes_are_known_by_their_sections_names_and_abbreviations(
    text: str, found: list[tuple[str, str | None]]
) -> None:
    assert [(law.name, law.properties.get("provision")) for law in laws(text, abbreviations([text]))] == found


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("Personalausweis beantragen", "Personalausweis beantragen"),
        ("Bauantrag digital stellen", "Bauantrag stellen"),
        ("Kita-Platz über den KitaFinder vormerken", "Kita-Platz vormerken"),
        ("Führerschein umtauschen – Frist am 19. Januar", "Führerschein umtauschen"),
        ("1.2 Anmeldung der Eheschließung", "Anmeldung der Eheschließung"),
        ("Wer ein Gewerbe anmelden muss", None),
        ("Vor dem Antrag den Wärmeplan prüfen", None),
        ("Öffnungszeiten", None),
    ],
)
def test_a_heading_names_a_service_or_none(heading: str, name: str | None) -> None:
    found = service(heading)
    assert (found and found[0]) == name


def ids_of(text: str, *, document: str = "doc", town: str | None = None) -> dict[str, str]:
    _, paper = paper_of(text, title="Bericht", document=document)
    return {item.id: item.name for item in findings(paper, town=town) if isinstance(item, Node)}


def test_two_spellings_of_an_office_are_one_and_two_towns_have_two() -> None:
    assert ids_of("Der Leiter des Bauamtes sprach mit dem Bauamt.") == {"office:bauamt": "Bauamt"}
    assert ids_of("Das Bürgerbüro Birkenfurt öffnet.", town="Birkenfurt") == {
        "office:birkenfurt:bürgerbüro": "Bürgerbüro"
    }
    assert ids_of("Das Bürgerbüro öffnet.", town="Neustadt") == {"office:neustadt:bürgerbüro": "Bürgerbüro"}
    apart = ids_of("Das Bürgerbüro Birkenfurt und das Bürgerbüro Neustadt.")
    assert set(apart.values()) == {"Bürgerbüro Birkenfurt", "Bürgerbüro Neustadt"}


def test_a_short_name_is_merged_only_where_it_can_mean_one_thing() -> None:
    one = "Die Hundesteuersatzung der Stadt Neustadt gilt. Nach der Hundesteuersatzung ist ein Hund anzumelden."
    assert set(ids_of(one).values()) == {"Hundesteuersatzung der Stadt Neustadt"}
    two = f"{one} Die Hundesteuersatzung der Stadt Altdorf gilt nicht."
    assert set(ids_of(two).values()) == {
        "Hundesteuersatzung",
        "Hundesteuersatzung der Stadt Altdorf",
        "Hundesteuersatzung der Stadt Neustadt",
    }


def test_what_is_no_office_is_none() -> None:
    text = "Das Ehrenamt, insgesamt samt Beamten. Ehrenamtliche arbeiten im Ingenieurbüro. Am Freitag 3 kamen viele."
    assert ids_of(text) == {}


@pytest.mark.parametrize(
    "unit",
    ["A", "§ 1 ", "und ", "Montag ", "Amt für ", "A-", "1.000 € ", "| a ", "Dr. ", "Satzung über die ", "‹Law0› ", "am 1. Mai 2026 ", "a@", "0123 ", "a.b."],
)  # fmt: skip
def test_hostile_text_is_read_in_linear_time(unit: str) -> None:
    """Six thousand characters are the longest passage; the limit of a test is what a loop of patterns would break."""
    list(findings(paper_of(unit * (6_000 // len(unit)), title="Text")[1], town="Ort"))


@pytest.mark.parametrize(
    ("sentence", "person"),
    [
        ("Das Bauordnungsamt wird von Frau Sabine Krüger geleitet.", "Sabine Krüger"),
        ("Das Bauordnungsamt wird seit dem 1. Mai 2020 von Sabine Krüger geleitet.", "Sabine Krüger"),
        ("Sabine Krüger leitet seit 2020 das Bauordnungsamt.", "Sabine Krüger"),
        ("Leiterin des Bauordnungsamts ist Frau Sabine Krüger.", "Sabine Krüger"),
        ("Das Bauordnungsamt wird von der Stadt geleitet.", None),
        ("Sabine Krüger leitet die Anträge an das Bauordnungsamt weiter.", None),
    ],
)
def test_who_leads_an_office_is_read_in_the_forms_people_write(sentence: str, person: str | None) -> None:
    items = list(findings(paper_of(f"# Amt\n\n{sentence}\n", title="Amt")[1]))
    edges = [item for item in items if not isinstance(item, Node) and item.type == "LEADS"]
    names = {item.id: item.name for item in items if isinstance(item, Node)}
    assert [names[edge.source] for edge in edges] == ([person] if person else [])
    assert all(names[edge.target] == "Bauordnungsamt" for edge in edges)
