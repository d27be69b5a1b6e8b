"""Files that are made to harm whoever reads them; small, and made on the spot."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from email.message import EmailMessage

import docx
import pptx
from knowledge_files import packed, raw_pdf, workbook

__all__ = [
    "bomb",
    "changed",
    "crowd",
    "deep_mail",
    "endless_pages",
    "encrypted",
    "far_cells",
    "huge_picture",
    "laughing",
    "linked",
    "looping_pages",
    "lying_bomb",
    "many_parts",
    "named",
    "office",
    "overlapping",
    "repeating",
]

LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    + "]><x>&j;</x>"
)


def bomb(size: int = 5_000_000) -> bytes:
    """Blanks that pack to a thousandth."""
    return packed({"bombe.txt": b" " * size})


def lying_bomb() -> bytes:
    """A bomb whose headers claim that it unpacks to 100 bytes."""
    data = bomb()
    return data.replace(struct.pack("<I", 5_000_000), struct.pack("<I", 100))


def named(name: str) -> bytes:
    """An archive with one text of this name."""
    return packed({name: "Ein Text."})


def linked() -> bytes:
    """A symbolic link to a file outside."""
    info = zipfile.ZipInfo("link.txt")
    info.external_attr = 0o120777 << 16
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    return out.getvalue()


def encrypted() -> bytes:
    """A member that is marked as encrypted, in both of its headers."""
    data = bytearray(packed({"geheim.txt": "Ein Text."}))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def overlapping() -> bytes:
    """Two members with the same bytes, as a bomb has them that is packed once and listed often."""
    data = packed({"a.txt": "Ein Text. " * 50, "b.txt": "Ein Text. " * 50})
    second = data.rindex(b"PK\x01\x02")
    return data[: second + 42] + struct.pack("<I", 0) + data[second + 46 :]


def crowd(members: int) -> bytes:
    """An archive that lists so many empty members."""
    entries = [
        struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, len(name), 0, 0, 0, 0, 0, 0) + name
        for name in (b"%06d.txt" % number for number in range(members))
    ]
    table = b"".join(entries)
    count = min(members, 0xFFFF)
    return b"PK\x03\x04" + table + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, len(table), 4, 0)


def changed(data: bytes, parts: Mapping[str, Callable[[bytes], bytes]]) -> bytes:
    """An office file with some of its parts made anew from what they were; new ones come from nothing."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    return packed({**content, **{name: make(content.get(name, b"")) for name, make in parts.items()}})


def office(kind: str) -> tuple[bytes, str]:
    """A sound file of this ending, and its main part."""
    out = io.BytesIO()
    match kind:
        case "docx":
            docx.Document().save(out)
            return out.getvalue(), "word/document.xml"
        case "pptx":
            pptx.Presentation().save(out)
            return out.getvalue(), "ppt/presentation.xml"
        case "xlsx":
            return workbook(), "xl/sharedStrings.xml"
        case _:
            return packed({"mimetype": "application/vnd.oasis.opendocument.spreadsheet"}), "content.xml"


def laughing(kind: str) -> bytes:
    """An office file in which an entity stands for a billion others."""
    data, main = office(kind)
    return changed(data, {main: lambda _: LAUGHS.encode()})


def far_cells() -> bytes:
    """A sheet with a cell in each of two opposite corners."""
    cells = b'<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    return changed(
        workbook(), {"xl/worksheets/sheet1.xml": lambda old: old.replace(b"<sheetData>", b"<sheetData>" + cells)}
    )


def repeating() -> bytes:
    """A sheet of OpenDocument whose one cell repeats to all places there are."""
    cell = '<table:table-cell office:value-type="string" table:number-columns-repeated="16384"><text:p>x</text:p>'
    body = f'<table:table-row table:number-rows-repeated="1048576">{cell}</table:table-cell></table:table-row>'
    return packed({"content.xml": f'<table:table table:name="a">{body}</table:table>'})


def looping_pages() -> bytes:
    """A PDF whose tree of pages contains itself."""
    return raw_pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[2 0 R 2 0 R]/Count 2>>")


def endless_pages() -> bytes:
    """A PDF that claims a billion pages."""
    return raw_pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1000000000>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>",
    )


def huge_picture() -> bytes:
    """A scanned page with a picture that claims ten billion pixels."""
    return raw_pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</XObject<</I 5 0 R>>>>>>",
        b"<</Length 32>>stream\nq 600 0 0 800 0 0 cm /I Do Q    \nendstream",
        b"<</Type/XObject/Subtype/Image/Width 100000/Height 100000/BitsPerComponent 1/ColorSpace/DeviceGray"
        b"/Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (len(zlib.compress(b"0")), zlib.compress(b"0")),
    )


def many_parts(parts: int) -> bytes:
    """A message of so many parts."""
    part = b"--x\nContent-Type: text/plain\n\na\n"
    return b"Subject: Viele\nContent-Type: multipart/mixed; boundary=x\n\n" + part * parts + b"--x--\n"


def deep_mail(depth: int) -> bytes:
    """A message in which each part contains the next one."""
    lines = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (number, number) for number in range(depth)
    )
    message = EmailMessage()
    message["Subject"] = "Tief"
    return message.as_bytes().rstrip(b"\n") + b"\n" + lines + b"\nText\n"
