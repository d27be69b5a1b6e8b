"""Reads a file by its ending: one document, the records of a collection, or what lies in a container."""

from collections.abc import Iterator
from dataclasses import replace

from tools.knowledge.formats import Extract, Limits, Skip, Unreadable, kind_of, spoken
from tools.knowledge.packed import Budget

__all__ = ["read"]

_NESTED = 2  # containers that a document may lie in, beside the file itself


def read(
    name: str, data: bytes, limits: Limits, *, budget: Budget | None = None, depth: int = 0
) -> Iterator[Extract | Skip]:
    """The documents in `data`, each with some text.

    Args:
        name: of the file; its ending says what it is.
        budget: what containers in it may unpack to.
        depth: containers around it.

    Raises:
        Unreadable: it is empty, too large as text, damaged, of no known kind, or lies too deep.
    """
    kind = kind_of(name)[0]
    if not data.strip(b"\0 \t\r\n\xef\xbb\xbf"):
        raise Unreadable("The file is empty. Expected text in it.")
    if kind not in ("mail", "zip"):
        for found in _documents(kind, data, limits):
            if isinstance(found, Extract):
                if len(found.text) > limits.text_chars:
                    raise Unreadable(f"The text has more than {limits.text_chars:,} code points. Split the file.")
                if not found.text.strip():
                    raise Unreadable("No text was found in the file. A scanned document needs text recognition first.")
                if kind == "sheets" and not found.title:  # sheets are called 'Tabelle1'
                    found = replace(found, title=spoken(name))
            yield found
        return
    if depth > _NESTED:
        raise Unreadable(f"It lies in {depth} containers. Expected at most {_NESTED}: unpack them first.")
    budget = budget or Budget.of(limits)

    def inner(path: str, content: bytes) -> Iterator[Extract | Skip]:
        nested = kind_of(path)
        share = Budget(left=budget.left // 2, member=budget.member)  # so that a bomb in it fails alone
        before = share.left
        try:
            for found in read(path, content, limits, budget=share, depth=depth + 1):
                if isinstance(found, Skip):
                    yield Skip(f"{path}/{found.place}", found.reason)
                else:
                    record = f"{path}/{found.record}" if found.record else path
                    yield replace(found, record=record, media_type=found.media_type or nested[1])
        finally:
            budget.left -= before - share.left

    if kind == "zip":
        from tools.knowledge.archive import read_zip

        inside = read_zip(data, budget, inner)
    else:
        from tools.knowledge.mail import read_mail

        inside = read_mail(data, budget, inner)
    lost: Skip | None = None
    empty = True
    for found in inside:
        empty = empty and isinstance(found, Skip)
        lost = lost or (found if isinstance(found, Skip) else None)
        yield found
    if empty:
        why = f" {lost.place!r}: {lost.reason}" if lost and not depth else ""  # further in, it has been told already
        raise Unreadable(f"Nothing in it could be read.{why}")


def _documents(kind: str, data: bytes, limits: Limits) -> Iterator[Extract | Skip]:
    # The parsers are imported when the first file needs them: a reader starts in the time of the standard library.
    match kind:
        case "text":
            from tools.knowledge.plain import read_text

            yield read_text(data)
        case "markdown":
            from tools.knowledge.plain import read_markdown

            yield read_markdown(data)
        case "csv":
            from tools.knowledge.plain import read_csv

            yield read_csv(data, limits)
        case "html":
            from tools.knowledge.web import read_html

            yield read_html(data)
        case "pdf":
            from tools.knowledge.paper import read_pdf

            yield from read_pdf(data, limits)
        case "docx":
            from tools.knowledge.word import read_docx

            yield read_docx(data, limits)
        case "sheets":
            from tools.knowledge.sheets import read_sheets

            yield read_sheets(data, limits)
        case "slides":
            from tools.knowledge.slides import read_pptx

            yield read_pptx(data, limits)
        case "lines":
            from tools.knowledge.records import read_lines

            yield from read_lines(data)
        case _:
            from tools.knowledge.records import read_list

            yield from read_list(data)
