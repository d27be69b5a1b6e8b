"""Writes the numbers, dates and truths of a sheet as its reader sees them, in German or English."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from tools.language import Language

__all__ = ["Value", "looks", "shown"]

Value = str | float | bool | date | time | timedelta
"""Of a cell; a `datetime` is a `date`."""

_BUILT_IN = {
    2: "0.00",
    3: "#,##0",
    4: "#,##0.00",
    9: "0%",
    10: "0.00%",
    37: "#,##0",
    38: "#,##0",
    39: "#,##0.00",
    40: "#,##0.00",
    44: "#,##0.00 €",
}
_FORMAT = re.compile(rb"<(?:\w+:)?numFmt\s[^>]*>")
_USED = re.compile(rb"<(?:\w+:)?cellXfs\b.*?</(?:\w+:)?cellXfs>", re.DOTALL)
_STYLE = re.compile(rb"<(?:\w+:)?xf\s[^>]*>")
_ATTRIBUTE = re.compile(rb"""\s(numFmtId|formatCode)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_SYMBOL = re.compile(r"\[\$([^\]-]*)[^\]]*\]")
_QUIET = re.compile(r"\[[^\]]*\]|_.|\*.")
_LITERAL = re.compile(r'"([^"]*)"|\\(.)')
_DIGITS = re.compile(r"[#0?](?:[#0?,]*)(?:\.([#0?]*))?")


@dataclass(frozen=True, slots=True)
class Look:
    """How a number is shown."""

    decimals: int
    grouped: bool
    percent: bool
    before: str
    after: str


def looks(styles: bytes) -> list[Look | None]:
    """Looks by the number of the style, out of `xl/styles.xml`; null where a number is shown as it is."""
    codes = dict(_BUILT_IN)
    for found in _FORMAT.findall(styles):
        fields = {key: one or other for key, one, other in _ATTRIBUTE.findall(found)}
        if fields.get(b"numFmtId", b"").isdigit():
            codes[int(fields[b"numFmtId"])] = _unescaped(fields.get(b"formatCode", b"").decode("utf-8", "replace"))
    used = _USED.search(styles)
    numbers = [
        next((int(one or other) for key, one, other in _ATTRIBUTE.findall(xf) if key == b"numFmtId"), 0)
        for xf in (_STYLE.findall(used[0]) if used else ())
    ]
    return [_look(codes.get(number, "")) for number in numbers]


def shown(value: Value, language: Language, look: Look | None = None) -> str:
    """A value as text; dates are ISO 8601."""
    match value:
        case bool():
            return ("WAHR" if value else "FALSCH") if language == "de" else str(value).upper()
        case int() | float():
            return _number(value, language, look)
        case datetime():
            whole = value.time() == time()
            return value.date().isoformat() if whole else value.isoformat(" ", "seconds").removesuffix(":00")
        case date():
            return value.isoformat()
        case time():
            return value.isoformat("seconds").removesuffix(":00")
        case timedelta():
            minutes, seconds = divmod(round(value.total_seconds()), 60)
            return f"{minutes // 60}:{minutes % 60:02}" + (f":{seconds:02}" if seconds else "")
        case _:
            return value


def _number(value: float, language: Language, look: Look | None) -> str:
    if look is None or abs(value) > 1e15:
        text = str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:.10g}"
        return text.replace(".", ",") if language == "de" else text
    text = f"{value * 100 if look.percent else value:,.{look.decimals}f}"
    if not look.grouped:
        text = text.replace(",", "")
    if language == "de":
        text = text.translate(str.maketrans(",.", ".,"))
    return f"{look.before}{text}{look.after}".strip()


def _look(code: str) -> Look | None:
    plain = _QUIET.sub("", _SYMBOL.sub(r'"\1"', code.partition(";")[0]))
    found = _DIGITS.search(_LITERAL.sub(lambda one: "\x00" * len(one[0]), plain))
    if found is None or not re.search(r"[.,%]|[^#0?]", plain):
        return None

    def literal(text: str) -> str:
        return _LITERAL.sub(lambda one: one[1] or one[2] or "", text)

    after = literal(plain[found.end() :])
    if re.search(r"[dmyhsE@/]", _LITERAL.sub("", plain)):  # a date, a power or a fraction
        return None
    return Look(
        decimals=min(10, len(found[1] or "")),
        grouped="," in found[0],
        percent="%" in after,
        before=literal(plain[: found.start()]),
        after=after.replace("%", " %", 1) if after.startswith("%") else after,
    )


def _unescaped(text: str) -> str:
    for escape, char in (("&quot;", '"'), ("&lt;", "<"), ("&gt;", ">"), ("&apos;", "'"), ("&amp;", "&")):
        text = text.replace(escape, char)
    return text
