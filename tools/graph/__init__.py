"""Answers questions over a graph of lists and documents, of which each caller sees what they may read."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from tools.base.artifact import Artifact
from tools.base.spending import Spending
from tools.base.text import Words
from tools.base.tool import ToolRef

__all__ = [
    "Answer",
    "Ask",
    "Depict",
    "Depiction",
    "EdgeKind",
    "FileReport",
    "Found",
    "GraphConfig",
    "GraphEdge",
    "GraphNode",
    "GraphOptions",
    "GraphQuery",
    "GraphResult",
    "GraphSchema",
    "GraphSchemaQuery",
    "GraphSource",
    "LoadReport",
    "Neighbourhood",
    "NeighboursQuery",
    "NodeKind",
    "RebuildReport",
    "TemplateInfo",
    "Templates",
    "TemplatesQuery",
    "ask",
    "neighbours",
    "picture",
    "query",
    "schema",
    "templates",
]

Parameter = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,62}$")]


class GraphOptions(BaseModel):
    """The engine, what a query and a load may use, and who may write Cypher."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: Literal["ladybug", "kuzu"] = Field(
        default="ladybug", description="After a change, what callers see is built anew at its first use."
    )
    seconds: float = Field(default=10.0, gt=0, le=600, description="Time a query may take, and wait for its turn.")
    memory_mb: int = Field(default=512, ge=128, le=65536, description="Memory a query may take, in MiB.")
    rows: int = Field(default=1000, ge=1, le=1000, description="Most rows a query may return.")
    depth: int = Field(default=6, ge=1, le=30, description="Longest path that '*' in a pattern follows.")
    workers: int = Field(default=2, ge=1, le=32, description="Queries that run at the same time.")
    views: int = Field(
        default=8,
        ge=1,
        le=256,
        description="Views (what callers with the same permissions see) that stay built and open.",
    )
    cypher_roles: frozenset[str] = Field(
        default=frozenset({"admin", "analyst"}), description="Roles, or scopes, whose callers may write Cypher."
    )
    file_mb: int = Field(default=1024, ge=1, description="Largest file that is loaded, in MiB.")


class GraphConfig(GraphOptions):
    """The same, and where the graph lies."""

    home: Path = Field(description="Folder of the store; made by the first load.")


class GraphQuery(BaseModel):
    """One reading Cypher statement."""

    model_config = ConfigDict(extra="forbid")

    cypher: str = Field(min_length=1, max_length=5000, description="One statement with MATCH … RETURN; no comments.")
    parameters: dict[Parameter, JsonValue] = Field(
        default_factory=dict,
        max_length=50,
        description="Values for $names in the statement, at most 20,000 characters.",
    )
    limit: int = Field(default=100, ge=1, le=1000, description="Most rows to return.")


def _unknown(value: object) -> bool:
    return value is None


class GraphSource(BaseModel):
    """Where a node or an edge was found: a passage of a document, or a line of a list. What is not known is left out."""

    document: str | None = Field(default=None, description="Id of the document.", exclude_if=_unknown)
    title: str | None = Field(default=None, description="Title of the document.", exclude_if=_unknown)
    heading: str | None = Field(
        default=None, description="Heading path above the quote, joined by ' › '.", exclude_if=_unknown
    )
    page: int | None = Field(default=None, description="Page number, from 1.", exclude_if=_unknown)
    start: int | None = Field(
        default=None, description="First code point of the quote in the stored text.", exclude_if=_unknown
    )
    end: int | None = Field(default=None, description="Code point after the last one.", exclude_if=_unknown)
    quote: str | None = Field(
        default=None, description="The quote itself: stored_text[start:end].", exclude_if=_unknown
    )
    file: str | None = Field(default=None, description="Name of the list.", exclude_if=_unknown)
    line: int | None = Field(default=None, description="Its line, from 1.", exclude_if=_unknown)


class Found(BaseModel):
    """A node or an edge, and where it was found."""

    node: str | None = Field(default=None, description="Id of the node.", exclude_if=_unknown)
    label: str | None = Field(default=None, description="Label of the node.", exclude_if=_unknown)
    edge: tuple[str, str, str] | None = Field(
        default=None, description="Source, type and target of the edge.", exclude_if=_unknown
    )
    sources: list[GraphSource] = Field(default_factory=list[GraphSource], description="The first five places.")


class GraphResult(BaseModel):
    """The rows a query found."""

    columns: list[str] = Field(description="In the order of the values in a row.")
    rows: list[list[JsonValue]] = Field(
        description="Nodes are objects with id, label, name, description; edges with type, source, target, since; "
        "paths with nodes and edges."
    )
    truncated: bool = Field(description="True where the query found more than is returned.")
    row_count: int = Field(ge=0, description="Rows returned.")
    found: list[Found] = Field(
        default_factory=list[Found], description="Where the nodes and edges in the rows were found, up to 100 of them."
    )


class GraphSchemaQuery(BaseModel):
    """Takes nothing: the whole schema is small."""

    model_config = ConfigDict(extra="forbid")


class NodeKind(BaseModel):
    """The nodes of one label."""

    label: str = Field(description="As it is written in Cypher.")
    title: str = Field(description="As it was written in the file.")
    count: int = Field(ge=0, description="How many there are.")
    properties: list[str] = Field(description="All of them text.")
    samples: list[str] = Field(description="Up to five names.")


class EdgeKind(BaseModel):
    """The edges of one type."""

    type: str = Field(description="As it is written in Cypher.")
    title: str = Field(description="As it was written in the file.")
    count: int = Field(ge=0, description="How many there are.")
    connects: list[tuple[str, str]] = Field(description="Labels it goes from and to.")
    properties: list[str] = Field(description="All of them text.")


class GraphSchema(BaseModel):
    """What there is to ask."""

    nodes: list[NodeKind] = Field(description="By label.")
    edges: list[EdgeKind] = Field(description="By type.")


class NeighboursQuery(BaseModel):
    """Where to look around."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200, description="Name or id of a node, in any case of letters.")
    depth: int = Field(default=1, ge=1, le=2, description="How many edges away.")
    limit: int = Field(default=50, ge=1, le=200, description="Most nodes to return.")


class GraphNode(BaseModel):
    """A node."""

    id: str = Field(description="Its id in the file.")
    label: str = Field(description="What it is.")
    name: str = Field(description="Its name.")
    description: str | None = Field(default=None, description="A sentence on it, where there is one.")
    distance: int = Field(ge=0, description="Edges away from the node that was asked for.")
    sources: list[GraphSource] = Field(default_factory=list[GraphSource], description="Where it was found, up to five.")


class GraphEdge(BaseModel):
    """An edge between two nodes of the same answer."""

    source: str = Field(description="Id of the node it starts at.")
    type: str = Field(description="What it means.")
    target: str = Field(description="Id of the node it ends at.")
    since: str | None = Field(default=None, description="Since when, as it was written in the file.")
    sources: list[GraphSource] = Field(default_factory=list[GraphSource], description="Where it was found, up to five.")


class Neighbourhood(BaseModel):
    """A node, or several of the same name, with what surrounds them."""

    nodes: list[GraphNode] = Field(description="Nearest first.")
    edges: list[GraphEdge] = Field(description="Between these nodes.")
    truncated: bool = Field(description="True where there are more than were asked for.")


class FileReport(BaseModel):
    """What became of one file."""

    file: str = Field(description="Name of the file.")
    kind: Literal["nodes", "edges"] | None = Field(default=None, description="What it holds; null where it failed.")
    rows: int = Field(default=0, ge=0, description="Rows loaded.")
    skipped: int = Field(default=0, ge=0, description="Rows left out.")
    reasons: list[str] = Field(default_factory=list, description="Why rows were left out: line and reason, up to 20.")
    failure: str | None = Field(default=None, description="Why the file could not be loaded, and what to do.")


class LoadReport(BaseModel):
    """What a load did, file by file."""

    generation: int | None = Field(description="Number of the new generation; null where nothing could be loaded.")
    nodes: int = Field(ge=0, description="Nodes it brought.")
    edges: int = Field(ge=0, description="Edges it brought.")
    files: list[FileReport] = Field(description="In the order they were found.")


class RebuildReport(BaseModel):
    """What the graph was built of again."""

    generation: int = Field(description="Number of the new generation.")
    sources: int = Field(ge=0, description="Sets of lists, and documents.")
    nodes: int = Field(ge=0, description="Nodes they bring; what several bring counts several times.")
    edges: int = Field(ge=0, description="Edges they bring, likewise.")


class Ask(BaseModel):
    """A question in words, or a template with its parameters."""

    model_config = ConfigDict(extra="forbid")

    question: Words | None = Field(default=None, max_length=1000, description="In German or English.")
    template: str | None = Field(default=None, max_length=50, description="One of 'graph.templates'.")
    parameters: dict[str, JsonValue] = Field(
        default_factory=dict, max_length=10, description="Of the template; 'graph.templates' describes them."
    )
    language: Literal["de", "en"] | None = Field(
        default=None, description="Of the answer's sentence; recognised from the question where it is not given."
    )
    limit: int = Field(default=50, ge=1, le=1000, description="Most rows to return.")

    @model_validator(mode="after")
    def _one_of_both(self) -> "Ask":
        if (self.question is None) == (self.template is None):
            raise ValueError("exactly one of 'question' and 'template' is expected")
        if self.question is not None and self.parameters:
            raise ValueError("'parameters' go with a template, not with a question")
        return self


class Answer(BaseModel):
    """What the graph says, the Cypher that found it, and where that was read."""

    outcome: Literal["found", "nothing", "cannot_answer", "not_understood"] = Field(
        description="'found': there are rows; 'nothing': the graph could say it and does not; 'cannot_answer': it has "
        "no such labels, edges or properties; 'not_understood': no template fits the question."
    )
    sentence: str = Field(description="The answer in one sentence.")
    columns: list[str] = Field(default_factory=list[str], description="In the order of the values in a row.")
    rows: list[list[JsonValue]] = Field(default_factory=list[list[JsonValue]], description="As 'graph.query' has them.")
    truncated: bool = Field(default=False, description="True where there is more than is returned.")
    template: str | None = Field(default=None, description="The template that was used; null where a model wrote it.")
    parameters: dict[str, JsonValue] = Field(default_factory=dict, description="With which it was used.")
    cypher: str | None = Field(default=None, description="The statement that ran; null where none did.")
    values: dict[str, JsonValue] = Field(default_factory=dict, description="Of the $names in the statement.")
    found: list[Found] = Field(default_factory=list[Found], description="Where the nodes and edges were found.")
    engine: str = Field(default="template", description="'template', or the model that wrote the statement.")
    spending: Spending | None = Field(default=None, description="What it cost at the model, where one was asked.")


class TemplatesQuery(BaseModel):
    """Takes nothing."""

    model_config = ConfigDict(extra="forbid")


class TemplateInfo(BaseModel):
    """A question that can be asked without a model."""

    name: str = Field(description="For 'graph.ask'.")
    description: str = Field(description="What it answers.")
    parameters: dict[str, JsonValue] = Field(description="JSON schema of its parameters.")
    examples: list[str] = Field(description="Questions that lead to it, in German and English.")
    types: list[str] = Field(description="Edge types of this graph that it follows; empty where it follows any.")
    answerable: bool = Field(description="Whether this graph, as the caller sees it, has what it needs.")


class Templates(BaseModel):
    """The questions that can be asked without a model."""

    templates: list[TemplateInfo]


class Depict(BaseModel):
    """What to draw."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200, description="Name or id of a node, in any case of letters.")
    depth: int = Field(default=1, ge=1, le=2, description="How many edges away.")
    limit: int = Field(default=20, ge=1, le=40, description="Most nodes to draw, the nearest first.")
    language: Literal["de", "en"] = Field(default="de", description="Of title and description.")


class Depiction(BaseModel):
    """A picture of a node and what surrounds it, and the same as text."""

    svg: Artifact = Field(description="The drawing, light and dark.")
    mermaid: str = Field(description="The same as a Mermaid flowchart.")
    alt_text: str = Field(description="What it shows, in words.")
    nodes: int = Field(ge=1, description="Nodes drawn.")
    edges: int = Field(ge=0, description="Edges drawn.")
    truncated: bool = Field(description="True where there is more around it than is drawn.")


ask = ToolRef(
    name="graph.ask",
    input=Ask,
    output=Answer,
    description="Answers a question about who and what belongs together, in German or English, or runs one of "
    "'graph.templates': who leads an office, which office does a service, which law regulates it, how two things are "
    "connected, how many there are. Says where it was read.",
    timeout=180.0,
)
templates = ToolRef(
    name="graph.templates",
    input=TemplatesQuery,
    output=Templates,
    description="Lists the templates of 'graph.ask' with their parameters and examples.",
)
picture = ToolRef(
    name="graph.picture",
    input=Depict,
    output=Depiction,
    description="Draws a node and what surrounds it: an SVG picture, a Mermaid flowchart and a description in words.",
    timeout=60.0,
)
query = ToolRef(
    name="graph.query",
    input=GraphQuery,
    output=GraphResult,
    description="Runs one read-only Cypher statement over the graph and returns rows of JSON; for analysts. "
    "Ask graph.schema for labels and edge types first.",
    timeout=60.0,
)
schema = ToolRef(
    name="graph.schema",
    input=GraphSchemaQuery,
    output=GraphSchema,
    description="Describes the graph: labels, edge types, properties, counts and sample names.",
)
neighbours = ToolRef(
    name="graph.neighbours",
    input=NeighboursQuery,
    output=Neighbourhood,
    description="Finds a node by its name and returns what is connected with it, up to two edges away.",
    timeout=60.0,
)
