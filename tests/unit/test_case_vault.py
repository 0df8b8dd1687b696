"""What is personal in a case is read by those alone who have its key, and by nobody once that is destroyed."""

import errno
import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from stat import S_ISDIR
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from services.casework.case import Side
from services.casework.history import Fold, case_from
from services.casework.keys import KeyFolder, NoKey
from services.casework.vault import FORGETTING, RENEWING, Vault
from services.chassis.chain import LINK, broken_at, link_of
from services.chassis.histories import Entry, Secret

ROOT, OTHER_ROOT = bytes(range(32)), bytes(range(1, 33))
AT = datetime(2026, 3, 10, 9, 30, tzinfo=UTC)
MONTH = "2026-03"
CASE = "0000-0000-0001"
PLANTED = "Planted Person"


def vault(folder: Path, *roots: bytes) -> Vault:
    """A vault whose months' keys are in this folder."""
    return Vault(KeyFolder(folder, roots or (ROOT,)))


def entry(what: str = "sent", personal: Any = None, at: datetime = AT) -> Entry:
    """An entry as a decision makes it."""
    return {"what": what, "at": at, **({"personal": personal} if personal else {})}


def kept(sealer: Vault, *entries: Entry) -> tuple[Secret, list[Entry]]:
    """The secret and the history as they are stored."""
    secret: Secret = None
    history = list[Entry]()
    for one in entries:
        secret, sealed = sealer.sealed(CASE, secret, one)
        chained = dict(sealed)
        chained[LINK] = link_of(history[-1][LINK] if history else CASE, chained)
        history.append(chained)
    return secret, history


values = st.dictionaries(st.text(max_size=8), st.text(max_size=30) | st.integers() | st.none(), min_size=1, max_size=5)


@given(st.lists(values, min_size=1, max_size=5))
def test_what_is_sealed_is_opened_as_it_was(tmp_path_factory: pytest.TempPathFactory, said: list[Any]) -> None:
    """By any replica that has the folder and the root key; nothing of it stands in what is stored."""
    folder = tmp_path_factory.mktemp("keys")
    secret, history = kept(vault(folder), *(entry(personal={**one, "planted": PLANTED}) for one in said))
    assert PLANTED.encode() not in b"".join(one["sealed"] for one in history)
    assert not any("personal" in one for one in history)
    opened = vault(folder).opened(CASE, secret, history)
    assert [one["personal"] for one in opened] == [{**one, "planted": PLANTED} for one in said]


def test_nobody_reads_it_in_another_case(tmp_path: Path) -> None:
    """The number of the case is part of what is sealed."""
    sealer = vault(tmp_path)
    secret, history = kept(sealer, entry(personal={"text": PLANTED}))
    with pytest.raises(InvalidTag):
        sealer.opened("0000-0000-0002", secret, history)


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    """Whatever was sealed is opened as it was, or not at all."""
    sealer = vault(tmp_path)
    secret, history = kept(sealer, entry(personal={"text": PLANTED}))
    sealed = history[0]["sealed"]
    with pytest.raises(InvalidTag):
        sealer.opened(CASE, secret, [{**history[0], "sealed": sealed[:-1] + bytes([sealed[-1] ^ 1])}])


@pytest.mark.parametrize("what", sorted(FORGETTING))
def test_what_ends_a_case_for_good_destroys_its_key_and_the_chain_holds(tmp_path: Path, what: str) -> None:
    """No secret is left; the history is told without what was sealed."""
    sealer = vault(tmp_path)
    secret, history = kept(sealer, entry(personal={"text": PLANTED}), entry(what))
    assert secret is None
    assert all("personal" not in one for one in sealer.opened(CASE, secret, history))
    assert broken_at(CASE, history) is None


def test_a_correction_puts_another_key_in_the_old_ones_place(tmp_path: Path) -> None:
    """What stood there before can be read no more; what stays stands in the correction."""
    sealer = vault(tmp_path)
    secret, history = kept(
        sealer,
        entry(personal={"text": PLANTED}),
        entry(RENEWING, personal={"text": "right"}),
        entry("message", personal={"text": "after"}),
    )
    said = [one.get("personal") for one in sealer.opened(CASE, secret, history)]
    assert said == [None, {"text": "right"}, {"text": "after"}]
    assert broken_at(CASE, history) is None


def test_what_is_said_after_an_erasure_has_a_key_of_its_own(tmp_path: Path) -> None:
    """An open case goes on; what was erased stays unreadable, and nobody stumbles over it."""
    sealer = vault(tmp_path)
    said = [entry(personal={"text": PLANTED}), entry("erased"), entry("message", personal={"text": "after"})]
    secret, history = kept(sealer, *said)
    assert [one.get("personal") for one in sealer.opened(CASE, secret, history)] == [None, None, {"text": "after"}]
    assert broken_at(CASE, history) is None


def test_without_the_months_key_an_old_backup_says_nothing(tmp_path: Path) -> None:
    """The wrapped key is still in the backup; what it was wrapped by is gone."""
    sealer = vault(tmp_path)
    secret, history = kept(sealer, entry(personal={"text": PLANTED}))
    KeyFolder(tmp_path, [ROOT]).destroy(MONTH)
    backup = vault(tmp_path).opened(CASE, secret, history)
    assert backup == history
    assert PLANTED not in str(backup)


def test_a_folder_that_lacks_a_key_is_a_fault_and_not_a_deletion(tmp_path: Path) -> None:
    """A volume that is not mounted must not look as if everything had been deleted."""
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.mkdir()
    wrong.mkdir()
    secret, history = kept(vault(right), entry(personal={"text": PLANTED}))
    with pytest.raises(NoKey):
        vault(wrong).opened(CASE, secret, history)


def test_the_first_to_need_a_months_key_makes_it_and_all_have_the_same(tmp_path: Path) -> None:
    """Whoever comes second finds it; nobody but the owner can read the file."""
    one, other = KeyFolder(tmp_path, [ROOT]), KeyFolder(tmp_path, [ROOT])
    assert one.made(MONTH) == other.made(MONTH) == other.key_of(MONTH)
    assert one.months() == [MONTH]
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o077 == 0


def test_after_a_rotation_the_new_root_key_opens_everything_alone(tmp_path: Path) -> None:
    """While both are there either opens; wrapped anew, the old one opens nothing."""
    key = KeyFolder(tmp_path, [ROOT]).made(MONTH)
    both = KeyFolder(tmp_path, [OTHER_ROOT, ROOT])
    assert both.key_of(MONTH) == key
    assert both.rewrap() == 1
    assert KeyFolder(tmp_path, [OTHER_ROOT]).key_of(MONTH) == key
    with pytest.raises(NoKey):
        KeyFolder(tmp_path, [ROOT]).key_of(MONTH)


def test_a_destroyed_key_is_never_made_again(tmp_path: Path) -> None:
    """Neither by who destroyed it, nor by another replica."""
    keys = KeyFolder(tmp_path, [ROOT])
    keys.made(MONTH)
    keys.destroy(MONTH)
    keys.destroy(MONTH)
    assert (keys.made(MONTH), KeyFolder(tmp_path, [ROOT]).made(MONTH), keys.months()) == (None, None, [])


@pytest.fixture
def flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, bytes]]:
    """The folder as it was each time when it was flushed: a loss of power leaves the last of them, or what came after.

    A file system may put off links, names and what goes for seconds, whatever was flushed of a file's content.
    """
    kept, flush = [dict[str, bytes]()], os.fsync

    def fsync(descriptor: int) -> None:
        flush(descriptor)
        if S_ISDIR(os.fstat(descriptor).st_mode):
            kept.append({file.name: file.read_bytes() for file in tmp_path.iterdir()})

    monkeypatch.setattr(os, "fsync", fsync)
    return kept


def test_a_months_key_outlasts_a_loss_of_power_before_anything_is_sealed_by_it(
    tmp_path: Path, flushed: list[dict[str, bytes]]
) -> None:
    """Made anew it would be another one: what was sealed by the first could never be opened."""
    key = KeyFolder(tmp_path, [ROOT]).made(MONTH)
    (left,) = tmp_path.iterdir()
    assert flushed[-1][left.name] == left.read_bytes()
    flushed.append({})  # as if it had been another replica's, and not flushed yet
    assert KeyFolder(tmp_path, [ROOT]).made(MONTH) == key
    assert flushed[-1][left.name] == left.read_bytes()


def test_a_key_that_is_wrapped_anew_or_destroyed_stays_so(tmp_path: Path, flushed: list[dict[str, bytes]]) -> None:
    """Also after a loss of power; at no time is there neither a key nor the mark that it was destroyed."""
    KeyFolder(tmp_path, [ROOT]).made(MONTH)
    both = KeyFolder(tmp_path, [OTHER_ROOT, ROOT])
    both.rewrap()
    (left,) = tmp_path.iterdir()
    assert flushed[-1] == {left.name: left.read_bytes()}
    flushed[:] = flushed[-1:]
    both.destroy(MONTH)
    assert flushed[-1] == {f"{MONTH}.destroyed": b""}
    assert [names for names in map(set, flushed[1:]) if f"{MONTH}.destroyed" not in names] == []
    assert len(flushed) == 3


def test_of_a_destroyed_key_no_copy_is_left_that_somebody_was_writing_when_he_crashed(tmp_path: Path) -> None:
    """It is written beside its place first."""
    keys = KeyFolder(tmp_path, [ROOT])
    keys.made(MONTH)
    (tmp_path / f"{MONTH}.7-0badcafe.new").write_bytes((tmp_path / f"{MONTH}.key").read_bytes())
    keys.destroy(MONTH)
    assert [file.name for file in tmp_path.iterdir()] == [f"{MONTH}.destroyed"]


def test_a_file_system_that_cannot_flush_a_folder_keeps_keys_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any other fault is one."""
    flush = os.fsync
    faults = iter([errno.EINVAL, errno.EIO])

    def fsync(descriptor: int) -> None:
        if S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(next(faults), "of the folder")
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    assert KeyFolder(tmp_path, [ROOT]).made(MONTH)
    with pytest.raises(OSError, match="of the folder"):
        KeyFolder(tmp_path, [ROOT]).made(MONTH)


@pytest.mark.parametrize("roots", [[], [b"short"], [ROOT, b""]], ids=["none", "short", "an empty second"])
def test_a_root_key_that_is_none_is_refused_at_the_start(tmp_path: Path, roots: list[bytes]) -> None:
    """Before anything is sealed by it."""
    with pytest.raises(ValueError, match="32 bytes"):
        KeyFolder(tmp_path, roots)


SENT = {
    "area": "services", "area_version": 1, "state": "awaiting-acceptance", "sender": asdict(Side("DE-1", "x", "DE")),
    "recipient": asdict(Side("HU-1", "y", "HU")), "questions": [], "wished_date": None, "acceptance_due": AT,
    "behind": [], "by": "DE-1",
}  # fmt: skip


def message(word: str) -> Entry:
    """An entry that says something."""
    return {**entry("message", personal={"text": {"text": word}}), "by": "DE-1", "says": True}


@given(st.lists(st.tuples(st.integers(0, 1), st.text(max_size=5)), min_size=1, max_size=6), st.randoms())
def test_a_case_that_goes_on_is_what_it_would_be_told_anew(
    tmp_path_factory: pytest.TempPathFactory, said: list[tuple[int, str]], chance: Random
) -> None:
    """Whatever is remembered of it, and however many of its commands came at once or were repeated."""
    folder = tmp_path_factory.mktemp("keys")
    entries: list[Entry] = [{**entry(personal={"comment": None}), **SENT}, *(message(word) for _, word in said)]
    secret, history = kept(vault(folder), *entries)
    fold = Fold(remembered=1)
    for _ in range(5):
        some = vault(folder).opened(CASE, secret, history[: chance.randint(1, len(history))])
        assert fold(CASE, some) == case_from(CASE, some)


def test_of_large_cases_fewer_are_remembered() -> None:
    """As many as have so many bytes together; those that were asked for last."""
    fold = Fold(size=100_000)
    for number in range(9):
        history = [{**entry(), **SENT, "sealed": bytes(20_000), LINK: "0"}]
        told = fold(str(number), history)
        assert told == case_from(str(number), history)
        assert fold(str(number), history) is told
    assert list(fold._told) == ["5", "6", "7", "8"]
    assert fold("large", [{**entry(), **SENT, "sealed": bytes(200_000), LINK: "0"}])
    assert fold._told == {}
    assert fold._held == 0


def test_what_was_remembered_of_a_case_is_not_told_once_its_key_is_gone(tmp_path: Path) -> None:
    """Also where the last entry says nothing personal, and the history is else the same."""
    said = [{**entry(personal={"comment": {"text": PLANTED}}), **SENT}, entry("unblocked"), entry("unblocked")]
    secret, history = kept(vault(tmp_path), *said)
    fold, before = Fold(), vault(tmp_path).opened(CASE, secret, history)
    assert PLANTED in str(fold(CASE, before[:2]))
    KeyFolder(tmp_path, [ROOT]).destroy(MONTH)
    after = vault(tmp_path).opened(CASE, secret, history)
    assert PLANTED not in str(fold(CASE, after))
