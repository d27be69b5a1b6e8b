"""Every fault of a prompt file is told with file and line."""

import pytest
from inline_snapshot import snapshot

from prompts import render
from prompts.markdown import parse
from tools.base import SetupError

GOOD = """---
description: Fasst zusammen.
variables:
  text: {type: string, role: source}
---
{{ text | data }}
"""


def fault(text: str | bytes) -> str:
    with pytest.raises(SetupError) as caught:
        parse(text.encode() if isinstance(text, str) else text, name="x", path="x.md")
    assert caught.value.hint == "Correct the file; it is served as saved."
    return caught.value.message


def test_a_prompt_is_read_with_what_is_left_out() -> None:
    prompt = parse(b"---\ndescription: Sagt hallo.\n---\nHallo.\n", name="hello", path="hello.md")
    assert prompt.model_dump(exclude_defaults=True) == snapshot(
        {
            "name": "hello",
            "language": "de",
            "description": "Sagt hallo.",
            "variables": {},
            "parameters": {},
            "body": "Hallo.\n",
            "line": 4,
            "path": "hello.md",
        }
    )


def test_a_byte_order_mark_and_windows_line_ends_are_read() -> None:
    windows = b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()
    assert parse(windows, name="x", path="x.md") == parse(GOOD.encode(), name="x", path="x.md")


def test_the_default_file_may_be_english() -> None:
    assert parse(GOOD.replace("variables", "language: en\nvariables").encode(), name="x", path="x.md").language == "en"


def test_a_parameter_is_the_default_of_the_variable_of_its_name() -> None:
    text = "---\ndescription: x\nvariables:\n  n: {type: integer}\nparameters: {n: 4}\n---\n{{ n }} Sätze\n"
    prompt = parse(text.encode(), name="x", path="x.md")
    assert not prompt.variables["n"].required
    assert (render(prompt, {}), render(prompt, {"n": 2})) == ("4 Sätze", "2 Sätze")


FAULTS = {
    "empty": "",
    "no front matter": "Fasse zusammen.",
    "not closed": "---\ndescription: x\nFasse zusammen.",
    "no yaml": GOOD.replace("{type: string, role: source}", "{type: string"),
    "no mapping": "---\n- a\n---\nText",
    "missing description": "---\nlanguage: de\n---\nText",
    "unknown key": GOOD.replace("variables:", "varaibles:"),
    "unknown language": GOOD.replace("variables:", "language: fr\nvariables:"),
    "bad variable name": GOOD.replace("text:", "Text:"),
    "bad role": GOOD.replace("source", "document"),
    "twice": GOOD.replace("variables:", "description: Noch einmal.\nvariables:"),
    "alias": "---\ndescription: &a x\nparameters: {b: *a}\n---\nText",
    "date out of range": "---\ndescription: x\nparameters: {a: 2026-13-40}\n---\nText",
    "date": "---\ndescription: x\nparameters:\n  a: 2026-01-01\n---\nText",
    "tag": "---\ndescription: !!python/object/apply:os.system [id]\n---\nText",
    "no body": "---\ndescription: x\n---\n\n",
    "template": GOOD + "\n{{ text }}\n{{ other }}\n",
    "not UTF-8": b"---\ndescription: x\n---\nGr\xfc\xdfe",
    "too large": GOOD + "x" * 300_000,
}


def test_every_fault_names_file_line_and_what_was_expected() -> None:
    assert {name: fault(text) for name, text in FAULTS.items()} == snapshot(
        {
            "empty": "x.md:1: the front matter is missing or not closed. Expected YAML between two lines '---'.",
            "no front matter": "x.md:1: the front matter is missing or not closed. Expected YAML between two lines '---'.",
            "not closed": "x.md:1: the front matter is missing or not closed. Expected YAML between two lines '---'.",
            "no yaml": "x.md:5: the front matter is no YAML: expected ',' or '}', but got '<stream end>'.",
            "no mapping": "x.md:2: 'front matter' does not fit: Input should be a valid dictionary or instance of FrontMatter. Got ['a']. The front matter has the keys description, language, variables, parameters.",
            "missing description": "x.md:2: 'description' does not fit: Field required. The front matter has the keys description, language, variables, parameters.",
            "unknown key": "x.md:3: 'varaibles' does not fit: Extra inputs are not permitted. Got {'text': {'type': 'string', 'role': 'source'}}. The front matter has the keys description, language, variables, parameters.",
            "unknown language": "x.md:3: 'language' does not fit: Input should be 'de' or 'en'. Got 'fr'. The front matter has the keys description, language, variables, parameters.",
            "bad variable name": "x.md:4: 'variables.Text.[key]' does not fit: String should match pattern '^[a-z][a-z0-9_]*$'. Got 'Text'. The front matter has the keys description, language, variables, parameters.",
            "bad role": "x.md:4: 'variables.text.role' does not fit: Input should be 'query', 'source' or 'setting'. Got 'document'. The front matter has the keys description, language, variables, parameters.",
            "twice": "x.md:3: the key 'description' stands twice. Expected it once.",
            "alias": "x.md:3: the front matter has an alias '*'. Expected each value in full.",
            "date out of range": "x.md:1: the front matter has a value that is none: month must be in 1..12.",
            "date": "x.md:4: 'parameters.a' does not fit: input was not a valid JSON value. Got datetime.date(2026, 1, 1). The front matter has the keys description, language, variables, parameters.",
            "tag": "x.md:2: the front matter is no YAML: could not determine a constructor for the tag 'tag:yaml.org,2002:python/object/apply:os.system'.",
            "no body": "x.md:4: there is no text below the front matter. Expected the prompt itself.",
            "template": """\
x.md:8: 'text' is printed without being marked as data; write {{ text | data }}.
x.md:9: 'other' is not a declared variable.\
""",
            "not UTF-8": "x.md:4: byte 0xfc is not UTF-8. Expected a file in UTF-8.",
            "too large": "x.md:1: the file has 300103 bytes. Expected at most 262144.",
        }
    )


def test_the_file_name_and_the_front_matter_agree_on_english() -> None:
    with pytest.raises(SetupError, match="the file name says 'en', the front matter 'de'"):
        parse(GOOD.replace("variables", "language: de\nvariables").encode(), name="x", path="x.en.md", language="en")
