"""Tests of annotations: which part of a text each source carries."""

from agents.kit import Support, SupportedSentence
from server.openai_annotations import annotations
from tools.base import Citation

QUOTE = "Die Hundesteuer beträgt 96 Euro im Jahr."
SAID = "Ein Hund kostet 96 € im Jahr."


def placed(text: str, support: Support | None) -> list[str]:
    cited = [Citation(document="a.md", title="Satzung", start=0, end=len(QUOTE), quote=QUOTE)]
    told = [one["url_citation"] for one in annotations(text, cited, support)]
    return [text[one["start_index"] : one["end_index"]] for one in told]


def test_a_source_said_in_other_words_is_placed_at_the_sentence_that_says_it() -> None:
    support = Support(score=1.0, sentences=[SupportedSentence(text=SAID, status="supported", citations=[0])])
    assert placed(f"Gut. {SAID}", support) == [SAID]
    assert placed(f"Gut. {QUOTE} {SAID}", support) == [QUOTE]
    assert placed("Etwas anderes.", support) == ["Etwas anderes."]
    assert placed(SAID, None) == [SAID]
