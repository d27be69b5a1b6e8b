"""Answers questions over the graph: by a template where one fits, by a model's statement where one is set."""

import re
from collections.abc import Mapping, Sequence
from threading import Event
from typing import Any, cast

from pydantic import BaseModel, JsonValue, ValidationError

from tools.base.access import Reach
from tools.base.errors import InvalidInput, NotFound
from tools.graph import Answer, Ask, GraphResult, GraphSchema, TemplateInfo, Templates
from tools.graph.cypher import checked
from tools.graph.phrases import LACKS, UNKNOWN, joined
from tools.graph.questions import Matched, matches
from tools.graph.roles import types_of
from tools.graph.store import Graph
from tools.graph.template import TEMPLATES, Known, Lacking, Nodes, Plan, Template
from tools.language import Language, detect, stems

__all__ = ["answered", "language_of", "listed", "sentence_of"]

_NAMED = (
    "MATCH (n) WHERE n.id = $name OR (lower(n.name) IN $spellings) = true "
    "RETURN n.id AS id, label(n) AS label, n.name AS name ORDER BY label, id"
)
_HOLDING = (
    "MATCH (n) WHERE lower(n.name) STARTS WITH $name OR lower(n.name) STARTS WITH $listed OR lower(n.name) ENDS WITH $tail "
    "OR lower(n.name) CONTAINS $inner "
    "RETURN n.id AS id, label(n) AS label, n.name AS name ORDER BY size(n.name), name, id"
)
_STARTING = (
    "MATCH (n) WHERE lower(n.name) STARTS WITH $start "
    "RETURN n.id AS id, label(n) AS label, n.name AS name ORDER BY size(n.name), name, id"
)
_START = 4
"""Letters that two spellings of one name begin with alike."""
_ALIKE = 1000
_MOST = 50
"""Nodes of one name."""
_SHOWN = 3
_DEPTH = 6
_HOW_MANY = re.compile(r"(?:(?P<de>wie ?viele)|(?P<en>how many))\s+", re.IGNORECASE)
_ENDINGS = ("s", "es", "n", "en", "e")


def listed(graph: Graph, *, reach: Reach) -> Templates:
    """The templates, with what this caller's graph has for each."""
    schema = graph.schema(reach=reach)
    told: list[TemplateInfo] = []
    for template in TEMPLATES.values():
        types = types_of(schema, template.role).all if template.role else ()
        answerable = bool(types) if template.role else bool(schema.edges) or template.name in ("count", "list", "about")
        told.append(
            TemplateInfo(
                name=template.name,
                description=template.description,
                parameters=cast("dict[str, JsonValue]", template.parameters.model_json_schema()),
                examples=list(template.phrases.examples),
                types=list(types),
                answerable=answerable and bool(schema.nodes),
            )
        )
    return Templates(templates=told)


def language_of(asked: Ask) -> Language:
    """Of the answer's sentence."""
    return asked.language or (detect(asked.question) if asked.question else "de")


def answered(graph: Graph, asked: Ask, *, reach: Reach, stop: Event | None = None) -> Answer:
    """The answer of a template: the one that is named, or the first that the question leads to and that has an answer.

    A question that fits none, or names nothing of the graph, has that as its outcome; a template that is named with
    the wrong parameters is refused.

    Raises:
        InvalidInput: there is no such template, or its parameters do not fit.
        NotFound: a template was named, and no node has the name.
        TimedOut, TooLarge: over the limits of the settings.
    """
    schema = graph.schema(reach=reach)
    asking = _Asking(graph, schema, reach, asked, stop)
    if asked.template is not None:
        return asking.template(Matched(asked.template, cast("dict[str, str]", asked.parameters)))
    unsure: Answer | None = None
    missing: _Unnamed | None = None
    for match in matches(asked.question or "", schema):
        try:
            answer = asking.template(match)
        except _Unnamed as error:
            missing = missing or error
            continue
        if answer.outcome == "found":
            return answer
        if unsure is None or (unsure.outcome == "cannot_answer" and answer.outcome == "nothing"):
            unsure = answer
    if counted := _counted(graph, asked, reach, stop):
        return counted
    if unsure is not None:
        return unsure
    language = language_of(asked)
    if missing is not None:
        return Answer(outcome="cannot_answer", sentence=_unnamed(missing, language))
    return Answer(outcome="not_understood", sentence=UNKNOWN["not_understood"][language])


def _counted(graph: Graph, asked: Ask, reach: Reach, stop: Event | None) -> Answer | None:
    """`Wie viele Ämter gehören zu …` is `Welche Ämter gehören zu …`, counted; None where that has no answer."""
    said = (asked.question or "").strip()
    found = _HOW_MANY.match(said)
    if found is None:
        return None
    question = f"{'Which' if found['en'] else 'Welche'} {said[found.end() :]}"
    language = language_of(asked)
    given = asked.model_copy(update={"question": question, "language": language, "limit": _ALIKE})
    answer = answered(graph, given, reach=reach, stop=stop)
    if answer.outcome != "found" or answer.truncated or "answer" not in answer.columns:
        return None
    at = answer.columns.index("answer")
    names = list(dict.fromkeys(_shown(row[at]) for row in answer.rows))
    told = UNKNOWN["counted"][language].format(count=len(names), names=joined(names, language))
    return answer.model_copy(update={"sentence": told})


class _Unnamed(NotFound):
    def __init__(self, name: str, near: Sequence[str]) -> None:
        near_by = f"Did you mean {' or '.join(map(repr, near))}?" if near else "Ask 'graph.schema' for sample names."
        super().__init__(f"No node is named {name!r}. Expected a name or an id of the graph.", hint=near_by)
        self.name = name
        self.near = near


class _Asking:
    def __init__(self, graph: Graph, schema: GraphSchema, reach: Reach, asked: Ask, stop: Event | None) -> None:
        self._graph = graph
        self._schema = schema
        self._reach = reach
        self._limit = asked.limit
        self._language: Language = language_of(asked)
        self._stop = stop

    def template(self, match: Matched) -> Answer:
        """The answer of one template."""
        template = TEMPLATES.get(match.template)
        if template is None:
            raise InvalidInput(
                f"The template {match.template!r} is unknown. Expected one of {', '.join(map(repr, TEMPLATES))}.",
                hint="'graph.templates' lists them with their parameters.",
            )
        given = _valid(template, match.parameters)
        told: dict[str, JsonValue] = given.model_dump(mode="json", exclude_none=True)
        try:
            nodes = {name: self._nodes(str(told[name])) for name in template.names}
            plan = template.plan(given, Known(self._schema, _DEPTH, nodes))
        except Lacking as lacking:
            said = UNKNOWN["lacks"][self._language].format(what=LACKS[lacking.what][self._language])
            return Answer(outcome="cannot_answer", sentence=said, template=template.name, parameters=told)
        result = self._rows(plan.cypher, plan.values, self._limit)
        return Answer(
            outcome="found" if _says(result) else "nothing",
            sentence=_sentence(template, plan, result, self._language),
            columns=result.columns,
            rows=result.rows,
            truncated=result.truncated,
            template=template.name,
            parameters=told,
            cypher=plan.cypher,
            values=dict(plan.values),
            found=result.found,
        )

    def _nodes(self, name: str) -> Nodes:
        """The nodes of a name: as it stands, inflected, or the one node whose name holds it as whole words.

        Raises:
            NotFound: none, or several different names hold it.
        """
        low = name.lower()
        spellings = {low, *(low.removesuffix(end) for end in _ENDINGS if len(low) - len(end) > 3)}
        what, _, doing = low.rpartition(" ")
        if what and doing.endswith("en"):  # "die Hundesteuer anmelden" may be asked of the "Hundesteuer"
            spellings.add(what)
        rows = self._rows(_NAMED, {"name": name, "spellings": sorted(spellings)}, _MOST).rows
        exact = [row for row in rows if row[0] == name or str(row[2]).lower() == low] or rows
        if exact:
            return _together(exact)
        near: list[str] = []
        for spelt in sorted(spellings, key=len, reverse=True):
            values = {"name": f"{spelt} ", "listed": f"{spelt},", "tail": f" {spelt}", "inner": f" {spelt} "}
            held = self._rows(_HOLDING, values, _MOST).rows
            near += [found for found in dict.fromkeys(str(row[2]) for row in held) if found not in near]
            if len(near) == 1:
                return _together(held)
        if not near:
            # "Gewerbeanmeldung" may be "Gewerbe anmelden": one word, and another ending.
            starts = self._rows(_STARTING, {"start": low[:_START]}, _ALIKE).rows
            alike = [row for row in starts if _squashed(str(row[2])) == _squashed(low)]
            if alike and len({str(row[2]) for row in alike}) == 1:
                return _together(alike)
        raise _Unnamed(name, near[:_SHOWN])

    def _rows(self, cypher: str, values: Mapping[str, Any], limit: int) -> GraphResult:
        return self._graph.rows(checked(cypher), values, limit=limit, reach=self._reach, stop=self._stop)


def sentence_of(result: GraphResult, language: Language) -> str:
    """One sentence for the rows of any statement."""
    if not _says(result):
        return UNKNOWN["no_rows"][language]
    shown = [", ".join(filter(None, map(_shown, row))) for row in result.rows]
    return UNKNOWN["rows"][language].format(count=result.row_count, names=joined(shown, language, most=5))


def _unnamed(missing: _Unnamed, language: Language) -> str:
    said = UNKNOWN["unnamed"][language].format(name=missing.name)
    meant = UNKNOWN["meant"][language].format(names=" / ".join(missing.near)) if missing.near else ""
    return f"{said} {meant}".strip()


def _squashed(name: str) -> str:
    return stems("".join(filter(str.isalnum, name)), "de")[0] if any(map(str.isalnum, name)) else ""


def _valid(template: Template, parameters: Mapping[str, Any]) -> BaseModel:
    try:
        return template.parameters.model_validate(dict(parameters))
    except ValidationError as error:
        raise InvalidInput.of(error, template.parameters) from error


def _together(rows: Sequence[Sequence[JsonValue]]) -> Nodes:
    named = str(rows[0][2] or rows[0][0])
    same = [row for row in rows if row[2] == rows[0][2]]
    return Nodes(named, tuple(str(row[0]) for row in same), tuple(f"{row[1]} {row[0]}" for row in same))


def _says(result: GraphResult) -> bool:
    """Whether the rows say something: a count of nothing does not."""
    return bool(result.rows) and result.rows != [[0]]


def _sentence(template: Template, plan: Plan, result: GraphResult, language: Language) -> str:
    phrases = template.phrases
    if not _says(result):
        return phrases.nothing[language].format(**plan.words)
    rows = [dict(zip(result.columns, row, strict=True)) for row in result.rows]
    names = list(dict.fromkeys(_shown(row["answer"]) for row in rows if "answer" in row))
    words = {
        **plan.words,
        "names": joined(names, language),
        "count": str(rows[0].get("count", f"{len(names)}{'+' * result.truncated}")),
        "ranked": joined([f"{_shown(row.get('answer'))} ({row.get('edges')})" for row in rows], language),
        "edges": joined([_edge(row) for row in rows], language, most=5),
        "path": _path(rows[0].get("path")),
        "facts": " ".join(_facts(row.get("answer")) for row in rows[:3]),
    }
    return phrases.found[language].format(**words)


def _shown(value: JsonValue) -> str:
    match value:
        case {"name": str(name), "label": _}:
            return name
        case {"type": str(type)}:
            return type
        case {"nodes": list(), "edges": list()}:
            return _path(value)
        case None:
            return ""
        case _:
            return str(value)


def _edge(row: Mapping[str, JsonValue]) -> str:
    edge = row.get("edge")
    type, since = (edge.get("type"), edge.get("since")) if isinstance(edge, dict) else ("", "")
    return f"{_shown(row.get('source'))} {type} {_shown(row.get('target'))} ({since})"


def _path(value: JsonValue | None) -> str:
    """`Jonas Kettler –LEADS→ Bürgerbüro –LOCATED_IN→ Altstadt`."""
    match value:
        case {"nodes": list(nodes), "edges": list(edges)} if nodes:
            parts = [_shown(nodes[0])]
            for edge, before, after in zip(edges, nodes, nodes[1:], strict=False):
                if isinstance(edge, dict) and isinstance(before, dict):
                    along = edge.get("source") == before.get("id")
                    parts += [f"–{edge.get('type')}→" if along else f"←{edge.get('type')}–", _shown(after)]
            return " ".join(parts)
        case _:
            return ""


def _facts(value: JsonValue | None) -> str:
    match value:
        case {"name": str(name), "label": str(label), **rest}:
            told = [str(rest.pop("description", None) or "")]
            told += [f"{key}: {text}" for key, text in rest.items() if text and key != "id"]
            said = "; ".join(filter(None, told))
            return re.sub(r"\s+", " ", f"{name} ({label}): {said}." if said else f"{name} ({label}).")
        case _:
            return ""
