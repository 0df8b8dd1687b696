"""The checker of `make chaos` can fail: each loss and each doubling that is put into a whole record is found."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.chaos.conservation import Looked, missing, repeated, too_few, violations, violations_inside
from tests.chaos.record import VERSIONS, Case, Command, Fault, Mail, Received, Record
from tests.chaos.report import answered_after, figures, stories, table
from tests.chaos.story import story

CASE, STRAY, ASKING, ANSWERING, OTHER = "AAAA-BBBB-CCCC", "DDDD-EEEE-FFFF", "de-bench", "hu-bench", "fr-bench"
STEPS = {1: ("send", ASKING), 2: ("accept", ANSWERING), 3: ("reply", ANSWERING), 4: ("close", ASKING)}
SENDER, RECIPIENT = "office@de.example", "office@hu.example"


def whole() -> Record:
    """A record of one case with nothing wrong: four commands, eight messages, two mails."""
    record = Record(cases={CASE: Case(CASE, ASKING, ANSWERING)}, addresses={ASKING: SENDER, ANSWERING: RECIPIENT})
    for version, (step, system) in STEPS.items():
        at = float(10 * version)
        record.commands[step] = Command(step, system, f"casework.{step}.v1", "done", CASE, None, [at], at + 1)
        other = ANSWERING if system == ASKING else ASKING
        record.received.append(shown(at + 2, system, version, command=step, status="done"))
        record.received.append(shown(at + 3, other, version))
    record.commands["connect"] = Command("connect", ASKING, "registry.connect.v1", "done", None, "new", [5.0], 6.0)
    outcome = Received(7.0, ASKING, "o-connect", "inbox.outcome.v1", "d", "connect", "done")
    record.received += [outcome, Received(8.0, ASKING, "s-new", "inbox.system.v1", "d", connected="new")]
    record.mails = [
        Mail(50.0, "m-1", SENDER, ((CASE, "accepted"), (CASE, "replied"))),
        Mail(51.0, "m-2", RECIPIENT, ((CASE, "closed"),)),
    ]
    return record


def shown(at: float, system: str, version: int, command: str | None = None, status: str | None = None) -> Received:
    message_id = f"{system}-{version}"
    state = VERSIONS[version]
    return Received(at, system, message_id, "inbox", "d", command, status, None, CASE, version, state)


def dropped(which: Callable[[Received], bool]) -> Callable[[Record], None]:
    def act(record: Record) -> None:
        record.received = [one for one in record.received if not which(one)]

    return act


def again(which: Callable[[Received], bool], **changes: object) -> Callable[[Record], None]:
    def act(record: Record) -> None:
        found = next(one for one in record.received if which(one))
        record.received.append(replace(found, at=60.0, **changes))  # type: ignore[arg-type]

    return act


def mailed(*mails: Mail) -> Callable[[Record], None]:
    def act(record: Record) -> None:
        record.mails = [*record.mails, *mails]

    return act


def instead(number: int, *notices: str) -> Callable[[Record], None]:
    """Another mail tells these things of the case in the place of what it should."""

    def act(record: Record) -> None:
        record.mails[number] = replace(record.mails[number], told=tuple((CASE, notice) for notice in notices))

    return act


def lost_mail(record: Record) -> None:
    del record.mails[1]


def unconfirmed(record: Record) -> None:
    record.commands["close"].confirmed_at = None


def is_outcome(step: str) -> Callable[[Received], bool]:
    return lambda one: one.command == step


def is_update(system: str, version: int) -> Callable[[Received], bool]:
    return lambda one: one.system == system and one.version == version


PLANTED: dict[str, tuple[Callable[[Record], None], set[str]]] = {
    "an outcome is lost": (dropped(is_outcome("close")), {"lost", "missing-version"}),
    "a second outcome has another id": (again(is_outcome("accept"), id="x"), {"doubled", "doubled-version"}),
    "an outcome comes to somebody else": (
        again(is_outcome("send"), system=OTHER),
        {"misdelivered", "differing"},
    ),
    "a repeated outcome says something else": (again(is_outcome("send"), digest="e"), {"differing"}),
    "what should be done was refused": (
        again(is_outcome("reply"), status="refused", code="wrong-state"),
        {"unexpected"},
    ),
    "the broker never confirmed a command": (unconfirmed, {"untaken"}),
    "an update is lost": (dropped(is_update(ASKING, 2)), {"missing-version"}),
    "the last version is lost": (dropped(is_update(ANSWERING, 4)), {"missing-version"}),
    "an update comes under two ids": (again(is_update(ASKING, 3), id="x"), {"doubled-version"}),
    "a version has another's state": (again(is_update(ASKING, 3), state="closed"), {"wrong-state"}),
    "a case is shown to a third system": (
        again(is_update(ASKING, 3), id="x", system=OTHER),
        {"misdelivered"},
    ),
    "nobody is told that a system is connected": (dropped(lambda one: one.connected == "new"), {"not-connected"}),
    "a connection is told twice": (again(lambda one: one.connected == "new", id="x"), {"doubled-connection"}),
    "a mail is lost": (lost_mail, {"lost-mail"}),
    "a mail's content is sent again in another": (
        mailed(Mail(60.0, "m-3", SENDER, ((CASE, "accepted"),))),
        {"doubled-mail"},
    ),
    "the closing is told twice, the arrival not at all": (
        mailed(Mail(60.0, "m-3", RECIPIENT, ((CASE, "closed"),))),
        {"doubled-mail"},
    ),
    "the arrival is told, the closing not at all": (instead(1, "arrived"), {"lost-mail"}),
    "the arrival is told twice": (instead(1, "arrived", "closed", "arrived"), {"doubled-mail"}),
    "the acceptance is told twice, the reply not at all": (
        instead(0, "accepted", "accepted"),
        {"doubled-mail", "lost-mail"},
    ),
    "a side is told what concerns the other": (instead(1, "closed", "replied"), {"stray-mail"}),
    "a mail comes to an address of others": (
        mailed(Mail(60.0, "m-3", "office@fr.example", ((CASE, "closed"),))),
        {"stray-mail"},
    ),
    "a case is shown that nobody began": (again(is_update(ASKING, 3), id="x", case=STRAY), {"stray"}),
    "a command has made a second case": (again(is_outcome("send"), id="x", case=STRAY), {"doubled", "stray"}),
    "an outcome comes to what nobody sent": (again(is_outcome("connect"), id="x", command="y"), {"stray"}),
    "an outcome answers nothing": (again(is_outcome("connect"), id="x", command=None), {"stray"}),
    "the same mail comes to two addresses": (
        mailed(Mail(60.0, "m-2", SENDER, ())),
        {"misdelivered-mail"},
    ),
}


def test_a_whole_record_has_no_violation() -> None:
    """What is as it should be passes, also when everything comes twice under the same ids, a mail with less in it."""
    record = whole()
    instead(1, "arrived", "closed")(record)
    assert violations(record) == []
    record.mails[1:] = [record.mails[1], replace(record.mails[1], told=((CASE, "closed"),))]
    assert violations(record) == []
    del record.mails[2]
    record.received += [replace(one, at=one.at + 30) for one in record.received]
    record.mails += record.mails
    assert violations(record) == []
    assert repeated(record) == 12
    assert missing(record) == 0


@pytest.mark.parametrize(("plant", "kinds"), PLANTED.values(), ids=PLANTED.keys())
def test_what_is_planted_is_found(plant: Callable[[Record], None], kinds: set[str]) -> None:
    """Each loss, doubling and mix-up is found, under its own name and no other."""
    record = whole()
    plant(record)
    assert {one.kind for one in violations(record)} == kinds


@pytest.mark.parametrize("index", range(12))
def test_every_single_message_and_mail_counts(index: int) -> None:
    """Whichever one message or mail is taken out of a whole record: it is missed."""
    record = whole()
    everything = [*record.received, *record.mails]
    gone = everything[index]
    record.received = [one for one in record.received if one is not gone]
    record.mails = [one for one in record.mails if one is not gone]
    assert missing(record) >= 1


def test_a_refusal_that_is_due_is_no_news_of_a_case() -> None:
    """Who tries to close a closed case is refused, and shown the case as it was, under another id."""
    record = whole()
    record.commands["again"] = Command("again", ASKING, "casework.close.v1", "refused", CASE, None, [45.0], 46.0)
    refusal = replace(shown(47.0, ASKING, 4, "again", "refused"), id="r", code="wrong-state")
    record.received.append(refusal)
    assert violations(record) == []


@pytest.mark.parametrize(
    ("looked", "kinds"),
    [
        (Looked(1), set()),
        (Looked(1, broken=(CASE,)), {"broken-chain"}),
        (Looked(0), {"lost-case"}),
        (Looked(2), {"doubled-case"}),
        (Looked(1, parked=("casework.parked: KeyError",)), {"parked"}),
    ],
)
def test_what_is_wrong_inside_is_found(looked: Looked, kinds: set[str]) -> None:
    """A broken chain, a case that is not there, one that is too many, and whatever is parked."""
    assert {one.kind for one in violations_inside(whole(), looked)} == kinds


def test_a_load_that_did_next_to_nothing_proves_nothing() -> None:
    """Fewer cases than a share of those that should have been begun are a violation of their own."""
    assert too_few(whole(), 1) == []
    assert [one.kind for one in too_few(whole(), 2.5)] == ["too-few-cases"]
    assert [one.kind for one in too_few(Record(), 2.5)] == ["too-few-cases"]


def test_a_story_tells_what_concerns_it_and_the_faults_of_its_time_alone() -> None:
    """The lost outcome of a command: when it was sent and confirmed, and what was broken meanwhile."""
    record = whole()
    record.faults = [Fault("node killed", "1", 40.5, 44.0), Fault("SMTP gone", "notifier smtp", 1.0, 9.0)]
    dropped(is_outcome("close"))(record)
    lost = next(one for one in violations(record) if one.kind == "lost")
    assert story(record, lost) == [
        "lost: casework.close.v1 of de-bench has no outcome",
        "     40.00 s  de-bench sends casework.close.v1 close",
        "     40.50 s  -- node killed (1), until 44.00 s",
        "     41.00 s  the broker confirms casework.close.v1 close",
    ]


def test_a_story_of_mails_says_what_each_told() -> None:
    """Both mails that told the closing."""
    record = whole()
    record.mails.append(Mail(60.0, "m-3", RECIPIENT, ((CASE, "closed"), (STRAY, "arrived"))))
    doubled = next(one for one in violations(record) if one.kind == "doubled-mail")
    assert story(record, doubled)[-2:] == [
        f"     51.00 s  {RECIPIENT} gets mail m-2, which tells: closed",
        f"     60.00 s  {RECIPIENT} gets mail m-3, which tells: closed",
    ]


def test_a_point_that_nobody_came_by_is_no_fault() -> None:
    """It is in no figure, in no time of recovery and in no story; the table says that nothing was done."""
    record = whole()
    record.never_met = [Fault("killed at a point", "casework: before the write", 1.0, 41.0)]
    told = figures(record, [])
    assert (told["faults"], told["kinds_of_faults"], told["never_met"]) == (0, 0, 1)
    assert table(record)[1:] == ["killed at a point (casework: before the write): nobody came by"]
    unconfirmed(record)
    assert not any("killed at a point" in line for line in stories(record, violations(record)))


def test_the_report_counts_each_kind_and_tells_the_shortest_story_of_each() -> None:
    """Many violations of one kind are one story; the figures say how many there were."""
    record = whole()
    record.received = [one for one in record.received if not one.command]
    found = violations(record)
    lines = stories(record, found)
    assert "5 times lost" in lines
    assert sum(line.startswith("lost: ") for line in lines) == 1
    assert figures(record, found, seed=7)["lost"] == len(found)


@pytest.mark.parametrize(
    ("fault", "after"),
    [
        (Fault("service killed", "casework", 15.0, 16.0), 7.0),
        (Fault("service killed", "registry", 4.0, 5.0), 3.0),
        (Fault("system cut off", f"{ANSWERING} rabbitmq", 9.0, 12.0), 13.0),
        (Fault("node killed", "0", 41.0, 43.0), None),
        (Fault("SMTP gone", "notifier smtp", 1.0, 9.0), None),
    ],
)
def test_recovery_is_timed_from_the_fault_to_the_first_answer_to_what_was_sent_after_it(
    fault: Fault, after: float | None
) -> None:
    """An answer to what was sent before proves nothing; nor does one that the fault does not concern."""
    record = whole()
    record.faults = [fault]
    assert answered_after(record, fault) == after
    assert fault.name in table(record)[1]


def test_what_a_cut_for_minutes_keeps_waiting_is_not_laid_to_the_fault_beside_it() -> None:
    """The cut itself is timed; so is a fault that was over before it."""
    record = whole()
    killed = Fault("service killed", "casework", 15.0, 16.0)
    record.faults = [killed, Fault("cut for minutes", "casework mongodb", 15.5, 80.0)]
    assert [answered_after(record, one) is None for one in record.faults] == [True, False]
    record.faults[1] = Fault("cut for minutes", "casework mongodb", 17.0, 80.0)
    assert answered_after(record, killed) == 7.0
