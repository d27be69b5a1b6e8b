"""Decides whether a Cypher statement may run: one statement, reading clauses and known functions only.

The engine tells no statement's kind and its read-only mode still reads and writes files, so the text itself is judged
here, strictly: outside of quotes only plain ASCII, no comment, no ';'. It is the first of three walls; the others are
the read-only store and the locked child process.
"""

import difflib
import re
from collections.abc import Iterator

from tools.base.errors import Refused

__all__ = ["checked"]

_TOKEN = re.compile(
    r"""(?P<text>'[^']*'|"[^"]*")
      | (?P<name>`[^`]*`)
      | (?P<comment>//|/\*|\*/|\#)
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<open>['"`])
      | (?P<other>[ -~\r\n\t])""",
    re.VERBOSE,
)
_FIRST = frozenset({"MATCH", "OPTIONAL", "UNWIND", "WITH", "RETURN"})
_REFUSED = frozenset({
    "ADD", "ALTER", "ANALYZE", "ATTACH", "BEGIN", "CALL", "CHECKPOINT", "COMMENT", "COMMIT", "COPY", "CREATE", "DELETE",
    "DETACH", "DROP", "EXPLAIN", "EXPORT", "EXTENSION", "FOREACH", "FORCE", "IMPORT", "INSERT", "INSTALL", "LOAD",
    "MACRO", "MERGE", "PROFILE", "PROJECT", "REMOVE", "RENAME", "REPLACE", "ROLLBACK", "SEQUENCE", "SET", "TRANSACTION",
    "TRUNCATE", "UNINSTALL", "UPDATE", "USE",
})  # fmt: skip
_FUNCTIONS = frozenset({
    "abs", "acos", "all", "any", "asin", "atan", "atan2", "avg", "cast", "cbrt", "ceil", "ceiling", "century",
    "coalesce", "collect", "concat", "concat_ws", "contains", "cos", "cot", "cost", "count", "current_date",
    "current_timestamp", "date", "date_part", "date_trunc", "datepart", "datetrunc", "dayname", "degrees", "element_at",
    "ends_with", "even", "exists", "floor", "greatest", "id", "ifnull", "initcap", "interval", "is_acyclic", "is_trail",
    "keys", "label", "labels", "last_day", "lcase", "least", "left", "length", "levenshtein", "list_any_value",
    "list_append", "list_cat", "list_concat", "list_contains", "list_distinct", "list_element", "list_extract",
    "list_filter", "list_has", "list_has_all", "list_has_any", "list_indexof", "list_max", "list_min", "list_position",
    "list_reverse", "list_slice", "list_sort", "list_sum", "list_to_string", "list_transform", "list_unique", "ln",
    "log", "log10", "log2", "lower", "lpad", "ltrim", "make_date", "map", "map_extract", "map_keys", "map_values",
    "max", "min", "monthname", "nodes", "none", "nullif", "octet_length", "offset", "percentilecont", "percentiledisc",
    "pi", "pow", "prefix", "properties", "radians", "range", "regexp_extract", "regexp_extract_all",
    "regexp_full_match", "regexp_matches", "regexp_replace", "relationships", "rels", "repeat", "reverse", "right",
    "round", "rpad", "rtrim", "sign", "sin", "single", "size", "split_part", "sqrt", "starts_with", "string",
    "string_split", "substr", "substring", "suffix", "sum", "tan", "timestamp", "to_date", "to_double", "to_int64",
    "to_string", "tolower", "toupper", "trim", "typeof", "ucase", "upper",
})  # fmt: skip
# Words that may stand before a bracket without being a function's name.
_BEFORE_BRACKET = frozenset({
    "and", "as", "asc", "by", "case", "contains", "desc", "distinct", "else", "end", "ends", "exists", "in", "is",
    "limit", "match", "not", "null", "optional", "or", "order", "return", "shortest", "skip", "starts", "then", "trail",
    "union", "unwind", "when", "where", "with", "xor", "acyclic", "wshortest",
})  # fmt: skip
# As a condition on nodes of several labels it lets through rows that do not fit, in its last release (0.11.3).
_WRONG_IN_KUZU = frozenset({"in", "list_contains", "list_has"})
_QUANTIFIERS = frozenset({"any", "all", "none", "single"})
_EXPECTED = "Expected one statement of MATCH, OPTIONAL MATCH, WHERE, WITH, UNWIND, RETURN, ORDER BY, SKIP and LIMIT."


def checked(cypher: str, *, engine: str = "ladybug") -> str:
    """The statement as it may be sent to this engine, without a closing ';'.

    Raises:
        Refused: it is not one plain reading statement; the message names the part.
    """
    statement = cypher.strip().removesuffix(";").rstrip()
    words = list(_words(statement))
    if not words or words[0][0].upper() not in _FIRST:
        start = words[0][0] if words else statement[:20]
        raise _refused(f"it starts with {start!r}", "Start with MATCH.")
    for number, (word, called) in enumerate(words):
        if word.upper() in _REFUSED:
            raise _refused(
                f"it contains {word!r}",
                f"Leave it out; where it is a name, write it in backquotes: `{word}`.",
            )
        quantified = number > 1 and words[number - 2][0].lower() in _QUANTIFIERS
        if engine == "kuzu" and word.lower() in _WRONG_IN_KUZU and not quantified:
            raise _refused(
                f"it contains {word!r}, with which Kuzu finds other rows than were asked for",
                "Write any(x IN list WHERE x = value), or UNWIND the list.",
            )
        if called and word.lower() not in _FUNCTIONS | _BEFORE_BRACKET:
            near = difflib.get_close_matches(word.lower(), _FUNCTIONS, n=1, cutoff=0.6)
            hint = f"Did you mean {near[0]!r}?" if near else "Use another function."
            raise _refused(f"it calls {word!r}, which is not a function queries may use", hint)
    return statement


def _words(statement: str) -> Iterator[tuple[str, bool]]:
    """The words outside of quotes, each with whether a bracket follows it."""
    position = 0
    while position < len(statement):
        token = _TOKEN.match(statement, position)
        if token is None:
            raise _refused(
                f"it contains the character {statement[position]!r} outside of quotes",
                "Pass texts as parameters ($name), and write names with it in backquotes.",
            )
        position = token.end()
        value = token[0]
        match token.lastgroup:
            case "comment":
                raise _refused(f"it contains a comment ({value.strip()!r})", "Leave comments out.")
            case "open":
                raise _refused(f"the quote {value} is not closed", "Close it, or pass the text as a parameter ($name).")
            case "text" if "\\" in value:
                # Where an escape ends a text differs between engines: what looks like text here could be a clause there.
                raise _refused("a text contains a backslash", "Pass that text as a parameter ($name).")
            case "name" | "other" if "\\" in value:
                # Cypher knows \u0053 for S; whoever turned it into one would meet a word that was not read here.
                raise _refused("it contains a backslash", "Pass texts as parameters ($name).")
            case "name" if statement[position:].lstrip().startswith("("):
                raise _refused(f"it calls {value}, a quoted name", "Write functions without backquotes.")
            case "other" if value == ";":
                raise _refused("it contains ';', so it is more than one statement", "Send one statement at a time.")
            case "word":
                rest = statement[position:].lstrip()
                yield value, rest.startswith("(")
            case _:
                pass


def _refused(reason: str, hint: str) -> Refused:
    return Refused(f"The Cypher was refused: {reason}. {_EXPECTED}", hint=hint)
