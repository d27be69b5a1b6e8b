"""What edge types mean that are named alike in many graphs: leading, belonging, lying, offering, regulating, costing."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tools.graph import GraphSchema

__all__ = ["Role", "Types", "types_of"]

Role = str
"""One of the names below."""


@dataclass(frozen=True, slots=True)
class Types:
    """The edge types of a graph that mean one role, by the way they point."""

    forward: tuple[str, ...] = ()
    backward: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.forward, *self.backward)

    def __bool__(self) -> bool:
        return bool(self.all)


# Role → types that point as the role is told, types that point the other way round.
_WORDS: Mapping[Role, tuple[str, str]] = {
    # a person → what they lead
    "leads": (
        "leads lead heads head_of manages manager_of directs director_of chairs chair_of runs leitet leiter_von leiterin_von "
        "leitung_von fuehrt steht_vor verantwortet",
        "led_by headed_by managed_by directed_by has_leader has_head leader geleitet_von wird_geleitet_von leiter leiterin leitung",
    ),
    # a part → the whole
    "belongs": (
        "part_of belongs_to member_of subsidiary_of reports_to gehoert_zu teil_von ist_teil_von untersteht mitglied_von",
        "has_part contains consists_of has_member umfasst hat_teil besteht_aus",
    ),
    # a person → who they work for
    "works": (
        "works_in works_for works_at employed_by employee_of arbeitet_in arbeitet_bei arbeitet_fuer beschaeftigt_bei",
        "employs has_employee beschaeftigt",
    ),
    # a thing → where it is
    "located": (
        "located_in located_at lies_in situated_in in_district has_address address liegt_in liegt_an befindet_sich_in sitzt_in "
        "hat_adresse adresse standort ort",
        "location_of hosts houses beherbergt",
    ),
    # an office → what it does for people
    "offers": (
        "offers provides handles delivers responsible_for bietet_an bietet erbringt zustaendig_fuer bearbeitet",
        "at offered_by provided_by handled_by available_at angeboten_von angeboten_bei bei erhaeltlich_bei zustaendig",
    ),
    # a service → the statute
    "regulated": (
        "regulated_by based_on governed_by legal_basis has_legal_basis beruht_auf basiert_auf geregelt_durch geregelt_in "
        "rechtsgrundlage grundlage",
        "regulates governs regelt",
    ),
    # a thing → what it costs
    "costs": (
        "costs has_fee fee price sets kostet gebuehr hat_gebuehr preis setzt_fest",
        "fee_for price_of gebuehr_fuer",
    ),
    # a thing → when it is open
    "open": ("open opens has_opening_hours opening_hours oeffnungszeiten geoeffnet oeffnet", ""),
    # a thing → how it is reached
    "reached": ("reached_at has_contact contact phone email erreichbar_unter kontakt telefon hat_kontakt", ""),
    # a thing → by when, or how long
    "due": ("has_deadline deadline due frist hat_frist", ""),
    # a statute or a decision → the day, or who decided
    "decided": (
        "decided_on decided_by adopted_on adopted_by beschlossen_am beschlossen_von",
        "decided adopted beschloss",
    ),
}


def types_of(schema: GraphSchema, role: Role) -> Types:
    """The types of this graph, as Cypher writes them, that mean `role`."""
    forward, backward = (frozenset(words.split()) for words in _WORDS[role])
    kinds = [(kind.type, {_plain(kind.type), _plain(kind.title)}) for kind in schema.edges]
    return Types(
        tuple(type for type, names in kinds if names & forward),
        tuple(type for type, names in kinds if names & backward and not names & forward),
    )


def _plain(name: str) -> str:
    """`bietetAn`, `Bietet an` and `BIETET_AN` alike."""
    spelt = name.translate(str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss"}))
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", spelt)
    return re.sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_")
