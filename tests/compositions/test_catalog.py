"""Tests of the catalog: what is found, and that everything wrong is told at once."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from agents.kit import Language
from compositions.catalog import GROUP, Catalog, Found, discover, load_catalog
from prompts.prompt import Prompt
from prompts.store import PromptStore
from tools.base import NotFound, SetupError

LIBRARY = Path(__file__).parents[2] / "prompts" / "library"

GREETING = '''"""Greets somebody.

Deutsch: Grüßt jemanden.
"""
from pydantic import BaseModel
from agents.kit import UseCase

class Name(BaseModel):
    name: str

class Greeting(BaseModel):
    text: str

greeting = UseCase(Name, Greeting{more})
'''
PROMPT = "---\ndescription: Greets.\nvariables:\n  {name}: {{type: {type}}}\n---\nGreet {{{{ {name} | data }}}}.\n"


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes a plug-in package and gives its entry point."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name: str, files: dict[str, str]) -> EntryPoint:
        folder = tmp_path / name
        for file, text in {"__init__.py": "", **files}.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text, encoding="utf-8")
        for loaded in [module for module in sys.modules if module.partition(".")[0] == name]:
            monkeypatch.delitem(sys.modules, loaded)
        return EntryPoint(name=name, value=name, group=GROUP)

    return write


def load(*entry_points: EntryPoint) -> Catalog:
    library = PromptStore(LIBRARY)

    def prompts(found: Found) -> PromptStore:
        return PromptStore(found.folder / "prompts") if found.plugin else library

    return load_catalog(
        prompts=prompts,
        tools={"knowledge.search", "speech.say"},
        roles={"chat"},
        entry_points=entry_points,
    )


def test_every_use_case_of_the_house_is_found_by_its_file() -> None:
    found, problems = discover()
    assert problems == []
    assert {one.use_case.name: one.file for one in found}["summary"] == "agents/summary.py"
    assert [one.use_case.name for one in found if one.use_case.name != Path(one.module.__file__ or "").stem] == []
    assert [one.use_case.name for one in found if not (one.use_case.description and one.use_case.german)] == []


def test_a_plug_in_brings_its_use_cases_with_their_prompts(plugin) -> None:
    entry = plugin(
        "town_a",
        {"greeting.py": GREETING.format(more=""), "prompts/greeting.md": PROMPT.format(name="name", type="string")},
    )
    catalog = load(entry)
    assert catalog["greeting"].description == "Greets somebody."


def test_a_use_case_may_stand_in_the_package_itself(plugin) -> None:
    files = {
        "__init__.py": GREETING.replace("greeting =", "town_e =").format(more=""),
        "prompts/town_e.md": PROMPT.format(name="name", type="string"),
    }
    assert load(plugin("town_e", files))["town_e"].description == "Greets somebody."


def test_a_plug_in_without_a_use_case_is_told(plugin) -> None:
    with pytest.raises(SetupError, match=r"The plug-in 'town_f' \(town_f\) has no use case"):
        load(plugin("town_f", {"helper.py": "WORDS = 3\n"}))


def test_a_use_case_for_inner_use_is_checked_and_not_offered(plugin) -> None:
    inner = GREETING.replace("greeting =", "_greeting =").format(more=', prompt="greeting", tools=["no.tool"]')
    entry = plugin("town_g", {"inner.py": inner, "prompts/greeting.md": PROMPT.format(name="name", type="string")})
    with pytest.raises(SetupError, match=r"names the tool 'no\.tool', which is unknown"):
        load(entry)


def test_a_broken_plug_in_stops_the_start_with_its_name_and_reason(plugin) -> None:
    entry = EntryPoint(name="gone", value="no_such_package", group=GROUP)
    broken = plugin("town_b", {"greeting.py": "import nothing_of_that_name\n"})
    with pytest.raises(SetupError) as raised:
        load(entry, broken)
    assert raised.value.message == snapshot(
        """\
The catalog has 2 problems:
  - The plug-in 'gone' (no_such_package) does not load: ModuleNotFoundError: No module named 'no_such_package'.
  - The file of 'town_b.greeting' does not load: ModuleNotFoundError: No module named 'nothing_of_that_name'.
"""
    )


def test_all_that_is_wrong_is_named_in_one_message(plugin) -> None:
    wrong = plugin(
        "town_c",
        {
            "greeting.py": GREETING.format(more=', tools=["knowledge.serch"], model="big"'),
            "summary.py": GREETING.replace("greeting =", "summary =").format(more=""),
            "other.py": GREETING.format(more=""),
            "prompts/greeting.md": PROMPT.format(name="nam", type="string"),
            "prompts/summary.md": PROMPT.format(name="name", type="string"),
        },
    )
    numbers = plugin(
        "town_d",
        {
            "hello.py": GREETING.replace("greeting =", "hello =").format(more=""),
            "salute.py": GREETING.replace("greeting =", "salute =").format(more=""),
            "prompts/hello.md": PROMPT.format(name="name", type="integer"),
        },
    )
    with pytest.raises(SetupError) as raised:
        load(wrong, numbers)
    assert raised.value.message == snapshot("""\
The catalog has 8 problems:
  - town_c/other.py declares the use case 'greeting'. Expected it to be called 'other', like its file, or to begin with '_'.
  - 'greeting' (town_c/greeting.py) names the tool 'knowledge.serch', which is unknown. Did you mean 'knowledge.search'?
  - 'greeting' (town_c/greeting.py) names the model role 'big'. The settings have 'chat'.
  - 'greeting' (town_c/greeting.py): greeting.md has the variable 'nam', Name has 'name'.
  - 'greeting' (town_c/greeting.py): Name has the field 'name', which greeting.md does not use.
  - The name 'summary' is taken twice: by agents/summary.py and by town_c/summary.py.
  - 'hello' (town_d/hello.py): hello.md says 'name' is integer, Name says 'string'.
  - 'salute' (town_d/salute.py): Prompt 'salute' is not in the library. It has 'hello'.
""")


def test_an_unknown_use_case_names_the_nearest() -> None:
    with pytest.raises(NotFound) as raised:
        load()["sumary"]
    assert raised.value.hint == "Did you mean 'summary'?"


def test_a_prompt_source_is_asked_in_both_languages() -> None:
    asked: list[tuple[str, str]] = []
    library = PromptStore(LIBRARY)

    class Listening:
        def get(self, name: str, language: Language = "de") -> Prompt:
            asked.append((name, language))
            return library.get(name, language)

    load_catalog(prompts=lambda found: Listening(), tools={"knowledge.search"}, roles={"chat"})
    assert ("summary", "de") in asked
    assert ("summary", "en") in asked
