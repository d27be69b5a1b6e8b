"""Gives documents ids that people can read and that stay the same from one ingestion to the next."""

import hashlib
import re
import unicodedata

__all__ = ["document_id", "qualified", "with_mark"]

_SPELLED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "§": "par-"})
_OTHER = re.compile(r"[^A-Za-z0-9._/-]+")
_RUNS = re.compile(r"-{2,}")


def document_id(path: str, record: str = "") -> str:
    """`path` is relative to the ingested folder; `record` names a document inside a collection file.

    An id that lost characters which tell names apart carries a mark of the full name.
    """
    name = f"{path}/{record.replace('/', '-')}" if record else path
    spelled = unicodedata.normalize("NFC", name).translate(_SPELLED)
    bare = "".join(char for char in unicodedata.normalize("NFKD", spelled) if not unicodedata.combining(char))
    plain = bare.encode("ascii", "ignore").decode()
    slug = _RUNS.sub("-", _OTHER.sub("-", plain))
    slug = "/".join(part.strip("-") or "x" for part in slug.split("/") if part.strip("."))
    whole = len(plain) == len(bare) and 0 < len(slug) <= 200
    return slug if whole else with_mark(slug[:180].lstrip(".") or "document", name)


def with_mark(slug: str, name: str) -> str:
    """`slug` with six hex digits of `name`, for the second document that would have the same id."""
    return f"{slug}-{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:6]}"


def qualified(slug: str, *, collection: str = "", access: str = "") -> str:
    """`slug` as an id in a collection, and of documents with fewer readers: never that of another place.

    Neither ':' nor '~' stands in a slug.
    """
    return (f"{collection}:" if collection else "") + slug + (f"~{access[:6]}" if access else "")
