import re
from itertools import combinations
from xml.etree import ElementTree

import pytest

from tools.graph import GraphEdge, GraphNode
from tools.graph.drawing import draw
from tools.graph.layout import arrange
from tools.graph.mermaid import mermaid
from tools.image.colour import contrast
from tools.image.render import SANS, width_of

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '"]; click n0 "javascript:alert(1)" %%{init: {}}%% <script>x</script> `md` [a](b)\n  end'


def star(
    count: int, *, name: str = "Amt für Vorgänge", tangled: bool = False
) -> tuple[list[GraphNode], list[GraphEdge]]:
    """A node with others around it; tangled: each of them also with the next."""
    nodes = [GraphNode(id="a", label="Office", name="Rathaus", distance=0)]
    nodes += [
        GraphNode(id=f"b{at}", label=("Service", "Person", "Law")[at % 3], name=f"{name} {at}", distance=1)
        for at in range(count)
    ]
    edges = [GraphEdge(source="a", type="OFFERS", target=f"b{at}") for at in range(count)]
    if tangled:
        edges += [GraphEdge(source=f"b{at}", type="PART_OF", target=f"b{at + 1}") for at in range(count - 1)]
    return nodes, edges


@pytest.mark.parametrize("tangled", [False, True])
@pytest.mark.parametrize("count", [0, 1, 2, 7, 19, 39])
def test_no_box_and_no_label_lies_over_another(count: int, tangled: bool) -> None:
    nodes, edges = star(count, tangled=tangled)
    picture = ElementTree.fromstring(draw(nodes, edges, language="de", truncated=False).svg)
    boxes = [
        tuple(float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
        for rect in picture.iter(f"{SVG}rect")
        if rect.get("class") != "ground"
    ]
    assert len(boxes) == len(nodes) + len(edges)
    for (x, y, width, height), (other_x, other_y, other_width, other_height) in combinations(boxes, 2):
        over = (
            min(x + width, other_x + other_width) - max(x, other_x),
            min(y + height, other_y + other_height) - max(y, other_y),
        )
        assert min(over) <= 0.11, over
    left, top, width, height = map(float, picture.attrib["viewBox"].split())
    for x, y, wide, high in boxes:
        assert left <= x and top <= y and x + wide <= left + width and y + high <= top + height


def test_letters_a_sixth_wider_stay_clear_of_the_edge() -> None:
    nodes = [GraphNode(id="a", label="Office", name="Personalausweis beantragen", distance=0)]
    picture = ElementTree.fromstring(draw(nodes, [], language="de", truncated=False).svg)
    (box,) = [rect for rect in picture.iter(f"{SVG}rect") if rect.get("class") != "ground"]
    assert float(box.attrib["width"]) - width_of(nodes[0].name, 15, SANS) * 7 / 6 >= 20


def test_the_same_graph_is_the_same_picture() -> None:
    nodes, edges = star(12, tangled=True)
    assert draw(nodes, edges, language="de", truncated=False) == draw(nodes, edges, language="de", truncated=False)


def test_the_picture_is_told_in_words() -> None:
    nodes, edges = star(2)
    drawn = draw(nodes, edges, language="en", truncated=True)
    assert drawn.alt_text == (
        "Graph around Rathaus (Office): 3 nodes, 2 edges. Rathaus OFFERS Amt für Vorgänge 0. Rathaus OFFERS Amt für Vorgänge 1. "
        "There is more than is drawn."
    )
    picture = ElementTree.fromstring(drawn.svg)
    assert picture.attrib["role"] == "img" and picture.attrib["lang"] == "en"
    assert picture.findtext(f"{SVG}title") == "What surrounds Rathaus"
    assert picture.findtext(f"{SVG}desc") == drawn.alt_text
    assert picture.attrib["aria-labelledby"] == "graph-title graph-text"
    kinds = [text.text or "" for text in picture.iter(f"{SVG}text") if text.get("class") == "kind"]
    assert sorted(kinds) == ["Office", "Person", "Service"]


def test_letters_are_read_in_both_schemes() -> None:
    nodes, edges = star(30)
    nodes = [node.model_copy(update={"label": f"L{at % 12}"}) for at, node in enumerate(nodes)]
    style = ElementTree.fromstring(draw(nodes, edges, language="de", truncated=False).svg).findtext(f"{SVG}style") or ""
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    for scheme in (light, dark):
        fills = dict(re.findall(r"([.\w, ]+)\{fill:(#\w{6})", scheme))
        grounds = [fills[".ground,.behind"], *re.findall(r"\.k\d+ rect\{fill:(#\w{6})", scheme)]
        assert len(grounds) == 11
        for ground in grounds:
            assert contrast(fills[".name"], ground) >= 4.5 and contrast(fills[".kind,.type"], ground) >= 4.5
        rims = re.findall(r"\.k\d+ rect\{fill:#\w{6};stroke:(#\w{6})", scheme)
        assert all(contrast(rim, grounds[0]) >= 3 for rim in rims)


def test_a_name_ends_no_tag_and_starts_none() -> None:
    nodes = [GraphNode(id="a", label="<b>", name='"><script>alert(1)</script>\x00', distance=0)]
    drawn = draw(nodes, [GraphEdge(source="a", type="</text>", target="a")], language="de", truncated=False)
    picture = ElementTree.fromstring(drawn.svg)
    assert {element.tag.removeprefix(SVG) for element in picture.iter()} <= {
        "svg", "title", "desc", "style", "defs", "marker", "path", "rect", "text", "g",
    }  # fmt: skip
    assert "alert(1)" in drawn.alt_text


def test_a_long_name_is_cut_in_the_box_and_whole_in_its_title() -> None:
    name = "Zweckverband für die gemeinsame Wasserversorgung und Abwasserbeseitigung im oberen Erletal"
    picture = draw([GraphNode(id="a", label="Office", name=name, distance=0)], [], language="de", truncated=False).svg
    shown = [
        text.text or "" for text in ElementTree.fromstring(picture).iter(f"{SVG}text") if text.get("class") == "name"
    ]
    assert len(shown) == 2 and shown[1].endswith("…") and f"<title>{name} (Office)</title>" in picture


def test_boxes_that_nothing_connects_find_a_place_too() -> None:
    boxes = arrange({"a": (80.0, 30.0), "b": (80.0, 30.0), "c": (80.0, 30.0)}, [], middle="a")
    assert len({(round(box.x), round(box.y)) for box in boxes.values()}) == 3
    assert (boxes["a"].x, boxes["a"].y) == pytest.approx((0, 0), abs=0.01)


def test_mermaid_says_nodes_and_edges() -> None:
    nodes, edges = star(1)
    assert mermaid(nodes, edges) == (
        'flowchart LR\n  n0(["Rathaus<br/>Office"])\n  n1["Amt für Vorgänge 0<br/>Service"]\n  n0 -->|"OFFERS"| n1'
    )


def test_no_name_is_more_than_text_in_mermaid() -> None:
    node = GraphNode(id='x"]', label=HOSTILE, name=HOSTILE, distance=0)
    lines = mermaid([node], [GraphEdge(source='x"]', type=HOSTILE, target='x"]')]).splitlines()
    assert len(lines) == 3
    for line, shape in zip(lines[1:], (r'  n0\(\["(.*)"\]\)', r'  n0 -->\|"(.*)"\| n0'), strict=True):
        found = re.fullmatch(shape, line)
        assert found is not None
        inner = re.sub(r"#\d+;", "", found[1].replace("<br/>", ""))
        assert not set(inner) & set("\"'`<>[](){}|;%#&*_~\\")
