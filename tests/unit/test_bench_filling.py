"""What a benchmark stores as if it had been there for years is what the services would have stored."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.filling import DAYS, Copy, Template, vault_of
from services.casework.history import case_from
from services.chassis.chain import broken_at
from tests.unit.samples import CASE, history_until

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
PARTIES = ("DE-00000001", "HU-00000002")
MANY = 40


def template() -> Template:
    """A closed case, and what it left in the notifier's database."""
    keys = ("de-kammer/1", "hu-hivatal/1", "hu-hivatal/2", "de-kammer/2")
    entries = [{**entry, "key": key} for entry, key in zip(history_until("closed"), keys, strict=True)]
    case = {"_id": CASE, "history": entries, "parties": list(PARTIES), "score": {"month": "2026-11"}, "changed_at": NOW}
    notice = {
        "_id": "n-1",
        "case": CASE,
        "authority": PARTIES[1],
        "kind": "arrived",
        "due": NOW,
        "at": NOW,
        "send_at": NOW,
    }
    mail = {"_id": "m-1", "cases": ["another"], "to": "somebody@hu.example", "outcome": "sent"}
    return Template(case, {"_id": CASE, "plan": []}, [notice], mail)


def test_a_copied_case_can_be_opened_and_its_chain_is_whole(tmp_path: Path) -> None:
    """Under a key of its own: nothing of it is the same as in another copy."""
    vault = vault_of(tmp_path, bytes(32))
    made = [Copy(template(), number, vault).case for number in range(MANY)]
    for case in made:
        opened = vault.opened(case["_id"], case["secret"], case["history"])
        assert broken_at(case["_id"], case["history"]) is None
        assert case_from(case["_id"], opened) is not None
        assert not any("personal" in entry for entry in case["history"])
    for of_all in ([one["_id"] for one in made], [one["history"][0]["sealed"] for one in made]):
        assert len(set(of_all)) == MANY
    assert len({entry["key"] for one in made for entry in one["history"]}) == MANY * 4


def test_a_copy_came_some_time_ago_and_left_what_it_would_have_left(tmp_path: Path) -> None:
    """Dates that are over, a mail of each thing that was told; what was told itself for ninety days."""
    for number in range(MANY):
        one = Copy(template(), number, vault_of(tmp_path, bytes(32)))
        age = NOW - one.case["changed_at"]
        assert timedelta(days=1) <= age <= timedelta(days=DAYS)
        assert one.deadlines["_id"] == one.case["_id"]
        assert bool(one.notices) == (age < timedelta(days=90))
        assert all(notice["done_at"] == NOW - age and "send_at" not in notice for notice in one.notices)
        assert [mail["cases"] for mail in one.mails] == [[one.case["_id"]]]
        assert one.mails[0]["authority"] in one.case["parties"]
