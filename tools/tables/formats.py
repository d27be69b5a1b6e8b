"""Numbers and dates as German and English readers write them."""

from datetime import date, datetime
from decimal import Decimal

from tools.language import Language

__all__ = ["number", "shown"]


def number(value: float | Decimal, language: Language, *, places: int | None = None) -> str:
    """1.234,5 or 1,234.5; at most `places` decimals, else as many as say something."""
    if places is None:
        size = abs(value)
        places = 0 if value == int(value) else 2 if size >= 1 else 4
    written = f"{value:,.{places}f}"
    if places and places != 2:
        written = written.rstrip("0").rstrip(".")
    return written.translate({44: ".", 46: ","}) if language == "de" else written


def shown(value: object, language: Language, *, year: bool = False) -> str:
    """A cell for readers; a `year` has no separators. NULL is a dash."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return {"de": ("nein", "ja"), "en": ("no", "yes")}[language][value]
    if isinstance(value, int | float | Decimal):
        return str(value) if year else number(value, language)
    text = str(value)
    try:
        moment = datetime.fromisoformat(text) if len(text) >= 10 and text[4] == text[7] == "-" else None
    except ValueError:
        return text
    if moment is None:
        return text
    day = date(moment.year, moment.month, moment.day)
    written = f"{day:%d.%m.%Y}" if language == "de" else f"{day.day} {day:%B %Y}"
    return f"{written}, {moment:%H:%M}" if len(text) > 10 else written
