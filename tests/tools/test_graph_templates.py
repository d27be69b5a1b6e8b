from collections.abc import Iterator
from pathlib import Path

import pytest
from inline_snapshot import snapshot
from pydantic import JsonValue

from tools.base import Caller, InvalidInput, NotFound
from tools.base.access import Reach
from tools.graph import Answer, Ask, GraphConfig
from tools.graph.asking import answered, listed
from tools.graph.cypher import checked
from tools.graph.loading import load
from tools.graph.questions import matches
from tools.graph.store import Graph
from tools.graph.template import TEMPLATES

DATA = Path(__file__).parents[2] / "examples" / "birkenfurt" / "data"
ANNA = Reach(Caller(subject="anna", tenant="default"))
GERMAN_NODES = """id,label,name,description
w,Werk,Werk Süd,
b,Betrieb,Große Betriebe AG,
m,Mensch,Ida Kern,
r,Regel,Hausregel 4,
"""
GERMAN_EDGES = """source,type,target,since
w,wird geleitet von,m,2024-05-01
w,gehört zu,b,
r,regelt,w,
"""


@pytest.fixture(scope="module", params=["ladybug", "kuzu"])
def town(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    """The town's lists, once in each engine: every template must do the same in both."""
    home = tmp_path_factory.mktemp("town")
    config = GraphConfig.model_validate({"home": home, "engine": request.param, "workers": 1})
    load(DATA, config=config)
    graph = Graph(config)
    graph.schema(reach=ANNA)
    yield graph
    graph.close()


@pytest.fixture(scope="module")
def works(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    """A graph of other labels and types, in German, some of which point the other way."""
    source = tmp_path_factory.mktemp("lists")
    (source / "nodes.csv").write_text(GERMAN_NODES)
    (source / "edges.csv").write_text(GERMAN_EDGES)
    config = GraphConfig(home=tmp_path_factory.mktemp("works"), workers=1)
    load(source, config=config)
    graph = Graph(config)
    graph.schema(reach=ANNA)
    yield graph
    graph.close()


def asked(graph: Graph, question: str) -> Answer:
    return answered(graph, Ask(question=question), reach=ANNA)


@pytest.mark.parametrize(
    ("question", "template", "sentence"),
    [
        ("Wer leitet das Bürgerbüro?", "leads", "Bürgerbüro wird geleitet von Jonas Kettler."),
        ("Wer ist die Leiterin des Standesamts?", "leads", "Standesamt wird geleitet von Miriam Ostwald."),
        ("Who is in charge of the Bauamt?", "leads", "Bauamt is led by Sabine Wiedekind."),
        ("Was leitet Jonas Kettler?", "led", "Jonas Kettler leitet Bürgerbüro."),
        ("What is part of the Kulturamt?", "parts", "Part of Kulturamt: Stadtbibliothek."),
        ("Wozu gehört das Standesamt?", "whole", "Standesamt gehört zu: Ordnungsamt."),
        ("In welchem Stadtteil liegt das Bauamt?", "where", "Bauamt ist hier: Mühlenviertel."),
        ("Which services does the Standesamt offer?", "offers", "Standesamt offers: Eheschließung anmelden."),
        ("Welches Amt ist für die Hundesteuer zuständig?", "office", "Für Hundesteuer zuständig: Bürgerbüro und Kämmerei."),
        ("Wo kann ich Personalausweis beantragen?", "office", "Für Personalausweis beantragen zuständig: Bürgerbüro."),
        ("Welche Rechtsgrundlage hat die Hundesteuer?", "law", "Hundesteuer beruht auf: Hundesteuersatzung."),
        ("Worauf beruht die Hundesteuer?", "law", "Hundesteuer beruht auf: Hundesteuersatzung."),
        ("Which law governs Kita-Beitrag?", "law", "Kita-Beitrag is based on: Achtes Buch Sozialgesetzbuch and Kita-Beitragssatzung."),
        ("Was regelt das Bundesmeldegesetz?", "regulates", "Bundesmeldegesetz regelt: Wohnsitz anmelden."),
        (
            "Wie hängen Jonas Kettler und Altstadt zusammen?",
            "path",
            "Jonas Kettler –LEADS→ Bürgerbüro –LOCATED_IN→ Altstadt.",
        ),
        (
            "What do Bürgerbüro and Standesamt have in common?",
            "common",
            "Bürgerbüro and Standesamt have in common: Altstadt and Ordnungsamt.",
        ),
        ("Wie viele Ämter gibt es?", "count", "Im Graphen stehen 24 × Office."),
        ("How many laws are there?", "count", "The graph has 15 × Law."),
        ("Alle Ämter mit description Klima", "list", "1 × Office: Amt für Umwelt und Klima."),
        ("Welche Ämter liegen in Oberhain?", "beside", "Office bei Oberhain: Ortsverwaltung Oberhain."),
        ("Wer ist Frieda Mohlau?", "about", "Frieda Mohlau (Person): Radverkehrsbeauftragte."),
        ("Wer leitet die Stadtwerke?", "leads", "Stadtwerke Birkenfurt wird geleitet von Dr. Carsten Ebelinger."),
    ],
)  # fmt: skip
def test_a_plain_question_finds_its_template_and_its_answer(
    town: Graph, question: str, template: str, sentence: str
) -> None:
    answer = asked(town, question)
    assert (answer.template, answer.sentence) == (template, sentence)
    assert answer.outcome == "found" and answer.cypher
    if template != "count":
        assert answer.found and answer.found[0].sources[0].file in ("nodes.csv", "edges.csv")


def test_an_answer_says_what_ran_and_where_it_was_read(town: Graph) -> None:
    answer = answered(town, Ask(template="leads", parameters={"name": "buergerbuero"}, language="en"), reach=ANNA)
    assert answer.model_dump() == snapshot(
        {
            "outcome": "found",
            "sentence": "Bürgerbüro is led by Jonas Kettler.",
            "columns": ["answer", "edge", "asked"],
            "rows": [
                [
                    {
                        "id": "kettler",
                        "label": "Person",
                        "name": "Jonas Kettler",
                        "description": "Leiter des Bürgerbüros",
                    },
                    {"source": "kettler", "type": "LEADS", "target": "buergerbuero", "since": "2021-04-01"},
                    {
                        "id": "buergerbuero",
                        "label": "Office",
                        "name": "Bürgerbüro",
                        "description": "Ausweise, Meldewesen, Bewohnerparken und Führerscheine, Rathausplatz 1",
                    },
                ]
            ],
            "truncated": False,
            "template": "leads",
            "parameters": {"name": "buergerbuero"},
            "cypher": "MATCH (a)-[r:`LEADS`]-(x) WHERE (x.id IN $ids) = true AND (concat(label(x), ' ', x.id) IN $keys) = true AND (((label(r) IN $forward) = true AND r.source = a.id)) RETURN a AS answer, r AS edge, x AS asked ORDER BY a.name, a.id",
            "values": {"ids": ["buergerbuero"], "keys": ["Office buergerbuero"], "forward": ["LEADS"]},
            "found": [
                {"node": "kettler", "label": "Person", "sources": [{"file": "nodes.csv", "line": 27}]},
                {"edge": ("kettler", "LEADS", "buergerbuero"), "sources": [{"file": "edges.csv", "line": 3}]},
                {"node": "buergerbuero", "label": "Office", "sources": [{"file": "nodes.csv", "line": 3}]},
            ],
            "engine": "template",
            "spending": None,
        }
    )


def test_types_of_other_names_and_ways_are_understood(works: Graph) -> None:
    assert asked(works, "Wer leitet Werk Süd?").sentence == "Werk Süd wird geleitet von Ida Kern."
    assert asked(works, "Was leitet Ida Kern?").sentence == "Ida Kern leitet Werk Süd."
    assert asked(works, "Wozu gehört Werk Süd?").sentence == "Werk Süd gehört zu: Große Betriebe AG."
    assert asked(works, "Was gehört zu Große Betriebe AG?").sentence == "Zu Große Betriebe AG gehören: Werk Süd."
    assert asked(works, "Welche Regel gilt für Werk Süd?").outcome in ("not_understood", "cannot_answer")
    assert asked(works, "Worauf beruht Werk Süd?").sentence == "Werk Süd beruht auf: Hausregel 4."
    assert asked(works, "Wie viele Menschen gibt es?").sentence == "Im Graphen stehen 1 × Mensch."


def test_what_the_graph_cannot_say_is_an_outcome_of_its_own(town: Graph) -> None:
    assert asked(town, "Was kostet die Hundesteuer?").sentence == "Der Graph hat keine Angaben zu Kosten."
    assert asked(town, "Was kostet die Hundesteuer?").outcome == "cannot_answer"
    missing = asked(town, "Wer leitet das Umweltbüro?")
    assert (missing.outcome, missing.sentence) == (
        "cannot_answer",
        "Der Graph kennt nichts mit dem Namen „Umweltbüro“.",
    )
    assert asked(town, "Wer leitet Oberhain?").outcome == "nothing"
    assert asked(town, "Wie wird morgen das Wetter?").outcome == "not_understood"


@pytest.mark.parametrize(
    ("template", "parameters", "error", "said"),
    [
        ("leeds", {"name": "x"}, InvalidInput, "The template 'leeds' is unknown. Expected one of 'leads'"),
        ("leads", {"nam": "x"}, InvalidInput, "'name' does not fit"),
        ("leads", {"name": "Bürgerbur"}, NotFound, "No node is named 'Bürgerbur'"),
        ("leads", {"name": "Amt für"}, NotFound, "Did you mean 'Amt für Umwelt und Klima' or"),
        ("count", {"label": "Offices"}, InvalidInput, "The label 'Offices' is not there.*Did you mean 'Office'"),
        ("list", {"label": "Office", "property": "x", "value": "y"}, InvalidInput, "The property 'x' is not there"),
        ("list", {"label": "Office", "value": "y"}, InvalidInput, "Only one of 'property' and 'value'"),
        ("neighbours", {"name": "Bauamt", "type": "KNOWS"}, InvalidInput, "The edge type 'KNOWS' is not there"),
        ("changed", {"since": "gestern"}, InvalidInput, "'since' does not fit"),
    ],
)  # fmt: skip
def test_what_does_not_fit_a_template_is_said(
    town: Graph, template: str, parameters: dict[str, JsonValue], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        answered(town, Ask(template=template, parameters=parameters), reach=ANNA)


@pytest.mark.parametrize("name", ["'; MATCH (n) DETACH DELETE n //", "x' OR 1=1", "`", "}) RETURN n //", "$ids", "\\"])
def test_a_name_is_a_value_and_never_cypher(town: Graph, name: str) -> None:
    with pytest.raises(NotFound):
        answered(town, Ask(template="leads", parameters={"name": name}), reach=ANNA)
    assert asked(town, f"Wer leitet {name}?").outcome in ("cannot_answer", "not_understood")


def test_every_template_has_examples_that_lead_to_it(town: Graph) -> None:
    known = listed(town, reach=ANNA).templates
    assert [one.name for one in known] == list(TEMPLATES) and len(known) == 27
    schema = town.schema(reach=ANNA)
    for one in known:
        for example in one.examples:
            assert one.name in [match.template for match in matches(example, schema)], example
    answerable = {one.name for one in known if not one.answerable}
    assert answerable == {"costs", "opening", "contact", "deadline", "decided"}


def test_every_statement_of_a_template_is_one_that_callers_might_send(town: Graph) -> None:
    for question in ("Wer leitet das Bauamt?", "Was ist am stärksten vernetzt?", "Was ist neu seit 2026?"):
        answer = asked(town, question)
        assert answer.cypher and checked(answer.cypher) == answer.cypher and answer.outcome == "found"


def test_nobody_learns_of_what_another_tenant_has(town: Graph) -> None:
    other = Reach(Caller(subject="bo", tenant="elsewhere"))
    with pytest.raises(NotFound, match="The graph is empty"):
        answered(town, Ask(question="Wer leitet das Bürgerbüro?"), reach=other)
    with pytest.raises(NotFound, match="The graph is empty"):
        listed(town, reach=other)
