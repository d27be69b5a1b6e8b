"""Answers read-only Cypher over a graph loaded from lists of nodes and edges."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from tools.base.tool import ToolRef

__all__ = [
    "EdgeKind",
    "FileReport",
    "GraphConfig",
    "GraphEdge",
    "GraphNode",
    "GraphQuery",
    "GraphResult",
    "GraphSchema",
    "GraphSchemaQuery",
    "LoadReport",
    "Neighbourhood",
    "NeighboursQuery",
    "NodeKind",
    "neighbours",
    "query",
    "schema",
]

Parameter = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,62}$")]


class GraphConfig(BaseModel):
    """Where the graph lies, the engine that reads it, and what a query and a load may use."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path = Field(description="Folder of the store; made by the first load.")
    engine: Literal["ladybug", "kuzu"] = Field(
        default="ladybug", description="Each reads only what it has written itself; load again after a change."
    )
    seconds: float = Field(default=10.0, gt=0, le=600, description="Time a query may take, and wait for its turn.")
    memory_mb: int = Field(default=512, ge=128, le=65536, description="Memory a query may take, in MiB.")
    rows: int = Field(default=1000, ge=1, le=1000, description="Most rows a query may return.")
    depth: int = Field(default=6, ge=1, le=30, description="Longest path that '*' in a pattern follows.")
    workers: int = Field(default=2, ge=1, le=32, description="Queries that run at the same time.")
    file_mb: int = Field(default=1024, ge=1, description="Largest file that is loaded, in MiB.")


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


class GraphResult(BaseModel):
    """The rows a query found."""

    columns: list[str] = Field(description="In the order of the values in a row.")
    rows: list[list[JsonValue]] = Field(
        description="Nodes are objects with id, label, name, description; edges with type, source, target, since; "
        "paths with nodes and edges."
    )
    truncated: bool = Field(description="True where the query found more than is returned.")
    row_count: int = Field(ge=0, description="Rows returned.")


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


class GraphEdge(BaseModel):
    """An edge between two nodes of the same answer."""

    source: str = Field(description="Id of the node it starts at.")
    type: str = Field(description="What it means.")
    target: str = Field(description="Id of the node it ends at.")
    since: str | None = Field(default=None, description="Since when, as it was written in the file.")


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
    nodes: int = Field(ge=0, description="Nodes of the new generation.")
    edges: int = Field(ge=0, description="Edges of the new generation.")
    files: list[FileReport] = Field(description="In the order they were found.")


query = ToolRef(
    name="graph.query",
    input=GraphQuery,
    output=GraphResult,
    description="Runs one read-only Cypher statement over the graph and returns rows of JSON. "
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
