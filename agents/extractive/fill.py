"""Fills an output schema with quotes, and with values read from quotes; where nothing fits it leaves null."""

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from pydantic import JsonValue

from agents.extractive import schema as shape
from agents.extractive.properties import nearest
from agents.extractive.quoting import SHORT, Quoter
from agents.extractive.schema import Schema
from agents.extractive.values import denies, read
from tools.base import Citation, NoReliableSource

__all__ = ["fill"]

_FORMS = {"date": "date", "time": "time", "date-time": "date-time", "email": "email", "uri": "uri", "url": "uri"}
_DEEPEST = 12
_TRIED = 6
"""Sentences that a value is looked for in."""
_ANY = 1 << 30
"""Stands for no limit."""


class _Nothing:
    """No value fits."""


_NOTHING = _Nothing()


def fill(schema: Schema, quoter: Quoter) -> JsonValue:
    """A value of `schema`, made of quotes; what it rests on stands in `quoter.citations` afterwards.

    Raises:
        NoReliableSource: something the schema requires cannot be quoted.
    """
    value = _Filler(schema, quoter).fill(schema, name="", scope=quoter.everything, depth=0)
    if isinstance(value, _Nothing) or not quoter.citations:
        raise NoReliableSource("The sources hold nothing that fits what was asked for. Expected text to quote.")
    return value


class _Filler:
    def __init__(self, root: Schema, quoter: Quoter) -> None:
        self._root = root
        self._quoter = quoter

    def fill(self, schema: Schema, *, name: str, scope: Sequence[int], depth: int) -> JsonValue | _Nothing:
        for variant in shape.variants(schema, self._root) if depth < _DEEPEST else ():
            before = self._quoter.mark()
            value = self._variant(variant, name, scope, depth)
            if not isinstance(value, _Nothing):
                return value
            self._quoter.back_to(before)
        return None if shape.nullable(schema, self._root) else _NOTHING

    def _variant(self, schema: Schema, name: str, scope: Sequence[int], depth: int) -> JsonValue | _Nothing:
        choices = shape.constants(schema)
        if choices is not None:
            return self._choice(choices, shape.words(name, schema), scope)
        match shape.kind(schema):
            case "object":
                return self._object(schema, scope, depth)
            case "array":
                return self._array(schema, name, scope, depth)
            case "string":
                return self._string(schema, name, scope)
            case "integer" | "number":
                return self._number(schema, name, scope)
            case "boolean":
                return self._boolean(schema, name, scope)
            case _:
                return _NOTHING

    def _object(self, schema: Schema, scope: Sequence[int], depth: int) -> JsonValue | _Nothing:
        properties = {
            name: cast("Schema", part)
            for name, part in cast("Schema", schema.get("properties") or {}).items()
            if isinstance(part, Mapping)
        }
        required = set(shape.listed(schema.get("required")))
        made: dict[str, JsonValue] = {}
        begun, before = len(self._quoter.citations), self._quoter.mark()
        # Citations come last: they show what the other properties were made of. In an item of a list a heading comes
        # after the text it stands over.
        headed = depth > 0 and self._quoter.headed(scope)
        for name in sorted(properties, key=lambda name: self._turn(properties[name], headed=headed)):
            part = properties[name]
            listing = self._cites(part)
            if listing is None:
                short = self._turn(part, headed=headed) == 1
                over = (self._quoter.taken(scope, since=before) if short else None) or scope
                value = self.fill(part, name=name, scope=over, depth=depth + 1)
            else:
                value = self._citations(part, listing, self._quoter.citations[begun:])
            if isinstance(value, _Nothing) or (value is None and name not in required):
                if name not in required:
                    continue
                if "default" not in part:
                    return _NOTHING
                value = cast("JsonValue", part["default"])
            made[name] = value
        return {name: made[name] for name in properties if name in made}

    def _turn(self, schema: Schema, *, headed: bool) -> int:
        if self._cites(schema) is not None:
            return 2
        texts = [one for one in shape.variants(schema, self._root) if shape.kind(one) == "string"]
        return int(headed and any(self._longest(one) <= SHORT and "format" not in one for one in texts))

    def _cites(self, schema: Schema) -> bool | None:
        """Whether a property holds a list of citations (true) or one (false); None where it holds something else."""
        for variant in shape.variants(schema, self._root):
            items = variant.get("items")
            if isinstance(items, Mapping) and shape.citation_shaped(cast("Schema", items), self._root):
                return True
            if shape.citation_shaped(variant, self._root):
                return False
        return None

    def _citations(self, schema: Schema, listing: bool, made: Sequence[Citation]) -> JsonValue | _Nothing:
        found: list[JsonValue] = [citation.model_dump(mode="json") for citation in dict.fromkeys(made)]
        if listing:
            return found
        return found[0] if found else None if shape.nullable(schema, self._root) else _NOTHING

    def _array(self, schema: Schema, name: str, scope: Sequence[int], depth: int) -> JsonValue | _Nothing:
        items = schema.get("items")
        if not isinstance(items, Mapping):
            return _NOTHING
        item = shape.follow(cast("Schema", items), self._root)
        least, most = _limit(schema.get("minItems"), 0), _limit(schema.get("maxItems"), _ANY)
        wanted = min(max(least, self._quoter.parameters.items), most)
        made: list[JsonValue] = []
        for part in self._parts(item, scope, wanted):
            if len(made) >= wanted:
                break
            before = self._quoter.mark()
            value = self.fill(item, name=name, scope=part, depth=depth + 1)
            quoted = len(self._quoter.citations) > before[0]
            if isinstance(value, _Nothing) or value is None or not quoted or value in made:
                self._quoter.back_to(before)
            else:
                made.append(value)
        return made if len(made) >= least else _NOTHING

    def _parts(self, item: Schema, scope: Sequence[int], wanted: int) -> Iterable[Sequence[int]]:
        """For each item the sentences it may be made of: a document for an object, else all that is left."""
        variants = shape.variants(item, self._root)
        if any(shape.kind(variant) == "object" for variant in variants):
            return self._quoter.groups(scope)
        if any(shape.kind(variant) == "string" and "format" not in variant for variant in variants):
            return self._quoter.single(
                scope, wanted, longest=min((self._longest(variant) for variant in variants), default=0)
            )
        return [scope] * wanted

    def _longest(self, schema: Schema) -> int:
        return _limit(schema.get("maxLength"), _ANY)

    def _string(self, schema: Schema, name: str, scope: Sequence[int]) -> JsonValue | _Nothing:
        form = schema.get("format")
        if form in _FORMS:
            return self._value(_FORMS[str(form)], schema, name, scope)
        if "pattern" in schema or form is not None:
            return _NOTHING
        text = self._quoter.text(
            scope, longest=self._longest(schema), about=shape.words(name, {**schema, "description": ""})
        )
        return text if text and len(text) >= _limit(schema.get("minLength"), 0) else _NOTHING

    def _number(self, schema: Schema, name: str, scope: Sequence[int]) -> JsonValue | _Nothing:
        value = self._value("number", schema, name, scope)
        return int(value) if isinstance(value, float) and value.is_integer() else value

    def _value(self, form: str, schema: Schema, name: str, scope: Sequence[int]) -> JsonValue | _Nothing:
        # An address is known by its form; a number or a date only by what is said about it.
        known = form in ("email", "uri")
        found_in = self._quoter.about(_said(name, schema), scope, form=form, least=0.0 if known else 0.5)
        for index in found_in if known else found_in[:_TRIED]:
            sentence = self._quoter.sentences[index]
            found = [value for value in read(form, sentence.text, self._quoter.language) if _fits(value.value, schema)]
            for value in nearest(found, sentence.text, _said(name, schema), self._quoter.language):
                if self._quoter.take_value(index, value.start, value.end):
                    return value.value
        return _NOTHING

    def _boolean(self, schema: Schema, name: str, scope: Sequence[int]) -> JsonValue | _Nothing:
        for index in self._quoter.about(_said(name, schema), scope, least=0.6)[:_TRIED]:
            sentence = self._quoter.sentences[index]
            if sentence.tells and self._quoter.take_value(index, 0, len(sentence.text), shared=True):
                return not denies(sentence.text)
        return _NOTHING

    def _choice(self, choices: Sequence[object], said: str, scope: Sequence[int]) -> JsonValue | _Nothing:
        if len(choices) == 1:
            return cast("JsonValue", choices[0])
        named = {str(choice): shape.words(str(choice), {}) for choice in choices if isinstance(choice, str)}
        for index in self._quoter.about((said,), scope, least=0.0)[: 2 * _TRIED]:
            fitting = [choice for choice, words in named.items() if self._quoter.says(index, words)]
            if len(fitting) == 1 and self._quoter.take_value(index, 0, 0, shared=True):
                return fitting[0]
        return _NOTHING


def _said(name: str, schema: Schema) -> tuple[str, ...]:
    """Each thing a property says about itself."""
    return tuple(
        words
        for words in (
            shape.words(name, {}),
            shape.words("", {"title": schema.get("title")}),
            shape.words("", {"description": schema.get("description")}),
        )
        if words
    )


def _limit(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else otherwise


def _fits(value: str | float, schema: Schema) -> bool:
    if isinstance(value, str):
        return True
    if shape.kind(schema) == "integer" and not float(value).is_integer():
        return False
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    return (
        not (isinstance(low, int | float) and value < low)
        and not (isinstance(high, int | float) and value > high)
        and not (isinstance(above, int | float) and value <= above)
        and not (isinstance(below, int | float) and value >= below)
    )
