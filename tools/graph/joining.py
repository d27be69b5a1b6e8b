"""Tells which thing that documents name is a thing of the lists: by its label and its name, and never on doubt."""

from collections.abc import Iterable, Mapping, Sequence

from tools.graph.mentions import key
from tools.graph.records import Records
from tools.graph.rules import OF_DOCUMENT

__all__ = ["joined"]

_Named = tuple[str, str]
"""A label, and a name as `key` has it."""


def joined(records: Records, scopes: Sequence[int]) -> dict[str, str]:
    """For each id that only documents use: the id of the lists that means the same thing, among what these scopes hold.

    It is the same where label and name are, where the lists have that name once and the documents, too, and where
    neither id stands under a second label. What is of its document, such as a fee, is never joined.
    Only these scopes are looked at: what a caller may not read neither joins, nor keeps apart, nor shows in an id.
    """
    listed, named = _by_name(records.names(scopes, documents=False))
    if not listed:
        return {}
    theirs, said = _by_name(
        (label, id, name)
        for label, id, name in records.names(scopes, documents=True)
        if label not in OF_DOCUMENT and (label, key(name)) in named and id not in listed
    )
    pairs: dict[str, str] = {}
    for id, names in theirs.items():
        candidates = {other for name in names for other in named[name]}
        if len(candidates) == 1:
            (other,) = candidates
            if {one for name in listed[other] for one in said.get(name, ())} == {id}:
                pairs[id] = other
    doubtful = records.namesakes(scopes, [*pairs, *pairs.values()])
    return {id: other for id, other in pairs.items() if doubtful.isdisjoint((id, other))}


def _by_name(nodes: Iterable[tuple[str, str, str]]) -> tuple[Mapping[str, set[_Named]], Mapping[_Named, set[str]]]:
    """The names of each id, and the ids of each name."""
    names: dict[str, set[_Named]] = {}
    ids: dict[_Named, set[str]] = {}
    for label, id, name in nodes:
        if spelt := key(name):
            names.setdefault(id, set()).add((label, spelt))
            ids.setdefault((label, spelt), set()).add(id)
    return names, ids
