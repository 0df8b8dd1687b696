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
"""Characters of a key. Names are no longer."""
MOST_WORDS: Final = 24

_WORD: Final = re.compile(r"\w+")
_PARTS: Final = re.compile(r"\s*(?:/|\s[-–—]\s|[()])\s*")
_LETTERS: Final = str.maketrans(
    {"ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "ø": "o", "œ": "oe", "ı": "i", "ħ": "h", "ŧ": "t", "ŋ": "n"}
)
"""Latin letters that are letters of their own, not letters with an accent."""
_WRITTEN_OUT: Final = {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "ő": "oe", "ű": "ue"}
"""How German and Nordic letters are written where a keyboard lacks them."""
_BULGARIAN: Final = {
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ж": "zh", "з": "z", "и": "i", "й": "y", "к": "k",
    "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f", "х": "h",
    "ц": "ts", "ч": "ch", "ш": "sh", "щ": "sht", "ъ": "a", "ь": "y", "ю": "yu", "я": "ya", "ы": "y", "э": "e",
}  # fmt: skip
"""The streamlined system (Bulgarian Transliteration Act of 2009, Art. 2), and two letters of other Cyrillic names."""
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
_LOOK_ALIKES: Final[Mapping[str, str]] = {
    "CYRILLIC": "a а, e е, o о, p р, c с, x х, y у, i і, j ј, s ѕ, k к, m м, t т, h н, b в",
    "GREEK": "a α, e ε, o ο, p ρ, x χ, y υ, i ι, k κ, n ν, t τ, v ν, u υ",
}
_SAME_LOOK: Final = {
    script: {pair.split()[0]: pair.split()[1] for pair in pairs.split(", ")} for script, pairs in _LOOK_ALIKES.items()
}


def fold(text: str) -> str:
    """Return the words of a text in lower case, without accents and punctuation, one space between them."""
    return " ".join(_words(text))


def keys_of(text: str) -> list[str]:
    """Return all the ways in which a name, or what somebody typed, is written: folded, the most literal first."""
    words = [list(dict.fromkeys(_ways(word))) for word in _raw_words(text)]
    most = max((len(ways) for ways in words), default=0)
    ways = (" ".join(word[min(way, len(word) - 1)] for word in words)[:LONGEST] for way in range(most))
    return list(dict.fromkeys(ways))


def word_ways(text: str) -> list[list[str]]:
    """Return, for each word of a text, all the ways in which it is written."""
    return [list(dict.fromkeys(_ways(word))) for word in _raw_words(text)][:MOST_WORDS]


def whole_keys(names: Iterable[str]) -> list[str]:
    """Return the keys of names, and of the parts of those that are bilingual (`Aldino/Aldein`)."""
    return sorted({key for name in names for part in parts_of(name) for key in keys_of(part)} - {""})


def word_keys(names: Iterable[str]) -> list[str]:
    """Return the keys of every word of the names."""
    return sorted({way for name in names for ways in word_ways(name) for way in ways})


def parts_of(name: str) -> list[str]:
    """Return a name, and its parts where it stands in two languages or with an addition in brackets."""
    parts = [part for part in _PARTS.split(name) if part.strip()]
    return [name, *parts] if len(parts) > 1 else [name]


def _words(text: str) -> list[str]:
    return [_plain(word) for word in _raw_words(text)]


def _raw_words(text: str) -> list[str]:
    composed = unicodedata.normalize("NFKC", text).casefold()
    joined = re.sub(r"(?<=\w)['’ʼ`´.](?=\w)", " ", unicodedata.normalize("NFC", composed))
    return _WORD.findall(joined)[:MOST_WORDS]


@lru_cache(maxsize=20_000)
def _ways(word: str) -> tuple[str, ...]:
    word = _one_script(word)
    plain, script = _plain(word), _script(word)
    if script == "CYRILLIC":
        return (plain, *_bulgarian(word))
    if script == "GREEK":
        return (plain, *_greek(word))
    out = "".join(_WRITTEN_OUT.get(letter, letter) for letter in word)
    return (plain, _plain(out))


def _plain(word: str) -> str:
    letters = unicodedata.normalize("NFKD", _one_script(word).translate(_LETTERS))
    return (
        "".join(letter for letter in letters if not unicodedata.combining(letter)).replace("ς", "σ").translate(_LETTERS)
    )


def _script(word: str) -> str:
    counts = {script: sum(_is(script, letter) for letter in word) for script in ("CYRILLIC", "GREEK")}
    script = max(counts, key=lambda name: counts[name])
    return script if counts[script] else "LATIN"


def _is(script: str, letter: str) -> bool:
    return unicodedata.name(letter, "").startswith(script)


def _one_script(word: str) -> str:
    """Latin letters in a word of another script were typed by mistake: they become what they look like."""
    script = _script(word)
    if script == "LATIN" or word.isascii():
        return word
    return "".join(_SAME_LOOK[script].get(letter, letter) for letter in word)


def _bulgarian(word: str) -> Iterator[str]:
    """A final -ия is -ia, and so is the capital's name; elsewhere я is ya (Art. 2 and 5 of the Act)."""
    latin = "".join(_BULGARIAN.get(letter, letter) for letter in unicodedata.normalize("NFC", word))
    if word.endswith("ия"):
        yield _plain(latin[:-3] + "ia" if latin.endswith("iya") else latin)
    yield _plain(latin)


def _greek(word: str) -> Iterator[str]:
    yield _elot(word)
    # On road signs and in old names: initial μπ and ντ are b and d, and χ is h.
    plain = _elot(word)
    other = re.sub(r"^mp", "b", re.sub(r"^nt", "d", plain)).replace("ch", "h").replace("y", "i")
    if other != plain:
        yield other


def _elot(word: str) -> str:
    letters, latin, place = _greek_letters(word), "", 0
    while place < len(letters):
        pair = "".join(letters[place : place + 2])
        after = letters[place + 2] if place + 2 < len(letters) else ""
        if pair in {"αυ", "ευ", "ηυ"}:
            voiceless = not after or after in _VOICELESS
            latin += _GREEK[pair[0]] + ("f" if voiceless else "v")
            place += 2
        elif pair in _GREEK_PAIRS:
            latin += "b" if pair == "μπ" and place == 0 else _GREEK_PAIRS[pair]
            place += 2
        else:
            latin += _GREEK.get(letters[place], letters[place])
            place += 1
    return _plain(latin)


def _greek_letters(word: str) -> list[str]:
    """The letters without accents; one with a diaeresis stands for itself, and so never makes a pair."""
    letters: list[str] = []
    for letter in unicodedata.normalize("NFC", word):
        apart = unicodedata.normalize("NFD", letter)
        base = apart[0].replace("ς", "σ")
        letters.append(_GREEK.get(base, base) if "\N{COMBINING DIAERESIS}" in apart else base)
    return letters
