"""The names of months and weekdays, as German and English write them."""

from collections.abc import Mapping
from typing import Final

from tools.language.analysis import Language

__all__ = ["MONTHS", "WEEKDAYS"]

_GERMAN_MONTHS = "Januar Februar März April Mai Juni Juli August September Oktober November Dezember"
_ENGLISH_MONTHS = "January February March April May June July August September October November December"

MONTHS: Final[Mapping[Language, tuple[str, ...]]] = {
    "de": tuple(_GERMAN_MONTHS.split()),
    "en": tuple(_ENGLISH_MONTHS.split()),
}
"""January first."""
WEEKDAYS: Final[Mapping[Language, tuple[str, ...]]] = {
    "de": tuple("Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag".split()),
    "en": tuple("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()),
}
"""Monday first."""
