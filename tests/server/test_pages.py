"""The pages: self-contained, escaped, accessible, with every quote numbered and found again."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from inline_snapshot import snapshot
from pydantic import BaseModel
from selectolax.lexbor import LexborHTMLParser, LexborNode

from agents.kit import PromptRef, Result, Step
from server.colour import contrast, palette
from server.page import page
from server.settings import Brand
from tools.base import Artifact, Citation

EVIL = '<script>alert("1")</script> <img src=x onerror=y> & „Grüße“'


class Part(BaseModel):
    heading: str
    text: str
    sources: list[Citation] = []


class Paper(BaseModel):
    title: str
    lead: str
    sections: list[Part]
    spoken: str = ""
    plain: str | None = None


class Found(BaseModel):
    statement: str
    sources: list[Citation] = []


class Findings(BaseModel):
    findings: list[Found]


class Sheet(BaseModel):
    name: str
    price: float
    note: str
    tags: list[str]
    more: dict[str, int]


def quote(text: str, document: str = "bad", start: int = 0, page: int | None = None) -> Citation:
    return Citation(
        document=document,
        title=f"Titel {document}",
        heading="Preise",
        page=page,
        start=start,
        end=start + len(text),
        quote=text,
    )


ONE, TWO = quote("Das Bad öffnet im Mai."), quote("Der Eintritt kostet 5 Euro.", "preise", 9, page=2)
PICTURE = Artifact(id="p", media_type="image/png", alt_text='Karte "Freibad"', size=3, uri="/v1/artifacts/p")
SOUND = [
    Artifact(id=kind, media_type=f"audio/{kind}", alt_text="Vorgelesen", size=3, uri="/x") for kind in ("wav", "ogg")
]
PAPER = Paper(
    title="Das Freibad öffnet",
    lead="Das Bad öffnet im Mai.",
    sections=[
        Part(heading="Wann", text="Das Bad öffnet im Mai. Der Eintritt kostet\n5 Euro.", sources=[ONE, TWO]),
        Part(heading="Wie viel", text="Der Eintritt kostet 5 Euro.", sources=[TWO]),
    ],
    spoken="Das Freibad öffnet.\n\nDas Bad öffnet im Mai.",
)


def shown(output: BaseModel | None, *, artifacts: Sequence[Artifact] = (), **more: object) -> str:
    prompt = PromptRef(name="editor", path="prompts/library/editor.md", commit="a" * 40)
    dirty = PromptRef(name="research", path="prompts/library/research.md", dirty=True)
    given: dict[str, object] = {
        "use_case": "paper",
        "output": output,
        "outcome": "done",
        "engine": "extractive",
        "cost": 0.0,
        "artifacts": artifacts,
        "trace_id": "0" * 32,
        "steps": [
            Step(id=str(n), name="x", kind="use_case", seconds=1, prompt=ref) for n, ref in enumerate((prompt, dirty))
        ],
    }
    result = (
        Result[type(output)].model_validate({**given, **more})
        if output
        else Result[BaseModel].model_validate({**given, **more})
    )
    return page(result, brand=Brand(), read=lambda artifact: b"abc", made=datetime(2027, 3, 1, tzinfo=UTC))


def one(tree: LexborHTMLParser, selector: str) -> LexborNode:
    """The first node that the selector finds."""
    node = tree.css_first(selector)
    assert node is not None, selector
    return node


def dom(output: BaseModel | None, **more: object) -> LexborHTMLParser:
    return LexborHTMLParser(shown(output, **more))  # pyright: ignore[reportArgumentType]


PAGES = {
    "publication": (PAPER, {"artifacts": [PICTURE, *SOUND]}),
    "findings": (
        Findings(findings=[Found(statement=ONE.quote, sources=[ONE]), Found(statement=TWO.quote, sources=[TWO])]),
        {},
    ),
    "sheet": (
        Sheet(name="Bad", price=5, note="x" * 200, tags=["a", "b"], more={"a": 1}),
        {"artifacts": [PICTURE, *SOUND]},
    ),
    "nothing": (None, {"outcome": "no_source", "message": "Nichts gefunden."}),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible(name: str) -> None:
    output, more = PAGES[name]
    tree = dom(output, **more)
    html = one(tree, "html")
    assert html.attributes["lang"] in ("de", "en")
    assert len(tree.css("h1")) == 1
    assert len(tree.css("main")) == len(tree.css("body > header")) == len(tree.css("body > footer")) == 1
    assert one(tree, "title").text().strip()
    skip = one(tree, "body > a")
    assert one(tree, skip.attributes["href"] or "").tag == "main"
    levels = [int((node.tag or "h0")[1:]) for node in tree.css("h1, h2, h3, h4")]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all(node.attributes.get("alt") for node in tree.css("img"))
    ids = [node.attributes["id"] or "" for node in tree.css("[id]")]
    assert len(ids) == len(set(ids))
    named = [
        label for node in tree.css("[aria-labelledby]") for label in (node.attributes["aria-labelledby"] or "").split()
    ]
    assert set(named) <= set(ids)
    assert all(node.attributes["href"] in {f"#{one}" for one in ids} for node in tree.css("a"))
    assert all(name_of(node) for node in tree.css("a, audio, summary, nav, aside, section"))
    assert all(node.attributes.get("aria-labelledby") and "controls" in node.attributes for node in tree.css("audio"))


def name_of(node: LexborNode) -> str:
    """What assistive technology calls it."""
    return node.attributes.get("aria-label") or node.attributes.get("aria-labelledby") or node.text(strip=True)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_needs_nothing_but_itself(name: str) -> None:
    output, more = PAGES[name]
    html = shown(output, **more)  # pyright: ignore[reportArgumentType]
    tree = LexborHTMLParser(html)
    links = [node.attributes.get(key) for key in ("src", "href") for node in tree.css(f"[{key}]")]
    assert all(link and link.startswith(("#", "data:")) for link in links)
    assert not tree.css("link, script, iframe, object, form")
    style = one(tree, "style").text()
    assert not re.search(r"url\(|@import|https?:", style)
    assert "default-src 'none'" in (one(tree, "meta[http-equiv]").attributes["content"] or "")


def test_every_quote_is_numbered_listed_and_leads_back() -> None:
    tree = dom(PAPER)
    calls = {node.attributes["id"]: node.attributes["href"] for node in tree.css(".call a")}
    assert calls == snapshot({"z1": "#q1", "z1-2": "#q1", "z2": "#q2", "z2-2": "#q2"})
    notes = [" ".join(node.text(separator=" ").split()) for node in tree.css(".sources li")]
    assert notes == snapshot(
        ["1 Das Bad öffnet im Mai. Preise ↩ ↩", "2 Der Eintritt kostet 5 Euro. Preise, Seite 2 ↩ ↩"]
    )
    assert [node.text() for node in tree.css(".sources h3")] == ["Titel bad", "Titel preise"]
    back = [node.attributes["href"] for node in tree.css(".back")]
    assert sorted(back, key=str) == sorted((f"#{call}" for call in calls), key=str)


def test_a_number_stands_directly_behind_its_quote() -> None:
    text = one(dom(PAPER), "section p").html or ""
    assert re.sub(r"<sup.*?>(\d+)</a></sup>", r"[\1]", text) == (
        "<p>Das Bad öffnet im Mai.[1] Der Eintritt kostet 5 Euro.[2]</p>"
    )


def test_all_text_is_escaped() -> None:
    evil = quote(EVIL)
    picture = PICTURE.model_copy(update={"alt_text": EVIL})
    paper = Paper(
        title=EVIL, lead=EVIL, sections=[Part(heading=EVIL, text=EVIL, sources=[evil])], spoken=EVIL, plain=EVIL
    )
    for engine in ("extractive", "some-model"):
        for output in (
            paper,
            Findings(findings=[Found(statement=EVIL, sources=[evil])]),
            Sheet(name=EVIL, price=1, note=EVIL, tags=[EVIL], more={EVIL: 1}),
        ):
            tree = dom(output, engine=engine, artifacts=[picture, *SOUND], message=EVIL, outcome="partial")
            assert not tree.css("script")
            assert all((node.attributes["src"] or "").startswith("data:") for node in tree.css("img"))
            assert EVIL in (tree.body.text() if tree.body else "")


def test_markdown_of_a_model_is_rendered_without_pictures_html_or_scripts() -> None:
    text = "**Fett** [gut](https://example.org) [böse](javascript:alert(1)) ![x](https://example.org/x.png)\n\n- eins\n- zwei"
    tree = dom(Paper(title="T", lead="L", sections=[Part(heading="H", text=text)]), engine="some-model")
    assert one(tree, "strong").text() == "Fett"
    assert [node.text() for node in tree.css(".text li")] == ["eins", "zwei"]
    assert not tree.css("img")
    assert not [node for node in tree.css("a") if (node.attributes["href"] or "").startswith("javascript")]


def test_literal_text_is_not_taken_for_markdown() -> None:
    tree = dom(Paper(title="T", lead="L", sections=[Part(heading="H", text="1. Mai ist *Feiertag*.")]))
    assert one(tree, "section p").text() == "1. Mai ist *Feiertag*."


def test_the_sound_is_embedded_once_with_its_text_beside_it() -> None:
    tree = dom(PAPER, artifacts=[PICTURE, *SOUND])
    sounds = tree.css("audio")
    assert [(node.attributes["src"] or "")[:15] for node in sounds] == ["data:audio/ogg;"]
    assert [node.text() for node in tree.css("details p")] == ["Das Freibad öffnet.", "Das Bad öffnet im Mai."]


def test_the_colophon_says_engine_commits_trace_and_that_it_only_quotes() -> None:
    said = " ".join(one(dom(PAPER), "footer").text(separator=" ").split())
    assert said == snapshot(
        "Über diese Ausgabe Der Text besteht aus wörtlichen Zitaten der genannten Quellen; nichts ist hinzuerfunden. Erstellt 1. März 2027 Textmaschine extractive Kosten 0 Spur 00000000000000000000000000000000 Prompts prompts/library/editor.md · aaaaaaaaaaaa prompts/library/research.md · noch nicht eingecheckt Partitur"
    )


def test_what_a_model_wrote_is_said_to_be_written_by_a_model() -> None:
    said = one(dom(PAPER, engine="some-model", cost=None), "footer").text()
    assert "von einem Sprachmodell geschrieben" in said
    assert "wörtlichen Zitaten" not in said
    assert "unbekannt" in said


def test_an_english_output_gets_an_english_page() -> None:
    paper = Paper(
        title="The pool opens",
        lead="The pool opens in May.",
        sections=[Part(heading="When", text="It opens at nine in the morning.")],
    )
    tree = dom(paper)
    assert one(tree, "html").attributes["lang"] == "en"
    assert one(tree, ".skip").text() == "Skip to content"


def test_without_an_output_the_page_says_why() -> None:
    state = one(dom(None, outcome="needs_model", message="Set PARTITUR_MODEL_URL."), ".state").text()
    assert "Set PARTITUR_MODEL_URL." in state


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(
    ("primary", "accent"),
    [("#0b4f6c", "#e07a1f"), ("#ffff00", "#ffffff"), ("#000000", "#111111"), ("#e0e0e0", "#00ff00")],
)
def test_every_brand_gets_enough_contrast(primary: str, accent: str, dark: bool) -> None:
    colours = palette(primary, accent, dark=dark)
    assert [pair for pair in colours.pairs() if contrast(pair[0], pair[1]) < pair[2]] == []


def test_a_readable_brand_keeps_its_own_colour() -> None:
    assert palette("#0b4f6c", "#b8560a", dark=False).brand == "#0b4f6c"
    assert contrast("#000000", "#ffffff") == 21.0
