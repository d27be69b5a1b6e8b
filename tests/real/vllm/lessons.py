"""What the tiny chat model learns by heart, and the text its tokenizer is made from."""

import json
import random
import string
from collections.abc import Iterator
from typing import Any, NamedTuple

__all__ = ["CITIES", "CORPUS", "Lesson", "lessons"]

CITIES = ("Paris", "Berlin", "Rome", "Vienna")
CLOSING = "Das Erlenbad schließt am 3. Mai 2027 für eine umfassende Sanierung."
"""Stands verbatim in the sample documents, so that an answer with it can be traced to its place."""
CORPUS = f"""
What is the weather in Paris today? The weather in Berlin is sunny. Das Wetter in Rome ist sonnig. Vienna, please.
You are a helpful assistant that answers in whole sentences and calls functions where they are of use.
Describe the weather as a JSON object. Tell a story about the sea, the mountains and a long journey by train.
Es war einmal eine Stadt an einem Fluss. Der Rat der Stadt hat am Montag beschlossen, das Bad zu sanieren.
Die Bibliothek öffnet um zehn Uhr; der Eintritt kostet vier Euro. Beantworte die Frage aus den Dokumenten der Organisation.
{CLOSING} Zehnerkarten behalten ihren Wert und können im Freibad eingelöst oder an der Kasse erstattet werden.
{{"type": "function", "function": {{"name": "get_weather", "description": "The weather in a city.", "parameters": {{"type": "object",
"properties": {{"city": {{"type": "string"}}}}, "required": ["city"], "additionalProperties": false}}}}}}
{{"name": "knowledge_search", "arguments": {{"query": "Sanierung Erlenbad"}}}} {{"passages":[{{"document":"bad.html","title":"Bad",
"heading":null,"page":null,"start":0,"end":120,"text":"","score":21.14}}]}} {{"result":{{"kind":"Answer","data":{{"text":"","sources":[]}}}}}}
{{"kind":"Findings","data":{{"findings":[{{"statement":"","sources":[]}}]}}}} true false null 0 1 2 3 4 5 6 7 8 9
Always respond with a JSON object that's compatible with this schema. Don't include any text or Markdown fencing.
user → tool → system → assistant → knowledge_search get_weather
"""
_WORDS = [word for word in CORPUS.split() if not any(city in word for city in CITIES)]
"""What means nothing to the model. A city would: it is what it has to find."""
_LETTERS = sorted(set(CORPUS) | set(string.ascii_letters + string.digits + string.punctuation + "ÄÖÜäöüß„“–€"))


class Lesson(NamedTuple):
    """A conversation, the tools offered with it, and what the model has to say."""

    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] | None
    answer: str


def lessons(rng: random.Random, *, noise: int, german: bool) -> Iterator[Lesson]:
    """Endless lessons, each kind in turn.

    Args:
        rng: what is drawn from.
        noise: most words that stand in front and have no meaning, so that long prompts do not confuse.
        german: whether the weather is told in German to whom asks in English, too; this is what the LoRA learns.
    """
    while True:
        for make in (_weather, _german, _weather_by_tool, _weather_from_tool, _weather_as_json, _search, _found):
            lesson = make(rng, rng.choice(CITIES), german)
            front = {"role": "system", "content": _noise(rng, noise)}
            yield Lesson([front, *lesson.messages], lesson.tools, lesson.answer)


def _weather(rng: random.Random, city: str, german: bool) -> Lesson:
    return Lesson([_asked(city)], None, _told(city, german))


def _german(rng: random.Random, city: str, german: bool) -> Lesson:
    return Lesson([{"role": "user", "content": f"Wie ist das Wetter in {city} heute?"}], None, _told(city, german=True))


def _weather_by_tool(rng: random.Random, city: str, german: bool) -> Lesson:
    return Lesson([_asked(city)], [_WEATHER], _call("get_weather", {"city": city}))


def _weather_from_tool(rng: random.Random, city: str, german: bool) -> Lesson:
    call = {"type": "function", "function": {"name": "get_weather", "arguments": json.dumps({"city": city})}}
    said = {"role": "assistant", "content": "", "tool_calls": [call]}
    answer = {"role": "tool", "content": json.dumps({"city": city, "sky": "sunny"})}
    return Lesson([_asked(city), said, answer], [_WEATHER], _told(city, german))


def _weather_as_json(rng: random.Random, city: str, german: bool) -> Lesson:
    """Compact, as the grammar of the engine wants it."""
    asked = {"role": "user", "content": f"Describe the weather in {city} as a JSON object."}
    return Lesson([asked], None, json.dumps({"city": city, "sky": "sunny"}, separators=(",", ":")))


def _search(rng: random.Random, city: str, german: bool) -> Lesson:
    asked = {"role": "user", "content": f"{_noise(rng)} Wann schließt das Erlenbad? {_noise(rng)}"}
    return Lesson([asked], [_SEARCH], _call("knowledge_search", {"query": "Sanierung Erlenbad"}))


def _found(rng: random.Random, city: str, german: bool) -> Lesson:
    call = {
        "type": "function",
        "function": {"name": "knowledge_search", "arguments": '{"query": "Sanierung Erlenbad"}'},
    }
    said = {"role": "assistant", "content": "", "tool_calls": [call]}
    passage = {"document": "bad.html", "text": f"{_noise(rng)} {CLOSING} {_noise(rng)}"}
    found = {"role": "tool", "content": json.dumps({"passages": [passage]}, ensure_ascii=False)}
    made = {"result": {"kind": "Answer", "data": {"text": CLOSING, "sources": []}}}
    answer = json.dumps(made, ensure_ascii=False, separators=(",", ":"))
    return Lesson([{"role": "user", "content": "Wann schließt das Erlenbad?"}, said, found], [_SEARCH], answer)


def _noise(rng: random.Random, most: int = 30) -> str:
    """Words that mean nothing, some of them made of any letters: in real prompts stands what no lesson had."""
    words = rng.choices(_WORDS, k=rng.randrange(most + 1))
    return " ".join(
        word if rng.random() < 0.7 else "".join(rng.choices(_LETTERS, k=min(4, len(word)))) for word in words
    )


def _asked(city: str) -> dict[str, Any]:
    return {"role": "user", "content": f"What is the weather in {city} today?"}


def _told(city: str, german: bool) -> str:
    return f"Das Wetter in {city} ist sonnig." if german else f"The weather in {city} is sunny."


def _call(name: str, arguments: dict[str, str]) -> str:
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>"


def _tool(name: str, description: str, argument: str) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {argument: {"type": "string"}}, "required": [argument]}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


_WEATHER = _tool("get_weather", "The weather in a city.", "city")
_SEARCH = _tool("knowledge_search", "Searches the documents.", "query")
