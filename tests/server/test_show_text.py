"""Results in words: pictures and sound as people read them, only the sources an output uses, no marks in plain text."""

from pathlib import Path
from typing import Any

import pytest

from agents.editor import Section
from agents.kit import Result
from compositions.newsletter import Newsletter
from server.show import Show, plain
from tools.base import Artifact, Citation
from tools.image import Image
from tools.speech import Speech


def citation(number: int) -> Citation:
    return Citation(document=f"d{number}", title=f"Titel {number}", quote=f"Satz {number}.", start=0, end=7)


def file(kind: str, suffix: str) -> Artifact:
    name = f"{'0' * 64}.{suffix}"
    return Artifact(id=name, media_type=kind, alt_text="Eine Karte [rot]", size=3, uri=f"/artifacts/{name}")


@pytest.fixture
def show(tmp_path: Path) -> Show:
    (tmp_path / "x").write_bytes(b"abc")
    return Show(lambda artifact: tmp_path / "x")


def result(output: Any, **more: Any) -> Result[Any]:
    given = {"use_case": "test", "outcome": "done", "engine": "extractive", "trace_id": "0" * 32, **more}
    return Result[Any].model_validate({**given, "output": output})


def test_only_the_quotes_of_the_sections_are_listed(show: Show) -> None:
    made = Newsletter(
        title="Neues", lead="Das ist neu.", sections=[Section(heading="Eins", text="Satz 1.", sources=[citation(1)])]
    )
    text = show(result(made, citations=[citation(1), citation(2)]), "text")
    assert text.endswith("Satz 1. [1]\n\nQuellen\n\n[1] Titel 1")
    assert "Titel 2" not in text


def test_a_picture_is_read_as_its_text_and_its_label(show: Show, tmp_path: Path) -> None:
    drawn, drawing = file("image/png", "png"), file("image/svg+xml", "svg")
    made = Image(
        png=drawn, svg=drawing, width=9, height=9, alt_text="Eine Karte [rot]", engine="designed-card", label="Karte"
    )
    given = result(made, artifacts=[drawn, drawing])
    assert show(given, "md") == f"![Eine Karte (rot)]({tmp_path}/x)\n\nKarte\n\n[SVG]({tmp_path}/x)"
    assert show(given, "text") == f"Eine Karte (rot): {tmp_path}/x\n\nKarte\n\nSVG: {tmp_path}/x"


def test_sound_is_read_as_its_length_voice_and_links(show: Show, tmp_path: Path) -> None:
    sound = file("audio/wav", "wav")
    made = Speech(audio=[sound], seconds=83.2, language="de", voice="de", engine="espeak-ng", spoken="eins")
    text = show(result(made, artifacts=[sound]), "text")
    assert text == f"Eine Karte [rot]\n\nLänge 1:23 min · Stimme de (espeak-ng)\n\n- WAV: {tmp_path}/x"


def test_a_result_without_output_is_written_as_its_message(show: Show, tmp_path: Path) -> None:
    [written] = show.files(result(None, outcome="no_source", message="Nothing found."), tmp_path / "out", ("text",))
    assert written.read_text() == "Nothing found.\n"


def test_notes_in_plain_text_are_numbers() -> None:
    assert plain("Das ist so.[^1][^2]\n\n[^1]: Titel · S. 2") == "Das ist so. [1][2]\n\n[1] Titel · S. 2"
