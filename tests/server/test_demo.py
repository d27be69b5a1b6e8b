"""The demo on a small sample: what it writes, what it says, and that it does nothing twice."""

import json
import sys
from io import StringIO
from pathlib import Path

import pytest

from server.cli import main

DOCUMENTS = {
    "rat.md": "# Rat beschließt Freibad\n\nDer Rat hat die Sanierung des Freibads am 3. März 2026 beschlossen. "
    "Die Sanierung des Freibads kostet 2,4 Millionen Euro.\n",
    "bau.md": "# Bau des Freibads\n\nDie Sanierung des Freibads beginnt im Mai 2026. "
    "Das Freibad bleibt während der Sanierung zwei Jahre geschlossen.\n",
    "preise.md": "# Preise im Freibad\n\nNach der Sanierung kostet der Eintritt ins Freibad 5 Euro. "
    "Kinder zahlen im Freibad 2 Euro.\n",
}


class Done:
    """Two runs of the demo: exit codes, what was said, and the folder with the files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs = [self._run(), self._run()]

    def _run(self) -> tuple[int, str, str]:
        kept = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = StringIO(), StringIO()
        try:
            main(
                [
                    "--home",
                    str(self.folder / "home"),
                    "demo",
                    "--topic",
                    "Sanierung des Freibads",
                    "--out",
                    str(self.out),
                ]
            )
        except SystemExit as left:
            return int(left.code or 0), sys.stdout.getvalue(), sys.stderr.getvalue()
        finally:
            sys.stdout, sys.stderr = kept

    @property
    def out(self) -> Path:
        return self.folder / "out"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """The demo reads, writes, draws and speaks: longer than a test may take."""
    folder = tmp_path_factory.mktemp("demo")
    (folder / "sample/documents").mkdir(parents=True)
    (folder / "sample/data").mkdir()
    for name, text in DOCUMENTS.items():
        (folder / "sample/documents" / name).write_text(text, encoding="utf-8")
    (folder / "sample/data/fees.csv").write_text("name;euro\nErwachsene;5\nKinder;2\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patched:
        import server.demo

        patched.setattr(server.demo, "SAMPLE", folder / "sample")
        return Done(folder)


def test_the_demo_writes_page_text_data_picture_and_sound(done: Done) -> None:
    assert done.runs[0][0] == 0
    files = {path.name: path.read_bytes() for path in done.out.iterdir()}
    assert {"newsletter.html", "newsletter.md", "newsletter.json", "picture.png", "speech.wav", "speech.opus"} <= set(
        files
    )
    assert files["picture.png"].startswith(b"\x89PNG")
    assert files["speech.wav"].startswith(b"RIFF")
    assert files["speech.opus"].startswith(b"OggS")
    assert b"data:image/png;base64," in files["newsletter.html"]
    assert b"data:audio/ogg;base64," in files["newsletter.html"]


def test_each_sentence_of_the_newsletter_stands_in_a_document(done: Done) -> None:
    envelope = json.loads((done.out / "newsletter.json").read_text(encoding="utf-8"))
    assert envelope["outcome"] == "done"
    assert {one["document"] for one in envelope["citations"]} <= set(DOCUMENTS)
    sources = " ".join(" ".join(DOCUMENTS.values()).split())
    assert all(" ".join(one["quote"].split()) in sources for one in envelope["citations"])
    assert all(Path(one["path"]).is_file() for one in envelope["artifacts"])


def test_the_text_links_the_files_beside_it(done: Done) -> None:
    text = (done.out / "newsletter.md").read_text(encoding="utf-8")
    assert "](picture.png)" in text
    assert "](speech.opus)" in text


def test_the_demo_says_what_it_did_and_what_to_do_next(done: Done) -> None:
    said = done.runs[0][1]
    assert "Documents: 3 new" in said
    assert "Loaded: tables" in said
    assert str(done.out / "newsletter.html") in said
    assert "every sentence is a literal quote" in said
    assert "Cost     0\n" in said
    assert "prompts/library/research.md" in said
    assert "PARTITUR_MODEL_URL=" in said
    assert said.rstrip().endswith("partitur serve")


def test_progress_tells_each_step_with_its_time(done: Done) -> None:
    lines = done.runs[0][2].splitlines()
    assert all(line.endswith((" s", " min")) for line in lines)
    names = " ".join(lines)
    assert all(
        step in names for step in ("read the sample documents", "research", "editor", "image.generate", "speech.say")
    )


def test_a_second_run_imports_nothing_twice(done: Done) -> None:
    code, said, _ = done.runs[1]
    assert code == 0
    assert "Documents: 0 new, 3 unchanged" in said
    assert "Loaded:" not in said


def test_without_the_sample_it_says_where_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("server.demo.SAMPLE", tmp_path / "nowhere")
    with pytest.raises(SystemExit, match="1"):
        main(["--home", str(tmp_path / "home"), "demo"])
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("Error: The sample documents are not there.")
    assert second.startswith("They come with the source repository.")
