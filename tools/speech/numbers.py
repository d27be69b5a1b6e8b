"""Numbers as German and English words."""

__all__ = [
    "digits_de",
    "digits_en",
    "number_de",
    "number_en",
    "ordinal_de",
    "ordinal_en",
    "year_de",
    "year_en",
]

_DE = [
    "null",
    "eins",
    "zwei",
    "drei",
    "vier",
    "fünf",
    "sechs",
    "sieben",
    "acht",
    "neun",
    "zehn",
    "elf",
    "zwölf",
    "dreizehn",
    "vierzehn",
    "fünfzehn",
    "sechzehn",
    "siebzehn",
    "achtzehn",
    "neunzehn",
]
_DE_TENS = ["-", "-", "zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig"]
_DE_SCALE = ((10**9, "Milliarde", "Milliarden"), (10**6, "Million", "Millionen"))
_DE_ORDINAL = {1: "erst", 3: "dritt", 7: "siebt", 8: "acht"}

_EN = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_EN_TENS = ["-", "-", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_EN_SCALE = ((10**9, "billion"), (10**6, "million"), (1000, "thousand"))
_EN_ORDINAL = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}

LARGEST = 10**12
"""From here on, digits are read one by one."""


def number_de(value: int, *, one: str = "eins") -> str:
    """`value` as German words; `one` is how a final 1 reads: 'eins' alone, 'ein' or 'eine' before a noun."""
    if value < 0:
        return f"minus {number_de(-value, one=one)}"
    if value >= LARGEST:
        return digits_de(str(value))
    words: list[str] = []
    for size, singular, plural in _DE_SCALE:
        count, value = divmod(value, size)
        if count:
            words.append(f"eine {singular}" if count == 1 else f"{_below_million_de(count, 'eine')} {plural}")
    if value or not words:
        words.append(_below_million_de(value, one))
    return " ".join(words)


def _below_million_de(value: int, one: str) -> str:
    thousands, rest = divmod(value, 1000)
    head = f"{_below_thousand_de(thousands, 'ein')}tausend" if thousands else ""
    return head + (_below_thousand_de(rest, one) if rest or not head else "")


def _below_thousand_de(value: int, one: str) -> str:
    hundreds, rest = divmod(value, 100)
    head = f"{'ein' if hundreds == 1 else _DE[hundreds]}hundert" if hundreds else ""
    if not rest and head:
        return head
    if rest == 1:
        return head + one
    if rest < 20:
        return head + _DE[rest]
    tens, ones = divmod(rest, 10)
    joint = f"{'ein' if ones == 1 else _DE[ones]}und" if ones else ""
    return head + joint + _DE_TENS[tens]


def ordinal_de(value: int, ending: str = "er") -> str:
    """`value` as a German ordinal with its ending: 'dritter', 'dritte', 'dritten'."""
    hundreds, rest = divmod(value, 100)
    head = number_de(hundreds * 100, one="ein") if hundreds else ""
    if rest == 0:
        return f"{head or 'null'}ste"[:-1] + ending
    if rest < 20:
        return head + _DE_ORDINAL.get(rest, _DE[rest] + "t") + ending
    return head + number_de(rest) + "st" + ending


def year_de(value: int) -> str:
    """A year: 1989 is 'neunzehnhundertneunundachtzig', 2027 'zweitausendsiebenundzwanzig'."""
    if 1100 <= value <= 1999:
        hundreds, rest = divmod(value, 100)
        return f"{_DE[hundreds]}hundert{_below_thousand_de(rest, 'eins') if rest else ''}"
    return number_de(value)


def digits_de(text: str) -> str:
    """Each digit alone."""
    return " ".join(_DE[int(char)] for char in text if char.isdecimal())


def number_en(value: int) -> str:
    """`value` as English words, with 'and' before the tens."""
    if value < 0:
        return f"minus {number_en(-value)}"
    if value >= LARGEST:
        return digits_en(str(value))
    words: list[str] = []
    for size, name in _EN_SCALE:
        count, value = divmod(value, size)
        if count:
            words.append(f"{_below_thousand_en(count)} {name}")
    if value or not words:
        if words and value < 100:
            words.append("and")
        words.append(_below_thousand_en(value))
    return " ".join(words)


def _below_thousand_en(value: int) -> str:
    hundreds, rest = divmod(value, 100)
    tail = _EN[rest] if rest < 20 else _EN_TENS[rest // 10] + (f"-{_EN[rest % 10]}" if rest % 10 else "")
    if not hundreds:
        return tail
    return f"{_EN[hundreds]} hundred" + (f" and {tail}" if rest else "")


def ordinal_en(value: int) -> str:
    """`value` as an English ordinal: 'twenty-first'."""
    words = number_en(value)
    cut = max(words.rfind(" "), words.rfind("-")) + 1
    head, last = words[:cut], words[cut:]
    if last in _EN_ORDINAL:
        return head + _EN_ORDINAL[last]
    return head + (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")


def year_en(value: int) -> str:
    """A year: 1989 is 'nineteen eighty-nine', 2027 'twenty twenty-seven', 2005 'two thousand and five'."""
    hundreds, rest = divmod(value, 100)
    if not 1100 <= value <= 2099 or 2000 <= value <= 2009:
        return number_en(value)
    if rest == 0:
        return f"{_EN[hundreds] if hundreds < 20 else number_en(hundreds)} hundred"
    return f"{number_en(hundreds)} {f'oh {_EN[rest]}' if rest < 10 else _below_thousand_en(rest)}"


def digits_en(text: str) -> str:
    """Each digit alone."""
    return " ".join(_EN[int(char)] for char in text if char.isdecimal())
