"""What had been there for years: copies of real cases, authorities and areas, in the form in which services keep them.

A case is sealed under a key of its own and its history chained, as casework would have done it; in the notifier's
database it leaves its dates, which are over, what was told of it, and the mails. Authorities are what the registry and
all its copies have of one that was admitted through the front door.
"""

import base64
import os
import random
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from pymongo import MongoClient
from pymongo.collection import Collection

from bench.plan import AREA
from bench.shelf import Client, Document, Place, Shelf
from contracts.identity import derived_code
from deploy.local.exchange import Exchange
from services.casework.counting import added
from services.casework.keys import KeyFolder
from services.casework.vault import Vault
from services.chassis.chain import LINK, broken_at, link_of

CASES: Final[Sequence[Place]] = (
    ("casework", "cases"),
    ("casework", "scores"),
    ("casework", "standings"),
    ("notifier", "deadlines"),
    ("notifier", "notices"),
    ("notifier", "emails"),
)
AUTHORITIES: Final[Sequence[Place]] = (
    ("registry", "authorities"),
    ("registry", "counters"),
    ("casework", "authorities"),
    ("translation", "readers"),
    ("notifier", "authorities"),
)
AREAS: Final[Sequence[Place]] = (
    ("casework", "areas"),
    ("casework", "area_rules"),
    ("translation", "areas"),
    ("translation", "texts"),
)
"""What services keep of each, and where."""

DAYS: Final = 150
"""For so long they have come: those that were closed longer ago would be blocked by now."""
TEMPLATES: Final = 20
FEWEST: Final = 300
"""Also where there are to be none: casework would destroy the key of a month of which it has no case."""
_TOLD_KEPT: Final = 90
"""Days for which the notifier keeps what it told."""
_AT_ONCE: Final = 1_000
_LOOKED_AT: Final = 50
"""Of the cases that were made, so many are opened and their chains walked."""


def client(exchange: Exchange) -> Client:
    """Return a connection that may write everything, without waiting for more than one member."""
    admin = exchange.addresses.mongo_admin
    return MongoClient(exchange.addresses.mongo_url(admin.name, admin.password), w=1, tz_aware=True)


# Cases


@dataclass(frozen=True)
class Template:
    """A closed case with what it left behind: opened, as nobody but casework sees it."""

    case: Document
    deadlines: Document
    notices: list[Document]
    mail: Document


@dataclass(frozen=True)
class Part:
    """What one process makes: copies under the numbers of `numbers`."""

    url: str
    keys: Path
    root: bytes
    templates: list[Template]
    size: int
    numbers: range


def cases(exchange: Exchange, databases: Client, shelf: Shelf, size: int) -> None:
    """Put beside what is at hand as many cases more. Raises RuntimeError when they are not as casework makes them."""
    shelf.add(size)
    url = exchange.addresses.mongo_url(exchange.addresses.mongo_admin.name, exchange.addresses.mongo_admin.password)
    keys, root = exchange.folder / "keys", base64.b64decode(exchange.root_key)
    templates, many = _templates(databases, vault_of(keys, root)), os.cpu_count() or 1
    parts = [Part(url, keys, root, templates, size, range(first, max(size, FEWEST), many)) for first in range(many)]
    with ProcessPoolExecutor(many, mp_context=get_context("spawn")) as processes:
        list(processes.map(_make, parts))
    shelf.index(size)
    _look(databases["casework"][f"cases-{size}"], vault_of(keys, root))
    databases.admin.command("fsync")  # what is measured next need not wait for that


def vault_of(keys: Path, root: bytes) -> Vault:
    """Return what seals and opens cases, with the keys of this folder."""
    return Vault(KeyFolder(keys, [root]))


def _templates(databases: Client, vault: Vault) -> list[Template]:
    """Return closed cases of which the notifier has heard so, too."""
    notifier = databases["notifier"]
    mail = notifier["emails"].find_one({"cases": {"$ne": []}, "outcome": "sent"})
    over = list(notifier["deadlines"].find({"awaited": "in/closed"}).limit(TEMPLATES))
    if mail is None or not over:
        raise RuntimeError("no case was closed yet, or no mail about one was sent")
    return [_template(databases, one, vault, mail) for one in over]


def _template(databases: Client, deadlines: Document, vault: Vault, mail: Document) -> Template:
    number = deadlines["_id"]
    case = databases["casework"]["cases"].find_one({"_id": number})
    assert case
    history = [dict(entry) for entry in vault.opened(number, case["secret"], case["history"])]
    for entry in history:
        entry.pop("sealed", None)
    case = {**case, "history": history, "secret": None}
    case.pop("uncounted", None)
    return Template(case, deadlines, list(databases["notifier"]["notices"].find({"case": number})), mail)


def _make(part: Part) -> None:
    vault = vault_of(part.keys, part.root)
    with MongoClient[Document](part.url, w=1, tz_aware=True) as client:
        casework, notifier = client["casework"], client["notifier"]
        into = {name: notifier[f"{name}-{part.size}"] for name in ("deadlines", "notices", "emails")}
        numbers = iter(part.numbers)
        while some := list(islice(numbers, _AT_ONCE)):
            made = [Copy(part.templates[number % len(part.templates)], number, vault) for number in some]
            stored = [one.case for one in made]
            casework[f"cases-{part.size}"].insert_many(stored, ordered=False)
            casework[f"scores-{part.size}"].bulk_write(added({**one, "counted": None} for one in stored), ordered=False)
            into["deadlines"].insert_many([one.deadlines for one in made], ordered=False)
            if notices := [notice for one in made for notice in one.notices]:
                into["notices"].insert_many(notices, ordered=False)
            into["emails"].insert_many([mail for one in made for mail in one.mails], ordered=False)


class Copy:
    """A case as it was, under another number, between others, some time ago; and what the notifier keeps of it."""

    def __init__(self, template: Template, number: int, vault: Vault) -> None:
        """Make it, the same for the same number but for what is sealed."""
        chance = random.Random(number)
        days = chance.randrange(1, DAYS)
        self._earlier = timedelta(days=days)
        self._template = template
        code = derived_code(12, "copy", str(number))
        self._id = f"{code[:4]}-{code[4:8]}-{code[8:]}"
        self._names = {template.case["_id"]: self._id, **_others(template.case["parties"], chance)}
        self.case = self._sealed(vault, chance, number)
        self.deadlines = self._moved(template.deadlines)
        told = [self._told(notice, _identity(chance)) for notice in template.notices]
        self.notices = told if days < _TOLD_KEPT else []
        self.mails = [self._mail(notice, _identity(chance)) for notice in told]

    def _moved(self, value: Any) -> Any:
        return moved(value, self._names, self._earlier)

    def _sealed(self, vault: Vault, chance: random.Random, number: int) -> Document:
        case: Document = self._moved(self._template.case)
        secret, before, history = None, self._id, list[Document]()
        for entry in case["history"]:
            system = entry["key"].partition("/")[0]
            entry["key"] = f"{system}/{chance.getrandbits(64):016x}-{number:019d}"
            entry["digest"] = f"{chance.getrandbits(128):032x}"
            secret, sealed = vault.sealed(self._id, secret, entry)
            before = link_of(before, sealed)
            history.append({**sealed, LINK: before})
        score = {**case["score"], "month": history[0]["at"].strftime("%Y-%m")}
        return {**case, "history": history, "secret": secret, "score": score, "counted": score, "standing": None}

    def _told(self, notice: Document, identity: str) -> Document:
        """A notice once it has been told."""
        made: Document = self._moved(notice)
        at = made.get("at") or made["done_at"]
        for name in ("at", "send_at", "batch"):
            made.pop(name, None)
        return {**made, "_id": identity, "done_at": at}

    def _mail(self, told: Document, identity: str) -> Document:
        at, to = told["done_at"], f"office@{told['authority'].lower()}.example"
        mail = {**self._template.mail, "cases": [self._id], "kind": told["kind"], "told": [told["_id"]], "to": to}
        mail |= {"authority": told["authority"], "planned": at, "at": at, "due": told["due"]}
        return {**mail, "_id": identity}


def _identity(chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128)))


def _others(parties: Iterable[str], chance: random.Random) -> dict[str, str]:
    """Other authorities of the same states."""
    return {party: f"{party[:3]}{chance.randrange(5_000):08d}" for party in parties}


def moved(value: Any, names: Mapping[str, str], earlier: timedelta) -> Any:
    """Return a document, or a part of one, with other names in it, and every moment so much earlier."""
    kind = type(value)
    if kind is str:
        return names.get(value, value)
    if kind is dict:
        return {key: moved(one, names, earlier) for key, one in value.items()}
    if kind is list:
        return [moved(one, names, earlier) for one in value]
    return value - earlier if kind is datetime else value


def _look(stored: Collection[Document], vault: Vault) -> None:
    for case in stored.aggregate([{"$sample": {"size": _LOOKED_AT}}]):
        opened = vault.opened(case["_id"], case["secret"], case["history"])
        if broken_at(case["_id"], case["history"]) is not None or "personal" not in opened[0]:
            raise RuntimeError(f"{case['_id']} is not as casework would have made it")


# Authorities


def authorities(databases: Client, shelf: Shelf, size: int) -> None:
    """Put beside what is at hand as many authorities as that takes to be so many, in the same states."""
    into = shelf.add(size)
    registered = databases["registry"]["authorities"]
    templates = list(registered.find({"status": "active", "history.what": "approved"}))
    assert templates, "nobody was admitted yet"
    numbers = range(registered.count_documents({}), size)
    for service, name in ((service, name) for service, name in AUTHORITIES if name != "counters"):
        known = {one["_id"]: one for one in databases[service][name].find()}
        made = (_authority(known, templates[number % len(templates)], number) for number in numbers)
        _insert(into[service, name], made)
    for state in {one["country"] for one in templates}:
        active = into["registry", "authorities"].count_documents({"status": "active", "country": state})
        counted = {"$set": {"figures.authorities": active}}
        into["registry", "counters"].update_one({"_id": f"{state}/active"}, counted)
    shelf.index(size)


def _authority(known: Mapping[str, Document], template: Document, number: int) -> Document:
    """What a service knows of an authority, of another one: with a number in its name."""
    (name,) = template["history"][0]["details"]["names"].values()
    new_id, new_name = f"{template['country']}-{derived_code(8, 'copy', str(number))}", f"{name} {number}"
    names = {template["_id"]: new_id, name: new_name, name.lower(): new_name.lower()}
    made: Document = moved(known[template["_id"]], names, timedelta())
    if "words" in made:
        made["words"] = sorted([*made["words"], str(number)])
    before = new_id
    for entry in made.get("history", ()):
        entry["key"] = f"{entry['key']}-{number}"
        before = entry[LINK] = link_of(before, entry)
    return made


# Areas


def areas(databases: Client, shelf: Shelf, size: int) -> None:
    """Put beside the area that is at hand as many others as that takes to be so many, with the same questions."""
    into, codes = shelf.add(size), codes_of(size)
    for (service, name), published in into.items():
        there = list(databases[service][name].find({"_id": {"$regex": f"^{AREA}(/|$)"}}))
        _insert(published, (_renamed(one, code) for code in codes[1:] for one in there))
    shelf.index(size)


def codes_of(size: int) -> list[str]:
    """Return what so many areas are called."""
    return [AREA, *(f"{AREA}-{number}" for number in range(1, size))]


def entitle(databases: Client, authorities: Iterable[str], codes: Sequence[str]) -> None:
    """Entitle these authorities to these areas, and to no others, as they are to the area."""
    known = databases["casework"]["authorities"]
    for one in known.find({"_id": {"$in": list(authorities)}}):
        known.update_one({"_id": one["_id"]}, {"$set": {"access": dict.fromkeys(codes, one["access"][AREA])}})


def _renamed(one: Mapping[str, Any], code: str) -> Document:
    renamed = {**one, "_id": one["_id"].replace(AREA, code, 1)}
    return {**renamed, "area": code} if "area" in one else renamed


def _insert(into: Collection[Document], documents: Iterable[Document]) -> None:
    left: Iterator[Document] = iter(documents)
    while some := list(islice(left, _AT_ONCE)):
        into.insert_many(some, ordered=False)
