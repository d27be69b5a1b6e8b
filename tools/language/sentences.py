"""Splits German and English text into sentences, headings, list items and table rows, with exact code-point offsets."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from tools.language.analysis import Language

__all__ = ["Span", "sentences"]


class Span(NamedTuple):
    """Half-open code-point offsets into the text that was split."""

    start: int
    end: int


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


# Written without their last full stop. What stands in _MAY_END ends a sentence where a word follows that starts one.
_ABBREVIATIONS = _words("""
abb abs abschn abt adj allg altgr anm art aufl ausg bd begr bes best betr bez bgbl bspw bzgl bzw ca chr co corp dergl
dgl dipl dir dr ebd ehem eigtl engl entspr erg evtl exkl fa fam ff fn forts fr franz frz frl geb gem gen gest ggf
griech habil hg hl hr hrn hrsg hs inc ing inkl insb int ital jap jg jh jhd kap kath kfm kfz lat lt ltd lfd max mdl med
mind mio mrd mr mrs ms mt mtl mwst mz nachf nat nr no nom obj od op orig österr pers pf phil pl pol priv prof prot rd
red ref reg röm russ sa sek sen sg skr sog sp span spec ssp st stellv std str subsp südl syn tab techn tel theol tsd ugs
ung urspr usf usw v var vgl vol vors vs wg wiss wz zit ztr zzgl zw
approx apr assn aug ave capt cf col dec dept ed eds eg esp est et feb fig figs gov hon hwy ie jan jr jul jun maj mar
messrs mfg mts natl nos nov oct okt dez pp rep rev sept sgt sq sr univ viz etc
""")
_MAY_END = _words("usw usf etc ff jr sr inc co corp ltd jh jhd std mio mrd tsd ca st str no gen am pm sa sp mt")
# Words of everyday prose that the list would swallow in one of the languages.
_PLAIN_WORDS: dict[Language, frozenset[str]] = {
    "de": _words("am gut max rot tag tat"),
    "en": _words("max no best art fr sp am int red pol wg ref reg mar span"),
}
_STARTERS: dict[Language, frozenset[str]] = {
    "de": _words("""
der die das dem den des ein eine einen einem einer es er sie wir ich ihr ihre sein seine man im in am an auf aus bei
mit nach von vom zu zum zur für unter über vor durch als wenn weil dass da dann dort hier dies diese dieser dieses auch
aber und oder doch so sowie damit dabei dazu daher jedoch bis seit während wer was wie wo wann warum nicht kein keine
alle viele einige beide laut trotz obwohl nachdem heute zudem außerdem
"""),
    "en": _words("""
the a an it he she we they i you this that these those in on at by for from with to of as if when while after before
since although but and or so there here his her its their our what who how why where not no all many some both however
then
"""),
}
_LETTERED = _words("vitamin klasse typ plan buchstabe gruppe teil punkt hepatitis class type group part")

_MARK = re.compile(
    r"""[ \t]*(?:
        (?P<heading>\#{1,6}[ \t]+|={2,}[ \t]*)
      | (?P<item>(?:[-*+•–·▪◦][ \t]+(?:\[[ xX]\][ \t]+)?|\(?[0-9]{1,3}[.)][ \t]+|\(?[a-z]\)[ \t]+))
      | (?P<row>\|)
      | (?P<quoted>(?:>[ \t]?)+)
      | (?P<fence>```|~~~)
    )?""",
    re.VERBOSE,
)
_RULE = re.compile(r"[ \t|:=\-*_+]*")
# The look back lets a run of stops be tried once only, not from each of its characters.
_STOP = re.compile(r"""(?<![.!?…])(?P<stop>[.!?…]+)(?P<close>["'»«“”‘’)\]*_]*)(?=\s)(?P<gap>\s+)""")
_WORD_BEFORE = re.compile(r"[^\W_]+(?:[.,][^\W_]+)*$")
_WORD_AFTER = re.compile(r"[^\W_]+")
_OPENING = "\"'„“‚‘»«”(*_[–—- "
_ENDS = re.compile(r"""[.!?…:;,]["'»«“”‘’)\]*_]*\s*$""")


def sentences(text: str, language: Language) -> list[Span]:
    """The sentences of `text` in order, without white space around them and without the marks of headings and lists.

    A heading, a list item's paragraph and a table row are units of their own: they never run into their neighbours.
    """
    found: list[Span] = []
    for start, end, prose in _blocks(text):
        if prose:
            found.extend(_split(text, start, end, language))
        elif span := _trim(text, start, end):
            found.append(span)
    return found


def _blocks(text: str) -> Iterator[tuple[int, int, bool]]:
    """Stretches that no sentence crosses: (start, end, whether it is prose that may hold several sentences)."""
    lines = list(_lines(text))
    widest = max((end - start for start, end in lines), default=0)
    open_at: int | None = None
    last = 0
    fenced = False
    for number, (start, end) in enumerate(lines):
        mark = _MARK.match(text, start, end)
        kind = mark.lastgroup if mark else None
        body = mark.end() if mark else start
        blank = _RULE.fullmatch(text, body if kind in ("row", "quoted") else start, end) is not None
        if kind == "fence":
            fenced = not fenced
        if open_at is not None and (blank or kind is not None):
            yield open_at, last, True
            open_at = None
        if blank or kind == "fence":
            continue
        if kind in ("heading", "row") or fenced:
            yield body, end, False
            continue
        if open_at is None:
            open_at = body
        last = end
        following = lines[number + 1] if number + 1 < len(lines) else None
        if following is not None and _stands_alone(text, start, end, following, widest):
            yield open_at, end, True
            open_at = None
    if open_at is not None:
        yield open_at, last, True


def _lines(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield start, end
        start = end + 1


def _stands_alone(text: str, start: int, end: int, following: tuple[int, int], widest: int) -> bool:
    """A short line without an end mark before a line that starts anew: a heading that carries no mark."""
    if end - start > min(80, 0.6 * widest) or _ENDS.search(text, start, end):
        return False
    first = text[following[0] : following[1]].lstrip(_OPENING)[:1]
    return first.isupper() or first.isdigit()


def _split(text: str, start: int, end: int, language: Language) -> Iterator[Span]:
    at = start
    for stop in _STOP.finditer(text, start, end):
        if stop.end() >= end or not _is_boundary(text, at, stop, end, language):
            continue
        if span := _trim(text, at, stop.start("gap")):
            yield span
        at = stop.end()
    if span := _trim(text, at, end):
        yield span


def _is_boundary(text: str, at: int, stop: re.Match[str], end: int, language: Language) -> bool:
    after = stop.end()
    while after < end and text[after] in _OPENING:
        after += 1
    if after >= end:
        return False
    first = text[after]
    if first.islower():
        return False
    if stop["stop"] != "." or any(mark in stop["close"] for mark in '"»“”)]'):
        return not _in_brackets(text, at, stop.start(), end) or ")" in stop["close"]
    before = _WORD_BEFORE.search(text, max(at, stop.start() - 40), stop.start())
    following = _WORD_AFTER.match(text, after, end)
    starts_anew = following is not None and following.group().casefold() in _STARTERS[language]
    if before is not None and _joins(text, before, starts_anew, first.isdigit(), language):
        return False
    return not _in_brackets(text, at, stop.start(), end)


def _joins(text: str, before: re.Match[str], starts_anew: bool, digit_follows: bool, language: Language) -> bool:
    """Whether the full stop after the word `before` belongs to it and the sentence goes on."""
    word = before.group()
    folded = word.rsplit(".", 1)[-1].casefold()
    if word.isdigit():
        # "am 3. Mai", "das 19. Jahrhundert": an ordinal goes on, unless a word follows that starts a sentence.
        return language == "de" and len(word) <= 2 and not starts_anew
    if len(folded) == 1 and folded.isalpha():
        previous = text[max(0, before.start() - 20) : before.start()].split()
        lettered = bool(previous) and previous[-1].casefold() in _LETTERED
        return not (lettered or ("." in word and starts_anew))
    if word.isupper() and not set(word) - set("IVXLC"):
        return not starts_anew and not digit_follows and len(word) <= 5
    if folded in _PLAIN_WORDS[language]:
        return False
    return folded in _ABBREVIATIONS and not (folded in _MAY_END and starts_anew)


def _in_brackets(text: str, at: int, stop: int, end: int) -> bool:
    """Whether `stop` lies within a short bracket: the sentence around it is one."""
    opened = text.rfind("(", max(at, stop - 160), stop)
    if opened < 0 or text.find(")", opened, stop) >= 0:
        return False
    closed = text.find(")", stop, min(end, opened + 160))
    return closed >= 0


def _trim(text: str, start: int, end: int) -> Span | None:
    """Without white space, table pipes, heading marks and emphasis around the whole; None where nothing is left."""
    while start < end and (text[start].isspace() or text[start] == "|"):
        start += 1
    while end > start and (text[end - 1].isspace() or text[end - 1] in "|#"):
        end -= 1
    if text.startswith("==", end - 2) and text.find("\n", start, end) < 0:
        while end - start > 1 and text.startswith("==", end - 2):
            end -= 2
    for mark in ("**", "__", "*"):
        size = len(mark)
        inner = text[start + size : end - size]
        if (
            end - start > 2 * size
            and text.startswith(mark, start)
            and text.endswith(mark, start, end)
            and mark not in inner
        ):
            start, end = start + size, end - size
    if not any(letter.isalnum() for letter in text[start:end]):
        return None
    while end > start and text[end - 1].isspace():
        end -= 1
    return Span(start, end)
