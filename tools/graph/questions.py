"""Maps a plain question in German or English onto a template and its parameters; what fits none maps onto none."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

from tools.graph import GraphSchema
from tools.language import stems

__all__ = ["Matched", "matches"]

_LEADER = r"(?:(?:Amts|Betriebs)?leiter(?:in|:in)?|leitung|chef(?:in)?|geschäftsführer(?:in)?|direktor(?:in)?|vorgesetzte[rn]?)"
_THE_LEADER = r"(?:head|leader|director|manager|boss|chief)"
_AUTHORITY = (
    r"(?:amt|ämtern?|stellen?|dienststellen?|büros?|behörden?|abteilung|fachbereich|dezernat|einrichtung(?:en)?)"
)
_LAW = r"(?:gesetz|gesetze|vorschrift|satzung|verordnung|norm|recht|paragraf|paragraph)"
_N = r"(?P<name>.+?)"
_TWO = r"(?P<first>.+?) (?:und|and) (?P<second>.+?)"
_L = r"(?P<label>[\wäöüÄÖÜß -]+?)"

# In this order: the first that fits, and whose label is one of the graph, is meant.
_PATTERNS: tuple[tuple[str, str], ...] = (
    ("path",
     rf"(?:wie|wodurch) (?:hängen|sind|hängt|ist) {_TWO} (?:zusammen|verbunden|verknüpft|miteinander "
     r"verbunden)"),
    ("path",
     r"(?:was|welche(?:r|n)? (?:weg|verbindung|pfad)) (?:verbindet|gibt es zwischen|besteht zwischen|führt von) "
     r"(?P<first>.+?) (?:und|mit|zu[mr]?) (?P<second>.+?)"),
    ("path",
     r"(?:der |den |die )?(?:kürzeste[rn]? )?(?:weg|verbindung|pfad) (?:von|zwischen) (?P<first>.+?) "
     r"(?:und|zu[mr]?|nach) (?P<second>.+?)"),
    ("path", rf"how (?:are|is) {_TWO} (?:connected|related|linked)(?: to each other)?"),
    ("path",
     r"(?:the )?(?:shortest )?(?:path|connection|link) (?:between|from) (?P<first>.+?) (?:and|to) "
     r"(?P<second>.+?)"),
    ("path", r"(?:what|how) (?:connects|links|is connecting) (?P<first>.+?) (?:and|with|to) (?P<second>.+?)"),
    ("common", rf"was haben {_TWO} gemeinsam"),
    ("common", rf"(?:welche )?gemeinsame(?:n|r)? (?:nachbarn|verbindungen)(?: von| haben)? {_TWO}"),
    ("common", rf"what do {_TWO} (?:have in common|share)"),
    ("common", rf"(?:the )?common neighbou?rs of {_TWO}"),
    ("between", r"seit wann (?:leitet|führt|bietet|macht) (?P<first>.+?) (?P<second>(?:das|die|den|der) .+?)(?: an)?"),
    ("between",
     r"seit wann (?:gibt es|ist|liegt|gehört|arbeitet|sitzt|besteht) (?P<first>.+?) "
     r"(?:in|im|zu|zum|zur|bei|beim|am) (?P<second>.+?)"),
    ("between", r"(?:since when|how long) has (?P<first>.+?) (?:led|headed|run|offered|been in|been part of) (?P<second>.+?)"),
    ("changed",
     r"was (?:ist neu|ist anders|hat sich (?:geändert|verändert)|änderte sich|gilt) (?:seit|ab)(?: dem)? "
     r"(?P<since>.+?)"),
    ("changed", r"what(?: has| is|'s)? (?:changed|new) since (?P<since>.+?)"),
    ("changed", r"was hat sich (?:seit|ab)(?: dem)? (?P<since>.+?) (?:geändert|verändert)"),
    ("central", r"(?:was|wer) ist (?:am )?(?:stärksten|meisten|besten) (?:vernetzt|verbunden|verknüpft)"),
    ("central",
     rf"(?:welche[rs]?) {_L} (?:ist|sind|hat|haben) (?:am |die )?(?:stärksten|meisten|besten) (?:vernetzt|"
     r"verbunden|verknüpft|verbindungen)"),
    ("central", r"(?:what|who) is (?:the )?most connected"),
    ("central", rf"(?:which|what) {_L} (?:is|are|has|have) (?:the )?most (?:connected|connections)"),
    ("count",
     rf"(?:wie ?viele?|anzahl(?: der| aller)?) {_L}(?: gibt es| sind es| stehen im graphen?| sind bekannt| "
     r"kennt der graph)?"),
    ("count", rf"how many {_L}(?: are there| exist| do you know| does the graph (?:have|know))?"),
    ("leads", rf"wer (?:leitet|führt|verantwortet) {_N}"),
    ("leads", rf"wie heißt (?:der|die) {_LEADER} (?:des|der|von|vom|im|beim|bei der|in der) {_N}"),
    ("leads", rf"wer (?:steht|ist) an der spitze (?:von|vom|des|der) {_N}"),
    ("leads", rf"wer ist für {_N} verantwortlich"),
    ("leads", rf"wer steht {_N} vor"),
    ("leads",
     rf"(?:wer (?:ist|sind|hat) )?(?:der |die |das )?{_LEADER} (?:des|der|von|vom|im|beim|bei der|in der) "
     rf"{_N}"),
    ("leads", rf"von wem wird {_N} geleitet"),
    ("leads", rf"who (?:leads|heads|runs|manages|directs|is in charge of|is responsible for) {_N}"),
    ("leads", rf"who is (?:the )?{_THE_LEADER} of {_N}"),
    ("led", rf"(?:was|welche[sn]? [\wäöüÄÖÜß]+) (?:leitet|führt|verantwortet) {_N}"),
    ("led", rf"(?:what|which [\w]+) does {_N} (?:lead|head|run|manage|direct)"),
    ("law",
     rf"(?:welche[sr]?|was für ein) {_LAW} (?:regelt|regeln|gilt für|gelten für|ist für) {_N}(?: "
     r"maßgeblich)?"),
    ("law",
     rf"(?:auf|nach) (?:welche[rmn]?|was für einem) (?:{_LAW}|rechtsgrundlage|grundlage) (?:beruht|basiert|"
     rf"richtet sich|erfolgt) {_N}"),
    ("law",
     r"(?:was ist )?(?:die )?(?:rechtsgrundlage|gesetzliche grundlage)(?: hat| ist)? (?:von|für|der|des|"
     rf"zur|zum)? ?{_N}"),
    ("law", rf"welche rechtsgrundlagen? (?:hat|haben) {_N}"),
    ("law", rf"wo (?:ist|sind) {_N} geregelt"),
    ("law", rf"(?:auf|nach) welche[rmn] (?:{_LAW}|rechtsgrundlage|grundlage) (?:wird|werden) {_N} \w+"),
    ("law", rf"worauf (?:beruht|basiert) {_N}"),
    ("law",
     r"(?:which|what) (?:law|laws|statute|statutes|regulation|act|rule) (?:regulates?|governs?|applies to|"
     rf"apply to|is behind|covers?) {_N}"),
    ("law", rf"(?:what is )?(?:the )?legal basis (?:of|for) {_N}"),
    ("law", rf"what is {_N} based on"),
    ("regulates", rf"was (?:regelt|regeln) {_N}"),
    ("regulates", rf"(?:was|welche [\wäöüÄÖÜß]+) (?:beruht|beruhen|basiert|basieren|stützt sich|stützen sich) auf {_N}"),
    ("regulates", rf"what (?:does|do) {_N} (?:regulate|govern|cover)"),
    ("opening", rf"wann (?:öffnet|öffnen|hat|haben|ist|sind) {_N}(?: geöffnet| auf| offen)?"),
    ("opening", rf"(?:was sind |wie sind )?(?:die )?öffnungszeiten (?:von|vom|der|des|im|in der) {_N}"),
    ("opening", rf"when (?:is|are|does|do) {_N} open"),
    ("opening", rf"(?:what are )?(?:the )?opening hours of {_N}"),
    ("contact", rf"wie (?:erreiche ich|ist|kann ich) {_N}(?: erreichbar| zu erreichen| erreichen)?"),
    ("contact",
     r"(?:wie lautet |was ist )?(?:die )?(?:telefonnummer|e-?mail(?:-adresse)?|kontakt) (?:von|vom|der|des|"
     rf"zu|zum|zur) {_N}"),
    ("contact", rf"how (?:do i|can i|is) (?:reach|contact)? ?{_N}(?: reached)?"),
    ("contact", rf"(?:what is )?(?:the )?(?:phone number|telephone number|e-?mail(?: address)?|contact) of {_N}"),
    ("deadline",
     rf"(?:welche|was ist die) frist(?:en)? (?:gilt|gelten|hat|haben|besteht|gibt es)?(?: für| bei| beim)? ?{_N}"),
    ("deadline", rf"bis wann (?:muss|kann|ist|geht) (?:ich )?{_N}"),
    ("deadline", rf"(?:what is |which is )?(?:the )?(?:deadline|time limit)s? (?:of|for) {_N}"),
    ("decided", rf"(?:wann|von wem) (?:wurde|ist|hat man) {_N} (?:beschlossen|verabschiedet|erlassen)(?: worden)?"),
    ("decided", rf"wer hat {_N} (?:beschlossen|verabschiedet|erlassen)"),
    ("decided", rf"when was {_N} (?:decided|adopted|passed)"),
    ("decided", rf"who (?:decided|adopted|passed) {_N}"),
    ("office", rf"(?:welche[srn]?|was für ein|bei welche[rm]) {_AUTHORITY} (?:ist|sind) (?:für )?{_N} zuständig"),
    ("office",
     rf"(?:welche[srn]?|was für ein|bei welche[rm]) {_AUTHORITY} (?:ist zuständig für|bearbeitet|macht|erteilt|vergibt|genehmigt|"
     rf"erledigt|bietet|hilft bei|kümmert sich um) {_N}(?: an)?"),
    ("office",
     rf"(?:wo|bei wem|bei welche[rm] {_AUTHORITY}) "
     rf"(?:beantrage|bekomme|erhalte|melde|mache|erledige|zeige) ich {_N}(?: an| ab| um)?"),
    ("office", rf"an (?:wen|welche[sn]? {_AUTHORITY}) wende ich mich (?:wegen|für|bei|mit) {_N}"),
    ("office", rf"wer (?:ist|sind) (?:für )?{_N} zuständig"),
    ("office", rf"wer (?:ist zuständig für|bietet|kümmert sich um|bearbeitet) {_N}(?: an)?"),
    ("office", rf"(?:wo|bei wem|bei welche[rmn] {_AUTHORITY}) (?:kann|muss|soll|könnte) (?:ich|man) {_N}"),
    ("office",
     r"(?:which|what) (?:office|department|authority|agency|unit) (?:offers|handles|does|provides|is "
     rf"responsible for|is in charge of|takes care of|deals with) {_N}"),
    ("office", rf"who (?:offers|handles|provides|takes care of|deals with) {_N}"),
    ("office", rf"where (?:can|do|must|should) (?:i|you|one|we) (?:get|apply for|register|do|go for) {_N}"),
    ("offers", rf"was (?:bietet|bieten|macht|erledigt) {_N}(?: an)?"),
    ("offers",
     rf"welche (?:leistungen|dienste|dienstleistungen|services|aufgaben|angebote) "
     rf"(?:bietet|bieten|hat|haben) {_N}(?: an)?"),
    ("contact", rf"welche (?:telefonnummer|nummer|e-?mail(?:-adresse)?) hat {_N}"),
    ("offers", rf"(?:wofür|für was) ist {_N} zuständig"),
    ("offers", rf"(?:what|which)(?: [\w]+)? (?:does|do) {_N} (?:offer|provide|handle|do)"),
    ("offers", rf"was kann (?:ich|man) (?:beim|bei der|im|in der) {_N} (?:erledigen|machen|beantragen|bekommen)"),
    ("offers", rf"what is {_N} responsible for"),
    ("costs", rf"(?:was|wie ?viel) (?:kostet|kosten) {_N}"),
    ("costs",
     r"(?:wie hoch (?:ist|sind) |was sind )?(?:die )?(?:gebühr(?:en)?|kosten|preise?) (?:von|für|der|des|"
     rf"beim|bei) {_N}"),
    ("costs", rf"(?:how much|what) (?:is|does|do) {_N} cost"),
    ("costs", rf"how much is {_N}"),
    ("costs", rf"(?:what (?:is|are) )?(?:the )?(?:fees?|price|costs?) (?:of|for) {_N}"),
    ("beside",
     rf"(?:welche[rsn]?|liste(?: alle[r]?)?|nenne(?: alle)?|zeige?(?: alle)?|alle) {_L} (?:liegen |sind |"
     rf"gibt es |befinden sich |arbeiten |gehören |sitzen )?(?:in|im|bei|beim|zu|zum|zur|am|mit) {_N}(?: liegen| "
     r"gehören| arbeiten| gibt es)?"),
    ("beside",
     rf"(?:which|what|list(?: all)?|show(?: all)?) {_L} (?:are |lie |is )?(?:located )?(?:in|at|of|with|"
     rf"near|connected with|connected to) {_N}(?: are there)?"),
    ("work", rf"in welche[rm] [\wäöüÄÖÜß]+ (?:ist|arbeitet) {_N}(?: tätig| beschäftigt| angestellt)"),
    ("inside", rf"(?:was|wer) (?:befindet sich|liegt|ist|sitzt|steht) (?:in|im|am) {_N}"),
    ("inside", rf"welche [\wäöüÄÖÜß]+ (?:gibt es|liegen|sind|sitzen|stehen|befinden sich) (?:in|im|am) {_N}"),
    ("inside", rf"(?:what|who|which [\w]+) (?:is|are|lies) (?:located )?(?:in|at) {_N}"),
    ("where",
     r"(?:wo|in welche[rm] [\wäöüÄÖÜß]+) (?:ist|liegt|liegen|sind|befindet sich|befinden sich|sitzt|sitzen|"
     rf"finde ich|steht) {_N}"),
    ("where", rf"(?:wie lautet |was ist )?(?:die )?(?:adresse|anschrift) (?:von|vom|der|des) {_N}"),
    ("where", rf"(?:where|in which [\w]+) (?:is|are|do i find|can i find|lies) {_N}(?: located| situated)?"),
    ("where", rf"(?:what is )?(?:the )?address of {_N}"),
    ("parts", rf"(?:was|wer|welche [\wäöüÄÖÜß]+) (?:gehört|gehören) (?:alles )?zu[mr]? {_N}"),
    ("parts", rf"(?:was|wer|welche [\wäöüÄÖÜß]+) (?:ist|sind) {_N} (?:unterstellt|zugeordnet|angegliedert|nachgeordnet)"),
    ("staff",
     rf"(?:wer|welche [\wäöüÄÖÜß]+) (?:arbeitet|arbeiten|ist tätig|sind tätig) "
     rf"(?:in|im|bei|beim|für|in der|bei der) {_N}"),
    ("staff", rf"(?:who|which [\w]+) works? (?:in|for|at) {_N}"),
    ("parts", rf"(?:woraus|aus was) besteht {_N}"),
    ("parts",
     r"(?:was|wer) (?:untersteht|ist teil von|ist "
     rf"mitglied von) {_N}"),
    ("parts",
     rf"(?:what|who|which [\w]+) (?:belongs? to|is part of|are part of|reports to) {_N}"),
    ("parts", rf"(?:what are )?(?:the )?(?:parts|members|units) of {_N}"),
    ("whole", rf"(?:wozu|wohin|zu wem|zu was|zu welche[rmn] [\wäöüÄÖÜß]+) gehört {_N}"),
    ("whole", rf"(?:wem|welchem [\wäöüÄÖÜß]+) untersteht {_N}"),
    ("whole", rf"(?:wem|welche[rmn] [\wäöüÄÖÜß]+) (?:ist|sind) {_N} (?:unterstellt|zugeordnet|angegliedert|nachgeordnet)"),
    ("work", rf"wo arbeitet {_N}"),
    ("whole", rf"what (?:does|do) {_N} belong to"),
    ("whole", rf"what is {_N} (?:a )?part of"),
    ("work", rf"where does {_N} work"),
    ("neighbours", rf"(?:womit|mit wem|mit was) ist {_N} (?:verbunden|verknüpft|vernetzt)"),
    ("neighbours", rf"(?:was|wer) ist mit {_N} (?:verbunden|verknüpft|vernetzt)"),
    ("neighbours", rf"(?:die )?(?:nachbarn|verbindungen|umgebung) (?:von|vom|der|des) {_N}"),
    ("neighbours", rf"(?:what|who) is (?:connected|linked|related) (?:with|to) {_N}"),
    ("neighbours", rf"(?:what|who) is {_N} (?:connected|linked|related) (?:with|to)"),
    ("neighbours", rf"(?:the )?(?:neighbou?rs|connections) of {_N}"),
    ("list",
     rf"(?:alle|liste(?: alle[r]?)?|nenne(?: mir)?(?: alle)?|zeige?(?: mir)?(?: alle)?|welche[rsn]?) {_L} "
     r"mit (?P<property>\w+) (?P<value>.+?)"),
    ("list", rf"(?:list|show|which|all|name)(?: me)?(?: all)?(?: the)? {_L} with (?P<property>\w+) (?P<value>.+?)"),
    ("list",
     r"(?:liste(?: alle[r]?)?|nenne(?: mir)?(?: alle)?|zeige?(?: mir)?(?: alle)?|alle|welche[rsn]?) "
     rf"{_L}(?: gibt es| sind bekannt| kennt der graph| auf)?"),
    ("list", rf"(?:list|show|name)(?: me)?(?: all)?(?: the)? {_L}"),
    ("list", rf"(?:which|what) {_L} (?:are there|exist|do you know|does the graph have)"),
    ("about", rf"(?:was|wer) (?:ist|sind) {_N}"),
    ("about", rf"(?:was weißt du|erzähle?(?: mir)?(?: etwas)?|was weiß der graph) (?:über|von) {_N}"),
    ("about", rf"(?:what|who) (?:is|are) {_N}"),
    ("about", rf"(?:tell me|what do you know) about {_N}"),
)  # fmt: skip
_ARTICLE = re.compile(
    r"^(?:(?:der|die|das|dem|den|des|ein|eine|einen|einem|einer|eines|the|a|an|mein|meine|meinen|my|herr|herrn|frau|mr|mrs|ms|dieser|diese|dieses)\s)+",
    re.IGNORECASE,
)
_LOOSE = " \t\n.,;:!?\"'„“”»«›‹"
_WORDS_OF: Mapping[str, str] = {
    "office": "amt ämter stelle stellen büro büros behörde behörden offices department departments authority authorities",
    "person": "personen mensch menschen leute person people persons mitarbeiter beschäftigte",
    "service": "leistung leistungen dienstleistung dienstleistungen dienst dienste service services",
    "law": "gesetz gesetze vorschrift vorschriften rechtsgrundlagen satzung satzungen laws statute statutes regulations",
    "district": "stadtteil stadtteile ortsteil ortsteile bezirk bezirke districts quarter quarters",
    "place": "ort orte adresse adressen places addresses",
    "fee": "gebühr gebühren fees",
    "facility": "einrichtung einrichtungen gebäude facilities buildings",
    "decision": "beschluss beschlüsse entscheidung entscheidungen decisions",
    "deadline": "frist fristen deadlines",
    "document": "dokument dokumente documents",
    "company": "firma firmen unternehmen companies",
    "project": "projekt projekte vorhaben projects",
}
_SINCE = re.compile(r"(?:(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.)?(?P<year>\d{4})|(?P<iso>\d{4}-\d{2}(?:-\d{2})?)")


@dataclass(frozen=True, slots=True)
class Matched:
    """A template with the parameters that a question gives it."""

    template: str
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])


def matches(question: str, schema: GraphSchema) -> Iterator[Matched]:
    """The templates that fit, the most fitting first; labels are those of the graph the caller sees."""
    asked = " ".join(question.split()).strip(_LOOSE)
    seen: set[str] = set()
    for name, pattern in _compiled():
        found = pattern.fullmatch(asked)
        if found is None:
            continue
        parameters = _parameters({key: value for key, value in found.groupdict().items() if value}, schema)
        if parameters is not None and name not in seen:
            seen.add(name)
            yield Matched(name, parameters)


@cache
def _compiled() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """The patterns, at the first question: most processes are asked none."""
    return tuple((name, re.compile(pattern, re.IGNORECASE)) for name, pattern in _PATTERNS)


def _parameters(given: Mapping[str, str], schema: GraphSchema) -> dict[str, str] | None:
    """The parts of a question as parameters; None where one of them is nothing of this graph."""
    found: dict[str, str] = {}
    for key, value in given.items():
        clean = _ARTICLE.sub("", value.strip(_LOOSE)).strip(_LOOSE)
        part = {"label": _label(schema), "since": _since, "property": _property(schema)}.get(key, str)(clean)
        if not part:
            return None
        found[key] = part
    return found


def _label(schema: GraphSchema) -> Callable[[str], str | None]:
    def find(word: str) -> str | None:
        wanted = _stemmed(word)
        for kind in schema.nodes:
            if wanted & (_stemmed(kind.label) | _stemmed(kind.title)):
                return kind.label
        for kind in schema.nodes:
            for group, words in _WORDS_OF.items():
                alike = {group, *words.split()}
                if word.casefold() in alike and {kind.label.casefold(), kind.title.casefold()} & alike:
                    return kind.label
        return None

    return find


def _property(schema: GraphSchema) -> Callable[[str], str | None]:
    names = {name.casefold(): name for kind in schema.nodes for name in kind.properties}
    return lambda word: names.get(word.casefold())


def _stemmed(words: str) -> set[str]:
    plain = words.replace("_", " ")
    return {" ".join(stems(plain, language)) for language in ("de", "en")} | {plain.casefold()}


def _since(text: str) -> str | None:
    found = _SINCE.fullmatch(text)
    if found is None:
        return None
    if found["iso"]:
        return found["iso"]
    return f"{found['year']}-{int(found['month']):02}-{int(found['day']):02}" if found["day"] else found["year"]
