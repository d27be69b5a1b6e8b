"""Measures the embedded newsletter on topics of a town hall: are its sections on topic, and does it stay silent off topic?"""

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from compositions.newsletter import Brief, Newsletter, newsletter
from server.house import LOCAL, open_house
from server.settings import load_settings

TOWN = Path(__file__).parents[1] / "examples" / "birkenfurt"


async def measure(folder: Path, topics: dict[str, list[dict[str, Any]]], *, show: bool) -> dict[str, float]:
    """Writes a newsletter for each topic. Shares are 0 to 1; `documents` is the mean number of documents an issue quotes."""
    inside: list[tuple[float, float, int]] = []
    seconds: list[float] = []
    silent = 0
    with tempfile.TemporaryDirectory() as home:
        async with open_house(load_settings(home=Path(home))) as house:
            await house.servers.library.ingest([folder], caller=LOCAL)
            for topic in topics["inside"]:
                began = time.perf_counter()
                brief = Brief(topic=topic["topic"], picture=False, speech=False)
                result = await house.ask(newsletter, brief)
                seconds.append(time.perf_counter() - began)
                gold = [Path(name).name for name in topic["documents"]]
                used = _documents(result.output)
                right = [document for document in used if any(_same(document, name) for name in gold)]
                first = bool(used) and any(_same(used[0], name) for name in gold)
                inside.append((len(right) / len(used) if used else 0.0, float(first), len(used)))
                if show:
                    print(f"{inside[-1][0]:.2f} {topic['topic']}: {result.outcome} {used}")
            for topic in topics["outside"]:
                result = await house.ask(newsletter, Brief(topic=topic["topic"], picture=False, speech=False))
                silent += result.outcome == "no_source"
                if show:
                    print(f"     {topic['topic']}: {result.outcome} {_documents(result.output)}")
    count = len(inside)
    return {
        "sections_on_topic": sum(one[0] for one in inside) / count,
        "first_section_on_topic": sum(one[1] for one in inside) / count,
        "documents": sum(one[2] for one in inside) / count,
        "at_least_three_documents": sum(one[2] >= 3 for one in inside) / count,
        "answered_inside": sum(one[2] > 0 for one in inside) / count,
        "silent_outside": silent / len(topics["outside"]),
        "seconds_median": sorted(seconds)[count // 2],
    }


def _documents(made: Newsletter | None) -> list[str]:
    """The documents of the sections, in their order."""
    if made is None:
        return []
    return list(dict.fromkeys(source.document for section in made.sections for source in section.sources))


def _same(document: str, name: str) -> bool:
    return Path(name).stem in document


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=Path, default=TOWN / "documents", help="folder to ingest")
    parser.add_argument("--topics", type=Path, default=TOWN / "topics.yaml", help="topics inside and outside of it")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--show", action="store_true", help="print each topic")
    given = parser.parse_args()
    figures = asyncio.run(measure(given.documents, yaml.safe_load(given.topics.read_text("utf-8")), show=given.show))
    for name, value in figures.items():
        print(f"{name:28} {value:.3f}")
    if given.json:
        given.json.write_text(json.dumps({"partitur": figures}, indent=2), "utf-8")


if __name__ == "__main__":
    main()
