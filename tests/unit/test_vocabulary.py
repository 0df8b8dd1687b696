import asyncio
import csv
import gzip
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymongo import UpdateOne

from client.legislation import load
from client.vocabulary import options_of
from contracts.directory import TermsChanged
from contracts.inbox import Outcome
from contracts.registry import PutTerms, Term
from contracts.topology import OPERATOR
from contracts.types import User
from services.chassis.intake import Command
from services.registry import vocabulary as module
from services.registry.vocabulary import Vocabulary, put_terms

DENTIST = Term(code="dentist", labels={"de": "Zahnärzte", "hu": "fogorvos", "el": "οδοντίατρος", "bg": "зъболекар"})
ARCHITECT = Term(code="architect", labels={"de": "Architekt", "hu": "építész", "en": "architect for landscapes"})
PRACTICE = Term(code="nace-86.23", labels={"de": "Zahnarztpraxen", "en": "Dental practice activities"})
NACE = Path(__file__).parents[3] / "shared" / "data" / "nace_rev2_24lang.csv.gz"


class Terms:
    """The collection of terms, in memory; counts what is read of it."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}
        self.labels_read = 0
        self.opened = asyncio.Event()
        self.opened.set()

    async def bulk_write(self, writes: Sequence[UpdateOne], *, ordered: bool) -> None:
        for write in writes:
            (stage,) = cast("list[dict[str, Any]]", write._doc)
            new = stage["$replaceWith"]["$cond"][1]["$literal"]
            if self.documents.get(write._filter["_id"], {}).get("version", 0) < new["version"]:
                self._set(write._filter["_id"], new)

    async def update_one(self, query: Mapping[str, str], change: Mapping[str, Any], *, upsert: bool) -> None:
        document = self.documents.setdefault(query["_id"], {"_id": query["_id"], "number": 0})
        document["number"] += change["$inc"]["number"]

    async def find_one_and_update(
        self, query: Mapping[str, str], change: Mapping[str, Any], *, upsert: bool, return_document: bool
    ) -> dict[str, Any]:
        document = self.documents.setdefault(query["_id"], {"_id": query["_id"], "number": 0})
        document["drawn"] = document.get("drawn", 0) + change["$inc"]["drawn"]
        return dict(document)

    async def find_one(self, query: Mapping[str, str]) -> dict[str, Any] | None:
        await asyncio.sleep(0)
        return self.documents.get(query["_id"])

    async def find(
        self, query: Mapping[str, Any], fields: Mapping[str, int] | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        await self.opened.wait()
        wanted = query["_id"].get("$in")
        for code, document in list(self.documents.items()):
            if code != query["_id"].get("$ne") and (wanted is None or code in wanted):
                self.labels_read += fields is None
                yield document

    def _set(self, code: str, fields: Mapping[str, Any]) -> None:
        self.documents.setdefault(code, {"_id": code}).update(fields)


@pytest.fixture
def terms() -> Terms:
    return Terms()


def replica(terms: Terms) -> Vocabulary:
    return Vocabulary(cast("Any", terms))


async def filled(terms: Terms, *some: Term) -> Vocabulary:
    vocabulary = replica(terms)
    await vocabulary.put(some or (DENTIST, ARCHITECT, PRACTICE))
    return vocabulary


FOUND: list[tuple[str, set[str]]] = [
    ("Zahnarzt", {"dentist", "nace-86.23"}),
    ("ZAHNÄRZTE", {"dentist"}),
    ("Zahnaerzte", {"dentist"}),
    ("fogorvos", {"dentist"}),
    ("ΟΔΟΝΤΙΑΤΡΟΣ", {"dentist"}),
    ("odontiatros", {"dentist"}),
    ("zabolekar", {"dentist"}),
    ("epitesz", {"architect"}),
    ("landscapes architect", {"architect"}),
    ("archi", {"architect"}),
    ("arc", set()),
    ("for", {"architect"}),
    ("architect dentist", set()),
    ("architekt landscapes", {"architect"}),
    ("", set()),
    ("!?", set()),
]


@pytest.mark.parametrize(("text", "codes"), FOUND, ids=[text or "nothing" for text, _ in FOUND])
async def test_a_competence_is_found_by_its_words_in_any_language(terms: Terms, text: str, codes: set[str]) -> None:
    """By all words that were typed, whole ones or beginnings of four letters and more, however they are written."""
    vocabulary = await filled(terms)
    assert await vocabulary.codes_of(text) == codes


async def test_a_dentist_is_found_in_every_language_by_the_texts_of_the_legislation(terms: Terms) -> None:
    """Each of the 26 labels finds the competence that was registered under any other."""
    area = load(Path(__file__).parents[2] / "legislation" / "professional-qualifications")
    professions = options_of(area, "profession")
    vocabulary = await filled(terms, *professions)
    for term in professions:
        for language, label in term.labels.items():
            assert term.code in await vocabulary.codes_of(label), (language, label)


async def test_the_activities_of_nace_are_found_by_their_labels(terms: Terms) -> None:
    """Each of some thousand real labels finds its own activity."""
    if not NACE.exists():
        pytest.skip(f"{NACE} is missing")
    with gzip.open(NACE, "rt", encoding="utf-8") as file:
        activities = {f"nace-{one['code'].lower()}": one for one in csv.DictReader(file)}
    labels = {
        code: {key: one[key][:200].strip() for key in ("de", "el", "bg", "fr")} for code, one in activities.items()
    }
    vocabulary = await filled(terms, *(Term(code=code, labels=some) for code, some in labels.items()))
    assert "nace-86.23" in await vocabulary.codes_of("Zahnarzt")
    missed = [
        (code, label)
        for code, some in labels.items()
        for label in some.values()
        if code not in await vocabulary.codes_of(label)
    ]
    assert missed == []


async def test_what_no_replica_knows_is_unknown(terms: Terms) -> None:
    """And nothing is read for a command that names no competence."""
    vocabulary = await filled(terms)
    assert await vocabulary.unknown(["dentist", "wizard"]) == {"wizard"}
    assert await replica(terms).unknown([]) == frozenset()
    assert await replica(Terms()).unknown(["dentist"]) == {"dentist"}


async def test_nothing_is_unknown_that_another_replica_has_just_stored(terms: Terms) -> None:
    """A refusal is remembered: a second's delay would make it wrong for a month."""
    other = replica(terms)
    assert await other.unknown(["dentist"]) == {"dentist"}
    await filled(terms)
    assert await other.unknown(["dentist"]) == frozenset()


async def test_nothing_is_unknown_while_the_vocabulary_is_still_being_read(terms: Terms) -> None:
    """Who asks during the first reading waits for it."""
    await filled(terms)
    vocabulary, asked = replica(terms), []
    terms.opened.clear()
    for _ in range(3):
        asked.append(asyncio.create_task(vocabulary.unknown(["dentist"])))
        asked.append(asyncio.create_task(vocabulary.codes_of("fogorvos")))
        await asyncio.sleep(0.01)
    terms.opened.set()
    assert await asyncio.gather(*asked) == [frozenset(), {"dentist"}] * 3


async def test_a_search_does_not_wait_for_what_is_read_anew(terms: Terms, monkeypatch: pytest.MonkeyPatch) -> None:
    """It finds what was known before."""
    monkeypatch.setattr(module, "LOOK_AGAIN_AFTER", 0.0)
    vocabulary = await filled(terms, DENTIST)
    assert await vocabulary.codes_of("fogorvos") == {"dentist"}
    await replica(terms).put([ARCHITECT])
    terms.opened.clear()
    reading = asyncio.create_task(vocabulary.unknown(["architect"]))
    await asyncio.sleep(0.01)
    assert await vocabulary.codes_of("fogorvos") == {"dentist"}
    terms.opened.set()
    assert await reading == frozenset()
    assert await vocabulary.codes_of("építész") == {"architect"}


async def test_only_what_changed_is_read_again(terms: Terms, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing at all when a file is loaded once more."""
    monkeypatch.setattr(module, "LOOK_AGAIN_AFTER", 0.0)
    vocabulary = await filled(terms)
    await vocabulary.codes_of("x")
    assert terms.labels_read == 3
    await replica(terms).put([DENTIST, ARCHITECT, PRACTICE])
    await vocabulary.codes_of("x")
    assert terms.labels_read == 3
    await replica(terms).put([DENTIST.model_copy(update={"labels": {"fr": "dentiste"}})])
    assert await vocabulary.codes_of("dentiste") == {"dentist"}
    assert terms.labels_read == 4


async def test_the_database_is_asked_once_a_second_at_most(terms: Terms, monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches in between find what was known."""
    vocabulary = await filled(terms, DENTIST)
    assert await vocabulary.codes_of("fogorvos") == {"dentist"}
    monkeypatch.setattr(module, "LOOK_AGAIN_AFTER", 3600.0)
    await replica(terms).put([ARCHITECT])
    assert await vocabulary.codes_of("építész") == frozenset()
    monkeypatch.setattr(module, "LOOK_AGAIN_AFTER", 0.0)
    assert await vocabulary.codes_of("építész") == {"architect"}


LABELS = st.dictionaries(st.sampled_from(["de", "en", "hu"]), st.text("abäß cdé", min_size=1, max_size=12), min_size=1)


@given(st.lists(st.lists(st.tuples(st.sampled_from(["x", "y", "z"]), LABELS), min_size=1), min_size=1, max_size=5))
async def test_a_vocabulary_that_followed_every_change_is_the_one_that_is_read_at_once(
    changes: Iterable[Iterable[tuple[str, dict[str, str]]]],
) -> None:
    """Words that no label has any longer find nothing."""
    terms = Terms()
    following = replica(terms)
    for change in changes:
        labelled = [(code, {key: label for key, label in labels.items() if label.strip()}) for code, labels in change]
        some = [Term(code=code, labels=labels) for code, labels in labelled if labels]
        if some:
            await following.put(some)
        await following.codes_of("x")
    fresh = replica(terms)
    await fresh.codes_of("x")
    assert {word: sorted(codes) for word, codes in following._codes_of.items()} == {
        word: sorted(codes) for word, codes in fresh._codes_of.items()
    }
    assert following._words == fresh._words
    assert all(one < other for one, other in pairwise(following._words))


def putting(system: str, *, expired: bool = False) -> Command:
    body = PutTerms(vocabulary="professions", terms=(DENTIST,), user=User(id="desk", role="data-administrator"))
    return Command(system, "m-1", body, "digest", expired=expired)


@pytest.mark.parametrize(
    ("command", "code"),
    [(putting("hu-hivatal"), "operator-only"), (putting(OPERATOR, expired=True), "expired")],
    ids=["another system", "too late"],
)
async def test_only_the_operator_loads_terms(terms: Terms, command: Command, code: str) -> None:
    """Whatever is refused changes nothing."""
    answer = await put_terms(replica(terms), command)
    assert answer.outcome
    assert isinstance(answer.outcome.message, Outcome)
    assert answer.outcome.message.refused
    assert answer.outcome.message.refused.code == code
    assert terms.documents == {}
    assert answer.events == ()


async def test_loading_terms_again_changes_nothing_and_is_answered_alike(terms: Terms) -> None:
    """The outcome has the same identity, so that the operator's system drops the repetition."""
    vocabulary = replica(terms)
    first = await put_terms(vocabulary, putting(OPERATOR))
    stored = dict(terms.documents["dentist"])
    second = await put_terms(vocabulary, putting(OPERATOR))
    assert first.outcome == second.outcome
    assert [event.message_id for event in first.events] == [event.message_id for event in second.events]
    assert terms.documents["dentist"] | {"version": 1} == stored


async def test_others_are_told_what_was_loaded(terms: Terms) -> None:
    """Each term with its vocabulary and a version, by which the later of two loadings is known."""
    vocabulary = replica(terms)
    told = [(await put_terms(vocabulary, putting(OPERATOR))).events[0] for _ in range(2)]
    messages = [cast("TermsChanged", event.message) for event in told]
    assert [event.routing_key for event in told] == ["terms", "terms"]
    assert [(one.code, one.vocabulary) for one in messages[0].terms] == [("dentist", "professions")]
    assert messages[0].terms[0].labels == DENTIST.labels
    assert messages[0].terms[0].version < messages[1].terms[0].version


async def test_what_was_loaded_later_stays_whichever_is_stored_last(terms: Terms) -> None:
    """Two replicas may store in the other order than they drew their numbers."""
    vocabulary = await filled(terms, DENTIST)
    terms.documents["dentist"]["version"] = 7
    await vocabulary.put([DENTIST.model_copy(update={"labels": {"fr": "dentiste"}})])
    assert terms.documents["dentist"]["labels"] == DENTIST.labels
