"""From a name in any script to its keys: without case, accents and look-alikes, and in Latin letters. Pure.

A name has several keys: as it is written, romanised by the table of its own state, and with German and Nordic letters
written out. Whoever searches may use any of them; what is typed is turned into keys in the same way.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final

LONGEST: Final = 200
"""Characters of a text that count. Names are no longer."""
LONGEST_KEY: Final = 140
"""Characters of a key: so that it fits into the cursor of a page in any script."""
LONGEST_WORD: Final = 80
MOST_WORDS: Final = 24
SHORTEST_PART: Final = 3
"""What is shorter is an article or a number, and no name."""

_WORD: Final = re.compile(r"[^\W_]+")
_PARTS: Final = re.compile(r"\s*(?:[/;()|]|\s[-–—]|[-–—]\s)\s*")
_INVERTED: Final = re.compile(r"([^,]+),\s*([^,]{1,12})\Z")
"""`Fresno, El`: lists put the article last."""
_APOSTROPHES: Final = str.maketrans({"ʼ": " ", "ʻ": " ", "ʹ": " ", "·": None, "\N{SOFT HYPHEN}": None, "¸": None})
"""What is a letter or a mark to Unicode, and none in a name: `ŀ` comes apart into l and a middle dot."""
_LETTERS: Final = str.maketrans(
    {
        "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "ø": "o", "œ": "oe", "ı": "i", "ħ": "h", "ŧ": "t", "ŋ": "n",
        "ß": "ss", "ĸ": "k", "ς": "σ",
    }
)  # fmt: skip
"""Letters of their own, not letters with an accent; and the sigma that ends a word."""
_WRITTEN_OUT: Final = {
    "ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "ő": "oe", "ű": "ue", "đ": "dj",
}  # fmt: skip
"""How German, Nordic and other letters are written where a keyboard lacks them."""
_BULGARIAN: Final = {
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ж": "zh", "з": "z", "и": "i", "й": "y", "к": "k",
    "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f", "х": "h",
    "ц": "ts", "ч": "ch", "ш": "sh", "щ": "sht", "ъ": "a", "ь": "y", "ю": "yu", "я": "ya", "ы": "y", "э": "e",
    "і": "i", "ј": "j", "ѕ": "s",
}  # fmt: skip
"""The streamlined system (Bulgarian Transliteration Act of 2009, Art. 2), and some letters of other Cyrillic names."""
_GREEK_PAIRS: Final = {
    "ου": "ou", "γγ": "ng", "γξ": "nx", "γχ": "nch", "γκ": "gk", "μπ": "mp", "ντ": "nt", "τζ": "tz", "τσ": "ts",
}  # fmt: skip
_GREEK: Final = {
    "α": "a", "β": "v", "γ": "g", "δ": "d", "ε": "e", "ζ": "z", "η": "i", "θ": "th", "ι": "i", "κ": "k", "λ": "l",
    "μ": "m", "ν": "n", "ξ": "x", "ο": "o", "π": "p", "ρ": "r", "σ": "s", "τ": "t", "υ": "y", "φ": "f", "χ": "ch",
    "ψ": "ps", "ω": "o",
}  # fmt: skip
"""ELOT 743, which is ISO 843's transcription and the UN's (UNGEGN) for names on maps and passports."""
_VOICELESS: Final = frozenset("θκξπστφχψ")
_SCRIPTS: Final[Mapping[str, re.Pattern[str]]] = {
    "CYRILLIC": re.compile(r"[\u0400-\u052f]"),
    "GREEK": re.compile(r"[\u0370-\u03ff\u1f00-\u1fff]"),
}
_LATIN: Final = re.compile(r"[a-z\u00df-\u024f]")
_LOOK_ALIKES: Final[Mapping[str, str]] = {
    "CYRILLIC": "a а, e е, o о, p р, c с, x х, y у, i і, j ј, s ѕ, k к, m м, t т, h н, b в",
    "GREEK": "a α, e ε, o ο, p ρ, x χ, y υ, i ι, k κ, n ν, t τ, h η, m μ, b β, z ζ, v ν, u υ",
}
_FROM_LATIN: Final = {
    script: {pair.split()[0]: pair.split()[1] for pair in pairs.split(", ")} for script, pairs in _LOOK_ALIKES.items()
}
_TO_LATIN: Final = {
    script: {other: latin for latin, other in reversed(pairs.items())} for script, pairs in _FROM_LATIN.items()
}


def fold(text: str) -> str:
    """Return the words of a text in lower case, without accents and punctuation, one space between them."""
    return " ".join(_plain(word) for word in _raw_words(text))[:LONGEST_KEY].strip()


def keys_of(text: str) -> list[str]:
    """Return all the ways in which a name, or what somebody typed, is written: folded, the most literal first."""
    words = [_ways(word) for word in _raw_words(text)]
    most = max((len(ways) for ways in words), default=0)
    ways = (" ".join(word[min(way, len(word) - 1)] for word in words)[:LONGEST_KEY].strip() for way in range(most))
    return list(dict.fromkeys(ways))


def word_ways(text: str) -> list[list[str]]:
    """Return, for each word of a text, all the ways in which it is written."""
    return [list(_ways(word)) for word in _raw_words(text)]


def whole_keys(names: Iterable[str]) -> list[str]:
    """Return the keys of names, and of the parts of those that are bilingual (`Aldino/Aldein`)."""
    return sorted({key for name in names for part in parts_of(name) for key in keys_of(part)} - {""})


def word_keys(names: Iterable[str]) -> list[str]:
    """Return the keys of every word of the names."""
    return sorted({way for name in names for ways in word_ways(name) for way in ways})


def parts_of(name: str) -> list[str]:
    """Return a name; its natural order; and its parts, where it stands in two languages or with an addition."""
    inverted = _INVERTED.match(name)
    natural = [f"{inverted[2]} {inverted[1]}"] if inverted else []
    head = name.split(", ", maxsplit=1)[0]
    parts = [part for part in _PARTS.split(head) if len(part) >= SHORTEST_PART]
    return list(dict.fromkeys([name, *natural, head, *parts]))


def _raw_words(text: str) -> list[str]:
    """The words in lower case, in one script each; accents stay where they make a letter of their own."""
    small = unicodedata.normalize("NFKC", text[:LONGEST]).casefold().translate(_APOSTROPHES)
    # Some letters change their form once more when they are small; marks that make no letter would part a word.
    composed = unicodedata.normalize("NFC", unicodedata.normalize("NFKC", small).casefold())
    letters = "".join(letter for letter in composed if not unicodedata.combining(letter))
    return [_one_script(word[:LONGEST_WORD]) for word in _WORD.findall(letters)[:MOST_WORDS]]


@lru_cache(maxsize=50_000)
def _ways(word: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys([_plain(word), *_other_ways(word)]))


def _other_ways(word: str) -> Iterator[str]:
    if _SCRIPTS["CYRILLIC"].search(word):
        yield from _bulgarian(word)
    elif _SCRIPTS["GREEK"].search(word):
        yield from _greek(word)
    else:
        yield _plain("".join(_WRITTEN_OUT.get(letter, letter) for letter in word))


def _plain(word: str) -> str:
    apart = unicodedata.normalize("NFKD", word.translate(_LETTERS))
    return "".join(letter for letter in apart if not unicodedata.combining(letter)).translate(_LETTERS)


def _one_script(word: str) -> str:
    """Letters of another script in a word were typed by mistake: they become what they look like.

    The script is that of the letters without a twin; where all have one, that of the most.
    """
    plain = _plain(word)
    scripts = [script for script, pattern in _SCRIPTS.items() if pattern.search(plain)]
    latins = _LATIN.findall(plain)
    if len(scripts) != 1 or not latins:
        return word
    pattern, from_latin, to_latin = _SCRIPTS[scripts[0]], _FROM_LATIN[scripts[0]], _TO_LATIN[scripts[0]]
    others = pattern.findall(plain)
    own, foreign = _alone(others, to_latin), _alone(latins, from_latin)
    kept, table = (pattern, from_latin) if (own, len(others)) >= (foreign, len(latins)) else (_LATIN, to_latin)
    return "".join(letter if kept.match(letter) else _twins(letter, table) for letter in word)


def _alone(letters: Iterable[str], twins: Mapping[str, str]) -> int:
    return sum(letter not in twins for letter in letters)


def _twins(letter: str, table: Mapping[str, str]) -> str:
    return "".join(table.get(one, one) for one in _plain(letter))


def _bulgarian(word: str) -> Iterator[str]:
    """A final -ия is -ia, elsewhere я is ya (Art. 2 of the Act); ъ was u before it, and still is in `Bulgaria`."""
    latin = "".join(_BULGARIAN.get(letter, letter) for letter in word)
    final = f"{latin[:-3]}ia" if word.endswith("ия") else latin
    yield _plain(final)
    yield _plain(latin)
    if "ъ" in word:
        old = "".join("u" if letter == "ъ" else _BULGARIAN.get(letter, letter) for letter in word)
        yield _plain(f"{old[:-3]}ia" if word.endswith("ия") else old)


def _greek(word: str) -> Iterator[str]:
    latin = _plain(_elot(_greek_letters(word)))
    yield latin
    # As on road signs and in old names.
    initial = re.sub(r"\Agk", "g", re.sub(r"\Ant", "d", latin))
    yield initial.replace("ch", "h").replace("y", "i")


def _elot(letters: list[str]) -> str:
    latin, place = "", 0
    while place < len(letters):
        pair, after = "".join(letters[place : place + 2]), "".join(letters[place + 2 : place + 3])
        if pair in {"αυ", "ευ", "ηυ"}:
            latin += _GREEK[pair[0]] + ("f" if not after or after in _VOICELESS else "v")
            place += 2
        elif pair in _GREEK_PAIRS:
            latin += "b" if pair == "μπ" and place == 0 else _GREEK_PAIRS[pair]
            place += 2
        else:
            latin += _GREEK.get(letters[place], letters[place])
            place += 1
    return latin


def _greek_letters(word: str) -> list[str]:
    """The letters without accents; one with a diaeresis stands for itself, and so never makes a pair."""
    letters: list[str] = []
    for letter in word:
        apart = unicodedata.normalize("NFD", letter)
        base = apart[0].replace("ς", "σ")
        letters.append(_GREEK.get(base, base) if "\N{COMBINING DIAERESIS}" in apart else base)
    return letters
