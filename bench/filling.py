"""Databases filled with what had been there for years: copies of what is there, under other numbers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from pymongo import MongoClient
from pymongo.collection import Collection

from bench.history import TEMPLATES, fill
from bench.plan import AREA
from contracts.identity import derived_code
from contracts.languages import STATES
from deploy.local.exchange import Exchange

Document = dict[str, Any]
Client = MongoClient[Document]

_AT_ONCE: Final = 1_000
_COPIES: Final = (("casework", "authorities"), ("translation", "readers"), ("notifier", "authorities"))
"""Where services keep what they know of authorities."""


def client(exchange: Exchange) -> Client:
    """Return a connection that may write everything, without waiting for more than one member."""
    admin = exchange.addresses.mongo_admin
    return MongoClient(exchange.addresses.mongo_url(admin.name, admin.password), w=1)


def cases(databases: Client, size: int) -> None:
    """Have so many cases stored, closed ones, each with its counts and its place among the notifier's deadlines."""
    stored, deadlines = databases["casework"]["cases"], databases["notifier"]["deadlines"]
    before = stored.estimated_document_count()
    fill(stored, list(stored.find({"state": "closed"}).limit(TEMPLATES)), size)
    template = deadlines.find_one({"plan": []})
    if template and size > before:
        _insert(deadlines, ({**template, "_id": f"copy-{number}"} for number in range(before, size)))


def authorities(databases: Client, size: int) -> None:
    """Have every service that keeps a copy of authorities know so many."""
    states = list(STATES)
    for service, name in _COPIES:
        known = databases[service][name]
        template = known.find_one({"system": {"$ne": True}, "_id": {"$regex": "^[A-Z]{2}-"}})
        assert template, f"{service} knows no authority yet"
        there = known.estimated_document_count()
        _insert(known, ({**template, "_id": _number(states, number)} for number in range(there, size)))


def _number(states: Sequence[str], number: int) -> str:
    return f"{states[number % len(states)]}-{derived_code(8, 'copy', str(number))}"


def areas(databases: Client, codes: Sequence[str]) -> None:
    """Have copies of the area published under these codes, and everybody entitled to them who is to the area."""
    casework, translation = databases["casework"], databases["translation"]
    rules = [(casework["area_rules"], "rules"), (translation["areas"], "rules"), (translation["texts"], "texts")]
    for published, _ in rules:
        of_area = list(published.find({"_id": {"$regex": f"^{AREA}/"}}))
        _insert(published, (_renamed(one, code) for code in codes for one in of_area))
    in_force = casework["areas"].find_one({"_id": AREA})
    assert in_force
    _insert(casework["areas"], ({**in_force, "_id": code} for code in codes))
    for one in casework["authorities"].find({f"access.{AREA}": {"$exists": True}}):
        entitled = {f"access.{code}": one["access"][AREA] for code in codes}
        casework["authorities"].update_one({"_id": one["_id"]}, {"$set": entitled})


def _renamed(one: Mapping[str, Any], code: str) -> Document:
    renamed = {**one, "_id": one["_id"].replace(AREA, code, 1)}
    return {**renamed, "area": code} if "area" in one else renamed


def _insert(into: Collection[Document], documents: Iterable[Document]) -> None:
    left: Iterator[Document] = iter(documents)
    while some := list(islice(left, _AT_ONCE)):
        into.insert_many(some, ordered=False)
