"""The questions that any graph can be asked without a model: each a name, checked parameters and a Cypher statement."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from tools.base.errors import InvalidInput
from tools.graph import GraphSchema
from tools.graph.phrases import PHRASES, Phrases
from tools.graph.roles import Role, types_of

__all__ = ["TEMPLATES", "Known", "Lacking", "Nodes", "Plan", "Template", "label_of"]

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Day = Annotated[str, StringConstraints(pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$")]


class _Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _OfNode(_Parameters):
    name: Name = Field(description="Name or id of a node.")


class _OfTwo(_Parameters):
    first: Name = Field(description="Name or id of a node.")
    second: Name = Field(description="Name or id of another node.")


class _Around(_OfNode):
    type: Name | None = Field(default=None, description="Only edges of this type; every type where it is left out.")


class _OfLabel(_Parameters):
    label: Name = Field(description="A label of the graph, as 'graph.schema' lists it.")


class _Listed(_OfLabel):
    property: Name | None = Field(default=None, description="Only nodes with 'value' in this property.")
    value: Name | None = Field(default=None, description="What the property contains, in any case of letters.")


class _Beside(_OfLabel):
    name: Name = Field(description="Name or id of the node they are connected with.")


class _Since(_Parameters):
    since: Day = Field(description="A year, month or day as ISO 8601 writes it: edges that hold since then, or later.")


class _Central(_Parameters):
    label: Name | None = Field(default=None, description="Only nodes of this label.")


@dataclass(frozen=True, slots=True)
class Nodes:
    """The nodes that a name means, as they are found by a statement."""

    name: str
    ids: tuple[str, ...]
    keys: tuple[str, ...]

    def values(self, prefix: str = "") -> dict[str, Any]:
        """For `$ids` and `$keys`: an id may stand under several labels."""
        return {f"{prefix}ids": list(self.ids), f"{prefix}keys": list(self.keys)}


@dataclass(frozen=True, slots=True)
class Known:
    """What a plan is made from: the graph as the caller sees it, and the nodes that were named."""

    schema: GraphSchema
    depth: int
    nodes: Mapping[str, Nodes]
    """By the parameter that named them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A statement with its values, and what sentences about its rows need."""

    cypher: str
    values: Mapping[str, Any]
    words: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Lacking(Exception):
    """The graph has nothing that a template needs: a typed outcome, not a fault."""

    what: str
    """Of `phrases.LACKS`."""


Planned = Callable[[Any, Known], Plan]


@dataclass(frozen=True, slots=True)
class Template:
    """One question."""

    name: str
    description: str
    parameters: type[BaseModel]
    plan: Planned
    role: Role | None = None
    names: tuple[str, ...] = ()
    """The parameters that name nodes."""
    phrases: Phrases = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "phrases", PHRASES[self.name])


def label_of(schema: GraphSchema, named: str) -> str:
    """The label that is meant, as Cypher writes it.

    Raises:
        InvalidInput: there is none; the message names those that are there.
    """
    return _one_of(named, [(kind.label, kind.title) for kind in schema.nodes], "label")


def _one_of(named: str, kinds: Sequence[tuple[str, str]], what: str) -> str:
    for name, title in kinds:
        if named.casefold() in (name.casefold(), title.casefold()):
            return name
    known = [name for name, _ in kinds]
    near = difflib.get_close_matches(named.casefold(), [name.casefold() for name in known], n=1, cutoff=0.6)
    hint = next((f"Did you mean {name!r}?" for name in known if [name.casefold()] == near), "")
    shown = ", ".join(map(repr, known[:30])) or "none"
    raise InvalidInput(
        f"The {what} {named!r} is not there. The graph has {shown}.",
        hint=hint or "Ask 'graph.schema' for what there is.",
    )


_IS = "({0}.id IN ${1}ids) = true AND (concat(label({0}), ' ', {0}.id) IN ${1}keys) = true"
"""The node {0} is one of those named by the values {1}; said so that Kuzu carries it, too (see `tools.graph.cypher`)."""


def _follow(role: Role, *, subject: bool) -> Planned:
    """What stands at the other end of edges of a role: before them (`subject`), or behind them."""

    def plan(_: BaseModel, known: Known) -> Plan:
        types = types_of(known.schema, role)
        if not types:
            raise Lacking(role)
        ways = [
            f"((label(r) IN ${name}) = true AND {'r.source' if starts == subject else 'r.target'} = a.id)"
            for name, group, starts in (("forward", types.forward, True), ("backward", types.backward, False))
            if group
        ]
        groups = {"forward": list(types.forward), "backward": list(types.backward)}
        asked = known.nodes["name"]
        return Plan(
            f"MATCH (a)-[r:{_listed(types.all)}]-(x) WHERE {_IS.format('x', '')} AND ({' OR '.join(ways)}) "
            "RETURN a AS answer, r AS edge, x AS asked ORDER BY a.name, a.id",
            {**asked.values(), **{name: group for name, group in groups.items() if group}},
            {"asked": asked.name},
        )

    return plan


def _about(_: _OfNode, known: Known) -> Plan:
    asked = known.nodes["name"]
    return Plan(
        f"MATCH (x) WHERE {_IS.format('x', '')} RETURN x AS answer ORDER BY x.id", asked.values(), {"asked": asked.name}
    )


def _neighbours(given: _Around, known: Known) -> Plan:
    kinds = _edges(known)
    only = f":`{_one_of(given.type, kinds, 'edge type')}`" if given.type else ""
    asked = known.nodes["name"]
    return Plan(
        f"MATCH (a)-[r{only}]-(x) WHERE {_IS.format('x', '')} RETURN a AS answer, r AS edge, x AS asked ORDER BY a.name, a.id",
        asked.values(),
        {"asked": asked.name},
    )


def _beside(given: _Beside, known: Known) -> Plan:
    _edges(known)
    label = label_of(known.schema, given.label)
    asked = known.nodes["name"]
    return Plan(
        f"MATCH (a:`{label}`)-[r]-(x) WHERE {_IS.format('x', '')} "
        "RETURN a AS answer, r AS edge, x AS asked ORDER BY a.name, a.id",
        asked.values(),
        {"asked": asked.name, "label": label},
    )


def _path(_: _OfTwo, known: Known) -> Plan:
    _edges(known)
    first, second = known.nodes["first"], known.nodes["second"]
    return Plan(
        f"MATCH p = (x)-[* SHORTEST 1..{known.depth}]-(y) WHERE {_IS.format('x', '')} AND {_IS.format('y', 'to_')} "
        "RETURN p AS path ORDER BY length(p) LIMIT 3",
        first.values() | second.values("to_"),
        {"first": first.name, "second": second.name, "depth": str(known.depth)},
    )


def _between(_: _OfTwo, known: Known) -> Plan:
    _edges(known)
    first, second = known.nodes["first"], known.nodes["second"]
    return Plan(
        f"MATCH (x)-[r]-(y) WHERE {_IS.format('x', '')} AND {_IS.format('y', 'to_')} "
        "RETURN x AS source, r AS edge, y AS target ORDER BY label(r), r.since",
        first.values() | second.values("to_"),
        {"first": first.name, "second": second.name},
    )


def _common(_: _OfTwo, known: Known) -> Plan:
    _edges(known)
    first, second = known.nodes["first"], known.nodes["second"]
    return Plan(
        f"MATCH (x)-[r]-(a)-[s]-(y) WHERE {_IS.format('x', '')} AND {_IS.format('y', 'to_')} "
        "RETURN a AS answer, r AS edge, s AS other ORDER BY a.name, a.id",
        first.values() | second.values("to_"),
        {"first": first.name, "second": second.name},
    )


def _count(given: _OfLabel, known: Known) -> Plan:
    label = label_of(known.schema, given.label)
    return Plan(f"MATCH (a:`{label}`) RETURN count(a) AS count", {}, {"label": label})


def _list(given: _Listed, known: Known) -> Plan:
    label = label_of(known.schema, given.label)
    if (given.property is None) != (given.value is None):
        raise InvalidInput("Only one of 'property' and 'value' was given. Expected both, or none.")
    where = ""
    if given.property is not None:
        properties = next(kind.properties for kind in known.schema.nodes if kind.label == label)
        name = _one_of(given.property, [(name, name) for name in properties], "property")
        where = f" WHERE lower(a.`{name}`) CONTAINS lower($value)"
    values = {"value": given.value} if given.value is not None else {}
    return Plan(f"MATCH (a:`{label}`){where} RETURN a AS answer ORDER BY a.name, a.id", values, {"label": label})


def _changed(given: _Since, known: Known) -> Plan:
    _edges(known)
    return Plan(
        "MATCH (a)-[r]->(b) WHERE r.since >= $since RETURN a AS source, r AS edge, b AS target "
        "ORDER BY r.since DESC, a.name, b.name",
        {"since": given.since},
        {"since": given.since},
    )


def _central(given: _Central, known: Known) -> Plan:
    _edges(known)
    only = f":`{label_of(known.schema, given.label)}`" if given.label else ""
    return Plan(
        f"MATCH (a{only})-[r]-(b) WITH a, count(r) AS edges RETURN a AS answer, edges ORDER BY edges DESC, a.name LIMIT 10",
        {},
        {},
    )


def _edges(known: Known) -> list[tuple[str, str]]:
    if not known.schema.edges:
        raise Lacking("edges")
    return [(kind.type, kind.title) for kind in known.schema.edges]


def _listed(types: Sequence[str]) -> str:
    return "|".join(f"`{type}`" for type in types)


def _role(name: str, description: str, role: Role, *, subject: bool) -> Template:
    return Template(name, description, _OfNode, _follow(role, subject=subject), role, ("name",))


TEMPLATES: Mapping[str, Template] = {
    template.name: template
    for template in (
        _role("leads", "Who leads an office, a company or a place.", "leads", subject=True),
        _role("led", "What a person leads.", "leads", subject=False),
        _role("parts", "What belongs to something: its parts and members.", "belongs", subject=True),
        _role("whole", "What something belongs to.", "belongs", subject=False),
        _role("staff", "Who works somewhere.", "works", subject=True),
        _role("work", "Where somebody works.", "works", subject=False),
        _role("where", "Where something is.", "located", subject=False),
        _role("inside", "What is in a place.", "located", subject=True),
        _role("offers", "What an office does for people.", "offers", subject=False),
        _role("office", "Which office does a service.", "offers", subject=True),
        _role("law", "Which statute a service, or another statute, rests on.", "regulated", subject=False),
        _role("regulates", "What a statute regulates.", "regulated", subject=True),
        _role("costs", "What something costs.", "costs", subject=False),
        _role("opening", "When something is open.", "open", subject=False),
        _role("contact", "How somebody is reached.", "reached", subject=False),
        _role("deadline", "By when, or within what time, something is to be done.", "due", subject=False),
        _role("decided", "When, and by whom, something was decided.", "decided", subject=False),
        Template("path", "How two things are connected, by the shortest way.", _OfTwo, _path, None, ("first", "second")),
        Template(
            "between", "What joins two things directly, and since when.", _OfTwo, _between, None, ("first", "second")
        ),
        Template(
            "common", "What two things are both connected with.", _OfTwo, _common, None, ("first", "second")
        ),
        Template("count", "How many things of a label there are.", _OfLabel, _count),
        Template("list", "The things of a label, all or those with a value in a property.", _Listed, _list),
        Template("beside", "The things of a label that are connected with something.", _Beside, _beside, None, ("name",)),
        Template("neighbours", "What something is connected with, by every type or by one.", _Around, _neighbours, None, ("name",)),
        Template("changed", "What holds since a day, or later.", _Since, _changed),
        Template("central", "What is connected with most others.", _Central, _central),
        Template("about", "What the graph knows of something itself.", _OfNode, _about, None, ("name",)),
    )
}  # fmt: skip
"""By name."""
