"""A service's database in one sealed file, and back: as a whole, or not at all."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

import bson
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.database import Database

from client.sealed import NotReadable, Sealing, header_of, opened
from contracts.restoring import COLLECTION, ID

Raw = Database[RawBSONDocument]

BATCH: Final = 500
STAGING: Final = "restoring."
"""Before the names of collections that are not in use yet."""
_FORMAT: Final = 1
_ENDING: Final = ".imi"
_UNFINISHED: Final = ".unfinished"


class NotEmpty(Exception):
    """There is data where the backup should go."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a backup holds: how many documents of each collection, from when, and whether from one moment."""

    service: str
    at: str
    snapshot: bool
    counts: Mapping[str, int]


@contextmanager
def connected(url: str, database: str) -> Iterator[Raw]:
    """Give the database for as long as the block runs; documents stay as they are stored."""
    with MongoClient[RawBSONDocument](
        url, document_class=RawBSONDocument, w="majority", journal=True, tz_aware=True
    ) as client:
        yield client[database]


def write(source: Raw, service: str, file: Path, key: bytes) -> Contents:
    """Write the whole database into a file that appears when it is complete, and return what it holds.

    In a replica set all is read as it was at one moment. Elsewhere it is read collection by collection while writes go
    on, and the file says so. Raises what PyMongo raises.
    """
    snapshot = bool(source.client.topology_description.replica_set_name or source.command("hello").get("setName"))
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    header = {"format": _FORMAT, "service": service, "at": at, "snapshot": snapshot}
    unfinished = file.with_name(file.name + _UNFINISHED)
    with unfinished.open("xb") as stream:
        try:
            sealing = Sealing(stream, key, header)
            with source.client.start_session(snapshot=snapshot, causal_consistency=not snapshot) as session:
                counts = _write_all(source, sealing, session)
            sealing.write(bson.encode({"end": counts}))
            sealing.close()
        except BaseException:
            unfinished.unlink()
            raise
    unfinished.rename(file)
    return Contents(service, at, snapshot, counts)


def _write_all(source: Raw, sealing: Sealing, session: ClientSession) -> dict[str, int]:
    counts = dict[str, int]()
    names = sorted(one["name"] for one in source.list_collections(filter={"type": "collection"}))
    for name in (one for one in names if not one.startswith(("system.", STAGING))):
        indexes = [dict(one) for one in source[name].list_indexes() if one["name"] != "_id_"]
        sealing.write(bson.encode({"collection": name, "indexes": indexes}))
        counts[name] = 0
        for document in source[name].find({}, session=session).sort("_id", 1):
            sealing.write(bson.encode({"document": document}))
            counts[name] += 1
    return counts


def named(folder: Path, service: str) -> Path:
    """Return the name of a backup of now: in the order of names they are in the order of time."""
    return folder / f"{service}-{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}{_ENDING}"


def prune(folder: Path, service: str, keep: int) -> None:
    """Remove all but the newest of a service's backups, and what was begun by one that ended before it had finished."""
    whole = sorted(folder.glob(f"{service}-*{_ENDING}"))
    for old in whole[: max(0, len(whole) - keep)]:
        old.unlink()
    for begun in folder.glob(f"{service}-*{_ENDING}{_UNFINISHED}"):
        begun.unlink()


def verify(file: Path, service: str, key: bytes) -> Contents:
    """Return what a backup holds, after reading all of it. Raises `NotReadable`."""
    with file.open("rb") as stream:
        header = header_of(stream)
        if header.get("format") != _FORMAT or header.get("service") != service:
            raise NotReadable(f"a backup of {header.get('service')}, format {header.get('format')}")
        counts, name, told = dict[str, int](), "", None
        for record in _records(stream, key):
            if "collection" in record:
                name = record["collection"]
                counts[name] = 0
            elif "document" in record:
                counts[name] += 1
            else:
                told = dict(record["end"])
    if told != counts:
        raise NotReadable("it does not hold what it says")
    return Contents(service, header["at"], header["snapshot"], counts)


def restore(target: Raw, file: Path, service: str, key: bytes, *, replace: bool) -> tuple[Contents, int]:
    """Put a backup in the place of what is there; return what it held, and the epoch from now on.

    Everything is read and proven before anything is put anywhere, and lies ready in the same database before anything
    takes the place of what was there. Interrupted, it is repeated as a whole; the service waits meanwhile. No process
    of the service may run. Raises `NotReadable`; `NotEmpty` when there is data and `replace` is not set.
    """
    contents = verify(file, service, key)
    there = [one for one in _names(target) if not one.startswith(STAGING)]
    if not replace and any(target[one].find_one({}, {"_id": 1}) for one in there if one != COLLECTION):
        raise NotEmpty(f"{service} has data: {', '.join(sorted(there))}")
    for one in _names(target):
        if one.startswith(STAGING):
            target.drop_collection(one)
    with file.open("rb") as stream:
        _put_ready(target, _records(stream, key))
    # Seconds, not a count: whatever is lost with the database, no epoch comes a second time.
    epoch = int(time.time())
    state = {"$set": {"epoch": epoch, "catching_up": True}}
    target[COLLECTION].update_one({"_id": ID}, state, upsert=True)
    for name in contents.counts:
        if name != COLLECTION:
            target[STAGING + name].rename(name, dropTarget=True)
    for one in _names(target):
        if one.startswith(STAGING) or one not in {*contents.counts, COLLECTION}:
            target.drop_collection(one)
    return contents, epoch


def reopen(target: Raw) -> bool:
    """Have the service take what systems send again, when it next looks; say whether it was waiting for that."""
    found = target[COLLECTION].update_one({"_id": ID, "catching_up": True}, {"$set": {"catching_up": False}})
    return found.modified_count > 0


def _put_ready(target: Raw, records: Iterator[RawBSONDocument]) -> None:
    name, batch = "", list[RawBSONDocument]()
    for record in records:
        if batch and ("document" not in record or len(batch) == BATCH):
            target[name].insert_many(batch)
            batch = []
        if "collection" in record:
            name = STAGING + record["collection"]
            target.create_collection(name)
            _index(target, name, record["indexes"])
        elif "document" in record:
            batch.append(record["document"])


def _index(target: Raw, name: str, indexes: Any) -> None:
    for index in indexes:
        options = {key: value for key, value in dict(index).items() if key not in ("v", "key", "ns")}
        target[name].create_index(list(dict(index["key"]).items()), **options)


def _names(target: Raw) -> list[str]:
    found = target.list_collections(filter={"type": "collection"})
    return [one["name"] for one in found if not one["name"].startswith("system.")]


def _records(stream: IO[bytes], key: bytes) -> Iterator[RawBSONDocument]:
    """Yield the documents of which a file consists. Raises `NotReadable` when the last is not whole."""
    waiting = bytearray()
    for chunk in opened(stream, key):
        waiting += chunk
        start = 0
        while len(waiting) - start >= 4:
            size = int.from_bytes(waiting[start : start + 4], "little")
            if len(waiting) - start < size or size < 5:
                break
            yield RawBSONDocument(bytes(waiting[start : start + size]))
            start += size
        del waiting[:start]
    if waiting:
        raise NotReadable("it ends in the middle of a document")
