"""Takes the marks out of Markdown so that a voice reads the words and pauses where the page breaks."""

import re

__all__ = ["paragraphs"]

_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n]*\n.*?(?:^[ \t]*\1[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,300}>")
_AUTOLINK = re.compile(r"<((?:https?://|mailto:)[^\s<>]{1,500})>")
_IMAGE = re.compile(r"!\[([^\[\]]{0,500})\]\([^()\s]{0,1000}(?:\s+\"[^\"]{0,200}\")?\)")
_LINK = re.compile(r"\[([^\[\]]{1,500})\]\((?:[^()\s]|\([^()\s]*\)){0,1000}(?:\s+\"[^\"]{0,200}\")?\)")
_REFERENCE = re.compile(r"\[([^\[\]]{1,500})\]\[[^\[\]]{0,100}\]")
_DEFINITION = re.compile(r"^[ ]{0,3}\[[^\[\]]{1,100}\]:[^\n]*$", re.MULTILINE)
_FOOTNOTE = re.compile(r"\[\^?\d{1,3}(?:\s*[,–-]\s*\d{1,3})*\]|\[\^[^\[\]\s]{1,40}\]")
_STRONG = re.compile(r"(?<![\w*_~])(\*{1,3}|_{2,3}|~~)(?=\S)([^*_~\n]{1,1000}?)(?<=\S)\1")
_UNDERLINE = re.compile(r"(?<!\w)_(?=\S)([^_\n]{1,1000}?)(?<=\S)_(?!\w)")
_CODE = re.compile(r"`{1,3}([^`\n]{1,1000})`{1,3}")
_HEADING = re.compile(r"^[ ]{0,3}#{1,6}[ \t]+")
_SETEXT = re.compile(r"^[ ]{0,3}(?:=+|-{2,})[ \t]*$")
_RULE = re.compile(r"^[ ]{0,3}(?:[-*_][ \t]*){3,}$")
_ITEM = re.compile(r"^[ \t]*(?:[-*+•‣▪]|\d{1,3}[.)](?=[ \t]+\S))[ \t]+(?:\[[ xX]\][ \t]+)?")
_QUOTE = re.compile(r"^[ \t]*(?:>[ \t]?)+")
_TABLE_RULE = re.compile(r"^[ \t]*\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-{2,}:?[ \t]*)*\|?[ \t]*$")
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(?:[A-Za-z_][\w-]*:[^\n]*\n|[ \t-][^\n]*\n)*---[ \t]*(?:\n|\Z)")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff\x00-\x08\x0b-\x1f\x7f-\x9f]")
_BLANKS = re.compile(r"[ \t]{2,}")
_SPACES = re.compile(r"[ \t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
_ENDS = (".", "!", "?", ":", ";", "…", ",")


def paragraphs(text: str) -> list[str]:
    """The text without marks, one string a paragraph; headings, list items and table rows are sentences."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n\n")
    text = _INVISIBLE.sub("", text)
    text = _COMMENT.sub("", _FENCE.sub("", _FRONT_MATTER.sub("", text)))
    text = _TAG.sub(" ", _AUTOLINK.sub(r"\1", _DEFINITION.sub("", text)))
    found: list[str] = []
    current: list[str] = []
    listing = False

    def finish() -> None:
        if current:
            current[-1] = _sentence(current[-1])

    def close() -> None:
        if listing:
            finish()
        if current:
            found.append(" ".join(current))
            current.clear()

    for raw in text.split("\n"):
        # Blanks are closed first: some patterns try each of a long run of them.
        line = _BLANKS.sub(" ", _QUOTE.sub("", raw)).strip()
        if "|" in line and _TABLE_RULE.match(line):
            continue
        if not line or _RULE.match(line) or _SETEXT.match(line):
            if line:
                finish()  # a rule under a line makes a heading of it
            close()
            listing = False
        elif heading := _HEADING.match(line):
            close()
            found.append(_sentence(_inline(line[heading.end() :].rstrip(" \t#"))))
            listing = False
        elif line.startswith("|") or line.count("|") >= 2:
            finish()
            cells = [_inline(cell) for cell in line.strip("|").split("|")]
            current.append(_sentence(", ".join(cell for cell in cells if cell)))
        elif item := _ITEM.match(line):
            finish()
            current.append(_inline(line[item.end() :]))
            listing = True
        else:
            current.append(_inline(line))
    close()
    cleaned = (_SPACES.sub(" ", part).strip() for part in found)
    return [part for part in cleaned if any(char.isalnum() for char in part)]


def _inline(line: str) -> str:
    """One line without links, emphasis, code marks and footnote numbers."""
    line = _IMAGE.sub(r"\1", line)
    line = _REFERENCE.sub(r"\1", _LINK.sub(r"\1", line))
    line = _FOOTNOTE.sub("", line)
    line = _CODE.sub(r"\1", line)
    for _ in range(3):
        line = _UNDERLINE.sub(r"\1", _STRONG.sub(r"\2", line))
    line = re.sub(r"\\([\\`*_{}\[\]()#+.!|~>-])", r"\1", line)
    return _SPACES.sub(" ", line).strip()


def _sentence(text: str) -> str:
    """With an end mark, so that the voice falls and pauses."""
    return text if not text or text.endswith(_ENDS) else f"{text}."
