"""Finds what the words of a question may mean in the caller's tables: a table, a column, a value that stands in one."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from tools.tables import ColumnInfo, TableInfo
from tools.tables.catalog import Catalog, Key, kind_of, literal, quoted
from tools.tables.words import HARD, Word, alike, concept, empty, likeness, parts

__all__ = ["Link", "Rows", "keys", "links", "namesake", "value_queries"]

Rows = Callable[[str], Sequence[Sequence[object]]]
"""Runs one SELECT as the caller and returns its rows."""

_LONGEST = 6
"""Words that may mean one thing together."""
_QUERY = 4_500
"""Characters of one statement that looks for values."""
_VALUES = 200
"""Values of one column that are looked at closer."""
_ALIKE = 0.85
"""How well a word fits that only means the same."""
_COMMON = frozenset(
    (
        "id name year month day date time text value unit type count description title status number kind homepage url link "
        "email phone address comment note"
    ).split()
)
"""Columns that many tables have without meaning the same things."""


@dataclass(frozen=True, slots=True)
class Link:
    """The words `start` to `end` (exclusive) and one thing they may mean."""

    start: int
    end: int
    kind: str
    """table, column, value."""
    table: str
    score: float
    column: str | None = None
    values: tuple[str, ...] = ()
    whole: bool = True
    """Of a value: the words are the value, not a part of it."""


def keys(tables: Sequence[TableInfo]) -> Iterator[Key]:
    """Pairs of columns that hold the same things, where the values of one of the two are unique: those the catalog
    declares, those of one name, and `restaurant_id` beside the `id` of the table restaurant."""
    columns = [(table, column) for table in tables for column in table.columns]
    for table, column in columns:
        for other, key in columns:
            if table.name == other.name or kind_of(column.type) != kind_of(key.type) or not _unique(other, key):
                continue
            named = column.name == key.name and column.name not in _COMMON
            stem = other.name.removesuffix("s")
            pointing = key.name in ("id", f"{stem}_id", f"{stem}id") and column.name in (f"{stem}_id", f"{stem}id")
            if f"{other.name}.{key.name}" in column.references or named or pointing:
                yield Key(table.name, column.name, other.name, key.name, one=True)
                if not (named and _unique(table, column)):
                    yield Key(other.name, key.name, table.name, column.name, one=False)


def _unique(table: TableInfo, column: ColumnInfo) -> bool:
    return column.distinct is not None and column.distinct == table.rows > 0 and not column.nulls


def links(question: Sequence[Word], catalog: Catalog, found: Iterable[tuple[str, str, str]]) -> list[Link]:
    """Everything that stretches of the question may mean; `found` are values with their table and column."""
    made: list[Link] = []
    values = [(table, column, value, _value_words(value)) for table, column, value in found]
    for start in range(len(question)):
        for end in range(start + 1, min(start + _LONGEST, len(question)) + 1):
            span = question[start:end]
            made += _values(span, start, end, values)
            if any(word.kind not in ("word",) for word in span) or all(empty(word) for word in span):
                continue
            if empty(span[0]) or empty(span[-1]):
                continue
            for table in catalog.tables.values():
                if score := _table_score(span, table):
                    made.append(Link(start, end, "table", table.name, score))
                for column in table.columns:
                    if score := _column_score(span, column, table):
                        made.append(Link(start, end, "column", table.name, score, column.name))
    # A word that names a table or a column is not one that only stands in some value ("city" in "Mexico City").
    named = {(link.start, link.end) for link in made if link.kind != "value" and link.score >= 0.9}
    return [link for link in made if link.whole or (link.start, link.end) not in named]


def namesake(link: Link, links: Iterable[Link], figures: Sequence[ColumnInfo]) -> bool:
    """Whether a table's one figure has the table's name: "wie viele Einwohner" asks for it, not for rows."""
    same = {
        other.kind
        for other in links
        if (other.start, other.end, other.table) == (link.start, link.end, link.table)
        and (other.kind == "table" or (len(figures) == 1 and other.column == figures[0].name))
        and other.score >= 0.9
    }
    return same >= {"table", "column"}


def _table_score(span: Sequence[Word], table: TableInfo) -> float:
    names = [parts(table.name)] + ([parts(table.title)] if table.title else [])
    best = max((_same(span, name) for name in names), default=0.0)
    # Only alike in meaning ("kosten" and the table fees): a column that is so, too, is meant rather.
    return best if best != _ALIKE else 0.74


def _column_score(span: Sequence[Word], column: ColumnInfo, table: TableInfo) -> float:
    best = 0.0
    for name in {parts(column.name), parts(column.header)}:
        best = max(best, _same(span, name))
        rest = tuple(part for part in name if part not in ("name", "id", "nr", "number"))
        if rest and len(rest) < len(name):
            best = max(best, 0.93 * _same(span, rest))
        # One word of several ("density" of population_density), the last one saying most.
        if len(span) == 1 and len(name) > 1:
            each = [likeness(span[0].folded, part) for part in name]
            best = max(best, 0.85 * each[-1], 0.7 * max(each[:-1], default=0.0) if not rest or len(rest) > 1 else 0.0)
            if concept(span[0].folded) & {meaning for part in rest for meaning in concept(part)}:
                best = max(best, 0.8)
        own = _stripped(name, table)
        if own != name:
            best = max(best, 0.95 * _same(span, own))
    if best < 0.6 and len(span) == 1 and column.description and len(span[0].folded) > 3:
        described = [likeness(span[0].folded, word) for word in parts(column.description)]
        best = max(best, 0.6 * max(described, default=0.0))
    return best if best >= 0.55 else 0.0


def _stripped(name: tuple[str, ...], table: TableInfo) -> tuple[str, ...]:
    """`mountain_altitude` of the table mountain is its altitude."""
    rest = tuple(part for part in name if not any(likeness(part, own) >= 0.9 for own in parts(table.name)))
    return rest or name


def _same(span: Sequence[Word], name: Sequence[str]) -> float:
    """How well all words of the span are all words of the name: by form, or by what they mean."""
    spoken = [word.folded for word in span if not empty(word)]
    joined = likeness("".join(spoken), "".join(name))
    # Of as many words each is looked at below; of more or fewer none may be swallowed ("Einwohner hat Ost").
    if joined >= (0.7 if len(spoken) == len(name) else 0.9):
        return joined
    if len(spoken) != len(name):
        return 0.0
    each = [
        max(likeness(word, part), _ALIKE if concept(word) & concept(part) else 0.0)
        for word, part in zip(spoken, name, strict=True)
    ]
    return sum(each) / len(each) if all(score >= 0.7 for score in each) else 0.0


def _value_words(value: str) -> list[str]:
    return [word.lower().replace("-", "") for word in re.findall(r"[^\W_]+(?:-[^\W_]+)*", value)]


def _values(
    span: Sequence[Word], start: int, end: int, values: Sequence[tuple[str, str, str, list[str]]]
) -> Iterator[Link]:
    """Values that the span names whole, else those in which it stands as words."""
    quoted_one = len(span) == 1 and span[0].kind == "quoted"
    if not quoted_one and (any(word.kind == "sign" for word in span) or (empty(span[0]) and len(span) == 1)):
        return
    # "unter 24 Jahren" may be a limit: it is a value where one is just so.
    hard = not quoted_one and any(word.folded in HARD for word in span)
    if hard and len(span) == 1:
        return
    spoken = _value_words(span[0].text) if quoted_one else [word.folded for word in span]
    if not spoken:
        return
    partly: dict[tuple[str, str], list[tuple[float, str]]] = {}
    for table, column, value, held in values:
        score = _value_score(spoken, held) if not hard else float(spoken == held)
        if score >= 0.9:
            yield Link(start, end, "value", table, min(1.0, score + 0.02 * len(spoken)), column, (value,))
        elif (
            score
            and any(word.kind != "number" for word in span)
            and (quoted_one or not (empty(span[0]) or empty(span[-1])))
        ):
            partly.setdefault((table, column), []).append((score, value))
    for (table, column), several in partly.items():
        best = max(score for score, _ in several)
        kept = tuple(value for score, value in several if score >= best - 0.05)[:50]
        yield Link(start, end, "value", table, best, column, kept, whole=False)


def _value_score(spoken: Sequence[str], held: Sequence[str]) -> float:
    one, other = "".join(spoken), "".join(held)
    whole = likeness(one, other)
    if whole >= 0.8:
        return whole
    if len(spoken) == len(held) == 1 and len(one) > 3 and concept(one) & concept(other):
        return 0.9
    if len(spoken) == len(held):
        each = [likeness(word, part) for word, part in zip(spoken, held, strict=True)]
        if min(each) >= 0.8:
            return sum(each) / len(each)
    # The words stand in the value beside each other, or a value's word ends with the one that was said.
    for at in range(len(held) - len(spoken) + 1):
        if all(likeness(word, part) >= 0.95 for word, part in zip(spoken, held[at:], strict=False)):
            return 0.7 + 0.15 * len(one) / len(other)
    if len(spoken) == 1 and len(one) >= 5 and any(part.endswith(one) for part in held):
        return 0.6
    return 0.0


def value_queries(question: Sequence[Word], catalog: Catalog) -> Iterator[str]:
    """The statements that fetch values which the question may name, as rows of table, column and value."""
    beginnings = sorted({piece for word in question for piece in _beginnings(word)})
    if not beginnings:
        return
    pattern = literal("|".join(re.escape(piece) for piece in beginnings[:60]))
    waiting: list[str] = []
    for table in catalog.tables.values():
        for column in table.columns:
            if kind_of(column.type) != "text":
                continue
            name = quoted(column.name)
            select = (
                f"(SELECT {literal(table.name)} AS t, {literal(column.name)} AS c, {name} AS v FROM {quoted(table.name)} "
                f"WHERE length({name}) <= 80 AND regexp_matches(replace(lower({name}), '-', ''), {pattern}) GROUP BY {name} "
                f"ORDER BY length({name}), {name} LIMIT {_VALUES})"
            )
            if waiting and sum(map(len, waiting)) + len(select) + 11 * len(waiting) > _QUERY:
                yield " UNION ALL ".join(waiting)
                waiting = []
            waiting.append(select)
    if waiting:
        yield " UNION ALL ".join(waiting)


def _beginnings(word: Word) -> Iterator[str]:
    """What a value must hold to be fetched for this word: its first letters, so that other forms are found, too."""
    if word.kind == "quoted":
        yield from (piece[: max(4, len(piece) - 3)] for piece in _value_words(word.text))
    elif word.kind == "word" and not empty(word):
        text = word.folded
        yield text if len(text) <= 4 else text[: max(4, min(len(text) - 3, 8))]
        yield from (other[: max(4, min(len(other) - 3, 8))] for other in sorted(alike(text)) if len(other) > 4)
    elif word.kind == "number":
        yield word.text
