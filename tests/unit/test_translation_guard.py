"""The language guard: it doubts marks that are surely wrong, and stops nothing."""

import asyncio
from collections.abc import Iterable

import pytest

from contracts.languages import LANGUAGES
from services.translation.freetext import Said
from services.translation.guard import SHORTEST, Guard, Model, another, load_model

GERMAN = "Der Nachweis wurde von der zuständigen Behörde ausgestellt."
HUNGARIAN = "Az oklevelet az illetékes hatóság állította ki."
DANISH = "Attesten blev udstedt af den kompetente myndighed i Danmark."


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model()


class Fake:
    """A model that answers the same whatever it is asked, and counts."""

    def __init__(self, *shares: tuple[str, float]) -> None:
        self.shares = list(shares)
        self.asked = 0
        self.loaded = 0

    def rank(self, text: str) -> list[tuple[str, float]]:
        self.asked += 1
        return self.shares

    def load(self) -> Model:
        self.loaded += 1
        return self


async def marked(guard: Guard, texts: Iterable[tuple[str, str]]) -> list[str | None]:
    """What stands beside each text."""
    said = [Said(text, language, {}) for text, language in texts]
    await guard.mark(said)
    return [one.holder.get("looks_like", {}).get("code") for one in said]


REAL = [
    ("its own language", GERMAN, "de", None),
    ("another", GERMAN, "hu", "de"),
    ("that other one, rightly", HUNGARIAN, "hu", None),
    ("Danish for German", DANISH, "de", "da"),
    ("capitals", GERMAN.upper(), "de", None),
]


@pytest.mark.parametrize(("text", "mark", "found"), [one[1:] for one in REAL], ids=[one[0] for one in REAL])
def test_a_mark_that_is_surely_wrong_is_doubted(model: Model, text: str, mark: str, found: str | None) -> None:
    """And it is told which language it looks like; `python -m tools.language_guard` says how often in vain."""
    assert another(model, text, mark) == found


def test_the_model_knows_every_language_of_the_exchange_and_no_other(model: Model) -> None:
    """Norwegian is two languages to it, neither called Bokmål."""
    assert {name for name, _ in model.rank(GERMAN)} == {*LANGUAGES, "no", "nn"} - {"nb"}


SHARES = [
    ("surely another", "de", [("fr", 0.6), ("de", 0.4)], "fr"),
    ("not surely", "de", [("fr", 0.45), ("de", 0.3), ("en", 0.25)], None),
    ("Norwegian in its two names", "de", [("no", 0.3), ("nn", 0.3), ("de", 0.4)], "nb"),
    ("its own in two names", "nb", [("no", 0.3), ("nn", 0.3), ("da", 0.4)], None),
    ("a neighbour, not surely", "nb", [("da", 0.6), ("no", 0.4)], None),
    ("a neighbour, surely", "da", [("no", 0.7), ("da", 0.3)], "nb"),
    ("a mark that it does not know", "xx", [("fr", 0.9), ("de", 0.1)], None),
]


@pytest.mark.parametrize(("mark", "shares", "found"), [one[1:] for one in SHARES], ids=[one[0] for one in SHARES])
def test_it_must_be_sure_and_surer_between_danish_and_norwegian(
    mark: str, shares: list[tuple[str, float]], found: str | None
) -> None:
    """Which have most of their words in common."""
    assert another(Fake(*shares), GERMAN, mark) == found


async def test_names_and_numbers_are_not_looked_at_and_load_nothing() -> None:
    """A replica that renders no long text never has the model in memory."""
    fake = Fake(("fr", 1.0))
    assert await marked(Guard(fake.load), [("Dr. Kovács Eszter", "de"), ("x" * (SHORTEST - 1), "de")]) == [None, None]
    assert fake.loaded == 0


async def test_a_text_is_looked_at_once_for_each_mark() -> None:
    """However often its case is told of; the model is loaded once, by whoever comes first."""
    fake = Fake(("fr", 0.9), ("de", 0.05), ("hu", 0.05))
    guard = Guard(fake.load)
    both = await asyncio.gather(*(marked(guard, [(GERMAN, "de")]) for _ in range(3)))
    assert both == [["fr"]] * 3
    assert (await marked(guard, [(GERMAN, "hu"), (GERMAN, "de")])) == ["fr", "fr"]
    assert fake.loaded == 1
    asked = fake.asked
    await marked(guard, [(GERMAN, "hu"), (GERMAN, "de")])
    assert fake.asked == asked


async def test_a_model_that_cannot_be_loaded_stops_nothing() -> None:
    """Texts go out without a warning, and it is not tried again."""
    tried = []

    def fail() -> Model:
        tried.append(1)
        raise OSError

    guard = Guard(fail)
    assert await marked(guard, [(GERMAN, "hu")]) == [None]
    assert await marked(guard, [(GERMAN, "hu")]) == [None]
    assert len(tried) == 1
