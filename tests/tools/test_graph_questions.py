from collections.abc import Iterator
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from tools.base import Caller
from tools.base.access import Reach
from tools.graph import Ask, GraphConfig
from tools.graph.asking import answered
from tools.graph.loading import load
from tools.graph.questions import matches
from tools.graph.store import Graph

DATA = Path(__file__).parents[2] / "examples" / "birkenfurt" / "data"
ANNA = Reach(Caller(subject="anna", tenant="default"))
ASKED = [
    ("Wer ist Chef des Ordnungsamts?", "Tobias Hagendorn"),
    ("Wer steht dem Bauamt vor?", "Sabine Wiedekind"),
    ("Von wem wird die Stadtbibliothek geleitet?", "Leonie Brandis"),
    ("Wer führt die Kämmerei?", "Henrik Vossmann"),
    ("Wie heißt die Leiterin der Abfallwirtschaft?", "Kirsten Hellwege"),
    ("Wer ist Geschäftsführer der Stadtwerke?", "Dr. Carsten Ebelinger"),
    ("Wer ist für das Ehrenamtsbüro verantwortlich?", "Silke Rombacher"),
    ("Welches Amt leitet Petra Solmsen?", "Amt für Kinder, Jugend und Familie"),
    ("Was leitet Nele Petersohn?", "Stabsstelle Digitalisierung"),
    ("Welche Stelle führt Georg Amselt?", "Friedhofsverwaltung"),
    ("Wo arbeitet Elias Tornow?", "Amt für Umwelt und Klima"),
    ("Wer arbeitet im Tiefbauamt?", "Frieda Mohlau"),
    ("Zu welchem Amt gehört das Bürgerbüro?", "Ordnungsamt"),
    ("Wozu gehört die Zweigstelle Nordstadt?", "Stadtbibliothek"),
    ("Was gehört zum Kulturamt?", "Stadtbibliothek"),
    ("Welche Einrichtungen gehören zu den Stadtwerken?", "Erlenbad"),
    ("Wem ist das Projektbüro Weidach-Süd unterstellt?", "Bauamt"),
    ("In welchem Stadtteil liegt das Erlenbad?", "Erlenau"),
    ("Wo befindet sich die Friedhofsverwaltung?", "Lindenberg"),
    ("Wo ist das Amt für Umwelt und Klima?", "Mühlenviertel"),
    ("In welchem Viertel sitzt das Schulverwaltungsamt?", "Südend"),
    ("Welche Ämter sitzen in der Nordstadt?", "Zweigstelle Nordstadt"),
    ("Welche Ämter gibt es in Erlenau?", "Erlenbad"),
    ("Welche Dienste bietet das Standesamt an?", "Eheschließung anmelden"),
    ("Was kann ich beim Ordnungsamt erledigen?", "Gewerbe anmelden"),
    ("Was bieten die Stadtwerke an?", "Fernwärmeanschluss"),
    ("Wofür ist die Friedhofsverwaltung zuständig?", "Grabstelle erwerben"),
    ("Wer ist für den Bewohnerparkausweis zuständig?", "Bürgerbüro"),
    ("Wo beantrage ich einen Personalausweis?", "Bürgerbüro"),
    ("Wo kann ich ein Gewerbe anmelden?", "Ordnungsamt"),
    ("Welche Behörde bearbeitet den Bauantrag?", "Bauamt"),
    ("Bei welchem Amt melde ich die Eheschließung an?", "Standesamt"),
    ("An wen wende ich mich wegen Sperrmüll?", "Abfallwirtschaft"),
    ("Wo bekomme ich die Ehrenamtskarte?", "Ehrenamtsbüro"),
    ("Auf welchem Gesetz beruht die Gewerbeanmeldung?", "Gewerbeordnung"),
    ("Welches Gesetz gilt für den Führerscheinumtausch?", "Fahrerlaubnis-Verordnung"),
    ("Welche Rechtsgrundlage hat der Kita-Beitrag?", "Kita-Beitragssatzung"),
    ("Auf welcher Grundlage wird Hundesteuer erhoben?", "Hundesteuersatzung"),
    ("Nach welchem Gesetz wird eine Eheschließung angemeldet?", "Personenstandsgesetz"),
    ("Was regelt die Trinkwasserverordnung?", "Trinkwasserversorgung"),
    ("Welche Leistungen beruhen auf dem Achten Buch Sozialgesetzbuch?", "Kita-Beitrag"),
    ("Wie viele Stadtteile hat Birkenfurt?", "8"),
    ("Wie viele Personen kennt der Graph?", "21"),
    ("Wie viele Dienstleistungen gibt es?", "20"),
    ("Nenne alle Stadtteile", "Oberhain"),
    ("Welche Satzungen gibt es?", "Baumschutzsatzung"),
    ("Wie sind Bürgerbüro und Stadtverwaltung Birkenfurt verbunden?", "Altstadt"),
    ("Was verbindet Leonie Brandis mit der Altstadt?", "LOCATED_IN"),
    ("Was haben Bauamt und Tiefbauamt gemeinsam?", "Mühlenviertel"),
    ("Was hat sich seit 2026-07 geändert?", "Projektbüro"),
    ("Seit wann leitet Miriam Ostwald das Standesamt?", "2018-09-01"),
]  # fmt: skip
UNANSWERABLE = [
    "Wie wird morgen das Wetter?",
    "Wer ist Bundeskanzler?",
    "Wer leitet das Umweltbundesamt?",
    "Was kostet ein Reisepass?",
    "Wie alt ist Jonas Kettler?",
    "Wann wurde das Rathaus gebaut?",
    "Wo ist der Hauptbahnhof?",
    "Wie viele Einwohner hat die Altstadt?",
    "Welche Telefonnummer hat das Bürgerbüro?",
    "Wer war der Vorgänger von Jonas Kettler?",
    "Welches Gesetz regelt die Fischerei?",
    "Wie viele Fahrräder gibt es?",
]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    config = GraphConfig(home=tmp_path_factory.mktemp("town"), workers=1)
    load(DATA, config=config)
    graph = Graph(config)
    graph.schema(reach=ANNA)
    yield graph
    graph.close()


def test_plain_questions_are_answered_rightly_or_not_at_all(town: Graph) -> None:
    """Answered rightly, wrongly, and not at all: what the matcher does not know it leaves, it does not guess."""
    right = wrong = 0
    for question, expected in ASKED:
        answer = answered(town, Ask(question=question), reach=ANNA)
        told = expected in answer.sentence or any(expected in str(row) for row in answer.rows)
        right += told
        wrong += answer.outcome == "found" and not told
    assert (right, wrong, len(ASKED)) == snapshot((49, 0, 51))


@pytest.mark.parametrize("question", UNANSWERABLE)
def test_what_the_graph_does_not_hold_is_not_answered(town: Graph, question: str) -> None:
    answer = answered(town, Ask(question=question), reach=ANNA)
    assert answer.outcome != "found" and not answer.rows


@pytest.mark.parametrize(
    "part", ["a und ", "wer ist ", "alle ", "welche a in ", "was kostet ", "seit ", "1", "wie viele a "]
)
def test_a_hostile_question_is_soon_told_from_an_honest_one(town: Graph, part: str) -> None:
    list(matches((part * 1000)[:1000], town.schema(reach=ANNA)))
