import random

import pytest

from agents.kit import Act, Gate, SecretGuard, SizeGuard
from agents.kit.guards import CancelGuard, UsageGuard
from tools.base import Caller, Refused

GUARDS = [CancelGuard(), SizeGuard(), SecretGuard(), UsageGuard()]
SECRETS = [
    "pt-" + "a1B2" * 10,
    "sk-" + "Zz9_" * 8,
    "AKIAABCDEFGHIJKLMNOP",
    "ghp_" + "a" * 36,
    "github_pat_" + "b" * 60,
    "glpat-" + "x" * 20,
    "xoxb-1234567890-abc",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    "-----BEGIN RSA PRIVATE KEY-----",
]


def act() -> Act:
    return Act(kind="model", name="m", caller=Caller(subject="anna"), trace_id="t")


@pytest.mark.parametrize("secret", SECRETS)
def test_no_part_of_a_secret_that_gives_it_away_leaves_however_it_is_cut(secret: str) -> None:
    for seed in range(50):
        chance, out = random.Random(seed), ""
        text, at = f"Der Schlüssel ist {secret} und sonst nichts.", 0
        pieces = Gate(GUARDS).pieces(act())
        with pytest.raises(Refused):
            while at < len(text):
                size = chance.randint(1, 9)
                out += pieces.add(text[at : at + size])
                at += size
            out += pieces.end()
        assert "Der Schlüssel ist ".startswith(out)


def test_words_that_no_guard_waits_for_leave_at_once() -> None:
    pieces = Gate(GUARDS).pieces(act())
    parts = ["Der", " Rat", " der", " Stadt", " hat", " besch", "lossen", ".", " 2,4 Mil"]
    assert [pieces.add(part) for part in parts] == parts


def test_a_text_of_every_kind_leaves_whole() -> None:
    text = "Die Haupt-\nund Nebensachen: s, sk, p, pt, A, AK, eyJ, x, xo, gh, gi, - a, ---, `-----` und github."
    for seed in range(50):
        chance, out, at = random.Random(seed), "", 0
        pieces = Gate(GUARDS).pieces(act())
        while at < len(text):
            size = chance.randint(1, 5)
            out += pieces.add(text[at : at + size])
            at += size
        assert out + pieces.end() == text


def test_a_guard_that_foresees_nothing_gets_whole_words() -> None:
    class Plain:
        def before(self, act: Act, text: str) -> None: ...

        def piece(self, act: Act, text: str) -> None: ...

        def after(self, act: Act, text: str) -> None: ...

    pieces = Gate([Plain()]).pieces(act())
    assert [pieces.add(part) for part in ("Der R", "at de", "r")] == ["Der ", "Rat ", ""]
    assert pieces.end() == "der"


@pytest.mark.parametrize("beginning", ["pt-", "sk-", "xoxb-", "glpat-", "eyJ.", "-----BEGIN "])
@pytest.mark.parametrize("end", [" ", ".", "_.", "ä", "!"])
def test_a_beginning_that_is_repeated_without_end_takes_no_time_without_end(beginning: str, end: str) -> None:
    text = beginning * 100_000 + end  # if each were followed to the end, for an hour
    assert SecretGuard().begins(text + "x y") == 0


def test_what_may_become_a_secret_is_held_from_its_first_letter_on() -> None:
    guard = SecretGuard()
    for text, held in (("Ein pt-a_b-", 7), ("a. eyJa.eyJ", 8), ("x xoxb-1-2", 8), ("(----", 4), ("a-sk", 2), ("ä", 0)):
        assert guard.begins(text) == held
