"""Documents that are their own history, on a real MongoDB: whoever decides, each command has one result."""

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

from contracts.refusal import Refusal
from contracts.types import Message
from deploy.local.addresses import Addresses
from deploy.local.servers import servers
from services.chassis import mongo
from services.chassis.delivery import Later
from services.chassis.histories import (
    HELD,
    TOMBSTONES_KEPT,
    Change,
    Decide,
    Decision,
    Histories,
    History,
    Refuse,
    Settled,
    TooMuch,
)
from services.chassis.intake import Command
from services.chassis.mongo import Collection, Document

pytestmark = pytest.mark.servers

REUSED = Refusal("message-id-reused", "message_id")


class Note(Message):
    """A command of these tests: write `word` into the document `place`."""

    TYPE: ClassVar[str] = "tests.note.v1"
    place: str
    word: str


@pytest.fixture(scope="session")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    """A MongoDB that this file has for itself."""
    with servers(Path(tmp_path_factory.mktemp("histories"))) as started:
        yield started.addresses


@pytest.fixture
async def database(addresses: Addresses) -> AsyncIterator[mongo.Database]:
    """A database that nothing has been written to."""
    admin = addresses.mongo_admin
    made = mongo.connect(addresses.mongo_url(admin.name, admin.password), f"histories-{uuid.uuid4().hex}")
    await writer(made).prepare()
    yield made
    await made.client.drop_database(made.name)
    await made.client.close()


def writer(database: mongo.Database) -> Histories:
    """One of several replicas that write the same collection."""
    return Histories(database["notes"], lambda _, history: {"words": [entry["word"] for entry in history]})


def note(place: str, word: str = "x", message_id: str | None = None, system: str = "s") -> Command:
    """A command with an id of its own, unless one is given."""
    body = Note(place=place, word=word)
    return Command(system, message_id or str(uuid.uuid4()), body, digest=f"{place}/{word}")


def place_of(command: Command) -> str:
    """The document that the command changes."""
    return str(command.body.place)  # type: ignore[attr-defined] # all commands here are notes


def own_place_of(command: Command) -> str:
    """The document that the command's refusal makes."""
    return f"refused:{command.key}"


def accept(_history: History, command: Command) -> Decision:
    """Whatever it is, do it."""
    return Change({"word": command.body.word})  # type: ignore[attr-defined] # as above


def refuse(_history: History, _command: Command) -> Decision:
    """Whatever it is, refuse it in the document."""
    return Refuse(Refusal("wrong-state"), in_document=True)


def turn_away(_history: History, _command: Command) -> Decision:
    """Whatever it is, refuse it, with no place in the document."""
    return Refuse(Refusal("unknown-case", "case"))


async def settle(histories: Histories, commands: Sequence[Command], decide: Decide = accept) -> list[Settled | Later]:
    """Have the commands settled."""
    return await histories.settle(commands, place_of, own_place_of, decide)


async def one(histories: Histories, command: Command, decide: Decide = accept) -> Settled:
    """Have one command settled for good."""
    (settled,) = await settle(histories, [command], decide)
    assert isinstance(settled, Settled)
    return settled


async def documents(database: mongo.Database) -> dict[str, Document]:
    """Everything that is there."""
    found = database["notes"].find({})
    return {str(document["_id"]): dict(document) async for document in found}


def keys(history: Sequence[Mapping[str, Any]]) -> list[str]:
    """The commands that the entries came from."""
    return [entry["key"] for entry in history]


async def test_a_command_is_carried_out_once_and_repeats_its_result(database: mongo.Database) -> None:
    """However often it comes, and whatever has happened since: the same history up to it."""
    first, command = note("a", "one"), note("a", "two")
    await one(writer(database), first)
    done = await one(writer(database), command)
    await one(writer(database), note("a", "three"))
    assert keys(done.history) == [first.key, command.key]
    assert await one(writer(database), command) == done
    assert await one(writer(database), command, refuse) == done, "also where it would be refused by now"
    assert (await documents(database))["a"]["words"] == ["one", "two", "three"]


async def test_two_writers_of_the_same_commands_carry_out_each_once_and_say_the_same(database: mongo.Database) -> None:
    """A redelivery may reach another replica while the first is still at it."""
    commands = [note(f"d{n % 3}", str(n)) for n in range(30)]
    first, second = await asyncio.gather(*(settle(writer(database), commands) for _ in range(2)))
    assert first == second
    written = [key for document in (await documents(database)).values() for key in keys(document.get("history", ()))]
    assert Counter(written) == Counter(command.key for command in commands)


async def test_two_writers_of_different_commands_lose_nothing(database: mongo.Database) -> None:
    """Both change the same documents at once: every change is in one line, and each result is a beginning of it."""
    groups = [[note(f"d{n % 2}", f"{w}-{n}") for n in range(20)] for w in range(3)]
    results = await asyncio.gather(*(settle(writer(database), group) for group in groups))
    stored = await documents(database)
    for group, settled in zip(groups, results, strict=True):
        for command, result in zip(group, settled, strict=True):
            assert isinstance(result, Settled)
            line = keys(stored[place_of(command)]["history"])
            position = line.index(command.key) + 1
            assert keys(result.history) == line[:position], "the history up to the command, as it stands"
    assert sum(len(document["history"]) for document in stored.values()) == 60


@pytest.mark.parametrize("first_decides", [accept, refuse], ids=["accepted first", "refused first"])
async def test_of_two_decisions_on_one_command_the_first_that_is_written_holds(
    database: mongo.Database, first_decides: Decide
) -> None:
    """A refusal that stands in the document wins over a later acceptance, and the other way round."""
    await one(writer(database), note("a", "one"))
    command = note("a", "two")
    first = await one(writer(database), command, first_decides)
    later = [await one(writer(database), command, decide) for decide in (accept, refuse, turn_away)]
    assert later == [first] * 3


async def test_writers_who_decide_otherwise_at_the_same_time_give_one_result(database: mongo.Database) -> None:
    """One accepts what the other refuses: one of them may write, and the other reads what was written."""
    await settle(writer(database), [note(f"d{n}", "one") for n in range(20)])
    commands = [note(f"d{n}", "two") for n in range(20)]
    said = await asyncio.gather(*(settle(writer(database), commands, d) for d in (accept, refuse, accept, refuse)))
    assert said[0] == said[1] == said[2] == said[3]
    stored = await documents(database)
    for command in commands:
        document = stored[place_of(command)]
        assert keys(document["history"]).count(command.key) + keys(document["refused"]).count(command.key) == 1


async def test_a_refusal_shows_the_document_as_it_was_seen(database: mongo.Database) -> None:
    """Repeated after further changes it still shows what the refusal was about."""
    await one(writer(database), note("a", "one"))
    refused = await one(writer(database), command := note("a", "two"), refuse)
    await one(writer(database), note("a", "three"))
    assert [entry["word"] for entry in refused.history] == ["one"]
    assert await one(writer(database), command) == refused


async def test_a_document_remembers_its_last_hundred_refusals(database: mongo.Database) -> None:
    """So that nobody makes it grow without end by sending what is refused."""
    await one(writer(database), note("a", "one"))
    commands = [note("a", str(n)) for n in range(120)]
    await settle(writer(database), commands, refuse)
    await one(writer(database), last := note("a", "last"), refuse)
    assert keys((await documents(database))["a"]["refused"]) == [c.key for c in [*commands[-99:], last]]


async def test_a_refusal_that_belongs_to_no_document_stands_in_a_place_of_its_own_that_expires(
    database: mongo.Database,
) -> None:
    """A tombstone: the document that it named is not touched, the result is repeated, and in time it is forgotten."""
    await one(writer(database), note("a", "one"))
    before = (await documents(database))["a"]
    command = note("a", "two")
    refused = await one(writer(database), command, turn_away)
    assert refused == Settled((), Refusal("unknown-case", "case"))
    assert await one(writer(database), command, accept) == refused
    stored = await documents(database)
    assert stored["a"] == before
    tombstone = stored[own_place_of(command)]
    kept = tombstone["expires"] - datetime.now(UTC)
    assert TOMBSTONES_KEPT * 0.99 < kept <= TOMBSTONES_KEPT
    assert "history" not in tombstone


async def test_tombstones_expire_by_the_database_and_cases_never(database: mongo.Database) -> None:
    """The index counts from the date in the document; a document with a history has none."""
    await one(writer(database), note("a", "one"))
    await one(writer(database), note("a", "two"), refuse)
    indexes = await database["notes"].index_information()
    assert indexes["expires_1"]["expireAfterSeconds"] == 0
    assert "expires" not in (await documents(database))["a"]


async def test_a_message_id_that_stands_in_another_document_is_refused(database: mongo.Database) -> None:
    """The first holds; the second is told, and changes nothing; one id of another system is another command."""
    await one(writer(database), note("a", "one", message_id="1"))
    for place in ("b", "a"):
        assert await one(writer(database), note(place, "two", message_id="1")) == Settled((), REUSED)
    assert not (await one(writer(database), note("b", "two", message_id="1", system="t"))).refusal
    stored = await documents(database)
    words = {place: document["words"] for place, document in stored.items() if "words" in document}
    assert words == {"a": ["one"], "b": ["two"]}


async def test_of_one_message_id_on_several_documents_at_once_one_holds(database: mongo.Database) -> None:
    """In one group or by several writers: one change, and a refusal for each of the others; nothing else is lost."""
    await one(writer(database), note("d0", "before"))
    rivals = [note(f"d{n}", "rival", message_id="1") for n in range(5)]
    others = [note(f"d{n}", "other") for n in range(5)]
    mixed = [command for pair in zip(rivals, others, strict=True) for command in pair]
    results = await asyncio.gather(settle(writer(database), mixed), settle(writer(database), mixed))
    for settled in results:
        refusals = [one.refusal for one in settled if isinstance(one, Settled)]
        assert Counter(refusals) == {None: 6, REUSED: 4}
    words = Counter(word for document in (await documents(database)).values() for word in document.get("words", ()))
    assert words == {"before": 1, "rival": 1, "other": 5}


class Counted:
    """A collection that counts the operations of its bulk writes."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self.writes: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._collection, name)

    def with_options(self, **options: Any) -> "Counted":
        """Itself, with a collection that has these options."""
        self._collection = self._collection.with_options(**options)
        return self

    async def bulk_write(self, operations: list[Any], **options: Any) -> Any:
        """Write, and note how many documents."""
        self.writes.append(len(operations))
        return await self._collection.bulk_write(operations, **options)


async def test_a_group_folds_all_commands_of_a_document_into_one_write(database: mongo.Database) -> None:
    """Fifty commands on five documents are five operations in one bulk; each result is the state after its command."""
    counted: Any = Counted(database["notes"])
    histories = Histories(counted, lambda *_: {})
    commands = [note(f"d{n % 5}", str(n)) for n in range(50)]
    results = await settle(histories, commands)
    assert counted.writes == [5]
    for number, result in enumerate(results):
        assert isinstance(result, Settled)
        assert [entry["word"] for entry in result.history] == [str(n) for n in range(number % 5, number + 1, 5)]
    assert {document["rev"] for document in (await documents(database)).values()} == {1}
    await settle(histories, commands)
    assert counted.writes == [5], "a repetition writes nothing"


async def test_what_is_put_off_leaves_no_trace(database: mongo.Database) -> None:
    """It is decided when it comes again."""

    def put_off(_history: History, command: Command) -> Decision:
        return Later(1.0) if place_of(command) == "a" else accept(_history, command)

    results = await settle(writer(database), [note("a"), note("b")], put_off)
    assert isinstance(results[0], Later)
    assert list(await documents(database)) == ["b"]


async def test_a_decision_sees_what_the_group_decided_before(database: mongo.Database) -> None:
    """At most three changes in a document, whoever writes them: the fourth is refused, by every writer."""

    def at_most_three(history: History, command: Command) -> Decision:
        return accept(history, command) if len(history) < 3 else refuse(history, command)

    commands = [note("a", str(n)) for n in range(10)]
    parts = [commands[:6], commands[2:], commands[::2]]
    results = await asyncio.gather(*(settle(writer(database), part, at_most_three) for part in parts))
    stored = (await documents(database))["a"]
    assert (len(stored["history"]), len(stored["refused"])) == (3, 7)
    for part, settled in zip(parts, results, strict=True):
        for command, result in zip(part, settled, strict=True):
            assert isinstance(result, Settled)
            assert (result.refusal is None) == (command.key in keys(stored["history"]))


SEEDS = range(8)


@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_the_interleaving_every_command_has_one_effect_and_one_result(
    database: mongo.Database, seed: int
) -> None:
    """Three writers, few documents, repetitions, rival ids, writers of other minds: one result for each, everywhere."""
    chance = random.Random(seed)
    commands = [
        note(f"d{chance.randrange(4)}", str(n), message_id=str(chance.randrange(35)), system=chance.choice("st"))
        for n in range(40)
    ]

    def moody(mind: random.Random) -> Decide:
        def decide(history: History, command: Command) -> Decision:
            return mind.choice([accept, accept, refuse])(history, command)

        return decide

    async def write(mind: random.Random) -> list[tuple[Command, Settled]]:
        said = []
        for _ in range(6):
            group = mind.sample(commands, mind.randint(1, 15))
            results = await settle(writer(database), group, moody(mind))
            said += [(c, r) for c, r in zip(group, results, strict=True) if isinstance(r, Settled)]
            await asyncio.sleep(mind.random() / 200)
        return said

    minds = [random.Random(seed * 10 + n) for n in range(3)]
    told = [pair for pairs in await asyncio.gather(*map(write, minds)) for pair in pairs]
    _check(told, await documents(database))


def _check(told: list[tuple[Command, Settled]], stored: Mapping[str, Document]) -> None:
    written = [key for document in stored.values() for key in keys(document.get("history", ()))]
    assert max(Counter(written).values()) == 1, "one effect"
    by_command: dict[tuple[str, str], list[Settled]] = {}
    for command, settled in told:
        by_command.setdefault((command.key, command.digest), []).append(settled)
    rivals = Counter(key for key, _ in by_command)
    for (key, digest), results in by_command.items():
        done = [entry for document in stored.values() for entry in document.get("history", ()) if entry["key"] == key]
        expected = any(entry["digest"] == digest for entry in done)
        assert {result.refusal is None for result in results} == {expected}, "done for all, or refused for all"
        if rivals[key] == 1:
            assert all(result == results[0] for result in results), "one result"


async def test_what_is_too_much_to_hold_is_refused_to_a_group_and_not_to_a_command(database: mongo.Database) -> None:
    """A document counts as often as a command rests on it: each is told what is in it."""
    histories = writer(database)
    for place in ("a", "b"):
        await one(histories, note(place, "x" * (HELD * 3 // 10)))
    await one(histories, note("large", "x" * HELD))
    await one(histories, note("large"))
    assert len(await settle(histories, [note("a"), note("c"), note("d")])) == 3
    for places in (("a", "b"), ("a", "a"), ("c", "large")):
        with pytest.raises(TooMuch):
            await settle(histories, [note(place) for place in places])
        with pytest.raises(TooMuch):
            await histories.weigh(places)
    await histories.weigh(["large"])
    await histories.weigh(["a", "c", "nothing"])
