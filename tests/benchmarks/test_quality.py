"""The benchmarks of quality, over collections of a few documents."""

import json
from pathlib import Path

import numpy as np
import pytest
from inline_snapshot import snapshot

from benchmarks import retrieval, speech, summaries
from benchmarks.judged import Estimate, estimate, even, sampled
from benchmarks.quality import Row, main, table
from benchmarks.search_peers import Chunk, peers

PLACES = {
    "rathaus": ("Rathaus", "Das Rathaus öffnet montags um acht Uhr. Es hat einen Aufzug."),
    "freibad": ("Freibad", "Das Freibad liegt am Waldrand. Der Eintritt kostet vier Euro."),
    "buecherei": ("Bücherei", "Die Bücherei verleiht Bücher für drei Wochen. Sie schließt freitags um sechs."),
    "friedhof": ("Friedhof", "Der Friedhof wurde 1870 angelegt. Hunde sind dort nicht erlaubt."),
}
QUESTIONS = {
    "f1": ("Wann öffnet das Rathaus?", "acht Uhr", "rathaus"),
    "f2": ("Was kostet der Eintritt im Freibad?", "vier Euro", "freibad"),
    "f3": ("Wie lange verleiht die Bücherei Bücher?", "drei Wochen", "buecherei"),
    "f4": ("Wann wurde der Friedhof angelegt?", "1870", "friedhof"),
}


def written(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    town = folder / "xquad_de"
    town.mkdir(parents=True)
    written(
        town / "corpus.jsonl", [{"id": name, "title": title, "text": text} for name, (title, text) in PLACES.items()]
    )
    written(
        town / "queries.jsonl",
        [{"id": name, "text": text, "answers": [gold]} for name, (text, gold, _) in QUESTIONS.items()],
    )
    (town / "qrels.tsv").write_text(
        "".join(f"{name}\t{place}\t1\n" for name, (_, _, place) in QUESTIONS.items()), "utf-8"
    )
    more = folder / "klexikon_other"
    more.mkdir()
    article = (
        "Die Stadt liegt am Fluss. Sie hat ein altes Rathaus. Viele Leute kommen im Sommer. Der Markt ist am Samstag."
    )
    written(more / "pairs.jsonl", [{"id": "a", "article": article, "reference": "Die Stadt liegt am Fluss."}])
    return folder


def test_all_parts_come_into_one_table_that_is_kept(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "rows.json"
    main(["--data", str(data), "--quick", "--only", "retrieval,answers", "--json", str(kept)])
    main(["--data", str(data), "--quick", "--only", "summaries", "--json", str(kept)])
    rows = json.loads(kept.read_text("utf-8"))
    said = {(row["part"], row["metric"]): row["measured"][0] for row in rows if row["reached"] is not None}
    assert said == {
        ("retrieval", "MRR@10"): 1.0,
        ("answers", "hit@1"): 1.0,
        ("answers", "hit@3"): 1.0,
        ("answers", "cited document right"): 1.0,
        ("answers", "faithful: verbatim, offsets right"): 1.0,
        ("answers", "answerability, AUROC"): 1.0,
        ("answers", "false answers when 70 % are answered"): 0.0,
        ("summaries", "ROUGE-2 F"): 1.0,
    }
    assert "LanceDB" in rows[0]["peers"]
    assert "| klexikon_other | ROUGE-2 F |" in capsys.readouterr().out


def test_a_part_that_is_unknown_is_named(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--data", str(data), "--only", "retreival"])
    assert "'retreival'" in capsys.readouterr().err


def test_a_row_says_whether_it_is_reached() -> None:
    rows = [
        Row(
            part="a", collection="x", metric="share", measured=Estimate(0.912, 0.9, 0.92), least=0.91, peers={"y": 0.8}
        ),
        Row(part="a", collection="x", metric="errors", measured=Estimate(0.07, 0.05, 0.09), most=0.06),
        Row(part="a", collection="x", metric="rate", measured=Estimate(158, 150, 170), least=120, most=200),
        Row(part="a", collection="x", metric="free", measured=Estimate(1, 1, 1), ahead=Estimate(0.1, -0.05, 0.25)),
    ]
    assert [row.reached for row in rows] == [True, False, True, None]
    assert table(rows) == snapshot(
        """\
| collection | metric | to reach | Partitur | beside | ahead of the best | reached |
| --- | --- | --- | --- | --- | --- | --- |
| x | share | ≥ 0.91 | 0.912 [0.900, 0.920] | y 0.800 |  | yes |
| x | errors | ≤ 0.06 | 0.0700 [0.0500, 0.0900] |  |  | **no** |
| x | rate | 120 to 200 | 158 [150, 170] |  |  | yes |
| x | free | – | 1.000 |  | +0.100 [-0.050, +0.250] |  |
"""
    )


@pytest.mark.anyio
async def test_every_peer_finds_the_words_in_its_own_stems(tmp_path: Path) -> None:
    chunks = [Chunk(name, title, text) for name, (title, text) in PLACES.items()]
    for name, ask in (await peers(chunks, "de", 10, tmp_path)).items():
        assert (await ask('Welches Buch verleihen "Büchereien"? (a:b)'))[0] == "buecherei", name
        assert await ask("xyzzy") == [], name


def test_scores_of_a_ranking() -> None:
    assert retrieval.score(["b", "a", "c"], {"a": 1}) == (pytest.approx(0.6309, abs=1e-4), 1.0, 0.5)
    assert retrieval.score(["b"], {"a": 1, "c": 1}) == (0.0, 0.0, 0.0)
    assert retrieval.score(["a", "c"], {"a": 2, "c": 1})[0] == 1.0


def test_an_estimate_is_the_same_each_time_and_holds_its_mean() -> None:
    values = [0.0, 1.0] * 50
    found = estimate(values)
    assert found == estimate(values)
    assert found.mean == 0.5
    assert 0.39 <= found.low < 0.5 < found.high <= 0.61


def test_samples_and_halves_hang_on_ids_alone() -> None:
    names = [f"q{at}" for at in range(200)]
    assert sampled(names, 5, str) == sampled(reversed(names), 5, str)
    assert sampled(names, None, str) == names
    assert 70 < sum(map(even, names)) < 130


def test_summaries_are_compared_by_pairs_of_stems() -> None:
    assert summaries.rouge(["a", "b", "c"], ["a", "b", "d"]) == 0.5
    assert summaries.rouge(["a"], ["b"]) == 0.0


def test_sounds_are_compared_without_stress_and_pauses() -> None:
    assert speech.sounds("dɛɾ (en)tˈiːm(de)\nrˈaɪzˌə") == "dɛɾtiːmɾaɪzə"
    assert speech.distance("abcd", "abd") == 1
    assert speech.distance("", "ab") == 2


def test_golden_phonemes_are_many_and_each_sentence_stands_once() -> None:
    rows = speech.gold()
    assert len(rows) >= 60
    assert len({written for written, _ in rows}) == len(rows)


def test_silences_before_between_and_after_are_found() -> None:
    rate = 1000
    loud, quiet = np.full(200, 0.5), np.zeros(300)
    samples = np.concatenate([quiet[:100], loud, quiet, loud, quiet[:50]])
    assert speech.silences(samples, rate) == pytest.approx((0.1, 0.05, 0.3))
    assert speech.silences(quiet, rate) == pytest.approx((0.3, 0.0, 0.0))


@pytest.mark.anyio
async def test_golden_sentences_are_said_right() -> None:
    # What espeak-ng has no letters for: the sounds of Budget, höchstens, Etage and Ingenieur.
    known = {"Das Budget beträgt 1.250.000 €.", "Höchstens 7,5 t", "Die Garage und die Etage", "Der Ingenieur plant."}
    assert {written for written, _, _ in await speech.wrong()} <= known
